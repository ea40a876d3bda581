/* SPDX-License-Identifier: MIT */
/*
 * A call that names a route, or a model whose platform has several keys: from one target to the
 * next, until one answers, none is left, or an answer has begun to reach the caller. What is chosen
 * and what a failure means is decided by routing/, as for the gateway (gateway/walk.h); here it
 * gets targets, keys, time and the process's cells.
 *
 * The route is taken as it is when the call begins, each target as it is when its turn comes. One
 * budget of attempts and one deadline to the first byte hold for the call, one payer for all
 * attempts. What is gone meanwhile is asked as it was resolved.
 */
#ifndef LI_WALK_H
#define LI_WALK_H

#include "base/arena.h"
#include "llm/attempt.h"
#include "resolve/resolve.h"

struct lo_budget;
struct lo_health;

/* What a process's calls share; borrowed. */
struct li_shared {
    struct lm_manager *manager;
    struct lo_health *health;
    struct lo_budget *budget;
};

/* The memory of one LLM's walks, one after another: what they found lies in it until the next. */
struct li_room {
    struct lb_arena kept;     /* of a walk */
    struct lb_arena looks[2]; /* of the target that is looked at, and of the one asked last */
};

void li_room_init(struct li_room *room, const struct lb_host *host);
void li_room_free(struct li_room *room);

struct li_asked {
    const struct lr_target *target; /* what was resolved: says which route or pool */
    const struct llmgr_request *request;
    const struct li_limits *limits;
    llmgr_chunk_fn on_chunk;
    void *context;
    bool is_stream;
    struct li_record *record; /* begun */
    struct li_room *room;
    struct lr_target *answered; /* filled: who answered, or was asked last; if any */
};

/* Is there more than one candidate, as far as is known? If not, a plain call does all of it. */
static inline bool li_walks(const struct lr_target *target)
{
    return target->route_id != 0 || target->key_count > 1;
}

/*
 * Errors of attempts: that of the first, unless the last has shown that the request itself is at
 * fault, and who was asked; ERR_UPSTREAM if none may be asked now; what is missing if no target has
 * a model and a key. err->retry_after_ms then says when one may be asked again, if that is known.
 */
LLMGR_MUST_CHECK llmgr_status li_walk(struct li_call *call, const struct li_shared *shared,
                                      const struct li_asked *asked, struct llmgr_answer *answer,
                                      struct llmgr_error *err);

/*
 * The candidate of the moment: *target (resolved, and one of several) is replaced by the first of
 * its route or pool that no cell of this process speaks against, with the same payer, in `arena`;
 * it stays as it is if there is none.
 */
void li_walk_best(const struct li_shared *shared, struct lb_arena *arena, struct lr_target *target);

#endif
