/* SPDX-License-Identifier: MIT */
/*
 * Statements on PostgreSQL. Each is prepared once per connection, with the argument types of the
 * statement table, and takes and gives values in binary form: nothing is quoted, parsed or
 * rounded on the way. A result arrives whole, which is why lists have a limit. Behind a pooler
 * (postgres_session.c) a statement bears no name: it is sent whole each time, and many runs of one
 * are prepared for the transaction they are in. A single SELECT brings its time limits along there.
 *
 * Wire forms: int2/int4/int8 big-endian, bool one byte, text and bytea as they are.
 */
#include <endian.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "store/postgres.h"

/* pg_catalog.pg_type.dat; fixed for all servers. */
enum {
    OID_BOOL = 16,
    OID_BYTEA = 17,
    OID_NAME = 19,
    OID_INT8 = 20,
    OID_INT2 = 21,
    OID_INT4 = 23,
    OID_TEXT = 25,
    OID_UNKNOWN = 705,
    OID_BPCHAR = 1042,
    OID_VARCHAR = 1043,
};
enum { BINARY = 1, SQL_LIMIT = 64 << 10 };

static bool has_succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

/* What a statement is prepared as. The empty name is taken anew by each: it is nobody's. */
static void statement_name(char name[16], const struct postgres_conn *conn, enum ls_statement id)
{
    name[0] = '\0';
    if (!conn->pooled)
        snprintf(name, 16, "s%u", (unsigned)id);
}

/* ?1 becomes $1; a question mark inside a quoted text stays. */
static void rewrite_sql(struct lb_buf *out, const char *sql)
{
    bool quoted = false;

    for (; *sql != '\0'; sql++) {
        if (*sql == '\'')
            quoted = !quoted;
        lb_buf_add_byte(out, *sql == '?' && !quoted ? '$' : *sql);
    }
}

struct parsing {
    struct lb_buf sql;
    Oid types[LS_ARGS_MAX];
    int count;
};

/* A statement as the server parses it; lb_buf_free(&parsing->sql) in any case. */
static llmgr_status write_out(struct parsing *parsing, const struct postgres_conn *conn,
                              enum ls_statement id, struct llmgr_error *err)
{
    const struct ls_statement_row *row = &LS_STATEMENTS[id];

    parsing->count = (int)strlen(row->args);
    for (int i = 0; i < parsing->count && i < LS_ARGS_MAX; i++) {
        char type = (char)(row->args[i] | 0x20);
        parsing->types[i] = type == 'i' ? OID_INT8 : type == 't' ? OID_TEXT : OID_BYTEA;
    }
    lb_buf_init(&parsing->sql, conn->base.store->host, SQL_LIMIT);
    rewrite_sql(&parsing->sql, row->postgres);
    return parsing->sql.failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status prepare_statement(struct postgres_conn *conn, enum ls_statement id,
                                      struct llmgr_error *err)
{
    struct parsing parsing;
    char name[16];

    if (conn->prepared[id])
        return LLMGR_OK;
    statement_name(name, conn, id);
    llmgr_status status = write_out(&parsing, conn, id, err);
    if (status == LLMGR_OK) {
        PGresult *result =
            ls_postgres_result(conn, PQsendPrepare(conn->pg, name, lb_buf_c(&parsing.sql),
                                                   parsing.count, parsing.types));
        if (has_succeeded(result))
            conn->prepared[id] = !conn->pooled;
        else
            status = ls_postgres_fail(conn, result, err);
        PQclear(result);
    }
    lb_buf_free(&parsing.sql);
    return status;
}

/* Arguments in libpq's form; they point into themselves and into the values. */
struct arguments {
    uint64_t numbers[LS_ARGS_MAX];
    const char *pointers[LS_ARGS_MAX];
    int sizes[LS_ARGS_MAX];
    int formats[LS_ARGS_MAX];
};

static llmgr_status fill_arguments(struct arguments *args, const struct postgres_conn *conn,
                                   const struct ls_value *values, size_t count,
                                   struct llmgr_error *err)
{
    for (size_t i = 0; i < count; i++) {
        args->formats[i] = BINARY;
        args->pointers[i] = NULL;
        args->sizes[i] = 0;
        if (values[i].type == 'i') {
            args->numbers[i] = htobe64((uint64_t)values[i].integer);
            args->pointers[i] = (const char *)&args->numbers[i];
            args->sizes[i] = sizeof args->numbers[i];
        } else if (values[i].type != 'n') {
            if (values[i].bytes.size > INT32_MAX / 2)
                return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the value is too large for %s"),
                               conn->base.store->place);
            args->pointers[i] = values[i].bytes.p != NULL ? values[i].bytes.p : "";
            args->sizes[i] = (int)values[i].bytes.size;
        }
    }
    return LLMGR_OK;
}

