/* SPDX-License-Identifier: MIT */
/* The forms of a request target, and which of them this server answers. */
#include "http/framing.h"
#include "http/hex.h"
#include "http/host.h"

/*
 * Visible ASCII without what RFC 3986 leaves out and readers disagree on: '#' (a fragment never
 * travels), '\' (some read it as '/'), quotes and angle brackets. Braces, '|', '^' and '`' are not
 * legal either, but browsers send them in queries.
 */
static const bool target_byte[256] = {
    ['!'] = true, ['$' ... ';'] = true, ['='] = true, ['?' ... '['] = true, [']' ... '~'] = true,
};

static bool target_valid(struct lb_str s)
{
    for (size_t i = 0; i < s.size; i++) {
        if (!target_byte[(unsigned char)s.p[i]])
            return false;
        if (s.p[i] == '%' &&
            (s.size - i < 3 || lh_hex_digit(s.p[i + 1]) < 0 || lh_hex_digit(s.p[i + 2]) < 0))
            return false;
    }
    return s.size != 0;
}

static void split_query(struct lh_head *head, struct lb_str path)
{
    size_t mark = lb_str_find(path, '?');

    head->path = lb_str_sub(path, 0, mark);
    head->query = lb_str_sub(path, mark + 1, path.size);
}

/* "http://host/path", as a client sends it to a proxy; we answer for any host. */
static enum lh_error split_absolute(struct lh_head *head)
{
    struct lb_str target = head->target;
    size_t scheme = lb_str_find(target, ':');

    if (!lb_str_eq_nocase(lb_str_sub(target, 0, scheme), LB_STR("http")) &&
        !lb_str_eq_nocase(lb_str_sub(target, 0, scheme), LB_STR("https")))
        return LH_ERR_TARGET;
    struct lb_str rest = lb_str_sub(target, scheme, target.size);
    if (!lb_str_starts(rest, LB_STR("://")))
        return LH_ERR_TARGET;
    rest = lb_str_sub(rest, 3, rest.size);
    size_t end = 0;
    while (end < rest.size && rest.p[end] != '/' && rest.p[end] != '?')
        end++;
    head->host = lb_str_sub(rest, 0, end);
    if (!lh_host_field_valid(head->host))
        return LH_ERR_TARGET;
    split_query(head, lb_str_sub(rest, end, rest.size));
    if (head->path.size == 0) {
        bool server = head->method == LH_METHOD_OPTIONS && end == rest.size;
        head->path = server ? LB_STR("*") : LB_STR("/");
    }
    return LH_ERR_OK;
}

enum lh_error lh_target_split(struct lh_head *head)
{
    if (!target_valid(head->target))
        return LH_ERR_TARGET;
    if (head->target.p[0] == '/') {
        split_query(head, head->target);
        return LH_ERR_OK;
    }
    if (head->target.size == 1 && head->target.p[0] == '*') {
        head->path = head->target;
        return head->method == LH_METHOD_OPTIONS ? LH_ERR_OK : LH_ERR_TARGET;
    }
    return split_absolute(head);
}
