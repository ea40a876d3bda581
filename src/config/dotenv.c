/* SPDX-License-Identifier: MIT */
/*
 * A cursor over the whole text, because quoted values may span lines. Values go to the pool (wiped
 * at the end), names to a map. An error names file and line, and never quotes a value: that line
 * may well hold a key. After a line that is not understood the next one is read.
 */
#include "config/dotenv.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/map.h"
#include "config/meant.h"
#include "config/pool.h"
#include "config/read.h"

enum { NAME_MAX_SIZE = 256, POOL_MAX = 2 * LC_DOTENV_SIZE_MAX, COMPLAINTS_SIZE = 64 << 10 };

struct lc_dotenv {
    const struct lb_host *host;
    struct lb_map *values; /* name -> text in the pool */
    struct lc_pool pool;
    struct lb_buf complaints; /* a line each */
    size_t complaint_count;   /* also those that are not named any more */
};

struct cursor {
    const char *name; /* of the file */
    struct lb_str rest;
    unsigned line;
};

static char peek_char(const struct cursor *at)
{
    return at->rest.size != 0 ? at->rest.p[0] : '\0';
}

static char next_char(struct cursor *at)
{
    char c = at->rest.p[0];

    at->rest = lb_str_sub(at->rest, 1, at->rest.size);
    if (c == '\n')
        at->line++;
    return c;
}

static void skip_blanks(struct cursor *at)
{
    while (peek_char(at) == ' ' || peek_char(at) == '\t')
        next_char(at);
}

static void skip_line(struct cursor *at)
{
    while (at->rest.size != 0 && next_char(at) != '\n')
        continue;
}

static bool at_line_end(const struct cursor *at)
{
    return at->rest.size == 0 || peek_char(at) == '\n' ||
           (peek_char(at) == '\r' && (at->rest.size == 1 || at->rest.p[1] == '\n'));
}

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

static struct lb_str take_name(struct cursor *at)
{
    const char *start = at->rest.p;
    size_t size = 0;

    while (is_name_byte(peek_char(at))) {
        next_char(at);
        size++;
    }
    return lb_str(start, size);
}

/* The byte that \c stands for between double quotes; 0 if the backslash is an ordinary one. */
static char unescape_char(char quote, char c)
{
    if (c == '\\' || c == quote)
        return c;
    if (quote == '\'')
        return 0;
    switch (c) {
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    case '$':
        return '$';
    default:
        return 0;
    }
}

/* After the opening quote, up to and with the closing one; false if that never comes. */
static bool take_quoted(struct cursor *at, char quote, struct lb_buf *value)
{
    while (at->rest.size != 0) {
        char c = next_char(at);
        if (c == quote)
            return true;
        char escaped = c == '\\' && at->rest.size != 0 ? unescape_char(quote, peek_char(at)) : '\0';
        if (escaped != '\0')
            next_char(at);
        lb_buf_add_byte(value, escaped != '\0' ? escaped : c);
    }
    return false;
}

/* To the line's end or a '#' after a blank, without the blanks before it. */
static void take_plain(struct cursor *at, struct lb_buf *value)
{
    const char *start = at->rest.p;
    size_t size = 0;
    char before = start[-1]; /* the '=' or a blank */

    while (!at_line_end(at) && !(peek_char(at) == '#' && (before == ' ' || before == '\t'))) {
        before = next_char(at);
        size++;
    }
    lb_buf_add_str(value, lb_str_trim(lb_str(start, size)));
    if (peek_char(at) == '#')
        while (!at_line_end(at))
            next_char(at);
}

/* "\${X}" between double quotes and '${X}' between single ones are meant as they stand. */
static llmgr_status judge_variable(const struct cursor *from, const struct cursor *to,
                                   struct lb_str value, struct llmgr_error *err)
{
    struct lb_str raw = lb_str(from->rest.p, (size_t)(to->rest.p - from->rest.p));
    struct lb_str name;

    for (size_t i = 0; i + 1 < raw.size; i++) {
        if (raw.p[i] == '\\' && raw.p[i + 1] == '$')
            return LLMGR_OK;
    }
    if (peek_char(from) == '\'' || !lc_meant_variable(value, &name))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s:%u: variables are not filled in here; write the value itself, or put "
                      "single quotes around it if it is meant so"),
                   from->name, from->line);
}

static llmgr_status take_value(struct cursor *at, struct lb_buf *value, struct llmgr_error *err)
{
    const struct cursor opened = *at;
    unsigned line = at->line;
    char first = peek_char(at);

    if (first != '"' && first != '\'') {
        take_plain(at, value);
    } else {
        next_char(at);
        if (!take_quoted(at, first, value)) {
            *at = opened; /* the lines behind it are lines of their own */
            return lb_fail(err, LLMGR_ERR_CONFIG,
                           N_("%s:%u: the quote that opens here is never closed"), at->name, line);
        }
        skip_blanks(at);
        if (peek_char(at) == '#')
            while (!at_line_end(at))
                next_char(at);
    }
    if (!at_line_end(at))
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("%s:%u: something follows the closing quote; put the whole value between "
                          "the quotes"),
                       at->name, at->line);
    if (value->failed == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    if (value->failed != LLMGR_OK)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u: a value longer than %d bytes"), at->name,
                       line, LC_DOTENV_VALUE_MAX);
    if (!lb_utf8_valid(lb_buf_str(value)))
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u: the value is not valid UTF-8"), at->name,
                       line);
    return judge_variable(&opened, at, lb_buf_str(value), err);
}

static llmgr_status keep_variable(struct lc_dotenv *dotenv, const struct cursor *at,
                                  struct lb_str name, struct lb_str value, struct llmgr_error *err)
{
    char *copy = lc_pool_str(&dotenv->pool, value);

