/* SPDX-License-Identifier: MIT */
/*
 * How changes of other processes become known: llm_changes is asked for what follows the newest
 * change we know, and, in the same snapshot, whether that change is still there.
 *
 *     the known change bears its mark      history goes on: drop what the new changes concern
 *     it is older than all that is listed  it was pruned: read all anew
 *     anything else                        a new history begins: all is void, read all anew
 *
 * The last is what a failover to a standby shows that lacked commits, a restored dump, an older
 * file in the place of a newer one, another database. Until all has been read anew nothing is
 * answered (catalogue_stale, lm_is_fresh). A dump may still be under way when that happens, and
 * what comes later in it bears no change of its own: so all is read again at times that double, and
 * a state that was read too early lasts no longer than the restoring did.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "keys/ring.h"
#include "manager/handle.h"
#include "manager/manager.h"
#include "store/store.h"

enum { AGAIN_FIRST_MS = 1000, AGAIN_LAST_MS = 3600 * 1000 };

struct poll {
    const struct lm_manager *manager;
    struct lm_point known; /* when it was asked */
    struct lm_point last;  /* the newest of those that were read; `known` if there is none */
    int64_t there;         /* the mark of the known change as the database has it */
    int64_t oldest;        /* revision listed; 0: none */
    int64_t first;         /* revision after the known one */
    int64_t cells;         /* newest revision of llm_cells */
    char identity[LM_IDENTITY_SIZE + 1];
    size_t count;
    bool all;
    uint64_t users[LM_POLL_CHANGES_MAX];
    int64_t revisions[LM_POLL_CHANGES_MAX];
};

/* ---- Asking ---------------------------------------------------------------------------------- */

static void take_history(struct poll *poll, const struct ls_rows *rows)
{
    struct lb_str identity = ls_column_text(rows, 2);

    poll->oldest = ls_column_int(rows, 1);
    poll->there = ls_column_int(rows, 3);
    poll->cells = ls_column_int(rows, 4);
    snprintf(poll->identity, sizeof poll->identity, "%.*s", (int)identity.size,
             identity.p != NULL ? identity.p : "");
}

static void take_change(struct poll *poll, const struct ls_rows *rows)
{
    poll->last = (struct lm_point){ls_column_int(rows, 1), ls_column_int(rows, 3)};
    if (poll->count == 0)
        poll->first = poll->last.revision;
    if (ls_column_is_null(rows, 2))
        poll->all = true;
    poll->revisions[poll->count] = poll->last.revision;
    poll->users[poll->count++] = lm_user_hash(poll->manager, ls_column_text(rows, 2));
}

static llmgr_status take_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    (void)err;
    if (ls_column_int(row, 0) == 0)
        take_history(context, row);
    else
        take_change(context, row);
    return LLMGR_OK;
}

static llmgr_status read_changes(struct lm_manager *manager, struct poll *poll,
                                 struct llmgr_error *err)
{
    poll->manager = manager;
    return ls_read_each(manager->store, LS_READ_CHANGES, LS_CHANGES_SINCE,
                        LS_ARGS(ls_int(poll->known.revision), ls_int(LM_POLL_CHANGES_MAX)),
                        take_row, poll, err);
}

/* ---- Another history ------------------------------------------------------------------------- */

enum history { GOES_ON, PRUNED, ANOTHER };

static enum history judge(const struct lm_manager *manager, const struct poll *poll)
{
    if (strcmp(poll->identity, manager->identity) != 0)
        return ANOTHER;
    if (poll->there == poll->known.mark)
        return GOES_ON;
    return poll->there < 0 && poll->oldest > poll->known.revision ? PRUNED : ANOTHER;
}

static bool is_void(const struct lm_manager *manager)
{
    return atomic_load(&manager->catalogue_history) != atomic_load(&manager->history);
}

