/* SPDX-License-Identifier: MIT */
/*
 * What a sync would do: the configuration's entries, checked; the database's rows; who is who; and
 * what differs. Making a plan writes nothing.
 */
#ifndef LM_SYNC_PLAN_H
#define LM_SYNC_PLAN_H

#include "http/url.h"
#include "manager/pool_rows.h"
#include "manager/routes.h"
#include "manager/sync.h"

/* What can differ: XX(name, word in reports). */
#define LM_DIFF_MAP(XX)                                                                            \
    XX(NAME, "name")                                                                               \
    XX(BASE_URL, "base_url")                                                                       \
    XX(PROTOCOL, "protocol")                                                                       \
    XX(API_KEY, "api_key")                                                                         \
    XX(API_KEYS, "api_keys")                                                                       \
    XX(KEY_ENV, "key_env")                                                                         \
    XX(DISPLAY_NAME, "display_name")                                                               \
    XX(MODEL_NAME, "model_name")                                                                   \
    XX(EXTRA_BODY, "extra_body")                                                                   \
    XX(KIND, "kind")                                                                               \
    XX(CONTEXT, "context")                                                                         \
    XX(MAX_OUTPUT, "max_output")                                                                   \
    XX(NATIVE_PATHS, "native_paths")                                                               \
    XX(HEADERS, "headers")                                                                         \
    XX(POSITION, "position")                                                                       \
    XX(TARGET, "target")                                                                           \
    XX(PICK, "pick")                                                                               \
    XX(STICKY, "sticky")                                                                           \
    XX(ON_EXHAUSTED, "on_exhausted")                                                               \
    XX(ATTEMPTS, "attempts")                                                                       \
    XX(DEADLINE, "deadline")                                                                       \
    XX(TARGETS, "targets")

enum lm_diff {
#define LM_DIFF_ENUM(name, word) LM_DIFF_##name,
    LM_DIFF_MAP(LM_DIFF_ENUM)
#undef LM_DIFF_ENUM
        LM_DIFF_COUNT
};
#define LM_DIFF_BIT(name) (1U << LM_DIFF_##name)

static inline unsigned lm_bit_if(bool differs, enum lm_diff diff)
{
    return differs ? 1U << diff : 0;
}

struct lm_model_row {
    int64_t id;
    struct lb_str model_name;
    struct lb_str display_name;
    struct lb_str extra_body;
    llmgr_model_kind kind;
    uint32_t context_tokens; /* 0: not known; also below */
    uint32_t max_output_tokens;
    int64_t position;
    size_t rank;  /* place among its siblings */
    bool is_made; /* by calls: it is not the file's */
    bool is_matched;
    struct lm_model_row *same_name; /* next of its platform with this model_name */
};

struct lm_model_entry {
    struct lb_str model_name;
    struct lb_str display_name;
    struct lb_str extra_body; /* compact; empty: none */
    llmgr_model_kind kind;
    uint32_t context_tokens;
    uint32_t max_output_tokens;
    unsigned line;
    struct lm_model_row *row; /* NULL: new */
    unsigned diff;            /* bits of enum lm_diff that people are told of */
    bool is_shifted;          /* its number in the order changed, if only by its neighbours */
};

struct lm_sync_row {
    int64_t id;
    struct lb_str name;
    struct lb_str base_url;
    struct lb_str protocol;
    struct lb_str key_env;
    struct lb_str native_paths;
    struct lb_str headers;
    struct lb_str fixed_headers;   /* names */
    struct lb_str missing_headers; /* names and variables */
    struct lb_str header_values;   /* sealed lines */
    struct lb_str normal;          /* base_url as it is compared; empty: none */
    int64_t position;
    size_t rank;
    bool is_made; /* by calls: it is not the file's */
    bool is_matched;
    struct lm_model_row *models;
    size_t model_count;
};

struct lm_sync_entry {
    struct lb_str name;
    struct lb_str base_url; /* empty: a variable in it is missing */
    struct lb_str normal;
    char origin[LH_ORIGIN_SIZE];
    struct lb_str protocol;
    struct lm_pool_item *keys; /* those that are there or wait for a variable */
    size_t key_count;
    struct lb_str key_env;      /* variables of all of them */
    struct lb_str missing_keys; /* those that keys of a pool wait for */
    struct lb_str native_paths;
    struct lb_str headers;
    const struct lm_default_header *fixed; /* borrowed from the defaults; none without an address */
    size_t fixed_count;
    struct lb_str fixed_headers;   /* names of those with a value */
    struct lb_str missing_headers; /* the others: "x-org {ORG}" */
    unsigned line;
    struct lm_model_entry *models;
    size_t model_count;
    struct lm_sync_row *row; /* NULL: new */
    unsigned diff;
    bool is_shifted;
};

