/* SPDX-License-Identifier: MIT */
/* From an error's JSON to two texts that are searched. See the header. */
#include "dialect/codes.h"

#include <stdio.h>

#include "dialect/error_read.h"
#include "dialect/retry_after.h"
#include "dialect/said.h"
#include "json/write.h"

enum { DETAILS_MAX = 8 }; /* of an error that are looked at */

static void add_lower(char *text, size_t *size, size_t max, struct lb_str more)
{
    for (size_t i = 0; i < more.size && *size < max; i++)
        text[(*size)++] = lb_ascii_lower(more.p[i]);
}

/* A code that does not fit whole is none. */
static void add_code(struct ld_codes *codes, struct lb_str prefix, struct lb_str code)
{
    if (code.size == 0 || codes->codes_size + prefix.size + code.size + 1 > LD_CODES_MAX)
        return;
    add_lower(codes->codes, &codes->codes_size, LD_CODES_MAX, prefix);
    add_lower(codes->codes, &codes->codes_size, LD_CODES_MAX, code);
    codes->codes[codes->codes_size++] = '\n';
}

static void add_value(struct ld_codes *codes, struct lb_str prefix, const json_t *value)
{
    char number[32];

    if (json_is_string(value)) {
        add_code(codes, prefix, lb_str(json_string_value(value), json_string_length(value)));
    } else if (json_is_integer(value)) {
        (void)snprintf(number, sizeof number, "%lld", (long long)json_integer_value(value));
        add_code(codes, prefix, lb_cstr(number));
        if (json_integer_value(value) >= 400 && json_integer_value(value) <= 599)
            codes->http_status = (int)json_integer_value(value);
    }
}

static void add_members(struct ld_codes *codes, const json_t *object)
{
    static const char *const NAMES[] = {"code",   "type",       "status",
                                        "reason", "error_code", "error_type"};

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        add_value(codes, lb_str(NULL, 0), json_object_get(object, NAMES[i]));
}

static void add_json(struct ld_codes *codes, const json_t *root)
{
    const json_t *error = ld_said_error(root);
    const json_t *details = json_object_get(error, "details");

    if (error != root)
        add_members(codes, root);
    for (size_t i = 0; i < DETAILS_MAX && i < json_array_size(details); i++)
        add_members(codes, json_array_get(details, i));
    add_members(codes, json_object_get(error, "metadata"));
    add_value(codes, LB_STR("base_resp."),
              json_object_get(json_object_get(root, "base_resp"), "status_code"));
    add_members(codes, error); /* the last word on the status is the error's own */
    codes->retry_after_ms = ld_retry_after_said(error);
}

/* The telling text; MiniMax has its own place for it. */
static void add_message(const struct lb_host *host, struct lb_str body, const json_t *root,
                        struct ld_codes *codes)
{
    struct lb_str own = lj_json_str(json_object_get(root, "base_resp"), "status_msg");
    struct lb_buf text;

    lb_buf_init(&text, host, LD_CODES_MESSAGE_MAX + 16);
    if (own.size > 0)
        ld_clean_text(own, LD_CODES_MESSAGE_MAX, &text);
    else
        ld_error_text_of(root, body, LD_CODES_MESSAGE_MAX, &text);
    add_lower(codes->message, &codes->message_size, LD_CODES_MESSAGE_MAX, lb_buf_str(&text));
    lb_buf_free(&text);
}

void ld_codes_read(const struct lb_host *host, struct lb_str body, struct ld_codes *codes)
{
    codes->codes_size = codes->message_size = 0;
    codes->http_status = 0;
    codes->retry_after_ms = -1;
    struct lb_str text = lb_str_strip(body);
    codes->is_markup = text.size > 0 && text.p[0] == '<';
    if (text.size == 0)
        return;
    json_t *root = ld_said_json(host, body);
    add_json(codes, root);
    add_message(host, body, root, codes);
    json_decref(root);
}

/* ---- Looking --------------------------------------------------------------------------------- */

/* A code that is `code`, or only begins so. */
static bool has_line(const struct ld_codes *codes, struct lb_str code, bool whole)
{
    const char *at = codes->codes, *end = codes->codes + codes->codes_size;

    while (at < end) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        struct lb_str line = lb_str(at, (size_t)(line_end - at));
        if (whole ? lb_str_eq(line, code) : lb_str_starts(line, code))
            return true;
        at = line_end + 1;
    }
    return false;
}

bool ld_codes_have(const struct ld_codes *codes, struct lb_str code)
{
    return has_line(codes, code, true);
}

bool ld_codes_have_family(const struct ld_codes *codes, struct lb_str start)
{
    return has_line(codes, start, false);
}

bool ld_codes_say(const struct ld_codes *codes, struct lb_str words)
{
    return memmem(codes->message, codes->message_size, words.p, words.size) != NULL;
}

bool ld_codes_start(const struct ld_codes *codes, struct lb_str words)
{
    return lb_str_starts(lb_str(codes->message, codes->message_size), words);
}

bool ld_codes_are(const struct ld_codes *codes, struct lb_str words)
{
    return lb_str_eq(lb_str(codes->message, codes->message_size), words);
}