/* Prepared and run in two steps; *result is what came, NULL if nothing did. */
static llmgr_status run_prepared(struct postgres_conn *conn, enum ls_statement id,
                                 const struct arguments *args, size_t count, PGresult **result,
                                 struct llmgr_error *err)
{
    char name[16];
    llmgr_status status = prepare_statement(conn, id, err);

    if (status != LLMGR_OK)
        return status;
    statement_name(name, conn, id);
    *result =
        ls_postgres_result(conn, PQsendQueryPrepared(conn->pg, name, (int)count, args->pointers,
                                                     args->sizes, args->formats, BINARY));
    return LLMGR_OK;
}

/* Reads up to the synchronisation point what two statements gave: the last one, or what failed. */
static PGresult *take_two(struct postgres_conn *conn)
{
    PGresult *kept = NULL;
    int nothing = 0;

    while (nothing < 2) {
        PGresult *result = ls_postgres_next_result(conn);
        if (result == NULL) {
            nothing++;
            continue;
        }
        nothing = 0;
        bool is_last = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
        bool replaces = !is_last && (kept == NULL || has_succeeded(kept));
        PQclear(replaces ? kept : result);
        if (replaces)
            kept = result;
        if (is_last)
            return kept;
    }
    PQclear(kept); /* the connection is gone */
    return NULL;
}

/*
 * A statement without a transaction of its own, and before it its limits: both leave at once and
 * are one transaction up to the synchronisation point, so they reach the same session.
 */
static PGresult *run_limited(struct postgres_conn *conn, const struct parsing *parsing,
                             const struct arguments *args, size_t count)
{
    char limits[LS_POSTGRES_LIMITS_SIZE];
    PGresult *result = NULL;

    ls_postgres_limits(conn->base.store, true, limits);
    if (PQenterPipelineMode(conn->pg) != 1)
        return NULL;
    if (PQsendQueryParams(conn->pg, limits, 0, NULL, NULL, NULL, NULL, BINARY) == 1 &&
        PQsendQueryParams(conn->pg, lb_buf_c(&parsing->sql), (int)count, parsing->types,
                          args->pointers, args->sizes, args->formats, BINARY) == 1 &&
        PQpipelineSync(conn->pg) == 1)
        result = take_two(conn);
    /* A connection that cannot leave the mode is of no use: what follows on it fails. */
    (void)PQexitPipelineMode(conn->pg);
    return result;
}

/* In one step, for the next one may reach another session of the server. */
static llmgr_status run_whole(struct postgres_conn *conn, enum ls_statement id,
                              const struct arguments *args, size_t count, PGresult **result,
                              struct llmgr_error *err)
{
    struct parsing parsing;
    llmgr_status status = write_out(&parsing, conn, id, err);

    if (status == LLMGR_OK && ls_is_single(conn->base.tx.mode))
        *result = run_limited(conn, &parsing, args, count);
    else if (status == LLMGR_OK)
        *result = ls_postgres_result(
            conn, PQsendQueryParams(conn->pg, lb_buf_c(&parsing.sql), (int)count, parsing.types,
                                    args->pointers, args->sizes, args->formats, BINARY));
    lb_buf_free(&parsing.sql);
    return status;
}

static llmgr_status run_statement(struct postgres_conn *conn, enum ls_statement id,
                                  const struct ls_value *values, size_t count, PGresult **out,
                                  struct llmgr_error *err)
{
    struct arguments args;
    PGresult *result = NULL;
    llmgr_status status = fill_arguments(&args, conn, values, count, err);

    if (status == LLMGR_OK)
        status = conn->pooled ? run_whole(conn, id, &args, count, &result, err)
                              : run_prepared(conn, id, &args, count, &result, err);
    if (status != LLMGR_OK)
        return status;
    if (!has_succeeded(result)) {
        status = ls_postgres_fail(conn, result, err);
        PQclear(result);
        return status;
    }
    *out = result;
    return LLMGR_OK;
}

