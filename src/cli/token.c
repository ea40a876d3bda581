/* SPDX-License-Identifier: MIT */
/* llmgr token: who may call the gateway. */
#include <string.h>

#include "base/when.h"
#include "cli/cli.h"
#include "documents/write.h"

static llmgr_status read_kind(const struct cli_app *app, llmgr_token_kind *kind,
                              struct llmgr_error *err)
{
    const char *text = cli_flag(app, CLI_FLAG_kind);

    *kind = LLMGR_TOKEN_USER;
    if (text != NULL && !llmgr_token_kind_parse(text, kind))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("%s is one of %s, not \"%s\""), "--kind",
                       LX_TOKEN_KINDS, text);
    return LLMGR_OK;
}

static llmgr_status print_created(const struct cli_app *app, const struct llmgr_token *token,
                                  const char *text, struct llmgr_error *err)
{
    if (cli_json(app))
        return cli_print_json(lx_json_new_token(&(struct lx_new_token){*token, text}), err);
    printf("%s\n", text);
    cli_note(_("This is token %lld. It is shown this once: keep it where secrets are kept."),
             (long long)token->token_id);
    return LLMGR_OK;
}

/* "30d" from now on, a point in time, or "never". */
static llmgr_status read_end(const struct cli_app *app, int64_t *end, struct llmgr_error *err)
{
    const struct lb_str text = lb_cstr(cli_flag(app, CLI_FLAG_expires));
    const int64_t now_ms = lb_now_ms(&app->host);
    int64_t ms;

    *end = LLMGR_UNSET;
    if (text.p == NULL)
        return LLMGR_OK;
    *end = 0;
    if (lb_str_eq_c(text, "never"))
        return LLMGR_OK;
    if (!lb_when_parse(text, now_ms, &ms))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("%s is a time from now on such as 12h or 30d, a point in time such as "
                          "2027-01-31 or 2027-01-31T12:00Z, or never; not \"%s\""),
                       "--expires", text.p);
    /* What is an age elsewhere is a life here. */
    *end = strchr("mhd", text.p[text.size - 1]) != NULL ? 2 * now_ms - ms : ms;
    return LLMGR_OK;
}

static llmgr_status read_spec(const struct cli_app *app, struct llmgr_token_spec *spec,
                              struct llmgr_error *err)
{
    llmgr_token_spec_init(spec);
    spec->name = cli_flag(app, CLI_FLAG_name);
    spec->note = cli_flag(app, CLI_FLAG_note);
    spec->platforms = cli_flag(app, CLI_FLAG_platforms);
    spec->models = cli_flag(app, CLI_FLAG_models);
    spec->routes = cli_flag(app, CLI_FLAG_routes);
    spec->networks = cli_flag(app, CLI_FLAG_networks);
    return read_end(app, &spec->expires_at_ms, err);
}

llmgr_status cli_run_token_create(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_token token = {0};
    struct llmgr_token_spec spec;
    char text[LLMGR_TOKEN_ROOM];

    llmgr_status status = read_spec(app, &spec, err);
    if (status == LLMGR_OK)
        status = read_kind(app, &spec.kind, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_KEYLESS, err);
    if (status != LLMGR_OK)
        return status;
    spec.user = cli_user(app);
    spec.prefix = cli_flag(app, CLI_FLAG_prefix);
    status = llmgr_token_create(app->manager, &spec, text, sizeof text, &token, err);
    if (status != LLMGR_OK)
        return status;
    status = print_created(app, &token, text, err);
    llmgr_wipe(text, sizeof text);
    llmgr_token_clear(&token);
    return status;
}

/* ---- List ------------------------------------------------------------------------------------ */

/* The system user is the administrator: whoever acts as it sees everybody's. */
static const char *whose(const struct cli_app *app)
{
    const char *user = cli_user(app);

    return strcmp(user, LLMGR_SYSTEM_USER) == 0 ? NULL : user;
}

static const char *time_or_none(int64_t ms, char text[LB_WHEN_TEXT])
{
    return ms != 0 ? lb_when_print(ms, LB_WHEN_MINUTE, text) : NULL;
}

