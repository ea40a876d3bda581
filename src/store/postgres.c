/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL. Every connection of the pool can do everything; writers of all processes queue at
 * one row (llm_meta 'writer'), which they lock first, so revisions appear in the order in which
 * they are committed. A row lock, unlike an advisory one, also holds behind the databases that
 * speak PostgreSQL's protocol but are not it.
 *
 * Connections are made in postgres_session.c. One that was lost is replaced when it is next taken;
 * a transaction it was lost in is undone by the server and may be run again (ls_transact), save
 * when the loss came in its COMMIT: then nobody knows, and the caller is told so.
 */
#include "store/postgres.h"

#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/when.h"

static llmgr_status postgres_ready(struct ls_conn *base, struct llmgr_error *err)
{
    (void)base;
    (void)err;
    return LLMGR_OK;
}

/* ---- Transactions ---- */

static llmgr_status postgres_begin(struct ls_conn *base, enum ls_mode mode, struct llmgr_error *err)
{
    char limits[LS_POSTGRES_LIMITS_SIZE] = "";
    char sql[LS_POSTGRES_LIMITS_SIZE + 256];
    int64_t locked = 0;

    if (ls_is_single(mode))
        return LLMGR_OK;
    if (postgres_conn(base)->pooled)
        ls_postgres_limits(base->store, true, limits);
    snprintf(sql, sizeof sql, "BEGIN ISOLATION LEVEL %s; %s;%s",
             mode == LS_READ ? "REPEATABLE READ READ ONLY" : "READ COMMITTED READ WRITE", limits,
             mode == LS_READ ? "" : " SELECT 1 FROM llm_meta WHERE name = 'writer' FOR UPDATE");
    if (mode == LS_READ)
        return ls_postgres_script(base, sql, err);
    llmgr_status status = ls_postgres_number(base, sql, &locked, err);
    if (status == LLMGR_OK && locked != 1)
        status = lb_fail(err, LLMGR_ERR_DATABASE,
                         N_("%s lacks the row 'writer' of llm_meta that writers queue at; restore "
                            "a backup"),
                         base->store->place);
    return status;
}

static llmgr_status postgres_commit(struct ls_conn *base, struct llmgr_error *err)
{
    struct postgres_conn *conn = postgres_conn(base);
    llmgr_status status = LLMGR_OK;

    if (ls_is_single(base->tx.mode))
        return LLMGR_OK;
    PGresult *result = ls_postgres_sql(conn, "COMMIT");
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        status = ls_postgres_fail(conn, result, err);
        if (PQstatus(conn->pg) == CONNECTION_BAD && ls_mode_writes(base->tx.mode)) {
            base->tx.retry = false;
            status = lb_fail(err, LLMGR_ERR_DATABASE,
                             N_("the connection to the database %s was lost while a change was "
                                "being stored: look whether it was before trying again"),
                             base->store->place);
        }
    } else if (strcmp(PQcmdStatus(result), "COMMIT") != 0) {
        status = lb_fail(err, LLMGR_ERR_DATABASE, N_("%s undid the change; try again"),
                         base->store->place);
    }
    PQclear(result);
    return status;
}

static void postgres_rollback(struct ls_conn *base)
{
    struct postgres_conn *conn = postgres_conn(base);

    if (PQstatus(conn->pg) == CONNECTION_OK && PQtransactionStatus(conn->pg) != PQTRANS_IDLE)
        PQclear(ls_postgres_sql(conn, "ROLLBACK"));
}

static llmgr_status postgres_begin_migration(struct ls_conn *base, struct llmgr_error *err)
{
    char sql[256];

    postgres_conn(base)->patience_ms = 0; /* who rebuilds a table may take long */
    snprintf(sql, sizeof sql,
             "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL statement_timeout = 0;"
             " SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL lock_timeout = %d;"
             " SELECT pg_advisory_xact_lock(hashtext('llmgr'), hashtext(current_schema()))",
             (int)LS_MIGRATE_WAIT_MS);
    return ls_postgres_script(base, sql, err);
}

