/* SPDX-License-Identifier: MIT */
/*
 * Platforms, models and selections for a host: C strings in, results that own their memory out.
 * The rules are the manager's; here stands only the change of clothes.
 */
#include "library/library.h"

#include <string.h>

#include "manager/aliases.h"
#include "manager/headers.h"
#include "manager/manager.h"
#include "manager/models.h"
#include "manager/platforms.h"
#include "manager/pools.h"
#include "manager/selections.h"
#include "manager/sync.h"
#include "resolve/alias.h"
#include "resolve/resolve.h"

#define USER(manager, user) lm_effective_user((manager)->manager, la_user(user))
/* The host vouches for the user; the system user is the operator. */
#define ACTOR(manager, user) lm_actor_of((manager)->manager, la_user(user))

/* ---- Platforms ------------------------------------------------------------------------------- */

llmgr_status llmgr_platforms(struct llmgr *manager, const char *user,
                             struct llmgr_platform_list *list, struct llmgr_error *err)
{
    return la_platforms(manager, user, NULL, list, err);
}

llmgr_status la_platforms(struct llmgr *manager, const char *user, const struct lr_allowed *allowed,
                          struct llmgr_platform_list *list, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_platform_list made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lr_platforms(manager->manager, USER(manager, user), allowed,
                                       &result->arena, &made.items, &made.count, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = made;
    return LLMGR_OK;
}

static llmgr_status platform_by_id(struct llmgr *manager, const char *user, int64_t platform_id,
                                   struct llmgr_platform *platform, struct llmgr_error *err)
{
    struct llmgr_platform_list list;

    llmgr_status status = llmgr_platforms(manager, user, &list, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].platform_id == platform_id) {
            *platform = list.items[i];
            platform->memory = list.memory;
            return LLMGR_OK;
        }
    }
    llmgr_platform_list_clear(&list);
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no platform %lld"),
                   (long long)platform_id);
}

llmgr_status llmgr_platform_add(struct llmgr *manager, const char *user, const char *name,
                                const char *base_url, const char *api_key,
                                struct llmgr_platform *platform, struct llmgr_error *err)
{
    int64_t platform_id;

    llmgr_status status = lm_platform_add(manager->manager, USER(manager, user), lb_cstr(name),
                                          lb_cstr(base_url), lb_cstr(api_key), &platform_id, err);
    if (status != LLMGR_OK || platform == NULL)
        return status;
    return platform_by_id(manager, user, platform_id, platform, err);
}

void llmgr_platform_spec_init(struct llmgr_platform_spec *spec)
{
    *spec = (struct llmgr_platform_spec){.size = sizeof *spec};
}

static llmgr_status take_spec(const struct llmgr_platform_spec *spec, struct lm_platform_edit *edit,
                              struct llmgr_error *err)
{
    if (spec == NULL || spec->size < sizeof *spec)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the platform was not described by %s"),
                       "llmgr_platform_spec_init");
    *edit = (struct lm_platform_edit){.name = lb_cstr(spec->name),
                                      .base_url = lb_cstr(spec->base_url),
                                      .api_key = lb_cstr(spec->api_key),
                                      .words = {.protocol = lb_cstr(spec->protocol),
                                                .native_paths = lb_cstr(spec->native_paths),
                                                .headers = lb_cstr(spec->headers)}};
    return LLMGR_OK;
}

llmgr_status llmgr_platform_add_system(struct llmgr *manager, const char *user,
                                       const struct llmgr_platform_spec *spec,
                                       struct llmgr_platform *platform, struct llmgr_error *err)
{
    struct lm_platform_edit wanted;
    int64_t platform_id;

    llmgr_status status = take_spec(spec, &wanted, err);
    if (status == LLMGR_OK)
        status = lm_system_platform_add(manager->manager, ACTOR(manager, user), &wanted,
                                        &platform_id, err);
    if (status != LLMGR_OK || platform == NULL)
        return status;
    return platform_by_id(manager, user, platform_id, platform, err);
}

llmgr_status llmgr_platform_update(struct llmgr *manager, const char *user, int64_t platform_id,
                                   const struct llmgr_platform_spec *spec, struct llmgr_error *err)
{
    struct lm_platform_edit wanted;

    llmgr_status status = take_spec(spec, &wanted, err);
    return status == LLMGR_OK
               ? lm_platform_edit(manager->manager, ACTOR(manager, user), platform_id, &wanted, err)
               : status;
}

