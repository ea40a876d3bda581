/* SPDX-License-Identifier: MIT */
/*
 * From an upstream's refusal to our status and words: the table of HTTP statuses, and the search
 * for the telling text in bodies of every shape.
 */
#include "dialect/error_read.h"

#include "base/error.h"
#include "dialect/said.h"

/* What an HTTP status means; rows are looked through in order, ranges inclusive. */
static const struct http_row {
    int from, to;
    llmgr_status status;
} HTTP_ROWS[] = {
    {200, 299, LLMGR_OK},          {401, 401, LLMGR_ERR_KEY_REFUSED},
    {408, 408, LLMGR_ERR_TIMEOUT}, {429, 429, LLMGR_ERR_RATE_LIMITED},
    {504, 504, LLMGR_ERR_TIMEOUT},
};

llmgr_status ld_status_of_http(int http_status)
{
    for (size_t i = 0; i < sizeof HTTP_ROWS / sizeof HTTP_ROWS[0]; i++) {
        if (http_status >= HTTP_ROWS[i].from && http_status <= HTTP_ROWS[i].to)
            return HTTP_ROWS[i].status;
    }
    return LLMGR_ERR_UPSTREAM;
}

llmgr_status ld_status_of_refusal(const struct lb_host *host, int http_status, struct lb_str body)
{
    if (http_status == 403 && ld_said_of_key(host, body))
        return LLMGR_ERR_KEY_REFUSED;
    return ld_status_of_http(http_status);
}

static void fill(struct llmgr_error *err, llmgr_status status, const struct ld_refusal *refusal,
                 const char *told)
{
    const char *platform = refusal->platform.size > 0 ? refusal->platform.p : "?";
    int platform_size = refusal->platform.size > 0 ? (int)refusal->platform.size : 1;
    int code = refusal->http_status;

    if (status == LLMGR_ERR_KEY_REFUSED) {
        lb_fail(err, status,
                N_("the platform '%.*s' refuses the API key (HTTP %d)%s; store a valid key for it"),
                platform_size, platform, code, told);
    } else if (status == LLMGR_ERR_RATE_LIMITED && refusal->retry_after_ms > 0) {
        lb_fail(err, status,
                N_("the platform '%.*s' limits the rate (HTTP %d)%s; try again in %lld s"),
                platform_size, platform, code, told,
                (long long)((refusal->retry_after_ms + 999) / 1000));
    } else if (status == LLMGR_ERR_RATE_LIMITED) {
        lb_fail(err, status, N_("the platform '%.*s' limits the rate (HTTP %d)%s; try again later"),
                platform_size, platform, code, told);
    } else if (status == LLMGR_ERR_TIMEOUT) {
        lb_fail(err, status, N_("the platform '%.*s' gave up waiting (HTTP %d)%s; try again"),
                platform_size, platform, code, told);
    } else if (code == 404 && refusal->model.size > 0) {
        lb_fail(err, status,
                N_("the platform '%.*s' has no such address or no model '%.*s' (HTTP 404)%s; check "
                   "its base URL and the model's name"),
                platform_size, platform, (int)refusal->model.size, refusal->model.p, told);
    } else {
        lb_fail(err, status, N_("the platform '%.*s' answers with an error (HTTP %d)%s"),
                platform_size, platform, code, told);
    }
}

llmgr_status ld_fail_http(struct llmgr_error *err, const struct ld_refusal *refusal)
{
    llmgr_status status = ld_status_of_refusal(refusal->host, refusal->http_status, refusal->body);
    struct lb_buf text;

    if (status == LLMGR_OK)
        status = LLMGR_ERR_UPSTREAM;
    if (err == NULL)
        return status;
    lb_buf_init(&text, refusal->host, LD_SHOWN_MAX + 16);
    lb_buf_add_c(&text, ": ");
    if (!refusal->silent)
        ld_error_text(refusal->body, LD_SHOWN_MAX, &text);
    fill(err, status, refusal, text.size > 2 ? lb_buf_c(&text) : "");
    lb_buf_free(&text);
    err->upstream_status = refusal->http_status;
    err->retry_after_ms = refusal->retry_after_ms;
    return status;
}

/* ---- The telling text ------------------------------------------------------------------------ */

