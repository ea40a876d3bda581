/* SPDX-License-Identifier: MIT */
/*
 * The .env file: NAME=VALUE lines, as python-dotenv reads them, without interpolation. Known are
 * `export `, comments, blank lines, CRLF, a byte order mark, 'single quotes' (\\ and \' only),
 * "double quotes" (also \n \r \t \" \$), quoted values over several lines, and a comment after an
 * unquoted value if a blank precedes its '#'. Of a repeated name the last counts.
 *
 * A line that is not understood, or that wants another variable filled in (${OTHER}; it is itself
 * between single quotes), sets nothing and is complained of; the other lines count.
 */
#ifndef LC_DOTENV_H
#define LC_DOTENV_H

#include "base/host.h"
#include "base/str.h"
#include "llmgr.h"

enum {
    LC_DOTENV_SIZE_MAX = 1 << 20, /* bytes of the file */
    LC_DOTENV_COUNT_MAX = 4096,   /* variables */
    LC_DOTENV_VALUE_MAX = 32768,  /* bytes of one value */
    LC_DOTENV_COMPLAINTS_MAX = 20 /* lines that are named */
};

struct lc_dotenv;

/* `name` stands in errors (LLMGR_ERR_CONFIG) and complaints, which never show a value. */
LLMGR_MUST_CHECK llmgr_status lc_dotenv_parse(const struct lb_host *host, const char *name,
                                              struct lb_str text, struct lc_dotenv **dotenv,
                                              struct llmgr_error *err);
/* Reads and parses; LLMGR_ERR_NOT_FOUND if there is no such file, LLMGR_ERR_IO. */
LLMGR_MUST_CHECK llmgr_status lc_dotenv_read(const struct lb_host *host, const char *path,
                                             struct lc_dotenv **dotenv, struct llmgr_error *err);
void lc_dotenv_free(struct lc_dotenv *dotenv); /* wipes; NULL is fine */
/* The value, or NULL. Valid until the free. */
const char *lc_dotenv_get(const struct lc_dotenv *dotenv, const char *name);
/* Which lines were not used, and why: "name:line: ...", a line of text each; empty if all were. */
const char *lc_dotenv_complaints(const struct lc_dotenv *dotenv);
size_t lc_dotenv_count(const struct lc_dotenv *dotenv);

#endif
