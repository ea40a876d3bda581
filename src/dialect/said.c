/* SPDX-License-Identifier: MIT */
/*
 * JSON that was cut is closed where it ends, and read as usual: a string gets its quote, what is
 * open its brackets, a value that did not come is null. Words about keys are two tables: codes that
 * say it all, and for sentences a name of the key with what is wrong with it.
 */
#include "dialect/said.h"

#include <string.h>

#include "dialect/error_read.h"
#include "json/scan.h"
#include "json/write.h"

enum {
    TEXT_MAX = 2000, /* bytes of a message that are looked at */
    CODE_MAX = 200,  /* and of a code */
};

/* ---- Cut off --------------------------------------------------------------------------------- */

struct cut {
    char open[LJ_DEPTH_MAX]; /* the closing brackets, outermost first */
    unsigned depth;
    bool in_string;
    bool is_name;  /* the string, or the one before, is a member's name */
    bool is_value; /* a value may be incomplete: it began at `value` */
    size_t value;
};

/* A bracket, a comma or a colon; false: this is no JSON, or too deep. */
static bool take_mark(struct cut *cut, char c, size_t at)
{
    switch (c) {
    case '{':
    case '[':
        if (cut->depth == LJ_DEPTH_MAX)
            return false;
        cut->open[cut->depth++] = c == '{' ? '}' : ']';
        cut->is_name = c == '{';
        break;
    case '}':
    case ']':
        if (cut->depth == 0 || cut->open[--cut->depth] != c)
            return false;
        cut->is_name = false;
        break;
    case ',':
        cut->is_name = cut->depth > 0 && cut->open[cut->depth - 1] == '}';
        break;
    case ':':
        cut->is_name = false;
        break;
    default:
        return true;
    }
    cut->is_value = c != '}' && c != ']';
    cut->value = at + 1;
    return true;
}

static bool follow_text(struct cut *cut, struct lb_str text)
{
    size_t at = 0;

    while (at < text.size) {
        if (!cut->in_string && text.p[at] != '"') {
            if (!take_mark(cut, text.p[at], at))
                return false;
            at++;
            continue;
        }
        if (!cut->in_string) {
            cut->in_string = true;
            cut->value = at++;
        }
        while (at < text.size && text.p[at] != '"')
            at += text.p[at] == '\\' ? 2 : 1;
        if (at >= text.size)
            return true;
        cut->in_string = false;
        cut->is_value = cut->is_name; /* of a name, the value is still to come */
        at++;
    }
    return true;
}

/* Bytes of an escape, together with the surrogate's other half. */
static size_t escape_size(struct lb_str s)
{
    if (s.size < 2 || s.p[1] != 'u')
        return 2;
    return s.size >= 4 && (s.p[2] | 0x20) == 'd' && memchr("89abAB", s.p[3], 6) != NULL ? 12 : 6;
}

/* Without an escape or a character that is not whole. */
static size_t string_end(struct lb_str text, size_t from)
{
    size_t at = from + 1;

    while (at < text.size) {
        struct lb_str rest = lb_str_sub(text, at, text.size);
        uint32_t c;
        size_t size = rest.p[0] == '\\' ? escape_size(rest) : lb_utf8_decode(rest, &c);
        if (size == 0)
            size = rest.size < 4 ? 4 : 1;
        if (size > rest.size)
            return at;
        at += size;
    }
    return at;
}

/* Appends the text with what is missing at its end. */
static bool mend_text(struct lb_str text, struct lb_buf *out)
{
    struct cut cut = {0};

    if (!follow_text(&cut, text) || cut.depth == 0)
        return false;
    if (cut.in_string) {
        lb_buf_add_str(out, lb_str_sub(text, 0, string_end(text, cut.value)));
        lb_buf_add_c(out, cut.is_name ? "\":null" : "\"");
    } else if (cut.is_value && cut.value < text.size && text.p[cut.value] == '"') {
        lb_buf_add_str(out, text);
        lb_buf_add_c(out, ":null");
    } else if (cut.is_value) { /* behind a mark: a number or a word that may go on, or nothing yet
                                */
        char mark = text.p[cut.value - 1];
        lb_buf_add_str(out, lb_str_sub(text, 0, cut.value - (mark == ',')));
        lb_buf_add_c(out, mark == ':' ? "null" : "");
    } else {
        lb_buf_add_str(out, text);
    }
    while (cut.depth > 0)
        lb_buf_add_byte(out, cut.open[--cut.depth]);
    return out->failed == LLMGR_OK;
}

