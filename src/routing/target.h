/* SPDX-License-Identifier: MIT */
/* What resolve yields, as walks and cells know it. */
#ifndef LO_TARGET_H
#define LO_TARGET_H

#include "resolve/resolve.h"
#include "routing/way.h"

/* `user`: lo_hash of who asks. */
struct lo_candidate lo_candidate_of(const struct lr_target *target, uint64_t user);

enum { LO_CHOOSING_MAGIC = 0x6c6f6368 };

/* A resolver's chooser that takes the key the walk and the cells say; its context. */
struct lo_choosing {
    unsigned magic;
    const struct lo_walk *walk;
    const struct lo_health *health;
    struct lb_arena *arena;
    uint64_t user;
    int64_t now_ms;
    struct lo_cooled why; /* if it took none: as of lo_walk_choose_key */
};
/* Makes it; borrows all that it is given. */
struct lr_key_chooser lo_chooser(struct lo_choosing *choosing, const struct lo_way *way,
                                 struct lb_arena *arena, uint64_t user, int64_t now_ms);

#endif
