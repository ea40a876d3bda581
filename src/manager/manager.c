/* SPDX-License-Identifier: MIT */
/*
 * The handle: opening and closing, the one road of every change (lm_write), and what is remembered.
 * Our own changes are known at once; those of others by polling (poll.c).
 */
#include "manager/manager.h"

#include <sodium.h>
#include <stdio.h>

#include "base/error.h"
#include "keys/ring.h"
#include "manager/access.h"
#include "manager/handle.h"
#include "resolve/resolve.h"
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

/* A change of the catalogue: everybody drops the sealed keys they remember. */
static llmgr_status announce(void *owner, lm_change_fn change, void *context,
                             struct llmgr_error *err)
{
    return lm_revoke(owner, LB_STR(""), change, context, err);
}

static llmgr_status load(struct lm_manager *manager, struct llmgr_error *err)
{
    llmgr_status status = lk_ring_open(lm_keys(manager), err);
    if (status != LLMGR_OK)
        return status;
    status = lm_catalogue_load(manager, NULL, &manager->catalogue, err);
    if (status != LLMGR_OK)
        return status;
    manager->known = lm_catalogue_point(manager->catalogue);
    snprintf(manager->identity, sizeof manager->identity, "%s",
             lm_catalogue_identity(manager->catalogue));
    atomic_store(&manager->polled_ms, lb_monotonic_coarse_ms());
    for (int i = 0; i < LM_SHARDS; i++) {
        status = lr_view_new(manager, manager->options.cache_size / LM_SHARDS,
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
    manager->keys = (struct lk_keys){.host = host,
                                     .store = store,
                                     .vault = vault,
                                     .read_only = options->read_only,
                                     .announce = announce,
                                     .owner = manager};
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
        lr_view_free(manager->shards[i].view);
        pthread_mutex_destroy(&manager->shards[i].lock);
    }
    lm_catalogue_drop(manager->catalogue);
    pthread_mutex_destroy(&manager->poll_lock);
    lm_changes_destroy(&manager->changes);
    lv_vault_free(manager->vault);
    ls_close(manager->store);
    lb_free_secret(manager->host, manager, sizeof *manager);
}

const struct lk_keys *lm_keys(const struct lm_manager *manager)
{
    return &manager->keys;
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

struct lm_point lm_known(struct lm_manager *manager)
{
    lm_changes_lock(&manager->changes);
    struct lm_point known = manager->known;
    lm_changes_unlock(&manager->changes);
    return known;
}

/*
 * Of two threads that load at once, the one that read the older state must not win: that of the
 * lower revision, or, where revisions say nothing, of an ended history.
 */
bool lm_catalogue_swap(struct lm_manager *manager, struct lm_catalogue *fresh, uint64_t history,
                       bool begins)
{
    struct lm_catalogue *old = fresh;

    lm_changes_lock(&manager->changes);
    bool current = history == atomic_load(&manager->history) &&
                   (begins || history == atomic_load(&manager->catalogue_history));
    if (current &&
        (begins || lm_catalogue_revision(fresh) >= lm_catalogue_revision(manager->catalogue))) {
        old = manager->catalogue;
        manager->catalogue = fresh;
        atomic_store(&manager->catalogue_history, history);
    }
    if (current)
        atomic_store(&manager->catalogue_stale, false);
    lm_changes_add(&manager->changes, LM_CHANGE_ALL);
    lm_changes_unlock(&manager->changes);
    lm_catalogue_drop(old);
    return current;
}

llmgr_status lm_catalogue_reload(struct lm_manager *manager, struct llmgr_error *err)
{
    struct lm_catalogue *fresh;
    uint64_t history = atomic_load(&manager->history);
    const struct lm_point known = lm_known(manager);

    llmgr_status status = lm_catalogue_load(manager, &known, &fresh, err);
    if (status != LLMGR_OK) {
        atomic_store(&manager->catalogue_stale, true);
        note(manager, LM_CHANGE_ALL);
        return status;
    }
    if (!lm_catalogue_swap(manager, fresh, history, false))
        return lb_fail(err, LLMGR_ERR_DATABASE_BUSY,
                       N_("%s went back in time while it was read; try again"),
                       ls_place(manager->store));
    return LLMGR_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

struct change {
    struct lm_manager *manager;
    struct lb_str user;
    lm_change_fn change;
    void *context;
    struct lm_point point; /* of the try that was committed */
    struct lm_point after; /* the change known before it */
    bool follows;          /* nothing stands between the two */
};

/* Never one of the values that mean something else. */
static int64_t make_mark(void)
{
    uint64_t bits;

    randombytes_buf(&bits, sizeof bits);
    return (int64_t)(bits >> 1) | 1;
}

/* Is the known change there, and the last before ours? Else the poll finds what we missed. */
static llmgr_status look_before(struct change *change, struct ls_tx *tx, struct llmgr_error *err)
{
    struct ls_rows rows = {0};

    change->after = lm_known(change->manager);
    if (ls_find(tx, LS_HISTORY_BEFORE,
                LS_ARGS(ls_int(change->after.revision), ls_int(change->point.revision)), &rows,
                err) != LS_FOUND)
        return ls_row_status(err);
    change->follows = ls_column_int(&rows, 0) == change->after.revision &&
                      ls_column_int(&rows, 1) == change->after.mark;
    ls_rows_end(&rows);
    return LLMGR_OK;
}

static llmgr_status run_change(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct ls_value user = change->user.size != 0 ? ls_text(change->user) : ls_null();

    llmgr_status status = change->change(tx, change->context, err);
    if (status != LLMGR_OK)
        return status;
    change->point.mark = make_mark();
    status = ls_insert(tx, LS_REVISION_ADD, LS_ARGS(user, ls_int(change->point.mark)),
                       &change->point.revision, err);
    if (status == LLMGR_OK)
        status = look_before(change, tx, err);
    if (status != LLMGR_OK || change->point.revision % LM_CHANGES_EVERY != 0)
        return status;
    return ls_exec(tx, LS_CHANGES_PRUNE,
                   LS_ARGS(ls_int(change->point.revision - LM_CHANGES_LISTED)), NULL, err);
}

/*
 * Our own change need not be polled, if nobody else's stands before it. In one step with the note,
 * so that who reads with the older point in mind does not keep it.
 */
static void note_own(struct lm_manager *manager, const struct change *change, uint64_t user)
{
    lm_changes_lock(&manager->changes);
    if (change->follows && manager->known.revision == change->after.revision &&
        manager->known.mark == change->after.mark)
        manager->known = change->point;
    lm_changes_add(&manager->changes, user);
    lm_changes_unlock(&manager->changes);
}

static llmgr_status write_as(struct lm_manager *manager, enum ls_mode mode, struct lb_str user,
                             lm_change_fn change, void *context, struct llmgr_error *err)
{
    struct llmgr_error own = {0};
    struct change run = {.manager = manager, .user = user, .change = change, .context = context};

    if (manager->options.read_only)
        return lb_fail(err, LLMGR_ERR_DATABASE_READONLY,
                       "%s was opened for reading only: nothing can be changed",
                       ls_place(manager->store));
    llmgr_status status =
        ls_transact(manager->store, mode, run_change, &run, err != NULL ? err : &own);
    if (status != LLMGR_OK)
        return status;
    if (user.size == 0 && lm_catalogue_reload(manager, NULL) != LLMGR_OK) {
        /* It is committed all the same; the next resolve loads it, or fails. */
        lb_warn(manager->host, "the catalogue was changed but could not be read again");
        return LLMGR_OK;
    }
    note_own(manager, &run, user.size != 0 ? lm_user_hash(manager, user) : LM_CHANGE_ALL);
    return LLMGR_OK;
}

llmgr_status lm_write(struct lm_manager *manager, struct lb_str user, lm_change_fn change,
                      void *context, struct llmgr_error *err)
{
    return write_as(manager, LS_WRITE, user, change, context, err);
}

/* Who has taken a key or token away must not believe it gone while it works. */
static llmgr_status still_in_force(llmgr_status status, const struct llmgr_error *why,
                                   struct llmgr_error *err)
{
    switch (status) {
    case LLMGR_ERR_DATABASE_FULL:
    case LLMGR_ERR_DATABASE_BUSY:
    case LLMGR_ERR_DATABASE_READONLY:
    case LLMGR_ERR_NO_MEMORY:
        return lb_fail(err, status, N_("this was not done, what should end is still in force: %s"),
                       why->message);
    case LLMGR_ERR_DATABASE:
        return lb_fail(err, status,
                       N_("it is not certain that this was done, what should end may still be in "
                          "force: %s"),
                       why->message);
    default:
        if (err != NULL)
            *err = *why;
        return status;
    }
}

llmgr_status lm_revoke(struct lm_manager *manager, struct lb_str user, lm_change_fn change,
                       void *context, struct llmgr_error *err)
{
    struct llmgr_error why = {0};

    llmgr_status status = write_as(manager, LS_REVOKE, user, change, context, &why);
    return status == LLMGR_OK ? LLMGR_OK : still_in_force(status, &why, err);
}
