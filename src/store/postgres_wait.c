/* SPDX-License-Identifier: MIT */
/*
 * Waiting for PostgreSQL, but not for ever. The server itself ends a statement at its timeout; one
 * that says nothing for some seconds more has stopped, or the network to it has, and then libpq's
 * own PQexec would wait without end. So commands are only queued (the connection does not block),
 * and what is left of them is sent, and their results are waited for, here, with a bound; when it
 * is passed the connection is given up, and all goes on as if it had been lost.
 */
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/host.h"
#include "store/postgres.h"

/* Where it is encrypted, bytes may wait in libraries, unseen by poll(2): so often we look. */
enum { ENCRYPTED_LOOK_MS = 20 };

static bool is_encrypted(PGconn *pg)
{
    return PQsslInUse(pg) || PQgssEncInUse(pg);
}

/* What libpq reads next is the end. */
static void give_up(struct postgres_conn *conn)
{
    (void)shutdown(PQsocket(conn->pg), SHUT_RDWR);
}

/* Until libpq has something to say, or the connection's patience is at its end. */
static void await(struct postgres_conn *conn)
{
    const int64_t began_ms = lb_monotonic_ms();
    const bool bounded = conn->patience_ms != 0 || conn->base.until_ms != 0;
    int64_t until_ms = began_ms + (conn->patience_ms != 0 ? conn->patience_ms : INT_MAX);
    if (conn->base.until_ms != 0 && conn->base.until_ms < until_ms)
        until_ms = conn->base.until_ms;
    int look_ms = is_encrypted(conn->pg) ? ENCRYPTED_LOOK_MS : INT_MAX;

    while (PQisBusy(conn->pg)) {
        int unsent = PQflush(conn->pg);
        short events = unsent == 1 ? POLLIN | POLLOUT : POLLIN;
        struct pollfd wait = {.fd = PQsocket(conn->pg), .events = events};
        int64_t left_ms = bounded ? until_ms - lb_monotonic_ms() : INT_MAX;
        if (wait.fd < 0 || unsent < 0)
            return;
        if (left_ms <= 0) {
            conn->silent = true;
            conn->silence_ms = lb_monotonic_ms() - began_ms;
            give_up(conn);
            return;
        }
        (void)poll(&wait, 1, left_ms < look_ms ? (int)left_ms : look_ms);
        if (PQconsumeInput(conn->pg) != 1)
            return;
    }
}

PGresult *ls_postgres_next_result(struct postgres_conn *conn)
{
    await(conn);
    return PQgetResult(conn->pg);
}

static bool is_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

PGresult *ls_postgres_result(struct postgres_conn *conn, int sent)
{
    PGresult *last = NULL;
    PGresult *result;

    if (sent != 1)
        return NULL;
    while ((result = ls_postgres_next_result(conn)) != NULL) {
        /* What ended the connection comes before the news that it ended. */
        if (last != NULL && PQresultStatus(last) == PGRES_FATAL_ERROR) {
            PQclear(result);
            continue;
        }
        PQclear(last);
        last = result;
        if (is_copy(result)) { /* we never ask for it, and it would have no end */
            give_up(conn);
            break;
        }
    }
    return last;
}

PGresult *ls_postgres_sql(struct postgres_conn *conn, const char *sql)
{
    return ls_postgres_result(conn, PQsendQuery(conn->pg, sql));
}
