/* SPDX-License-Identifier: MIT */
/*
 * Host and port as they stand in a Host field. The field is only checked for characters, since
 * nothing here connects to it; URLs are judged by url.c.
 */
#include "http/host.h"

enum { IPV6_TEXT_MAX = 45 };

bool lh_host_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_';
}

bool lh_port_parse(struct lb_str s, uint16_t *port)
{
    uint64_t value;

    if (s.size > 5 || !lb_str_to_u64(s, &value) || value == 0 || value > UINT16_MAX)
        return false;
    *port = (uint16_t)value;
    return true;
}

static bool ipv6_byte(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' ||
           c == '.';
}

/* Bytes of the host at the start of s, or 0. */
static size_t host_size(struct lb_str s)
{
    size_t size = 0;

    if (s.size == 0 || s.p[0] != '[') {
        while (size < s.size && lh_host_byte(s.p[size]))
            size++;
        return size;
    }
    size = 1;
    while (size < s.size && ipv6_byte(s.p[size]))
        size++;
    if (size < 3 || size > IPV6_TEXT_MAX + 1 || size == s.size || s.p[size] != ']')
        return 0;
    return size + 1;
}

bool lh_host_field_valid(struct lb_str s)
{
    size_t size = host_size(s);
    uint16_t port;

    if (size == 0)
        return false;
    if (size == s.size)
        return true;
    return s.p[size] == ':' && lh_port_parse(lb_str_sub(s, size + 1, s.size), &port);
}
