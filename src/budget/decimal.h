/* SPDX-License-Identifier: MIT */
/*
 * Money as text: decimals are read and written exactly, by integers alone. What cannot be told
 * exactly is an error, never rounded.
 */
#ifndef LQ_DECIMAL_H
#define LQ_DECIMAL_H

#include "base/str.h"
#include "llmgr.h"

/* See llmgr_rate_parse. */
LLMGR_MUST_CHECK llmgr_status lq_rate_read(struct lb_str text, int64_t per, int64_t *rate,
                                           struct llmgr_error *err);
/* See llmgr_rate_format and llmgr_amount_format. */
void lq_rate_write(int64_t rate, int64_t per, char text[LLMGR_RATE_TEXT_SIZE]);
void lq_amount_write(int64_t nano, char text[LLMGR_RATE_TEXT_SIZE]);

#endif
