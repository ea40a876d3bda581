/* SPDX-License-Identifier: MIT */
/* llmgr platform test: is it there, are the keys any good, and how fast is it? */
#include "cli/cli.h"
#include "documents/write.h"

/* A key's state as people are told it; its names in --json never change. */
static const char *state_text(const struct llmgr_key_test *test)
{
    if (!test->reachable)
        return _("not reachable");
    if (lb_str_eq_c(LB_STR("good"), test->key_state))
        return test->status == LLMGR_OK ? _("good") : _("good, but nothing was answered");
    return lb_str_eq_c(LB_STR("refused"), test->key_state) ? _("refused") : _("not known");
}

static llmgr_status fill_tests(struct cli_table *table, const struct cli_app *app, const void *list,
                               struct llmgr_error *err)
{
    const struct llmgr_key_test_list *tests = list;
    char first_byte[24], status[24];

    (void)app;
    (void)err;
    for (size_t i = 0; i < tests->count; i++) {
        const struct llmgr_key_test *test = &tests->items[i];
        cli_table_row(
            table,
            (const char *[]){
                test->fingerprint, cli_payer(test->payer), test->model_name, state_text(test),
                test->upstream_status != 0 ? cli_number(test->upstream_status, status) : NULL,
                test->first_byte_ms >= 0 ? cli_number(test->first_byte_ms, first_byte) : NULL,
                test->message[0] != '\0' ? test->message : NULL});
    }
    return LLMGR_OK;
}

static llmgr_status print_tests(const struct cli_app *app, const struct llmgr_key_test_list *list,
                                struct llmgr_error *err)
{
    static const char *const HEADINGS[] = {N_("KEY"),           N_("PAYER"), N_("MODEL"),
                                           N_("STATE"),         N_("HTTP"),  N_("FIRST BYTE (MS)"),
                                           N_("WHAT WAS WRONG")};
    static const struct cli_table_form FORM = {HEADINGS, 7, NULL, fill_tests};

    llmgr_status status = cli_print_table(app, &FORM, list, err);
    if (status == LLMGR_OK && list->untested > 0)
        cli_note(
            _("%lld further keys were not asked: the platform does not answer, or time was up"),
            (long long)list->untested);
    return status;
}

/* The program ends well only if every key was answered. */
static llmgr_status sum_up(const struct llmgr_key_test_list *list, struct llmgr_error *err)
{
    llmgr_status first = LLMGR_OK;
    size_t failed = 0;

    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].status == LLMGR_OK)
            continue;
        failed++;
        if (first == LLMGR_OK)
            first = list->items[i].status;
    }
    if (failed == 0)
        return LLMGR_OK;
    return lb_fail(err, first, N_("of %zu keys that were tested %zu got no answer"), list->count,
                   failed);
}

llmgr_status cli_run_platform_test(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_key_test_list list;
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_platform_test(app->manager, cli_user(app), id, &list, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(lx_json_platform_test(&list), err)
                           : print_tests(app, &list, err);
    if (status == LLMGR_OK)
        status = sum_up(&list, err);
    llmgr_key_test_list_clear(&list);
    return status;
}
