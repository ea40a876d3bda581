/* SPDX-License-Identifier: MIT */
/*
 * llmgr.yaml: options by their keys, and under `platforms` the administrator's platforms in the
 * order people should see. Read strictly: whatever is not understood is one error with file, line,
 * column and remedy (LLMGR_ERR_CONFIG), and nothing is half read. JSON is YAML and read as well.
 *
 * Refused: unknown or repeated names, aliases and anchors, tags other than the core schema's,
 * several documents, invalid UTF-8, tabs as indentation, more than the caps below.
 */
#ifndef LC_FILE_H
#define LC_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/host.h"
#include "base/str.h"
#include "config/options.h"
#include "config/pool.h"
#include "llmgr.h"

enum {
    LC_FILE_SIZE_MAX = 4 << 20, /* bytes of the file */
    LC_FILE_DEPTH_MAX = 32,     /* nested lists and mappings */
    LC_FILE_NODES_MAX = 200000, /* YAML events */
    LC_PLATFORMS_MAX = 1000,
    LC_ALIASES_MAX = 1000,
    LC_ROUTES_MAX = 1000,
    LC_ROUTE_NAME_MAX = 64,       /* bytes, as llmgr_route_add */
    LC_MODELS_MAX = 10000,        /* of one platform */
    LC_PLATFORM_NAME_MAX = 80,    /* bytes, as llmgr_platform_add */
    LC_MODEL_NAME_MAX = 120,      /* bytes, as llmgr_model_add */
    LC_BASE_URL_MAX = 2048,       /* bytes */
    LC_API_KEY_MAX = 4096,        /* bytes */
    LC_KEYS_MAX = 200,            /* of one platform, as llmgr_platform_add_key */
    LC_EXTRA_BODY_MAX = 64 << 10, /* bytes of JSON */
    LC_NATIVE_PATHS_MAX = 4096,   /* bytes of all of a platform's */
    LC_HEADERS_MAX = 2048         /* likewise */
};

/* All texts are NUL-terminated UTF-8 and live as long as the file. */

/* What a model costs. What the file does not say is NULL or 0; whoever sets prices judges it. */
struct lc_price {
    const char *currency;
    int64_t above_tokens;
    const char *service_tier;
    const char *hours;
    const char *time_zone;
    const char *rates[LLMGR_PRICE_UNIT_COUNT]; /* decimals as they were written */
    unsigned line;
};

struct lc_model {
    const char *display_name;
    const char *model_name;
    const char *extra_body; /* a JSON object without blanks, members in the file's order; or NULL */
    llmgr_model_kind kind;
    int64_t context; /* tokens; 0: it does not say; also below */
    int64_t max_output;
    struct lc_price *prices; /* the price, and one for each of its tiers */
    size_t price_count;
    unsigned line;
};

/* A header field with a value of its own. */
struct lc_header {
    const char *name;  /* in lower case */
    const char *value; /* placeholders not yet filled in; may be secret */
};

/* One of the server's keys. */
struct lc_key {
    const char *text;    /* placeholders not yet filled in; secret if it is a literal */
    const char *account; /* label of the account at the vendor; NULL: none */
    int64_t weight;      /* the manager's rules judge it */
};

struct lc_platform {
    const char *name;
    const char *base_url;     /* placeholders not yet filled in: lc_substitute */
    const char *protocol;     /* "openai" if the file does not say */
    const char *native_paths; /* "POST /a, GET /b/{id}"; NULL: none. */
    const char *headers;      /* "user-agent, x-title"; NULL: none */
    struct lc_key *keys;      /* in order */
    size_t key_count;
    struct lc_header *fixed; /* header fields that it gets with every request */
    size_t fixed_count;
    struct lc_model *models;
    size_t model_count;
    unsigned line;
};

/* A name that clients insist on, and the name of the slot or model that it stands for. */
struct lc_alias {
    const char *name;
    const char *target;
    unsigned line;
};

/*
 * A named list of targets with a policy. What the file does not say is NULL or LLMGR_UNSET; the
 * manager's rules judge the words and bounds.
 */
struct lc_route {
    const char *name;
    const char *display_name;
    const char *pick;
    const char *sticky;
    const char *on_exhausted;
    int64_t attempts;
    int64_t deadline_ms;
    struct llmgr_route_target *targets;
    size_t target_count;
    unsigned line;
};

/* An option the file sets: one text, or the items of a list. */
struct lc_setting {
    lc_option_id id;
    bool is_list;
    const char *const *items; /* ends with NULL */
    size_t count;             /* 1 for a text */
    unsigned line;
    unsigned column;
};

struct lc_file {
    const char *name; /* as errors show it */
    struct lc_setting *settings;
    size_t setting_count;
    struct lc_platform *platforms;
    size_t platform_count;
    struct lc_alias *aliases;
    size_t alias_count;
    bool has_aliases;
    struct lc_route *routes;
    size_t route_count;
    bool has_routes;
    bool has_platforms; /* false: the file has no `platforms`, which is not an empty list */
    struct lc_pool pool;
};

/* Parses text in memory; the values of options are checked too. */
LLMGR_MUST_CHECK llmgr_status lc_file_parse(const struct lb_host *host, const char *name,
                                            struct lb_str text, struct lc_file **file,
                                            struct llmgr_error *err);
/* Reads and parses; LLMGR_ERR_NOT_FOUND if there is no such file, LLMGR_ERR_IO. */
LLMGR_MUST_CHECK llmgr_status lc_file_read(const struct lb_host *host, const char *path,
                                           struct lc_file **file, struct llmgr_error *err);
/*
 * The Python original's file, for import: the platforms themselves are the top level, each with
 * base_url, api_key and models; keys it had and we do not know are skipped.
 */
LLMGR_MUST_CHECK llmgr_status lc_file_parse_legacy(const struct lb_host *host, const char *name,
                                                   struct lb_str text, struct lc_file **file,
                                                   struct llmgr_error *err);
void lc_file_free(struct lc_file *file); /* wipes; NULL is fine */

struct lc_node;
/*
 * A platform's `api_key`, of which `text` was taken, and its `api_keys`: one of them. file_keys.c.
 */
LLMGR_MUST_CHECK llmgr_status lc_file_take_key(struct lc_file *file, const struct lc_node *node,
                                               const char *text, struct lc_platform *platform,
                                               struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lc_file_take_keys(struct lc_file *file, const struct lc_node *node,
                                                struct lc_platform *platform,
                                                struct llmgr_error *err);
/* A platform's `headers`; file_headers.c. */
LLMGR_MUST_CHECK llmgr_status lc_file_take_headers(struct lc_file *file, const struct lc_node *node,
                                                   struct lc_platform *platform,
                                                   struct llmgr_error *err);
/* A model's `price`; file_prices.c. */
LLMGR_MUST_CHECK llmgr_status lc_file_take_price(struct lc_file *file, const struct lc_node *node,
                                                 struct lc_model *model, struct llmgr_error *err);
/* What stands under `aliases`; file_aliases.c. */
LLMGR_MUST_CHECK llmgr_status lc_file_take_aliases(struct lc_file *file, const struct lc_node *node,
                                                   struct llmgr_error *err);

/* What stands under `routes`; file_routes.c. */
LLMGR_MUST_CHECK llmgr_status lc_file_take_routes(struct lc_file *file, const struct lc_node *node,
                                                  struct llmgr_error *err);

/* The commented file that `llmgr init` writes; it parses, and syncs without any variable set. */
void lc_write_default(struct lb_buf *out);

#endif
