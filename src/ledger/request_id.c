/* SPDX-License-Identifier: MIT */
/* See the header. */
#include "ledger/request_id.h"

void ll_id_write_time(int64_t ms, char to[LL_ID_TIME_SIZE])
{
    static const char DIGITS[] = "0123456789abcdef";
    const uint32_t seconds = (uint32_t)(ms / 1000);

    for (unsigned i = 0; i < LL_ID_TIME_SIZE; i++)
        to[i] = DIGITS[(seconds >> (28 - 4 * i)) & 15];
}

/* Behind one of the prefixes all are digits, at least 24 of them. */
static struct lb_str digits_of(struct lb_str id)
{
    static const struct lb_str PREFIXES[] = {LB_STR("req_"), LB_STR("lib-"), LB_STR("test_")};

    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        if (lb_str_starts(id, PREFIXES[i]))
            return lb_str_sub(id, PREFIXES[i].size, id.size);
    }
    return (struct lb_str){0};
}

bool ll_id_read_time(struct lb_str id, int64_t *ms)
{
    const struct lb_str digits = digits_of(id);
    int64_t seconds = 0;

    if (digits.size < 3 * LL_ID_TIME_SIZE)
        return false;
    for (size_t i = 0; i < digits.size; i++) {
        const char c = digits.p[i];
        const bool is_letter = c >= 'a' && c <= 'f';
        if (!is_letter && (c < '0' || c > '9'))
            return false;
        if (i < LL_ID_TIME_SIZE)
            seconds = seconds * 16 + (is_letter ? c - 'a' + 10 : c - '0');
    }
    *ms = seconds * 1000;
    return true;
}
