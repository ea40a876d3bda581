/* SPDX-License-Identifier: MIT */
/* What an attempt costs by a price, by hand; which models a price matches, and which comes first.
 */
#include "budget/price.h"

#include "budget/unit.h"
#include "zones.h"

#define U(name) LLMGR_PRICE_UNIT_##name

enum { UNPRICED = -2 };

static struct lq_price price_of(llmgr_price_unit unit, int64_t rate)
{
    struct lq_price price = {.model = LB_STR("m"), .currency = "USD", .until_ms = INT64_MAX};

    lq_rates_clear(price.rates);
    price.rates[unit] = rate;
    return price;
}

static struct lq_use use_of(int64_t prompt, int64_t completion)
{
    struct lq_use use = {.prompt_tokens = prompt};

    for (int i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++)
        use.counts[i] = -1;
    use.counts[U(INPUT)] = prompt;
    use.counts[U(OUTPUT)] = completion;
    use.counts[U(REQUEST)] = 1;
    return use;
}

static int64_t cost(const struct lq_price *price, const struct lq_use *use)
{
    int64_t nano = -7;

    if (lq_price_cost(price, use, &nano))
        return nano;
    assert_int_equal(nano, -7);
    return UNPRICED;
}

/* ---- The sum --------------------------------------------------------------------------------- */

static void tokens_cost_count_times_rate(void **state)
{
    /* 0.27 and 1.10 USD per million: 1000 * 0.27 / 10^6 + 200 * 1.10 / 10^6 = 0.00049 USD. */
    struct lq_price price = price_of(U(INPUT), 270000);
    const struct lq_use use = use_of(1000, 200);

    (void)state;
    price.rates[U(OUTPUT)] = 1100000;
    assert_int_equal(cost(&price, &use), 490000);
}

static void a_part_is_taken_out_of_what_it_is_a_part_of(void **state)
{
    /* (1000 - 600 - 100 - 50 - 20) * 1 + 600 * 0.1 + (100 - 30) * 1.25 + 30 * 2 + 50 * 3 + 20 * 4,
     * then (200 - 150 - 10) * 5 + 150 * 6 + 10 * 7, all in nano-units. */
    struct lq_price price = price_of(U(INPUT), 1000);
    struct lq_use use = use_of(1000, 200);

    (void)state;
    price.rates[U(CACHED_INPUT)] = 100;
    price.rates[U(CACHE_WRITE)] = 1250;
    price.rates[U(CACHE_WRITE_1H)] = 2000;
    price.rates[U(AUDIO_INPUT)] = 3000;
    price.rates[U(IMAGE_INPUT)] = 4000;
    price.rates[U(OUTPUT)] = 5000;
    price.rates[U(REASONING)] = 6000;
    price.rates[U(AUDIO_OUTPUT)] = 7000;
    use.counts[U(CACHED_INPUT)] = 600;
    use.counts[U(CACHE_WRITE)] = 100;
    use.counts[U(CACHE_WRITE_1H)] = 30;
    use.counts[U(AUDIO_INPUT)] = 50;
    use.counts[U(IMAGE_INPUT)] = 20;
    use.counts[U(REASONING)] = 150;
    use.counts[U(AUDIO_OUTPUT)] = 10;
    assert_int_equal(cost(&price, &use), 230 + 60 + 88 + 60 + 150 + 80 + 200 + 900 + 70);
}

static void a_part_without_a_rate_has_that_of_the_whole(void **state)
{
    struct lq_price price = price_of(U(INPUT), 1000);
    struct lq_use use = use_of(1000, 0);

    (void)state;
    use.counts[U(CACHED_INPUT)] = 600;
    use.counts[U(CACHE_WRITE)] = 100;
    use.counts[U(CACHE_WRITE_1H)] = 30;
    assert_int_equal(cost(&price, &use), 1000);
    price.rates[U(CACHE_WRITE)] = 2000;
    assert_int_equal(cost(&price, &use), 900 + 200);
}

static void a_part_larger_than_the_whole_is_charged_as_it_is(void **state)
{
    struct lq_price price = price_of(U(INPUT), 1000);
    struct lq_use use = use_of(100, 0);

    (void)state;
    price.rates[U(CACHED_INPUT)] = 100;
    use.counts[U(CACHED_INPUT)] = 600;
    assert_int_equal(cost(&price, &use), 60);
}

static void what_has_no_rate_is_unpriced_if_it_was_used(void **state)
{
    const struct lq_price input = price_of(U(INPUT), 1000);
    const struct lq_price cached = price_of(U(CACHED_INPUT), 1000);
    struct lq_use use = use_of(100, 0);

    (void)state;
    assert_int_equal(cost(&input, &use), 100);
    use.counts[U(OUTPUT)] = 1;
    assert_int_equal(cost(&input, &use), UNPRICED);
    use.counts[U(OUTPUT)] = 0;
    use.counts[U(CACHED_INPUT)] = 100;
    assert_int_equal(cost(&cached, &use), 100);
    use.counts[U(CACHED_INPUT)] = 99;
    assert_int_equal(cost(&cached, &use), UNPRICED);
}

