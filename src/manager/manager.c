/* SPDX-License-Identifier: MIT */
/*
 * The handle: opening and closing it, and what it lends. The views, which need the resolver, come
 * to it from above (library/open.c).
 */
#include "manager/manager.h"

#include <sodium.h>
#include <stdio.h>

#include "base/error.h"
#include "keys/ring.h"
#include "manager/handle.h"
#include "store/store.h"
#include "vault/vault.h"

static bool locks_init(struct lm_manager *manager)
{
    if (!lm_changes_init(&manager->changes))
        return false;
    if (pthread_mutex_init(&manager->poll_lock, NULL) == 0)
        return true;
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
    llmgr_status status = LLMGR_OK;

    if (!manager->options.without_keys)
        status = lk_ring_open(lm_keys(manager), err);
    if (status != LLMGR_OK)
        return status;
    status = lm_catalogue_load(manager, NULL, &manager->catalogue, err);
    if (status != LLMGR_OK)
        return status;
    manager->known = lm_catalogue_point(manager->catalogue);
    snprintf(manager->identity, sizeof manager->identity, "%s",
             lm_catalogue_identity(manager->catalogue));
    atomic_store(&manager->polled_ms, lb_monotonic_coarse_ms());
    return LLMGR_OK;
}

llmgr_status lm_open(const struct lb_host *host, const struct lm_options *options,
                     struct ls_store *store, struct lv_vault *vault, const struct lm_lent *lent,
                     struct lm_manager **out, struct llmgr_error *err)
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
    manager->lent = lent;
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

void lm_speak_to_callers(struct lm_manager *manager)
{
    manager->options.for_callers = true;
}
