/* SPDX-License-Identifier: MIT */
/* Shared by tokens.c and token_write.c. */
#ifndef LW_TOKENS_INT_H
#define LW_TOKENS_INT_H

#include <stdint.h>

#include "base/str.h"

enum { LW_CHANGE_NAME_SIZE = 32 };

/* Under which name a change of the token is announced; returns it, in `text`. */
struct lb_str lw_token_change_name(int64_t token_id, char text[LW_CHANGE_NAME_SIZE]);

#endif
