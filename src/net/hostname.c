/* SPDX-License-Identifier: MIT */
/*
 * What a URL's host is: a name, a literal address, or one of the many spellings of a number that
 * resolvers take for an address (inet_aton: 127.1, 0x7f000001, 2130706433, 0251.0376.0251.0376).
 * The last kind is told apart by its last label, as the URL standard does ("ends in a number").
 */
#include "net/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>

enum { NAME_MAX_SIZE = 253, LABEL_MAX_SIZE = 63 };

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_label_byte(char c)
{
    char lower = lb_ascii_lower(c);
    return is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '-' || c == '_';
}

static bool label_is_number(struct lb_str label)
{
    size_t digits = 0;
    while (digits < label.size && is_digit(label.p[digits]))
        digits++;
    if (digits == label.size)
        return true;
    if (label.size < 2 || label.p[0] != '0' || lb_ascii_lower(label.p[1]) != 'x')
        return false;
    for (size_t i = 2; i < label.size; i++) {
        char c = lb_ascii_lower(label.p[i]);
        if (!is_digit(c) && (c < 'a' || c > 'f'))
            return false;
    }
    return true;
}

/* Labels of allowed bytes and sizes, one final dot allowed; *last is the last label. */
static bool split_labels(struct lb_str host, struct lb_str *last)
{
    struct lb_str rest = host;
    if (rest.size > 1 && rest.p[rest.size - 1] == '.')
        rest.size--;
    if (rest.size == 0 || rest.size > NAME_MAX_SIZE)
        return false;
    for (;;) {
        size_t dot = lb_str_find(rest, '.');
        if (dot == 0 || dot > LABEL_MAX_SIZE || rest.p[0] == '-' || rest.p[dot - 1] == '-')
            return false;
        for (size_t i = 0; i < dot; i++) {
            if (!is_label_byte(rest.p[i]))
                return false;
        }
        if (dot == rest.size)
            break;
        rest = lb_str_sub(rest, dot + 1, rest.size);
        if (rest.size == 0)
            return false;
    }
    *last = rest;
    return true;
}

static enum ln_host_kind ipv6_kind(struct lb_str text, struct sockaddr_storage *addr)
{
    char copy[INET6_ADDRSTRLEN];
    struct sockaddr_in6 in = {.sin6_family = AF_INET6};
    if (text.size >= sizeof(copy) || memchr(text.p, '\0', text.size) != NULL)
        return LN_HOST_INVALID;
    memcpy(copy, text.p, text.size);
    copy[text.size] = '\0';
    if (inet_pton(AF_INET6, copy, &in.sin6_addr) != 1)
        return LN_HOST_INVALID;
    *addr = (struct sockaddr_storage){0};
    memcpy(addr, &in, sizeof(in));
    return LN_HOST_IPV6;
}

enum ln_host_kind ln_host_kind(struct lb_str host, struct sockaddr_storage *addr)
{
    if (host.size == 0)
        return LN_HOST_INVALID;
    if (host.p[0] == '[')
        return host.size > 2 && host.p[host.size - 1] == ']'
                   ? ipv6_kind(lb_str_sub(host, 1, host.size - 1), addr)
                   : LN_HOST_INVALID;
    if (lb_str_find(host, ':') < host.size)
        return ipv6_kind(host, addr);
    struct lb_str last;
    if (!split_labels(host, &last))
        return LN_HOST_INVALID;
    if (!label_is_number(last))
        return LN_HOST_NAME;
    char copy[INET_ADDRSTRLEN];
    struct sockaddr_in in = {.sin_family = AF_INET};
    if (host.size >= sizeof(copy))
        return LN_HOST_NUMERIC;
    memcpy(copy, host.p, host.size);
    copy[host.size] = '\0';
    if (inet_pton(AF_INET, copy, &in.sin_addr) != 1)
        return LN_HOST_NUMERIC;
    *addr = (struct sockaddr_storage){0};
    memcpy(addr, &in, sizeof(in));
    return LN_HOST_IPV4;
}
