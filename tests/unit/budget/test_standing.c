/* SPDX-License-Identifier: MIT */
/* Prices that are set again and stand already; and how many there may be. */
#include "budget/standing.h"

#include "fixture.h"

static const struct lq_prices_way ALL = {.ends_rest = true};

static size_t set_all(struct pricing *p, struct lq_price_change *changes, size_t count)
{
    struct fixture *w = &p->base;
    size_t ended = 0;

    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), changes, count, S("file"), &ALL,
                                 &ended, NULL, &w->err));
    return ended;
}

static void what_stands_is_read_at_once_and_nothing_else_is_asked(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec night = spec_of(p->alpha, "m-1", 500, "file");
    night.hours = S("16:30-00:30");
    struct lq_price_change changes[] = {{.spec = spec_of(p->alpha, "m-1", 1000, "file")},
                                        {.spec = night},
                                        {.spec = spec_of(p->beta, "m-1", 2000, "file")}};
    struct lq_price_change again[] = {changes[2], changes[0], changes[1]};

    (void)set_all(p, changes, 3);
    p->now++;
    /* Whoever asked for the platform would find none. */
    db_sql(&p->base.db, "DELETE FROM llm_platforms");
    assert_int_equal(set_all(p, again, 3), 0);
    for (size_t i = 0; i < 3; i++) {
        const struct lq_price_change *first = &changes[(i + 2) % 3];
        assert_int_equal(again[i].result, LQ_PRICE_SAME);
        assert_int_equal(again[i].price_id, first->price_id);
        assert_int_equal(again[i].former_id, first->price_id);
        assert_int_equal(again[i].former_rates[U(INPUT)], first->spec.rates[U(INPUT)]);
        assert_string_equal(again[i].former_currency, "USD");
    }
    /* What has changed is asked for. */
    again[1].spec.rates[U(INPUT)] = 1001;
    assert_int_equal(
        lq_prices_set(p->base.manager, operator_of(p), again, 3, S("file"), &ALL, NULL, NULL, NULL),
        LLMGR_ERR_NOT_FOUND);
}

static void a_condition_or_a_currency_makes_it_another(void **state)
{
    struct pricing *p = *state;
    struct lq_price_change change = {.spec = spec_of(p->alpha, "m-1", 1000, "file")};

    (void)set_all(p, &change, 1);
    for (int i = 0; i < 4; i++) {
        struct lq_price_change other = {.spec = spec_of(p->alpha, "m-1", 1000, "file")};
        p->now++;
        other.spec.above_tokens = i == 0;
        other.spec.service_tier = i == 1 ? S("batch") : S("");
        other.spec.currency = i == 2 ? S("CNY") : S("USD");
        other.spec.platform_id = i == 3 ? p->beta : p->alpha;
        (void)set_all(p, &other, 1);
        assert_int_not_equal(other.result, LQ_PRICE_SAME);
        change.spec.from_ms = p->now;
        assert_int_equal(set_all(p, &change, 1), i == 2 ? 0 : 1);
        assert_int_not_equal(change.result, LQ_PRICE_SAME);
    }
}

static void a_dry_run_says_that_they_would_be_too_many(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    static const struct lq_prices_way dry = {.is_dry = true}, way = {0};
    struct lq_price_change more = {.spec = spec_of(p->alpha, "new", 1, "litellm")};
    struct lq_price_change changed = {.spec = spec_of(0, "m7", 1, "litellm")};

    db_sql(&w->db, "INSERT INTO llm_prices (platform_id, model, currency, from_ms, above_tokens,"
                   " service_tier, hours, time_zone, source, created_ms)"
                   " WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
                   " WHERE i < 200000) SELECT 0, 'm' || CAST(i AS TEXT), 'USD', 1, 0, '', '', '',"
                   " 'litellm', 1 FROM n");
    db_sql(&w->db, "INSERT INTO llm_price_rates SELECT id, 'input', 5 FROM llm_prices");
    WANT(LLMGR_ERR_TOO_LARGE, lq_prices_set(w->manager, operator_of(p), &more, 1, S("litellm"),
                                            &dry, NULL, NULL, &w->err));
    assert_non_null(strstr(w->err.message, "200001"));
    WANT(LLMGR_ERR_TOO_LARGE, lq_prices_set(w->manager, operator_of(p), &more, 1, S("litellm"),
                                            &way, NULL, NULL, &w->err));
    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), &changed, 1, S("litellm"), &dry, NULL,
                                 NULL, &w->err));
    assert_int_equal(changed.result, LQ_PRICE_CHANGED);
    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), &changed, 1, S("litellm"), &way, NULL,
                                 NULL, &w->err));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_prices WHERE until_ms IS NULL"),
                     200000);
}

#define PRICING(test) cmocka_unit_test_setup_teardown(test, pricing_setup, pricing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRICING(what_stands_is_read_at_once_and_nothing_else_is_asked),
        PRICING(a_condition_or_a_currency_makes_it_another),
        PRICING(a_dry_run_says_that_they_would_be_too_many),
    };

    db_choose_tests();
    return cmocka_run_group_tests_name("standing", tests, NULL, NULL);
}
