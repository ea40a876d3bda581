/* SPDX-License-Identifier: MIT */
/* What the calls of one handle know of candidates. */
#include "library/library.h"

#include "llm/walk.h"
#include "routing/budget.h"
#include "routing/health.h"

static void free_routing(const struct lb_host *host, struct la_routing *routing)
{
    if (routing == NULL)
        return;
    lo_health_free(routing->health);
    lo_budget_free(routing->budget);
    lb_free(host, routing);
}

static struct la_routing *new_routing(const struct lb_host *host)
{
    struct la_routing *made = lb_calloc(host, 1, sizeof *made);

    if (made == NULL)
        return NULL;
    made->health = lo_health_new(host, &(struct lo_health_options){0});
    made->budget = lo_budget_new(host, 0);
    if (made->health != NULL && made->budget != NULL)
        return made;
    free_routing(host, made);
    return NULL;
}

/* Of two threads that come at once the second uses what the first has made. */
llmgr_status la_routing(struct llmgr *manager, struct la_routing **routing, struct llmgr_error *err)
{
    struct la_routing *there = atomic_load(&manager->routing);

    if (there == NULL) {
        struct la_routing *made = new_routing(&manager->host);
        if (made == NULL)
            return lb_fail_memory(err);
        if (atomic_compare_exchange_strong(&manager->routing, &there, made))
            there = made;
        else
            free_routing(&manager->host, made);
    }
    *routing = there;
    return LLMGR_OK;
}

void la_routing_free(struct llmgr *manager)
{
    free_routing(&manager->host, atomic_load(&manager->routing));
}

/* What nobody has called yet, nobody knows to be broken. */
void la_take_best(struct llmgr *manager, struct lb_arena *arena, struct lr_target *target)
{
    struct la_routing *routing = atomic_load(&manager->routing);

    if (!li_walks(target))
        return;
    if (routing == NULL &&
        (lr_target_speaks(target, LI_DIALECT) || la_routing(manager, &routing, NULL) != LLMGR_OK))
        return;
    const struct li_shared shared = {manager->manager, routing->health, routing->budget};
    li_walk_best(&shared, arena, target);
}