llmgr_status ls_postgres_exec(struct ls_conn *base, enum ls_statement id,
                              const struct ls_value *values, size_t count, int64_t *changed,
                              struct llmgr_error *err)
{
    PGresult *result = NULL;
    llmgr_status status = run_statement(postgres_conn(base), id, values, count, &result, err);

    if (status != LLMGR_OK)
        return status;
    int64_t rows = 0;
    if (lb_str_to_i64(lb_cstr(PQcmdTuples(result)), &rows))
        *changed = rows;
    PQclear(result);
    return LLMGR_OK;
}

/* ---- Many runs at once ---- */

/*
 * Runs that are under way at once: what is not sent yet waits in memory. The server is asked for
 * what it has so often that a connection's patience need not last for all of them.
 */
enum { BURST = 256, FLUSH_EVERY = 16 };

static llmgr_status send_burst(struct postgres_conn *conn, const char *name,
                               const struct ls_runs *runs, size_t from, size_t to,
                               struct llmgr_error *err)
{
    struct ls_value values[LS_ARGS_MAX];
    struct arguments args;

    for (size_t i = from; i < to; i++) {
        llmgr_status status = ls_runs_fill(runs, i, values, err);
        if (status == LLMGR_OK)
            status = fill_arguments(&args, conn, values, runs->count, err);
        if (status != LLMGR_OK)
            return status;
        if (PQsendQueryPrepared(conn->pg, name, (int)runs->count, args.pointers, args.sizes,
                                args.formats, BINARY) != 1 ||
            (i % FLUSH_EVERY == FLUSH_EVERY - 1 && PQsendFlushRequest(conn->pg) != 1))
            return ls_postgres_fail(conn, NULL, err);
    }
    return LLMGR_OK;
}

/* Reads up to the synchronisation point. The first failure counts: the others follow from it. */
static llmgr_status take_burst(struct postgres_conn *conn, llmgr_status status,
                               struct llmgr_error *err)
{
    int nothing = 0;

    if (PQpipelineSync(conn->pg) != 1)
        return status != LLMGR_OK ? status : ls_postgres_fail(conn, NULL, err);
    /* Each run gives its result and then none; two times none in a row: the connection is gone. */
    while (nothing < 2) {
        PGresult *result = ls_postgres_next_result(conn);
        ExecStatusType got = PQresultStatus(result);
        if (result == NULL) {
            nothing++;
            continue;
        }
        nothing = 0;
        if (status == LLMGR_OK && got != PGRES_PIPELINE_SYNC && !has_succeeded(result))
            status = ls_postgres_fail(conn, result, err);
        PQclear(result);
        if (got == PGRES_PIPELINE_SYNC)
            return status;
    }
    return status != LLMGR_OK ? status : ls_postgres_fail(conn, NULL, err);
}

llmgr_status ls_postgres_exec_many(struct ls_conn *base, const struct ls_runs *runs,
                                   struct llmgr_error *err)
{
    struct postgres_conn *conn = postgres_conn(base);
    char name[16];
    llmgr_status status = prepare_statement(conn, runs->id, err);

    if (status != LLMGR_OK)
        return status;
    statement_name(name, conn, runs->id);
    if (PQenterPipelineMode(conn->pg) != 1)
        return ls_postgres_fail(conn, NULL, err);
    for (size_t from = 0; from < runs->times && status == LLMGR_OK; from += BURST) {
        size_t to = runs->times - from < BURST ? runs->times : from + BURST;
        status = send_burst(conn, name, runs, from, to, err);
        status = take_burst(conn, status, err);
    }
    /* A connection that cannot leave the mode is of no use: what follows on it fails. */
    if (PQexitPipelineMode(conn->pg) != 1 && status == LLMGR_OK)
        status = ls_postgres_fail(conn, NULL, err);
    return status;
}

llmgr_status ls_postgres_query(struct ls_conn *base, const struct ls_value *values, size_t count,
                               struct ls_rows *rows, struct llmgr_error *err)
{
    struct postgres_conn *conn = postgres_conn(base);
    PGresult *result = NULL;
    llmgr_status status = run_statement(conn, rows->id, values, count, &result, err);

