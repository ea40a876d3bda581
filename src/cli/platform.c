/* SPDX-License-Identifier: MIT */
/* llmgr platform: the platforms a user sees, and those the user owns. */

#include <string.h>

#include "base/when.h"
#include "cli/cli.h"
#include "config/fixed_headers.h"
#include "config/header_name.h"
#include "config/meant.h"
#include "config/placeholder.h"
#include "documents/write.h"
#include "manager/headers.h"
#include "manager/platform_rules.h"

enum {
    SAID_MAX = 512, /* bytes of a line that tells what was done */
    COLUMNS_ALWAYS = 7,
    COLUMNS_MAX = COLUMNS_ALWAYS + 3
};

/* Columns that stand there only if there is something to say: tables are wide enough. */
static bool some_reject_options(const struct llmgr_platform_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].no_stream_options_until_ms != 0)
            return true;
    }
    return false;
}

static bool some_have_headers(const struct llmgr_platform_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].fixed_headers != NULL || list->items[i].missing_headers != NULL)
            return true;
    }
    return false;
}

static bool some_are_made(const struct llmgr_platform_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].platform_is_sys && strcmp(list->items[i].managed, "database") == 0)
            return true;
    }
    return false;
}

/* "2026-01-31 08:15Z"; NULL: usage is asked for. */
static const char *no_usage_until(const struct llmgr_platform *platform, char text[LB_WHEN_TEXT])
{
    int64_t until_ms = platform->no_stream_options_until_ms;

    return until_ms != 0 ? lb_when_print(until_ms, LB_WHEN_MINUTE, text) : NULL;
}

/* Which of the columns that need not be there are. */
struct columns {
    bool managed, usage, headers;
};

static struct columns columns_of(const struct llmgr_platform_list *list)
{
    return (struct columns){some_are_made(list), some_reject_options(list),
                            some_have_headers(list)};
}

static llmgr_status fill_platforms(struct cli_table *table, const struct cli_app *app,
                                   const void *list, struct llmgr_error *err)
{
    const struct llmgr_platform_list *platforms = list;
    const struct columns columns = columns_of(platforms);
    bool all = cli_flag(app, CLI_FLAG_all) != NULL;
    char id[24], until[LB_WHEN_TEXT], headers[CLI_HEADER_NAMES];

    (void)err;
    for (size_t i = 0; i < platforms->count; i++) {
        const struct llmgr_platform *platform = &platforms->items[i];
        if (platform->platform_hide && !all)
            continue;
        const char *cells[COLUMNS_MAX] = {cli_number(platform->platform_id, id),
                                          platform->platform_name,
                                          platform->platform_is_sys ? _("system") : _("private"),
                                          platform->base_url[0] != '\0' ? platform->base_url : NULL,
                                          platform->key_fingerprint,
                                          cli_payer(platform->payer),
                                          platform->platform_hide ? _("no") : _("yes")};
        size_t count = COLUMNS_ALWAYS;
        if (columns.managed)
            cells[count++] = cli_managed(platform->platform_is_sys, platform->managed);
        if (columns.usage)
            cells[count++] = no_usage_until(platform, until);
        if (columns.headers)
            cells[count++] =
                cli_header_names(platform->fixed_headers, platform->missing_headers, headers);
        cli_table_row(table, cells);
    }
    return LLMGR_OK;
}

static llmgr_status print_platforms(const struct cli_app *app,
                                    const struct llmgr_platform_list *list, struct llmgr_error *err)
{
    const struct columns columns = columns_of(list);
    const char *headings[COLUMNS_MAX] = {N_("ID"),  N_("NAME"),  N_("KIND"), N_("BASE URL"),
                                         N_("KEY"), N_("PAYER"), N_("SHOWN")};
    size_t count = COLUMNS_ALWAYS;

    if (columns.managed)
        headings[count++] = N_("MANAGED BY");
    if (columns.usage)
        headings[count++] = N_("NO USAGE UNTIL");
    if (columns.headers)
        headings[count++] = N_("HEADER FIELDS");
    const struct cli_table_form form = {
        headings, count, N_("There are no platforms; add some to llmgr.yaml and run `llmgr sync`."),
        fill_platforms};

    return cli_print_table(app, &form, list, err);
}

