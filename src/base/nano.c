/* SPDX-License-Identifier: MIT */
/* A number is its digits and how many of them stand before the point, once it has moved. */
#include "base/nano.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

enum { NANO_DIGITS = 9, EXPONENT_MAX = 100000 /* larger ones say the same */ };

static bool is_digit(struct lb_str text, size_t at)
{
    return at < text.size && text.p[at] >= '0' && text.p[at] <= '9';
}

/* False: it is none, or something follows. */
static bool read_exponent(struct lb_str text, size_t at, int64_t *exponent)
{
    const bool is_negative = at < text.size && text.p[at] == '-';
    int64_t value = 0;

    at += at < text.size && (text.p[at] == '-' || text.p[at] == '+');
    if (!is_digit(text, at))
        return false;
    for (; is_digit(text, at); at++)
        value = value < EXPONENT_MAX ? value * 10 + (text.p[at] - '0') : value;
    *exponent = is_negative ? -value : value;
    return at == text.size;
}

/* The first `whole` digits of `text`, of which there may be fewer, and the next one rounds. */
static int64_t take_digits(struct lb_str text, int64_t whole)
{
    int64_t value = 0;
    size_t at = 0;

    for (; whole > 0 && (at < text.size || value != 0); at++) {
        if (at < text.size && text.p[at] == '.')
            continue;
        const int digit = at < text.size ? text.p[at] - '0' : 0;
        if (value > (INT64_MAX - digit) / 10)
            return -1;
        value = value * 10 + digit;
        whole--;
    }
    at += at < text.size && text.p[at] == '.';
    const bool is_up = whole == 0 && is_digit(text, at) && text.p[at] >= '5';
    if (is_up && value == INT64_MAX)
        return -1;
    return value + is_up;
}

int64_t lb_nano_read(struct lb_str number)
{
    int64_t exponent = 0;
    int64_t whole = 0; /* digits before the point */
    size_t at = 0;

    while (is_digit(number, at))
        at++;
    whole = (int64_t)at;
    if (at == 0)
        return -1;
    if (at < number.size && number.p[at] == '.') {
        for (at++; is_digit(number, at);)
            at++;
    }
    const struct lb_str digits = lb_str_sub(number, 0, at);
    if (at < number.size &&
        ((number.p[at] | 0x20) != 'e' || !read_exponent(number, at + 1, &exponent)))
        return -1;
    return take_digits(digits, whole + exponent + NANO_DIGITS);
}

const char *lb_nano_print(int64_t nano, char text[LB_NANO_TEXT])
{
    const uint64_t value = nano < 0 ? -(uint64_t)nano : (uint64_t)nano;
    const uint64_t unit = UINT64_C(1000000000);
    int size = snprintf(text, LB_NANO_TEXT, "%s%" PRIu64 ".%09" PRIu64, nano < 0 ? "-" : "",
                        value / unit, value % unit);

    while (text[size - 1] == '0')
        text[--size] = '\0';
    if (text[size - 1] == '.')
        text[size - 1] = '\0';
    return text;
}
