/* SPDX-License-Identifier: MIT */
/* What the commands of `llmgr usage` share. */
#ifndef CLI_USAGE_H
#define CLI_USAGE_H

#include "cli/cli.h"

/* A count that nobody knows is no number: NULL, which a table shows as a dash, not as a zero. */
const char *cli_usage_count(int64_t count, char text[24]);

#endif