llmgr_status cli_run_platform_list(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_platform_list list;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_platforms(app->manager, cli_acting(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(lx_list_platform(NULL, list.items, list.count), err)
                           : print_platforms(app, &list, err);
    llmgr_platform_list_clear(&list);
    return status;
}

/* Prints the platform as it is now. */
static llmgr_status show_changed(struct cli_app *app, int64_t id, const char *line,
                                 struct llmgr_error *err)
{
    struct llmgr_platform_list list;
    json_t *document = NULL;

    llmgr_status status = llmgr_platforms(app->manager, cli_acting(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].platform_id == id)
            document = lx_json_platform(&list.items[i]);
    }
    llmgr_platform_list_clear(&list);
    return cli_done(app, document, err, "%s", line);
}

/* ---- Header fields ----------------------------------------------------------------------------
 */

/* 'Name: value' as it was given, its variables filled in. */
struct header {
    char name[LC_HEADER_NAME_MAX + 1];
    struct lb_buf value; /* may be secret */
};

static llmgr_status fill_value(const struct cli_app *app, struct lb_str given,
                               struct header *header, struct llmgr_error *err)
{
    struct lb_buf variables;
    bool present = false;

    lb_buf_init(&variables, &app->host, LC_FIXED_SIZE_MAX);
    llmgr_status status =
        lc_substitute(given, cli_env, NULL, &header->value, &present, &variables, err);
    if (status == LLMGR_OK && !present)
        status = variables.size > 0
                     ? lb_fail(err, LLMGR_ERR_INVALID,
                               N_("the header field '%s' needs the environment variables %s"),
                               header->name, lb_buf_c(&variables))
                     : lb_fail(err, LLMGR_ERR_INVALID, N_("the header field '%s' has no value"),
                               header->name);
    lb_buf_free(&variables);
    return status;
}

static llmgr_status read_header(const struct cli_app *app, const char *text, struct header *header,
                                struct llmgr_error *err)
{
    struct lb_str given = lb_cstr(text);
    size_t colon = lb_str_find(given, ':');
    struct lb_str name = lb_str_trim(lb_str_sub(given, 0, colon));

    lb_buf_init_secret(&header->value, &app->host, LC_FIXED_SIZE_MAX);
    if (colon == given.size || name.size == 0 || name.size > LC_HEADER_NAME_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("a header field is given as 'Name: value', such as 'X-Title: my app'"));
    snprintf(header->name, sizeof header->name, "%.*s", (int)name.size, name.p);
    struct lb_str value = lb_str_trim(lb_str_sub(given, colon + 1, given.size)), variable;
    if (lc_meant_variable(value, &variable)) {
        if (variable.size == 0)
            variable = LB_STR("NAME");
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the header field '%s' names a variable in another form; write {%.*s}"),
                       header->name, (int)variable.size, variable.p);
    }
    llmgr_status status = fill_value(app, value, header, err);
    return status == LLMGR_OK ? lm_rule_header(name, lb_buf_str(&header->value), err) : status;
}

/* All are judged before anything is made of them; free_headers after, whatever is returned. */
struct headers {
    struct header items[LC_FIXED_COUNT_MAX];
    size_t count;
};

static llmgr_status read_headers(const struct cli_app *app, struct headers *headers,
                                 struct llmgr_error *err)
{
    size_t size = 0;

    headers->count = 0;
    for (size_t i = 0; i < app->args.header_count; i++) {
        struct header *header = &headers->items[headers->count++];
        llmgr_status status = read_header(app, app->args.headers[i], header, err);
        if (status != LLMGR_OK)
            return status;
        size += strlen(header->name) + header->value.size + 4;
    }
    if (size > LC_FIXED_SIZE_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("header fields of more than %d bytes in all"),
                       LC_FIXED_SIZE_MAX);
    return LLMGR_OK;
}

static llmgr_status store_headers(struct cli_app *app, int64_t id, struct headers *headers,
                                  struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < headers->count && status == LLMGR_OK; i++)
        status =
            llmgr_platform_set_header(app->manager, cli_acting(app), id, headers->items[i].name,
                                      lb_buf_c(&headers->items[i].value), err);
    return status;
}

static void free_headers(struct headers *headers)
{
    for (size_t i = 0; i < headers->count; i++)
        lb_buf_free(&headers->items[i].value);
}

/* ---- Add, change, delete ----------------------------------------------------------------------
 */

static struct llmgr_platform_spec take_spec(const struct cli_app *app, const char *key)
{
    struct llmgr_platform_spec spec;

    llmgr_platform_spec_init(&spec);
    spec.name = cli_flag(app, CLI_FLAG_name);
    spec.base_url = cli_flag(app, CLI_FLAG_base_url);
    spec.api_key = key;
    spec.protocol = cli_flag(app, CLI_FLAG_protocol);
    spec.native_paths = cli_flag(app, CLI_FLAG_native_paths);
    spec.headers = cli_flag(app, CLI_FLAG_pass_headers);
    return spec;
}

static llmgr_status add_platform(struct cli_app *app, const char *key, struct headers *headers,
                                 struct llmgr_error *err)
{
    const struct llmgr_platform_spec spec = take_spec(app, key);
    struct llmgr_platform platform;
    char line[SAID_MAX];

