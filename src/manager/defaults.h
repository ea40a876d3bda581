/* SPDX-License-Identifier: MIT */
/*
 * The administrator's platforms as lm_sync wants them: what stands under `platforms` in the
 * configuration file with its {NAME} placeholders filled from an environment, so that neither the
 * file nor the environment is needed afterwards. Immutable once made.
 */
#ifndef LM_DEFAULTS_H
#define LM_DEFAULTS_H

#include "base/host.h"
#include "config/file.h"
#include "llmgr.h"

struct lm_default_model {
    const char *display_name;
    const char *model_name;
    const char *extra_body; /* JSON object; NULL: none */
    llmgr_model_kind kind;
    int64_t context_tokens; /* 0: not known; also below */
    int64_t max_output_tokens;
    struct lc_price *prices; /* not the manager's: who sets prices takes them over */
    size_t price_count;
    unsigned line;
};

/* A header field with a value of its own. */
struct lm_default_header {
    const char *name;  /* in lower case */
    const char *value; /* may be secret; NULL: a variable in it is missing */
    const char *env;   /* variables the value comes from, ", " between; NULL: none */
};

/* One of the server's keys. */
struct lm_default_key {
    const char *value;   /* secret; NULL: a variable in it is missing */
    const char *env;     /* variables it comes from, ", " between; NULL: none */
    const char *account; /* label; NULL: none */
    int64_t weight;
};

struct lm_default_platform {
    const char *name;
    const char *base_url; /* NULL: a variable in it is missing */
    const char *protocol;
    const char *native_paths; /* "POST /a, GET /b/{id}"; NULL: none */
    const char *headers;      /* "user-agent, x-title"; NULL: none */
    struct lm_default_header *fixed;
    size_t fixed_count;
    struct lm_default_key *keys; /* in order */
    size_t key_count;
    struct lm_default_model *models;
    size_t model_count;
    unsigned line;
};

struct lm_default_alias {
    const char *name;
    const char *target;
    unsigned line;
};

struct lm_defaults {
    const char *file; /* its name, for errors */
    bool has_platforms;
    struct lm_default_platform *platforms;
    size_t count;
    bool has_aliases;
    struct lm_default_alias *aliases;
    size_t alias_count;
    bool has_routes;
    struct lc_route *routes;
    size_t route_count;
    struct lc_pool pool; /* owns the texts; wiped */
};

/* Does the file say anything that is synchronised? */
static inline bool lm_defaults_say_anything(const struct lm_defaults *defaults)
{
    return defaults->has_platforms || defaults->has_aliases || defaults->has_routes;
}

/* `env` may be NULL: an empty environment. Errors: ERR_NO_MEMORY, ERR_CONFIG (a text too long). */
LLMGR_MUST_CHECK llmgr_status lm_defaults_new(const struct lb_host *host,
                                              const struct lc_file *file, llmgr_env_fn env,
                                              void *env_context, struct lm_defaults **defaults,
                                              struct llmgr_error *err);
void lm_defaults_free(struct lm_defaults *defaults); /* NULL is fine */

#endif
