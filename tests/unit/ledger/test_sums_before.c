/* SPDX-License-Identifier: MIT */
/*
 * Sums that the form before has made (schema 15, llm_usage_hours) are sums of this one: nothing is
 * lost, and nothing counted twice, whether it was summed then, or only now.
 */
#include "ledger_fixture.h"
#include "ledger/sums.h"

#include "../release.h"

enum { RELEASE = 15, MADE = 60, SUMMED_THEN = 40 };

/* Users, hours, models and counts that are told or not; every user has rows on either side. */
static const char FILL_ROWS[] =
    "INSERT INTO llm_usage (request_id, attempt, created_at, user_id, token_id, platform_id,"
    " platform_name, model_id, model_name, slot, endpoint, payer, prompt_tokens,"
    " completion_tokens, cached_tokens, reasoning_tokens, provenance, end_state)"
    " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 60)"
    " SELECT 'r' || CAST(i AS TEXT), 1 + i % 2, 1728000000000 + i * 600000,"
    " CASE i % 3 WHEN 0 THEN 'alice' WHEN 1 THEN 'bob' ELSE 'carol' END, i % 4,"
    " 1 + i % 2, 'Mock', 10 + i % 5, 'mock-1', CASE WHEN i % 2 = 0 THEN 'main' END, 'chat',"
    " CASE WHEN i % 6 = 0 THEN NULL WHEN i % 2 = 0 THEN 'system' ELSE 'user' END,"
    " CASE WHEN i % 5 <> 0 THEN 100 + i END, CASE WHEN i % 10 <> 0 THEN 10 + i END,"
    " CASE WHEN i % 4 = 0 THEN i END, CASE WHEN i % 3 <> 1 THEN i END,"
    " CASE WHEN i % 7 = 0 THEN 'estimated' ELSE 'reported' END,"
    " CASE WHEN i % 8 = 0 THEN 'failed' ELSE 'completed' END FROM n ORDER BY i";

/* As that release summed the first of them. */
static const char FILL_HOURS[] =
    "INSERT INTO llm_usage_hours SELECT created_at / 3600000, user_id, platform_id, model_id,"
    " COALESCE(slot, ''), COALESCE(payer, ''), MAX(platform_name), MAX(model_name),"
    " SUM(CASE WHEN attempt = 1 THEN 1 ELSE 0 END), COUNT(*),"
    " SUM(CASE WHEN end_state = 'completed' THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN prompt_tokens IS NULL AND completion_tokens IS NULL THEN 1 ELSE 0 END),"
    " SUM(CASE WHEN provenance = 'estimated' THEN 1 ELSE 0 END), SUM(prompt_tokens),"
    " SUM(completion_tokens), SUM(cached_tokens), SUM(reasoning_tokens) FROM llm_usage"
    " WHERE id <= 40 GROUP BY created_at / 3600000, user_id, platform_id, model_id,"
    " COALESCE(slot, ''), COALESCE(payer, '')";

/* The fixture's database is replaced by an older one, which it then opens. */
static void open_older(struct entries *b, bool was_summed)
{
    fixture_close(&b->w);
    db_teardown(&b->w.db);
    db_setup(&b->w.db);
    release_make(&b->w.db, RELEASE);
    db_sql(&b->w.db, FILL_ROWS);
    if (was_summed) {
        db_sql(&b->w.db, FILL_HOURS);
        db_sql(&b->w.db, "INSERT INTO llm_journals (name, position) VALUES ('hours', 40)");
    }
    fixture_open(&b->w);
}

/* ---- What they are to be, of the rows themselves --------------------------------------------- */

/*
 * What is summed of rows, XX(member, SQL, weight): the weights make one number of all, which is
 * asked for at once. What is not known is -1.
 */
#define UNTOLD "prompt_tokens IS NULL AND completion_tokens IS NULL"
#define HOW_MANY(condition) "SUM(CASE WHEN " condition " THEN 1 ELSE 0 END)"
#define SUM_MAP(XX)                                                                                \
    XX(attempts, "COUNT(*)", 3)                                                                    \
    XX(requests, HOW_MANY("attempt = 1"), 101)                                                     \
    XX(completed, HOW_MANY("end_state = 'completed'"), 10007)                                      \
    XX(inexact, HOW_MANY("provenance = 'estimated'"), 1000003)                                     \
    XX(system_paid, HOW_MANY("payer = 'system'"), 1009)                                            \
    XX(unknown, HOW_MANY(UNTOLD), 100003)                                                          \
    XX(unpriced, "COUNT(*) - " HOW_MANY(UNTOLD), 10000019)                                         \
    XX(prompt_tokens, "SUM(prompt_tokens)", 100000007)                                             \
    XX(completion_tokens, "SUM(completion_tokens)", 1000000007)                                    \
    XX(cached_tokens, "SUM(cached_tokens)", 10000000019)                                           \
    XX(reasoning_tokens, "SUM(reasoning_tokens)", 100000000003)

