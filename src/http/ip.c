/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing IPv4 and IPv6 addresses.
 *
 * Read they are by inet_pton, IPv4 is written by inet_ntop. IPv6 is written here: the text of an
 * origin is authenticated along with each sealed key and must be the same wherever a database is
 * opened, but systems write it differently (glibc ends also "::102:304" in a dotted part, others
 * shorten a single zero).
 */
#include "http/ip.h"

#include <arpa/inet.h>
#include <sys/socket.h>

enum { GROUPS = 8 };

/* inet_pton ends at a NUL: the copy gets one, and the text may have none. */
static bool parse(int family, struct lb_str s, uint8_t *address)
{
    char text[LH_IP_TEXT_MAX + 1];

    if (s.size == 0 || s.size > LH_IP_TEXT_MAX || lb_str_find(s, '\0') != s.size)
        return false;
    memcpy(text, s.p, s.size);
    text[s.size] = '\0';
    return inet_pton(family, text, address) == 1;
}

bool lh_ipv4_parse(struct lb_str s, uint8_t address[4])
{
    return parse(AF_INET, s, address);
}

bool lh_ipv6_parse(struct lb_str s, uint8_t address[16])
{
    return parse(AF_INET6, s, address);
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
    char text[INET_ADDRSTRLEN];

    /* The room is enough. */
    (void)inet_ntop(AF_INET, address, text, sizeof text);
    size_t size = strlen(text);
    memcpy(at, text, size);
    return at + size;
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
