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

llmgr_status cli_run_token_create(struct cli_app *app, struct llmgr_error *err)
{
    llmgr_token_kind kind;
    struct llmgr_token token = {0};
    char text[LLMGR_TOKEN_ROOM];

    llmgr_status status = read_kind(app, &kind, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_KEYLESS, err);
    if (status == LLMGR_OK)
        status = llmgr_token_create(app->manager, kind, cli_user(app), cli_flag(app, CLI_FLAG_name),
                                    cli_flag(app, CLI_FLAG_prefix), text, sizeof text, &token, err);
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

static void table_page(struct cli_table *table, const struct llmgr_token_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct llmgr_token *token = &list->items[i];
        char id[24], created[LB_WHEN_TEXT], revoked[LB_WHEN_TEXT];
        cli_table_row(
            table,
            (const char *[]){
                cli_number(token->token_id, id), llmgr_token_kind_name(token->kind), token->user,
                token->prefix, token->name,
                lb_when_print(token->created_at_ms, LB_WHEN_DAY, created),
                token->revoked ? lb_when_print(token->revoked_at_ms, LB_WHEN_DAY, revoked) : NULL});
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

static const char *const HEADINGS[] = {N_("ID"),   N_("KIND"),    N_("USER"),   N_("PREFIX"),
                                       N_("NAME"), N_("CREATED"), N_("REVOKED")};
static const struct cli_table_form TOKENS = {HEADINGS, 7, N_("There are no tokens."), fill_tokens};

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
