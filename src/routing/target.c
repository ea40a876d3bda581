/* SPDX-License-Identifier: MIT */
/* From the resolver's words into those of routing. See the header. */
#include "routing/target.h"

#include "base/magic.h"

struct lo_candidate lo_candidate_of(const struct lr_target *target, uint64_t user)
{
    return (struct lo_candidate){
        .platform_id = target->platform_id,
        .model_id = target->model_id,
        .account_id = target->account_id,
        .key_id = target->key_id,
        .context_tokens = target->context_tokens,
        .user = user,
        .is_own_key = target->payer == LM_PAYER_USER,
        .is_own_model = !target->platform_is_sys,
        .is_own_platform = !target->platform_is_sys,
    };
}

static uint32_t choose(void *context, const struct lr_target *target, const struct lr_key *keys,
                       uint32_t count)
{
    struct lo_choosing *choosing = LB_CAST(struct lo_choosing, context, LO_CHOOSING_MAGIC);

    if (count == 1)
        return 0; /* lo_way_enter judges it with the candidate */
    const struct lo_candidate candidate = lo_candidate_of(target, choosing->user);
    struct lo_key *known = lb_arena_alloc(choosing->arena, count * sizeof *known);

    if (known == NULL)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        known[i] = (struct lo_key){keys[i].id, keys[i].account_id, keys[i].weight};
    return lo_walk_choose_key(choosing->walk, choosing->health, &candidate, known, count,
                              candidate.is_own_key ? LO_KEYS_IN_ORDER : LO_KEYS_BY_WEIGHT,
                              choosing->now_ms, &choosing->why);
}

struct lr_key_chooser lo_chooser(struct lo_choosing *choosing, const struct lo_way *way,
                                 struct lb_arena *arena, uint64_t user, int64_t now_ms)
{
    choosing->magic = LO_CHOOSING_MAGIC;
    choosing->walk = &way->walk;
    choosing->health = way->health;
    choosing->arena = arena;
    choosing->user = user;
    choosing->now_ms = now_ms;
    choosing->why.until_ms = 0;
    return (struct lr_key_chooser){choose, choosing};
}
