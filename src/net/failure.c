/* SPDX-License-Identifier: MIT */
/* How a connection's failure is noted, by the engine and by what carries its bytes. */
#include <errno.h>

#include "net/conn_int.h"

enum ln_io ln_conn_fail(struct ln_conn *conn, llmgr_status why, int sys)
{
    if (!conn->failed) {
        conn->failed = true;
        conn->why = why;
        conn->sys = sys;
    }
    return LN_IO_FAIL;
}

enum ln_io ln_conn_fail_errno(struct ln_conn *conn, int sys)
{
    switch (sys) {
    case ECONNRESET:
    case ECONNABORTED:
    case EPIPE:
        return ln_conn_fail(conn, LLMGR_ERR_CUT, sys);
    case ETIMEDOUT:
        return ln_conn_fail(conn, LLMGR_ERR_TIMEOUT, sys);
    case ENOMEM:
        return ln_conn_fail(conn, LLMGR_ERR_NO_MEMORY, sys);
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
    case ENOENT:
    case EADDRNOTAVAIL:
        return ln_conn_fail(conn, LLMGR_ERR_UNREACHABLE, sys);
    default:
        return ln_conn_fail(conn, LLMGR_ERR_IO, sys);
    }
}