    if (copy == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lb_map_put(dotenv->values, name, copy, NULL);
    if (status == LLMGR_ERR_TOO_LARGE)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u: more than %d variables"), at->name,
                       at->line, LC_DOTENV_COUNT_MAX);
    return status != LLMGR_OK ? lb_fail_memory(err) : LLMGR_OK;
}

/* One line (or several, if a quoted value spans them), which is neither blank nor a comment. */
static llmgr_status take_entry(struct lc_dotenv *dotenv, struct cursor *at, struct lb_buf *value,
                               struct llmgr_error *err)
{
    struct lb_str name = take_name(at);

    if (lb_str_eq_c(name, "export") && (peek_char(at) == ' ' || peek_char(at) == '\t')) {
        skip_blanks(at);
        name = take_name(at);
    }
    skip_blanks(at);
    if (name.size == 0 || name.size > NAME_MAX_SIZE || (peek_char(at) != '=' && !at_line_end(at)))
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u: not a NAME=VALUE line"), at->name,
                       at->line);
    /* A name alone sets nothing, as for python-dotenv. */
    if (at_line_end(at))
        return LLMGR_OK;
    next_char(at);
    skip_blanks(at);
    lb_buf_reset(value);
    llmgr_status status = take_value(at, value, err);
    return status != LLMGR_OK ? status : keep_variable(dotenv, at, name, lb_buf_str(value), err);
}

static void complain_line(struct lc_dotenv *dotenv, const struct llmgr_error *why)
{
    struct lb_buf *out = &dotenv->complaints;

    if (++dotenv->complaint_count > LC_DOTENV_COMPLAINTS_MAX)
        return;
    if (out->size != 0)
        lb_buf_add_byte(out, '\n');
    lb_buf_addf(out, lb_tr(N_("%s; the line is not used")), why->message);
}

static llmgr_status take_all(struct lc_dotenv *dotenv, struct cursor *at, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct lb_buf value;

    lb_buf_init_secret(&value, dotenv->host, LC_DOTENV_VALUE_MAX);
    while (status == LLMGR_OK && at->rest.size != 0) {
        struct llmgr_error why = {0};
        skip_blanks(at);
        if (!at_line_end(at) && peek_char(at) != '#')
            status = take_entry(dotenv, at, &value, &why);
        if (status == LLMGR_ERR_CONFIG) {
            complain_line(dotenv, &why);
            status = LLMGR_OK;
        }
        if (status == LLMGR_OK)
            skip_line(at);
    }
    lb_buf_free(&value);
    if (status == LLMGR_OK && dotenv->complaint_count > LC_DOTENV_COMPLAINTS_MAX) {
        lb_buf_add_byte(&dotenv->complaints, '\n');
        lb_buf_addf(&dotenv->complaints, lb_tr(N_("%s: %zu further lines are not used")), at->name,
                    dotenv->complaint_count - LC_DOTENV_COMPLAINTS_MAX);
    }
    if (status != LLMGR_OK || dotenv->complaints.failed == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    return LLMGR_OK;
}

llmgr_status lc_dotenv_parse(const struct lb_host *host, const char *name, struct lb_str text,
                             struct lc_dotenv **dotenv, struct llmgr_error *err)
{
    struct cursor at = {.name = name, .rest = text, .line = 1};

    if (text.size > LC_DOTENV_SIZE_MAX)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s is larger than %d bytes"), name,
                       LC_DOTENV_SIZE_MAX);
    if (lb_str_starts(text, LB_STR("\xef\xbb\xbf")))
        at.rest = lb_str_sub(text, 3, text.size);
    struct lc_dotenv *fresh = lb_calloc(host, 1, sizeof *fresh);
    if (fresh == NULL)
        return lb_fail_memory(err);
    fresh->host = host;
    lc_pool_init(&fresh->pool, host, POOL_MAX);
    lb_buf_init(&fresh->complaints, host, COMPLAINTS_SIZE);
    fresh->values = lb_map_new(host, LC_DOTENV_COUNT_MAX);
    llmgr_status status = fresh->values == NULL ? lb_fail_memory(err) : take_all(fresh, &at, err);
    if (status != LLMGR_OK) {
        lc_dotenv_free(fresh);
        return status;
    }
    *dotenv = fresh;
    return LLMGR_OK;
}

llmgr_status lc_dotenv_read(const struct lb_host *host, const char *path, struct lc_dotenv **dotenv,
                            struct llmgr_error *err)
{
    struct lb_buf text;

    lb_buf_init_secret(&text, host, LC_DOTENV_SIZE_MAX);
    llmgr_status status = lc_read_file(path, &text, err);
    if (status == LLMGR_OK)
        status = lc_dotenv_parse(host, path, lb_buf_str(&text), dotenv, err);
    lb_buf_free(&text);
    return status;
}

void lc_dotenv_free(struct lc_dotenv *dotenv)
{
    if (dotenv == NULL)
        return;
    lb_map_free(dotenv->values);
    lb_buf_free(&dotenv->complaints);
    lc_pool_free(&dotenv->pool);
    lb_free(dotenv->host, dotenv);
}

const char *lc_dotenv_get(const struct lc_dotenv *dotenv, const char *name)
{
    return lb_map_get(dotenv->values, lb_cstr(name));
}

const char *lc_dotenv_complaints(const struct lc_dotenv *dotenv)
{
    return dotenv->complaints.size != 0 ? lb_buf_c(&dotenv->complaints) : "";
}

size_t lc_dotenv_count(const struct lc_dotenv *dotenv)
{
    return lb_map_count(dotenv->values);
}
