/* SPDX-License-Identifier: MIT */
/* What may be an API key, before it is sealed. */
#ifndef LK_KEY_TEXT_H
#define LK_KEY_TEXT_H

#include "base/str.h"
#include "llmgr.h"

enum { LK_KEY_MAX = 4096 }; /* bytes of an API key */

/* 1 to LK_KEY_MAX bytes of visible ASCII, no {PLACEHOLDER}. The text never shows the key. */
LLMGR_MUST_CHECK llmgr_status lk_rule_key(struct lb_str key, struct llmgr_error *err);

/* A key from a file or variable, without the blanks and line ends that cling to such. */
struct lb_str lk_trim_key(struct lb_str key);

#endif