/* poll_lock is held, also below. */
static void begin_history(struct lm_manager *manager, const struct poll *poll)
{
    lb_warn(manager->host,
            "%s went back in time or is another database: the change %lld that was known is no "
            "longer there. All that was remembered is dropped. What was changed last may be "
            "undone: look at tokens that were revoked and keys that were replaced",
            ls_place(manager->store), (long long)poll->known.revision);
    lm_changes_lock(&manager->changes);
    atomic_store(&manager->catalogue_stale, true);
    atomic_fetch_add(&manager->history, 1);
    lm_changes_add(&manager->changes, LM_CHANGE_ALL);
    lm_changes_unlock(&manager->changes);
    manager->again_step_ms = AGAIN_FIRST_MS;
    /* Some may lead to the server that led before. */
    ls_renew(manager->store);
}

/* All of the history that has begun: its newest change is the known one from now on. */
static llmgr_status read_history(struct lm_manager *manager, struct llmgr_error *err)
{
    struct lm_catalogue *fresh;

    llmgr_status status = LLMGR_OK;

    if (!manager->options.without_keys)
        status = lk_ring_follow(&manager->keys, err);
    if (status == LLMGR_OK)
        status = lm_catalogue_load(manager, NULL, &fresh, err);
    if (status != LLMGR_OK)
        return status;
    snprintf(manager->identity, sizeof manager->identity, "%s", lm_catalogue_identity(fresh));
    lm_changes_lock(&manager->changes);
    manager->known = lm_catalogue_point(fresh);
    lm_changes_unlock(&manager->changes);
    (void)lm_catalogue_swap(manager, fresh, atomic_load(&manager->history), true);
    manager->again_ms = lb_monotonic_coarse_ms() + manager->again_step_ms;
    return LLMGR_OK;
}

/* True if a restoring that was under way may have brought more since. */
static bool is_time_again(struct lm_manager *manager, int64_t now_ms)
{
    if (manager->again_ms == 0 || now_ms < manager->again_ms)
        return false;
    manager->again_step_ms *= 2;
    manager->again_ms =
        manager->again_step_ms <= AGAIN_LAST_MS ? now_ms + manager->again_step_ms : 0;
    return true;
}

/* ---- The same history ------------------------------------------------------------------------ */

static llmgr_status read_all(struct lm_manager *manager, const struct poll *poll,
                             struct llmgr_error *err)
{
    struct lm_catalogue *fresh;

    llmgr_status status = lm_catalogue_load(manager, &poll->last, &fresh, err);
    if (status != LLMGR_OK) {
        atomic_store(&manager->catalogue_stale, true);
        return status;
    }
    const struct lm_point point = lm_catalogue_point(fresh);
    (void)lm_catalogue_swap(manager, fresh, atomic_load(&manager->history), false);
    lm_changes_lock(&manager->changes);
    if (point.revision > manager->known.revision)
        manager->known = point;
    lm_changes_add(&manager->changes, LM_CHANGE_ALL);
    lm_changes_unlock(&manager->changes);
    return LLMGR_OK;
}

/* Those of our own that were noted meanwhile are known already. */
static void take_changes(struct lm_manager *manager, const struct poll *poll)
{
    lm_changes_lock(&manager->changes);
    for (size_t i = 0; i < poll->count; i++) {
        if (poll->revisions[i] > manager->known.revision)
            lm_changes_add(&manager->changes, poll->users[i]);
    }
    if (poll->last.revision > manager->known.revision)
        manager->known = poll->last;
    lm_changes_unlock(&manager->changes);
}

