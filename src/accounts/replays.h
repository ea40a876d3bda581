/* SPDX-License-Identifier: MIT */
/*
 * Answers kept for idempotency keys, so that a request that is sent again is not done again: not
 * after a lost answer, not by another process, not after a restart.
 *
 *     begin --NEW--> the work --> lw_answer_keep      it was done: the same answer from now on
 *           |                 \-> lw_answer_forget    it changed nothing: may be tried again
 *           |--DONE      the kept answer
 *           |--RUNNING   under way elsewhere, or its process died half-way: nobody knows
 *           `--OTHER     the key was used for another request
 *
 * A key belongs to one token, lasts a day, and a token has a thousand at most (the oldest goes).
 */
#ifndef LW_REPLAYS_H
#define LW_REPLAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "llmgr.h"

struct lm_manager;

enum {
    LW_ANSWER_NAME_MAX = 255,  /* bytes of an idempotency key */
    LW_ANSWER_MAX = 256 << 10, /* bytes of an answer that is kept */
    LW_ANSWER_DIGEST_SIZE = 32,
    LW_ANSWERS_PER_TOKEN = 1000,
    LW_ANSWER_MS = 24 * 60 * 60 * 1000
};

enum lw_answer_state { LW_ANSWER_NEW, LW_ANSWER_DONE, LW_ANSWER_RUNNING, LW_ANSWER_OTHER };

struct lw_answer_key {
    int64_t token_id;
    struct lb_str name;
    unsigned char digest[LW_ANSWER_DIGEST_SIZE]; /* of everything that makes the request */
};

struct lw_answer {
    int64_t id;             /* set by begin: whose row it is */
    int status;             /* HTTP */
    bool secret;            /* sealed in the database */
    struct lb_str location; /* may be empty */
    struct lb_str body;
};

/* NEW: answer->id is ours. DONE: the answer, its strings in `arena`. */
LLMGR_MUST_CHECK llmgr_status lw_answer_begin(struct lm_manager *manager,
                                              const struct lw_answer_key *key,
                                              struct lb_arena *arena, enum lw_answer_state *state,
                                              struct lw_answer *answer, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lw_answer_keep(struct lm_manager *manager,
                                             const struct lw_answer_key *key,
                                             const struct lw_answer *answer,
                                             struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lw_answer_forget(struct lm_manager *manager, int64_t id,
                                               struct llmgr_error *err);

#endif
