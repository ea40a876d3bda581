/* SPDX-License-Identifier: MIT */
/*
 * YAML's core schema (YAML 1.2.2, chapter 10.3) as JSON. Numbers keep their digits: they are
 * rewritten as text, never through a double, so that 1.10 stays 1.10 and a large id stays exact.
 */
#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "config/yaml.h"

enum { EXPONENT_MAX = 300 }; /* beyond it a double overflows and readers of JSON differ */

struct number {
    bool negative;
    struct lb_str whole;    /* digits before the point, no leading zeros; maybe none */
    struct lb_str fraction; /* digits after it */
    bool point;
    bool exponent_negative;
    struct lb_str exponent; /* digits; empty: none */
};

static bool is_one_of(struct lb_str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lb_str_eq_c(text, words[i]))
            return true;
    }
    return false;
}

static bool is_null_text(struct lb_str text)
{
    static const char *const WORDS[] = {"", "~", "null", "Null", "NULL"};
    return is_one_of(text, WORDS, 5);
}

static bool is_bool_text(struct lb_str text, bool *value)
{
    static const char *const TRUE[] = {"true", "True", "TRUE"};
    static const char *const FALSE[] = {"false", "False", "FALSE"};

    *value = is_one_of(text, TRUE, 3);
    return *value || is_one_of(text, FALSE, 3);
}

bool lc_yaml_is_null(const struct lc_node *node)
{
    return node->kind == LC_NODE_SCALAR &&
           (node->tag == LC_TAG_NULL ||
            (node->tag == LC_TAG_NONE && node->plain && is_null_text(node->text)));
}

static struct lb_str take_digits(struct lb_str *rest)
{
    size_t size = 0;

    while (size < rest->size && rest->p[size] >= '0' && rest->p[size] <= '9')
        size++;
    struct lb_str digits = lb_str_sub(*rest, 0, size);
    *rest = lb_str_sub(*rest, size, rest->size);
    return digits;
}

static bool take_byte(struct lb_str *rest, const char *bytes)
{
    if (rest->size == 0 || strchr(bytes, rest->p[0]) == NULL)
        return false;
    *rest = lb_str_sub(*rest, 1, rest->size);
    return true;
}

/* [-+]? ( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )? */
static bool split_number(struct lb_str text, struct number *number)
{
    *number = (struct number){.negative = text.size != 0 && text.p[0] == '-'};
    take_byte(&text, "-+");
    number->whole = take_digits(&text);
    bool any = number->whole.size != 0;
    if (take_byte(&text, ".")) {
        number->point = true;
        number->fraction = take_digits(&text);
        any = any || number->fraction.size != 0;
    }
    if (any && take_byte(&text, "eE")) {
        number->exponent_negative = text.size != 0 && text.p[0] == '-';
        take_byte(&text, "-+");
        number->exponent = take_digits(&text);
        any = number->exponent.size != 0;
    }
    while (number->whole.size > 1 && number->whole.p[0] == '0')
        number->whole = lb_str_sub(number->whole, 1, number->whole.size);
    return any && text.size == 0;
}

static bool is_integer(const struct number *number)
{
    return !number->point && number->exponent.size == 0;
}

/* Would a double hold it? Judged by the count of digits, a little early rather than late. */
static bool is_in_range(const struct number *number)
{
    uint64_t exponent = 0;

    if (number->whole.size > EXPONENT_MAX)
        return false;
    if (number->exponent.size == 0 || number->exponent_negative)
        return true;
    return lb_str_to_u64(number->exponent, &exponent) && exponent <= EXPONENT_MAX &&
           exponent + number->whole.size <= EXPONENT_MAX;
}

static void add_number(const struct number *number, bool as_float, struct lb_buf *out)
{
    if (number->negative)
        lb_buf_add_byte(out, '-');
    lb_buf_add_str(out, number->whole.size != 0 ? number->whole : LB_STR("0"));
    if (number->fraction.size != 0) {
        lb_buf_add_byte(out, '.');
        lb_buf_add_str(out, number->fraction);
    } else if (number->point || (as_float && number->exponent.size == 0)) {
        lb_buf_add_c(out, ".0");
    }
    if (number->exponent.size != 0) {
        lb_buf_add_c(out, number->exponent_negative ? "e-" : "e");
        lb_buf_add_str(out, number->exponent);
    }
}

