/* SPDX-License-Identifier: MIT */
/*
 * Decimals, exactly. A decimal is read as digits and a scale, digits * 10^scale, in which neither
 * leading nor trailing zeros count: so "0.270", "27e-2" and "0.27" are the same two digits, and a
 * number with a million zeros costs no more than its length. See the header.
 */
#include "budget/decimal.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "base/nano.h"

enum {
    DIGITS_MAX = 38,     /* that 128 bits hold */
    EXPONENT_MAX = 9999, /* more says no more */
    PICO_DIGITS = 12,
    SHOWN_MAX = 48 /* bytes of a faulty text that an error quotes */
};

#define PER_MAX 1000000 /* of what is written */

typedef unsigned __int128 wide;

struct decimal {
    wide digits;
    size_t count;  /* of digits; over DIGITS_MAX they are not all in `digits` */
    int64_t scale; /* value = digits * 10^scale */
};

/* ---- Reading --------------------------------------------------------------------------------- */

static bool is_digit(struct lb_str text, size_t at)
{
    return at < text.size && text.p[at] >= '0' && text.p[at] <= '9';
}

/* Takes digits up to something else; `zeros` are those that count only if another digit follows. */
static size_t take_digits(struct lb_str text, size_t at, struct decimal *decimal, int64_t *zeros)
{
    for (; is_digit(text, at); at++) {
        if (text.p[at] == '0') {
            *zeros += decimal->count != 0;
            continue;
        }
        decimal->count += (size_t)*zeros + 1;
        if (decimal->count <= DIGITS_MAX) {
            for (; *zeros != 0; --*zeros)
                decimal->digits *= 10;
            decimal->digits = decimal->digits * 10 + (unsigned)(text.p[at] - '0');
        }
        *zeros = 0;
    }
    return at;
}

static bool read_exponent(struct lb_str text, size_t at, int64_t *exponent)
{
    const bool is_negative = at < text.size && text.p[at] == '-';
    int64_t value = 0;

    if (at < text.size && (text.p[at] == '-' || text.p[at] == '+'))
        at++;
    if (!is_digit(text, at))
        return false;
    for (; is_digit(text, at); at++) {
        if (value <= EXPONENT_MAX)
            value = value * 10 + (text.p[at] - '0');
    }
    *exponent = is_negative ? -value : value;
    return at == text.size;
}

/* digits[.digits][e[+-]digits], with a digit before or behind the point. */
static bool read_decimal(struct lb_str text, struct decimal *decimal)
{
    int64_t zeros = 0;
    int64_t exponent = 0;

    *decimal = (struct decimal){0};
    size_t at = take_digits(text, 0, decimal, &zeros);
    size_t digits = at;
    if (at < text.size && text.p[at] == '.') {
        size_t end = take_digits(text, at + 1, decimal, &zeros);
        decimal->scale = -(int64_t)(end - at - 1);
        digits += end - at - 1;
        at = end;
    }
    if (digits == 0)
        return false;
    if (at < text.size &&
        ((text.p[at] != 'e' && text.p[at] != 'E') || !read_exponent(text, at + 1, &exponent)))
        return false;
    decimal->scale += zeros + exponent;
    return true;
}

/* digits * 10^power, as far as `max`; false where it is more. */
static bool raise_to(const struct decimal *decimal, int64_t power, wide max, wide *value)
{
    if (decimal->count > DIGITS_MAX)
        return false;
    *value = decimal->digits;
    for (; power != 0 && *value <= max / 10; power--)
        *value *= 10;
    return power == 0 && *value <= max;
}

llmgr_status lq_rate_read(struct lb_str text, int64_t per, int64_t *rate, struct llmgr_error *err)
{
    const int shown = (int)lb_utf8_cut(text, SHOWN_MAX);
    const uint64_t units = (uint64_t)per;
    struct decimal decimal;
    wide value;

    if (text.size != 0 && text.p[0] == '-')
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%.*s' is negative; a rate is 0 or more"), shown,
                       text.p);
    if (per <= 0 || !read_decimal(text, &decimal))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("'%.*s' is no decimal; write it as in 0.27 or 2.7e-07"), shown,
                       text.p != NULL ? text.p : "");
    if (decimal.count == 0) {
        *rate = 0;
        return LLMGR_OK;
    }
    /* The last digit is not 0: what is left behind the last decimal is not nothing. */
    bool is_exact = decimal.scale >= -PICO_DIGITS;
    if (is_exact &&
        !raise_to(&decimal, decimal.scale + PICO_DIGITS, (wide)LLMGR_RATE_MAX * units, &value))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("'%.*s' is too large; a rate is at most 1000000 for one unit"), shown,
                       text.p);
    if (!is_exact || value % units != 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("'%.*s' has too many decimals; a rate for one unit has at most 12"),
                       shown, text.p);
    *rate = (int64_t)(value / units);
    return LLMGR_OK;
}

/* ---- Writing --------------------------------------------------------------------------------- */

/* value / 10^decimals, without the zeros at its end. */
static void write(wide value, int decimals, char text[LLMGR_RATE_TEXT_SIZE])
{
    uint64_t unit = 1;
    for (int i = 0; i < decimals; i++)
        unit *= 10;
    const uint64_t fraction = (uint64_t)(value % unit);
    int size = snprintf(text, LLMGR_RATE_TEXT_SIZE, "%" PRIu64 ".%0*" PRIu64,
                        (uint64_t)(value / unit), decimals, fraction);
    while (text[size - 1] == '0')
        text[--size] = '\0';
    if (text[size - 1] == '.')
        text[size - 1] = '\0';
}

void lq_rate_write(int64_t rate, int64_t per, char text[LLMGR_RATE_TEXT_SIZE])
{
    text[0] = '\0';
    if (rate >= 0 && per > 0 && per <= PER_MAX)
        write((wide)rate * (wide)per, PICO_DIGITS, text);
}

void lq_amount_write(int64_t nano, char text[LLMGR_RATE_TEXT_SIZE])
{
    (void)lb_nano_print(nano, text);
}
