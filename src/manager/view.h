/* SPDX-License-Identifier: MIT */
/* The inside of a view, for resolve.c, which keeps one per shard under a lock. */
#ifndef LM_VIEW_H
#define LM_VIEW_H

#include <stdint.h>

#include "manager/cache.h"
#include "manager/handle.h"
#include "manager/profile.h"
#include "manager/resolve.h"

struct lm_view {
    struct lm_manager *manager;
    struct lm_cache *cache;
    struct lm_catalogue *catalogue; /* held */
    uint64_t sequence;              /* of lm_changes: changes up to here are taken in */
    struct lm_profile *guest;       /* the last profile that was too large for the cache */
    uint64_t hinted;                /* of the user of the last hint */
    bool drop_all;                  /* while catching up */
};

/* Answers from memory; MISS if the profile is not there or needs a repair. Refreshed before. */
LLMGR_MUST_CHECK llmgr_status lm_view_answer(struct lm_view *view, uint64_t hash,
                                             struct lb_str user, const struct lm_request *request,
                                             struct lb_arena *arena, struct lm_target *target,
                                             enum lm_view_result *result, struct llmgr_error *err);
/* Keeps a copy of a profile, unless the user changed since it was read. */
void lm_view_keep(struct lm_view *view, const struct lm_profile *profile);

#endif
