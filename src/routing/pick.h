/* SPDX-License-Identifier: MIT */
/*
 * The walk of one request over the targets of its route: which comes first, which next, with which
 * key, and when there is none left. A target is known here by its index alone; the caller resolves
 * it when it is asked for, so that a route of 1 000 targets costs no more than the few that are
 * looked at.
 *
 *     lo_walk_begin
 *     while (lo_walk_next(walk, now, &index)) {      or else once lo_walk_least_bad
 *         resolve index; keys: lo_walk_choose_key; lo_health_enter
 *         lo_walk_pass(walk, why)        it is missing, cooled, unfit: no attempt
 *       | lo_walk_try(walk, candidate)   an attempt; then lo_walk_failed, or the end
 *     }
 *
 * The same (target, key) is never tried twice, but for one repetition in all of what provably was
 * not sent (and for LO_NEXT_WITHOUT_OPTIONS, which asks something else). Attempts are counted over
 * all targets and keys. Nothing here allocates; a walk belongs to one request. A request that names
 * its model and has several keys walks over one target.
 */
#ifndef LO_PICK_H
#define LO_PICK_H

#include "routing/health.h"

enum { LO_WALK_WORDS = (LLMGR_ROUTE_TARGETS_MAX + 63) / 64 };

struct lo_walk_options {
    uint32_t count;   /* targets, 1 to LLMGR_ROUTE_TARGETS_MAX */
    uint64_t weights; /* of all targets together; 0: each weighs 1 */
    llmgr_pick pick;
    uint64_t sticky;     /* hash of the user or conversation; 0: none */
    uint64_t sequence;   /* which of the route's requests this is (lo_budget_begin) */
    uint64_t noise;      /* random */
    unsigned attempts;   /* of the whole request, 1 to LLMGR_ROUTE_ATTEMPTS_MAX */
    int64_t deadline_ms; /* from then on no attempt begins; 0: never */
    /* Unless each weighs 1: the target in whose share of the weights a number below them lies. */
    uint32_t (*target_at)(void *context, uint64_t point);
    /* Of LLMGR_PICK_FASTEST: the target's time to the first byte (lo_health_first_byte), or -1. */
    int64_t (*first_byte)(void *context, uint32_t index);
    void *context;
};

struct lo_tried {
    int64_t platform_id;
    int64_t model_id;
    uint64_t account_id;
    uint64_t key_id;
    uint32_t context_tokens;
    enum lo_next next; /* what its verdict says of the next; NOTHING: it is under way */
};

struct lo_walk { /* private, all of it */
    struct lo_walk_options options;
    uint32_t index;      /* what lo_walk_next gave last */
    uint32_t left_count; /* targets that have not come yet */
    unsigned attempts;   /* begun */
    unsigned draws;      /* choices made at random or by hash so far */
    bool again;          /* the last index comes once more */
    bool is_over;        /* nothing more comes, whatever is left */
    bool is_forced;      /* keys are chosen although they are cooled */
    bool has_repeated;   /* there was a repetition of what was not sent */
    uint32_t alike;      /* of the last failure that tells; 0: none */
    int64_t alike_platform_id;
    int64_t soonest_ms;   /* when the first that was passed over as cooled is free; 0: none was */
    int64_t least_bad_ms; /* the same of those that a request may be sent to nevertheless */
    uint32_t least_bad;   /* and its index */
    unsigned tried_count;
    struct lo_tried tried[LLMGR_ROUTE_ATTEMPTS_MAX];
    uint64_t seen[LO_WALK_WORDS]; /* bit per target that has come; not of LLMGR_PICK_ORDER */
};

void lo_walk_begin(struct lo_walk *walk, const struct lo_walk_options *options);
/*
 * The target to look at now; once more the last one if another key of it, or the same again, may
 * follow. False: none is left, the attempts are used up, the deadline has passed, or what failed
 * last allows no other.
 */
bool lo_walk_next(struct lo_walk *walk, int64_t now_ms, uint32_t *index);
/*
 * After lo_walk_next said no: of what was passed over as cooled, the target that is free soonest,
 * if attempts and deadline allow one. From here on keys are chosen although they are cooled, but
 * never one that is cooled hard. False: there is none.
 */
bool lo_walk_least_bad(struct lo_walk *walk, int64_t now_ms, uint32_t *index);

/* How many attempts may still begin; 0 also from the deadline on. */
unsigned lo_walk_attempts_left(const struct lo_walk *walk, int64_t now_ms);
/*
 * May another candidate follow the attempt under way, whose target has so many keys? If not,
 * nothing needs to be kept for it (lo_outcome.may_move).
 */
bool lo_walk_may_move(const struct lo_walk *walk, uint32_t key_count, int64_t now_ms);
/* When the first of what was passed over as cooled is free; 0: nothing was, or it is not known. */
int64_t lo_walk_soonest(const struct lo_walk *walk);

/* The target is not tried: since it is `cooled`, or (NULL) for another reason. */
void lo_walk_pass(struct lo_walk *walk, const struct lo_cooled *cooled);
/* Has this candidate been tried, or was it ruled out by what failed before? */
bool lo_walk_excludes(const struct lo_walk *walk, const struct lo_candidate *candidate);
/* Was an attempt made at this platform already? Then another is a repetition (budget.h). */
bool lo_walk_was_at(const struct lo_walk *walk, int64_t platform_id);
/* An attempt begins. */
void lo_walk_try(struct lo_walk *walk, const struct lo_candidate *candidate);
/*
 * It has failed. What the verdict says of the next holds from here on, unless it failed alike at
 * another platform before: then reason, fault, next and cool become those of a request at fault.
 * To be called before lo_health_end.
 */
void lo_walk_failed(struct lo_walk *walk, struct lo_verdict *verdict);

/* ---- Keys of a pool -------------------------------------------------------------------------- */

struct lo_key {
    uint64_t id;
    uint64_t account;
    uint32_t weight; /* 1 and more */
};

enum lo_key_order {
    LO_KEYS_IN_ORDER, /* as they stand: a user's own */
    LO_KEYS_BY_WEIGHT /* as often as its weight says, or if the walk is sticky by its hash */
};

#define LO_NO_KEY UINT32_MAX

/*
 * Which of the keys serves `candidate` (whose account_id and key_id are not read)? What was tried,
 * is excluded or cooled is passed over. A sticky walk comes to the same account as long as it is
 * usable; an account more or less moves only those that it takes or had (rendezvous hashing).
 * LO_NO_KEY: none now; *why then says of the cooled ones which is free soonest; its until_ms is 0
 * if none of them is cooled.
 */
uint32_t lo_walk_choose_key(const struct lo_walk *walk, const struct lo_health *health,
                            const struct lo_candidate *candidate, const struct lo_key *keys,
                            uint32_t count, enum lo_key_order order, int64_t now_ms,
                            struct lo_cooled *why);

#endif
