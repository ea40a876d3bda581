/* SPDX-License-Identifier: MIT */
/* Options as people read them: values in effect, where they came from, and the help. */
#include <string.h>

#include "base/error.h"
#include "config/options.h"
#include "config/value.h"

enum { NAMES_MAX = 28, INDENT = 2, GAP = 2, COLUMNS_MIN = 40 };

/*
 * A URL without its password, which is what stands between the first ':' and the last '@'; without
 * its query, which may hold one (postgres://host/name?password=...). A '@' behind a '?' may belong
 * to either: nothing of it is shown then, nor of libpq's list of names and values.
 */
static void add_url(struct lb_str url, struct lb_buf *out)
{
    if (lb_str_starts(url, LB_STR("sqlite:"))) {
        lb_buf_add_str(out, url);
        return;
    }
    size_t start = 0;
    while (start + 3 <= url.size && memcmp(url.p + start, "://", 3) != 0)
        start++;
    start = start + 3 <= url.size ? start + 3 : 0;
    lb_buf_add_str(out, lb_str_sub(url, 0, start));
    struct lb_str rest = lb_str_sub(url, start, url.size);
    size_t query = lb_str_find(rest, '?');
    size_t at = rest.size;
    while (at != 0 && rest.p[at - 1] != '@')
        at--;
    if (at > query || (start == 0 && lb_str_find(rest, '=') < rest.size)) {
        lb_buf_add_c(out, "***");
        return;
    }
    size_t colon = lb_str_find(lb_str_sub(rest, 0, at), ':');
    if (colon < at) {
        lb_buf_add_str(out, lb_str_sub(rest, 0, colon));
        lb_buf_add_c(out, ":***@");
        rest = lb_str_sub(rest, at, rest.size);
        query -= at;
    }
    lb_buf_add_str(out, lb_str_sub(rest, 0, query));
    if (query != rest.size)
        lb_buf_add_c(out, "?***");
}

static void add_list(const struct lc_list *list, char separator, struct lb_buf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        if (i != 0)
            lb_buf_add_byte(out, separator);
        lb_buf_add_c(out, list->items[i]);
    }
}

static void add_choice(const char *choices, int index, struct lb_buf *out)
{
    struct lb_str rest = lb_cstr(choices);

    while (index-- > 0)
        rest = lb_str_sub(rest, lb_str_find(rest, '|') + 1, rest.size);
    lb_buf_add_str(out, lb_str_sub(rest, 0, lb_str_find(rest, '|')));
}

#define TEXT_STRING(row, value) lb_buf_add_c(out, (value) != NULL ? (value) : "")
#define TEXT_URL(row, value) add_url(lb_cstr(value), out)
#define TEXT_BOOL(row, value) lb_buf_add_c(out, (value) ? "true" : "false")
#define TEXT_INT(row, value) lb_buf_addf(out, "%lld", (long long)(value))
#define TEXT_SIZE(row, value) lc_format_size((value), out)
#define TEXT_DURATION(row, value) lc_format_duration((value), out)
#define TEXT_ENUM(row, value) add_choice((row)->choices, (value), out)
#define TEXT_LIST(row, value) add_list(&(value), ',', out)
/* Arguments of a command may be secret; its name is enough. */
#define TEXT_ARGV(row, value) lb_buf_add_c(out, (value).count != 0 ? (value).items[0] : "")
#define TEXT_SECRET(row, value) lb_buf_add_c(out, (value) ? "(set)" : "")

void lc_option_text(const struct lc_options *options, lc_option_id id, struct lb_buf *out)
{
    size_t count;
    const struct lc_option_row *row = &lc_option_rows(&count)[id];

    switch (id) {
#define LC_OPTION(member, type, ...)                                                               \
    case LC_OPT_##member:                                                                          \
        TEXT_##type(row, options->member);                                                         \
        break;
#include "config/options.def"
    case LC_OPTION_COUNT:
        break;
    }
}

void lc_option_origin_text(const struct lc_options *options, lc_option_id id, struct lb_buf *out)
{
    const char *source = options->source[id] != NULL ? options->source[id] : "";

    switch (options->origin[id]) {
    case LC_FROM_DEFAULT:
        lb_buf_add_c(out, "default");
        break;
    case LC_FROM_FILE:
        lb_buf_addf(out, "file %s:%u", source, options->line[id]);
        break;
    case LC_FROM_ENV:
        lb_buf_addf(out, "environment %s", source);
        break;
    case LC_FROM_FLAG:
        lb_buf_addf(out, "flag %s", source);
        break;
    }
}

/* ---- Help ------------------------------------------------------------------------------------ */

static void add_spaces(struct lb_buf *out, size_t count)
{
    while (count-- != 0)
        lb_buf_add_byte(out, ' ');
}