llmgr_status llmgr_platform_rename(struct llmgr *manager, const char *user, int64_t platform_id,
                                   const char *name, struct llmgr_error *err)
{
    return lm_platform_rename(manager->manager, ACTOR(manager, user), platform_id, lb_cstr(name),
                              err);
}

llmgr_status llmgr_platform_set_url(struct llmgr *manager, const char *user, int64_t platform_id,
                                    const char *base_url, const char *api_key,
                                    struct llmgr_error *err)
{
    return lm_platform_set_url(manager->manager, ACTOR(manager, user), platform_id,
                               lb_cstr(base_url), lb_cstr(api_key), err);
}

llmgr_status llmgr_platform_delete(struct llmgr *manager, const char *user, int64_t platform_id,
                                   struct llmgr_error *err)
{
    return lm_platform_delete(manager->manager, ACTOR(manager, user), platform_id, err);
}

llmgr_status llmgr_platform_hide(struct llmgr *manager, const char *user, int64_t platform_id,
                                 bool hide, struct llmgr_error *err)
{
    return lm_platform_hide(manager->manager, USER(manager, user), platform_id, hide, err);
}

llmgr_status llmgr_platform_ask_usage(struct llmgr *manager, const char *user, int64_t platform_id,
                                      struct llmgr_error *err)
{
    return lm_platform_ask_usage(manager->manager, ACTOR(manager, user), platform_id, err);
}

llmgr_status llmgr_platform_set_key(struct llmgr *manager, const char *user, int64_t platform_id,
                                    const char *api_key, struct llmgr_error *err)
{
    return lm_platform_set_key(manager->manager, ACTOR(manager, user), platform_id,
                               lb_cstr(api_key), err);
}

llmgr_status llmgr_platform_set_header(struct llmgr *manager, const char *user, int64_t platform_id,
                                       const char *name, const char *value, struct llmgr_error *err)
{
    return lm_platform_set_header(manager->manager, ACTOR(manager, user), platform_id,
                                  lb_cstr(name), lb_cstr(value), err);
}

/* ---- Several keys ---------------------------------------------------------------------------- */

llmgr_status llmgr_platform_keys(struct llmgr *manager, const char *user, int64_t platform_id,
                                 struct llmgr_platform_key_list *list, struct llmgr_error *err)
{
    return la_platform_keys(manager, ACTOR(manager, user), platform_id, list, err);
}

llmgr_status la_platform_keys(struct llmgr *manager, struct lm_actor actor, int64_t platform_id,
                              struct llmgr_platform_key_list *list, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_platform_key_list made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lm_pool_list(manager->manager, actor, platform_id, &result->arena,
                                       &made.items, &made.count, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = made;
    return LLMGR_OK;
}

llmgr_status llmgr_platform_add_key(struct llmgr *manager, const char *user, int64_t platform_id,
                                    const char *api_key, int64_t weight, const char *account,
                                    int64_t *position, struct llmgr_error *err)
{
    return lm_pool_add(manager->manager, ACTOR(manager, user), platform_id, lb_cstr(api_key),
                       weight != 0 ? weight : 1, lb_cstr(account), position, err);
}

llmgr_status llmgr_platform_update_key(struct llmgr *manager, const char *user, int64_t platform_id,
                                       const char *key, int64_t new_position, int64_t weight,
                                       const char *account, int64_t *position,
                                       struct llmgr_error *err)
{
    const struct lm_pool_edit edit = {.position = new_position != 0 ? &new_position : NULL,
                                      .weight = weight != 0 ? &weight : NULL,
                                      .account = lb_cstr(account)};

    return lm_pool_change(manager->manager, ACTOR(manager, user), platform_id, lb_cstr(key), &edit,
                          position, err);
}

llmgr_status llmgr_platform_delete_key(struct llmgr *manager, const char *user, int64_t platform_id,
                                       const char *key, struct llmgr_error *err)
{
    return lm_pool_delete(manager->manager, ACTOR(manager, user), platform_id, lb_cstr(key), err);
}

/* ---- Models ---------------------------------------------------------------------------------- */

llmgr_status llmgr_models(struct llmgr *manager, const char *user, struct llmgr_model_list *list,
                          struct llmgr_error *err)
{
    return la_models(manager, user, NULL, list, err);
}

llmgr_status la_models(struct llmgr *manager, const char *user, const struct lr_allowed *allowed,
                       struct llmgr_model_list *list, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_model_list made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lr_models(manager->manager, USER(manager, user), allowed, &result->arena,
                                    &made.items, &made.count, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = made;
    return LLMGR_OK;
}

static llmgr_status model_by_id(struct llmgr *manager, const char *user, int64_t model_id,
                                struct llmgr_model *model, struct llmgr_error *err)
{
    struct llmgr_model_list list;

    llmgr_status status = llmgr_models(manager, user, &list, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].model_id == model_id) {
            *model = list.items[i];
            model->memory = list.memory;
            return LLMGR_OK;
        }
    }
    llmgr_model_list_clear(&list);
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no model %lld"), (long long)model_id);
}

