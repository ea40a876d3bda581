/* SPDX-License-Identifier: MIT */
/* What the files of the PostgreSQL driver share. Private to store/postgres*.c. */
#ifndef LS_POSTGRES_H
#define LS_POSTGRES_H

#include <libpq-fe.h>

#include "store/driver.h"

struct postgres_conn {
    struct ls_conn base;
    PGconn *pg;
    int patience_ms;    /* how long the server may be silent (postgres_wait.c); 0: for ever */
    bool silent;        /* it was, for longer: the connection was given up */
    int64_t silence_ms; /* how long */
    bool pooled;        /* a session of the server lasts for one transaction (postgres_session.c) */
    bool prepared[LS_STATEMENT_COUNT]; /* on this connection; nothing if it is pooled */
};

static inline struct postgres_conn *postgres_conn(struct ls_conn *conn)
{
    return (struct postgres_conn *)(void *)conn;
}

/*
 * Says what the failed `result` (NULL: none came) means; marks the transaction for a retry where
 * that helps. Returns the status.
 */
llmgr_status ls_postgres_fail(struct postgres_conn *conn, const PGresult *result,
                              struct llmgr_error *err);
/* The same for a connection that did not come about; `pg` may be NULL. */
llmgr_status ls_postgres_unreachable(const char *place, PGconn *pg, struct llmgr_error *err);

/* Connections (postgres_session.c). */
LLMGR_MUST_CHECK llmgr_status ls_postgres_connect(struct ls_store *store, bool writer, bool soon,
                                                  struct ls_conn **out, struct llmgr_error *err);
void ls_postgres_disconnect(struct ls_conn *conn);
bool ls_postgres_usable(struct ls_conn *conn);
int ls_postgres_patience_ms(const struct ls_store *store);
/* A SELECT that sets the limits of a session, or (local) of the transaction that it is in. */
enum { LS_POSTGRES_LIMITS_SIZE = 384 };
void ls_postgres_limits(const struct ls_store *store, bool local,
                        char sql[LS_POSTGRES_LIMITS_SIZE]);
/* Connects a lost connection anew; only where nothing has been done on it yet. */
LLMGR_MUST_CHECK llmgr_status ls_postgres_reconnect(struct postgres_conn *conn,
                                                    struct llmgr_error *err);

/*
 * Waiting (postgres_wait.c), for at most the connection's patience; after it the connection is bad.
 * The next result of what was sent, NULL if there is none; the last one, after PQsend...() returned
 * `sent`; that of one or more SQL commands. The caller clears it (PQclear takes NULL).
 */
PGresult *ls_postgres_next_result(struct postgres_conn *conn);
PGresult *ls_postgres_result(struct postgres_conn *conn, int sent);
PGresult *ls_postgres_sql(struct postgres_conn *conn, const char *sql);

/* Statements (postgres_run.c). */
llmgr_status ls_postgres_exec(struct ls_conn *conn, enum ls_statement id,
                              const struct ls_value *values, size_t count, int64_t *changed,
                              struct llmgr_error *err);
llmgr_status ls_postgres_exec_many(struct ls_conn *conn, const struct ls_runs *runs,
                                   struct llmgr_error *err);
llmgr_status ls_postgres_query(struct ls_conn *conn, const struct ls_value *values, size_t count,
                               struct ls_rows *rows, struct llmgr_error *err);
llmgr_status ls_postgres_next(struct ls_conn *conn, struct ls_rows *rows, bool *found,
                              struct llmgr_error *err);
struct ls_value ls_postgres_column(const struct ls_rows *rows, int column);
void ls_postgres_end(struct ls_rows *rows);
llmgr_status ls_postgres_describe(struct ls_conn *conn, enum ls_statement id, int *args,
                                  int *columns, struct llmgr_error *err);
llmgr_status ls_postgres_script(struct ls_conn *conn, const char *sql, struct llmgr_error *err);
llmgr_status ls_postgres_number(struct ls_conn *conn, const char *sql, int64_t *out,
                                struct llmgr_error *err);

#endif
