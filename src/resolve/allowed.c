/* SPDX-License-Identifier: MIT */
/* Lists of names, and what they let a caller use. See the header. */
#include "resolve/allowed.h"

bool lr_names_next(struct lb_str *rest, struct lb_str *name)
{
    if (rest->size == 0)
        return false;
    const size_t comma = lb_str_find(*rest, ',');

    *name = lb_str_trim(lb_str_sub(*rest, 0, comma));
    *rest = lb_str_sub(*rest, comma + 1, rest->size);
    return true;
}

bool lr_names_hold(struct lb_str list, struct lb_str name)
{
    struct lb_str one;

    while (lr_names_next(&list, &one)) {
        if (lb_str_eq(one, name))
            return true;
    }
    return false;
}

/* Is `name` "platform/model"? */
static bool names_both(struct lb_str name, struct lb_str platform, struct lb_str model)
{
    return name.size == platform.size + 1 + model.size && name.p[platform.size] == '/' &&
           lb_str_starts(name, platform) && lb_str_ends(name, model);
}

bool lr_allows_platform(const struct lr_allowed *allowed, struct lb_str platform)
{
    return allowed == NULL || allowed->platforms.size == 0 ||
           lr_names_hold(allowed->platforms, platform);
}

bool lr_allows_model(const struct lr_allowed *allowed, struct lb_str platform,
                     struct lb_str display_name, struct lb_str model_name)
{
    if (!lr_allows_platform(allowed, platform))
        return false;
    if (allowed == NULL || allowed->models.size == 0)
        return true;
    struct lb_str rest = allowed->models, name;
    while (lr_names_next(&rest, &name)) {
        if (lb_str_eq(name, display_name) || lb_str_eq(name, model_name) ||
            names_both(name, platform, display_name) || names_both(name, platform, model_name))
            return true;
    }
    return false;
}

bool lr_allows_route(const struct lr_allowed *allowed, struct lb_str route)
{
    return allowed == NULL || allowed->routes.size == 0 || lr_names_hold(allowed->routes, route);
}
