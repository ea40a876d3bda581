/* SPDX-License-Identifier: MIT */
/* Routes for a host. The rules are the manager's; who is told what is there is the resolver. */
#include "library/library.h"

#include "manager/manager.h"
#include "manager/routes.h"
#include "resolve/route.h"

void llmgr_route_spec_init(struct llmgr_route_spec *spec)
{
    *spec = (struct llmgr_route_spec){
        .size = sizeof *spec,
        .pick = LLMGR_UNSET,
        .sticky = LLMGR_UNSET,
        .on_exhausted = LLMGR_UNSET,
        .attempts = LLMGR_UNSET,
        .deadline_ms = LLMGR_UNSET,
    };
}

static llmgr_status check_spec(const struct llmgr_route_spec *spec, struct llmgr_error *err)
{
    if (spec == NULL || spec->size < sizeof *spec)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the route was not made by %s"),
                       "llmgr_route_spec_init");
    return LLMGR_OK;
}

static struct lm_route_spec spec_of(const struct llmgr_route_spec *spec)
{
    return (struct lm_route_spec){
        .name = lb_cstr(spec->name),
        .display_name = lb_cstr(spec->display_name),
        .pick = spec->pick,
        .sticky = spec->sticky,
        .on_exhausted = spec->on_exhausted,
        .attempts = spec->attempts,
        .deadline_ms = spec->deadline_ms,
        .targets = spec->targets,
        .target_count = spec->target_count,
    };
}

llmgr_status llmgr_routes(struct llmgr *manager, const char *user, struct llmgr_route_list *list,
                          struct llmgr_error *err)
{
    return la_routes(manager, user, NULL, list, err);
}

llmgr_status la_routes(struct llmgr *manager, const char *user, const struct lr_allowed *allowed,
                       struct llmgr_route_list *list, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_route_list made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lr_routes(manager->manager, la_user(user), allowed, &result->arena,
                                    &made.items, &made.count, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = made;
    return LLMGR_OK;
}

static llmgr_status route_by_id(struct llmgr *manager, const char *user, int64_t id,
                                struct llmgr_route *route, struct llmgr_error *err)
{
    struct llmgr_route_list list;

    llmgr_status status = llmgr_routes(manager, user, &list, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].route_id == id) {
            *route = list.items[i];
            route->memory = list.memory;
            return LLMGR_OK;
        }
    }
    llmgr_route_list_clear(&list);
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no route %lld"), (long long)id);
}

llmgr_status llmgr_route_add(struct llmgr *manager, const char *user,
                             const struct llmgr_route_spec *spec, struct llmgr_route *route,
                             struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = check_spec(spec, err);
    if (status != LLMGR_OK)
        return status;
    const struct lm_route_spec wanted = spec_of(spec);
    status = lm_route_add(manager->manager, lm_actor_of(manager->manager, la_user(user)),
                          spec->is_sys, &wanted, &id, err);
    return status == LLMGR_OK && route != NULL ? route_by_id(manager, user, id, route, err)
                                               : status;
}

llmgr_status llmgr_route_update(struct llmgr *manager, const char *user, int64_t route_id,
                                const struct llmgr_route_spec *spec, struct llmgr_error *err)
{
    llmgr_status status = check_spec(spec, err);
    if (status != LLMGR_OK)
        return status;
    const struct lm_route_spec wanted = spec_of(spec);
    return lm_route_change(manager->manager, lm_actor_of(manager->manager, la_user(user)), route_id,
                           &wanted, NULL, err);
}

llmgr_status llmgr_route_delete(struct llmgr *manager, const char *user, int64_t route_id,
                                struct llmgr_error *err)
{
    return lm_route_delete(manager->manager, lm_actor_of(manager->manager, la_user(user)), route_id,
                           err);
}

llmgr_status llmgr_route_hide(struct llmgr *manager, const char *user, int64_t route_id, bool hide,
                              struct llmgr_error *err)
{
    return lm_route_change(manager->manager, lm_actor_of(manager->manager, la_user(user)), route_id,
                           NULL, &hide, err);
}
