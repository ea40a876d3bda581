/* SPDX-License-Identifier: MIT */
/*
 * Waiting for PostgreSQL, but not for ever. The server itself ends a statement at its timeout; one
 * that says nothing for some seconds more has stopped, or the network to it has, and then libpq's
 * own PQexec would wait without end. So commands are sent here and their results waited for with a
 * bound; when it is passed the connection is given up, and all goes on as if it had been lost.
 */
#include <limits.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/host.h"
#include "store/postgres.h"

/* With TLS, bytes may wait in the library that poll(2) does not see: look again so often. */
enum { TLS_LOOK_MS = 20 };

/* Until libpq has something to say, or the connection's patience is at its end. */
static void await(struct postgres_conn *conn)
{
    int64_t until_ms = lb_monotonic_ms() + conn->patience_ms;
    int look_ms = PQsslInUse(conn->pg) ? TLS_LOOK_MS : INT_MAX;

    while (PQisBusy(conn->pg)) {
        struct pollfd wait = {.fd = PQsocket(conn->pg), .events = POLLIN};
        int64_t left_ms = conn->patience_ms != 0 ? until_ms - lb_monotonic_ms() : INT_MAX;
        if (wait.fd < 0)
            return;
        if (left_ms <= 0) {
            conn->silent = true;
            (void)shutdown(wait.fd, SHUT_RDWR); /* what libpq reads next is the end */
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

PGresult *ls_postgres_result(struct postgres_conn *conn, int sent)
{
    PGresult *last = NULL;
    PGresult *result;

    if (sent != 1)
        return NULL;
    while ((result = ls_postgres_next_result(conn)) != NULL) {
        PQclear(last);
        last = result;
    }
    return last;
}

PGresult *ls_postgres_sql(struct postgres_conn *conn, const char *sql)
{
    return ls_postgres_result(conn, PQsendQuery(conn->pg, sql));
}
