/* SPDX-License-Identifier: MIT */
/*
 * The status table's look-ups and the one place where a message is formatted and translated.
 */
#include "base/error.h"

#include <libintl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct status_row {
    llmgr_status status;
    int http;
    int exit_code;
    const char *name;
    const char *text;
} STATUS_ROWS[] = {
#define STATUS_ROW(name, number, http, exit_code, text)                                            \
    {LLMGR_##name, http, exit_code, #name, text},
    LLMGR_STATUS_MAP(STATUS_ROW)
#undef STATUS_ROW
};

static const struct status_row *status_row(llmgr_status status)
{
    for (size_t i = 0; i < sizeof STATUS_ROWS / sizeof STATUS_ROWS[0]; i++) {
        if (STATUS_ROWS[i].status == status)
            return &STATUS_ROWS[i];
    }
    return NULL;
}

const char *llmgr_status_name(llmgr_status status)
{
    const struct status_row *row = status_row(status);
    return row != NULL ? row->name : "ERR_UNKNOWN";
}

const char *llmgr_status_text(llmgr_status status)
{
    const struct status_row *row = status_row(status);
    return row != NULL ? row->text : "unknown status";
}

int llmgr_status_http(llmgr_status status)
{
    const struct status_row *row = status_row(status);
    return row != NULL ? row->http : 500;
}

int llmgr_status_exit(llmgr_status status)
{
    const struct status_row *row = status_row(status);
    return row != NULL ? row->exit_code : 1;
}

const char *lb_tr(const char *msgid)
{
    return dgettext("llmgr", msgid);
}

llmgr_status lb_fail(struct llmgr_error *err, llmgr_status status, const char *format, ...)
{
    char text[2048];
    va_list args;

    if (err == NULL)
        return status;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, lb_tr(format), args);
    va_end(args);
    *err = (struct llmgr_error){.status = status, .retry_after_ms = -1};
    if (size < 0)
        return status;
    size_t keep = lb_utf8_cut(lb_cstr(text), sizeof err->message - 1);
    memcpy(err->message, text, keep);
    err->message[keep] = '\0';
    return status;
}

llmgr_status lb_fail_memory(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
}
