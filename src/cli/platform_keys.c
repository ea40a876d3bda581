/* SPDX-License-Identifier: MIT */
/* llmgr platform keys, add-key, update-key, delete-key: several keys for one platform. */

#include "cli/cli.h"
#include "documents/write.h"

static llmgr_status fill_keys(struct cli_table *table, const struct cli_app *app, const void *list,
                              struct llmgr_error *err)
{
    const struct llmgr_platform_key_list *keys = list;
    char position[24], weight[24];

    (void)app;
    (void)err;
    for (size_t i = 0; i < keys->count; i++) {
        const struct llmgr_platform_key *key = &keys->items[i];
        cli_table_row(table, (const char *[]){cli_number(key->position, position), key->fingerprint,
                                              cli_payer(key->payer),
                                              cli_number(key->weight, weight), key->account,
                                              key->key_env, key->usable ? _("yes") : _("no")});
    }
    return LLMGR_OK;
}

static llmgr_status print_keys(const struct cli_app *app,
                               const struct llmgr_platform_key_list *list, struct llmgr_error *err)
{
    static const char *const HEADINGS[] = {N_("PLACE"),   N_("KEY"),      N_("PAYER"), N_("WEIGHT"),
                                           N_("ACCOUNT"), N_("VARIABLE"), N_("USABLE")};
    static const struct cli_table_form FORM = {
        HEADINGS, 7,
        N_("There is no key of the user for this platform; store one with `llmgr platform "
           "add-key`."),
        fill_keys};

    return cli_print_table(app, &FORM, list, err);
}

llmgr_status cli_run_platform_keys(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_platform_key_list list;
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_keys(app->manager, cli_acting(app), id, &list, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(lx_list_platform_key(NULL, list.items, list.count), err)
                           : print_keys(app, &list, err);
    llmgr_platform_key_list_clear(&list);
    return status;
}

/* Prints the user's key in a place as it is now; `line` tells what was done. */
static llmgr_status show_key(struct cli_app *app, int64_t id, int64_t position, const char *line,
                             struct llmgr_error *err)
{
    struct llmgr_platform_key_list list;
    json_t *document = NULL;

    llmgr_status status = llmgr_platform_keys(app->manager, cli_acting(app), id, &list, err);
    if (status != LLMGR_OK)
        return status;
    if (position <= (int64_t)list.count)
        document = lx_json_platform_key(&list.items[position - 1]);
    llmgr_platform_key_list_clear(&list);
    return cli_done(app, document, err, _("%s Its place is %lld."), line, (long long)position);
}

/* A number that was given with a flag; 0: it was not. */
static llmgr_status number_of(const struct cli_app *app, enum cli_flag_id flag, const char *name,
                              int64_t *number, struct llmgr_error *err)
{
    const char *text = cli_flag(app, flag);

    *number = 0;
    return text != NULL ? cli_id(name, text, number, err) : LLMGR_OK;
}

llmgr_status cli_run_platform_add_key(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id, weight, position;
    char *key = NULL;

    llmgr_status status = number_of(app, CLI_FLAG_weight, "--weight", &weight, err);
    if (status == LLMGR_OK)
        status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = cli_key_wanted(app, &key, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_add_key(app->manager, cli_acting(app), id, key, weight,
                                        cli_flag(app, CLI_FLAG_account), &position, err);
    cli_key_free(app, key);
    return status == LLMGR_OK ? show_key(app, id, position, _("Key stored."), err) : status;
}

llmgr_status cli_run_platform_update_key(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id, weight, to, position;

    llmgr_status status = number_of(app, CLI_FLAG_weight, "--weight", &weight, err);
    if (status == LLMGR_OK)
        status = number_of(app, CLI_FLAG_position, "--position", &to, err);
    if (status == LLMGR_OK)
        status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status =
            llmgr_platform_update_key(app->manager, cli_acting(app), id, app->args.positionals[1],
                                      to, weight, cli_flag(app, CLI_FLAG_account), &position, err);
    return status == LLMGR_OK ? show_key(app, id, position, _("Changed."), err) : status;
}

llmgr_status cli_run_platform_delete_key(struct cli_app *app, struct llmgr_error *err)
{
    const char *key = app->args.positionals[1];
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_delete_key(app->manager, cli_acting(app), id, key, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_platform_key_gone(&(struct lx_gone_key){id, key, true}), err, "%s",
                    _("Deleted."));
}