/* 0x1f and 0o17. */
static bool read_based(struct lb_str text, uint64_t *value)
{
    unsigned bits = lb_str_starts(text, LB_STR("0x")) ? 4 : 3;

    if (text.size < 3 || (bits == 3 && !lb_str_starts(text, LB_STR("0o"))))
        return false;
    *value = 0;
    for (size_t i = 2; i < text.size; i++) {
        static const char DIGITS[] = "0123456789abcdef";
        char c = lb_ascii_lower(text.p[i]);
        const char *digit = c != '\0' ? strchr(DIGITS, c) : NULL;
        if (digit == NULL || digit - DIGITS >= 1 << bits || *value >> (64 - bits) != 0)
            return false;
        *value = *value << bits | (uint64_t)(digit - DIGITS);
    }
    return true;
}

static bool is_special_float(struct lb_str text)
{
    static const char *const WORDS[] = {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"};

    if (text.size != 0 && (text.p[0] == '-' || text.p[0] == '+'))
        text = lb_str_sub(text, 1, text.size);
    return is_one_of(text, WORDS, 6);
}

static void add_string(struct lb_str text, struct lb_buf *out)
{
    lb_buf_add_byte(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.p[i];
        if (c == '"' || c == '\\')
            lb_buf_addf(out, "\\%c", c);
        else if (c == '\n')
            lb_buf_add_c(out, "\\n");
        else if (c == '\t')
            lb_buf_add_c(out, "\\t");
        else if (c < 0x20)
            lb_buf_addf(out, "\\u%04x", c);
        else
            lb_buf_add_byte(out, (char)c);
    }
    lb_buf_add_byte(out, '"');
}

/* As a number if it is one of the wanted kind; `wanted` LC_TAG_NONE takes both. */
static bool try_number(struct lb_str text, lc_tag wanted, struct lb_buf *out)
{
    struct number number;
    uint64_t value;

    if (wanted != LC_TAG_FLOAT && read_based(text, &value)) {
        lb_buf_add_u64(out, value);
        return true;
    }
    if (!split_number(text, &number) || !is_in_range(&number) ||
        (wanted == LC_TAG_INT && !is_integer(&number)))
        return false;
    add_number(&number, wanted == LC_TAG_FLOAT, out);
    return true;
}

static bool add_scalar(const struct lc_node *node, struct lb_buf *out)
{
    bool is_true;
    struct number number;

    if (node->tag == LC_TAG_STR || (node->tag == LC_TAG_NONE && !node->plain)) {
        add_string(node->text, out);
        return true;
    }
    if (lc_yaml_is_null(node)) {
        lb_buf_add_c(out, "null");
        return node->tag == LC_TAG_NONE || is_null_text(node->text);
    }
    if ((node->tag == LC_TAG_NONE || node->tag == LC_TAG_BOOL) &&
        is_bool_text(node->text, &is_true)) {
        lb_buf_add_c(out, is_true ? "true" : "false");
        return true;
    }
    if (node->tag != LC_TAG_BOOL && try_number(node->text, node->tag, out))
        return true;
    if (node->tag != LC_TAG_NONE || is_special_float(node->text) ||
        split_number(node->text, &number))
        return false;
    add_string(node->text, out);
    return true;
}

llmgr_status lc_yaml_json(const struct lc_node *node, const char *file, struct lb_buf *out,
                          struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    if (node->kind == LC_NODE_SCALAR) {
        if (!add_scalar(node, out))
            return lb_fail(err, LLMGR_ERR_CONFIG,
                           N_("%s:%u:%u: JSON has no such value, or the tag does not fit it; put "
                              "quotes around a text"),
                           file, node->line, node->column);
        return LLMGR_OK;
    }
    lb_buf_add_byte(out, node->kind == LC_NODE_MAP ? '{' : '[');
    /* The recursion is bounded: the tree is at most LC_FILE_DEPTH_MAX deep. */
    for (const struct lc_node *child = node->first; child != NULL && status == LLMGR_OK;
         child = child->next) {
        if (child != node->first)
            lb_buf_add_byte(out, ',');
        if (node->kind == LC_NODE_MAP) {
            add_string(child->name, out);
            lb_buf_add_byte(out, ':');
        }
        status = lc_yaml_json(child, file, out, err);
    }
    lb_buf_add_byte(out, node->kind == LC_NODE_MAP ? '}' : ']');
    return status;
}
