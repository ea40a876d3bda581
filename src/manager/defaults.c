/* SPDX-License-Identifier: MIT */
/* Fills the placeholders of the configuration's platforms, once, into memory of our own. */
#include "manager/defaults.h"

#include "base/buf.h"
#include "base/error.h"
#include "config/file.h"
#include "config/placeholder.h"

enum {
    POOL_MAX = 64 << 20, /* bytes: a file of LC_FILE_SIZE_MAX many times over */
    VALUE_MAX = 64 << 10 /* bytes of one value before its own rule judges it */
};

struct filling {
    struct lm_defaults *defaults;
    const struct lb_host *host;
    llmgr_env_fn env;
    void *env_context;
};

static const char *copy(struct lc_pool *pool, const char *text)
{
    return text != NULL ? lc_pool_str(pool, lb_cstr(text)) : NULL;
}

/* Was `text` there, but not its copy? */
static bool lost(const char *text, const char *copied)
{
    return text != NULL && copied == NULL;
}

/* *out: the filled text, or NULL if a variable is missing. */
static llmgr_status fill(const struct filling *filling, const char *text, const char **out,
                         struct llmgr_error *err)
{
    *out = NULL;
    if (text == NULL)
        return LLMGR_OK;
    bool present = false;
    struct lb_buf value;
    lb_buf_init_secret(&value, filling->host, VALUE_MAX);
    llmgr_status status = lc_substitute(lb_cstr(text), filling->env, filling->env_context, &value,
                                        &present, NULL, err);
    if (status == LLMGR_OK && present) {
        *out = lc_pool_str(&filling->defaults->pool, lb_buf_str(&value));
        if (*out == NULL)
            status = lb_fail_memory(err);
    }
    lb_buf_free(&value);
    return status;
}

static const char *no_variable(const char *name, void *context)
{
    (void)name;
    (void)context;
    return NULL;
}

/* *out: the names of all variables in `text`, present or not; NULL if there are none. */
static llmgr_status name_variables(const struct filling *filling, const char *text,
                                   const char **out, struct llmgr_error *err)
{
    *out = NULL;
    if (text == NULL)
        return LLMGR_OK;
    bool present = false;
    struct lb_buf value, names;
    lb_buf_init_secret(&value, filling->host, VALUE_MAX);
    lb_buf_init(&names, filling->host, VALUE_MAX);
    /* In an environment without variables, all of them are missing. */
    llmgr_status status =
        lc_substitute(lb_cstr(text), no_variable, NULL, &value, &present, &names, err);
    if (status == LLMGR_OK && names.size > 0) {
        *out = lc_pool_str(&filling->defaults->pool, lb_buf_str(&names));
        if (*out == NULL)
            status = lb_fail_memory(err);
    }
    lb_buf_free(&value);
    lb_buf_free(&names);
    return status;
}

static bool copy_price(struct lc_pool *pool, const struct lc_price *from, struct lc_price *to)
{
    bool kept = true;

    *to = *from;
    to->currency = copy(pool, from->currency);
    to->service_tier = copy(pool, from->service_tier);
    to->hours = copy(pool, from->hours);
    to->time_zone = copy(pool, from->time_zone);
    for (size_t i = 0; i < LLMGR_PRICE_UNIT_COUNT && kept; i++) {
        to->rates[i] = copy(pool, from->rates[i]);
        kept = !lost(from->rates[i], to->rates[i]);
    }
    return kept && !lost(from->currency, to->currency) &&
           !lost(from->service_tier, to->service_tier) && !lost(from->hours, to->hours) &&
           !lost(from->time_zone, to->time_zone);
}

static llmgr_status fill_prices(struct lc_pool *pool, const struct lc_model *from,
                                struct lm_default_model *to, struct llmgr_error *err)
{
    to->prices = lc_pool_alloc(pool, from->price_count + 1, sizeof *to->prices);
    if (to->prices == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < from->price_count; i++) {
        if (!copy_price(pool, &from->prices[i], &to->prices[i]))
            return lb_fail_memory(err);
        to->price_count++;
    }
    return LLMGR_OK;
}

