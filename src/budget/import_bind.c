/* SPDX-License-Identifier: MIT */
/* Platforms and the providers that they are. See the header. */
#include "budget/import_bind.h"

#include "base/error.h"

static const struct {
    const char *host;
    const char *names[2]; /* in LiteLLM's catalogue, and in models.dev's */
} PROVIDERS[] = {
#define LQ_PROVIDER(host, litellm, models_dev) {host, {litellm, models_dev}},
#include "budget/providers.def"
};

enum { PROVIDER_COUNT = sizeof PROVIDERS / sizeof *PROVIDERS, SHOWN_MAX = 64 };

/* "https://api.deepseek.com:443" without scheme and port. */
static struct lb_str host_of(struct lb_str origin)
{
    size_t slash = lb_str_find(origin, '/');
    struct lb_str host = lb_str_sub(origin, slash + 2, origin.size);

    return lb_str_sub(host, 0, lb_str_find(host, ':'));
}

/* What the form's catalogue calls the platform's provider; empty: that is not known. */
static struct lb_str guess(const struct lm_platform *platform, lq_form form)
{
    struct lb_str host = host_of(platform->origin);

    if (form == LQ_FORM_OWN)
        return platform->name;
    for (size_t i = 0; i < PROVIDER_COUNT; i++) {
        if (lb_str_eq_nocase(host, lb_cstr(PROVIDERS[i].host)))
            return lb_cstr(PROVIDERS[i].names[form == LQ_FORM_MODELS_DEV]);
    }
    return lb_str(NULL, 0);
}

static const struct lm_platform *find_platform(const struct lm_catalogue *catalogue,
                                               struct lb_str text)
{
    const struct lm_platform *platform = lm_catalogue_platform_named(catalogue, text);
    int64_t id;

    if (platform == NULL && lb_str_to_i64(text, &id))
        platform = lm_catalogue_platform(catalogue, id);
    return platform;
}

static llmgr_status bind_said(struct lq_bindings *bindings, const struct llmgr_price_map *map,
                              struct llmgr_error *err)
{
    struct lb_str name = lb_cstr(map->platform);
    struct lb_str provider = lb_cstr(map->provider);

    if (name.size == 0 || provider.size == 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("say which platform is which provider: PLATFORM=PROVIDER"));
    const struct lm_platform *platform = find_platform(bindings->catalogue, name);
    if (platform == NULL)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no system platform '%.*s'"),
                       (int)lb_utf8_cut(name, SHOWN_MAX), name.p);
    bindings->items[bindings->count++] =
        (struct lq_binding){.platform = platform, .provider = provider, .said = true};
    return LLMGR_OK;
}

static bool is_said(const struct lq_bindings *bindings, const struct lm_platform *platform)
{
    for (size_t i = 0; i < bindings->count; i++) {
        if (bindings->items[i].said && bindings->items[i].platform == platform)
            return true;
    }
    return false;
}

llmgr_status lq_bind(const struct lm_catalogue *catalogue, lq_form form,
                     const struct llmgr_price_map *maps, size_t map_count, struct lb_arena *arena,
                     struct lq_bindings *bindings, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    uint32_t count;

    const struct lm_platform *platforms = lm_catalogue_platforms(catalogue, &count);
    *bindings = (struct lq_bindings){.catalogue = catalogue};
    bindings->items = lb_arena_calloc(arena, count + map_count + 1, sizeof *bindings->items);
    if (bindings->items == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < map_count && status == LLMGR_OK; i++)
        status = bind_said(bindings, &maps[i], err);
    for (uint32_t i = 0; i < count && status == LLMGR_OK; i++) {
        struct lb_str provider = guess(&platforms[i], form);
        if (provider.size != 0 && !is_said(bindings, &platforms[i]))
            bindings->items[bindings->count++] =
                (struct lq_binding){.platform = &platforms[i], .provider = provider};
    }
    return status;
}

bool lq_binding_has(const struct lq_bindings *bindings, const struct lq_binding *binding,
                    struct lb_str model)
{
    const struct lm_platform *platform = binding->platform;
    size_t count;

    const uint32_t *at = lm_catalogue_named(bindings->catalogue, model, &count);
    for (size_t i = 0; i < count; i++) {
        if (at[i] >= platform->first_model && at[i] - platform->first_model < platform->model_count)
            return true;
    }
    return false;
}
