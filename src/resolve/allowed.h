/* SPDX-License-Identifier: MIT */
/*
 * What of all that a user sees a caller may use: the limits of the token it came with. Lists are
 * texts, names with commas between, as they are stored and shown; none is as long as a page, so
 * they are gone through as they are. Pure.
 *
 * A model is named by its platform and display name, "platform/model name", its display name or
 * its model name. All lists count: a route's target must be of a platform and a model that may be
 * used, whatever the list of routes says.
 */
#ifndef LR_ALLOWED_H
#define LR_ALLOWED_H

#include <stdbool.h>

#include "base/str.h"

/* An empty list limits nothing. */
struct lr_allowed {
    struct lb_str platforms;
    struct lb_str models;
    struct lb_str routes;
};

/* The next name of a list, without the blanks around it; false: there are no more. */
bool lr_names_next(struct lb_str *rest, struct lb_str *name);
bool lr_names_hold(struct lb_str list, struct lb_str name);

static inline bool lr_allows_all(const struct lr_allowed *allowed)
{
    return allowed->platforms.size == 0 && allowed->models.size == 0 && allowed->routes.size == 0;
}

/* `allowed` NULL: all that is there, also below. */
bool lr_allows_platform(const struct lr_allowed *allowed, struct lb_str platform);
/* A model and its platform. */
bool lr_allows_model(const struct lr_allowed *allowed, struct lb_str platform,
                     struct lb_str display_name, struct lb_str model_name);
/* By its name alone: whether one of its targets may be used is another question. */
bool lr_allows_route(const struct lr_allowed *allowed, struct lb_str route);

#endif
