/* SPDX-License-Identifier: MIT */
/* Which alias a name asks for, and the list of those that a user has. */
#include "resolve/alias.h"

#include <stdlib.h>

#include "base/error.h"
#include "manager/handle.h"
#include "resolve/scene.h"

/* ---- Asking ---------------------------------------------------------------------------------- */

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

/* ---- The list -------------------------------------------------------------------------------- */

static bool show(struct lb_arena *arena, struct lm_alias alias, bool is_sys,
                 struct llmgr_alias *item)
{
    *item = (struct llmgr_alias){.name = lr_keep_text(arena, alias.name),
                                 .target = lr_keep_text(arena, alias.target),
                                 .is_sys = is_sys};
    return item->name != NULL && item->target != NULL;
}

static int compare(const void *a, const void *b)
{
    const struct llmgr_alias *left = a;
    const struct llmgr_alias *right = b;

    return lb_str_cmp(lb_cstr(left->name), lb_cstr(right->name));
}

static llmgr_status list(const struct lr_scene *scene, struct lb_arena *arena,
                         struct llmgr_alias **items, size_t *count, struct llmgr_error *err)
{
    const struct lr_own_alias *own = lr_profile_aliases(scene->profile);
    size_t own_count = scene->profile->alias_count;
    uint32_t system_count;
    const struct lm_alias *system = lm_catalogue_aliases(scene->catalogue, &system_count);
    struct llmgr_alias *made = lb_arena_calloc(arena, own_count + system_count + 1, sizeof *made);
    bool kept = made != NULL;

    for (size_t i = 0; kept && i < own_count; i++)
        kept = show(arena, lr_profile_alias(scene->profile, &own[i]), false, &made[i]);
    for (size_t i = 0; kept && i < system_count; i++)
        kept = show(arena, system[i], true, &made[own_count + i]);
    if (!kept)
        return lb_fail_memory(err);
    qsort(made, own_count, sizeof *made, compare);
    *items = made;
    *count = own_count + system_count;
    return LLMGR_OK;
}

llmgr_status lr_aliases(struct lm_manager *manager, struct lb_str user, struct lb_arena *arena,
                        struct llmgr_alias **items, size_t *count, struct llmgr_error *err)
{
    char first[LM_SCRATCH_SIZE];
    struct lb_arena scratch;
    struct lr_scene scene;

    llmgr_status status = lm_keep_fresh(manager, err);
    if (status != LLMGR_OK)
        return status;
    lb_arena_init(&scratch, manager->host, first, sizeof first, LM_SCRATCH_MAX);
    status = lr_scene_open(manager, lm_effective_user(manager, user), &scratch, &scene, err);
    if (status == LLMGR_OK) {
        status = list(&scene, arena, items, count, err);
        lr_scene_close(&scene);
    }
    lb_arena_free(&scratch);
    return status;
}
