/* SPDX-License-Identifier: MIT */
/*
 * PostgreSQL's SQLSTATE codes in our words. Only the primary message of a result is passed on: the
 * detail would quote the row's values, and those may be secrets.
 *
 * Codes: PostgreSQL documentation, appendix A.
 */
#include "base/error.h"
#include "store/postgres.h"

/* One line without control characters, as libpq's messages end in a line break. */
static void one_line(char *out, size_t size, const char *text)
{
    size_t used = lb_utf8_cut(lb_cstr(text), size - 1);

    memcpy(out, text, used);
    while (used > 0 && (unsigned char)out[used - 1] <= ' ')
        used--;
    out[used] = '\0';
    for (size_t i = 0; i < used; i++) {
        if ((unsigned char)out[i] < ' ')
            out[i] = ' ';
    }
}

llmgr_status ls_postgres_unreachable(const char *place, PGconn *pg, struct llmgr_error *err)
{
    char text[300];

    if (pg == NULL)
        return lb_fail_memory(err);
    one_line(text, sizeof text, PQerrorMessage(pg));
    return lb_fail(err, LLMGR_ERR_DATABASE,
                   N_("cannot connect to the database %s: %s; check the URL and that the server "
                      "runs"),
                   place, text);
}

/* What a pooler says before it ends a connection. */
#define PROTOCOL_VIOLATION "08P01"

static llmgr_status lost(struct postgres_conn *conn, const PGresult *result,
                         struct llmgr_error *err)
{
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    char text[300];

    /* Whoever waited once for one that says nothing does not wait four times more. */
    conn->base.tx.retry = !conn->silent;
    if (conn->silent)
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("the database %s did not answer for %d seconds and the connection to it "
                          "was given up; see whether the server and the network to it work"),
                       conn->base.store->place, (int)(conn->silence_ms / 1000));
    if (state != NULL && strcmp(state, PROTOCOL_VIOLATION) == 0) {
        one_line(text, sizeof text, PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("the pooler before the database %s ended the connection: %s; it must "
                          "give whole transactions (pool_mode = transaction or session) and have "
                          "connections left"),
                       conn->base.store->place, text);
    }
    return lb_fail(err, LLMGR_ERR_DATABASE,
                   N_("the connection to the database %s was lost; try again"),
                   conn->base.store->place);
}

struct state_row {
    const char *state; /* a whole SQLSTATE, or the class's first letters */
    llmgr_status status;
    bool retry;
    const char *text;
};

static const struct state_row STATES[] = {
    {"23505", LLMGR_ERR_CONFLICT, false, N_("it already holds such an entry; choose another name")},
    {"23503", LLMGR_ERR_CONFLICT, false,
     N_("it no longer holds the entry this one belongs to; look it up again")},
    {"23", LLMGR_ERR_DATABASE, false, N_("it refuses the value")},
    {"40001", LLMGR_ERR_DATABASE_BUSY, true, N_("it is busy with competing changes; try again")},
    {"40P01", LLMGR_ERR_DATABASE_BUSY, true, N_("it is busy with competing changes; try again")},
    {"55P03", LLMGR_ERR_DATABASE_BUSY, false,
     N_("it is locked by another process; try again when it is done")},
    {"57014", LLMGR_ERR_DATABASE_BUSY, false,
     N_("it took too long to answer; try again, or allow more time")},
    {"57P", LLMGR_ERR_DATABASE, true, N_("it is being shut down; try again later")},
    {"25006", LLMGR_ERR_DATABASE_READONLY, false,
     N_("it may only be read; connect to the primary server")},
    {"42501", LLMGR_ERR_DATABASE, false,
     N_("it does not permit this; grant the role the rights it needs")},
    {"53100", LLMGR_ERR_DATABASE_FULL, false,
     N_("there is no space left for it; free disk space and try again")},
    {"53", LLMGR_ERR_DATABASE_BUSY, false, N_("it is short of resources; try again later")},
    {"58030", LLMGR_ERR_DATABASE_FULL, false,
     N_("it cannot read or write its files; check the server's disk")},
    {"", LLMGR_ERR_DATABASE, false, N_("the server reports an error")},
};

llmgr_status ls_postgres_fail(struct postgres_conn *conn, const PGresult *result,
                              struct llmgr_error *err)
{
    char text[300];
    const char *state = result != NULL ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *message =
        result != NULL ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;

    if (PQstatus(conn->pg) == CONNECTION_BAD)
        return lost(conn, result, err);
    if (result == NULL)
        return lb_fail_memory(err);
    if (state == NULL)
        state = "";
    one_line(text, sizeof text, message != NULL ? message : PQresultErrorMessage(result));
    const struct state_row *row = STATES;
    while (strncmp(state, row->state, strlen(row->state)) != 0)
        row++;
    conn->base.tx.retry = row->retry;
    return lb_fail(err, row->status, N_("the database %s: %s (%s)"), conn->base.store->place,
                   lb_tr(row->text), text);
}
