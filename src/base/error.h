/* SPDX-License-Identifier: MIT */
/*
 * Filling a caller's struct llmgr_error. Formats are msgids of the gettext domain "llmgr"; this is
 * the only place where the library's messages are translated.
 */
#ifndef LB_ERROR_H
#define LB_ERROR_H

#include "llmgr.h"

/* Marks a text that is translated where it is shown; the catalogue's extractor looks for it. */
#define N_(text) text

/*
 * Fills `err` (which may be NULL) and returns `status`, so that a failing line reads
 *     return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no platform %lld"), id);
 * `format` is an English msgid; its translation is used if the host's locale has one. The text
 * names the thing and the remedy, and never holds a secret.
 */
llmgr_status lb_fail(struct llmgr_error *err, llmgr_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The one text for exhausted memory. Returns LLMGR_ERR_NO_MEMORY. */
llmgr_status lb_fail_memory(struct llmgr_error *err);

/* The translation of `msgid` in the host's locale, or `msgid`. Static storage. */
const char *lb_tr(const char *msgid) __attribute__((format_arg(1)));

#endif