void llmgr_model_spec_init(struct llmgr_model_spec *spec)
{
    *spec = (struct llmgr_model_spec){.size = sizeof *spec,
                                      .kind = LLMGR_UNSET,
                                      .context_tokens = LLMGR_UNSET,
                                      .max_output_tokens = LLMGR_UNSET};
}

static llmgr_status check_model_spec(const struct llmgr_model_spec *spec, struct llmgr_error *err)
{
    if (spec == NULL || spec->size < sizeof *spec)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the model was not made by %s"),
                       "llmgr_model_spec_init");
    return LLMGR_OK;
}

static struct lm_model_spec model_spec_of(const struct llmgr_model_spec *spec)
{
    return (struct lm_model_spec){.model_name = lb_cstr(spec->model_name),
                                  .display_name = lb_cstr(spec->display_name),
                                  .extra_body = lb_cstr(spec->extra_body),
                                  .kind = spec->kind,
                                  .context_tokens = spec->context_tokens,
                                  .max_output_tokens = spec->max_output_tokens};
}

llmgr_status llmgr_model_add(struct llmgr *manager, const char *user, int64_t platform_id,
                             const struct llmgr_model_spec *spec, struct llmgr_model *model,
                             struct llmgr_error *err)
{
    int64_t model_id;

    llmgr_status status = check_model_spec(spec, err);
    if (status != LLMGR_OK)
        return status;
    const struct lm_model_spec wanted = model_spec_of(spec);
    status =
        lm_model_add(manager->manager, ACTOR(manager, user), platform_id, &wanted, &model_id, err);
    if (status != LLMGR_OK || model == NULL)
        return status;
    return model_by_id(manager, user, model_id, model, err);
}

