/* SPDX-License-Identifier: MIT */
/*
 * The shapes are those of servers as they are: OpenAI's "param", FastAPI's "loc", Google's and
 * Anthropic's sentences, serde's and Go's "unknown field", Python's and JSON's quotations of them.
 * Everything that stands below a member that is known to repeat the request is passed over.
 */
#include "dialect/reject.h"

#include <string.h>

#include "json/write.h"

enum { WALK_MAX = 8 }; /* levels of an error's JSON */

static const struct lb_str NAMES[] = {LB_STR("stream_options"), LB_STR("include_usage")};

/* Members that hold what was sent. */
static const char *const ECHOES[] = {
    "input", "input_value", "body", "request", "request_body", "payload", "received", "value",
};

/* Members that name the parameter which is refused. */
static const char *const PLACES[] = {
    "param", "parameter", "field", "path", "pointer", "property", "argument", "loc",
};

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static bool starts_nocase(struct lb_str s, struct lb_str prefix)
{
    return s.size >= prefix.size && lb_str_eq_nocase(lb_str_sub(s, 0, prefix.size), prefix);
}

static bool is_word(char c)
{
    return c == '_' || (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* The name that begins at `at`, as a word of its own; its size, or 0. */
static size_t name_at(struct lb_str text, size_t at)
{
    if (at > 0 && is_word(text.p[at - 1]))
        return 0;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        size_t end = at + NAMES[i].size;
        if (starts_nocase(lb_str_sub(text, at, text.size), NAMES[i]) &&
            (end == text.size || !is_word(text.p[end])))
            return NAMES[i].size;
    }
    return 0;
}

/* ---- A text ---------------------------------------------------------------------------------- */

/* `s` behind the marks that close a quotation, however they are escaped. */
static struct lb_str skip_quotes(struct lb_str s)
{
    static const struct lb_str MARKS[] = {
        LB_STR("\""),    LB_STR("'"),      LB_STR("`"),      LB_STR("\\u0022"), LB_STR("\\u0027"),
        LB_STR("\\x22"), LB_STR("\\"),     LB_STR("&quot;"), LB_STR("&apos;"),  LB_STR("&#34;"),
        LB_STR("&#39;"), LB_STR("&#x22;"), LB_STR("&#x27;"),
    };
    size_t i = 0;

    while (i < sizeof MARKS / sizeof MARKS[0]) {
        if (starts_nocase(s, MARKS[i])) {
            s = lb_str_sub(s, MARKS[i].size, s.size);
            i = 0;
        } else {
            i++;
        }
    }
    return s;
}

static struct lb_str skip_blanks(struct lb_str s)
{
    while (s.size > 0 && (unsigned char)s.p[0] <= ' ')
        s = lb_str_sub(s, 1, s.size);
    return s;
}

/* Does a value begin here, or did the text end before it? Sentences begin with other words. */
static bool begins_value(struct lb_str s)
{
    static const struct lb_str WORDS[] = {
        LB_STR("true"), LB_STR("some"),          LB_STR("null"),
        LB_STR("none"), LB_STR("nil"),           LB_STR("map"),
        LB_STR("..."),  LB_STR("streamoptions"), LB_STR("include_usage"),
    };

    if (s.size == 0 || memchr("{[(<\"'`\\&%", s.p[0], 10) != NULL)
        return true;
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0]; i++) {
        if (starts_nocase(s, WORDS[i]) || starts_nocase(WORDS[i], s)) /* or a part of one */
            return true;
    }
    return false;
}

/* Does an object lie open at the end of `before`? */
static bool is_within_object(struct lb_str before)
{
    size_t open = 0;

    for (size_t i = 0; i < before.size; i++) {
        if (before.p[i] == '{')
            open++;
        else if (before.p[i] == '}' && open > 0)
            open--;
    }
    return open > 0;
}

/* Is the name that ends at `end` a member with its value, or what is left of one that was cut? */
static bool is_quoted_member(struct lb_str text, size_t at, size_t end)
{
    struct lb_str rest = skip_blanks(skip_quotes(lb_str_sub(text, end, text.size)));

    if (rest.size == 0 || starts_nocase(rest, LB_STR("...")) ||
        starts_nocase(rest, LB_STR("\xe2\x80\xa6")))
        return is_within_object(lb_str_sub(text, 0, at));
    if (rest.p[0] == '%')
        return true;
    if (rest.p[0] != ':' && rest.p[0] != '=')
        return false;
    rest = lb_str_sub(rest, 1, rest.size); /* Ruby writes => */
    return begins_value(skip_blanks(lb_str_sub(rest, starts_nocase(rest, LB_STR(">")), rest.size)));
}

