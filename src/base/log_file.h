/* SPDX-License-Identifier: MIT */
/*
 * A file of lines that many workers write and none waits for.
 *
 *   worker --> ring of its own (LB_LOG_RING bytes) --\
 *   worker --> ring of its own ----------------------+--> the writer's thread --> file
 *
 * A worker copies its line into its ring, without a lock; the thread writes out what the rings hold
 * every LB_LOG_MS. A file that cannot be written (its disk is full, nobody reads the pipe) is tried
 * again and again; meanwhile the rings fill, and lines that find no room are lost and counted.
 * Lines are never cut or mixed.
 */
#ifndef LB_LOG_FILE_H
#define LB_LOG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/host.h"
#include "base/str.h"

struct lb_log_file;

enum {
    LB_LOG_RING = 1 << 20,  /* bytes of each worker's */
    LB_LOG_MS = 100,        /* between two looks of the thread */
    LB_LOG_CLOSE_MS = 2000, /* for the last lines */
};

/* `path`: a file, appended to; "-": standard output; "off" or NULL: nothing. ERR_IO names it. */
LLMGR_MUST_CHECK llmgr_status lb_log_file_new(const struct lb_host *host, size_t workers,
                                              const char *path, struct lb_log_file **log,
                                              struct llmgr_error *err);
/* Writes what is left, within LB_LOG_CLOSE_MS; the workers have ended. NULL is fine. */
void lb_log_file_free(struct lb_log_file *log);
/* Opens `path` (the same after a rotation, or another); what is there now stays if that fails. */
LLMGR_MUST_CHECK llmgr_status lb_log_file_reopen(struct lb_log_file *log, const char *path,
                                                 struct llmgr_error *err);
/* Is anybody interested? */
bool lb_log_file_is_on(const struct lb_log_file *log);
/* A line with its end. False: lost. From the worker's thread only. */
bool lb_log_file_add(struct lb_log_file *log, size_t worker, struct lb_str line);

#endif
