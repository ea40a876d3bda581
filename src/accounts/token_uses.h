/* SPDX-License-Identifier: MIT */
/*
 * When tokens were last used, to the hour. Workers note a token the first time they see it in an
 * hour: a comparison for each request, a lock once. Another thread writes what was noted, all at
 * once, and no token more than once an hour, for the row itself is asked: so it is with several
 * workers and several nodes, and after a restart. What a process did not write before it was killed
 * is noted again at the token's next use, if that is in the same hour.
 */
#ifndef LW_TOKEN_USES_H
#define LW_TOKEN_USES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "accounts/tokens.h"

enum { LW_USES_MAX = 1024 /* noted and not yet written; the others are noted a little later */ };

struct lw_uses {
    struct lm_manager *manager;
    _Atomic uint32_t hour; /* since 1970, as lw_uses_write last saw the clock; 0: not yet */
    pthread_mutex_t lock;  /* of the rest */
    size_t count;
    struct lw_use {
        int64_t token_id;
        uint32_t hour;
    } noted[LW_USES_MAX];
};

/* Zeroed memory becomes empty; the manager outlives it. */
void lw_uses_init(struct lw_uses *uses, struct lm_manager *manager);
void lw_uses_end(struct lw_uses *uses);
/* The slow half of lw_token_was_used. */
void lw_uses_note(struct lw_uses *uses, struct lw_token *token, uint32_t hour);
/* Looks at the clock, and writes what was noted. May wait for the database; one thread. */
LLMGR_MUST_CHECK llmgr_status lw_uses_write(struct lw_uses *uses, struct llmgr_error *err);

/* A request with this token, which is the calling worker's, is let in. */
static inline void lw_token_was_used(struct lw_token *token, struct lw_uses *uses)
{
    const uint32_t hour = atomic_load_explicit(&uses->hour, memory_order_relaxed);

    if (__builtin_expect(token->used_hour < hour, 0))
        lw_uses_note(uses, token, hour);
}

#endif
