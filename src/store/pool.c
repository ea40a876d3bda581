/* SPDX-License-Identifier: MIT */
/*
 * A bounded set of connections. Whoever takes one owns it until it is given back; who finds none
 * waits, but never longer than the busy timeout. Connecting and closing happen outside the lock,
 * so that a slow server holds up nobody but the one who talks to it.
 */
#include <errno.h>
#include <time.h>

#include "base/error.h"
#include "store/driver.h"

enum { CONNECTION_AGE_MS = 30000 };

llmgr_status ls_pool_open(struct ls_pool *pool, struct ls_store *store, int max, bool writer,
                          struct llmgr_error *err)
{
    pthread_condattr_t attributes;
    struct ls_conn **idle = lb_calloc(store->host, (size_t)max + 1, sizeof(struct ls_conn *));

    if (idle == NULL)
        return lb_fail_memory(err);
    *pool = (struct ls_pool){.store = store, .max = max, .writer = writer};
    if (pthread_condattr_init(&attributes) != 0)
        goto failed;
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* that of lb_monotonic_ms */
    int failed = pthread_cond_init(&pool->freed, &attributes);
    pthread_condattr_destroy(&attributes);
    if (failed != 0)
        goto failed;
    if (pthread_mutex_init(&pool->lock, NULL) != 0) {
        pthread_cond_destroy(&pool->freed);
        goto failed;
    }
    pool->idle = idle;
    return LLMGR_OK;
failed:
    lb_free(store->host, idle);
    return lb_fail_memory(err);
}

void ls_pool_close(struct ls_pool *pool)
{
    if (pool->idle == NULL)
        return;
    for (int i = 0; i < pool->idle_count; i++)
        pool->store->driver->disconnect(pool->idle[i]);
    lb_free(pool->store->host, pool->idle);
    pthread_mutex_destroy(&pool->lock);
    pthread_cond_destroy(&pool->freed);
    *pool = (struct ls_pool){0};
}

/* A slot is claimed (*conn NULL: a connection must be opened), or the time is over (false). */
static bool claim(struct ls_pool *pool, int64_t until_ms, int more, struct ls_conn **conn)
{
    struct timespec until = {.tv_sec = until_ms / 1000,
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    bool claimed = false;
    int waited = 0;

    pthread_mutex_lock(&pool->lock);
    while (pool->idle_count == 0 && pool->live >= pool->max + more && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&pool->freed, &pool->lock, &until);
    if (pool->idle_count > 0) {
        *conn = pool->idle[--pool->idle_count];
        claimed = true;
    } else if (pool->live < pool->max + more) {
        *conn = NULL;
        pool->live++;
        claimed = true;
    }
    pthread_mutex_unlock(&pool->lock);
    return claimed;
}

/*
 * A server that no longer leads may answer still, on connections that were made when it did. So
 * none is kept for long: in time all lead to where a new one leads.
 */
static bool is_current(const struct ls_conn *conn)
{
    struct ls_store *store = conn->pool->store;

    return conn->generation == atomic_load(&store->generation) &&
           (store->kind != LS_POSTGRES ||
            lb_monotonic_coarse_ms() - conn->made_ms < CONNECTION_AGE_MS);
}

static void unclaim(struct ls_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->live--;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

llmgr_status ls_pool_take(struct ls_pool *pool, struct ls_conn **out, struct llmgr_error *err)
{
    return ls_pool_take_until(pool, 0, 0, out, err);
}

llmgr_status ls_pool_take_until(struct ls_pool *pool, int64_t until_ms, int more,
                                struct ls_conn **out, struct llmgr_error *err)
{
    struct ls_store *store = pool->store;
    struct ls_conn *conn = NULL;
    const int64_t now_ms = lb_monotonic_ms();
    const int64_t busy_ms = now_ms + store->options.busy_timeout_ms;
    const int64_t last_ms = until_ms != 0 && until_ms < busy_ms ? until_ms : busy_ms;

    if (store->driver->follow != NULL) {
        llmgr_status status = store->driver->follow(store, err);
        if (status != LLMGR_OK)
            return status;
    }
    if (!claim(pool, last_ms, more, &conn)) {
        return lb_fail(err, LLMGR_ERR_DATABASE_BUSY,
                       N_("all connections to %s were in use for %d ms; try again, or allow more"),
                       store->place, (int)(last_ms - now_ms));
    }
    bool current = conn == NULL || is_current(conn);
    if (conn != NULL && (!current || !store->driver->usable(conn))) {
        if (current)
            lb_info(store->host, "the connection to %s was lost; connecting anew", store->place);
        store->driver->disconnect(conn);
        conn = NULL;
    }
    if (conn == NULL) {
        unsigned generation = atomic_load(&store->generation);
        llmgr_status status =
            store->driver->connect(store, pool->writer, until_ms != 0, &conn, err);
        if (status != LLMGR_OK) {
            unclaim(pool);
            return status;
        }
        conn->store = store;
        conn->pool = pool;
        conn->generation = generation;
        conn->made_ms = lb_monotonic_coarse_ms();
    }
    conn->until_ms = until_ms;
    *out = conn;
    return LLMGR_OK;
}

void ls_pool_drop_idle(struct ls_pool *pool)
{
    struct ls_conn *conn;

    while (pool->idle != NULL) {
        pthread_mutex_lock(&pool->lock);
        conn = pool->idle_count > 0 ? pool->idle[--pool->idle_count] : NULL;
        pthread_mutex_unlock(&pool->lock);
        if (conn == NULL)
            return;
        pool->store->driver->disconnect(conn);
        unclaim(pool);
    }
}

int ls_pool_live(struct ls_pool *pool)
{
    if (pool->idle == NULL)
        return 0;
    pthread_mutex_lock(&pool->lock);
    int live = pool->live;
    pthread_mutex_unlock(&pool->lock);
    return live;
}

void ls_pool_give(struct ls_conn *conn)
{
    struct ls_pool *pool = conn->pool;

    if (!is_current(conn) || !pool->store->driver->usable(conn)) {
        pool->store->driver->disconnect(conn);
        unclaim(pool);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->idle[pool->idle_count++] = conn;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}
