/* SPDX-License-Identifier: MIT */
/*
 * The pool: sites found by (class, origin), each with the links that wait there. A link that waits
 * has the pool's face: whatever its peer does, it is closed. One timer serves all, for those that
 * wait are in the order in which they will have waited too long.
 */
#include "upstream/pool.h"

#include "base/magic.h"
#include "base/map.h"
#include "net/conn.h"
#include "net/dial.h"
#include "upstream/private.h"

enum {
    IDLE_PER_ORIGIN = 64,
    IDLE_TOTAL = 512,
    IDLE_TIMEOUT_MS = 60000,
    SITES_MAX = 65536,
};

enum { POOL_MAGIC = 0x6c75706f };

struct lu_pool {
    unsigned magic;
    const struct lb_host *host;
    struct ln_loop *loop;
    struct lu_pool_options options; /* defaults filled in */
    struct lb_map *sites;
    struct lu_base *bases[LU_BASES]; /* each holds its site */
    struct lb_list idle;             /* lu_link.in_pool */
    unsigned idle_count;
    unsigned running;
    uint64_t dialed;
    uint64_t reused;
    struct ln_timer expiry;
    struct llmgr_error spare;
};

llmgr_status lu_pool_new(struct ln_loop *loop, const struct lu_pool_options *options,
                         struct lu_pool **pool, struct llmgr_error *err)
{
    const struct lb_host *host = ln_loop_host(loop);
    struct lu_pool *made = lb_calloc(host, 1, sizeof *made);

    if (made == NULL)
        return lb_fail_memory(err);
    made->magic = POOL_MAGIC;
    made->host = host;
    made->loop = loop;
    made->options = *options;
    if (made->options.idle_per_origin == 0)
        made->options.idle_per_origin = IDLE_PER_ORIGIN;
    if (made->options.idle_total == 0)
        made->options.idle_total = IDLE_TOTAL;
    if (made->options.idle_timeout_ms == 0)
        made->options.idle_timeout_ms = IDLE_TIMEOUT_MS;
    lb_list_init(&made->idle);
    made->sites = lb_map_new(host, SITES_MAX);
    if (made->sites == NULL) {
        lb_free(host, made);
        return lb_fail_memory(err);
    }
    *pool = made;
    return LLMGR_OK;
}

void lu_pool_flush(struct lu_pool *pool)
{
    while (!lb_list_empty(&pool->idle))
        lu_link_close(LB_CONTAINER(pool->idle.next, struct lu_link, in_pool));
}

void lu_pool_free(struct lu_pool *pool)
{
    if (pool == NULL)
        return;
    lu_pool_flush(pool);
    lu_bases_clear(pool, pool->bases);
    ln_timer_stop(&pool->expiry);
    lb_map_free(pool->sites);
    pool->magic = 0;
    lb_free(pool->host, pool);
}

struct ln_loop *lu_pool_loop(const struct lu_pool *pool)
{
    return pool->loop;
}

unsigned lu_pool_idle(const struct lu_pool *pool)
{
    return pool->idle_count;
}

uint64_t lu_pool_dialed(const struct lu_pool *pool)
{
    return pool->dialed;
}

uint64_t lu_pool_reused(const struct lu_pool *pool)
{
    return pool->reused;
}

unsigned lu_pool_running(const struct lu_pool *pool)
{
    return pool->running;
}

struct lu_base **lu_pool_bases(struct lu_pool *pool)
{
    return pool->bases;
}

struct llmgr_error *lu_pool_spare_error(struct lu_pool *pool)
{
    return &pool->spare;
}

void lu_pool_count(struct lu_pool *pool, int change)
{
    pool->running = (unsigned)((int)pool->running + change);
}

/* ---- Sites ----------------------------------------------------------------------------------- */

/* The key of a site: its class and its origin. */
static struct lb_str site_key(enum ln_class klass, const char *origin, char out[LH_ORIGIN_SIZE + 1])
{
    size_t size = strlen(origin);

    out[0] = klass == LN_CLASS_PRIVATE ? 'p' : 's';
    memcpy(out + 1, origin, size);
    return lb_str(out, size + 1);
}

llmgr_status lu_site_hold(struct lu_pool *pool, const struct lh_url *url, enum ln_class klass,
                          struct lu_site **site, struct llmgr_error *err)
{
    char origin[LH_ORIGIN_SIZE], buffer[LH_ORIGIN_SIZE + 1];

    lh_url_origin(url, origin);
    struct lb_str key = site_key(klass, origin, buffer);
    struct lu_site *found = lb_map_get(pool->sites, key);
    if (found == NULL) {
        found = lb_calloc(pool->host, 1, sizeof *found);
        if (found == NULL)
            return lb_fail_memory(err);
        found->pool = pool;
        found->klass = klass;
        found->https = url->https;
        found->port = url->port;
        memcpy(found->host, url->host.p, url->host.size);
        memcpy(found->origin, origin, sizeof origin);
        lb_list_init(&found->idle);
        if (lb_map_put(pool->sites, key, found, NULL) != LLMGR_OK) {
            lb_free(pool->host, found);
            return lb_fail_memory(err);
        }
    }
    found->users++;
    *site = found;
    return LLMGR_OK;
}

static void free_unused(struct lu_site *site)
{
    char buffer[LH_ORIGIN_SIZE + 1];

    if (site->users > 0 || site->idle_count > 0)
        return;
    lb_map_remove(site->pool->sites, site_key(site->klass, site->origin, buffer));
    lb_free(site->pool->host, site);
}

