/* SPDX-License-Identifier: MIT */
/* llmgr probe and llmgr platform probe: which models does an address offer? */
#include "cli/cli.h"
#include "documents/write.h"

/* Behind tabs what the address says of it, as far as it does: what it is for, its tokens. */
static void print_model(const struct llmgr_probe_model *model)
{
    char context[24], max_output[24];
    const char *const said[] = {cli_model_kind(model->kind),
                                cli_model_tokens(model->context_tokens, context),
                                cli_model_tokens(model->max_output_tokens, max_output)};
    size_t count = sizeof said / sizeof said[0];

    while (count > 0 && said[count - 1] == NULL)
        count--;
    fputs(model->id, stdout);
    for (size_t i = 0; i < count; i++)
        printf("\t%s", said[i] != NULL ? said[i] : "-");
    putchar('\n');
}

static llmgr_status print_probe(const struct cli_app *app, const struct llmgr_probe *probe,
                                struct llmgr_error *err)
{
    if (!cli_json(app)) {
        for (size_t i = 0; i < probe->count; i++)
            print_model(&probe->models[i]);
        if (probe->count == 0)
            puts(_("The address answers, but lists no models."));
        return LLMGR_OK;
    }
    return cli_print_json(lx_list_probe_model(NULL, probe->models, probe->count), err);
}

llmgr_status cli_run_probe(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_probe probe;
    char *key = NULL;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = cli_key(app, &key, err);
    if (status == LLMGR_OK)
        status = llmgr_probe_url(app->manager, cli_user(app), cli_flag(app, CLI_FLAG_base_url), key,
                                 0, &probe, err);
    cli_key_free(app, key);
    if (status != LLMGR_OK)
        return status;
    status = print_probe(app, &probe, err);
    llmgr_probe_clear(&probe);
    return status;
}

llmgr_status cli_run_platform_probe(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_probe probe;
    int64_t id;

    llmgr_status status = cli_id("ID", app->args.positionals[0], &id, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_probe(app->manager, cli_user(app), id, 0, &probe, err);
    if (status != LLMGR_OK)
        return status;
    status = print_probe(app, &probe, err);
    llmgr_probe_clear(&probe);
    return status;
}