static llmgr_status poll_locked(struct lm_manager *manager, struct llmgr_error *err)
{
    struct poll poll = {.count = 0};
    int64_t now = lb_monotonic_coarse_ms();

    poll.known = poll.last = lm_known(manager);
    llmgr_status status = read_changes(manager, &poll, err);
    if (status != LLMGR_OK)
        return status;
    enum history history = judge(manager, &poll);
    atomic_store(&manager->cells, poll.cells);
    if (history == ANOTHER && !is_void(manager))
        begin_history(manager, &poll);
    /* A gap, or more than is read at once: what stood there is not known one by one. */
    if (history == PRUNED || poll.count == LM_POLL_CHANGES_MAX ||
        (poll.count != 0 && poll.first > poll.known.revision + 1))
        poll.all = true;
    if (is_void(manager))
        status = read_history(manager, err);
    else if (poll.all || is_time_again(manager, now) || atomic_load(&manager->catalogue_stale))
        status = read_all(manager, &poll, err);
    else if (poll.count != 0)
        take_changes(manager, &poll);
    if (status == LLMGR_OK)
        atomic_store_explicit(&manager->polled_ms, now, memory_order_release);
    return status;
}

llmgr_status lm_poll(struct lm_manager *manager, struct llmgr_error *err)
{
    pthread_mutex_lock(&manager->poll_lock);
    llmgr_status status = poll_locked(manager, err);
    pthread_mutex_unlock(&manager->poll_lock);
    return status;
}

llmgr_status lm_read_stale(struct lm_manager *manager, int tries, struct llmgr_error *err)
{
    ls_renew(manager->store);
    llmgr_status status = lm_poll(manager, err);
    return status == LLMGR_OK && tries > 0 ? lm_fail_older(manager->store, err) : status;
}

/* ---- When it is time ------------------------------------------------------------------------- */

static int64_t age_ms(const struct lm_manager *manager)
{
    return lb_monotonic_coarse_ms() -
           atomic_load_explicit(&manager->polled_ms, memory_order_acquire);
}

bool lm_is_fresh(const struct lm_manager *manager)
{
    return age_ms(manager) < 2 * (int64_t)manager->options.poll_ms &&
           !atomic_load_explicit(&manager->catalogue_stale, memory_order_acquire);
}

int64_t lm_cells_revision(const struct lm_manager *manager)
{
    return atomic_load(&manager->cells);
}

uint64_t lm_history_resets(const struct lm_manager *manager)
{
    return atomic_load(&manager->history);
}

/*
 * poll_lock is held, maybe after a wait in which another thread polled. A database that fails is
 * asked once per period, not by each of the threads that queue here.
 */
static llmgr_status poll_if_due(struct lm_manager *manager, struct llmgr_error *err)
{
    int64_t period = manager->options.poll_ms;
    int64_t now = lb_monotonic_coarse_ms();

    if (age_ms(manager) < period && !atomic_load(&manager->catalogue_stale))
        return LLMGR_OK;
    if (manager->poll_failed_ms == 0 || now - manager->poll_failed_ms >= period) {
        if (poll_locked(manager, &manager->poll_error) == LLMGR_OK) {
            manager->poll_failed_ms = 0;
            return LLMGR_OK;
        }
        manager->poll_failed_ms = lb_monotonic_coarse_ms();
        lb_warn(manager->host, "changes cannot be read from the database: %s",
                manager->poll_error.message);
    }
    if (lm_is_fresh(manager))
        return LLMGR_OK;
    if (err != NULL)
        *err = manager->poll_error;
    return manager->poll_error.status;
}

llmgr_status lm_keep_fresh(struct lm_manager *manager, struct llmgr_error *err)
{
    int64_t period = manager->options.poll_ms;
    bool stale = atomic_load_explicit(&manager->catalogue_stale, memory_order_relaxed);
    int64_t age = age_ms(manager);

    if (age < period && !stale)
        return LLMGR_OK;
    /* One thread polls; the others go on with what they have while that is young enough. */
    if (pthread_mutex_trylock(&manager->poll_lock) != 0) {
        if (lm_is_fresh(manager))
            return LLMGR_OK;
        pthread_mutex_lock(&manager->poll_lock);
    }
    llmgr_status status = poll_if_due(manager, err);
    pthread_mutex_unlock(&manager->poll_lock);
    return status;
}
