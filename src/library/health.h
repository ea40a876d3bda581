/* SPDX-License-Identifier: MIT */
/*
 * What a process lets alone, for people: llmgr_health and llmgr_health_reset of the handle's own
 * cells, and /api/health/cells of a gateway's.
 */
#ifndef LA_HEALTH_H
#define LA_HEALTH_H

#include "library/library.h"

/* How it is asked. */
struct la_health_as {
    struct lo_health *health;         /* the cells of this process; NULL: it has none */
    const struct lr_allowed *allowed; /* what who asks may use; NULL: all */
    bool is_admin;  /* hears how the server's keys do, and closes what all share */
    bool everybody; /* asks for nobody: what is one user's alone is left out */
};

/* See llmgr_health. */
LLMGR_MUST_CHECK llmgr_status la_health(struct llmgr *manager, const char *user,
                                        const struct la_health_as *as, struct llmgr_cell_list *list,
                                        struct llmgr_error *err);
/* See llmgr_health_reset. */
LLMGR_MUST_CHECK llmgr_status la_health_reset(struct llmgr *manager, const char *user,
                                              const struct la_health_as *as, const char *cell_id,
                                              struct llmgr_error *err);

#endif
