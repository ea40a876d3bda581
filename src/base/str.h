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

/*
 * The names of a map, XX(NAME, number, "name"), as "a|b|c". Where the numbers count from 0, the
 * i-th is that of the number i.
 */
#define LB_NAMES(MAP) (&("" MAP(LB_NAMES_ROW))[1])
#define LB_NAMES_ROW(NAME, number, text) "|" text

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

/*
 * The small questions stand here, in the open: a request asks hundreds of them, and a call would
 * cost more than the answer.
 */
static inline char lb_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool lb_str_eq(struct lb_str a, struct lb_str b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.p, b.p, a.size) == 0);
}

static inline bool lb_str_eq_c(struct lb_str a, const char *b)
{
    return lb_str_eq(a, lb_cstr(b));
}

static inline bool lb_str_starts(struct lb_str s, struct lb_str prefix)
{
    return s.size >= prefix.size && lb_str_eq(lb_str(s.p, prefix.size), prefix);
}

static inline bool lb_str_ends(struct lb_str s, struct lb_str suffix)
{
    return s.size >= suffix.size &&
           (suffix.size == 0 || memcmp(s.p + (s.size - suffix.size), suffix.p, suffix.size) == 0);
}

/* Offset of the first `byte`, or s.size. */
static inline size_t lb_str_find(struct lb_str s, char byte)
{
    const char *at = s.size != 0 ? (const char *)memchr(s.p, byte, s.size) : NULL;
    return at != NULL ? (size_t)(at - s.p) : s.size;
}

/* Bytes [from, to) of s; bounds are clamped. */
static inline struct lb_str lb_str_sub(struct lb_str s, size_t from, size_t to)
{
    if (to > s.size)
        to = s.size;
    if (from > to)
        from = to;
    return from == to ? lb_str(s.p, 0) : lb_str(s.p + from, to - from);
}

/* ASCII letters compare without case; other bytes exactly. */
bool lb_str_eq_nocase(struct lb_str a, struct lb_str b);
/* Byte order, as memcmp; shorter first. */
int lb_str_cmp(struct lb_str a, struct lb_str b);
/* Without leading and trailing ASCII space and tab. */
struct lb_str lb_str_trim(struct lb_str s);
/* The same, without line ends too: what came from a file or another program. */
struct lb_str lb_str_strip(struct lb_str s);

/* Decimal digits only, the whole slice, no sign or space; false on anything else or overflow. */
bool lb_str_to_u64(struct lb_str s, uint64_t *value);
/* As above with an optional leading '-'. */
bool lb_str_to_i64(struct lb_str s, int64_t *value);

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
