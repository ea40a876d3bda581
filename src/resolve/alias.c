/* SPDX-License-Identifier: MIT */
/* Which alias a name asks for. */
#include "resolve/alias.h"

#include "manager/handle.h"
#include "resolve/scene.h"

/* Letters of `name` that the alias spells out; 0: it is not asked, SIZE_MAX: it is that name. */
static size_t fits(struct lb_str alias, struct lb_str name)
{
    size_t star = lb_str_find(alias, '*');

    if (star == alias.size)
        return lb_str_eq(alias, name) ? SIZE_MAX : 0;
    struct lb_str head = lb_str_sub(alias, 0, star);
    struct lb_str tail = lb_str_sub(alias, star + 1, alias.size);
    if (name.size < head.size + tail.size || !lb_str_starts(name, head) || !lb_str_ends(name, tail))
        return 0;
    return head.size + tail.size + 1; /* "*" alone spells nothing, and is asked all the same */
}

bool lr_alias_for(const struct lr_scene *scene, struct lb_str name, struct lm_alias *alias)
{
    const struct lr_own_alias *own = lr_profile_aliases(scene->profile);
    size_t best = 0;
    uint32_t count;
    const struct lm_alias *system = lm_catalogue_aliases(scene->catalogue, &count);

    for (uint32_t i = 0; i < scene->profile->alias_count; i++) {
        struct lm_alias at = lr_profile_alias(scene->profile, &own[i]);
        size_t size = fits(at.name, name);
        if (size > best) {
            best = size;
            *alias = at;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t size = fits(system[i].name, name);
        if (size > best) {
            best = size;
            *alias = system[i];
        }
    }
    return best > 0;
}