/* Does the text name the parameter in words of its own? */
static bool says(struct lb_str text)
{
    for (size_t at = 0; at < text.size; at++) {
        size_t size = name_at(text, at);
        if (size > 0 && !is_quoted_member(text, at, at + size))
            return true;
        at += size;
    }
    return false;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static struct lb_str text_of(const json_t *value)
{
    return lb_str(json_string_value(value), json_string_length(value));
}

/* "stream_options", "body.stream_options.include_usage", "#/stream_options"; nothing deeper. */
static bool is_place(struct lb_str path)
{
    while (path.size > 0 && memchr("#$./[\"'", path.p[0], 7) != NULL)
        path = lb_str_sub(path, 1, path.size);
    if (starts_nocase(path, LB_STR("body")) && path.size > 4 && !is_word(path.p[4]))
        return is_place(lb_str_sub(path, 4, path.size));
    return name_at(path, 0) > 0;
}

/* FastAPI's ["body", "stream_options"]. */
static bool is_place_list(const json_t *list)
{
    size_t at = 0;

    if (json_is_string(json_array_get(list, 0)) &&
        strcmp(json_string_value(json_array_get(list, 0)), "body") == 0)
        at = 1;
    return json_is_string(json_array_get(list, at)) && is_place(text_of(json_array_get(list, at)));
}

/* {"stream_options": ["unknown field"]}: words about the member, not its value. */
static bool are_words(const json_t *value)
{
    return json_is_string(value) || json_is_string(json_array_get(value, 0));
}

static bool states(const json_t *value, int depth);

static bool member_states(const char *name, const json_t *value, int depth)
{
    if (is_one_of(name, ECHOES, sizeof ECHOES / sizeof ECHOES[0]))
        return false;
    if (is_one_of(name, PLACES, sizeof PLACES / sizeof PLACES[0]))
        return json_is_string(value) ? is_place(text_of(value)) : is_place_list(value);
    if (name_at(lb_cstr(name), 0) > 0 && are_words(value))
        return true;
    return states(value, depth);
}

static bool states(const json_t *value, int depth)
{
    const char *name;
    json_t *inner;
    size_t i;

    if (depth > WALK_MAX)
        return false;
    if (json_is_string(value))
        return says(text_of(value));
    json_array_foreach(value, i, inner)
    {
        if (states(inner, depth + 1))
            return true;
    }
    json_object_foreach((json_t *)(uintptr_t)value, name, inner)
    {
        if (member_states(name, inner, depth + 1))
            return true;
    }
    return false;
}

bool ld_rejects_stream_options(int http_status, struct lb_str body)
{
    if (http_status != 400 && http_status != 422)
        return false;
    body = skip_blanks(body);
    if (body.size > 0 && (body.p[0] == '{' || body.p[0] == '[')) {
        json_t *value = lj_json_read(body, NULL);
        if (value != NULL) {
            bool stated = states(value, 0);
            json_decref(value);
            return stated;
        }
    }
    return says(body);
}

/* ---- What was sent --------------------------------------------------------------------------- */

/* "\u0073" and the like: nobody writes letters so who does not want to hide them. */
static bool is_hidden_letter(struct lb_str s)
{
    if (!starts_nocase(s, LB_STR("\\u00")) || s.size < 6)
        return false;
    const char *high = memchr("4567", s.p[4], 4);
    const char *low = memchr("0123456789abcdef", s.p[5] >= 'A' ? s.p[5] | 0x20 : s.p[5], 16);
    return high != NULL && low != NULL &&
           is_word((char)((*high - '0') << 4 | (*low >= 'a' ? *low - 'a' + 10 : *low - '0')));
}

bool ld_mentions_stream_options(struct lb_str text)
{
    for (size_t at = 0; at < text.size; at++) {
        if (text.p[at] != '_' && text.p[at] != '\\')
            continue;
        if (text.p[at] == '\\') {
            if (is_hidden_letter(lb_str_sub(text, at, text.size)))
                return true;
            continue;
        }
        for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
            size_t before = lb_str_find(NAMES[i], '_');
            if (at >= before && starts_nocase(lb_str_sub(text, at - before, text.size), NAMES[i]))
                return true;
        }
    }
    return false;
}