    /* A single SELECT sends no BEGIN, so it is the first to notice that the server was restarted.
     */
    if (status != LLMGR_OK && ls_is_single(base->tx.mode) && !conn->silent &&
        PQstatus(conn->pg) == CONNECTION_BAD) {
        status = ls_postgres_reconnect(conn, err);
        if (status == LLMGR_OK)
            status = run_statement(conn, rows->id, values, count, &result, err);
    }
    if (status != LLMGR_OK)
        return status;
    if (PQnfields(result) != rows->column_count) {
        PQclear(result);
        return lb_fail(err, LLMGR_ERR_INTERNAL,
                       N_("internal error: statement %s was used wrongly (%s); please report this"),
                       LS_STATEMENTS[rows->id].name, "number of columns");
    }
    rows->result = result;
    return LLMGR_OK;
}

llmgr_status ls_postgres_next(struct ls_conn *base, struct ls_rows *rows, bool *found,
                              struct llmgr_error *err)
{
    (void)base;
    (void)err;
    *found = rows->at + 1 < PQntuples(rows->result);
    if (*found)
        rows->at++;
    return LLMGR_OK;
}

static struct ls_value read_integer(const char *p, int size)
{
    uint64_t value = 0;

    for (int i = 0; i < size; i++)
        value = value << 8 | (unsigned char)p[i];
    /* Carry the sign of a narrower integer. */
    if (size == 2)
        return ls_int((int16_t)value);
    if (size == 4)
        return ls_int((int32_t)value);
    return ls_int((int64_t)value);
}

struct ls_value ls_postgres_column(const struct ls_rows *rows, int at)
{
    const PGresult *result = rows->result;

    if (PQgetisnull(result, rows->at, at))
        return ls_null();
    const char *p = PQgetvalue(result, rows->at, at);
    int size = PQgetlength(result, rows->at, at);
    switch (PQftype(result, at)) {
    case OID_BOOL:
    case OID_INT2:
    case OID_INT4:
    case OID_INT8:
        return read_integer(p, size);
    case OID_TEXT:
    case OID_VARCHAR:
    case OID_BPCHAR:
    case OID_NAME:
    case OID_UNKNOWN:
        return ls_text(lb_str(p, (size_t)size));
    case OID_BYTEA:
        return ls_blob(p, (size_t)size);
    default:
        return (struct ls_value){.type = '?'};
    }
}

void ls_postgres_end(struct ls_rows *rows)
{
    PQclear(rows->result);
    rows->result = NULL;
}

llmgr_status ls_postgres_describe(struct ls_conn *base, enum ls_statement id, int *args,
                                  int *columns, struct llmgr_error *err)
{
    struct postgres_conn *conn = postgres_conn(base);
    char name[16];
    llmgr_status status = prepare_statement(conn, id, err);

    if (status != LLMGR_OK)
        return status;
    statement_name(name, conn, id);
    PGresult *result = ls_postgres_result(conn, PQsendDescribePrepared(conn->pg, name));
    if (has_succeeded(result)) {
        *args = PQnparams(result);
        *columns = PQnfields(result);
    } else {
        status = ls_postgres_fail(conn, result, err);
    }
    PQclear(result);
    return status;
}

llmgr_status ls_postgres_script(struct ls_conn *base, const char *sql, struct llmgr_error *err)
{
    struct postgres_conn *conn = postgres_conn(base);
    PGresult *result = ls_postgres_sql(conn, sql);
    llmgr_status status = has_succeeded(result) ? LLMGR_OK : ls_postgres_fail(conn, result, err);

    PQclear(result);
    return status;
}

llmgr_status ls_postgres_number(struct ls_conn *base, const char *sql, int64_t *out,
                                struct llmgr_error *err)
{
    struct postgres_conn *conn = postgres_conn(base);
    PGresult *result = ls_postgres_sql(conn, sql);
    llmgr_status status = LLMGR_OK;

    if (!has_succeeded(result)) {
        status = ls_postgres_fail(conn, result, err);
    } else {
        int64_t number = 0;
        if (PQntuples(result) > 0 && PQnfields(result) > 0 && !PQgetisnull(result, 0, 0))
            (void)lb_str_to_i64(lb_cstr(PQgetvalue(result, 0, 0)), &number);
        *out = number;
    }
    PQclear(result);
    return status;
}
