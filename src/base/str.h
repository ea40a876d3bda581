/* SPDX-License-Identifier: MIT */
/*
 * Slices: a borrowed run of bytes with its length, and the questions we ask of one. Parsers hand
 * out slices into what they were given; nothing here allocates.
 */
#ifndef LB_STR_H
#define LB_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct lb_str {
    const char *p; /* not NUL-terminated; may be NULL when size is 0 */
    size_t size;   /* bytes */
};

#define LB_STR(literal) ((struct lb_str){(literal), sizeof(literal) - 1})

static inline struct lb_str lb_str(const char *p, size_t size)
{
    return (struct lb_str){p, size};
}

/* The slice of a C string; NULL gives the empty slice. */
static inline struct lb_str lb_cstr(const char *s)
{
    return (struct lb_str){s, s != NULL ? strlen(s) : 0};
}

bool lb_str_eq(struct lb_str a, struct lb_str b);
bool lb_str_eq_c(struct lb_str a, const char *b);
/* ASCII letters compare without case; other bytes exactly. */
bool lb_str_eq_nocase(struct lb_str a, struct lb_str b);
bool lb_str_starts(struct lb_str s, struct lb_str prefix);
bool lb_str_ends(struct lb_str s, struct lb_str suffix);
/* Byte order, as memcmp; shorter first. */
int lb_str_cmp(struct lb_str a, struct lb_str b);
/* Offset of the first `byte`, or s.size. */
size_t lb_str_find(struct lb_str s, char byte);
/* Without leading and trailing ASCII space and tab. */
struct lb_str lb_str_trim(struct lb_str s);
/* Bytes [from, to) of s; bounds are clamped. */
struct lb_str lb_str_sub(struct lb_str s, size_t from, size_t to);

/* Decimal digits only, the whole slice, no sign or space; false on anything else or overflow. */
bool lb_str_to_u64(struct lb_str s, uint64_t *value);
/* As above with an optional leading '-'. */
bool lb_str_to_i64(struct lb_str s, int64_t *value);

char lb_ascii_lower(char c);

/* Valid UTF-8 without NUL, surrogates or over-long forms (RFC 3629)? */
bool lb_utf8_valid(struct lb_str s);
/* Valid UTF-8, no control characters (C0, DEL, C1), not empty, at most max_size bytes: a name. */
bool lb_utf8_name(struct lb_str s, size_t max_size);
/* The longest prefix of s of at most max_size bytes that ends at a character's boundary. */
size_t lb_utf8_cut(struct lb_str s, size_t max_size);
/*
 * Decodes one code point; returns the bytes used (1-4), or 0 if s is empty or not valid UTF-8
 * there.
 */
size_t lb_utf8_decode(struct lb_str s, uint32_t *code_point);
/* Terminal columns (wide CJK and emoji count 2, combining marks 0). */
size_t lb_utf8_width(struct lb_str s);

#endif
