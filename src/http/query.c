/* SPDX-License-Identifier: MIT */
/*
 * Queries that are passed on are not rewritten, but for members that must stay here. Such a one is
 * known by its name as the far end reads it: k%65y is key.
 */
#include "http/query.h"

#include "http/hex.h"

bool lh_query_next(struct lb_str *query, struct lb_str *member)
{
    while (query->size > 0) {
        size_t size = lb_str_find(*query, '&');
        *member = lb_str_sub(*query, 0, size);
        *query = lb_str_sub(*query, size + 1, query->size);
        if (size > 0)
            return true;
    }
    return false;
}

bool lh_query_is(struct lb_str member, struct lb_str name)
{
    size_t at = 0, end = lb_str_find(member, '=');

    for (size_t i = 0; i < end; i++, at++) {
        char c = member.p[i];
        if (c == '%' && i + 2 < end) {
            int high = lh_hex_digit(member.p[i + 1]), low = lh_hex_digit(member.p[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high * 16 + low);
                i += 2;
            }
        }
        if (at == name.size || lb_ascii_lower(c) != lb_ascii_lower(name.p[at]))
            return false;
    }
    return at == name.size;
}
