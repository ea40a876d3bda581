/* SPDX-License-Identifier: MIT */
/*
 * Printing: tables for people, documents for programs. Widths are counted in terminal columns, so
 * that Chinese names line up; texts that come from outside lose their control characters, so that
 * no name can move the cursor.
 */
#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/str.h"

enum { CELL_MAX = 4096, SAY_MAX = 4096, COLUMN_GAP = 2, COLUMN_MIN = 8 };

bool cli_json(const struct cli_app *app)
{
    return app->options.json;
}

llmgr_status cli_print_json(json_t *document, struct llmgr_error *err)
{
    if (document == NULL)
        return lb_fail_memory(err);
    int failed = json_dumpf(document, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    json_decref(document);
    if (failed != 0 || putchar('\n') == EOF || fflush(stdout) != 0)
        return lb_fail(err, LLMGR_ERR_IO, N_("the output cannot be written"));
    return LLMGR_OK;
}

llmgr_status cli_done(const struct cli_app *app, json_t *document, struct llmgr_error *err,
                      const char *format, ...)
{
    va_list args;

    if (cli_json(app))
        return cli_print_json(document, err);
    json_decref(document);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    return LLMGR_OK;
}

void cli_note(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("llmgr: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

const char *cli_header_names(const char *fixed, const char *missing, char text[CLI_HEADER_NAMES])
{
    if (missing == NULL)
        return fixed;
    snprintf(text, CLI_HEADER_NAMES, _("%s%smissing: %s"), fixed != NULL ? fixed : "",
             fixed != NULL ? "; " : "", missing);
    return text;
}

const char *cli_payer(const char *payer)
{
    if (payer == NULL)
        return NULL;
    return strcmp(payer, "user") == 0 ? _("user") : _("system");
}

const char *cli_managed(bool is_sys, const char *managed)
{
    if (!is_sys)
        return NULL;
    return strcmp(managed, "file") == 0 ? "llmgr.yaml" : _("calls");
}

const char *cli_model_kind(llmgr_model_kind kind)
{
    return kind != LLMGR_MODEL_UNKNOWN ? llmgr_model_kind_name(kind) : NULL;
}

const char *cli_model_tokens(int64_t tokens, char text[24])
{
    return tokens != 0 ? cli_number(tokens, text) : NULL;
}

const char *cli_number(int64_t value, char text[24])
{
    snprintf(text, 24, "%lld", (long long)value);
    return text;
}

void cli_write_shown(FILE *to, const char *text, size_t size)
{
    struct lb_str left = lb_str(text, size);
    uint32_t code_point = 0;

    while (left.size != 0) {
        size_t one = lb_utf8_decode(left, &code_point);
        bool blank = code_point == '\n' || code_point == '\t';
        bool control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
        if (one != 0 && (blank || !control))
            fwrite(left.p, 1, one, to);
        else
            fputc('?', to);
        left = lb_str_sub(left, one != 0 ? one : 1, left.size);
    }
}

void cli_say(const char *format, ...)
{
    char text[SAY_MAX];
    va_list args;

    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (size < 0)
        return;
    cli_write_shown(stdout, text, strlen(text));
    putchar('\n');
}

/* ---- Tables ---------------------------------------------------------------------------------- */

struct cli_table {
    struct lb_host host;
    size_t columns;
    char **cells; /* row by row, the headings first */
    size_t count; /* cells in use */
    size_t capacity;
    bool failed; /* memory was short */
};

static char *clean_copy(const struct lb_host *host, const char *text)
{
    struct lb_buf buf;
    struct lb_str left = lb_cstr(text);
    uint32_t code_point;

    lb_buf_init(&buf, host, CELL_MAX);
    left.size = lb_utf8_cut(left, CELL_MAX);
    while (left.size != 0) {
        size_t size = lb_utf8_decode(left, &code_point);
        bool plain = size != 0 && code_point >= 0x20 && (code_point < 0x7f || code_point >= 0xa0);
        if (plain)
            lb_buf_add(&buf, left.p, size);
        else
            lb_buf_add_byte(&buf, '?');
        left = lb_str_sub(left, size != 0 ? size : 1, left.size);
    }
    char *copy = lb_buf_take(&buf);
    lb_buf_free(&buf);
    return copy;
}

static void add_cell(struct cli_table *table, const char *text)
{
    if (table->failed)
        return;
    if (table->count == table->capacity) {
        size_t capacity = table->capacity != 0 ? table->capacity * 2 : 64;
        char **cells = lb_realloc_array(&table->host, table->cells, capacity, sizeof *table->cells);
        if (cells == NULL) {
            table->failed = true;
            return;
        }
        table->cells = cells;
        table->capacity = capacity;
    }
    char *copy = clean_copy(&table->host, text != NULL ? text : "-");
    if (copy == NULL)
        table->failed = true;
    else
        table->cells[table->count++] = copy;
}

void cli_table_row(struct cli_table *table, const char *const *cells)
{
    for (size_t i = 0; i < table->columns; i++)
        add_cell(table, cells[i]);
}

static size_t terminal_columns(void)
{
    struct winsize size;

    if (isatty(STDOUT_FILENO) == 0 || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0)
        return SIZE_MAX;
    return size.ws_col != 0 ? size.ws_col : SIZE_MAX;
}

/* Takes columns from the widest until the row fits or all are at their least. */
static void fit(size_t *widths, size_t columns, size_t available)
{
    size_t total = COLUMN_GAP * (columns - 1);

    for (size_t i = 0; i < columns; i++)
        total += widths[i];
    while (total > available) {
        size_t widest = 0;
        for (size_t i = 1; i < columns; i++) {
            if (widths[i] > widths[widest])
                widest = i;
        }
        if (widths[widest] <= COLUMN_MIN)
            return;
        widths[widest]--;
        total--;
    }
}

/* Bytes of the longest prefix that takes at most `width` columns; *columns tells how many. */
static size_t prefix_of_width(struct lb_str s, size_t width, size_t *columns)
{
    size_t keep = 0, used = 0, next;
    uint32_t code_point;

    while ((next = lb_utf8_decode(lb_str_sub(s, keep, s.size), &code_point)) != 0) {
        size_t wide = lb_utf8_width(lb_str_sub(s, keep, keep + next));
        if (used + wide > width)
            break;
        used += wide;
        keep += next;
    }
    *columns = used;
    return keep;
}

static void print_cell(const char *text, size_t width, bool last)
{
    struct lb_str s = lb_cstr(text);
    size_t used = lb_utf8_width(s);

    if (used > width) {
        size_t keep = prefix_of_width(s, width - 1, &used);
        fwrite(text, 1, keep, stdout);
        fputs("…", stdout);
        used++;
    } else {
        fputs(text, stdout);
    }
    for (size_t i = used; !last && i < width + COLUMN_GAP; i++)
        putchar(' ');
}

static void print_rows(const struct cli_table *table, const size_t *widths)
{
    bool colour = isatty(STDOUT_FILENO) != 0 && cli_env("NO_COLOR", NULL) == NULL;

    for (size_t at = 0; at < table->count; at += table->columns) {
        bool heading = at == 0 && colour;
        fputs(heading ? "\033[1m" : "", stdout);
        for (size_t i = 0; i < table->columns; i++)
            print_cell(table->cells[at + i], widths[i], i + 1 == table->columns);
        puts(heading ? "\033[0m" : "");
    }
}

static llmgr_status print_all(const struct cli_table *table, const char *empty,
                              struct llmgr_error *err)
{
    if (table->failed)
        return lb_fail_memory(err);
    if (table->count == table->columns) {
        puts(empty != NULL ? _(empty) : "");
        return LLMGR_OK;
    }
    size_t *widths = lb_calloc(&table->host, table->columns, sizeof *widths);
    if (widths == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < table->count; i++) {
        size_t width = lb_utf8_width(lb_cstr(table->cells[i]));
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    fit(widths, table->columns, terminal_columns());
    print_rows(table, widths);
    lb_free(&table->host, widths);
    return LLMGR_OK;
}

llmgr_status cli_print_table(const struct cli_app *app, const struct cli_table_form *form,
                             const void *list, struct llmgr_error *err)
{
    struct cli_table table = {.host = app->host, .columns = form->columns};

    for (size_t i = 0; i < form->columns; i++)
        /* The catalogue answers "" with its own header. */
        add_cell(&table, form->headings[i][0] != '\0' ? _(form->headings[i]) : "");
    llmgr_status status = form->fill(&table, app, list, err);
    if (status == LLMGR_OK)
        status = print_all(&table, form->empty, err);
    for (size_t i = 0; i < table.count; i++)
        lb_free(&table.host, table.cells[i]);
    lb_free(&table.host, table.cells);
    return status;
}