struct lm_alias_row {
    struct lb_str name;
    struct lb_str target;
    bool is_matched;
};

struct lm_alias_entry {
    struct lb_str name;
    struct lb_str target;
    struct lm_alias_row *row; /* NULL: new */
};

struct lm_route_row {
    struct lm_route route;
    bool is_matched;
};

struct lm_route_entry {
    struct lm_route_spec spec; /* all of it is given */
    const struct lm_route_target *targets;
    unsigned line;
    struct lm_route_row *row; /* NULL: new */
    unsigned diff;
};

enum { LM_SYNC_DIGEST_SIZE = 65 }; /* 64 hex digits and a NUL */
#define LM_SYNC_DIGEST_NAME "sync.digest"

struct lm_sync_plan {
    struct lm_manager *manager;
    struct lm_sync_entry *entries;
    size_t entry_count;
    struct lm_sync_row *rows;
    size_t row_count;
    struct lm_alias_entry *aliases;
    size_t alias_count;
    struct lm_alias_row *alias_rows;
    size_t alias_row_count;
    struct lm_route_entry *routes;
    size_t route_count;
    struct lm_route_row *route_rows;
    size_t route_row_count;
    int64_t *ids;                     /* of the entries' rows; 0: there is none yet */
    const char *file;                 /* for errors */
    bool has_platforms;               /* else the database's stay as they are */
    char digest[LM_SYNC_DIGEST_SIZE]; /* of the entries */
    bool is_needed;                   /* the database differs from the entries */
};

/* Checks the defaults and fills the plan's entries and digest; in `arena`. ERR_CONFIG. */
LLMGR_MUST_CHECK llmgr_status lm_sync_entries(struct lm_sync_plan *plan,
                                              const struct lm_defaults *defaults,
                                              struct lb_arena *arena, struct llmgr_error *err);
/*
 * Once platforms are matched: does an entry want a name or an address that a platform has which
 * calls made, and may the system platforms be so many? ERR_CONFIG.
 */
LLMGR_MUST_CHECK llmgr_status lm_sync_judge_made(const struct lm_sync_plan *plan,
                                                 struct llmgr_error *err);
/* A model of the file is displayed as one that calls put into the same platform. */
llmgr_status lm_sync_fail_model(const struct lm_sync_plan *plan, const struct lm_model_entry *entry,
                                const struct lm_model_row *made, struct llmgr_error *err);
/* Is it the file's, and the file has it no longer? */
static inline bool lm_row_is_gone(const struct lm_sync_row *row)
{
    return !row->is_made && !row->is_matched;
}
static inline bool lm_model_is_gone(const struct lm_model_row *row)
{
    return !row->is_made && !row->is_matched;
}
/* Reads the rows into `arena` and fills the rest. May be repeated with a new transaction. */
LLMGR_MUST_CHECK llmgr_status lm_sync_compare(struct lm_sync_plan *plan, struct ls_tx *tx,
                                              struct lb_arena *arena, struct llmgr_error *err);
/*
 * Does `wanted` differ from the record that is sealed for this column of the entry's row? At the
 * entry's address: after a move it does not open, and differs.
 */
LLMGR_MUST_CHECK llmgr_status lm_sync_compare_sealed(const struct lm_sync_plan *plan,
                                                     struct ls_tx *tx,
                                                     const struct lm_sync_entry *entry,
                                                     enum lk_key_column column,
                                                     struct lb_str wanted, struct lb_str record,
                                                     bool *differs, struct llmgr_error *err);
/* The lines of an entry's header fields, into a secret buffer; ERR_NO_MEMORY. */
LLMGR_MUST_CHECK llmgr_status lm_sync_header_lines(const struct lm_sync_entry *entry,
                                                   struct lb_buf *lines, struct llmgr_error *err);
/* The digest that the last sync left; empty if there was none. */
LLMGR_MUST_CHECK llmgr_status lm_sync_digest(struct ls_tx *tx, char digest[LM_SYNC_DIGEST_SIZE],
                                             struct llmgr_error *err);

#endif