    llmgr_status status = cli_flag(app, CLI_FLAG_everybody) != NULL
                              ? llmgr_platform_add_system(app->manager, NULL, &spec, &platform, err)
                              : llmgr_platform_add(app->manager, cli_user(app), spec.name,
                                                   spec.base_url, key, &platform, err);
    if (status != LLMGR_OK)
        return status;
    const int64_t id = platform.platform_id;
    snprintf(line, sizeof line, _("Added platform %lld, %s."), (long long)id,
             platform.platform_name);
    llmgr_platform_clear(&platform);
    status = store_headers(app, id, headers, err);
    return status == LLMGR_OK ? show_changed(app, id, line, err) : status;
}

/* What is given must not be passed over. */
static llmgr_status judge_words(const struct cli_app *app, struct llmgr_error *err)
{
    const bool given = cli_flag(app, CLI_FLAG_protocol) != NULL ||
                       cli_flag(app, CLI_FLAG_native_paths) != NULL ||
                       cli_flag(app, CLI_FLAG_pass_headers) != NULL;

    return given && cli_flag(app, CLI_FLAG_everybody) == NULL ? lm_fail_words(err) : LLMGR_OK;
}

llmgr_status cli_run_platform_add(struct cli_app *app, struct llmgr_error *err)
{
    struct headers headers;
    char *key = NULL;

    llmgr_status status = read_headers(app, &headers, err);
    if (status == LLMGR_OK)
        status = judge_words(app, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = cli_key(app, &key, err);
    if (status == LLMGR_OK)
        status = add_platform(app, key, &headers, err);
    cli_key_free(app, key);
    free_headers(&headers);
    return status;
}

llmgr_status cli_run_platform_set_header(struct cli_app *app, struct llmgr_error *err)
{
    struct header header;
    int64_t id;

    llmgr_status status = read_header(app, app->args.positionals[1], &header, err);
    if (status == LLMGR_OK)
        status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_set_header(app->manager, cli_acting(app), id, header.name,
                                           lb_buf_c(&header.value), err);
    lb_buf_free(&header.value);
    return status == LLMGR_OK ? show_changed(app, id, _("Header field stored."), err) : status;
}

llmgr_status cli_run_platform_clear_header(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_set_header(app->manager, cli_acting(app), id,
                                           app->args.positionals[1], NULL, err);
    return status == LLMGR_OK ? show_changed(app, id, _("Header field removed."), err) : status;
}

llmgr_status cli_run_platform_update(struct cli_app *app, struct llmgr_error *err)
{
    char *key = NULL;
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = cli_key(app, &key, err);
    if (status == LLMGR_OK) {
        const struct llmgr_platform_spec spec = take_spec(app, key);
        status = llmgr_platform_update(app->manager, cli_acting(app), id, &spec, err);
    }
    cli_key_free(app, key);
    return status == LLMGR_OK ? show_changed(app, id, _("Changed."), err) : status;
}

llmgr_status cli_run_platform_rename(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status =
            llmgr_platform_rename(app->manager, cli_acting(app), id, app->args.positionals[1], err);
    return status == LLMGR_OK ? show_changed(app, id, _("Renamed."), err) : status;
}

llmgr_status cli_run_platform_set_url(struct cli_app *app, struct llmgr_error *err)
{
    char *key = NULL;
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = cli_key(app, &key, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_set_url(app->manager, cli_acting(app), id, app->args.positionals[1],
                                        key, err);
    cli_key_free(app, key);
    return status == LLMGR_OK ? show_changed(app, id, _("Moved."), err) : status;
}

llmgr_status cli_run_platform_delete(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_delete(app->manager, cli_acting(app), id, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_platform_gone(&(struct lx_gone){id, true}), err, "%s",
                    _("Deleted."));
}

static llmgr_status set_hidden(struct cli_app *app, bool hide, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_hide(app->manager, cli_acting(app), id, hide, err);
    return status == LLMGR_OK ? show_changed(app, id, hide ? _("Hidden.") : _("Shown."), err)
                              : status;
}

llmgr_status cli_run_platform_hide(struct cli_app *app, struct llmgr_error *err)
{
    return set_hidden(app, true, err);
}

llmgr_status cli_run_platform_show(struct cli_app *app, struct llmgr_error *err)
{
    return set_hidden(app, false, err);
}

llmgr_status cli_run_platform_ask_usage(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_ask_usage(app->manager, cli_acting(app), id, err);
    return status == LLMGR_OK ? show_changed(app, id, _("Usage will be asked for."), err) : status;
}

llmgr_status cli_run_platform_set_key(struct cli_app *app, struct llmgr_error *err)
{
    char *key = NULL;
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = cli_key_wanted(app, &key, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_set_key(app->manager, cli_acting(app), id, key, err);
    cli_key_free(app, key);
    return status == LLMGR_OK ? show_changed(app, id, _("Key stored."), err) : status;
}

llmgr_status cli_run_platform_clear_key(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_set_key(app->manager, cli_acting(app), id, NULL, err);
    return status == LLMGR_OK ? show_changed(app, id, _("Key removed."), err) : status;
}
