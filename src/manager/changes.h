/* SPDX-License-Identifier: MIT */
/*
 * What changed lately, for everyone who remembers something: a counter that is read without a
 * lock, and a ring of the last users concerned. Who is further behind than the ring is long drops
 * everything. A user is named by the hash of its id; a collision drops one profile too many.
 */
#ifndef LM_CHANGES_H
#define LM_CHANGES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LM_CHANGES_KEPT = 1024 };

#define LM_CHANGE_ALL UINT64_C(0) /* instead of a hash: everything */

struct lm_changes {
    pthread_mutex_t lock;
    _Atomic uint64_t sequence; /* changes so far; grows under the lock */
    uint64_t users[LM_CHANGES_KEPT];
};

/* False if the system has no more mutexes. */
bool lm_changes_init(struct lm_changes *changes);
void lm_changes_destroy(struct lm_changes *changes);

void lm_changes_lock(struct lm_changes *changes);
void lm_changes_unlock(struct lm_changes *changes);

static inline uint64_t lm_changes_sequence(const struct lm_changes *changes)
{
    return atomic_load_explicit(&changes->sequence, memory_order_acquire);
}

/* The lock is held. */
void lm_changes_add(struct lm_changes *changes, uint64_t user);
/* Calls `see` for each change after `since`, or once with LM_CHANGE_ALL. The lock is held. */
void lm_changes_each(const struct lm_changes *changes, uint64_t since,
                     void (*see)(uint64_t user, void *context), void *context);
/* Has this user, or everything, changed after `since`? Takes the lock if anything did. */
bool lm_changes_concern(struct lm_changes *changes, uint64_t since, uint64_t user);

#endif
