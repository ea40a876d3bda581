/* SPDX-License-Identifier: MIT */
/*
 * A store's life: what the options and the URL mean, which driver and pools serve it, and in what
 * order an opening proceeds. Nothing is written before the schema was read and found acceptable,
 * so a database that is refused stays as it was, to the byte.
 */
#include "store/store.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/driver.h"
#include "store/reserve.h"
#include "store/sqlite.h"

#define RESERVE_SUFFIX ".reserve"

enum {
    POOL_DEFAULT = 8,
    POOL_MAX = 256,
    BUSY_DEFAULT_MS = 5000,
    STATEMENT_DEFAULT_MS = 30000,
    TIMEOUT_MAX_MS = 24 * 3600 * 1000,
};

struct ls_pool *ls_store_pool(struct ls_store *store, enum ls_mode mode)
{
    bool separate = store->kind == LS_SQLITE && !store->options.read_only;

    return ls_mode_writes(mode) && separate ? &store->writer : &store->readers;
}

const char *ls_place(const struct ls_store *store)
{
    return store->place;
}

const char *ls_file(const struct ls_store *store)
{
    return store->kind == LS_SQLITE ? store->target : NULL;
}

static llmgr_status settle_options(struct ls_store *store, const struct ls_options *options,
                                   struct llmgr_error *err)
{
    struct ls_options *mine = &store->options;

    *mine = *options;
    mine->url = NULL;
    mine->backup_dir = NULL;
    if (mine->pool_size == 0)
        mine->pool_size = POOL_DEFAULT;
    if (mine->busy_timeout_ms == 0)
        mine->busy_timeout_ms = BUSY_DEFAULT_MS;
    if (mine->statement_timeout_ms == 0)
        mine->statement_timeout_ms = STATEMENT_DEFAULT_MS;
    if (mine->pool_size < 1 || mine->pool_size > POOL_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("%d database connections are not possible; choose 1 to %d"),
                       mine->pool_size, (int)POOL_MAX);
    if (mine->busy_timeout_ms < 0 || mine->busy_timeout_ms > TIMEOUT_MAX_MS ||
        mine->statement_timeout_ms < 0 || mine->statement_timeout_ms > TIMEOUT_MAX_MS)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("a database timeout is out of range; choose 1 to %d ms"),
                       (int)TIMEOUT_MAX_MS);
    if (options->backup_dir != NULL) {
        store->backup_dir = lb_strdup(store->host, options->backup_dir);
        if (store->backup_dir == NULL)
            return lb_fail_memory(err);
    }
    return LLMGR_OK;
}

static llmgr_status open_pools(struct ls_store *store, struct llmgr_error *err)
{
    int readers = store->kind == LS_SQLITE_MEMORY ? 1 : store->options.pool_size;
    bool writable = store->kind != LS_SQLITE;
    llmgr_status status = ls_pool_open(&store->readers, store, readers, writable, err);

    if (status == LLMGR_OK && store->kind == LS_SQLITE && !store->options.read_only)
        status = ls_pool_open(&store->writer, store, 1, true, err);
    return status;
}

static llmgr_status create_file(struct ls_store *store, struct llmgr_error *err)
{
    bool created = false;

    if (store->kind != LS_SQLITE || store->options.read_only || store->options.must_exist)
        return LLMGR_OK;
    llmgr_status status = ls_sqlite_create_file(store->target, &created, err);
    if (status == LLMGR_OK && created)
        lb_info(store->host, "%s: created", store->place);
    return status;
}

/* After a migration from clear text: until this has succeeded once, each opening tries again. */
llmgr_status ls_schema_scrub(struct ls_conn *conn, struct llmgr_error *err)
{
    struct ls_store *store = conn->store;
    const struct ls_driver *driver = store->driver;
    int64_t due = 0;
    llmgr_status status =
        driver->number(conn, "SELECT COUNT(*) FROM llm_meta WHERE name = 'scrub'", &due, err);

    if (status != LLMGR_OK || due == 0)
        return status;
    struct llmgr_error why = {0};
    if (driver->scrub(conn, &why) != LLMGR_OK) {
        lb_warn(store->host,
                "%s: parts of keys in clear text may remain in unused pages until the next "
                "opening (%s)",
                store->place, why.message);
        return LLMGR_OK;
    }
    return driver->script(conn, "DELETE FROM llm_meta WHERE name = 'scrub'", err);
}

static llmgr_status settle_schema(struct ls_store *store, struct ls_conn *conn,
                                  struct llmgr_error *err)
{
    enum ls_shape shape = LS_SHAPE_NONE;
    int64_t version = 0;
    llmgr_status status = ls_schema_read(conn, &shape, &version, err);

    if (status != LLMGR_OK)
        return status;
    bool older = version < ls_schema_latest();
    bool refuse = store->options.migrate == LS_MIGRATE_REFUSE && shape != LS_SHAPE_NONE;
    if (older && store->options.migrate == LS_MIGRATE_LEAVE)
        return LLMGR_OK;
    if (older && (store->options.read_only || refuse))
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s has schema %lld, this program needs schema %lld; migrate it with "
                          "\"llmgr db migrate\""),
                       store->place, (long long)version, (long long)ls_schema_latest());
    if (store->options.read_only)
        return LLMGR_OK;
    status = store->driver->ready(conn, err);
    if (status == LLMGR_OK && older)
        status = ls_schema_migrate(conn, err);
    if (status == LLMGR_OK)
        status = ls_schema_scrub(conn, err);
    return status;
}

