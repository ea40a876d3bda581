/* SPDX-License-Identifier: MIT */
/*
 * The handle: opening and closing, the one road of every change (lm_write), and how changes become
 * known - at once in this process, by polling llm_changes for those of others.
 */
#include "manager/manager.h"

#include <sodium.h>

#include "base/error.h"
#include "manager/handle.h"
#include "manager/resolve.h"
#include "manager/ring.h"
#include "store/store.h"
#include "vault/vault.h"

/* ---- Life ------------------------------------------------------------------------------------ */

static bool locks_init(struct lm_manager *manager)
{
    int ready = 0;

    if (!lm_changes_init(&manager->changes))
        return false;
    if (pthread_mutex_init(&manager->poll_lock, NULL) != 0)
        goto changes;
    for (; ready < LM_SHARDS; ready++) {
        if (pthread_mutex_init(&manager->shards[ready].lock, NULL) != 0)
            goto shards;
    }
    return true;
shards:
    while (ready > 0)
        pthread_mutex_destroy(&manager->shards[--ready].lock);
    pthread_mutex_destroy(&manager->poll_lock);
changes:
    lm_changes_destroy(&manager->changes);
    return false;
}

static llmgr_status load(struct lm_manager *manager, struct llmgr_error *err)
{
    llmgr_status status = lm_ring_open(manager, err);
    if (status != LLMGR_OK)
        return status;
    status = lm_catalogue_load(manager, &manager->catalogue, err);
    if (status != LLMGR_OK)
        return status;
    manager->revision = lm_catalogue_revision(manager->catalogue);
    atomic_store(&manager->polled_ms, lb_monotonic_coarse_ms());
    for (int i = 0; i < LM_SHARDS; i++) {
        status = lm_view_new(manager, manager->options.cache_size / LM_SHARDS,
                             &manager->shards[i].view, err);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

llmgr_status lm_open(const struct lb_host *host, const struct lm_options *options,
                     struct ls_store *store, struct lv_vault *vault, struct lm_manager **out,
                     struct llmgr_error *err)
{
    struct lm_manager *manager = lb_calloc(host, 1, sizeof *manager);

    if (manager == NULL || !locks_init(manager)) {
        lb_free(host, manager);
        lv_vault_free(vault);
        ls_close(store);
        return lb_fail_memory(err);
    }
    manager->host = host;
    manager->options = *options;
    manager->store = store;
    manager->vault = vault;
    if (manager->options.poll_ms == 0)
        manager->options.poll_ms = LM_POLL_MS;
    if (manager->options.cache_size == 0)
        manager->options.cache_size = LM_CACHE_SIZE;
    randombytes_buf(manager->hash_key, sizeof manager->hash_key);
    llmgr_status status = load(manager, err);
    if (status != LLMGR_OK) {
        lm_close(manager);
        return status;
    }
    *out = manager;
    return LLMGR_OK;
}

void lm_close(struct lm_manager *manager)
{
    if (manager == NULL)
        return;
    for (int i = 0; i < LM_SHARDS; i++) {
        lm_view_free(manager->shards[i].view);
        pthread_mutex_destroy(&manager->shards[i].lock);
    }
    lm_catalogue_drop(manager->catalogue);
    pthread_mutex_destroy(&manager->poll_lock);
    lm_changes_destroy(&manager->changes);
    lv_vault_free(manager->vault);
    ls_close(manager->store);
    lb_free_secret(manager->host, manager, sizeof *manager);
}

const struct lb_host *lm_host(const struct lm_manager *manager)
{
    return manager->host;
}

struct ls_store *lm_store(const struct lm_manager *manager)
{
    return manager->store;
}

struct lv_vault *lm_vault(const struct lm_manager *manager)
{
    return manager->vault;
}

const struct lm_options *lm_options(const struct lm_manager *manager)
{
    return &manager->options;
}

/* ---- Users ----------------------------------------------------------------------------------- */

struct lb_str lm_effective_user(const struct lm_manager *manager, struct lb_str user)
{
    if (user.size == 0 || manager->options.mode == LLMGR_MODE_SINGLE)
        return LB_STR(LLMGR_SYSTEM_USER);
    return user;
}

bool lm_is_system_user(struct lb_str user)
{
    return lb_str_eq(user, LB_STR(LLMGR_SYSTEM_USER));
}

llmgr_status lm_check_user(struct lb_str user, struct llmgr_error *err)
{
    if (lb_utf8_name(user, LM_USER_MAX))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID,
                   "the user id is not valid: it must be 1 to %d bytes of UTF-8 without control "
                   "characters",
                   LM_USER_MAX);
}

uint64_t lm_user_hash(const struct lm_manager *manager, struct lb_str user)
{
    uint64_t hash;

    _Static_assert(crypto_shorthash_BYTES == sizeof hash, "SipHash gives 64 bits");
    _Static_assert(crypto_shorthash_KEYBYTES == LM_HASH_KEY_SIZE, "under a key of 128 bits");
    crypto_shorthash((unsigned char *)&hash, (const unsigned char *)user.p, user.size,
                     manager->hash_key);
    return hash != LM_CHANGE_ALL ? hash : 1;
}

/* ---- What is remembered ---------------------------------------------------------------------- */

struct lm_catalogue *lm_catalogue_now(struct lm_manager *manager, uint64_t *sequence)
{
    lm_changes_lock(&manager->changes);
    struct lm_catalogue *catalogue = manager->catalogue;
    lm_catalogue_hold(catalogue);
    if (sequence != NULL)
        *sequence = lm_changes_sequence(&manager->changes);
    lm_changes_unlock(&manager->changes);
    return catalogue;
}

static void note(struct lm_manager *manager, uint64_t user)
{
    lm_changes_lock(&manager->changes);
    lm_changes_add(&manager->changes, user);
    lm_changes_unlock(&manager->changes);
}

/* Of two threads that load at once, the one that read the older state must not win. */
static void swap_catalogue(struct lm_manager *manager, struct lm_catalogue *fresh)
{
    struct lm_catalogue *old = fresh;

    lm_changes_lock(&manager->changes);
    if (lm_catalogue_revision(fresh) >= lm_catalogue_revision(manager->catalogue)) {
        old = manager->catalogue;
        manager->catalogue = fresh;
    }
    lm_changes_add(&manager->changes, LM_CHANGE_ALL);
    lm_changes_unlock(&manager->changes);
    lm_catalogue_drop(old);
}

llmgr_status lm_catalogue_reload(struct lm_manager *manager, struct llmgr_error *err)
{
    struct lm_catalogue *fresh;

    llmgr_status status = lm_catalogue_load(manager, &fresh, err);
    if (status != LLMGR_OK) {
        atomic_store(&manager->catalogue_stale, true);
        note(manager, LM_CHANGE_ALL);
        return status;
    }
    swap_catalogue(manager, fresh);
    atomic_store(&manager->catalogue_stale, false);
    return LLMGR_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct change {
    struct lb_str user;
    lm_change_fn change;
    void *context;
    int64_t revision; /* of the try that was committed */
};

static llmgr_status run_change(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct ls_value user = change->user.size != 0 ? ls_text(change->user) : ls_null();

    llmgr_status status = change->change(tx, change->context, err);
    if (status != LLMGR_OK)
        return status;
    status = ls_insert(tx, LS_REVISION_ADD, LS_ARGS(user), &change->revision, err);
    if (status != LLMGR_OK || change->revision % LM_CHANGES_EVERY != 0)
        return status;
    return ls_exec(tx, LS_CHANGES_PRUNE, LS_ARGS(ls_int(change->revision - LM_CHANGES_LISTED)),
                   NULL, err);
}

/* Our own change need not be polled, if nobody else's stands before it. */
static void skip_own_revision(struct lm_manager *manager, int64_t revision)
{
    pthread_mutex_lock(&manager->poll_lock);
    if (manager->revision == revision - 1)
        manager->revision = revision;
    pthread_mutex_unlock(&manager->poll_lock);
}

llmgr_status lm_write(struct lm_manager *manager, struct lb_str user, lm_change_fn change,
                      void *context, struct llmgr_error *err)
{
    struct change run = {.user = user, .change = change, .context = context};

    if (manager->options.read_only)
        return lb_fail(err, LLMGR_ERR_DATABASE_READONLY,
                       "%s was opened for reading only: nothing can be changed",
                       ls_place(manager->store));
    llmgr_status status = ls_transact(manager->store, LS_WRITE, run_change, &run, err);
    if (status != LLMGR_OK)
        return status;
    if (user.size != 0) {
        note(manager, lm_user_hash(manager, user));
    } else if (lm_catalogue_reload(manager, NULL) != LLMGR_OK) {
        /* It is committed all the same; the next resolve loads it, or fails. */
        lb_warn(manager->host, "the catalogue was changed but could not be read again");
        return LLMGR_OK;
    }
    skip_own_revision(manager, run.revision);
    return LLMGR_OK;
}

/* ---- Changes of other processes -------------------------------------------------------------- */

struct poll {
    int64_t first; /* revisions; 0 if nothing changed */
    int64_t last;
    size_t count;
    bool all;
    uint64_t users[LM_POLL_CHANGES_MAX];
};

static llmgr_status read_changes(struct lm_manager *manager, struct poll *poll,
                                 struct llmgr_error *err)
{
    struct ls_rows rows = {0};
    struct ls_tx *tx;
    enum ls_found found = LS_ERROR;

    llmgr_status status = ls_begin(manager->store, LS_READ_ONE, &tx, err);
    if (status != LLMGR_OK)
        return status;
    struct llmgr_error own = {0};
    status = ls_query(tx, LS_CHANGES_SINCE,
                      LS_ARGS(ls_int(manager->revision), ls_int(LM_POLL_CHANGES_MAX)), &rows, &own);
    while (status == LLMGR_OK && (found = ls_next(&rows, &own)) == LS_FOUND) {
        poll->last = ls_column_int(&rows, 0);
        if (poll->count == 0)
            poll->first = poll->last;
        if (ls_column_is_null(&rows, 1))
            poll->all = true;
        poll->users[poll->count++] = lm_user_hash(manager, ls_column_text(&rows, 1));
    }
    ls_rows_end(&rows);
    ls_rollback(tx);
    if (status == LLMGR_OK && found == LS_ERROR)
        status = own.status;
    if (status != LLMGR_OK && err != NULL)
        *err = own;
    return status;
}

/* poll_lock is held. */
static llmgr_status poll_locked(struct lm_manager *manager, struct llmgr_error *err)
{
    struct poll poll = {.count = 0};
    int64_t now = lb_monotonic_coarse_ms();

    llmgr_status status = read_changes(manager, &poll, err);
    if (status != LLMGR_OK)
        return status;
    /* A gap: what stood there was pruned before we saw it. */
    if (poll.count == LM_POLL_CHANGES_MAX ||
        (poll.count != 0 && poll.first > manager->revision + 1))
        poll.all = true;
    if (poll.all || atomic_load(&manager->catalogue_stale)) {
        status = lm_catalogue_reload(manager, err);
        if (status != LLMGR_OK)
            return status;
        struct lm_catalogue *catalogue = lm_catalogue_now(manager, NULL);
        manager->revision = lm_catalogue_revision(catalogue);
        lm_catalogue_drop(catalogue);
    } else if (poll.count != 0) {
        lm_changes_lock(&manager->changes);
        for (size_t i = 0; i < poll.count; i++)
            lm_changes_add(&manager->changes, poll.users[i]);
        lm_changes_unlock(&manager->changes);
        manager->revision = poll.last;
    }
    atomic_store_explicit(&manager->polled_ms, now, memory_order_release);
    return LLMGR_OK;
}

llmgr_status lm_poll(struct lm_manager *manager, struct llmgr_error *err)
{
    pthread_mutex_lock(&manager->poll_lock);
    llmgr_status status = poll_locked(manager, err);
    pthread_mutex_unlock(&manager->poll_lock);
    return status;
}

static int64_t age_ms(const struct lm_manager *manager)
{
    return lb_monotonic_coarse_ms() -
           atomic_load_explicit(&manager->polled_ms, memory_order_acquire);
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
    if (age_ms(manager) < 2 * period && !atomic_load(&manager->catalogue_stale))
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
        if (age < 2 * period && !stale)
            return LLMGR_OK;
        pthread_mutex_lock(&manager->poll_lock);
    }
    llmgr_status status = poll_if_due(manager, err);
    pthread_mutex_unlock(&manager->poll_lock);
    return status;
}