static void is_sum_of(struct entries *b, const struct llmgr_usage_sum *sum, const char *where)
{
#define OF_ROWS(member, what, weight) " + CAST(COALESCE(" what ", -1) AS BIGINT) * " #weight
#define OF_SUM(member, what, weight) +sum->member *INT64_C(weight)
    char sql[2000];

    snprintf(sql, sizeof sql, "SELECT 0" SUM_MAP(OF_ROWS) " FROM llm_usage WHERE %s", where);
    if (0 SUM_MAP(OF_SUM) != entries_number(b, sql))
        fail_msg("the sum of %s is not that of its rows", where);
    assert_int_equal(sum->cache_write_tokens, -1);
    assert_int_equal(sum->tool_calls, -1);
    assert_int_equal(sum->cost_count, 0);
}

/* ---- What they are --------------------------------------------------------------------------- */

static void read_sums(struct entries *b, const struct llmgr_usage_query *query,
                      struct llmgr_usage_list *list)
{
    lb_arena_reset(&b->w.arena);
    *list = (struct llmgr_usage_list){0};
    if (ll_usage_sums(b->w.manager, query, &b->w.arena, list, &b->w.err) != LLMGR_OK)
        fail_msg("ll_usage_sums: %s", b->w.err.message);
}

static void sums_are_those_of_the_rows(struct entries *b)
{
    static const char *const USERS[] = {"alice", "bob", "carol"};
    struct llmgr_usage_query query;
    struct llmgr_usage_list list;

    llmgr_usage_query_init(&query);
    for (int by = LLMGR_USAGE_BY_MODEL; by <= LLMGR_USAGE_BY_HOUR; by++) {
        query.by = (llmgr_usage_by)by;
        read_sums(b, &query, &list);
        assert_true(list.count > 0);
        is_sum_of(b, &list.total, "id > 0");
    }
    query.by = LLMGR_USAGE_BY_MODEL;
    for (size_t i = 0; i < 3; i++) {
        char where[64];
        query.user = USERS[i];
        read_sums(b, &query, &list);
        snprintf(where, sizeof where, "user_id = '%s'", USERS[i]);
        is_sum_of(b, &list.total, where);
        for (size_t j = 0; j < list.count; j++) {
            snprintf(where, sizeof where, "user_id = '%s' AND model_id = %s", USERS[i],
                     list.items[j].key);
            is_sum_of(b, &list.items[j], where);
        }
    }
}

static void roll_up(struct entries *b)
{
    if (ll_usage_roll_up(b->w.manager, NULL, NULL, &b->w.err) != LLMGR_OK)
        fail_msg("ll_usage_roll_up: %s", b->w.err.message);
}

/* ---- Tests ----------------------------------------------------------------------------------- */

static void what_was_summed_before_is_counted_once(void **state)
{
    struct entries *b = *state;
    struct llmgr_usage_query query;
    struct llmgr_usage_list list;

    open_older(b, true);
    assert_int_equal(entries_number(b, SUMMED), SUMMED_THEN);
    assert_int_equal(entries_number(b, "SELECT position FROM llm_journals WHERE name = 'sums'"),
                     SUMMED_THEN);
    /* The sums of an hour stand for the rows up to there, of which requests are found. */
    assert_int_equal(entries_number(b, "SELECT COUNT(*) FROM llm_usage_sums WHERE first_row <> 1"
                                       " OR last_row <> 40 OR token_id <> 0 OR currency <> ''"),
                     0);
    sums_are_those_of_the_rows(b);
    roll_up(b);
    assert_int_equal(entries_number(b, SUMMED), MADE);
    sums_are_those_of_the_rows(b);

    llmgr_usage_query_init(&query);
    query.by = LLMGR_USAGE_BY_TOKEN;
    read_sums(b, &query, &list);
    assert_string_equal(list.items[0].key, "0");
    /* Those of then, and who came without a token since. */
    assert_int_equal(list.items[0].attempts,
                     entries_number(b, ROWS " WHERE id <= 40 OR token_id = 0"));
}

static void what_was_never_summed_is_summed_now(void **state)
{
    struct entries *b = *state;

    open_older(b, false);
    assert_int_equal(entries_number(b, "SELECT COUNT(*) FROM llm_usage_sums"), 0);
    sums_are_those_of_the_rows(b);
    roll_up(b);
    assert_int_equal(entries_number(b, SUMMED), MADE);
    sums_are_those_of_the_rows(b);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, entries_begin, entries_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_summed_before_is_counted_once),
        CASE(what_was_never_summed_is_summed_now),
    };

    db_choose_tests();
    return cmocka_run_group_tests_name("sums_before", tests, NULL, NULL);
}
