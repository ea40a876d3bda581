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

llmgr_status ls_pool_open(struct ls_pool *pool, struct ls_store *store, int max, bool writer,
                          struct llmgr_error *err)
{
    pthread_condattr_t attributes;
    struct ls_conn **idle = lb_calloc(store->host, (size_t)max, sizeof(struct ls_conn *));

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
static bool claim(struct ls_pool *pool, struct ls_conn **conn)
{
    int64_t until_ms = lb_monotonic_ms() + pool->store->options.busy_timeout_ms;
    struct timespec until = {.tv_sec = until_ms / 1000,
                             .tv_nsec = (long)(until_ms % 1000) * 1000000};
    bool claimed = false;
    int waited = 0;

    pthread_mutex_lock(&pool->lock);
    while (pool->idle_count == 0 && pool->live == pool->max && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&pool->freed, &pool->lock, &until);
    if (pool->idle_count > 0) {
        *conn = pool->idle[--pool->idle_count];
        claimed = true;
    } else if (pool->live < pool->max) {
        *conn = NULL;
        pool->live++;
        claimed = true;
    }
    pthread_mutex_unlock(&pool->lock);
    return claimed;
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
    struct ls_store *store = pool->store;
    struct ls_conn *conn = NULL;

    if (!claim(pool, &conn)) {
        return lb_fail(err, LLMGR_ERR_DATABASE_BUSY,
                       N_("all connections to %s were in use for %d ms; try again, or allow more"),
                       store->place, store->options.busy_timeout_ms);
    }
    if (conn != NULL && !store->driver->usable(conn)) {
        lb_info(store->host, "the connection to %s was lost; connecting anew", store->place);
        store->driver->disconnect(conn);
        conn = NULL;
    }
    if (conn == NULL) {
        llmgr_status status = store->driver->connect(store, pool->writer, &conn, err);
        if (status != LLMGR_OK) {
            unclaim(pool);
            return status;
        }
        conn->store = store;
        conn->pool = pool;
    }
    *out = conn;
    return LLMGR_OK;
}

void ls_pool_give(struct ls_conn *conn)
{
    struct ls_pool *pool = conn->pool;

    if (!pool->store->driver->usable(conn)) {
        pool->store->driver->disconnect(conn);
        unclaim(pool);
        return;
    }
    pthread_mutex_lock(&pool->lock);
    pool->idle[pool->idle_count++] = conn;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}
