/* SPDX-License-Identifier: MIT */
/* Reading and writing IPv4 and IPv6 addresses. */
#include "http/ip.h"

#include "http/hex.h"

enum { GROUPS = 8, NO_GAP = 9 };

static bool parse_byte(struct lb_str s, uint8_t *byte)
{
    uint64_t value;

    if (s.size > 3 || !lb_str_to_u64(s, &value) || value > UINT8_MAX)
        return false;
    *byte = (uint8_t)value;
    return s.size == 1 || s.p[0] != '0';
}

bool lh_ipv4_parse(struct lb_str s, uint8_t address[4])
{
    for (size_t i = 0; i < 4; i++) {
        size_t dot = lb_str_find(s, '.');
        if (!parse_byte(lb_str_sub(s, 0, dot), &address[i]) || (dot == s.size) != (i == 3))
            return false;
        s = lb_str_sub(s, dot + 1, s.size);
    }
    return true;
}

/* One to four hexadecimal digits. */
static bool parse_group(struct lb_str s, uint8_t group[2])
{
    unsigned value = 0;

    if (s.size == 0 || s.size > 4)
        return false;
    for (size_t i = 0; i < s.size; i++) {
        int digit = lh_hex_digit(s.p[i]);
        if (digit < 0)
            return false;
        value = value << 4 | (unsigned)digit;
    }
    group[0] = (uint8_t)(value >> 8);
    group[1] = (uint8_t)value;
    return true;
}

/*
 * The groups from left to right into `address`, as many as there are; *gap is the number of groups
 * before "::", or NO_GAP.
 */
static bool parse_groups(struct lb_str s, uint8_t address[16], size_t *count, size_t *gap)
{
    while (s.size != 0) {
        size_t colon = lb_str_find(s, ':');
        struct lb_str part = lb_str_sub(s, 0, colon);
        if (lb_str_find(part, '.') != part.size) {
            bool fits = colon == s.size && *count <= GROUPS - 2;
            *count += 2;
            return fits && lh_ipv4_parse(part, address + 2 * (*count - 2));
        }
        if (*count == GROUPS || !parse_group(part, address + 2 * *count))
            return false;
        (*count)++;
        if (colon == s.size)
            return true;
        s = lb_str_sub(s, colon + 1, s.size);
        if (s.size == 0)
            return false;
        if (s.p[0] != ':')
            continue;
        if (*gap != NO_GAP)
            return false;
        *gap = *count;
        s = lb_str_sub(s, 1, s.size);
    }
    return true;
}

bool lh_ipv6_parse(struct lb_str s, uint8_t address[16])
{
    uint8_t groups[2 * GROUPS] = {0};
    size_t count = 0;
    size_t gap = NO_GAP;

    if (s.size > LH_IP_TEXT_MAX)
        return false;
    if (lb_str_starts(s, LB_STR("::"))) {
        gap = 0;
        s = lb_str_sub(s, 2, s.size);
    } else if (s.size == 0) {
        return false;
    }
    if (!parse_groups(s, groups, &count, &gap) || (gap == NO_GAP) != (count == GROUPS))
        return false;
    if (gap == NO_GAP)
        gap = count;
    memset(address, 0, 2 * GROUPS);
    memcpy(address, groups, 2 * gap);
    memcpy(address + 2 * (GROUPS - (count - gap)), groups + 2 * gap, 2 * (count - gap));
    return true;
}

char *lh_decimal_put(char *at, unsigned value)
{
    char digits[10];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    while (count != 0)
        *at++ = digits[--count];
    return at;
}

char *lh_ipv4_put(char *at, const uint8_t address[4])
{
    for (size_t i = 0; i < 4; i++) {
        if (i != 0)
            *at++ = '.';
        at = lh_decimal_put(at, address[i]);
    }
    return at;
}

static char *put_group(char *at, unsigned group)
{
    static const char digits[] = "0123456789abcdef";
    unsigned shift = 12;

    while (shift != 0 && group >> shift == 0)
        shift -= 4;
    for (;; shift -= 4) {
        *at++ = digits[group >> shift & 15];
        if (shift == 0)
            return at;
    }
}

/* The longest run of at least two zero groups, the first of equals; *size is 0 if there is none. */
static size_t longest_gap(const uint8_t address[16], size_t groups, size_t *size)
{
    size_t best = 0;

    *size = 0;
    for (size_t i = 0; i < groups; i++) {
        size_t end = i;
        while (end < groups && address[2 * end] == 0 && address[2 * end + 1] == 0)
            end++;
        if (end - i > 1 && end - i > *size) {
            best = i;
            *size = end - i;
        }
    }
    return best;
}

char *lh_ipv6_put(char *at, const uint8_t address[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    const bool dotted = memcmp(address, mapped, sizeof(mapped)) == 0;
    const size_t groups = dotted ? GROUPS - 2 : GROUPS;
    size_t gap_size;
    size_t gap = longest_gap(address, groups, &gap_size);

    for (size_t i = 0; i < groups; i++) {
        if (gap_size != 0 && i == gap) {
            *at++ = ':';
            *at++ = ':';
            i += gap_size - 1;
            continue;
        }
        if (i != 0 && at[-1] != ':')
            *at++ = ':';
        at = put_group(at, (unsigned)address[2 * i] << 8 | address[2 * i + 1]);
    }
    if (!dotted)
        return at;
    *at++ = ':';
    return lh_ipv4_put(at, address + 12);
}
