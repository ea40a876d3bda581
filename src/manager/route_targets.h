/* SPDX-License-Identifier: MIT */
/* A route's targets in memory: which models their texts name, and how often each is to be met. */
#ifndef LM_ROUTE_TARGETS_H
#define LM_ROUTE_TARGETS_H

#include "manager/catalogue.h"

/* Told of the index of a system model that is named by its display name, or by its model name. */
typedef void (*lm_named_fn)(void *context, uint32_t model, bool by_display);
/*
 * Tells of each system model that "platform/name" names, perhaps twice. Names may hold slashes, so
 * each one is tried as the border.
 */
void lm_catalogue_each_named(const struct lm_catalogue *catalogue, struct lb_str text,
                             lm_named_fn tell, void *context);
/* Fills `lone` of a route's targets, while the catalogue that it belongs to is made. */
void lm_route_find_targets(const struct lm_catalogue *catalogue, const struct lm_route *route);

/* The sum of the weights of a route's targets; 0: it has none. */
static inline uint64_t lm_route_weights(const struct lm_route *route)
{
    return route->count != 0 ? route->targets[route->count - 1].weight_to : 0;
}

/* The target in whose share of the weights a number below their sum lies; of 0 targets 0. */
uint32_t lm_route_target_at(const struct lm_route *route, uint64_t point);

#endif
