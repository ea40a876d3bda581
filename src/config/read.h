/* SPDX-License-Identifier: MIT */
/* Reading a configuration file whole. */
#ifndef LC_READ_H
#define LC_READ_H

#include "base/buf.h"
#include "llmgr.h"

/*
 * Appends the file's bytes to `out`, whose limit is the largest file accepted. LLMGR_ERR_NOT_FOUND
 * if there is none, LLMGR_ERR_CONFIG if it is too large or no file, LLMGR_ERR_IO.
 */
LLMGR_MUST_CHECK llmgr_status lc_read_file(const char *path, struct lb_buf *out,
                                           struct llmgr_error *err);

#endif
