/* SPDX-License-Identifier: MIT */
/* Values of a catalogue's text as what we have: names, counts, exact rates. */
#include "budget/import_read.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "budget/decimal.h"

enum {
    DIGITS_MAX = 15,     /* decimal digits that every double keeps (DBL_DIG) */
    DIGITS_MIN = 4,      /* that stay of what is rounded: it changes by less than one in 1000 */
    PICO_DIGITS = 12,    /* decimals of a pico-unit */
    NUMBER_TEXT_MAX = 64 /* bytes of a number; catalogues write at most 25 */
};

#define COUNT_MAX UINT64_C(1000000000000000) /* of tokens, and of ms since 1970 */

/* ---- What was not understood ----------------------------------------------------------------- */

static void copy_shown(char *out, size_t size, struct lb_str text)
{
    size_t count = text.size < size - 1 ? text.size : size - 1;

    for (size_t i = 0; i < count; i++)
        out[i] = (char)(text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?');
    out[count] = '\0';
}

void lq_note_strange(const struct lq_text *text, struct lb_str name)
{
    struct lq_reading *reading = text->reading;
    char shown[LQ_IMPORT_STRANGE_NAME];

    copy_shown(shown, sizeof shown, name);
    for (size_t i = 0; i < reading->strange_count; i++) {
        if (strcmp(reading->strange[i].name, shown) == 0) {
            reading->strange[i].count++;
            return;
        }
    }
    if (reading->strange_count == LQ_IMPORT_STRANGE_MAX) {
        reading->strange_others++;
        return;
    }
    struct lq_strange *strange = &reading->strange[reading->strange_count++];
    memcpy(strange->name, shown, sizeof shown);
    copy_shown(strange->model, sizeof strange->model, text->model);
    strange->count = 1;
}

/* ---- Values ---------------------------------------------------------------------------------- */

char lq_kind(const struct lq_text *text, struct lj_span value)
{
    return text->text.p[value.at];
}

struct lb_str lq_string(const struct lq_text *text, struct lj_span value, char *buf, size_t max)
{
    if (lq_kind(text, value) != '"')
        return lb_str(NULL, 0);
    size_t size = lj_unescape(lb_str(text->text.p + value.at + 1, value.size - 2), buf, max);
    if (size == SIZE_MAX || !lb_utf8_valid(lb_str(buf, size)))
        return lb_str(NULL, 0);
    return lb_str(buf, size);
}

struct lb_str lq_member_name(const struct lj_member *member, char *buf, size_t max)
{
    struct lb_str name = lj_member_name(member, buf, max);

    return name.size <= max && lb_utf8_valid(name) ? name : lb_str(NULL, 0);
}

/* A decimal's parts, without leading zeros: digits × 10^exponent. */
struct decimal {
    char digits[NUMBER_TEXT_MAX];
    size_t count;
    int64_t exponent;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "e-07" behind the digits, or nothing. */
static bool take_exponent(struct lb_str rest, int64_t *exponent)
{
    if (rest.size == 0)
        return true;
    if ((rest.p[0] | 0x20) != 'e')
        return false;
    rest = lb_str_sub(rest, 1, rest.size);
    if (rest.size > 0 && rest.p[0] == '+')
        rest = lb_str_sub(rest, 1, rest.size);
    int64_t told;
    if (rest.size > 5 || !lb_str_to_i64(rest, &told))
        return false;
    *exponent += told;
    return true;
}

static bool take_decimal(struct lb_str text, struct decimal *decimal)
{
    bool point = false;
    bool any = false;
    size_t at = 0;

    *decimal = (struct decimal){.count = 0};
    if (text.size == 0 || text.size > NUMBER_TEXT_MAX)
        return false;
    for (; at < text.size && (is_digit(text.p[at]) || (text.p[at] == '.' && !point)); at++) {
        if (text.p[at] == '.') {
            point = true;
            continue;
        }
        any = true;
        decimal->exponent -= point;
        if (decimal->count > 0 || text.p[at] != '0')
            decimal->digits[decimal->count++] = text.p[at];
    }
    return any && take_exponent(lb_str_sub(text, at, text.size), &decimal->exponent);
}

/* Keeps so many digits, the last one rounded half up. */
static void round_to(struct decimal *decimal, size_t kept)
{
    if (decimal->count <= kept)
        return;
    bool up = decimal->digits[kept] >= '5';
    decimal->exponent += (int64_t)(decimal->count - kept);
    decimal->count = kept;
    for (size_t i = kept; up && i > 0; i--) {
        up = decimal->digits[i - 1] == '9';
        decimal->digits[i - 1] = up ? '0' : (char)(decimal->digits[i - 1] + 1);
    }
    if (up) { /* 99…9 became 100…0 */
        decimal->digits[0] = '1';
        decimal->exponent++;
    }
}

/*
 * Others publish what they computed, noise included ("1.0000000000000001e-07",
 * "0.0000000208333333333333"): it is rounded to the digits of a double, and to a pico-unit per unit
 * where enough digits stay that this is no other price.
 */
static void round_computed(struct decimal *decimal, int64_t per)
{
    int64_t finest = -PICO_DIGITS;

    round_to(decimal, DIGITS_MAX);
    for (; per > 1; per /= 10)
        finest++;
    const int64_t kept = (int64_t)decimal->count + decimal->exponent - finest;
    if (decimal->exponent < finest && kept >= DIGITS_MIN)
        round_to(decimal, (size_t)kept);
}

/* A number or a string of one; an empty slice for what is neither. */
static struct lb_str number_text(const struct lq_text *text, struct lj_span value)
{
    char kind = lq_kind(text, value);
    struct lb_str whole = lj_span_of(text->text, value);

    if (kind == '"')
        return lb_str_sub(whole, 1, whole.size - 1);
    return kind == '-' || is_digit(kind) ? whole : lb_str(NULL, 0);
}

static bool is_null(const struct lq_text *text, struct lj_span value)
{
    return lq_kind(text, value) == 'n';
}

bool lq_is_nothing(const struct lq_text *text, struct lj_span value)
{
    struct decimal decimal;

    return is_null(text, value) ||
           (take_decimal(number_text(text, value), &decimal) && decimal.count == 0);
}

bool lq_count(const struct lq_text *text, struct lj_span value, int64_t *count)
{
    struct lb_str number = number_text(text, value);
    size_t at = lb_str_find(number, '.');
    uint64_t read;

    for (size_t i = at + 1; i < number.size; i++) {
        if (number.p[i] != '0')
            return false;
    }
    if (!lb_str_to_u64(lb_str_sub(number, 0, at), &read) || read > COUNT_MAX)
        return false;
    *count = (int64_t)read;
    return true;
}

void lq_rate(const struct lq_text *text, struct lj_span value, int64_t per, struct lb_str name,
             int64_t *rate)
{
    char written[NUMBER_TEXT_MAX + 32];
    struct decimal decimal;

    *rate = LLMGR_UNSET;
    if (is_null(text, value))
        return;
    if (!take_decimal(number_text(text, value), &decimal)) {
        lq_note_strange(text, name);
        return;
    }
    if (text->reading->form != LQ_FORM_OWN)
        round_computed(&decimal, per);
    snprintf(written, sizeof written, "0%.*se%lld", (int)decimal.count, decimal.digits,
             decimal.count == 0 ? 0 : (long long)decimal.exponent);
    if (lq_rate_read(lb_cstr(written), per, rate, NULL) != LLMGR_OK) {
        *rate = LLMGR_UNSET;
        lq_note_strange(text, name);
    }
}