/* Bytes up to the next place where a line may be broken: a blank, or either side of a wide char. */
static size_t next_break(struct lb_str text)
{
    uint32_t code_point;
    size_t at = 0;

    while (at < text.size && text.p[at] != ' ') {
        struct lb_str rest = lb_str_sub(text, at, text.size);
        size_t size = lb_utf8_decode(rest, &code_point);
        bool wide = size > 1 && lb_utf8_width(lb_str_sub(rest, 0, size)) == 2;
        if (wide && at != 0)
            break;
        at += size != 0 ? size : 1;
        if (wide)
            break;
    }
    return at;
}

void lc_wrap(struct lb_buf *out, struct lb_str text, size_t indent, size_t columns)
{
    size_t column = indent;
    bool blank = false;

    while (text.size != 0) {
        if (text.p[0] == ' ') {
            blank = column > indent;
            text = lb_str_sub(text, 1, text.size);
            continue;
        }
        size_t size = next_break(text);
        size_t width = lb_utf8_width(lb_str_sub(text, 0, size));
        if (column > indent && column + blank + width > columns) {
            lb_buf_add_byte(out, '\n');
            add_spaces(out, indent);
            column = indent;
            blank = false;
        }
        if (blank)
            lb_buf_add_byte(out, ' ');
        lb_buf_add_str(out, lb_str_sub(text, 0, size));
        column += blank + width;
        blank = false;
        text = lb_str_sub(text, size, text.size);
    }
    lb_buf_add_byte(out, '\n');
}

/* "-u, --user ID"; without a flag the key in the file, else the variable. */
static void add_names(const struct lc_option_row *row, struct lb_buf *out)
{
    if (row->flag != NULL && row->short_flag != 0)
        lb_buf_addf(out, "-%c, ", row->short_flag);
    lb_buf_add_c(out, row->flag != NULL ? row->flag : row->key != NULL ? row->key : row->env);
    if (row->flag != NULL && row->label != NULL)
        lb_buf_addf(out, " %s", row->label);
}

/* "[file user, environment LLMGR_USER, default -1]" */
static void add_places(const struct lc_option_row *row, struct lb_buf *out)
{
    struct lb_str others = lb_cstr(row->other_env);
    struct lb_str other;

    lb_buf_add_c(out, " [");
    if (row->key != NULL)
        lb_buf_addf(out, "%s %s, ", lb_tr(N_("file")), row->key);
    if (row->env != NULL)
        lb_buf_addf(out, "%s %s", lb_tr(N_("environment")), row->env);
    while (lc_next_item(&others, &other)) {
        lb_buf_add_c(out, ", ");
        lb_buf_add_str(out, other);
    }
    if (row->choices != NULL)
        lb_buf_addf(out, ", %s", row->choices);
    if (row->fallback != NULL)
        lb_buf_addf(out, ", %s %s", lb_tr(N_("default")), row->fallback);
    lb_buf_add_c(out, "]");
}

static bool is_shown(const struct lc_option_row *row, lc_section section, bool all)
{
    return row->section == section && (all || row->flag != NULL);
}

static void add_row(const struct lc_option_row *row, bool all, size_t columns, struct lb_buf *out)
{
    struct lb_buf text;
    size_t indent = INDENT + NAMES_MAX + GAP;
    size_t start = out->size;

    add_spaces(out, INDENT);
    add_names(row, out);
    size_t width = out->size - start; /* names are ASCII */
    if (width + GAP > indent) {
        lb_buf_add_byte(out, '\n');
        width = 0;
    }
    add_spaces(out, indent - width);
    lb_buf_init(&text, out->host, 4096);
    lb_buf_add_c(&text, lb_tr(row->help));
    if (all)
        add_places(row, &text);
    lc_wrap(out, lb_buf_str(&text), indent, columns);
    lb_buf_free(&text);
}

void lc_help(lc_section section, bool all, unsigned columns, struct lb_buf *out)
{
    size_t count;
    const struct lc_option_row *rows = lc_option_rows(&count);
    bool any = false;

    if (columns < COLUMNS_MIN)
        columns = COLUMNS_MIN;
    for (size_t i = 0; i < count; i++) {
        if (!is_shown(&rows[i], section, all))
            continue;
        if (!any)
            lb_buf_addf(out, "%s:\n", lb_tr(lc_section_heading(section)));
        any = true;
        add_row(&rows[i], all, columns, out);
    }
}

/* ---- While a server runs --------------------------------------------------------------------- */

bool lc_option_differs(const struct lc_options *one, const struct lc_options *other,
                       lc_option_id id)
{
    size_t count;
    struct lb_buf texts[2];

    if (lc_option_rows(&count)[id].type == LC_SECRET)
        return false;
    for (size_t i = 0; i < 2; i++) {
        lb_buf_init(&texts[i], one->pool.host, 64 * 1024);
        lc_option_text(i == 0 ? one : other, id, &texts[i]);
    }
    bool differs = !lb_str_eq(lb_buf_str(&texts[0]), lb_buf_str(&texts[1]));
    lb_buf_free(&texts[0]);
    lb_buf_free(&texts[1]);
    return differs;
}
