/* SPDX-License-Identifier: MIT */
/*
 * The configuration's side of a sync: every entry is judged before anything is compared, so that a
 * mistake in the file changes nothing. Errors name file, line and platform.
 */
#include <sodium.h>

#include "base/error.h"
#include "base/map.h"
#include "config/fixed_headers.h"
#include "manager/aliases.h"
#include "manager/headers.h"
#include "manager/rules.h"
#include "manager/sync_keys.h"
#include "net/policy.h"

enum { NORMAL_URL_MAX = 2 * LH_URL_MAX };

struct checking {
    const struct lm_defaults *defaults;
    const struct lb_host *host;
    const struct ln_policy *policy;
    struct lb_arena *arena;
};

/* `inner` said what is wrong; this says where. */
static llmgr_status fail_at(const struct checking *checking, unsigned line, const char *name,
                            const struct llmgr_error *inner, struct llmgr_error *err)
{
    if (inner->status == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u: '%s': %s"),
                   checking->defaults->file != NULL ? checking->defaults->file : "llmgr.yaml", line,
                   name, inner->message);
}

/* ---- Address --------------------------------------------------------------------------------- */

static llmgr_status judge_url(const struct checking *checking, struct lm_sync_entry *entry,
                              struct llmgr_error *err)
{
    struct lh_url url;
    llmgr_status status = lm_rule_system_url(checking->policy, entry->base_url, &url, err);
    if (status != LLMGR_OK)
        return status;
    lh_url_origin(&url, entry->origin);
    struct lb_buf normal;
    lb_buf_init(&normal, checking->host, NORMAL_URL_MAX);
    lh_url_normal(&url, &normal);
    entry->normal = lb_arena_str(checking->arena, lb_buf_str(&normal));
    bool failed = normal.failed != LLMGR_OK || entry->normal.p == NULL;
    lb_buf_free(&normal);
    return failed ? lb_fail_memory(err) : LLMGR_OK;
}

/* ---- Header fields ----------------------------------------------------------------------------
 */

llmgr_status lm_sync_header_lines(const struct lm_sync_entry *entry, struct lb_buf *lines,
                                  struct llmgr_error *err)
{
    for (size_t i = 0; i < entry->fixed_count; i++) {
        const struct lm_default_header *header = &entry->fixed[i];
        if (header->value != NULL)
            lc_fixed_add(lines, lb_cstr(header->name), lb_str_trim(lb_cstr(header->value)));
    }
    if (lines->failed == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    if (lines->failed != LLMGR_OK || lines->size > LC_FIXED_SIZE_MAX)
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("the values in 'headers' have more than %d bytes in all"),
                       LC_FIXED_SIZE_MAX);
    return LLMGR_OK;
}

/* "x-title, x-org": those with a value; or "x-org {ORG}": the others. */
static llmgr_status list_headers(const struct checking *checking, struct lm_sync_entry *entry,
                                 bool missing, struct lb_str *list, struct llmgr_error *err)
{
    const char *text = NULL;

    for (size_t i = 0; i < entry->fixed_count; i++) {
        const struct lm_default_header *header = &entry->fixed[i];
        if ((header->value == NULL) != missing)
            continue;
        text = missing ? lb_arena_printf(checking->arena, "%s%s%s {%s}", text != NULL ? text : "",
                                         text != NULL ? ", " : "", header->name,
                                         header->env != NULL ? header->env : "")
                       : lb_arena_printf(checking->arena, "%s%s%s", text != NULL ? text : "",
                                         text != NULL ? ", " : "", header->name);
        if (text == NULL)
            return lb_fail_memory(err);
    }
    *list = lb_cstr(text);
    return LLMGR_OK;
}

/* The values as the environment filled them. Without an address there is nothing to bind them to.
 */
static llmgr_status judge_headers(const struct checking *checking,
                                  const struct lm_default_platform *from, struct lm_sync_entry *to,
                                  struct llmgr_error *err)
{
    struct lb_buf lines;
    llmgr_status status = LLMGR_OK;

    if (to->base_url.size == 0)
        return LLMGR_OK;
    to->fixed = from->fixed;
    to->fixed_count = from->fixed_count;
    for (size_t i = 0; i < to->fixed_count && status == LLMGR_OK; i++) {
        if (to->fixed[i].value != NULL)
            status = lm_rule_header(lb_cstr(to->fixed[i].name),
                                    lb_str_trim(lb_cstr(to->fixed[i].value)), err);
    }
    lb_buf_init_secret(&lines, checking->host, LC_FIXED_SIZE_MAX);
    if (status == LLMGR_OK)
        status = lm_sync_header_lines(to, &lines, err);
    lb_buf_free(&lines);
    if (status == LLMGR_OK)
        status = list_headers(checking, to, false, &to->fixed_headers, err);
    if (status == LLMGR_OK)
        status = list_headers(checking, to, true, &to->missing_headers, err);
    return status;
}

