/* SPDX-License-Identifier: MIT */
/* The texts of typed values: what "64MiB", "10s" or "fixed" means. */
#ifndef LC_VALUE_H
#define LC_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "config/options.h"

/* true/false, yes/no, on/off, 1/0; letters of any case. */
bool lc_parse_bool(struct lb_str text, bool *value);
/* "0", or a decimal count and ms, s, m, h or d: milliseconds. */
bool lc_parse_duration(struct lb_str text, int64_t *value);
/* Bytes: decimal digits, optionally K, KiB, M, MiB, G, GiB (powers of 1024). */
bool lc_parse_size(struct lb_str text, int64_t *value);
/* The index of `text` in "a|b|c". */
bool lc_parse_choice(struct lb_str text, const char *choices, int *value);
/* The shortest exact text of a duration ("90s") or a size ("64MiB"). */
void lc_format_duration(int64_t value, struct lb_buf *out);
void lc_format_size(int64_t value, struct lb_buf *out);

/*
 * Cuts the next item off *rest; false at the end (or, for words, with *bad set on an open quote).
 * Items are separated by commas and trimmed; empty ones are skipped.
 */
bool lc_next_item(struct lb_str *rest, struct lb_str *item);
/*
 * Words are separated by blanks; '...' and "..." keep blanks, a backslash outside of '...' the next
 * byte. The word is appended to `word` unquoted.
 */
bool lc_next_word(struct lb_str *rest, struct lb_buf *word, bool *bad);

enum { LC_SHOWN_SIZE = 81 };
/*
 * An outside text as an error may show it, into `out` of LC_SHOWN_SIZE bytes: cut, and with '?'
 * for what could play tricks on a terminal. Returns `out`.
 */
const char *lc_shown(struct lb_str text, char *out);

/* Edit distance of two names in bytes, at most `limit` (then limit + 1). */
unsigned lc_distance(struct lb_str a, struct lb_str b, unsigned limit);
/*
 * The first of `names` (they end with NULL) that at most `most` changes of single bytes make of
 * `name`, and no more than half of its own bytes; NULL: none is so near.
 */
const char *lc_nearest(struct lb_str name, const char *const *names, unsigned most);

#endif
