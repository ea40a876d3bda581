/* SPDX-License-Identifier: MIT */
/* /api/selections and /api/explain: what serves a user, and why. */
#include <stdlib.h>
#include <string.h>

#include "documents/write.h"
#include "library/explain.h"
#include "management/operation.h"
#include "management/operations.h"
#include "resolve/choose.h"

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One row per slot the user chose for, and main, by name; *data is NULL after a failure. */
static llmgr_status fill(struct lp_api *api, char *const *slots, json_t **data,
                         struct llmgr_error *err)
{
    struct lb_str after = api->query[LP_QUERY_AFTER];
    struct llmgr_selection selection;

    for (; *slots != NULL; slots++) {
        if (after.p != NULL && strcmp(*slots, after.p) <= 0)
            continue;
        if (json_array_size(*data) == api->limit) {
            api->next = lb_arena_strdup(api->call->arena, slots[-1]);
            return api->next != NULL ? LLMGR_OK : lb_fail_memory(err);
        }
        llmgr_status status =
            la_selection_get(api->manager, api->user, *slots, lp_api_allowed(api), &selection, err);
        if (status == LLMGR_ERR_NOT_FOUND && lp_api_allowed(api) != NULL)
            continue; /* nothing that this caller may use serves it */
        if (status != LLMGR_OK)
            return status;
        /* A slot that fell back says main; its row is its own. */
        selection.slot = *slots;
        *data = lx_list_selection(*data, &selection, 1);
        llmgr_selection_clear(&selection);
        if (*data == NULL)
            return lb_fail_memory(err);
    }
    return LLMGR_OK;
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    json_t *data = json_array();
    char **slots = NULL;
    size_t count = 0;

    llmgr_status status = llmgr_selection_slots(api->manager, api->user, &slots, err);
    if (status == LLMGR_OK) {
        while (slots[count] != NULL)
            count++;
        qsort(slots, count, sizeof *slots, compare);
        status = data != NULL ? fill(api, slots, &data, err) : lb_fail_memory(err);
        llmgr_selection_slots_free(api->manager, slots);
    }
    if (status == LLMGR_OK)
        return lp_api_page(api, data, err);
    json_decref(data);
    return status;
}

static llmgr_status show(struct lp_api *api, const char *slot, struct llmgr_error *err)
{
    struct llmgr_selection selection;

    llmgr_status status =
        la_selection_get(api->manager, api->user, slot, lp_api_allowed(api), &selection, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_selection(&selection), err);
    llmgr_selection_clear(&selection);
    return status;
}

static llmgr_status get(struct lp_api *api, struct llmgr_error *err)
{
    return show(api, lp_api_param(api, 0), err);
}

/* What the caller may not use is not there for it. */
static llmgr_status find_model(const struct lp_api *api, struct llmgr_error *err)
{
    const int64_t id = lp_api_number(api, "model_id");
    struct llmgr_model_list models;
    bool found = false;

    llmgr_status status = la_models(api->manager, api->user, lp_api_allowed(api), &models, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < models.count; i++)
        found = found || models.items[i].model_id == id;
    llmgr_model_list_clear(&models);
    return found ? LLMGR_OK
                 : lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no model %lld"), (long long)id);
}

static llmgr_status find_route(const struct lp_api *api, const char *name, struct llmgr_error *err)
{
    struct llmgr_route_list routes;
    bool found = false;

    llmgr_status status = la_routes(api->manager, api->user, lp_api_allowed(api), &routes, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < routes.count; i++)
        found = found || strcmp(routes.items[i].name, name) == 0;
    llmgr_route_list_clear(&routes);
    return found ? LLMGR_OK
                 : lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no route '%.*s'"),
                           (int)lb_utf8_cut(lb_cstr(name), 200), name);
}

/* A slot's name is asked for before models: it would lead the user's other tokens elsewhere. */
static llmgr_status check_usable(const struct lp_api *api, const char *slot, const char *route,
                                 struct llmgr_error *err)
{
    if (lp_api_allowed(api) == NULL)
        return LLMGR_OK;
    if (strcmp(slot, LLMGR_SLOT_MAIN) != 0 && !lr_is_usual_slot(lb_cstr(slot)))
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("a token that may not use everything chooses for main, fast and reason "
                          "only"));
    return route != NULL ? find_route(api, route, err) : find_model(api, err);
}

static llmgr_status set(struct lp_api *api, struct llmgr_error *err)
{
    const char *slot = lp_api_param(api, 0);
    const char *route = lp_api_text(api, "route");
    bool has_platform = json_object_get(api->body, "platform_id") != NULL;
    bool has_model = json_object_get(api->body, "model_id") != NULL;

    if (route != NULL ? has_platform || has_model : !has_platform || !has_model)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("give either 'platform_id' and 'model_id', or 'route'"));
    llmgr_status status = check_usable(api, slot, route, err);
    if (status != LLMGR_OK)
        return status;
    status = route != NULL ? llmgr_selection_save_route(api->manager, api->user, slot, route, err)
                           : llmgr_selection_save(api->manager, api->user, slot,
                                                  lp_api_number(api, "platform_id"),
                                                  lp_api_number(api, "model_id"), err);
    return status == LLMGR_OK ? show(api, slot, err) : status;
}

static llmgr_status explain(struct lp_api *api, struct llmgr_error *err)
{
    struct lb_str slot = api->query[LP_QUERY_SLOT];
    struct lb_str model = api->query[LP_QUERY_MODEL];
    struct llmgr_explanation explanation;

    if (slot.p != NULL && model.p != NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("give either ?slot= or ?model=, not both"));
    const struct la_explain_as as = {.health = api->call->health,
                                     .allowed = lp_caller_allowed(api->call->caller),
                                     .is_admin = api->is_admin};
    llmgr_status status =
        la_explain(api->manager, api->user, slot.p, model.p, &as, &explanation, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_explanation(&explanation), err);
    llmgr_explanation_clear(&explanation);
    return status;
}

LP_API_HANDLER(selections_list, list)
LP_API_HANDLER(selections_get, get)
LP_API_HANDLER(selections_set, set)
LP_API_HANDLER(explain, explain)