/* ---- Models ---------------------------------------------------------------------------------- */

static llmgr_status take_model(const struct checking *checking, const struct lm_default_model *from,
                               struct lm_model_entry *to, struct llmgr_error *err)
{
    to->model_name = lb_cstr(from->model_name);
    to->display_name = lb_cstr(from->display_name);
    to->kind = from->kind;
    to->context_tokens = lm_model_tokens_of(from->context_tokens);
    to->max_output_tokens = lm_model_tokens_of(from->max_output_tokens);
    to->line = from->line;
    llmgr_status status = lm_rule_name(to->display_name, LM_NAME_DISPLAY, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(to->model_name, LM_NAME_MODEL, err);
    if (status != LLMGR_OK || from->extra_body == NULL)
        return status;

    struct lb_buf extra;
    lb_buf_init(&extra, checking->host, LM_EXTRA_BODY_MAX);
    status = lm_rule_extra_body(lb_cstr(from->extra_body), &extra, err);
    if (status == LLMGR_OK && extra.size > 0) {
        to->extra_body = lb_arena_str(checking->arena, lb_buf_str(&extra));
        if (to->extra_body.p == NULL)
            status = lb_fail_memory(err);
    }
    lb_buf_free(&extra);
    return status;
}

static llmgr_status note_display(struct lb_map *seen, struct lm_model_entry *model,
                                 struct llmgr_error *err)
{
    void *old;
    if (lb_map_put(seen, model->display_name, model, &old) != LLMGR_OK)
        return lb_fail_memory(err);
    if (old != NULL)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("two models have this display name"));
    return LLMGR_OK;
}

static llmgr_status take_models(const struct checking *checking,
                                const struct lm_default_platform *from, struct lm_sync_entry *to,
                                struct llmgr_error *err)
{
    to->models = lb_arena_calloc(checking->arena, from->model_count + 1, sizeof *to->models);
    struct lb_map *seen = lb_map_new(checking->host, from->model_count + 1);
    llmgr_status status = to->models != NULL && seen != NULL ? LLMGR_OK : lb_fail_memory(err);
    for (size_t i = 0; status == LLMGR_OK && i < from->model_count; i++) {
        struct llmgr_error inner = {0};
        status = take_model(checking, &from->models[i], &to->models[i], &inner);
        if (status == LLMGR_OK)
            status = note_display(seen, &to->models[i], &inner);
        if (status != LLMGR_OK)
            status =
                fail_at(checking, from->models[i].line, from->models[i].display_name, &inner, err);
        else
            to->model_count++;
    }
    lb_map_free(seen);
    return status;
}

/* ---- Platforms ------------------------------------------------------------------------------- */

static llmgr_status take_platform(const struct checking *checking,
                                  const struct lm_default_platform *from, struct lm_sync_entry *to,
                                  struct llmgr_error *err)
{
    struct llmgr_error inner = {0};
    *to = (struct lm_sync_entry){.name = lb_cstr(from->name),
                                 .base_url = lb_cstr(from->base_url),
                                 .protocol = lb_cstr(from->protocol),
                                 .native_paths = lb_cstr(from->native_paths),
                                 .headers = lb_cstr(from->headers),
                                 .line = from->line};
    llmgr_status status = lm_rule_name(to->name, LM_NAME_PLATFORM, &inner);
    if (status == LLMGR_OK && to->base_url.size > 0)
        status = judge_url(checking, to, &inner);
    if (status == LLMGR_OK)
        status = lm_sync_keys_judge(checking->host, checking->arena, from, to, &inner);
    if (status == LLMGR_OK)
        status = judge_headers(checking, from, to, &inner);
    if (status != LLMGR_OK)
        return fail_at(checking, from->line, from->name, &inner, err);
    return take_models(checking, from, to, err);
}

/* Against all entries before `at`. */
static llmgr_status judge_unique(const struct checking *checking, const struct lm_sync_plan *plan,
                                 size_t at, struct llmgr_error *err)
{
    const struct lm_sync_entry *entry = &plan->entries[at];
    const char *file = checking->defaults->file != NULL ? checking->defaults->file : "llmgr.yaml";
    for (size_t i = 0; i < at; i++) {
        const struct lm_sync_entry *other = &plan->entries[i];
        if (lb_str_eq(entry->name, other->name))
            return lb_fail(err, LLMGR_ERR_CONFIG,
                           N_("%s:%u: the platform '%s' stands in line %u too"), file, entry->line,
                           entry->name.p, other->line);
        if (entry->normal.size > 0 && lb_str_eq(entry->normal, other->normal))
            return lb_fail(
                err, LLMGR_ERR_CONFIG,
                N_("%s:%u: '%s' has the address of '%s' (line %u); put their models under "
                   "one platform"),
                file, entry->line, entry->name.p, other->name.p, other->line);
    }
    return LLMGR_OK;
}