/* Control characters, and those that reorder or break what a terminal shows. */
static bool is_unshowable(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c <= 0x9f) || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

void ld_clean_text(struct lb_str raw, size_t max, struct lb_buf *text)
{
    size_t start = text->size;
    bool space = false;

    while (raw.size > 0) {
        uint32_t c = 0;
        size_t used = lb_utf8_decode(raw, &c);
        struct lb_str piece = used > 0 ? lb_str(raw.p, used) : LB_STR("\xef\xbf\xbd");
        bool blank = used > 0 && (c == ' ' || is_unshowable(c));

        raw = lb_str_sub(raw, used > 0 ? used : 1, raw.size);
        if (blank) {
            space = text->size > start;
            continue;
        }
        if (text->size - start + piece.size + (space ? 1 : 0) > max) {
            lb_buf_add_c(text, "\xe2\x80\xa6"); /* an ellipsis: there was more */
            return;
        }
        if (space)
            lb_buf_add_byte(text, ' ');
        space = false;
        lb_buf_add_str(text, piece);
    }
}

/* The members that have been seen to hold the message, in the order to look for them. */
static const char *const MESSAGE_NAMES[] = {
    "message",           "msg",    "error_msg", "error_message", "status_msg",
    "error_description", "detail", "details",   "title",         "Msg",
};

/* And those that hold what it stands in. */
static const char *const HOLDERS[] = {"error", "errors", "base_resp", "ErrorMsg"};

/* The message in a JSON value, some levels down; the empty slice if there is none. */
static struct lb_str find_message(const json_t *value, int depth)
{
    struct lb_str found = {NULL, 0};

    if (value == NULL || depth > 4)
        return found;
    if (json_is_string(value))
        return lb_str(json_string_value(value), json_string_length(value));
    if (json_is_array(value))
        return find_message(json_array_get(value, 0), depth + 1);
    if (!json_is_object(value))
        return found;
    for (size_t i = 0; found.size == 0 && i < sizeof HOLDERS / sizeof HOLDERS[0]; i++)
        found = find_message(json_object_get(value, HOLDERS[i]), depth + 1);
    for (size_t i = 0; found.size == 0 && i < sizeof MESSAGE_NAMES / sizeof MESSAGE_NAMES[0]; i++)
        found = find_message(json_object_get(value, MESSAGE_NAMES[i]), depth + 1);
    return found;
}

/* Offset of `word` (lower-case) in `s` without case, or s.size. */
static size_t find_word(struct lb_str s, struct lb_str word)
{
    for (size_t i = 0; i + word.size <= s.size; i++) {
        if (lb_str_eq_nocase(lb_str(s.p + i, word.size), word))
            return i;
    }
    return s.size;
}

/* The text of the first element of that name; empty: there is none. */
static struct lb_str html_text(struct lb_str html, struct lb_str element)
{
    struct lb_str rest = lb_str_sub(html, find_word(html, element), html.size);
    size_t end = lb_str_find(rest, '>');

    if (end == rest.size)
        return lb_str(NULL, 0);
    rest = lb_str_sub(rest, end + 1, rest.size);
    return lb_str_sub(rest, 0, lb_str_find(rest, '<'));
}

static struct lb_str html_title(struct lb_str html)
{
    struct lb_str title = lb_str_trim(html_text(html, LB_STR("<title")));

    return title.size > 0 ? title : html_text(html, LB_STR("<h1"));
}

void ld_error_text(struct lb_str body, size_t max, struct lb_buf *text)
{
    json_t *root = ld_said_json(text->host, body);

    ld_error_text_of(root, body, max, text);
    json_decref(root);
}

void ld_error_text_of(const json_t *root, struct lb_str body, size_t max, struct lb_buf *text)
{
    const struct lb_str mark = LB_STR("\xef\xbb\xbf");

    if (lb_str_starts(body, mark))
        body = lb_str_sub(body, mark.size, body.size);
    while (body.size > 0 && (unsigned char)body.p[0] <= ' ')
        body = lb_str_sub(body, 1, body.size);
    if (body.size == 0)
        return;
    struct lb_str found = find_message(root, 0);
    if (found.size > 0)
        ld_clean_text(found, max, text);
    else
        ld_clean_text(body.p[0] == '<' ? html_title(body) : body, max, text);
}
