/* SPDX-License-Identifier: MIT */
/* Cells of tables that show prices: parts with commas between them. */
#ifndef CLI_PRICE_H
#define CLI_PRICE_H

#include "base/buf.h"
#include "llmgr.h"

enum { CLI_PRICE_CELL_MAX = 2048 }; /* bytes of a cell */

/* Appends one more part. */
void cli_add_part(struct lb_buf *cell, const char *part);
/* "over 200000 tokens, batch, 16:30-00:30 UTC"; nothing of a price without conditions. */
void cli_add_conditions(const struct llmgr_price *price, struct lb_buf *cell);

#endif