/* ---- Aliases --------------------------------------------------------------------------------- */

static llmgr_status take_aliases(const struct checking *checking, struct lm_sync_plan *plan,
                                 struct llmgr_error *err)
{
    const struct lm_defaults *defaults = checking->defaults;
    plan->aliases =
        lb_arena_calloc(checking->arena, defaults->alias_count + 1, sizeof *plan->aliases);
    if (plan->aliases == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < defaults->alias_count; i++) {
        const struct lm_default_alias *alias = &defaults->aliases[i];
        struct llmgr_error inner = {0};
        plan->aliases[i] =
            (struct lm_alias_entry){.name = lb_cstr(alias->name), .target = lb_cstr(alias->target)};
        if (lm_rule_alias(plan->aliases[i].name, plan->aliases[i].target, &inner) != LLMGR_OK)
            return fail_at(checking, alias->line, alias->name, &inner, err);
    }
    plan->alias_count = defaults->alias_count;
    return LLMGR_OK;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

static llmgr_status take_route(const struct checking *checking, const struct lc_route *from,
                               struct lm_route_entry *entry, struct llmgr_error *err)
{
    const bool has_attempts = from->attempts != LLMGR_UNSET;
    const bool has_deadline = from->deadline_ms != LLMGR_UNSET;
    struct lm_route_target *targets = NULL;

    entry->line = from->line;
    entry->spec = (struct lm_route_spec){
        .name = lb_cstr(from->name),
        .display_name = lb_cstr(from->display_name != NULL ? from->display_name : ""),
        .attempts = has_attempts ? from->attempts : LLMGR_ROUTE_ATTEMPTS,
        .deadline_ms = has_deadline ? from->deadline_ms : LLMGR_ROUTE_DEADLINE_MS,
        .targets = from->targets,
        .target_count = from->target_count,
    };
    llmgr_status status =
        lm_rule_words(from->pick, &entry->spec.pick, from->sticky, &entry->spec.sticky,
                      from->on_exhausted, &entry->spec.on_exhausted, err);
    if (status == LLMGR_OK)
        status = lm_rule_route(&entry->spec, checking->arena, &targets, err);
    entry->targets = targets;
    return status;
}

static llmgr_status take_routes(const struct checking *checking, struct lm_sync_plan *plan,
                                struct llmgr_error *err)
{
    const struct lm_defaults *defaults = checking->defaults;
    size_t targets = 0;