static void what_is_counted_singly_costs_nothing_without_a_rate(void **state)
{
    struct lq_price price = price_of(U(INPUT), 1000);
    struct lq_use use = use_of(100, 0);

    (void)state;
    use.counts[U(TOOL_CALL)] = 3;
    assert_int_equal(cost(&price, &use), 100);
    price.rates[U(TOOL_CALL)] = INT64_C(10000000000);
    price.rates[U(REQUEST)] = INT64_C(5000000000);
    assert_int_equal(cost(&price, &use), 100 + 30000000 + 5000000);
}

static void a_rate_of_nothing_is_no_missing_rate(void **state)
{
    struct lq_price price = price_of(U(INPUT), 0);
    const struct lq_use use = use_of(100, 100);

    (void)state;
    price.rates[U(OUTPUT)] = 0;
    assert_int_equal(cost(&price, &use), 0);
}

static void what_nobody_counted_is_unpriced(void **state)
{
    const struct lq_price tokens = price_of(U(INPUT), 1000);
    const struct lq_price request = price_of(U(REQUEST), 1000);
    const struct lq_price image = price_of(U(IMAGE), 1000);
    const struct lq_use use = use_of(-1, -1);
    const struct lq_use embedding = use_of(100, -1);

    (void)state;
    assert_int_equal(cost(&tokens, &use), UNPRICED);
    assert_int_equal(cost(&image, &use), UNPRICED);
    assert_int_equal(cost(&request, &use), 1);
    assert_int_equal(cost(&tokens, &embedding), 100);
    /* Beside tokens it would be forgotten. */
    struct lq_price beside = tokens;
    beside.rates[U(SECOND)] = 1;
    assert_int_equal(cost(&beside, &embedding), UNPRICED);
}

static void a_sum_is_rounded_half_up_once(void **state)
{
    struct lq_price price = price_of(U(INPUT), 499);
    struct lq_use use = use_of(1, 0);

    (void)state;
    assert_int_equal(cost(&price, &use), 0);
    price.rates[U(INPUT)] = 500;
    assert_int_equal(cost(&price, &use), 1);
    /* 0.4 + 0.4: not 0 + 0. */
    price.rates[U(INPUT)] = price.rates[U(OUTPUT)] = 400;
    use.counts[U(OUTPUT)] = 1;
    assert_int_equal(cost(&price, &use), 1);
}

static void what_no_number_holds_is_unpriced(void **state)
{
    struct lq_price price = price_of(U(INPUT), LLMGR_RATE_MAX);
    struct lq_use use = use_of(INT64_MAX, INT64_MAX);

    (void)state;
    for (int i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        price.rates[i] = LLMGR_RATE_MAX;
        use.counts[i] = INT64_MAX;
    }
    assert_int_equal(cost(&price, &use), UNPRICED);
    price = price_of(U(INPUT), 1000);
    use = use_of(LQ_COST_MAX, 0);
    assert_int_equal(cost(&price, &use), LQ_COST_MAX);
    use = use_of(LQ_COST_MAX + 1, 0);
    assert_int_equal(cost(&price, &use), UNPRICED);
}

/* ---- Which price ----------------------------------------------------------------------------- */

static bool matches(const char *pattern, const char *model)
{
    return lq_pattern_matches(lb_cstr(pattern), lb_cstr(model));
}

static void one_star_is_anything(void **state)
{
    (void)state;
    assert_true(matches("gpt-4o", "gpt-4o"));
    assert_false(matches("gpt-4o", "gpt-4o-mini"));
    assert_false(matches("gpt-4o", "GPT-4o"));
    assert_true(matches("*", "anything"));
    assert_true(matches("claude-*", "claude-opus"));
    assert_true(matches("claude-*", "claude-"));
    assert_false(matches("claude-*", "claude"));
    assert_true(matches("*-mini", "gpt-4o-mini"));
    assert_true(matches("gpt-*-mini", "gpt-4o-mini"));
    assert_false(matches("gpt-*-mini", "gpt-mini"));
    assert_true(matches("gpt-*-mini", "gpt--mini"));
    assert_false(matches("aba*aba", "ababa"));
}

static bool before(const struct lq_price *a, const struct lq_price *b)
{
    const int order = lq_price_order(a, b);

    assert_int_equal(lq_price_order(b, a) > 0, order < 0);
    return order < 0;
}