/* Tables were renamed and rebuilt: what was prepared meanwhile may point to the old ones. */
static void postgres_end_migration(struct ls_conn *base, bool committed)
{
    struct postgres_conn *conn = postgres_conn(base);

    (void)committed;
    conn->patience_ms = ls_postgres_patience_ms(base->store);
    /* Behind a pooler nothing of ours is prepared, but something of somebody else's may be. */
    if (PQstatus(conn->pg) == CONNECTION_OK && !conn->pooled)
        PQclear(ls_postgres_sql(conn, "DEALLOCATE ALL"));
    memset(conn->prepared, 0, sizeof conn->prepared);
}

/* ---- Upkeep ---- */

static llmgr_status table_exists(struct ls_conn *base, const char *table, bool *exists,
                                 struct llmgr_error *err)
{
    char sql[256];
    int64_t count = 0;

    snprintf(sql, sizeof sql,
             "SELECT COUNT(*) FROM pg_catalog.pg_tables"
             " WHERE schemaname = current_schema() AND tablename = '%s'",
             table);
    llmgr_status status = ls_postgres_number(base, sql, &count, err);
    if (status == LLMGR_OK)
        *exists = count != 0;
    return status;
}

static llmgr_status copy_table(struct ls_conn *base, const char *schema, const char *table,
                               struct llmgr_error *err)
{
    char sql[512];
    int64_t missing = 0;

    snprintf(sql, sizeof sql, "CREATE TABLE %s.%s AS TABLE %s", schema, table, table);
    llmgr_status status = ls_postgres_script(base, sql, err);
    if (status != LLMGR_OK)
        return status;
    snprintf(sql, sizeof sql, "SELECT (SELECT COUNT(*) FROM %s) - (SELECT COUNT(*) FROM %s.%s)",
             table, schema, table);
    status = ls_postgres_number(base, sql, &missing, err);
    if (status == LLMGR_OK && missing != 0)
        status = lb_fail(err, LLMGR_ERR_DATABASE,
                         N_("the backup of table %s in schema %s is incomplete; try again when no "
                            "other program writes to it"),
                         table, schema);
    return status;
}

/*
 * Copies of our tables in a schema of their own, made in the migrating transaction. The tables are
 * locked against writers first (an older program beside us, or the Python original), so that what
 * is copied is what is migrated.
 */
static llmgr_status postgres_backup_before(struct ls_conn *base, int64_t version, bool clear_text,
                                           struct llmgr_error *err)
{
    struct ls_store *store = base->store;
    char schema[64];
    char sql[256];
    char stamp[LB_WHEN_TEXT];
    int64_t now_ms = lb_now_ms(store->host);

    snprintf(schema, sizeof schema, "llmgr_backup_v%lld_%s_%03d", (long long)version,
             lb_when_print(now_ms, LB_WHEN_STAMP, stamp), (int)(now_ms % 1000));
    snprintf(sql, sizeof sql, "CREATE SCHEMA %s", schema);
    llmgr_status status = ls_postgres_script(base, sql, err);
    for (size_t i = 0; i < LS_TABLE_COUNT && status == LLMGR_OK; i++) {
        bool exists = false;
        status = table_exists(base, LS_TABLES[i], &exists, err);
        if (status != LLMGR_OK || !exists)
            continue;
        snprintf(sql, sizeof sql, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", LS_TABLES[i]);
        status = ls_postgres_script(base, sql, err);
        if (status == LLMGR_OK)
            status = copy_table(base, schema, LS_TABLES[i], err);
    }
    if (status == LLMGR_OK)
        lb_info(store->host, "%s: schema %lld is backed up in the database schema %s%s",
                store->place, (long long)version, schema,
                clear_text ? ", which still holds API keys in clear text: drop it once it is no "
                             "longer needed"
                           : "");
    return status;
}

static llmgr_status postgres_backup(struct ls_conn *base, const char *path, struct llmgr_error *err)
{
    (void)path;
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("%s is a PostgreSQL database; back it up with \"pg_dump -Fc -f FILE\" and "
                      "its URL"),
                   base->store->place);
}