    plan->routes =
        lb_arena_calloc(checking->arena, defaults->route_count + 1, sizeof *plan->routes);
    if (plan->routes == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < defaults->route_count; i++) {
        const struct lc_route *route = &defaults->routes[i];
        struct llmgr_error inner = {0};
        llmgr_status status = take_route(checking, route, &plan->routes[i], &inner);
        targets += route->target_count;
        if (status == LLMGR_OK && targets > LM_CATALOGUE_TARGETS_MAX)
            status = lb_fail(&inner, LLMGR_ERR_TOO_LARGE,
                             N_("with this one the routes have %zu targets; all together may have "
                                "%d"),
                             targets, LM_CATALOGUE_TARGETS_MAX);
        if (status != LLMGR_OK)
            return fail_at(checking, route->line, route->name, &inner, err);
    }
    plan->route_count = defaults->route_count;
    return LLMGR_OK;
}

/* ---- Digest ---------------------------------------------------------------------------------- */

static void digest_number(crypto_generichash_state *state, uint64_t value)
{
    unsigned char bytes[8];
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(value >> (8 * i));
    crypto_generichash_update(state, bytes, sizeof bytes);
}

static void digest_text(crypto_generichash_state *state, struct lb_str text)
{
    digest_number(state, text.size);
    if (text.size > 0)
        crypto_generichash_update(state, (const unsigned char *)text.p, text.size);
}

static void digest_route(crypto_generichash_state *state, const struct lm_route_entry *entry)
{
    const struct lm_route_spec *spec = &entry->spec;

    digest_text(state, LB_STR("route"));
    digest_text(state, spec->name);
    digest_text(state, spec->display_name);
    digest_number(state, (uint64_t)spec->pick);
    digest_number(state, (uint64_t)spec->sticky);
    digest_number(state, (uint64_t)spec->on_exhausted);
    digest_number(state, (uint64_t)spec->attempts);
    digest_number(state, (uint64_t)spec->deadline_ms);
    digest_number(state, spec->target_count);
    for (size_t i = 0; i < spec->target_count; i++) {
        digest_text(state, entry->targets[i].model);
        digest_number(state, entry->targets[i].weight);
        digest_number(state, (uint64_t)entry->targets[i].first_byte_ms);
    }
}

/* No key. Of a platform with one, of which nothing is said, the digest is what it was without. */
static void digest_keys(crypto_generichash_state *state, const struct lm_sync_entry *entry)
{
    const struct lm_pool_item *first = entry->keys;

    if (entry->key_count == 0 ||
        (entry->key_count == 1 && first->weight == 1 && first->account.size == 0))
        return;
    digest_text(state, LB_STR("keys"));
    digest_number(state, entry->key_count);
    for (size_t i = 0; i < entry->key_count; i++) {
        digest_text(state, entry->keys[i].key_env);
        digest_text(state, entry->keys[i].account);
        digest_number(state, entry->keys[i].weight);
    }
}

/* Names alone. A platform without has the digest that it had before there were any. */
static void digest_fixed(crypto_generichash_state *state, const struct lm_sync_entry *entry)
{
    for (size_t i = 0; i < entry->fixed_count; i++)
        digest_text(state, lb_cstr(entry->fixed[i].name));
}

/* A file that says nothing of it has the digest that it had before anything could be said. */
static void digest_model(crypto_generichash_state *state, const struct lm_model_entry *entry)
{
    digest_text(state, entry->display_name);
    digest_text(state, entry->model_name);
    digest_text(state, entry->extra_body);
    if (entry->kind != LLMGR_MODEL_UNKNOWN)
        digest_text(state, lm_model_kind_text(entry->kind));
    if (entry->context_tokens == 0 && entry->max_output_tokens == 0)
        return;
    digest_text(state, LB_STR("tokens"));
    digest_number(state, entry->context_tokens);
    digest_number(state, entry->max_output_tokens);
}

static void make_digest(struct lm_sync_plan *plan)
{
    unsigned char bytes[(LM_SYNC_DIGEST_SIZE - 1) / 2];
    crypto_generichash_state state;
    crypto_generichash_init(&state, NULL, 0, sizeof bytes);
    digest_number(&state, plan->entry_count);
    for (size_t i = 0; i < plan->entry_count; i++) {
        const struct lm_sync_entry *entry = &plan->entries[i];
        digest_text(&state, entry->name);
        digest_text(&state, entry->base_url);
        digest_text(&state, entry->protocol);
        digest_text(&state, entry->native_paths);
        digest_text(&state, entry->headers);
        digest_fixed(&state, entry);
        digest_keys(&state, entry);
        digest_number(&state, entry->model_count);
        for (size_t j = 0; j < entry->model_count; j++)
            digest_model(&state, &entry->models[j]);
    }
    /* A file without aliases and routes has the digest that it had before there were any. */
    for (size_t i = 0; i < plan->alias_count; i++) {
        digest_text(&state, plan->aliases[i].name);
        digest_text(&state, plan->aliases[i].target);
    }
    for (size_t i = 0; i < plan->route_count; i++)
        digest_route(&state, &plan->routes[i]);
    crypto_generichash_final(&state, bytes, sizeof bytes);
    sodium_bin2hex(plan->digest, sizeof plan->digest, bytes, sizeof bytes);
}

llmgr_status lm_sync_entries(struct lm_sync_plan *plan, const struct lm_defaults *defaults,
                             struct lb_arena *arena, struct llmgr_error *err)
{
    const struct checking checking = {.defaults = defaults,
                                      .host = lm_host(plan->manager),
                                      .policy = lm_options(plan->manager)->policy,
                                      .arena = arena};
    plan->entries = lb_arena_calloc(arena, defaults->count + 1, sizeof *plan->entries);
    plan->ids = lb_arena_calloc(arena, defaults->count + 1, sizeof *plan->ids);
    if (plan->entries == NULL || plan->ids == NULL)
        return lb_fail_memory(err);
    plan->entry_count = defaults->count;
    for (size_t i = 0; i < defaults->count; i++) {
        llmgr_status status =
            take_platform(&checking, &defaults->platforms[i], &plan->entries[i], err);
        if (status == LLMGR_OK)
            status = judge_unique(&checking, plan, i, err);
        if (status != LLMGR_OK)
            return status;
    }
    plan->has_platforms = defaults->has_platforms;
    plan->file = defaults->file != NULL ? defaults->file : "llmgr.yaml";
    llmgr_status status = take_aliases(&checking, plan, err);
    if (status == LLMGR_OK)
        status = take_routes(&checking, plan, err);
    if (status == LLMGR_OK)
        make_digest(plan);
    return status;
}
