/* SPDX-License-Identifier: MIT */
/* Explain together with what a process knows to be broken: llmgr_explain, and GET /api/explain. */
#ifndef LA_EXPLAIN_H
#define LA_EXPLAIN_H

#include "library/library.h"
#include "routing/health.h"

/* How it is asked. */
struct la_explain_as {
    const struct lo_health *health;   /* the cells of this process; NULL: it has none */
    const struct lr_allowed *allowed; /* what who asks may use; NULL: all */
    bool is_admin; /* who asks may know of the server's keys one by one, and how each does */
};

/* See llmgr_explain. */
LLMGR_MUST_CHECK llmgr_status la_explain(struct llmgr *manager, const char *user, const char *slot,
                                         const char *model, const struct la_explain_as *as,
                                         struct llmgr_explanation *explanation,
                                         struct llmgr_error *err);

/*
 * May it be told that this cell is cooled, and why? What is the user's alone, to him; of what all
 * share, how models and platforms do to everybody who sees them, but how the server's keys and
 * accounts do only to an administrator.
 */
bool la_cell_is_told(const struct lo_cell_id *id, bool is_admin);

#endif