static llmgr_status name_reserve(struct ls_store *store)
{
    struct lb_buf name;

    if (store->kind != LS_SQLITE)
        return LLMGR_OK;
    lb_buf_init(&name, store->host, strlen(store->target) + sizeof RESERVE_SUFFIX);
    lb_buf_addf(&name, "%s" RESERVE_SUFFIX, store->target);
    store->reserve = lb_buf_take(&name);
    ls_reserve_measure(store);
    return store->reserve != NULL ? LLMGR_OK : LLMGR_ERR_NO_MEMORY;
}

static llmgr_status read_schema(struct ls_store *store, struct llmgr_error *err)
{
    struct ls_conn *conn = NULL;
    llmgr_status status = ls_pool_take(ls_store_pool(store, LS_WRITE), &conn, err);

    if (status != LLMGR_OK)
        return status;
    status = settle_schema(store, conn, err);
    ls_pool_give(conn);
    return status;
}

/*
 * The first who opens a database needs room for the index of its log, even to read. Without it
 * nobody could find out what to revoke.
 */
static llmgr_status open_schema(struct ls_store *store, struct llmgr_error *err)
{
    struct llmgr_error why = {0};
    llmgr_status status = read_schema(store, &why);

    if (status == LLMGR_ERR_DATABASE_FULL && ls_reserve_spend(store, false))
        status = read_schema(store, &why);
    /* Whoever came to take something away must know. */
    if (status == LLMGR_ERR_DATABASE_FULL)
        return lb_fail(err, status, N_("nothing was read or changed: %s"), why.message);
    if (status != LLMGR_OK && err != NULL)
        *err = why;
    if (status != LLMGR_OK || store->options.read_only)
        return status;
    if (ls_reserve_fill(store) == LS_RESERVE_SHORT)
        lb_warn(store->host,
                "%s: its disk is nearly full: nothing is added to it until there is room for %s",
                store->place, store->reserve);
    return LLMGR_OK;
}

static llmgr_status open_store(struct ls_store *store, const struct ls_options *options,
                               struct llmgr_error *err)
{
    struct ls_url url = {0};
    llmgr_status status = ls_url_parse(store->host, options->url, &url, err);

    if (status != LLMGR_OK)
        return status;
    store->kind = url.kind;
    store->target = url.target;
    store->place = url.place;
    store->driver = url.kind == LS_POSTGRES ? &LS_POSTGRES_DRIVER : &LS_SQLITE_DRIVER;
    status = settle_options(store, options, err);
    if (status == LLMGR_OK)
        status = open_pools(store, err);
    if (status == LLMGR_OK)
        status = create_file(store, err);
    if (status == LLMGR_OK && name_reserve(store) != LLMGR_OK)
        status = lb_fail_memory(err);
    return status == LLMGR_OK ? open_schema(store, err) : status;
}

llmgr_status ls_open(const struct lb_host *host, const struct ls_options *options,
                     struct ls_store **out, struct llmgr_error *err)
{
    struct ls_store *store = lb_calloc(host, 1, sizeof *store);

    if (store == NULL)
        return lb_fail_memory(err);
    store->host = host;
    if (pthread_mutex_init(&store->file_lock, NULL) != 0) {
        lb_free(host, store);
        return lb_fail_memory(err);
    }
    llmgr_status status = open_store(store, options, err);
    if (status != LLMGR_OK) {
        ls_close(store);
        return status;
    }
    *out = store;
    return LLMGR_OK;
}

void ls_close(struct ls_store *store)
{
    if (store == NULL)
        return;
    const struct lb_host *host = store->host;
    struct ls_url url = {.target = store->target, .place = store->place};

    /* The writer last: it alone may move the write-ahead log into the file and remove it. */
    ls_pool_close(&store->readers);
    bool changed = store->writer.idle != NULL;
    ls_pool_close(&store->writer);
    if (changed && store->reserve != NULL && access(store->reserve, F_OK) == 0)
        (void)ls_reserve_fill(store);
    lb_free(host, store->reserve);
    ls_url_free(host, &url);
    lb_free(host, store->backup_dir);
    pthread_mutex_destroy(&store->file_lock);
    lb_free(host, store);
}

void ls_renew(struct ls_store *store)
{
    if (store->kind == LS_POSTGRES)
        atomic_fetch_add(&store->generation, 1);
}

llmgr_status ls_backup(struct ls_store *store, const char *path, struct llmgr_error *err)
{
    struct ls_conn *conn = NULL;

    if (path == NULL || path[0] == '\0')
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the backup needs a file name"));
    llmgr_status status = ls_pool_take(ls_store_pool(store, LS_READ), &conn, err);
    if (status != LLMGR_OK)
        return status;
    status = store->driver->backup(conn, path, err);
    ls_pool_give(conn);
    return status;
}

llmgr_status ls_server(struct ls_store *store, struct ls_server *server, struct llmgr_error *err)
{
    struct ls_conn *conn = NULL;

    if (store->driver->server == NULL) {
        *server = (struct ls_server){0};
        return LLMGR_OK;
    }
    llmgr_status status = ls_pool_take(ls_store_pool(store, LS_READ), &conn, err);
    if (status != LLMGR_OK)
        return status;
    store->driver->server(conn, server);
    ls_pool_give(conn);
    return LLMGR_OK;
}

llmgr_status ls_check(struct ls_store *store, struct ls_check_report *report,
                      struct llmgr_error *err)
{
    struct ls_check_report found = {.engine = store->driver->engine};
    struct ls_conn *conn = NULL;
    enum ls_shape shape;
    llmgr_status status = ls_pool_take(ls_store_pool(store, LS_READ), &conn, err);

    if (status != LLMGR_OK)
        return status;
    status = store->driver->check(conn, &found, err);
    if (status == LLMGR_OK && found.sound)
        status = ls_schema_read(conn, &shape, &found.schema_version, err);
    ls_pool_give(conn);
    if (status == LLMGR_OK)
        *report = found;
    return status;
}