static void the_more_special_price_is_asked_first(void **state)
{
    const struct lq_price plain = price_of(U(INPUT), 1);
    struct lq_price named = plain, pattern = plain, longer = plain, tier = plain, hours = plain,
                    above = plain, newer = plain;

    (void)state;
    named.platform_id = 7;
    named.model = LB_STR("*");
    pattern.model = LB_STR("a*");
    longer.model = LB_STR("ab*");
    tier.service_tier = LB_STR("flex");
    hours.has_hours = true;
    hours.above_tokens = 1;
    above.above_tokens = 1000;
    newer.id = 9;
    assert_true(before(&named, &plain));
    assert_true(before(&plain, &pattern));
    assert_true(before(&longer, &pattern));
    assert_true(before(&tier, &hours));
    assert_true(before(&hours, &above));
    assert_true(before(&above, &plain));
    assert_true(before(&newer, &plain));
    assert_int_equal(lq_price_order(&plain, &plain), 0);
}

static void a_price_holds_while_all_its_conditions_do(void **state)
{
    struct lb_host host;
    struct lq_price price = price_of(U(INPUT), 1);
    struct lq_use use = use_of(200000, 1);

    (void)state;
    lb_host_init(&host);
    price.from_ms = 1000;
    price.until_ms = 2000;
    use.at_ms = 999;
    assert_false(lq_price_holds(&price, &use));
    use.at_ms = 1000;
    assert_true(lq_price_holds(&price, &use));
    use.at_ms = 1999;
    assert_true(lq_price_holds(&price, &use));
    use.at_ms = 2000;
    assert_false(lq_price_holds(&price, &use));
    use.at_ms = 1000;
    price.above_tokens = 200000;
    assert_false(lq_price_holds(&price, &use));
    use.prompt_tokens = 200001;
    assert_true(lq_price_holds(&price, &use));
    price.service_tier = LB_STR("flex");
    assert_false(lq_price_holds(&price, &use));
    use.service_tier = LB_STR("flex");
    assert_true(lq_price_holds(&price, &use));
    price.has_hours = true;
    price.hours = (struct lq_hours){.from = 60, .until = 120, .days = 127};
    struct lq_zone *zone = zone_of(&host, "AAA-1");
    price.zone = zone;
    assert_true(lq_price_holds(&price, &use)); /* 01:00:01 there */
    price.hours.from = 61;
    assert_false(lq_price_holds(&price, &use));
    price.is_unclear = true; /* of its units; its hours are clear */
    assert_false(lq_price_holds(&price, &use));
    price.zone = NULL; /* nobody can tell: it decides, and what it decides is unpriced */
    assert_true(lq_price_holds(&price, &use));
    assert_int_equal(cost(&price, &use), UNPRICED);
    lq_zone_free(zone);
}

static void units_have_names(void **state)
{
    llmgr_price_unit unit = U(SECOND);

    (void)state;
    for (int i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        assert_true(llmgr_price_unit_parse(llmgr_price_unit_name((llmgr_price_unit)i), &unit));
        assert_int_equal(unit, i);
    }
    assert_null(llmgr_price_unit_name((llmgr_price_unit)LLMGR_PRICE_UNIT_COUNT));
    assert_null(llmgr_price_unit_name((llmgr_price_unit)-1));
    assert_false(llmgr_price_unit_parse("Input", &unit));
    assert_false(llmgr_price_unit_parse(NULL, &unit));
    assert_int_equal(llmgr_price_unit_per(U(CACHED_INPUT)), 1000000);
    assert_int_equal(llmgr_price_unit_per(U(IMAGE)), 1);
    assert_int_equal(llmgr_price_unit_per((llmgr_price_unit)LLMGR_PRICE_UNIT_COUNT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_cost_count_times_rate),
        cmocka_unit_test(a_part_is_taken_out_of_what_it_is_a_part_of),
        cmocka_unit_test(a_part_without_a_rate_has_that_of_the_whole),
        cmocka_unit_test(a_part_larger_than_the_whole_is_charged_as_it_is),
        cmocka_unit_test(what_has_no_rate_is_unpriced_if_it_was_used),
        cmocka_unit_test(what_is_counted_singly_costs_nothing_without_a_rate),
        cmocka_unit_test(a_rate_of_nothing_is_no_missing_rate),
        cmocka_unit_test(what_nobody_counted_is_unpriced),
        cmocka_unit_test(a_sum_is_rounded_half_up_once),
        cmocka_unit_test(what_no_number_holds_is_unpriced),
        cmocka_unit_test(one_star_is_anything),
        cmocka_unit_test(the_more_special_price_is_asked_first),
        cmocka_unit_test(a_price_holds_while_all_its_conditions_do),
        cmocka_unit_test(units_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
