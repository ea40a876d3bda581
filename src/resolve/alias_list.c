/* SPDX-License-Identifier: MIT */
/* The aliases that a user has. */
#include <stdlib.h>

#include "base/error.h"
#include "manager/handle.h"
#include "resolve/alias.h"
#include "resolve/scene.h"

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

/* A caller who may not use what it stands for is not told of it. */
static bool leads_anywhere(const struct lr_scene *scene, struct lm_alias alias)
{
    const struct lr_request request = {.model = alias.target};
    struct lr_choice choice;

    if (scene->allowed == NULL)
        return true;
    lr_choose(scene, &request, &choice);
    return choice.platform != NULL;
}

static llmgr_status list(const struct lr_scene *scene, struct lb_arena *arena,
                         struct llmgr_alias **items, size_t *count, struct llmgr_error *err)
{
    const struct lr_own_alias *own = lr_profile_aliases(scene->profile);
    size_t own_count = 0;
    uint32_t system_count;
    const struct lm_alias *system = lm_catalogue_aliases(scene->catalogue, &system_count);
    struct llmgr_alias *made = lb_arena_calloc(
        arena, (size_t)scene->profile->alias_count + system_count + 1, sizeof *made);
    bool kept = made != NULL;

    for (size_t i = 0; kept && i < scene->profile->alias_count; i++) {
        struct lm_alias alias = lr_profile_alias(scene->profile, &own[i]);
        if (leads_anywhere(scene, alias))
            kept = show(arena, alias, false, &made[own_count++]);
    }
    size_t total = own_count;
    for (size_t i = 0; kept && i < system_count; i++) {
        if (leads_anywhere(scene, system[i]))
            kept = show(arena, system[i], true, &made[total++]);
    }
    if (!kept)
        return lb_fail_memory(err);
    qsort(made, own_count, sizeof *made, compare);
    *items = made;
    *count = total;
    return LLMGR_OK;
}

llmgr_status lr_aliases(struct lm_manager *manager, struct lb_str user,
                        const struct lr_allowed *allowed, struct lb_arena *arena,
                        struct llmgr_alias **items, size_t *count, struct llmgr_error *err)
{
    struct lr_question question;

    llmgr_status status = lr_question_begin(manager, user, &question, err);
    if (status != LLMGR_OK)
        return status;
    question.scene.allowed = allowed;
    status = list(&question.scene, arena, items, count, err);
    lr_question_end(&question);
    return status;
}
