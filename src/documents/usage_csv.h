/* SPDX-License-Identifier: MIT */
/*
 * Sums of usage as CSV (RFC 4180): a line of names, then one line for each sum and currency, of
 * which only the first of a sum has its counts, so that each column can be added up. What is
 * unknown is empty. A text that a spreadsheet would take for a formula has a ' before it.
 *
 * Both append to `out`, which says itself when it is full or memory is short.
 */
#ifndef LX_USAGE_CSV_H
#define LX_USAGE_CSV_H

#include "base/buf.h"
#include "llmgr.h"

void lx_csv_usage_head(llmgr_usage_by by, struct lb_buf *out);
void lx_csv_usage_sums(const struct llmgr_usage_sum *sums, size_t count, struct lb_buf *out);

#endif
