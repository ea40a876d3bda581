/* SPDX-License-Identifier: MIT */
/* The ring of recent changes. See changes.h. */
#include "manager/changes.h"

bool lm_changes_init(struct lm_changes *changes)
{
    atomic_init(&changes->sequence, 0);
    return pthread_mutex_init(&changes->lock, NULL) == 0;
}

void lm_changes_destroy(struct lm_changes *changes)
{
    pthread_mutex_destroy(&changes->lock);
}

void lm_changes_lock(struct lm_changes *changes)
{
    pthread_mutex_lock(&changes->lock);
}

void lm_changes_unlock(struct lm_changes *changes)
{
    pthread_mutex_unlock(&changes->lock);
}

void lm_changes_add(struct lm_changes *changes, uint64_t user)
{
    uint64_t sequence = atomic_load_explicit(&changes->sequence, memory_order_relaxed);

    changes->users[sequence % LM_CHANGES_KEPT] = user;
    atomic_store_explicit(&changes->sequence, sequence + 1, memory_order_release);
}

void lm_changes_each(const struct lm_changes *changes, uint64_t since,
                     void (*see)(uint64_t user, void *context), void *context)
{
    uint64_t sequence = atomic_load_explicit(&changes->sequence, memory_order_relaxed);

    if (sequence - since > LM_CHANGES_KEPT) {
        see(LM_CHANGE_ALL, context);
        return;
    }
    for (; since != sequence; since++)
        see(changes->users[since % LM_CHANGES_KEPT], context);
}

struct concern {
    uint64_t user;
    bool concerned;
};

static void see_concern(uint64_t user, void *context)
{
    struct concern *concern = context;

    if (user == LM_CHANGE_ALL || user == concern->user)
        concern->concerned = true;
}

bool lm_changes_concern(struct lm_changes *changes, uint64_t since, uint64_t user)
{
    struct concern concern = {.user = user};

    if (lm_changes_sequence(changes) == since)
        return false;
    lm_changes_lock(changes);
    lm_changes_each(changes, since, see_concern, &concern);
    lm_changes_unlock(changes);
    return concern.concerned;
}