static json_t *read_cut(const struct lb_host *host, struct lb_str text)
{
    struct lb_buf mended;

    lb_buf_init(&mended, host, text.size + LJ_DEPTH_MAX + 8);
    json_t *root = mend_text(text, &mended) ? lj_json_read(lb_buf_str(&mended), NULL) : NULL;
    lb_buf_free(&mended);
    return root;
}

/* ---- Wrapped up ------------------------------------------------------------------------------ */

static struct lb_str skip_space(struct lb_str s)
{
    while (s.size > 0 && (unsigned char)s.p[0] <= ' ')
        s = lb_str_sub(s, 1, s.size);
    return s;
}

/* The data of the first event that holds an object; p NULL: it is no event stream. */
static struct lb_str first_event(struct lb_str body)
{
    static const struct lb_str STARTS[] = {LB_STR("data:"), LB_STR("event:"), LB_STR("id:"),
                                           LB_STR("retry:"), LB_STR(":")};
    bool is_stream = false;

    for (size_t i = 0; i < sizeof STARTS / sizeof STARTS[0]; i++)
        is_stream = is_stream || lb_str_starts(body, STARTS[i]);
    while (is_stream && body.size > 0) {
        size_t end = 0;
        while (end < body.size && body.p[end] != '\n' && body.p[end] != '\r')
            end++;
        struct lb_str line = lb_str_sub(body, 0, end);
        body = lb_str_sub(body, end + 1, body.size);
        if (!lb_str_starts(line, STARTS[0]))
            continue;
        line = skip_space(lb_str_sub(line, STARTS[0].size, line.size));
        if (line.size > 0 && line.p[0] == '{')
            return line;
    }
    return lb_str(NULL, 0);
}

struct lb_str ld_said_text(struct lb_str body)
{
    const struct lb_str mark = LB_STR("\xef\xbb\xbf");

    if (lb_str_starts(body, mark))
        body = lb_str_sub(body, mark.size, body.size);
    body = skip_space(body);
    struct lb_str event = first_event(body);
    if (event.p != NULL)
        body = event;
    return body.size > 0 && (body.p[0] == '{' || body.p[0] == '[') ? body : lb_str(NULL, 0);
}

json_t *ld_said_json(const struct lb_host *host, struct lb_str body)
{
    struct lb_str text = ld_said_text(body);

    if (text.p == NULL)
        return NULL;
    json_t *root = lj_json_read(text, NULL);
    return root != NULL ? root : read_cut(host, text);
}

const json_t *ld_said_error(const json_t *root)
{
    if (json_is_array(root))
        root = json_array_get(root, 0);
    const json_t *error = json_object_get(root, "error");
    return json_is_object(error) ? error : root;
}

/* ---- Success --------------------------------------------------------------------------------- */

bool ld_said_fine_number(double code)
{
    return code == 0 || code == 200;
}

bool ld_said_fine_word(struct lb_str code)
{
    static const struct lb_str WORDS[] = {LB_STR(""), LB_STR("ok"), LB_STR("success")};
    uint64_t number;

    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (lb_str_eq_nocase(code, WORDS[i]))
            return true;
    }
    return lb_str_to_u64(code, &number) && ld_said_fine_number((double)number);
}

/* ---- About the key --------------------------------------------------------------------------- */

/* Codes, types and reasons, as parts of them, in lower case. */
static const char *const KEY_CODES[] = {
    "api_key",       "apikey",        "authentication",     "unauthenticated", "invalid_key",
    "invalid_token", "token_expired", "invalid_credential", "invalid_auth",
};

/* And those that say of something else that it is not permitted, however they go on. */
static const char *const OTHER_CODES[] = {
    "moderation", "content", "flagged", "region",  "country",
    "location",   "model",   "quota",   "balance",
};