/* Reads every row of every table of ours; the server checks page checksums if it has them. */
static llmgr_status postgres_check(struct ls_conn *base, struct ls_check_report *report,
                                   struct llmgr_error *err)
{
    const char *version = PQparameterStatus(postgres_conn(base)->pg, "server_version");
    llmgr_status status = LLMGR_OK;

    snprintf(report->version, sizeof report->version, "%s", version != NULL ? version : "unknown");
    report->sound = true;
    for (size_t i = 0; i < LS_TABLE_COUNT && status == LLMGR_OK; i++) {
        char sql[128];
        bool exists = false;
        int64_t number = 0;
        status = table_exists(base, LS_TABLES[i], &exists, err);
        if (status != LLMGR_OK || !exists)
            continue;
        snprintf(sql, sizeof sql, "SELECT pg_total_relation_size('%s')", LS_TABLES[i]);
        status = ls_postgres_number(base, sql, &number, err);
        report->size_bytes += number;
        snprintf(sql, sizeof sql, "SELECT COUNT(t.*) FROM %s t", LS_TABLES[i]);
        if (status == LLMGR_OK)
            status = ls_postgres_number(base, sql, &number, err);
    }
    return status;
}

/* A dropped table's files are gone with the commit; there is nothing to rewrite. */
static llmgr_status postgres_scrub(struct ls_conn *base, struct llmgr_error *err)
{
    (void)base;
    (void)err;
    return LLMGR_OK;
}

static void postgres_relieve(struct ls_conn *base)
{
    (void)base;
}

#define IN_SCHEMA "SELECT COUNT(*) FROM pg_catalog.pg_tables WHERE schemaname = current_schema()"

/* A host that begins with '/' (or '@') is a socket's folder: no host anybody could connect to. */
static void postgres_server(const struct ls_conn *base, struct ls_server *server)
{
    const struct postgres_conn *conn = (const struct postgres_conn *)(const void *)base;
    const char *host = PQhost(conn->pg);
    const char *address = PQhostaddr(conn->pg);
    const char *port = PQport(conn->pg);
    int64_t number;

    *server = (struct ls_server){.port = 5432};
    if (host != NULL && host[0] != '/' && host[0] != '@') {
        snprintf(server->host, sizeof server->host, "%s", host);
        snprintf(server->address, sizeof server->address, "%s", address != NULL ? address : "");
    }
    if (port != NULL && lb_str_to_i64(lb_cstr(port), &number) && number > 0 && number <= UINT16_MAX)
        server->port = (uint16_t)number;
}

const struct ls_driver LS_POSTGRES_DRIVER = {
    .engine = "PostgreSQL",
    .count_tables = IN_SCHEMA " AND tablename IN (%s)",
    .count_anything = IN_SCHEMA " AND (tablename = 'user_ai_configs' OR tablename ~ '^llm_')",
    .connect = ls_postgres_connect,
    .disconnect = ls_postgres_disconnect,
    .usable = ls_postgres_usable,
    .ready = postgres_ready,
    .begin = postgres_begin,
    .commit = postgres_commit,
    .rollback = postgres_rollback,
    .begin_migration = postgres_begin_migration,
    .end_migration = postgres_end_migration,
    .exec = ls_postgres_exec,
    .exec_many = ls_postgres_exec_many,
    .query = ls_postgres_query,
    .next = ls_postgres_next,
    .column = ls_postgres_column,
    .end = ls_postgres_end,
    .describe = ls_postgres_describe,
    .script = ls_postgres_script,
    .number = ls_postgres_number,
    .backup_before = postgres_backup_before,
    .backup = postgres_backup,
    .check = postgres_check,
    .server = postgres_server,
    .scrub = postgres_scrub,
    .relieve = postgres_relieve,
};