llmgr_status llmgr_model_update(struct llmgr *manager, const char *user, int64_t model_id,
                                const struct llmgr_model_spec *spec, struct llmgr_error *err)
{
    llmgr_status status = check_model_spec(spec, err);

    if (status != LLMGR_OK)
        return status;
    if (spec->model_name != NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the name that a platform knows a model by stays; add another model"));
    const struct lm_model_spec wanted = model_spec_of(spec);
    return lm_model_update(manager->manager, ACTOR(manager, user), model_id, &wanted, err);
}

llmgr_status llmgr_model_delete(struct llmgr *manager, const char *user, int64_t model_id,
                                struct llmgr_error *err)
{
    return lm_model_delete(manager->manager, ACTOR(manager, user), model_id, err);
}

llmgr_status llmgr_model_hide(struct llmgr *manager, const char *user, int64_t model_id, bool hide,
                              struct llmgr_error *err)
{
    return lm_model_hide(manager->manager, USER(manager, user), model_id, hide, err);
}

/* ---- Selections ------------------------------------------------------------------------------ */

llmgr_status llmgr_selection_save(struct llmgr *manager, const char *user, const char *slot,
                                  int64_t platform_id, int64_t model_id, struct llmgr_error *err)
{
    return lm_selection_save(manager->manager, USER(manager, user),
                             lb_cstr(slot != NULL ? slot : LLMGR_SLOT_MAIN), platform_id, model_id,
                             err);
}

llmgr_status llmgr_selection_save_route(struct llmgr *manager, const char *user, const char *slot,
                                        const char *route, struct llmgr_error *err)
{
    return lm_selection_save_route(manager->manager, USER(manager, user),
                                   lb_cstr(slot != NULL ? slot : LLMGR_SLOT_MAIN), lb_cstr(route),
                                   err);
}

void la_selection_from(const struct lr_target *target, struct llmgr_selection *selection)
{
    *selection = (struct llmgr_selection){
        .slot = target->slot.p,
        .platform_id = target->platform_id,
        .platform = target->platform_name.p,
        .platform_is_sys = target->platform_is_sys,
        .base_url = target->base_url.p,
        .model_id = target->model_id,
        .model_display_name = target->display_name.p,
        .model_name = target->model_name.p,
        .api_key_set = target->payer != LM_PAYER_NONE,
        .is_default = target->is_default,
        .repaired = target->repaired,
        .route = target->route_id != 0 ? target->route.p : NULL,
    };
}

llmgr_status llmgr_selection_get(struct llmgr *manager, const char *user, const char *slot,
                                 struct llmgr_selection *selection, struct llmgr_error *err)
{
    return la_selection_get(manager, user, slot, NULL, selection, err);
}

llmgr_status la_selection_get(struct llmgr *manager, const char *user, const char *slot,
                              const struct lr_allowed *allowed, struct llmgr_selection *selection,
                              struct llmgr_error *err)
{
    const struct lr_request request = {
        .user = la_user(user),
        .slot = lb_cstr(slot != NULL ? slot : LLMGR_SLOT_MAIN),
        .allowed = allowed,
    };
    struct la_result *result = la_result_new(&manager->host);
    struct lr_target target = {0};

    if (result == NULL)
        return lb_fail_memory(err);
    struct llmgr_error why = {0};
    llmgr_status status = lr_resolve(manager->manager, &request, &result->arena, &target, &why);
    /* A route stays the choice, whatever of its targets is there. */
    bool is_route = status == LLMGR_ERR_NOT_FOUND && target.route_id != 0;
    if (status != LLMGR_OK && status != LLMGR_ERR_NO_KEY && !is_route) {
        la_result_free(result);
        if (err != NULL)
            *err = why;
        return status;
    }
    if (status == LLMGR_OK && allowed == NULL)
        la_take_best(manager, &result->arena, &target);
    la_selection_from(&target, selection);
    selection->memory = result;
    return LLMGR_OK;
}

llmgr_status llmgr_selection_slots(struct llmgr *manager, const char *user, char ***slots,
                                   struct llmgr_error *err)
{
    struct lb_arena arena;
    struct lb_str *names;
    size_t count;

    lb_arena_init(&arena, &manager->host, NULL, 0, 1 << 20);
    llmgr_status status =
        lm_selection_slots(manager->manager, USER(manager, user), &arena, &names, &count, err);
    char **made = NULL;
    if (status == LLMGR_OK) {
        made = lb_calloc(&manager->host, count + 1, sizeof *made);
        if (made == NULL)
            status = lb_fail_memory(err);
    }
    for (size_t i = 0; status == LLMGR_OK && i < count; i++) {
        made[i] = lb_strndup(&manager->host, names[i].p, names[i].size);
        if (made[i] == NULL)
            status = lb_fail_memory(err);
    }
    lb_arena_free(&arena);
    if (status != LLMGR_OK) {
        llmgr_selection_slots_free(manager, made);
        return status;
    }
    *slots = made;
    return LLMGR_OK;
}

void llmgr_selection_slots_free(struct llmgr *manager, char **slots)
{
    if (slots == NULL)
        return;
    for (char **slot = slots; *slot != NULL; slot++)
        lb_free(&manager->host, *slot);
    lb_free(&manager->host, slots);
}

/* ---- Aliases --------------------------------------------------------------------------------- */

llmgr_status llmgr_aliases(struct llmgr *manager, const char *user, struct llmgr_alias_list *list,
                           struct llmgr_error *err)
{
    return la_aliases(manager, user, NULL, list, err);
}

llmgr_status la_aliases(struct llmgr *manager, const char *user, const struct lr_allowed *allowed,
                        struct llmgr_alias_list *list, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_alias_list made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lr_aliases(manager->manager, USER(manager, user), allowed, &result->arena,
                                     &made.items, &made.count, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = made;
    return LLMGR_OK;
}

llmgr_status llmgr_alias_set(struct llmgr *manager, const char *user, const char *name,
                             const char *target, struct llmgr_error *err)
{
    return lm_alias_set(manager->manager, USER(manager, user), lb_cstr(name), lb_cstr(target), err);
}

llmgr_status llmgr_alias_delete(struct llmgr *manager, const char *user, const char *name,
                                struct llmgr_error *err)
{
    return lm_alias_delete(manager->manager, USER(manager, user), lb_cstr(name), err);
}
