/* SPDX-License-Identifier: MIT */
/* Sums made in memory are those that the database would make, and stand for no row twice. */
#include "ledger_fixture.h"
#include "ledger/sums.h"
#include "manager/handle.h"

enum { ATTEMPTS = 600, CROWD = 17000 /* more users than sums are kept */, HOUR = LL_HOUR_MS };
#define START_MS (INT64_C(20000) * 24 * HOUR)

static struct ll_sums *sums;

static int setup(void **state)
{
    (void)entries_begin(state);
    struct entries *b = *state;
    sums = ll_sums_new(&b->w.db.host);
    assert_non_null(sums);
    return 0;
}

static int teardown(void **state)
{
    ll_sums_free(sums);
    return entries_end(state);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static struct ll_usage any_attempt(void)
{
    static const char *const USERS[] = {"alice", "bob", "al", "用户", "-1"};
    static const char *const SLOTS[] = {"", "main", "icemain", "Main"};
    struct ll_usage usage = attempt("any");

    usage.attempt = 1 + draw(2);
    usage.time_ms = START_MS + (int64_t)draw(3) * HOUR + draw(HOUR);
    usage.user = lb_cstr(USERS[draw(5)]);
    usage.slot = lb_cstr(SLOTS[draw(4)]);
    usage.platform_id = draw(3);
    usage.platform_name = usage.platform_id == 0 ? LB_STR("") : LB_STR("Mock");
    usage.model_id = draw(3);
    usage.token_id = draw(2);
    usage.payer = (enum lm_payer)draw(3);
    usage.prompt_tokens = count_or_not(1000);
    usage.completion_tokens = count_or_not(500);
    usage.cached_tokens = count_or_not(100);
    usage.reasoning_tokens = usage.model_id == 1 ? LL_UNKNOWN : count_or_not(100);
    usage.cache_write_tokens = count_or_not(100);
    usage.cache_write_1h_tokens = count_or_not(50);
    usage.audio_input_tokens = count_or_not(50);
    usage.audio_output_tokens = count_or_not(50);
    usage.image_input_tokens = count_or_not(50);
    usage.tool_calls = count_or_not(3);
    if (draw(3) != 0) {
        usage.cost_nano = draw(1000);
        usage.currency = draw(2) != 0 ? LB_STR("USD") : LB_STR("CNY");
    }
    usage.provenance = (llmgr_provenance)draw(4);
    usage.end_state = (llmgr_end_state)draw(5);
    return usage;
}

/* How often the thread could have rested, and between how many pieces. */
static size_t rests, rest_of;

static void count_rest(size_t done, size_t of)
{
    assert_in_range(done, 1, of - 1);
    rest_of = of;
    rests++;
}

static llmgr_status write_batch(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return ll_usage_batch_write(context, tx, count_rest, err);
}

static void write_and_sum(struct entries *b, struct ll_usage_batch *batch)
{
    if (ls_transact(b->w.manager->store, LS_WRITE, write_batch, batch, &b->w.err) != LLMGR_OK)
        fail_msg("write: %s", b->w.err.message);
    ll_usage_batch_sum(batch, sums, count_rest);
}

static void write_any(struct entries *b, int count)
{
    struct ll_usage_batch *batch = ll_usage_batch_new(&b->w.db.host, (size_t)count);

    for (int i = 0; i < count; i++) {
        struct ll_usage usage = any_attempt();
        assert_true(ll_usage_batch_add(batch, &usage));
    }
    write_and_sum(b, batch);
    ll_usage_batch_free(batch);
}

static void roll_up(struct entries *b, struct ll_sums *with)
{
    if (ll_usage_roll_up(b->w.manager, with, count_rest, &b->w.err) != LLMGR_OK)
        fail_msg("ll_usage_roll_up: %s", b->w.err.message);
}

static bool stand_for_something(void)
{
    int64_t from, to;

    return ll_sums_range(sums, &from, &to);
}

/* What was summed so far is what the database makes of all rows. */
static void as_the_database(struct entries *b)
{
    static const char DIFFERENT[] =
        "SELECT (SELECT COUNT(*) FROM (SELECT * FROM kept EXCEPT SELECT * FROM llm_usage_sums)"
        " AS a) + (SELECT COUNT(*) FROM (SELECT * FROM llm_usage_sums EXCEPT SELECT * FROM kept)"
        " AS b)";

    db_sql(&b->w.db, "CREATE TABLE kept AS SELECT * FROM llm_usage_sums");
    db_sql(&b->w.db, "DELETE FROM llm_usage_sums");
    db_sql(&b->w.db, "DELETE FROM llm_journals WHERE name = 'sums'");
    roll_up(b, NULL);
    assert_int_equal(entries_number(b, DIFFERENT), 0);
    assert_true(entries_number(b, "SELECT COUNT(*) FROM kept") > 0);
    db_sql(&b->w.db, "DROP TABLE kept");
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void enormous_costs_do_not_wrap(void **state)
{
    struct entries *b = *state;
    struct ll_usage_batch *batch = ll_usage_batch_new(&b->w.db.host, 3);
    struct ll_usage usage = attempt("dear");

    usage.time_ms = START_MS;
    usage.cost_nano = LL_MONEY_MAX - 1;
    usage.currency = LB_STR("USD");
    for (int i = 0; i < 3; i++)
        assert_true(ll_usage_batch_add(batch, &usage));
    write_and_sum(b, batch);
    ll_usage_batch_free(batch);
    roll_up(b, sums);
    assert_int_equal(entries_number(b, "SELECT cost_nano FROM llm_usage_sums"), LL_MONEY_MAX);
    as_the_database(b);
}

static void sums_in_memory_are_those_of_the_database(void **state)
{
    struct entries *b = *state;

    for (int i = 0; i < 3; i++) {
        write_any(b, ATTEMPTS);
        write_any(b, 1);
        assert_true(stand_for_something());
        roll_up(b, sums);
        assert_false(stand_for_something());
        assert_int_equal(entries_number(b, SUMMED), (i + 1) * (ATTEMPTS + 1));
    }
    as_the_database(b);
}

static void rows_of_others_are_summed_once(void **state)
{
    struct entries *b = *state;
    struct ll_usage other = any_attempt();

    assert_int_equal(ll_usage_add(b->w.manager, &other, NULL), LLMGR_OK);
    write_any(b, 100); /* behind a row that is not ours */
    assert_int_equal(ll_usage_add(b->w.manager, &other, NULL), LLMGR_OK);
    write_any(b, 100); /* does not follow on what is ours */
    roll_up(b, sums);
    assert_int_equal(entries_number(b, SUMMED), 202);
    write_any(b, 10);
    roll_up(b, sums);
    assert_int_equal(entries_number(b, SUMMED), 212);
    as_the_database(b);
}

static void what_another_has_summed_is_not_summed_again(void **state)
{
    struct entries *b = *state;

    write_any(b, 100);
    roll_up(b, NULL);
    assert_true(stand_for_something());
    write_any(b, 50);
    roll_up(b, sums);
    assert_int_equal(entries_number(b, SUMMED), 150);
    as_the_database(b);
}

static void long_work_offers_a_rest_between_two_pieces(void **state)
{
    struct entries *b = *state;

    rests = 0;
    write_any(b, 100);
    /* Written, and then summed. */
    assert_int_equal(rests, 2 * 99);
    assert_int_equal(rest_of, 100);
    rests = 0;
    roll_up(b, sums);
    assert_int_equal(rests, rest_of - 1);
    /* What the database sums itself is one statement. */
    write_any(b, 100);
    rests = 0;
    roll_up(b, NULL);
    assert_int_equal(rests, 0);
}

static void what_does_not_fit_is_left_to_the_database(void **state)
{
    struct entries *b = *state;
    struct ll_usage_batch *batch = ll_usage_batch_new(&b->w.db.host, CROWD);
    char(*users)[16] = calloc(CROWD, sizeof *users);

    assert_true(batch != NULL && users != NULL);
    write_any(b, 100);
    for (int i = 0; i < CROWD; i++) {
        struct ll_usage usage = any_attempt();
        snprintf(users[i], sizeof users[i], "user-%d", i);
        usage.user = lb_cstr(users[i]);
        assert_true(ll_usage_batch_add(batch, &usage));
    }
    write_and_sum(b, batch);
    assert_false(stand_for_something());
    write_any(b, 100);
    assert_false(stand_for_something());
    roll_up(b, sums);
    assert_int_equal(entries_number(b, SUMMED), CROWD + 200);
    write_any(b, 100);
    assert_true(stand_for_something());
    ll_usage_batch_free(batch);
    free(users);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(sums_in_memory_are_those_of_the_database),
        CASE(enormous_costs_do_not_wrap),
        CASE(rows_of_others_are_summed_once),
        CASE(what_another_has_summed_is_not_summed_again),
        CASE(long_work_offers_a_rest_between_two_pieces),
        CASE(what_does_not_fit_is_left_to_the_database),
    };

    return cmocka_run_group_tests_name("sums", tests, NULL, NULL);
}
