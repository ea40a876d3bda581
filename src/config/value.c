/* SPDX-License-Identifier: MIT */
/* Small grammars of values, each total: any bytes in, a value or "no" out. */
#include "config/value.h"

#include <string.h>

enum { DISTANCE_MAX_SIZE = 64 }; /* longer names resemble nothing */

bool lc_parse_bool(struct lb_str text, bool *value)
{
    static const char *const WORDS[2][4] = {{"false", "no", "off", "0"},
                                            {"true", "yes", "on", "1"}};

    for (size_t i = 0; i < 8; i++) {
        if (lb_str_eq_nocase(text, lb_cstr(WORDS[i / 4][i % 4]))) {
            *value = i / 4 == 1;
            return true;
        }
    }
    return false;
}

/* Leading digits as a number; *unit gets the rest. */
static bool split_number(struct lb_str text, uint64_t *number, struct lb_str *unit)
{
    size_t digits = 0;

    while (digits < text.size && text.p[digits] >= '0' && text.p[digits] <= '9')
        digits++;
    *unit = lb_str_sub(text, digits, text.size);
    return lb_str_to_u64(lb_str_sub(text, 0, digits), number);
}

struct unit {
    const char *name;
    int64_t factor;
};

/* Largest first; the first name of a factor is the one that is written. */
static const struct unit DURATIONS[] = {
    {"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}, {"ms", 1}};
static const struct unit SIZES[] = {{"GiB", 1 << 30}, {"G", 1 << 30}, {"MiB", 1 << 20},
                                    {"M", 1 << 20},   {"KiB", 1024},  {"K", 1024}};

static bool scale(struct lb_str text, const struct unit *units, size_t count, int64_t *value)
{
    uint64_t number;
    struct lb_str unit;
    int64_t product;

    if (!split_number(text, &number, &unit) || number > INT64_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!lb_str_eq_c(unit, units[i].name))
            continue;
        if (__builtin_mul_overflow((int64_t)number, units[i].factor, &product))
            return false;
        *value = product;
        return true;
    }
    return false;
}

bool lc_parse_duration(struct lb_str text, int64_t *value)
{
    if (lb_str_eq_c(text, "0")) {
        *value = 0;
        return true;
    }
    return scale(text, DURATIONS, sizeof DURATIONS / sizeof DURATIONS[0], value);
}

bool lc_parse_size(struct lb_str text, int64_t *value)
{
    uint64_t number;

    if (lb_str_to_u64(text, &number) && number <= INT64_MAX) {
        *value = (int64_t)number;
        return true;
    }
    return scale(text, SIZES, sizeof SIZES / sizeof SIZES[0], value);
}

bool lc_parse_choice(struct lb_str text, const char *choices, int *value)
{
    struct lb_str rest = lb_cstr(choices);

    for (int index = 0; rest.size != 0; index++) {
        size_t end = lb_str_find(rest, '|');
        if (lb_str_eq(text, lb_str_sub(rest, 0, end))) {
            *value = index;
            return true;
        }
        rest = lb_str_sub(rest, end + 1, rest.size);
    }
    return false;
}

static void format(int64_t value, const struct unit *units, size_t count, struct lb_buf *out)
{
    for (size_t i = 0; i < count && value != 0; i++) {
        if (value % units[i].factor == 0) {
            lb_buf_addf(out, "%lld%s", (long long)(value / units[i].factor), units[i].name);
            return;
        }
    }
    lb_buf_addf(out, "%lld", (long long)value);
}

void lc_format_duration(int64_t value, struct lb_buf *out)
{
    format(value, DURATIONS, sizeof DURATIONS / sizeof DURATIONS[0], out);
}

void lc_format_size(int64_t value, struct lb_buf *out)
{
    format(value, SIZES, sizeof SIZES / sizeof SIZES[0], out);
}

bool lc_next_item(struct lb_str *rest, struct lb_str *item)
{
    while (rest->size != 0) {
        size_t end = lb_str_find(*rest, ',');
        *item = lb_str_trim(lb_str_sub(*rest, 0, end));
        *rest = lb_str_sub(*rest, end + 1, rest->size);
        if (item->size != 0)
            return true;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool lc_next_word(struct lb_str *rest, struct lb_buf *word, bool *bad)
{
    char quote = 0;
    size_t at = 0;

    while (at < rest->size && is_blank(rest->p[at]))
        at++;
    if (at == rest->size)
        return false;
    for (; at < rest->size && (quote != 0 || !is_blank(rest->p[at])); at++) {
        char c = rest->p[at];
        if (quote == 0 && (c == '"' || c == '\''))
            quote = c;
        else if (quote != 0 && c == quote)
            quote = 0;
        else if (c == '\\' && quote != '\'' && at + 1 < rest->size)
            lb_buf_add_byte(word, rest->p[++at]);
        else
            lb_buf_add_byte(word, c);
    }
    *rest = lb_str_sub(*rest, at, rest->size);
    if (quote != 0)
        *bad = true;
    return quote == 0;
}

const char *lc_shown(struct lb_str text, char *out)
{
    uint32_t code_point = 0;
    size_t used = 0;

    for (size_t at = 0; at < text.size;) {
        struct lb_str rest = lb_str_sub(text, at, text.size);
        size_t size = lb_utf8_decode(rest, &code_point);
        bool plain = size != 0 && code_point >= 0x20 && (code_point < 0x7f || code_point >= 0xa0);
        if (used + (plain ? size : 1) >= LC_SHOWN_SIZE)
            break;
        memcpy(out + used, plain ? rest.p : "?", plain ? size : 1);
        used += plain ? size : 1;
        at += size != 0 ? size : 1;
    }
    out[used] = '\0';
    return out;
}

unsigned lc_distance(struct lb_str a, struct lb_str b, unsigned limit)
{
    unsigned row[DISTANCE_MAX_SIZE + 1];

    if (a.size > DISTANCE_MAX_SIZE || b.size > DISTANCE_MAX_SIZE)
        return limit + 1;
    for (unsigned j = 0; j <= b.size; j++)
        row[j] = j;
    for (unsigned i = 1; i <= a.size; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= b.size; j++) {
            unsigned change = diagonal + (a.p[i - 1] != b.p[j - 1]);
            unsigned either = (row[j] < row[j - 1] ? row[j] : row[j - 1]) + 1;
            diagonal = row[j];
            row[j] = change < either ? change : either;
        }
    }
    return row[b.size] <= limit ? row[b.size] : limit + 1;
}

const char *lc_nearest(struct lb_str name, const char *const *names, unsigned most)
{
    for (; *names != NULL; names++) {
        struct lb_str meant = lb_cstr(*names);
        unsigned half = (unsigned)(meant.size / 2);
        unsigned limit = half < most ? half : most;
        if (lc_distance(name, meant, limit) <= limit)
            return *names;
    }
    return NULL;
}