static llmgr_status fill_models(const struct filling *filling, const struct lc_platform *from,
                                struct lm_default_platform *to, struct llmgr_error *err)
{
    struct lc_pool *pool = &filling->defaults->pool;
    to->models = lc_pool_alloc(pool, from->model_count + 1, sizeof *to->models);
    if (to->models == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < from->model_count; i++) {
        const struct lc_model *model = &from->models[i];
        struct lm_default_model *copied = &to->models[i];
        *copied = (struct lm_default_model){
            .display_name = copy(pool, model->display_name),
            .model_name = copy(pool, model->model_name),
            .extra_body = copy(pool, model->extra_body),
            .kind = model->kind,
            .context_tokens = model->context,
            .max_output_tokens = model->max_output,
            .line = model->line,
        };
        if (lost(model->display_name, copied->display_name) ||
            lost(model->model_name, copied->model_name) ||
            lost(model->extra_body, copied->extra_body) ||
            fill_prices(pool, model, copied, err) != LLMGR_OK)
            return lb_fail_memory(err);
        to->model_count++;
    }
    return LLMGR_OK;
}

static llmgr_status fill_keys(const struct filling *filling, const struct lc_platform *from,
                              struct lm_default_platform *to, struct llmgr_error *err)
{
    struct lc_pool *pool = &filling->defaults->pool;
    llmgr_status status = LLMGR_OK;

    to->keys = lc_pool_alloc(pool, from->key_count + 1, sizeof *to->keys);
    if (to->keys == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < from->key_count && status == LLMGR_OK; i++) {
        const struct lc_key *key = &from->keys[i];
        struct lm_default_key *filled = &to->keys[to->key_count++];
        *filled =
            (struct lm_default_key){.account = copy(pool, key->account), .weight = key->weight};
        if (lost(key->account, filled->account))
            return lb_fail_memory(err);
        status = fill(filling, key->text, &filled->value, err);
        if (status == LLMGR_OK)
            status = name_variables(filling, key->text, &filled->env, err);
    }
    return status;
}

static llmgr_status fill_headers(const struct filling *filling, const struct lc_platform *from,
                                 struct lm_default_platform *to, struct llmgr_error *err)
{
    struct lc_pool *pool = &filling->defaults->pool;
    llmgr_status status = LLMGR_OK;

    to->fixed = lc_pool_alloc(pool, from->fixed_count + 1, sizeof *to->fixed);
    if (to->fixed == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < from->fixed_count && status == LLMGR_OK; i++) {
        const struct lc_header *header = &from->fixed[i];
        struct lm_default_header *filled = &to->fixed[to->fixed_count++];
        filled->name = copy(pool, header->name);
        if (filled->name == NULL)
            return lb_fail_memory(err);
        status = fill(filling, header->value, &filled->value, err);
        if (status == LLMGR_OK)
            status = name_variables(filling, header->value, &filled->env, err);
    }
    return status;
}

static llmgr_status fill_platform(const struct filling *filling, const struct lc_platform *from,
                                  struct lm_default_platform *to, struct llmgr_error *err)
{
    struct lc_pool *pool = &filling->defaults->pool;
    to->line = from->line;
    to->name = copy(pool, from->name);
    to->protocol = copy(pool, from->protocol);
    to->native_paths = copy(pool, from->native_paths);
    to->headers = copy(pool, from->headers);
    if (lost(from->name, to->name) || lost(from->protocol, to->protocol) ||
        lost(from->native_paths, to->native_paths) || lost(from->headers, to->headers))
        return lb_fail_memory(err);
    llmgr_status status = fill(filling, from->base_url, &to->base_url, err);
    if (status == LLMGR_OK)
        status = fill_keys(filling, from, to, err);
    if (status == LLMGR_OK)
        status = fill_headers(filling, from, to, err);
    if (status == LLMGR_OK)
        status = fill_models(filling, from, to, err);
    return status;
}

static llmgr_status fill_all(const struct filling *filling, const struct lc_file *file,
                             struct llmgr_error *err)
{
    struct lm_defaults *defaults = filling->defaults;
    defaults->file = copy(&defaults->pool, file->name);
    defaults->has_platforms = file->has_platforms;
    defaults->platforms =
        lc_pool_alloc(&defaults->pool, file->platform_count + 1, sizeof *defaults->platforms);
    if (lost(file->name, defaults->file) || defaults->platforms == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < file->platform_count; i++) {
        llmgr_status status =
            fill_platform(filling, &file->platforms[i], &defaults->platforms[i], err);
        if (status != LLMGR_OK)
            return status;
        defaults->count++;
    }
    return LLMGR_OK;
}

