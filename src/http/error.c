/* SPDX-License-Identifier: MIT */
/* The table of http/error.h, read three ways. */
#include "http/error.h"

struct row {
    const char *name;
    const char *text;
    int http;
};

static const struct row rows[] = {
#define LH_ERROR_ROW(name, http, text) {#name, text, http},
    LH_ERROR_MAP(LH_ERROR_ROW)
#undef LH_ERROR_ROW
};

static const struct row unknown = {"UNKNOWN", N_("an unknown error"), 500};

static const struct row *find(enum lh_error error)
{
    return (size_t)error < sizeof(rows) / sizeof(rows[0]) ? &rows[error] : &unknown;
}

const char *lh_error_name(enum lh_error error)
{
    return find(error)->name;
}

const char *lh_error_text(enum lh_error error)
{
    return find(error)->text;
}

int lh_error_http(enum lh_error error)
{
    return find(error)->http;
}
