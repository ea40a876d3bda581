/* SPDX-License-Identifier: MIT */
/*
 * Structures as the JSON of schemas.def, in the seed's field names:
 *
 *   json_t *lx_json_platform(const struct llmgr_platform *platform);
 *   json_t *lx_list_platform(json_t *list, const struct llmgr_platform *items, size_t count);
 *
 * and so for each document there. The first is NULL when memory is short. The second appends to
 * `list`, of which it takes over the reference (NULL: to a new one), and gives it back; when memory
 * is short it gives NULL, and the list is gone. No function here is given a key.
 */
#ifndef LX_WRITE_H
#define LX_WRITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "documents/schema.h"
#include "llmgr.h"
#include "resolve/resolve.h"
#include "routing/verdict.h"

/* ---- What is written and stands in no structure of llmgr.h ----------------------------------- */

/* The choices that are maps elsewhere. */
#define LX_TOKEN_KINDS LB_NAMES(LLMGR_TOKEN_KIND_MAP)
#define LX_MODES LB_NAMES(LLMGR_MODE_MAP)
#define LX_SYNC_STATES LB_NAMES(LLMGR_SYNC_MAP)
#define LX_CHANGES LB_NAMES(LLMGR_CHANGE_MAP)
#define LX_PAYERS LB_NAMES(LM_PAYER_MAP)
#define LX_KEY_STATES LB_NAMES(LO_KEY_STATE_MAP)
#define LX_MANAGED "file|database" /* LM_MANAGED_FILE, LM_MANAGED_DATABASE */
#define LX_PICKS LB_NAMES(LLMGR_PICK_MAP)
#define LX_STICKIES LB_NAMES(LLMGR_STICKY_MAP)
#define LX_EXHAUSTED LB_NAMES(LLMGR_EXHAUSTED_MAP)
#define LX_MODEL_KINDS LB_NAMES(LLMGR_MODEL_KIND_MAP)
#define LX_USAGE_BY LB_NAMES(LLMGR_USAGE_BY_MAP)
#define LX_PRICE_IMPORT_RESULTS LB_NAMES(LLMGR_PRICE_IMPORT_RESULT_MAP)
#define LX_PRICE_UNIT_ROW(NAME, number, text, ...) "|" text
#define LX_PRICE_UNITS (&("" LLMGR_PRICE_UNIT_MAP(LX_PRICE_UNIT_ROW))[1])
#define LX_PROVENANCES LB_NAMES(LLMGR_PROVENANCE_MAP)
#define LX_ENDS LB_NAMES(LLMGR_END_MAP)

struct lx_new_token {
    struct llmgr_token token;
    const char *text; /* the token itself */
};

struct lx_me {
    const char *user;
    const char *kind;
    int64_t token_id; /* 0: none */
    bool is_admin;
    bool may_create;
};

struct lx_info {
    const char *version;
    llmgr_mode mode;
    bool auto_key;
};

struct lx_sync_state {
    llmgr_sync_state state;
};

struct lx_sync {
    bool dry_run;
    struct llmgr_sync_report report;
};

struct lx_usage {
    struct llmgr_usage_list list;
    const char *next;
};

struct lx_page {
    json_t *data;
    bool has_more;
    const char *next; /* NULL: this is the last */
};

/* An attempt, with what its record has in other types or not as people write it. */
struct lx_usage_attempt {
    struct llmgr_usage_record row;
    int64_t attempt;
    int64_t upstream_status;
    const char *cost; /* decimals, or NULL */
    const char *reported_cost;
};

struct lx_usage_request {
    const char *request_id;
    struct lx_usage_attempt *attempts;
    size_t count;
};

struct lx_usage_report {
    llmgr_usage_by by;
    json_t *items;
    struct llmgr_usage_sum total;
};

struct lx_chat {
    struct llmgr_answer answer;
    struct llmgr_selection by;
    int64_t attempts;
};

struct lx_gone {
    int64_t id;
    bool gone;
};

struct lx_gone_key {
    int64_t platform_id;
    const char *key; /* what named it: fingerprint or place */
    bool gone;
};

struct lx_gone_cell {
    const char *cell_id;
    bool gone;
};

struct lx_gone_alias {
    const char *name;
    bool gone;
};

struct lx_file {
    const char *path;
};

struct lx_failure {
    llmgr_status status;
    int64_t exit_code;
    const char *message;
};

struct lx_failure_report {
    struct lx_failure error;
};

/* ---- Writing --------------------------------------------------------------------------------- */

/*
 * The document of that structure. What is MADE is taken over in any case. NULL when memory is
 * short, or a text is not UTF-8.
 */
json_t *lx_write(enum lx_schema_id id, const void *object);
/* Of `count` structures that lie side by side; see above. */
json_t *lx_write_list(enum lx_schema_id id, json_t *list, const void *items, size_t count);

#define LX_DOCUMENT(Name, name, structure, text)                                                   \
    static inline json_t *lx_json_##name(const structure *object)                                  \
    {                                                                                              \
        return lx_write(LX_SCHEMA_##Name, object);                                                 \
    }                                                                                              \
    static inline json_t *lx_list_##name(json_t *list, const structure *items, size_t count)       \
    {                                                                                              \
        return lx_write_list(LX_SCHEMA_##Name, list, items, count);                                \
    }
#include "documents/schemas.def"

/* A request's document; what it points to lives in `arena` and *attempts. False: memory is short.
 */
bool lx_usage_request_make(struct lb_arena *arena, const char *request_id,
                           const struct llmgr_usage_attempts *attempts,
                           struct lx_usage_request *request);

#endif
