/* SPDX-License-Identifier: MIT */
/*
 * The catalogue: every system platform with its models, the operator's aliases and routes, as they
 * stood at one revision of the
 * database. Immutable once loaded and shared by counting references; a change makes a new one,
 * which is swapped in whole. What a look-up needs is decided while loading: origins are computed,
 * and each server key was opened once, so that a key that cannot be used is known to be none.
 */
#ifndef LM_CATALOGUE_H
#define LM_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "keys/ring.h"
#include "llmgr.h"

struct lm_catalogue;
struct lm_manager;
struct lm_point;
struct lq_book;

enum {
    LM_CATALOGUE_PLATFORMS_MAX = 10000,
    LM_CATALOGUE_MODELS_MAX = 200000,
    LM_CATALOGUE_ALIASES_MAX = 1000,
    LM_CATALOGUE_ROUTES_MAX = 1000,
    LM_CATALOGUE_TARGETS_MAX = 100000, /* of all the operator's routes */
    LM_CATALOGUE_KEYS_MAX = 200000,
    LM_CATALOGUE_BYTES_MAX = 256 * 1024 * 1024
};

/* A platform in memory: the catalogue's, or a private one of a profile. Slices are borrowed. */
struct lm_platform {
    int64_t id;
    struct lb_str name;
    struct lb_str base_url; /* as written */
    struct lb_str origin;   /* scheme://host:port; empty if base_url is no URL */
    struct lb_str protocol;
    struct lb_str native_paths;    /* of system platforms; empty: none */
    struct lb_str headers;         /* likewise */
    struct lb_str fixed_headers;   /* names of header fields with values of their own */
    struct lb_str missing_headers; /* system platforms: those left out, "x-org {ORG}" */
    struct lb_str header_values;   /* sealed: the lines of the former */
    enum lk_key_state header_state;
    struct lb_str key_env;    /* system platforms: where the server key would come from */
    struct lk_pool_key *keys; /* system platforms: the server's, those that can be used */
    uint32_t key_count;
    enum lk_key_state key_state; /* USABLE if there is one; of private platforms see the profile */
    bool is_sys;
    bool in_file;              /* llmgr.yaml manages it */
    bool hide;                 /* private platforms */
    int64_t no_stream_options; /* the column: when it was found to reject them; 0, 1: not */
    uint32_t first_model;      /* index into the models of the same catalogue or profile */
    uint32_t model_count;
};

struct lm_model {
    int64_t id;
    uint32_t platform; /* index into the platforms of the same catalogue or profile */
    struct lb_str model_name;
    struct lb_str display_name;
    struct lb_str extra_body;
    llmgr_model_kind kind;
    bool in_file;            /* llmgr.yaml manages it */
    uint32_t context_tokens; /* 0: not known; also below */
    uint32_t max_output_tokens;
};

/* A name that clients insist on, and the name it stands for; one '*' in it is anything. */
struct lm_alias {
    struct lb_str name;
    struct lb_str target;
};

struct lm_route_target {
    struct lb_str model; /* "PLATFORM/MODEL", which need not be there */
    uint32_t weight;
    uint32_t weight_to;    /* the sum of the weights up to this one */
    uint32_t lone;         /* of the operator's routes: 1 + the index of the one system model that
                              it names; 0: it names none, or several */
    int64_t first_byte_ms; /* 0: it has none of its own */
};

/* A route in memory: the catalogue's, or a user's own of a profile. Slices are borrowed. */
struct lm_route {
    int64_t id;
    struct lb_str name;
    struct lb_str display_name; /* empty: the name is shown */
    const struct lm_route_target *targets;
    int64_t deadline_ms;
    int64_t created_at; /* seconds since 1970 */
    uint32_t count;     /* of targets */
    uint32_t attempts;
    llmgr_pick pick;
    llmgr_sticky sticky;
    llmgr_exhausted on_exhausted;
    bool is_sys;
    bool in_file; /* llmgr.yaml manages it */
};

enum { LM_VERDICT_MS = 24 * 3600 * 1000 }; /* so long holds what a refusal taught */

/*
 * Until when the verdict holds that was reached at `at_ms`; 0: none, or it holds no longer. One
 * that comes from too far in the future was written by a clock that has been set since.
 */
static inline int64_t lm_verdict_until(int64_t at_ms, int64_t now_ms)
{
    bool holds = at_ms > 1 && now_ms < at_ms + LM_VERDICT_MS && now_ms > at_ms - LM_VERDICT_MS;
    return holds ? at_ms + LM_VERDICT_MS : 0;
}

/*
 * Reads the catalogue in one transaction, in which the change `must` is to be found, else it is
 * ERR_DATABASE_BUSY (NULL: whatever is there). The caller holds the first reference.
 */
LLMGR_MUST_CHECK llmgr_status lm_catalogue_load(struct lm_manager *manager,
                                                const struct lm_point *must,
                                                struct lm_catalogue **catalogue,
                                                struct llmgr_error *err);
void lm_catalogue_hold(struct lm_catalogue *catalogue);
void lm_catalogue_drop(struct lm_catalogue *catalogue); /* NULL is fine */

/* Every change up to this one is in it. */
struct lm_point lm_catalogue_point(const struct lm_catalogue *catalogue);
int64_t lm_catalogue_revision(const struct lm_catalogue *catalogue);
/* Of the database it was read from; "" if that has none. */
const char *lm_catalogue_identity(const struct lm_catalogue *catalogue);
/* The prices at that revision (budget/book.h), borrowed; NULL: there are none. */
struct lq_book *lm_catalogue_book(const struct lm_catalogue *catalogue);
/* In the order people see. */
const struct lm_platform *lm_catalogue_platforms(const struct lm_catalogue *catalogue,
                                                 uint32_t *count);
const struct lm_model *lm_catalogue_models(const struct lm_catalogue *catalogue, uint32_t *count);
/* The operator's, by name. */
const struct lm_alias *lm_catalogue_aliases(const struct lm_catalogue *catalogue, uint32_t *count);
/* The operator's, by name; by number or name one of them, or NULL. */
const struct lm_route *lm_catalogue_routes(const struct lm_catalogue *catalogue, uint32_t *count);
const struct lm_route *lm_catalogue_route(const struct lm_catalogue *catalogue, int64_t id);
const struct lm_route *lm_catalogue_route_named(const struct lm_catalogue *catalogue,
                                                struct lb_str name);

/* By id, or NULL. */
const struct lm_platform *lm_catalogue_platform(const struct lm_catalogue *catalogue, int64_t id);
const struct lm_model *lm_catalogue_model(const struct lm_catalogue *catalogue, int64_t id);
const struct lm_platform *lm_catalogue_platform_named(const struct lm_catalogue *catalogue,
                                                      struct lb_str name);

/* The models that bear a name: indexes in the order of the catalogue. NULL and 0 if none. */
const uint32_t *lm_catalogue_displayed(const struct lm_catalogue *catalogue, struct lb_str name,
                                       size_t *count);
const uint32_t *lm_catalogue_named(const struct lm_catalogue *catalogue, struct lb_str name,
                                   size_t *count);

#endif
