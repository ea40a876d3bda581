/* SPDX-License-Identifier: MIT */
/* llmgr usage request: one request's attempts. */
#include <string.h>

#include "base/nano.h"
#include "base/when.h"
#include "cli/usage.h"
#include "documents/write.h"

/* "1.2345 USD"; NULL: it has no price. */
static const char *cost_text(const struct llmgr_usage_record *row, char text[64])
{
    char amount[LB_NANO_TEXT];

    if (row->cost_nano < 0 || row->currency == NULL)
        return NULL;
    snprintf(text, 64, "%s %s", lb_nano_print(row->cost_nano, amount), row->currency);
    return text;
}

static llmgr_status fill_attempts(struct cli_table *table, const struct cli_app *app,
                                  const void *list, struct llmgr_error *err)
{
    const struct llmgr_usage_attempts *attempts = list;

    (void)app;
    (void)err;
    for (size_t i = 0; i < attempts->count; i++) {
        const struct llmgr_usage_record *row = &attempts->items[i];
        char when[LB_WHEN_TEXT], attempt[24], status[24], prompt[24], completion[24], cost[64],
            latency[24];
        cli_table_row(
            table,
            (const char *[]){
                cli_number(row->attempt, attempt), lb_when_print(row->time_ms, LB_WHEN_TIME, when),
                row->user, row->platform_name, row->model_name, cli_payer(row->payer),
                llmgr_end_name(row->end_state),
                row->upstream_status != 0 ? cli_number(row->upstream_status, status) : NULL,
                cli_usage_count(row->prompt_tokens, prompt),
                cli_usage_count(row->completion_tokens, completion), cost_text(row, cost),
                cli_usage_count(row->latency_ms, latency)});
    }
    return LLMGR_OK;
}

static llmgr_status print_attempts(const struct cli_app *app,
                                   const struct llmgr_usage_attempts *attempts,
                                   struct llmgr_error *err)
{
    static const char *const HEADINGS[] = {
        N_("ATTEMPT"), N_("TIME"),   N_("USER"),   N_("PLATFORM"),   N_("MODEL"), N_("PAYER"),
        N_("END"),     N_("STATUS"), N_("PROMPT"), N_("COMPLETION"), N_("COST"),  N_("LATENCY ms")};
    static const struct cli_table_form FORM = {HEADINGS, sizeof HEADINGS / sizeof HEADINGS[0],
                                               N_("Nothing was used."), fill_attempts};

    return cli_print_table(app, &FORM, attempts, err);
}

static llmgr_status print_json(const struct cli_app *app, const char *id,
                               const struct llmgr_usage_attempts *attempts, struct llmgr_error *err)
{
    struct lx_usage_request request;
    struct lb_arena arena;

    lb_arena_init(&arena, &app->host, NULL, 0, 1 << 20);
    llmgr_status status = lx_usage_request_make(&arena, id, attempts, &request)
                              ? cli_print_json(lx_json_usage_request(&request), err)
                              : lb_fail_memory(err);
    lb_arena_free(&arena);
    return status;
}

llmgr_status cli_run_usage_request(struct cli_app *app, struct llmgr_error *err)
{
    const char *id = app->args.positionals[0];
    const char *user = cli_user(app);
    struct llmgr_usage_attempts attempts;
    int64_t since = 0;
    int64_t until = 0;

    llmgr_status status = cli_time(app, CLI_FLAG_since, &since, err);
    if (status == LLMGR_OK)
        status = cli_time(app, CLI_FLAG_until, &until, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_KEYLESS, err);
    /* The system user is the administrator, who sees everybody's. */
    if (status == LLMGR_OK)
        status =
            llmgr_usage_request(app->manager, strcmp(user, LLMGR_SYSTEM_USER) != 0 ? user : NULL,
                                id, since, until, &attempts, err);
    if (status != LLMGR_OK)
        return status;
    status =
        cli_json(app) ? print_json(app, id, &attempts, err) : print_attempts(app, &attempts, err);
    llmgr_usage_attempts_clear(&attempts);
    return status;
}
