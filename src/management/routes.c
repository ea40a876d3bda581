/* SPDX-License-Identifier: MIT */
/*
 * /api/routes: named lists of models. A user's own are nobody else's; the operator's are seen by
 * everybody, and made and changed by an administrator, save those of the configuration file.
 */
#include "documents/write.h"
#include "library/library.h"
#include "management/operation.h"
#include "management/operations.h"
#include "manager/manager.h"
#include "manager/routes.h"

static int64_t id_at(const void *items, size_t i)
{
    return ((const struct llmgr_route *)items)[i].route_id;
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_route_list routes;
    struct lp_range range;

    llmgr_status status = la_routes(api->manager, api->user, lp_api_allowed(api), &routes, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_range(api, routes.items, routes.count, id_at, &range, err);
    if (status == LLMGR_OK)
        status = lp_api_page(
            api, lx_list_route(NULL, routes.items + range.from, range.to - range.from), err);
    llmgr_route_list_clear(&routes);
    return status;
}

/* The route as it is now. */
static llmgr_status show(struct lp_api *api, int64_t id, struct llmgr_error *err)
{
    struct llmgr_route_list routes;

    llmgr_status status = la_routes(api->manager, api->user, lp_api_allowed(api), &routes, err);
    if (status != LLMGR_OK)
        return status;
    status = lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no route %lld"), (long long)id);
    for (size_t i = 0; i < routes.count; i++) {
        if (routes.items[i].route_id == id)
            status = lp_api_answer(api, lx_json_route(&routes.items[i]), err);
    }
    llmgr_route_list_clear(&routes);
    return status;
}

static llmgr_status get(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

/* ---- What was sent --------------------------------------------------------------------------- */

static int64_t number(const json_t *object, const char *member, int64_t absent)
{
    const json_t *value = json_object_get(object, member);

    return value != NULL ? (int64_t)json_integer_value(value) : absent;
}

/* The texts stay the body's; *made is the caller's to free, and NULL if no targets are given. */
static llmgr_status take_targets(const struct lp_api *api, struct llmgr_route_target **made,
                                 struct lm_route_spec *spec, struct llmgr_error *err)
{
    const json_t *given = json_object_get(api->body, "targets");
    size_t count = json_array_size(given);

    *made = NULL;
    if (given == NULL)
        return LLMGR_OK;
    *made = lb_calloc(api->call->arena->host, count + 1, sizeof **made);
    if (*made == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < count; i++) {
        const json_t *item = json_array_get(given, i);
        (*made)[i] = (struct llmgr_route_target){
            .model = json_string_value(json_object_get(item, "model")),
            .weight = number(item, "weight", 1),
            .first_byte_timeout_ms = number(item, "first_byte_timeout_ms", 0),
        };
    }
    spec->targets = *made;
    spec->target_count = count;
    return LLMGR_OK;
}

static llmgr_status take_spec(const struct lp_api *api, struct llmgr_route_target **targets,
                              struct lm_route_spec *spec, struct llmgr_error *err)
{
    *spec = (struct lm_route_spec){
        .name = lb_cstr(lp_api_text(api, "name")),
        .display_name = lb_cstr(lp_api_text(api, "display_name")),
        .pick = LLMGR_UNSET,
        .sticky = LLMGR_UNSET,
        .on_exhausted = LLMGR_UNSET,
        .attempts = number(api->body, "attempts", LLMGR_UNSET),
        .deadline_ms = number(api->body, "deadline_ms", LLMGR_UNSET),
    };
    *targets = NULL;
    llmgr_status status =
        lm_rule_words(lp_api_text(api, "pick"), &spec->pick, lp_api_text(api, "sticky"),
                      &spec->sticky, lp_api_text(api, "on_exhausted"), &spec->on_exhausted, err);
    return status == LLMGR_OK ? take_targets(api, targets, spec, err) : status;
}

/* ---- Changes --------------------------------------------------------------------------------- */

static llmgr_status add(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_route_target *targets;
    struct lm_route_spec spec;
    bool is_sys = false;
    int64_t id;

    lp_api_flag(api, "is_sys", &is_sys);
    llmgr_status status = take_spec(api, &targets, &spec, err);
    if (status == LLMGR_OK)
        status = lm_route_add(api->core, lp_api_actor(api), is_sys, &spec, &id, err);
    lb_free(api->call->arena->host, targets);
    if (status != LLMGR_OK)
        return status;
    api->location = lb_arena_printf(api->call->arena, "/api/routes/%lld", (long long)id);
    return show(api, id, err);
}

static llmgr_status change(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_route_target *targets = NULL;
    struct lm_route_spec spec;
    int64_t id;
    bool hide;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = take_spec(api, &targets, &spec, err);
    if (status == LLMGR_OK)
        status = lm_route_change(api->core, lp_api_actor(api), id, &spec,
                                 lp_api_flag(api, "route_hide", &hide), err);
    lb_free(api->call->arena->host, targets);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

static llmgr_status drop(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = lm_route_delete(api->core, lp_api_actor(api), id, err);
    return status;
}

LP_API_HANDLER(routes_list, list)
LP_API_HANDLER(routes_add, add)
LP_API_HANDLER(routes_get, get)
LP_API_HANDLER(routes_change, change)
LP_API_HANDLER(routes_delete, drop)
