/* SPDX-License-Identifier: MIT */
/*
 * A file of lines that many workers write and none waits for.
 *
 *   worker --> ring of its own (LG_LOG_RING bytes) --\
 *   worker --> ring of its own ----------------------+--> the writer's thread --> file
 *
 * A worker copies its line into its ring, without a lock; the thread writes out what the rings hold
 * every LG_LOG_MS. A file that cannot be written (its disk is full, nobody reads the pipe) is tried
 * again and again; meanwhile the rings fill, and lines that find no room are lost and counted.
 * Lines are never cut or mixed.
 */
#ifndef LG_LOG_FILE_H
#define LG_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/host.h"
#include "base/str.h"

struct lg_log;

enum {
    LG_LOG_RING = 1 << 20,  /* bytes of each worker's */
    LG_LOG_MS = 100,        /* between two looks of the thread */
    LG_LOG_CLOSE_MS = 2000, /* for the last lines */
};

/* `path`: a file, appended to; "-": standard output; "off" or NULL: nothing. ERR_IO names it. */
LLMGR_MUST_CHECK llmgr_status lg_log_new(const struct lb_host *host, size_t workers,
                                         const char *path, struct lg_log **log,
                                         struct llmgr_error *err);
/* Writes what is left, within LG_LOG_CLOSE_MS; the workers have ended. NULL is fine. */
void lg_log_free(struct lg_log *log);
/* Opens `path` (the same after a rotation, or another); what is there now stays if that fails. */
LLMGR_MUST_CHECK llmgr_status lg_log_reopen(struct lg_log *log, const char *path,
                                            struct llmgr_error *err);
/* Is anybody interested? */
bool lg_log_is_on(const struct lg_log *log);
/* A line with its end. False: lost. From the worker's thread only. */
bool lg_log_add(struct lg_log *log, size_t worker, struct lb_str line);

#endif