void lu_site_hold_again(struct lu_site *site)
{
    site->users++;
}

void lu_site_release(struct lu_site *site)
{
    site->users--;
    free_unused(site);
}

llmgr_status lu_pool_judge(const struct lu_pool *pool, const struct lh_url *url,
                           enum ln_class klass, struct llmgr_error *err)
{
    if (pool->options.policy != NULL)
        return ln_policy_judge_url_host(pool->options.policy, klass,
                                        url->https ? LB_STR("https") : LB_STR("http"), url->host,
                                        url->port, err);
    if (klass == LN_CLASS_PRIVATE)
        return lb_fail(err, LLMGR_ERR_ADDRESS,
                       N_("private platforms cannot be reached: no address policy is set"));
    return LLMGR_OK;
}

llmgr_status lu_pool_dial(struct lu_site *site, int64_t timeout_ms, ln_dial_fn done, void *context,
                          struct ln_dial **dial, struct llmgr_error *err)
{
    struct lu_pool *pool = site->pool;

    if (site->https && pool->options.tls == NULL)
        return lb_fail(err, LLMGR_ERR_TLS, N_("'%s' cannot be reached: TLS is not set up"),
                       site->origin);
    const struct ln_dial_request request = {
        .host = site->host,
        .port = site->port,
        .klass = site->klass,
        .policy = pool->options.policy,
        .tls = site->https ? pool->options.tls : NULL,
        .alpn = site->https ? "http/1.1" : NULL,
        .proxy = pool->options.proxy,
        .timeout_ms = timeout_ms,
        .resolver = pool->options.resolver,
        .unix_path = pool->options.unix_path,
    };
    llmgr_status status = ln_dial(pool->loop, &request, done, context, dial, err);
    if (status == LLMGR_OK)
        pool->dialed++;
    return status;
}

/* ---- Links ----------------------------------------------------------------------------------- */

static void idle_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    (void)conn;
    (void)bytes;
    lu_link_close(LB_CAST(struct lu_link, context, LU_LINK_MAGIC));
}

static void idle_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    (void)conn;
    (void)why;
    lu_link_close(LB_CAST(struct lu_link, context, LU_LINK_MAGIC));
}

static const struct ln_conn_face IDLE_FACE = {.data = idle_data, .end = idle_end};
static const struct ln_conn_face NO_FACE = {0};

/* No longer waiting. The site may be gone afterwards unless somebody holds it. */
static void unlist_link(struct lu_link *link)
{
    struct lu_site *site = link->site;

    lb_list_remove(&link->in_site);
    lb_list_remove(&link->in_pool);
    site->idle_count--;
    site->pool->idle_count--;
}

static void expire_links(void *context)
{
    struct lu_pool *pool = LB_CAST(struct lu_pool, context, POOL_MAGIC);
    int64_t now = ln_loop_now(pool->loop);

    while (!lb_list_empty(&pool->idle)) {
        struct lu_link *oldest = LB_CONTAINER(pool->idle.next, struct lu_link, in_pool);
        int64_t left = oldest->since + pool->options.idle_timeout_ms - now;
        if (left > 0) {
            ln_timer_start(pool->loop, &pool->expiry, left, expire_links, pool);
            return;
        }
        lu_link_close(oldest);
    }
}

struct lu_link *lu_link_take(struct lu_site *site)
{
    if (lb_list_empty(&site->idle))
        return NULL;
    struct lu_link *link = LB_CONTAINER(site->idle.next, struct lu_link, in_site);
    unlist_link(link);
    site->pool->reused++;
    return link;
}

struct lu_link *lu_link_new(struct lu_site *site, struct ln_conn *conn)
{
    struct lu_link *link = lb_calloc(site->pool->host, 1, sizeof *link);

    if (link == NULL) {
        ln_conn_set_face(conn, &NO_FACE, NULL);
        ln_conn_close(conn);
        return NULL;
    }
    link->magic = LU_LINK_MAGIC;
    link->site = site;
    link->conn = conn;
    lb_list_init(&link->in_site);
    lb_list_init(&link->in_pool);
    return link;
}

void lu_link_put(struct lu_link *link)
{
    struct lu_site *site = link->site;
    struct lu_pool *pool = site->pool;

    link->exchange = NULL;
    link->since = ln_loop_now(pool->loop);
    ln_conn_set_face(link->conn, &IDLE_FACE, link);
    ln_conn_read_start(link->conn);
    lb_list_add_head(&site->idle, &link->in_site);
    lb_list_add_tail(&pool->idle, &link->in_pool);
    site->idle_count++;
    pool->idle_count++;
    if (site->idle_count > pool->options.idle_per_origin)
        lu_link_close(LB_CONTAINER(site->idle.prev, struct lu_link, in_site));
    if (pool->idle_count > pool->options.idle_total)
        lu_link_close(LB_CONTAINER(pool->idle.next, struct lu_link, in_pool));
    if (!ln_timer_running(&pool->expiry))
        ln_timer_start(pool->loop, &pool->expiry, pool->options.idle_timeout_ms, expire_links,
                       pool);
}

void lu_link_close(struct lu_link *link)
{
    struct lu_site *site = link->site;
    bool waiting = !lb_list_empty(&link->in_pool);

    if (waiting)
        unlist_link(link);
    ln_conn_set_face(link->conn, &NO_FACE, NULL);
    ln_conn_close(link->conn);
    link->magic = 0;
    lb_free(site->pool->host, link);
    if (waiting)
        free_unused(site);
}
