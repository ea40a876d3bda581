/* SPDX-License-Identifier: MIT */
/* Which texts are surely meant otherwise. Each rule is narrow: what may be a value is one. */
#include "config/meant.h"

#include <string.h>

static bool is_name_byte(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* The name that `text` begins with; empty if it begins with none. */
static struct lb_str leading_name(struct lb_str text)
{
    size_t size = 0;

    while (size < text.size && is_name_byte(text.p[size], size == 0))
        size++;
    return lb_str_sub(text, 0, size);
}

/* The last of several names that are parted: secrets.NAME, env:NAME, .get('NAME'), [NAME]. */
static struct lb_str last_name(struct lb_str text)
{
    static const char PARTING[] = {'.', '/', ':', '[', '(', '\'', '"', ' ', '{'};
    struct lb_str name = {0};

    while (text.size != 0) {
        struct lb_str here = leading_name(text);
        if (here.size != 0)
            name = here;
        else if (memchr(PARTING, text.p[0], sizeof PARTING) == NULL)
            break;
        text = lb_str_sub(text, here.size != 0 ? here.size : 1, text.size);
    }
    return name;
}

/* ---- Variables ------------------------------------------------------------------------------- */

/* In upper case, as variables are written: a key may well hold a dollar, and a letter after it. */
static bool is_upper_name(struct lb_str name)
{
    for (size_t i = 0; i < name.size; i++) {
        if (name.p[i] >= 'a' && name.p[i] <= 'z')
            return false;
    }
    return name.size >= 2;
}

/* Texts that open a variable wherever they stand. */
static const char *const OPENINGS[] = {"${", "{{", "{env:", "{env.", "{ENV:", "$env:", "$ENV{"};
/* Texts that open one at the beginning of a value. */
static const char *const PREFIXES[] = {
    "os.environ", "os.getenv", "process.env", "env:",       "ENV:",   "env.",
    "ENV[",       "getenv(",   "env(",        "secretRef:", "os.env/"};

static bool find_opening(struct lb_str text, struct lb_str *name)
{
    for (size_t at = 0; at < text.size; at++) {
        struct lb_str rest = lb_str_sub(text, at, text.size);
        for (size_t i = 0; i < sizeof OPENINGS / sizeof OPENINGS[0]; i++) {
            struct lb_str opening = lb_cstr(OPENINGS[i]);
            if (!lb_str_starts(rest, opening))
                continue;
            *name = last_name(lb_str_sub(rest, opening.size, rest.size));
            return true;
        }
    }
    return false;
}

static bool find_prefix(struct lb_str text, struct lb_str *name)
{
    for (size_t i = 0; i < sizeof PREFIXES / sizeof PREFIXES[0]; i++) {
        struct lb_str prefix = lb_cstr(PREFIXES[i]);
        if (!lb_str_starts(text, prefix))
            continue;
        *name = last_name(lb_str_sub(text, prefix.size, text.size));
        return true;
    }
    return false;
}

/* $NAME as the whole value, or as the whole of a part of it: not what a password may hold. */
static bool find_dollar(struct lb_str text, struct lb_str *name)
{
    for (size_t at = 0; at < text.size; at++) {
        if (text.p[at] != '$' || (at != 0 && text.p[at - 1] != '/' && text.p[at - 1] != ':'))
            continue;
        struct lb_str found = leading_name(lb_str_sub(text, at + 1, text.size));
        size_t end = at + 1 + found.size;
        if (is_upper_name(found) &&
            (end == text.size || text.p[end] == '/' || text.p[end] == ':')) {
            *name = found;
            return true;
        }
    }
    return false;
}

static bool find_percent(struct lb_str text, struct lb_str *name)
{
    if (text.size < 4 || text.p[0] != '%')
        return false;
    *name = leading_name(lb_str_sub(text, 1, text.size));
    return is_upper_name(*name) && name->size + 2 == text.size && text.p[text.size - 1] == '%';
}

bool lc_meant_variable(struct lb_str text, struct lb_str *name)
{
    text = lb_str_trim(text);
    *name = lb_str(NULL, 0);
    return find_opening(text, name) || find_prefix(text, name) || find_dollar(text, name) ||
           find_percent(text, name);
}

bool lc_meant_placeholder(struct lb_str text, struct lb_str *name)
{
    text = lb_str_trim(text);
    if (text.size < 3 || text.p[0] != '{' || text.p[text.size - 1] != '}')
        return false;
    *name = leading_name(lb_str_sub(text, 1, text.size));
    return name->size + 2 == text.size;
}

/* ---- Base URLs ------------------------------------------------------------------------------- */

/* What no base ends in; the others of an API may, so they count after "/v1" only. */
static const char *const ENDPOINTS[] = {"/chat/completions"};
static const char *const ENDPOINTS_OF_V1[] = {"/completions",
                                              "/embeddings",
                                              "/responses",
                                              "/messages",
                                              "/messages/count_tokens",
                                              "/models",
                                              "/images/generations",
                                              "/moderations",
                                              "/rerank",
                                              "/audio/speech",
                                              "/audio/transcriptions"};

static size_t cut(struct lb_str path, const char *endpoint)
{
    struct lb_str tail = lb_cstr(endpoint);
    struct lb_str end =
        lb_str_sub(path, path.size - (tail.size < path.size ? tail.size : 0), path.size);

    return lb_str_eq_nocase(end, tail) ? path.size - tail.size : 0;
}

size_t lc_meant_base_url(struct lb_str url)
{
    struct lb_str path = lb_str_sub(url, 0, lb_str_find(url, '?'));

    while (path.size != 0 && path.p[path.size - 1] == '/')
        path.size--;
    for (size_t i = 0; i < sizeof ENDPOINTS / sizeof ENDPOINTS[0]; i++) {
        size_t size = cut(path, ENDPOINTS[i]);
        if (size != 0)
            return size;
    }
    for (size_t i = 0; i < sizeof ENDPOINTS_OF_V1 / sizeof ENDPOINTS_OF_V1[0]; i++) {
        size_t size = cut(path, ENDPOINTS_OF_V1[i]);
        if (size != 0 && lb_str_ends(lb_str_sub(path, 0, size), LB_STR("/v1")))
            return size;
    }
    return 0;
}
