/* SPDX-License-Identifier: MIT */
/*
 * Reading bounds depth by jansson itself (2048) and size by the caller's buffers. Writing is ours
 * because jansson prints 0.7 as 0.69999999999999996: the same number, but not what a user wrote.
 */
#include "json/write.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

json_t *lj_json_read(struct lb_str text, bool *memory)
{
    json_error_t error;

    json_t *value = json_loadb(text.p, text.size, JSON_ALLOW_NUL, &error);
    /* An integer beyond 64 bits somewhere in an answer is no reason to lose the answer. */
    if (value == NULL && json_error_code(&error) == json_error_numeric_overflow)
        value = json_loadb(text.p, text.size, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    if (memory != NULL)
        *memory = value == NULL && json_error_code(&error) == json_error_out_of_memory;
    return value;
}

llmgr_status lj_json_object(struct lb_str text, const char *what, json_t **object,
                            struct llmgr_error *err)
{
    json_error_t error;

    json_t *value = json_loadb(text.p, text.size, JSON_ALLOW_NUL | JSON_DECODE_ANY, &error);
    if (value == NULL && json_error_code(&error) == json_error_out_of_memory)
        return lb_fail_memory(err);
    if (value == NULL) {
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("%s is not valid JSON (line %d, column %d: %s); write a JSON object"),
                       what, error.line, error.column, error.text);
    }
    if (!json_is_object(value)) {
        json_decref(value);
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("%s must be a JSON object such as {\"name\": \"value\"}"), what);
    }
    *object = value;
    return LLMGR_OK;
}

struct lb_str lj_json_str(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    if (!json_is_string(value))
        return lb_str(NULL, 0);
    return lb_str(json_string_value(value), json_string_length(value));
}

int64_t lj_json_int(const json_t *object, const char *name, int64_t absent)
{
    const json_t *value = json_object_get(object, name);

    if (json_is_integer(value))
        return (int64_t)json_integer_value(value);
    if (json_is_real(value)) {
        double real = json_real_value(value);
        /* 2^62: safely inside int64_t, and far beyond any count. */
        if (fabs(real) < 4611686018427387904.0 && trunc(real) >= real && trunc(real) <= real)
            return (int64_t)real;
    }
    return absent;
}

void lj_json_write_str(struct lb_str s, struct lb_buf *out)
{
    static const char HEX[] = "0123456789abcdef";
    size_t from = 0;

    lb_buf_add_byte(out, '"');
    for (size_t i = 0; i < s.size; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c >= 0x20 && c != '"' && c != '\\')
            continue;
        lb_buf_add(out, s.p + from, i - from);
        from = i + 1;
        switch (c) {
        case '"':
            lb_buf_add_c(out, "\\\"");
            break;
        case '\\':
            lb_buf_add_c(out, "\\\\");
            break;
        case '\n':
            lb_buf_add_c(out, "\\n");
            break;
        case '\r':
            lb_buf_add_c(out, "\\r");
            break;
        case '\t':
            lb_buf_add_c(out, "\\t");
            break;
        default:
            lb_buf_add_c(out, "\\u00");
            lb_buf_add_byte(out, HEX[c >> 4]);
            lb_buf_add_byte(out, HEX[c & 15]);
        }
    }
    if (s.size > from)
        lb_buf_add(out, s.p + from, s.size - from);
    lb_buf_add_byte(out, '"');
}

void lj_json_write_real(double value, struct lb_buf *out)
{
    char text[40];
    bool integral = true;

    /* Both conversions follow the host's locale, so they agree; the output must not follow it. */
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, value);
        double back = strtod(text, NULL);
        if (back >= value && back <= value)
            break;
    }
    for (char *c = text; *c != '\0'; c++) {
        bool digit = (*c >= '0' && *c <= '9') || *c == '-' || *c == '+';
        if (!digit)
            integral = false;
        if (!digit && *c != 'e')
            *c = '.';
    }
    lb_buf_add_c(out, text);
    if (integral)
        lb_buf_add_c(out, ".0");
}

static void write_object(const json_t *object, struct lb_buf *out)
{
    json_t *mutable = (json_t *)(uintptr_t)object; /* jansson's iterator wants it so */
    const char *separator = "";

    lb_buf_add_byte(out, '{');
    for (void *at = json_object_iter(mutable); at != NULL;
         at = json_object_iter_next(mutable, at)) {
        lb_buf_add_c(out, separator);
        lj_json_write_str(lb_cstr(json_object_iter_key(at)), out);
        lb_buf_add_byte(out, ':');
        lj_json_write(json_object_iter_value(at), out);
        separator = ",";
    }
    lb_buf_add_byte(out, '}');
}

void lj_json_write(const json_t *value, struct lb_buf *out)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        write_object(value, out);
        break;
    case JSON_ARRAY:
        lb_buf_add_byte(out, '[');
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i > 0)
                lb_buf_add_byte(out, ',');
            lj_json_write(json_array_get(value, i), out);
        }
        lb_buf_add_byte(out, ']');
        break;
    case JSON_STRING:
        lj_json_write_str(lb_str(json_string_value(value), json_string_length(value)), out);
        break;
    case JSON_INTEGER:
        lb_buf_addf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_REAL:
        lj_json_write_real(json_real_value(value), out);
        break;
    case JSON_TRUE:
        lb_buf_add_c(out, "true");
        break;
    case JSON_FALSE:
        lb_buf_add_c(out, "false");
        break;
    default:
        lb_buf_add_c(out, "null");
    }
}
