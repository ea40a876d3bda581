/* SPDX-License-Identifier: MIT */
/*
 * What is the same for whoever asks a route of the operator's is found once, when the catalogue is
 * loaded. A text that could mean several models is not decided here, for that may depend on whose
 * keys there are (resolve/choose.h).
 */
#include "manager/route_targets.h"

/* ---- Names ----------------------------------------------------------------------------------- */

static void tell_all(const struct lm_catalogue *catalogue, struct lb_str platform,
                     struct lb_str name, bool by_display, lm_named_fn tell, void *context)
{
    uint32_t unused;
    const struct lm_platform *platforms = lm_catalogue_platforms(catalogue, &unused);
    const struct lm_model *models = lm_catalogue_models(catalogue, &unused);
    size_t count;
    const uint32_t *at = by_display ? lm_catalogue_displayed(catalogue, name, &count)
                                    : lm_catalogue_named(catalogue, name, &count);

    for (size_t i = 0; i < count; i++) {
        if (lb_str_eq(platforms[models[at[i]].platform].name, platform))
            tell(context, at[i], by_display);
    }
}

void lm_catalogue_each_named(const struct lm_catalogue *catalogue, struct lb_str text,
                             lm_named_fn tell, void *context)
{
    for (size_t i = 1; i + 1 < text.size; i++) {
        if (text.p[i] != '/')
            continue;
        struct lb_str platform = lb_str_sub(text, 0, i);
        struct lb_str name = lb_str_sub(text, i + 1, text.size);
        tell_all(catalogue, platform, name, true, tell, context);
        tell_all(catalogue, platform, name, false, tell, context);
    }
}

/* ---- Targets --------------------------------------------------------------------------------- */

struct lone {
    uint32_t model; /* 1 + its index; 0: none yet */
    bool is_one_of_several;
};

static void take_lone(void *context, uint32_t model, bool by_display)
{
    struct lone *lone = context;

    (void)by_display;
    lone->is_one_of_several =
        lone->is_one_of_several || (lone->model != 0 && lone->model != model + 1);
    lone->model = model + 1;
}

void lm_route_find_targets(const struct lm_catalogue *catalogue, const struct lm_route *route)
{
    struct lm_route_target *targets = (struct lm_route_target *)(uintptr_t)route->targets;

    for (uint32_t i = 0; i < route->count; i++) {
        struct lone lone = {0};
        lm_catalogue_each_named(catalogue, targets[i].model, take_lone, &lone);
        targets[i].lone = lone.is_one_of_several ? 0 : lone.model;
    }
}

/* ---- Weights --------------------------------------------------------------------------------- */

uint32_t lm_route_target_at(const struct lm_route *route, uint64_t point)
{
    uint32_t low = 0, high = route->count != 0 ? route->count - 1 : 0;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (route->targets[middle].weight_to > point)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}
