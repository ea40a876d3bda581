/* SPDX-License-Identifier: MIT */
/* What the commands of `llmgr usage` share. */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include "cli/cli.h"

/* A count that nobody knows is no number: NULL, which a table shows as a dash, not as a zero. */
const char *cli_usage_count(int64_t count, char text[24]);

/*
 * Sums as CSV (RFC 4180) on standard output: a line of names, then one line for each sum and
 * currency, of which only the first of a sum has its counts, so that each column can be added up.
 * What is unknown is empty. A text that a spreadsheet would take for a formula has a ' before it.
 */
void cli_usage_csv_head(llmgr_usage_by by);
void cli_usage_csv_sum(const struct llmgr_usage_sum *sum);

#endif