static void table_page(struct cli_table *table, const struct llmgr_token_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct llmgr_token *token = &list->items[i];
        char id[24], created[LB_WHEN_TEXT], revoked[LB_WHEN_TEXT], expires[LB_WHEN_TEXT],
            used[LB_WHEN_TEXT];
        cli_table_row(
            table,
            (const char *[]){
                cli_number(token->token_id, id), llmgr_token_kind_name(token->kind), token->user,
                token->prefix, token->name,
                lb_when_print(token->created_at_ms, LB_WHEN_DAY, created),
                time_or_none(token->last_used_at_ms, used),
                time_or_none(token->expires_at_ms, expires),
                token->revoked ? lb_when_print(token->revoked_at_ms, LB_WHEN_DAY, revoked) : NULL,
                token->platforms, token->models, token->routes, token->networks, token->note});
    }
}

/* Page by page into the table or the array; the other is NULL. */
static llmgr_status each_page(const struct cli_app *app, struct cli_table *table, json_t **array,
                              struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    int64_t after_id = 0;
    size_t count = 1;

    while (status == LLMGR_OK && count != 0) {
        struct llmgr_token_list list;
        status = llmgr_token_list(app->manager, whose(app), after_id, 0, &list, err);
        if (status != LLMGR_OK)
            break;
        count = list.count;
        if (count != 0)
            after_id = list.items[count - 1].token_id;
        if (array == NULL)
            table_page(table, &list);
        else if ((*array = lx_list_token(*array, list.items, list.count)) == NULL)
            status = lb_fail_memory(err);
        llmgr_token_list_clear(&list);
    }
    return status;
}

static llmgr_status fill_tokens(struct cli_table *table, const struct cli_app *app,
                                const void *list, struct llmgr_error *err)
{
    (void)list;
    return each_page(app, table, NULL, err);
}

static const char *const HEADINGS[] = {N_("ID"),       N_("KIND"),      N_("USER"),   N_("PREFIX"),
                                       N_("NAME"),     N_("CREATED"),   N_("USED"),   N_("EXPIRES"),
                                       N_("REVOKED"),  N_("PLATFORMS"), N_("MODELS"), N_("ROUTES"),
                                       N_("NETWORKS"), N_("NOTE")};
static const struct cli_table_form TOKENS = {HEADINGS, sizeof HEADINGS / sizeof HEADINGS[0],
                                             N_("There are no tokens."), fill_tokens};

llmgr_status cli_run_token_list(struct cli_app *app, struct llmgr_error *err)
{
    llmgr_status status = cli_open(app, CLI_OPEN_KEYLESS, err);
    if (status != LLMGR_OK)
        return status;
    if (cli_json(app)) {
        json_t *array = NULL;
        status = each_page(app, NULL, &array, err);
        if (status == LLMGR_OK)
            return cli_print_json(array, err);
        json_decref(array);
        return status;
    }
    return cli_print_table(app, &TOKENS, NULL, err);
}

llmgr_status cli_run_token_update(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_token_spec spec;
    struct llmgr_token token;
    int64_t token_id;

    llmgr_status status = cli_id("ID", app->args.positionals[0], &token_id, err);
    if (status == LLMGR_OK)
        status = read_spec(app, &spec, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_KEYLESS, err);
    if (status == LLMGR_OK)
        status = llmgr_token_update(app->manager, whose(app), token_id, &spec, &token, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_done(app, lx_json_token(&token), err,
                      _("Token %lld is changed; running gateways know within a second."),
                      (long long)token_id);
    llmgr_token_clear(&token);
    return status;
}

llmgr_status cli_run_token_revoke(struct cli_app *app, struct llmgr_error *err)
{
    int64_t token_id;

    llmgr_status status = cli_id("ID", app->args.positionals[0], &token_id, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_KEYLESS, err);
    if (status == LLMGR_OK)
        status = llmgr_token_revoke(app->manager, whose(app), token_id, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_token_gone(&(struct lx_gone){token_id, true}), err,
                    _("Token %lld is revoked; running gateways know within a second."),
                    (long long)token_id);
}