static llmgr_status fill_aliases(const struct filling *filling, const struct lc_file *file,
                                 struct llmgr_error *err)
{
    struct lm_defaults *defaults = filling->defaults;
    struct lc_pool *pool = &defaults->pool;
    defaults->has_aliases = file->has_aliases;
    defaults->aliases = lc_pool_alloc(pool, file->alias_count + 1, sizeof *defaults->aliases);
    if (defaults->aliases == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < file->alias_count; i++) {
        struct lm_default_alias *alias = &defaults->aliases[i];
        *alias = (struct lm_default_alias){.name = copy(pool, file->aliases[i].name),
                                           .target = copy(pool, file->aliases[i].target),
                                           .line = file->aliases[i].line};
        if (alias->name == NULL || alias->target == NULL)
            return lb_fail_memory(err);
        defaults->alias_count++;
    }
    return LLMGR_OK;
}

static llmgr_status fill_targets(struct lc_pool *pool, const struct lc_route *from,
                                 struct lc_route *to, struct llmgr_error *err)
{
    to->targets = lc_pool_alloc(pool, from->target_count + 1, sizeof *to->targets);
    if (to->targets == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < from->target_count; i++) {
        to->targets[i] = from->targets[i];
        to->targets[i].model = copy(pool, from->targets[i].model);
        if (to->targets[i].model == NULL)
            return lb_fail_memory(err);
        to->target_count++;
    }
    return LLMGR_OK;
}

static llmgr_status fill_route(struct lc_pool *pool, const struct lc_route *from,
                               struct lc_route *to, struct llmgr_error *err)
{
    *to = (struct lc_route){.name = copy(pool, from->name),
                            .display_name = copy(pool, from->display_name),
                            .pick = copy(pool, from->pick),
                            .sticky = copy(pool, from->sticky),
                            .on_exhausted = copy(pool, from->on_exhausted),
                            .attempts = from->attempts,
                            .deadline_ms = from->deadline_ms,
                            .line = from->line};
    if (lost(from->name, to->name) || lost(from->display_name, to->display_name) ||
        lost(from->pick, to->pick) || lost(from->sticky, to->sticky) ||
        lost(from->on_exhausted, to->on_exhausted))
        return lb_fail_memory(err);
    return fill_targets(pool, from, to, err);
}

static llmgr_status fill_routes(const struct filling *filling, const struct lc_file *file,
                                struct llmgr_error *err)
{
    struct lm_defaults *defaults = filling->defaults;
    struct lc_pool *pool = &defaults->pool;
    llmgr_status status = LLMGR_OK;

    defaults->has_routes = file->has_routes;
    defaults->routes = lc_pool_alloc(pool, file->route_count + 1, sizeof *defaults->routes);
    if (defaults->routes == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; status == LLMGR_OK && i < file->route_count; i++) {
        status = fill_route(pool, &file->routes[i], &defaults->routes[i], err);
        defaults->route_count++;
    }
    return status;
}

llmgr_status lm_defaults_new(const struct lb_host *host, const struct lc_file *file,
                             llmgr_env_fn env, void *env_context, struct lm_defaults **defaults,
                             struct llmgr_error *err)
{
    struct lm_defaults *fresh = lb_calloc(host, 1, sizeof *fresh);
    if (fresh == NULL)
        return lb_fail_memory(err);
    lc_pool_init(&fresh->pool, host, POOL_MAX);
    const struct filling filling = {
        .defaults = fresh, .host = host, .env = env, .env_context = env_context};
    llmgr_status status = fill_all(&filling, file, err);
    if (status == LLMGR_OK)
        status = fill_aliases(&filling, file, err);
    if (status == LLMGR_OK)
        status = fill_routes(&filling, file, err);
    if (status != LLMGR_OK) {
        lm_defaults_free(fresh);
        return status;
    }
    *defaults = fresh;
    return LLMGR_OK;
}

void lm_defaults_free(struct lm_defaults *defaults)
{
    if (defaults == NULL)
        return;
    const struct lb_host *host = defaults->pool.host;
    lc_pool_free(&defaults->pool);
    lb_free(host, defaults);
}
