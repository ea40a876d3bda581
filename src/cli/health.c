/* SPDX-License-Identifier: MIT */
/* llmgr health: what a running gateway lets alone for a while, and letting it loose. */
#include "cli/cli.h"

#include <string.h>

#include "base/when.h"
#include "documents/write.h"

enum { PATH_MAX_SIZE = 1024, PAGE = 100, PAGES_MAX = 1000 };

/* ---- List ------------------------------------------------------------------------------------ */

static const char *text_of(const json_t *cell, const char *member)
{
    return json_string_value(json_object_get(cell, member));
}

/* "cooled until 2026-01-31T18:00:00Z", or that its probe is awaited. */
static const char *state_of(const json_t *cell, char text[96])
{
    char when[LB_WHEN_TEXT];
    const char *state = text_of(cell, "state");

    if (state != NULL && strcmp(state, "half_open") == 0)
        return _("tried again");
    snprintf(
        text, 96, _("cooled until %s"),
        lb_when_print(json_integer_value(json_object_get(cell, "until_ms")), LB_WHEN_TIME, when));
    return text;
}

/* "429 limit" */
static const char *why_of(const json_t *cell, char text[64])
{
    const json_int_t status = json_integer_value(json_object_get(cell, "upstream_status"));
    const char *reason = text_of(cell, "reason");

    if (reason == NULL || status == 0)
        return reason;
    snprintf(text, 64, "%lld %s", (long long)status, reason);
    return text;
}

static llmgr_status fill_cells(struct cli_table *table, const struct cli_app *app, const void *list,
                               struct llmgr_error *err)
{
    const json_t *cells = list, *cell;
    char state[96], why[64];
    size_t i;

    (void)app;
    (void)err;
    json_array_foreach(cells, i, cell)
    {
        cli_table_row(
            table,
            (const char *[]){text_of(cell, "cell_id"), cli_scope(text_of(cell, "scope")),
                             text_of(cell, "platform_name"), text_of(cell, "display_name"),
                             json_is_true(json_object_get(cell, "is_own")) ? _("own") : _("all"),
                             state_of(cell, state), why_of(cell, why)});
    }
    return LLMGR_OK;
}

static const char *const HEADINGS[] = {N_("ID"),    N_("WHAT"),  N_("PLATFORM"), N_("MODEL"),
                                       N_("WHOSE"), N_("STATE"), N_("WHY")};
static const struct cli_table_form CELLS = {HEADINGS, 7, N_("Nothing is let alone."), fill_cells};

/* One page into `cells`; *after is the next page's, in memory of ours, or NULL. */
static llmgr_status read_page(struct cli_gateway *gateway, struct lb_str path, json_t *cells,
                              char **after, const struct cli_app *app, struct llmgr_error *err)
{
    json_t *page;

    llmgr_status status = cli_gateway_ask(gateway, "GET", path, &page, err);
    if (status != LLMGR_OK)
        return status;
    const char *next = text_of(page, "next");
    json_t *data = json_object_get(page, "data");
    lb_free(&app->host, *after);
    *after = next != NULL ? lb_strdup(&app->host, next) : NULL;
    if (!json_is_array(data))
        status = lb_fail(err, LLMGR_ERR_PROTOCOL, N_("the gateway's list is none"));
    else if (json_array_extend(cells, data) != 0 || (next != NULL && *after == NULL))
        status = lb_fail_memory(err);
    json_decref(page);
    return status;
}

static llmgr_status read_pages(struct cli_app *app, struct cli_gateway *gateway, json_t *cells,
                               struct llmgr_error *err)
{
    char *after = NULL;
    int pages = 0;
    struct lb_buf path;
    llmgr_status status;

    lb_buf_init(&path, &app->host, PATH_MAX_SIZE);
    do {
        lb_buf_reset(&path);
        lb_buf_addf(&path, "/api/health/cells?limit=%d", PAGE);
        cli_gateway_user(app, &path);
        cli_gateway_query(&path, "after", after);
        status = path.failed == LLMGR_OK
                     ? read_page(gateway, lb_buf_str(&path), cells, &after, app, err)
                     : lb_fail(err, path.failed, N_("the user's name is too long"));
    } while (status == LLMGR_OK && after != NULL && ++pages < PAGES_MAX);
    lb_buf_free(&path);
    lb_free(&app->host, after);
    return status;
}

llmgr_status cli_run_health_list(struct cli_app *app, struct llmgr_error *err)
{
    struct cli_gateway *gateway = NULL;
    json_t *cells = json_array();

    llmgr_status status =
        cells != NULL ? cli_gateway_open(app, &gateway, err) : lb_fail_memory(err);
    if (status == LLMGR_OK)
        status = read_pages(app, gateway, cells, err);
    cli_gateway_close(gateway);
    if (status == LLMGR_OK)
        status = cli_json(app) ? cli_print_json(json_incref(cells), err)
                               : cli_print_table(app, &CELLS, cells, err);
    json_decref(cells);
    return status;
}

/* ---- Reset ----------------------------------------------------------------------------------- */

static llmgr_status reset(struct cli_app *app, struct cli_gateway *gateway, const char *id,
                          struct llmgr_error *err)
{
    struct lb_buf path;
    json_t *answer;

    lb_buf_init(&path, &app->host, PATH_MAX_SIZE);
    lb_buf_addf(&path, "/api/health/cells/%s", id);
    cli_gateway_user(app, &path);
    llmgr_status status = path.failed == LLMGR_OK
                              ? cli_gateway_ask(gateway, "DELETE", lb_buf_str(&path), &answer, err)
                              : lb_fail(err, path.failed, N_("the user's name is too long"));
    lb_buf_free(&path);
    if (status == LLMGR_OK)
        json_decref(answer);
    return status;
}

llmgr_status cli_run_health_reset(struct cli_app *app, struct llmgr_error *err)
{
    const char *id = app->args.positionals[0];
    struct cli_gateway *gateway = NULL;
    uint64_t number;

    if (!lb_str_to_u64(lb_cstr(id), &number) || number == 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("%s must be a number as the lists show it, not '%s'"), "ID", id);
    llmgr_status status = cli_gateway_open(app, &gateway, err);
    if (status == LLMGR_OK)
        status = reset(app, gateway, id, err);
    cli_gateway_close(gateway);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_cell_gone(&(struct lx_gone_cell){id, true}), err, "%s",
                    _("It may be used again."));
}
