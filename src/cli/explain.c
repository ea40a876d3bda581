/* SPDX-License-Identifier: MIT */
/*
 * llmgr explain: what would serve a request, and why. It is read from the database, or asked of a
 * running gateway, which knows what is let alone; either way one document is shown.
 */
#include "cli/cli.h"

#include <string.h>

#include "base/when.h"
#include "documents/write.h"

enum { COLUMNS = 8, PATH_SIZE_MAX = 4096 };

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

static int64_t number_of(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

static bool is_set(const json_t *object, const char *member)
{
    return json_is_true(json_object_get(object, member));
}

/* ---- Why ------------------------------------------------------------------------------------- */

/* "cooled until 2026-01-31T18:00:00Z, 429 of account org-b", or as much of it as may be known. */
static void add_cooled(const json_t *cooled, struct lb_buf *out)
{
    const int64_t status = number_of(cooled, "upstream_status");
    const char *reason = text_of(cooled, "reason"), *scope = text_of(cooled, "scope");
    const char *account = text_of(cooled, "account");
    char when[LB_WHEN_TEXT], number[24];

    if (!json_is_object(cooled))
        return;
    lb_buf_add_c(out, out->size != 0 ? "; " : "");
    lb_when_print(number_of(cooled, "until_ms"), LB_WHEN_TIME, when);
    if (reason == NULL || scope == NULL) {
        lb_buf_addf(out, _("cooled until %s"), when);
        return;
    }
    lb_buf_addf(out, _("cooled until %s, %s of the %s"), when,
                status != 0 ? cli_number(status, number) : reason, cli_scope(scope));
    if (account != NULL)
        lb_buf_addf(out, " %s", account);
}

/* One line of the table; NULL: memory, and the table will say so. */
static void add_row(struct cli_table *table, const char *const *columns, const struct lb_buf *why)
{
    const char *row[COLUMNS];

    for (size_t i = 0; i < COLUMNS; i++)
        row[i] = columns[i];
    row[6] = why->failed == LLMGR_OK ? lb_buf_c(why) : NULL;
    cli_table_row(table, row);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static const char *mark_of(const json_t *candidate)
{
    if (is_set(candidate, "chosen"))
        return "→";
    if (!is_set(candidate, "kept"))
        return "·";
    return json_is_object(json_object_get(candidate, "cooled")) ? "~" : "+";
}

/* How much its model takes and gives, as far as that is known. */
static void add_tokens(const json_t *candidate, struct lb_buf *why)
{
    const int64_t context = number_of(candidate, "context_tokens");
    const int64_t max_output = number_of(candidate, "max_output_tokens");

    if (context != 0)
        lb_buf_addf(why, _("; context %lld"), (long long)context);
    if (max_output != 0)
        lb_buf_addf(why, _("; output at most %lld"), (long long)max_output);
}

static void add_candidate(struct cli_table *table, const json_t *candidate, struct lb_buf *why)
{
    const bool is_there = number_of(candidate, "platform_id") != 0;
    const char *kind = text_of(candidate, "kind"), *text = text_of(candidate, "text");
    const char *dialect = text_of(candidate, "dialect");
    const json_t *price = json_object_get(candidate, "price");
    char headers[CLI_HEADER_NAMES];

    lb_buf_reset(why);
    lb_buf_add_c(why, text != NULL ? text : "");
    if (dialect != NULL)
        lb_buf_addf(why, _("; for requests in the dialect %s only"), dialect);
    add_tokens(candidate, why);
    add_cooled(json_object_get(candidate, "cooled"), why);
    if (json_is_object(price))
        lb_buf_addf(why, _("; price %lld"), (long long)number_of(price, "price_id"));
    add_row(table,
            (const char *const[COLUMNS]){
                mark_of(candidate), text_of(candidate, is_there ? "platform_name" : "target"),
                text_of(candidate, "display_name"),
                kind == NULL || strcmp(kind, "unknown") == 0 ? NULL : kind,
                text_of(candidate, "key_fingerprint"), cli_payer(text_of(candidate, "payer")), NULL,
                cli_header_names(text_of(candidate, "fixed_headers"),
                                 text_of(candidate, "missing_headers"), headers)},
            why);
}

/* "key 2, weight 3, account org-b; cooled until …" */
static void add_key(struct cli_table *table, const json_t *key, struct lb_buf *why)
{
    const int64_t weight = number_of(key, "weight");
    const char *account = text_of(key, "account");

    lb_buf_reset(why);
    lb_buf_addf(why, _("key %lld"), (long long)number_of(key, "place"));
    if (weight != 1)
        lb_buf_addf(why, _(", weight %lld"), (long long)weight);
    if (account != NULL)
        lb_buf_addf(why, _(", account %s"), account);
    add_cooled(json_object_get(key, "cooled"), why);
    add_row(table,
            (const char *const[COLUMNS]){"", "", "", "", text_of(key, "fingerprint"), "", NULL, ""},
            why);
}

static llmgr_status fill_candidates(struct cli_table *table, const struct cli_app *app,
                                    const void *list, struct llmgr_error *err)
{
    const json_t *candidates = json_object_get(list, "candidates");
    const json_t *candidate, *key;
    struct lb_buf why;
    size_t i, at;

    (void)err;
    lb_buf_init(&why, &app->host, PATH_SIZE_MAX);
    json_array_foreach(candidates, i, candidate)
    {
        const json_t *keys = json_object_get(candidate, "keys");
        add_candidate(table, candidate, &why);
        if (json_array_size(keys) < 2)
            continue;
        json_array_foreach(keys, at, key) add_key(table, key, &why);
    }
    lb_buf_free(&why);
    return LLMGR_OK;
}

static const char *const HEADINGS[COLUMNS] = {"",         N_("PLATFORM"),     N_("DISPLAY"),
                                              N_("KIND"), N_("KEY"),          N_("PAYER"),
                                              N_("WHY"),  N_("HEADER FIELDS")};

/* The last column only if some platform has what stands there. */
static size_t columns_of(const json_t *candidates)
{
    const json_t *candidate;
    size_t i;

    json_array_foreach(candidates, i, candidate)
    {
        if (text_of(candidate, "fixed_headers") != NULL ||
            text_of(candidate, "missing_headers") != NULL)
            return COLUMNS;
    }
    return COLUMNS - 1;
}

static bool has_cooled(const json_t *candidates)
{
    const json_t *candidate;
    size_t i;

    json_array_foreach(candidates, i, candidate)
    {
        if (json_is_object(json_object_get(candidate, "cooled")))
            return true;
    }
    return false;
}

static llmgr_status print(const struct cli_app *app, const json_t *explanation,
                          struct llmgr_error *err)
{
    const json_t *candidates = json_object_get(explanation, "candidates");
    const char *alias = text_of(explanation, "alias"), *route = text_of(explanation, "route");
    const char *message = text_of(explanation, "message");
    const struct cli_table_form form = {
        HEADINGS, columns_of(candidates),
        N_("There are no candidates; add platforms to llmgr.yaml and run `llmgr sync`."),
        fill_candidates};

    llmgr_status status = cli_print_table(app, &form, explanation, err);
    if (status != LLMGR_OK)
        return status;
    if (alias != NULL)
        cli_say(_("the alias '%s' stands for '%s'"), alias, text_of(explanation, "alias_target"));
    if (route != NULL)
        cli_say(_("these are the targets of the route '%s'"), route);
    if (json_array_size(candidates) != 0)
        puts(_("→ serves the request, + could serve it, · cannot"));
    if (has_cooled(candidates))
        puts(_("~ could, but is let alone for now"));
    if (message != NULL && message[0] != '\0')
        cli_say("%s", message);
    return LLMGR_OK;
}

/* ---- From where ------------------------------------------------------------------------------ */

static llmgr_status explain_here(struct cli_app *app, const char *slot, const char *model,
                                 json_t **document, struct llmgr_error *err)
{
    struct llmgr_explanation explanation;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_explain(app->manager, cli_user(app), slot, model, &explanation, err);
    if (status != LLMGR_OK)
        return status;
    *document = lx_json_explanation(&explanation);
    llmgr_explanation_clear(&explanation);
    return *document != NULL ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status ask(struct cli_app *app, struct cli_gateway *gateway, const char *slot,
                        const char *model, json_t **document, struct llmgr_error *err)
{
    struct lb_buf path;

    lb_buf_init(&path, &app->host, PATH_SIZE_MAX);
    lb_buf_add_c(&path, "/api/explain");
    cli_gateway_query(&path, "slot", slot);
    cli_gateway_query(&path, "model", model);
    cli_gateway_user(app, &path);
    llmgr_status status = path.failed == LLMGR_OK
                              ? cli_gateway_ask(gateway, "GET", lb_buf_str(&path), document, err)
                              : lb_fail(err, path.failed, N_("the names are too long"));
    lb_buf_free(&path);
    if (status == LLMGR_OK && *document == NULL)
        status = lb_fail(err, LLMGR_ERR_PROTOCOL, N_("the gateway explains nothing"));
    return status;
}

static llmgr_status explain_there(struct cli_app *app, const char *slot, const char *model,
                                  json_t **document, struct llmgr_error *err)
{
    struct cli_gateway *gateway = NULL;

    llmgr_status status = cli_gateway_open(app, &gateway, err);
    if (status == LLMGR_OK)
        status = ask(app, gateway, slot, model, document, err);
    cli_gateway_close(gateway);
    return status;
}

llmgr_status cli_run_explain(struct cli_app *app, struct llmgr_error *err)
{
    const bool is_there = app->options.origin[LC_OPT_gateway_url] == LC_FROM_FLAG;
    const char *slot = cli_flag(app, CLI_FLAG_slot);
    const char *model = cli_flag(app, CLI_FLAG_model);
    json_t *document = NULL;

    if (slot != NULL && model != NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("give either --slot or --model, not both"));
    llmgr_status status = is_there ? explain_there(app, slot, model, &document, err)
                                   : explain_here(app, slot, model, &document, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(json_incref(document), err) : print(app, document, err);
    json_decref(document);
    return status;
}
