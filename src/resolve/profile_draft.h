/* SPDX-License-Identifier: MIT */
/*
 * A user's rows as they were read, before they are packed into a profile; for profile*.c. All of
 * it lives in one arena, for as long as the reading takes.
 */
#ifndef LR_PROFILE_DRAFT_H
#define LR_PROFILE_DRAFT_H

#include "base/arena.h"
#include "base/str.h"
#include "keys/ring.h"
#include "manager/handle.h"

/* The first column of PROFILE_READ; models and routes come from statements of their own. */
enum lr_row_kind {
    LR_ROW_HISTORY = 0,
    LR_ROW_PLATFORM,
    LR_ROW_KEY,
    LR_ROW_SELECTION,
    LR_ROW_ALIAS,
    LR_ROW_POOL,
    LR_ROW_ROUTE_SELECTION,
    LR_ROW_ROUTE, /* there are routes */
    LR_ROW_MODEL,
    LR_ROW_KINDS
};

/* A row; what its columns mean depends on the kind (see store/statements.def). */
struct lr_row {
    struct lr_row *next;
    int64_t id;
    int64_t other;
    int64_t weight; /* of keys */
    struct lb_str text[3];
    struct lb_str record;
    struct lb_str origin; /* platforms, as the rest */
    struct lb_str fixed;  /* names of header fields with values */
    struct lb_str lines;  /* their record; once judged, what is held */
    enum lk_key_state lines_state;
    llmgr_model_kind model_kind;
    uint32_t context_tokens;
    uint32_t max_output_tokens;
};

/* A key as it will stand in the profile. */
struct lr_key_row {
    int64_t platform_id;
    int64_t position;          /* 0: the one whose record stands in the platform's own column */
    enum lk_key_column column; /* of which pool it is */
    bool hide;
    struct lk_pool_key key;
};

struct lr_route_row {
    struct lr_route_row *next;
    struct lm_route route; /* in the draft's memory */
};

struct lr_draft {
    struct lb_str user;
    struct lb_arena *arena;
    struct lr_row *rows[LR_ROW_KINDS];
    struct lr_row **tails[LR_ROW_KINDS]; /* NULL: no row yet */
    size_t counts[LR_ROW_KINDS];
    struct lr_key_row *keys; /* made by lr_draft_keys */
    size_t key_count;
    struct lr_route_row *routes;
    struct lr_route_row **route_tail; /* NULL: no row yet */
    size_t route_count;
    size_t target_count;   /* of all routes */
    size_t texts;          /* bytes of what is kept of rows, keys and routes */
    struct lm_point known; /* when reading began */
    bool stale;            /* where it was read that change is not there */
};

/*
 * Makes the draft's keys of its rows: by platform, in order, each opened once to know whether it
 * can be used. Those of platforms that are neither in the catalogue nor the user's are left out.
 * Private platforms must be sorted by id and have their origin.
 */
LLMGR_MUST_CHECK llmgr_status lr_draft_keys(struct lm_manager *manager,
                                            const struct lm_catalogue *catalogue,
                                            struct lr_draft *draft, struct llmgr_error *err);

#endif
