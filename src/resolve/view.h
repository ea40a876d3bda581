/* SPDX-License-Identifier: MIT */
/* The inside of a view, for resolve.c, which keeps one per shard under a lock. */
#ifndef LR_VIEW_H
#define LR_VIEW_H

#include <stdint.h>

#include "manager/handle.h"
#include "resolve/cache.h"
#include "resolve/choose.h"
#include "resolve/profile.h"
#include "resolve/resolve.h"

struct lr_view {
    struct lm_manager *manager;
    struct lr_cache *cache;
    struct lm_catalogue *catalogue; /* held */
    uint64_t sequence;              /* of lm_changes: changes up to here are taken in */
    struct lr_profile *oversized;   /* the last profile that was too large for the cache */
    uint64_t hinted;                /* of the user of the last hint */
    bool drop_all;                  /* while catching up */
};

/* What there is for this user, borrowed from the view; false if the profile is not in memory. */
bool lr_view_scene(const struct lr_view *view, uint64_t hash, struct lb_str user,
                   struct lr_scene *scene);
/* Answers from memory; MISS if the profile is not there or needs a repair. Refreshed before. */
LLMGR_MUST_CHECK llmgr_status lr_view_answer(struct lr_view *view, uint64_t hash,
                                             struct lb_str user, const struct lr_request *request,
                                             struct lb_arena *arena, struct lr_target *target,
                                             enum lr_view_result *result, struct llmgr_error *err);
/* Keeps a copy of a profile, unless the user changed since it was read. */
void lr_view_keep(struct lr_view *view, const struct lr_profile *profile);

#endif
