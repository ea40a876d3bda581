/* SPDX-License-Identifier: MIT */
/*
 * Connections to PostgreSQL, and what may be kept on one. A session of the server itself keeps our
 * time limits and prepared statements (postgres_run.c). A pooler such as PgBouncer may give each
 * transaction another session of the server, and give that one to other programs afterwards:
 * nothing can be kept there, and nothing of ours may be left. Its limits are set for each
 * transaction then, and statements are sent without a name.
 *
 * Which of both it is, the server's process number tells: the one that the connection was given
 * when it was made is the server's own, or one that the pooler made up. A pooler that keeps
 * sessions is treated like one that does not; statements are then parsed each time.
 */
#include <stdio.h>

#include "base/error.h"
#include "store/postgres.h"

/* Beyond a statement's own time: the way there and back, and a busy server. */
enum { CONNECT_MIN_S = 2, IDLE_IN_TRANSACTION_MS = 120000, GRACE_MS = 5000 };

/* libpq would print notices to stderr. */
static void notice(void *context, const PGresult *result)
{
    const struct ls_store *store = context;
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

    lb_debug(store->host, "%s: %s", store->place, message != NULL ? message : "notice");
}

void ls_postgres_limits(const struct ls_store *store, bool local, char sql[LS_POSTGRES_LIMITS_SIZE])
{
    const char *const how = local ? "true" : "false";

    snprintf(sql, LS_POSTGRES_LIMITS_SIZE,
             "SELECT 1, set_config('statement_timeout', '%d', %s),"
             " set_config('lock_timeout', '%d', %s),"
             " set_config('idle_in_transaction_session_timeout', '%d', %s),"
             " set_config('standard_conforming_strings', 'on', %s)",
             store->options.statement_timeout_ms, how, store->options.busy_timeout_ms, how,
             (int)IDLE_IN_TRANSACTION_MS, how, how);
}

/* In one step: a limit that is set before it is known whose session it is would be left behind. */
static llmgr_status set_session(struct postgres_conn *conn, struct llmgr_error *err)
{
    char limits[LS_POSTGRES_LIMITS_SIZE];
    char sql[LS_POSTGRES_LIMITS_SIZE + 64];
    int64_t own = 0;

    ls_postgres_limits(conn->base.store, false, limits);
    snprintf(sql, sizeof sql, "%s WHERE pg_backend_pid() = %d", limits, PQbackendPID(conn->pg));
    llmgr_status status = ls_postgres_number(&conn->base, sql, &own, err);
    conn->pooled = own == 0;
    return status;
}

/* On a connection that was just made, or was not. From here on it does not block. */
static llmgr_status begin_session(struct postgres_conn *conn, struct llmgr_error *err)
{
    if (PQstatus(conn->pg) != CONNECTION_OK)
        return ls_postgres_unreachable(conn->base.store->place, conn->pg, err);
    if (PQsetnonblocking(conn->pg, 1) != 0)
        return lb_fail_memory(err);
    PQsetNoticeReceiver(conn->pg, notice, conn->base.store);
    return set_session(conn, err);
}

void ls_postgres_disconnect(struct ls_conn *base)
{
    struct postgres_conn *conn = postgres_conn(base);

    PQfinish(conn->pg);
    lb_free(base->store->host, conn);
}

int ls_postgres_patience_ms(const struct ls_store *store)
{
    return store->options.statement_timeout_ms + GRACE_MS;
}

/* Where several hosts are named, each may take the time. */
static PGconn *make_connection(const struct ls_store *store, bool soon)
{
    /* What stands before "dbname" may be overridden by the URL, what follows may not. */
    static const char *const KEYWORDS[] = {"connect_timeout",
                                           "fallback_application_name",
                                           "keepalives_idle",
                                           "keepalives_interval",
                                           "keepalives_count",
                                           "tcp_user_timeout",
                                           "dbname",
                                           "client_encoding",
                                           NULL};
    char timeout[16];
    char unheard[16];
    int seconds = soon ? CONNECT_MIN_S : store->options.busy_timeout_ms / 1000;

    snprintf(timeout, sizeof timeout, "%d", seconds > CONNECT_MIN_S ? seconds : CONNECT_MIN_S);
    snprintf(unheard, sizeof unheard, "%d", ls_postgres_patience_ms(store));
    /* The numbers find a host that is gone without a word, also where patience has no bound. */
    const char *const values[] = {timeout, "llmgr",       "30",   "10", "3",
                                  unheard, store->target, "UTF8", NULL};
    return PQconnectdbParams(KEYWORDS, values, 1);
}

llmgr_status ls_postgres_connect(struct ls_store *store, bool writer, bool soon,
                                 struct ls_conn **out, struct llmgr_error *err)
{
    struct postgres_conn *conn = lb_calloc(store->host, 1, sizeof *conn);

    (void)writer;
    if (conn == NULL)
        return lb_fail_memory(err);
    conn->base.store = store;
    conn->base.until_ms = soon ? lb_monotonic_ms() + LS_SOON_MS : 0;
    conn->patience_ms = ls_postgres_patience_ms(store);
    conn->pg = make_connection(store, soon);
    llmgr_status status = begin_session(conn, err);
    if (status != LLMGR_OK) {
        ls_postgres_disconnect(&conn->base);
        return status;
    }
    *out = &conn->base;
    return LLMGR_OK;
}

llmgr_status ls_postgres_reconnect(struct postgres_conn *conn, struct llmgr_error *err)
{
    PQfinish(conn->pg);
    memset(conn->prepared, 0, sizeof conn->prepared);
    conn->silent = false;
    conn->pg = make_connection(conn->base.store, conn->base.until_ms != 0);
    conn->base.made_ms = lb_monotonic_coarse_ms();
    return begin_session(conn, err);
}

/*
 * A server that went away has sent its farewell while the connection idled: one read takes that,
 * the next one finds the end.
 */
bool ls_postgres_usable(struct ls_conn *base)
{
    PGconn *pg = postgres_conn(base)->pg;

    return PQstatus(pg) == CONNECTION_OK && PQtransactionStatus(pg) == PQTRANS_IDLE &&
           PQconsumeInput(pg) == 1 && PQconsumeInput(pg) == 1 && PQstatus(pg) == CONNECTION_OK;
}
