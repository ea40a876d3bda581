/* SPDX-License-Identifier: MIT */
/*
 * The way of one request: its walk over targets (pick.h) with what the process knows of them, the
 * cells (health.h) and the budget of repetitions (budget.h). Whoever serves a request, the gateway
 * or the library's LLM, resolves targets and sends; who is let in, and what an end means for those
 * who come later, is decided here.
 *
 *     lo_walk_next --> resolve --> lo_way_pays, lo_way_enter --> lo_way_try --> ... lo_judge
 *          ^              false: passed over |    (or lo_way_leave)                   |
 *          +---------------------------------+--------- lo_way_failed, lo_entry_end <-+
 *
 * A way belongs to one request; cells and budget are borrowed, and any thread's.
 */
#ifndef LO_WAY_H
#define LO_WAY_H

#include "routing/pick.h"

struct lo_budget;

struct lo_way {
    struct lo_health *health;
    struct lo_budget *budget;
    uint64_t account; /* whose repetitions, in the budget: the route's, or of who has the pool */
    int payer;        /* of all attempts; 0: no target was looked at yet */
    int64_t failed_until_ms; /* when one that has failed may be asked again; 0: none is cooled */
    bool is_soft;            /* something failed that may be well soon */
    struct lo_walk walk;     /* the last member: most of it is never touched */
};

/* The leave to ask a candidate: given back by lo_way_leave or lo_entry_end, exactly once. */
struct lo_entry {
    struct lo_candidate candidate; /* filled by the caller */
    struct lo_pass pass;
    bool is_moved; /* counted as under way at its platform */
};

/* The payer of the first target that can serve is that of all: may this one serve? */
static inline bool lo_way_pays(struct lo_way *way, int payer)
{
    if (way->payer != 0 && way->payer != payer)
        return false;
    way->payer = payer;
    return true;
}

/*
 * May entry->candidate be asked now? `is_forced`: whatever is cooled, as lo_walk_least_bad says.
 * False: it is passed over.
 */
bool lo_way_enter(struct lo_way *way, struct lo_entry *entry, bool is_forced, int64_t now_ms);
/* It is not asked after all. */
void lo_way_leave(struct lo_way *way, struct lo_entry *entry, int64_t now_ms);
/* It is; may another candidate follow, if its target has so many keys (lo_walk_may_move)? */
bool lo_way_try(struct lo_way *way, const struct lo_entry *entry, uint32_t key_count,
                int64_t now_ms);
/* What of the outcome the way knows. */
void lo_way_outcome(const struct lo_way *way, struct lo_outcome *outcome);
/* It has failed, as lo_walk_failed says; before lo_entry_end. */
static inline void lo_way_failed(struct lo_way *way, struct lo_verdict *verdict)
{
    lo_walk_failed(&way->walk, verdict);
}
/* What failed is known to the cells by now: how long is it to be let alone? */
void lo_way_note(struct lo_way *way, const struct lo_entry *entry, const struct lo_verdict *verdict,
                 int64_t now_ms);
/* When a target may be asked again; 0: none is cooled. */
int64_t lo_way_soonest(const struct lo_way *way);
/* No target can be asked now, or (none is cooled) none can serve: ERR_UPSTREAM, which names it. */
llmgr_status lo_way_exhausted(const struct lo_way *way, struct lb_str name,
                              struct llmgr_error *err);

/* The attempt has ended, which the cells are told; end->candidate and ->pass need not be filled. */
void lo_entry_end(struct lo_entry *entry, struct lo_health *health, struct lo_budget *budget,
                  const struct lo_end *end);

/* ---- Limits ---------------------------------------------------------------------------------- */

/* The shorter of two limits, of which 0 is none. */
static inline int64_t lo_least_ms(int64_t a, int64_t b)
{
    return a != 0 && (b == 0 || a < b) ? a : b;
}

/* Until the deadline, but at least a moment; 0: there is none. */
int64_t lo_way_left_ms(const struct lo_way *way, int64_t now_ms);

#endif