/* The same of sentences. */
static const char *const OTHER_WORDS[] = {
    "moderat", "flagged", "policy", "region", "country", "territory", "location", "user-agent",
};

static const char *const KEY_NAMES[] = {
    "api key",
    "api-key",
    "api_key",
    "apikey",
    "access key",
    "access token",
    "bearer token",
    "auth token",
    "credential",
    "x-api-key",
    "authorization header",
    "this key",
    "your key",
    "authentication",
    "\xe5\xaf\x86\xe9\x92\xa5", /* key */
    "\xe4\xbb\xa4\xe7\x89\x8c", /* token */
    "\xe9\x89\xb4\xe6\x9d\x83", /* authentication */
};

static const char *const KEY_FAULTS[] = {
    "invalid",
    "incorrect",
    "wrong",
    "expired",
    "revoked",
    "disabled",
    "missing",
    "malformed",
    "not valid",
    "not found",
    "no such",
    "unknown",
    "does not exist",
    "doesn't exist",
    "blocked",
    "suspended",
    "deactivated",
    "does not have",
    "doesn't have",
    "not have",
    "no permission",
    "lacks",
    "not authorized",
    "unauthorized",
    "not allowed",
    "may not",
    "failed",
    "fails",
    "refused",
    "rejected",
    "required",
    "please use",
    "\xe6\x97\xa0\xe6\x95\x88",             /* invalid */
    "\xe9\x94\x99\xe8\xaf\xaf",             /* wrong */
    "\xe8\xbf\x87\xe6\x9c\x9f",             /* expired */
    "\xe4\xb8\x8d\xe5\xad\x98\xe5\x9c\xa8", /* does not exist */
    "\xe5\xa4\xb1\xe8\xb4\xa5",             /* failed */
};

static bool has_one_of(struct lb_str text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct lb_str word = lb_cstr(words[i]);
        for (size_t at = 0; at + word.size <= text.size; at++) {
            if (lb_str_eq_nocase(lb_str(text.p + at, word.size), word))
                return true;
        }
    }
    return false;
}

#define HAS_ONE_OF(text, table) has_one_of(text, table, sizeof(table) / sizeof *(table))

/* A name of the key and its fault within one sentence. */
static bool sentence_blames_key(struct lb_str text)
{
    while (text.size > 0) {
        size_t end = 0;
        while (end < text.size && memchr("\n;!?", text.p[end], 4) == NULL &&
               !(text.p[end] == '.' && (end + 1 == text.size || text.p[end + 1] == ' ')))
            end++;
        struct lb_str one = lb_str_sub(text, 0, end);
        if (HAS_ONE_OF(one, KEY_NAMES) && HAS_ONE_OF(one, KEY_FAULTS))
            return true;
        text = lb_str_sub(text, end + 1, text.size);
    }
    return false;
}

static bool code_is_of(const json_t *error, const char *const *words, size_t count)
{
    static const char *const NAMES[] = {"code", "type", "status", "reason"};
    bool found = false;

    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++)
        found = found ||
                has_one_of(lb_str_sub(lj_json_str(error, NAMES[i]), 0, CODE_MAX), words, count);
    return found;
}

bool ld_said_of_key(const struct lb_host *host, struct lb_str body)
{
    if (body.size == 0)
        return false;
    json_t *root = ld_said_json(host, body);
    const json_t *error = ld_said_error(root);
    bool is_other = code_is_of(error, OTHER_CODES, sizeof OTHER_CODES / sizeof *OTHER_CODES);
    bool is_key = code_is_of(error, KEY_CODES, sizeof KEY_CODES / sizeof *KEY_CODES);
    struct lb_buf text;

    json_decref(root);
    if (is_other || is_key)
        return !is_other;
    lb_buf_init(&text, host, TEXT_MAX + 16);
    ld_error_text(body, TEXT_MAX, &text);
    struct lb_str said = lb_buf_str(&text);
    is_key = !HAS_ONE_OF(said, OTHER_WORDS) && sentence_blames_key(said);
    lb_buf_free(&text);
    return is_key;
}
