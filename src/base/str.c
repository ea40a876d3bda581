/* SPDX-License-Identifier: MIT */
/*
 * Questions about slices of outside bytes. Everything here is total: any bytes, any length, no
 * allocation, no failure but "no".
 */
#include "base/str.h"

bool lb_str_eq_nocase(struct lb_str a, struct lb_str b)
{
    if (a.size != b.size)
        return false;
    for (size_t i = 0; i < a.size; i++) {
        if (lb_ascii_lower(a.p[i]) != lb_ascii_lower(b.p[i]))
            return false;
    }
    return true;
}

int lb_str_cmp(struct lb_str a, struct lb_str b)
{
    size_t shared = a.size < b.size ? a.size : b.size;
    int order = shared != 0 ? memcmp(a.p, b.p, shared) : 0;

    if (order != 0)
        return order;
    return a.size < b.size ? -1 : a.size > b.size;
}

/* Nearly all texts begin and end with something visible. */
static bool is_one_of(char c, const char *blanks, size_t count)
{
    return (unsigned char)c <= ' ' && memchr(blanks, c, count) != NULL;
}

static struct lb_str without(struct lb_str s, const char *blanks, size_t count)
{
    while (s.size != 0 && is_one_of(s.p[0], blanks, count)) {
        s.p++;
        s.size--;
    }
    while (s.size != 0 && is_one_of(s.p[s.size - 1], blanks, count))
        s.size--;
    return s;
}

struct lb_str lb_str_trim(struct lb_str s)
{
    return without(s, " \t", 2);
}

struct lb_str lb_str_strip(struct lb_str s)
{
    return without(s, " \t\r\n", 4);
}

bool lb_str_to_u64(struct lb_str s, uint64_t *value)
{
    uint64_t sum = 0;

    if (s.size == 0)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
        if (__builtin_mul_overflow(sum, 10u, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)(s.p[i] - '0'), &sum))
            return false;
    }
    *value = sum;
    return true;
}

bool lb_str_to_i64(struct lb_str s, int64_t *value)
{
    bool negative = s.size != 0 && s.p[0] == '-';
    uint64_t size;

    if (!lb_str_to_u64(lb_str_sub(s, negative, s.size), &size))
        return false;
    if (size > (uint64_t)INT64_MAX + negative)
        return false;
    *value = negative ? (int64_t)(0 - size) : (int64_t)size;
    return true;
}

size_t lb_utf8_decode(struct lb_str s, uint32_t *code_point)
{
    static const uint32_t LEAST[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t size;
    uint32_t value;

    if (s.size == 0)
        return 0;
    unsigned char first = (unsigned char)s.p[0];
    if (first < 0x80) {
        *code_point = first;
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        size = 2;
        value = first & 0x1f;
    } else if ((first & 0xf0) == 0xe0) {
        size = 3;
        value = first & 0x0f;
    } else if (first >= 0xf0 && first <= 0xf4) {
        size = 4;
        value = first & 0x07;
    } else {
        return 0;
    }
    if (s.size < size)
        return 0;
    for (size_t i = 1; i < size; i++) {
        unsigned char next = (unsigned char)s.p[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (next & 0x3f);
    }
    if (value < LEAST[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
        return 0;
    *code_point = value;
    return size;
}

enum { WORD = sizeof(uint64_t) };
#define EIGHT(byte) (UINT64_C(0x0101010101010101) * (byte))

/* Eight bytes, each from `least` (above 0) to `most` (below 0x80): what most text is made of. */
static bool plain_ascii(const char *p, unsigned char least, unsigned char most)
{
    uint64_t word;

    memcpy(&word, p, sizeof word);
    return ((word | (word - EIGHT(least)) | (word + EIGHT(0x7f - most))) & EIGHT(0x80)) == 0;
}

/*
 * Where the text goes on behind plain ASCII at `at`: a word further, at its end, or a byte further.
 * A rest that is shorter than a word is looked at together with what stands before it, once more.
 */
static size_t skip_ascii(struct lb_str s, size_t at, unsigned char least, unsigned char most)
{
    if (s.size >= WORD) {
        size_t from = s.size - at >= WORD ? at : s.size - WORD;
        if (plain_ascii(s.p + from, least, most))
            return from + WORD;
    }
    unsigned char byte = (unsigned char)s.p[at];
    return at + (byte >= least && byte <= most);
}

bool lb_utf8_valid(struct lb_str s)
{
    uint32_t code_point;

    for (size_t at = 0; at < s.size;) {
        size_t next = skip_ascii(s, at, 1, 0x7f);
        if (next == at) {
            size_t size = lb_utf8_decode(lb_str_sub(s, at, s.size), &code_point);
            if (size == 0 || code_point == 0)
                return false;
            next += size;
        }
        at = next;
    }
    return true;
}

static bool is_control(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

bool lb_utf8_name(struct lb_str s, size_t max_size)
{
    uint32_t code_point;

    if (s.size == 0 || s.size > max_size)
        return false;
    for (size_t at = 0; at < s.size;) {
        size_t next = skip_ascii(s, at, 0x20, 0x7e);
        if (next == at) {
            size_t size = lb_utf8_decode(lb_str_sub(s, at, s.size), &code_point);
            if (size == 0 || is_control(code_point))
                return false;
            next += size;
        }
        at = next;
    }
    return true;
}

size_t lb_utf8_cut(struct lb_str s, size_t max_size)
{
    if (s.size <= max_size)
        return s.size;
    size_t cut = max_size;
    while (cut != 0 && ((unsigned char)s.p[cut] & 0xc0) == 0x80)
        cut--;
    return cut;
}

/*
 * Ranges that terminals draw two columns wide (Unicode 15 East Asian Width W and F, in blocks) and
 * those that take none. wcwidth(3) would need the host's locale, which is not ours to set.
 */
static bool is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0x303e) ||
           (c >= 0x3041 && c <= 0xa4cf) || (c >= 0xa960 && c <= 0xa97f) ||
           (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
           (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1f64f) ||
           (c >= 0x1f680 && c <= 0x1f6ff) || (c >= 0x1f900 && c <= 0x1f9ff) ||
           (c >= 0x20000 && c <= 0x3fffd);
}

static bool is_zero_width(uint32_t c)
{
    return (c >= 0x300 && c <= 0x36f) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x20d0 && c <= 0x20ff) || (c >= 0xfe00 && c <= 0xfe0f) || c == 0xfeff ||
           is_control(c);
}

size_t lb_utf8_width(struct lb_str s)
{
    size_t width = 0;
    uint32_t code_point;

    for (size_t at = 0; at < s.size;) {
        size_t size = lb_utf8_decode(lb_str_sub(s, at, s.size), &code_point);
        if (size == 0) {
            size = 1;
            width++;
        } else if (!is_zero_width(code_point)) {
            width += is_wide(code_point) ? 2 : 1;
        }
        at += size;
    }
    return width;
}
