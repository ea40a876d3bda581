/* SPDX-License-Identifier: MIT */
/* Many runs of one statement, on either database: all or none, and the rows that single ones make.
 */
#include "../db.h"
#include "store/driver.h"
#include "store/store.h"

static struct db db;
static struct ls_store *store;

static int open_fresh(void **state)
{
    (void)state;
    db_setup(&db);
    store = db_open(&db);
    return 0;
}

static int close_fresh(void **state)
{
    (void)state;
    ls_close(store);
    db_teardown(&db);
    return 0;
}

enum { MANY = 700 }; /* more than are sent at a time */

static void fill_one(const void *context, size_t run, struct ls_value *values)
{
    static char names[MANY][16];
    int i = (int)run;
    int twice = *(const int *)context;

    snprintf(names[i], sizeof names[i], "many-%d", i);
    values[0] = ls_int(1000 + (i == twice ? 0 : i));
    values[1] = ls_cstr(names[i]);
    values[2] = ls_int(i);
}

static size_t rests;

/* Between two runs, in order: also a large number of them, also where they are one statement. */
static void count_rest(size_t done, size_t of)
{
    assert_int_equal(of, MANY);
    assert_int_equal(done, ++rests);
}

static llmgr_status add_many(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    rests = 0;
    return ls_exec_many(tx, LS_MIGRATION_ADD, fill_one, context, MANY, count_rest, err);
}

static void fill_wrongly(const void *context, size_t run, struct ls_value *values)
{
    fill_one(context, run, values);
    if (run == MANY / 2)
        values[0] = ls_text(LB_STR("no number"));
}

static llmgr_status add_wrongly(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return ls_exec_many(tx, LS_MIGRATION_ADD, fill_wrongly, context, MANY, NULL, err);
}

static void many_runs_are_so_many_rows_or_none(void **state)
{
    static const char COUNT[] = "SELECT COUNT(*) FROM llm_migrations WHERE version >= 1000";
    struct llmgr_error err = {0};
    (void)state;

    for (int twice = 1; twice < MANY; twice += 233) {
        assert_int_equal(ls_transact(store, LS_WRITE, add_many, &twice, &err), LLMGR_ERR_CONFLICT);
        assert_int_equal(db_number(&db, COUNT), 0);
    }
    int never = -1;
    assert_int_equal(ls_transact(store, LS_WRITE, add_wrongly, &never, &err), LLMGR_ERR_INTERNAL);
    assert_int_equal(db_number(&db, COUNT), 0);
    /* The connection has come to no harm. */
    assert_int_equal(ls_transact(store, LS_WRITE, add_many, &never, &err), LLMGR_OK);
    assert_int_equal(rests, MANY - 1);
    assert_int_equal(db_number(&db, COUNT), MANY);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_migrations"
                                    " WHERE version = 1699 AND name = 'many-699'"),
                     1);
}

/* Each argument of its declared type; where one may be null, it is so in every other run. */
static void fill_usage(const void *context, size_t run, struct ls_value *values)
{
    const char *types = LS_STATEMENTS[LS_USAGE_ADD].args;

    (void)context;
    for (size_t i = 0; types[i] != '\0'; i++) {
        if (types[i] < 'a' && (run + i) % 2 == 0)
            values[i] = ls_null();
        else if ((types[i] | 0x20) == 'i')
            values[i] = ls_int(i == 0 ? -1 : INT64_MIN + (int64_t)i);
        else
            values[i] = ls_text(i % 3 == 0 ? LB_STR("\xc3\xa9") : lb_str(NULL, 0));
    }
}

static llmgr_status add_usage(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct ls_value values[LS_ARGS_MAX];
    llmgr_status status = ls_exec_many(tx, LS_USAGE_ADD, fill_usage, context, 2, NULL, err);

    for (size_t run = 0; run < 2 && status == LLMGR_OK; run++) {
        fill_usage(context, run, values);
        status =
            ls_exec(tx, LS_USAGE_ADD, values, strlen(LS_STATEMENTS[LS_USAGE_ADD].args), NULL, err);
    }
    return status;
}

static void many_runs_write_what_single_ones_do(void **state)
{
    static const char DISTINCT[] =
        "SELECT COUNT(*) FROM (SELECT DISTINCT request_id, attempt, created_at, user_id, token_id,"
        " platform_id, platform_name, model_id, model_name, slot, endpoint, payer, prompt_tokens,"
        " completion_tokens, cached_tokens, reasoning_tokens, provenance, end_state,"
        " upstream_status, latency_ms, first_byte_ms, bytes_in, bytes_out, cache_write_tokens,"
        " cache_write_1h_tokens, audio_input_tokens, audio_output_tokens, image_input_tokens,"
        " tool_calls, service_tier, cost_nano, currency, price_id, reported_cost_nano"
        " FROM llm_usage) AS u";
    struct llmgr_error err = {0};
    (void)state;

    assert_int_equal(ls_transact(store, LS_WRITE, add_usage, NULL, &err), LLMGR_OK);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_usage"), 4);
    assert_int_equal(db_number(&db, DISTINCT), 2);
    assert_int_equal(db_number(&db, "SELECT COUNT(*) FROM llm_usage WHERE user_id = '\xc3\xa9'"
                                    " AND end_state = '' AND slot IS NULL AND token_id < 0"),
                     2);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, open_fresh, close_fresh)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(many_runs_are_so_many_rows_or_none),
        FRESH(many_runs_write_what_single_ones_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
