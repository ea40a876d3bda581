/* SPDX-License-Identifier: MIT */
/*
 * Header fields: the names known by number, and the character classes of RFC 9110. Nothing here
 * copies; a field is two slices into the bytes that were parsed.
 */
#ifndef LH_FIELD_H
#define LH_FIELD_H

#include "base/str.h"

enum lh_header {
    LH_HEADER_OTHER = 0, /* none of the table's names */
#define XX(name, text, size, first, last, hop, once) LH_HEADER_##name,
#include "http/headers.def"
#undef XX
    LH_HEADER_COUNT
};

struct lh_field {
    struct lb_str name;  /* a token, as sent */
    struct lb_str value; /* without surrounding white space; HTAB, 0x20-0x7e and 0x80-0xff only */
    enum lh_header id;
};

/* The number of a field name in any case, or LH_HEADER_OTHER. */
enum lh_header lh_header_find(struct lb_str name);
/* Does the field concern one connection only (RFC 9110 section 7.6.1)? */
bool lh_header_is_hop(enum lh_header id);
/* May the field stand in a request only once? */
bool lh_header_is_once(enum lh_header id);

/* Bytes of the longest prefix of token characters (RFC 9110 section 5.6.2). */
size_t lh_token_size(struct lb_str s);
/* Not empty and token characters only? */
bool lh_is_token(struct lb_str s);
/* Free of NUL, CR, LF and other control characters but HTAB? */
bool lh_is_value(struct lb_str s);
/*
 * The next member of a comma-separated list without surrounding white space; empty members are
 * skipped. Advances *list; false at the end. Quoted strings are not understood.
 */
bool lh_list_next(struct lb_str *list, struct lb_str *member);

#endif
