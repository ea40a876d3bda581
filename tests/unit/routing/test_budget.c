/* SPDX-License-Identifier: MIT */
/* An outage is neither doubled nor handed on. */
#include "routing/budget.h"

#include <string.h>

#include "../unit.h"

enum { NOW = 1000000 };

static struct lb_host host;

static unsigned repeats(struct lo_budget *budget, uint64_t route, unsigned wanted, int64_t now)
{
    unsigned count = 0;

    for (unsigned i = 0; i < wanted; i++)
        count += lo_budget_repeat(budget, route, now);
    return count;
}

static void twenty_repetitions_in_ten_seconds_always_may_be(void **state)
{
    struct lo_budget *budget = lo_budget_new(&host, 0);

    (void)state;
    assert_int_equal(repeats(budget, 7, 100, NOW), LO_BUDGET_ALWAYS);
    assert_int_equal(repeats(budget, 8, 100, NOW), LO_BUDGET_ALWAYS); /* each route its own */
    assert_int_equal(repeats(budget, 0, 100, NOW), LO_BUDGET_ALWAYS);
    assert_int_equal(repeats(budget, 7, 100, NOW + 9999), 0);
    assert_int_equal(repeats(budget, 7, 100, NOW + 10000), LO_BUDGET_ALWAYS);
    lo_budget_free(budget);
}

static void beyond_them_a_fifth_of_the_requests_may_be(void **state)
{
    struct lo_budget *budget = lo_budget_new(&host, 0);
    unsigned count = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(lo_budget_begin(budget, 7, NOW + i), i);
        count += repeats(budget, 7, 1, NOW + i);
    }
    assert_int_equal(count, 200);
    /* What is longer ago than ten seconds counts no longer. */
    assert_int_equal(repeats(budget, 7, 100, NOW + 20000), LO_BUDGET_ALWAYS);
    lo_budget_free(budget);
}

/* Of a random sequence, against the same counted anew for each second. */
static void none_is_one_too_many_and_none_is_refused_in_vain(void **state)
{
    enum { SECONDS = 200 };
    struct lo_budget *budget = lo_budget_new(&host, 0);
    unsigned requests[SECONDS] = {0}, allowed[SECONDS] = {0};
    uint64_t noise = 1;

    (void)state;
    for (unsigned second = 0; second < SECONDS; second++) {
        noise = noise * 6364136223846793005U + 1442695040888963407U;
        for (unsigned i = 0; i < noise >> 56; i++) {
            (void)lo_budget_begin(budget, 7, NOW + second * 1000);
            requests[second]++;
        }
        allowed[second] = repeats(budget, 7, 300, NOW + second * 1000);
        unsigned in_window = 0, repeated = 0;
        for (unsigned s = second >= 9 ? second - 9 : 0; s <= second; s++) {
            in_window += requests[s];
            repeated += allowed[s];
        }
        assert_true(allowed[second] == 0 || repeated <= LO_BUDGET_ALWAYS ||
                    repeated * LO_BUDGET_SHARE <= in_window);
        assert_true(repeated >= LO_BUDGET_ALWAYS && (repeated + 1) * LO_BUDGET_SHARE > in_window);
    }
    lo_budget_free(budget);
}

static void a_platform_is_sent_so_many_of_anothers(void **state)
{
    struct lo_budget *budget = lo_budget_new(&host, 3);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(lo_budget_move(budget, 1));
    assert_false(lo_budget_move(budget, 1));
    assert_true(lo_budget_move(budget, 2));
    lo_budget_left(budget, 1);
    assert_true(lo_budget_move(budget, 1));
    assert_false(lo_budget_move(budget, 1));
    lo_budget_free(budget);
}

/* More routes than there is room for: those in use stay, those that are silent begin anew. */
static void routes_in_use_are_not_forgotten(void **state)
{
    struct lo_budget *budget = lo_budget_new(&host, 0);

    (void)state;
    for (uint64_t n = 0; n < 10 * LO_BUDGET_ROUTES; n++) {
        assert_int_equal(lo_budget_begin(budget, 7, NOW + (int64_t)n * 1000), n);
        assert_int_equal(lo_budget_begin(budget, n + 1000, NOW + (int64_t)n * 1000), 0);
    }
    lo_budget_free(budget);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(twenty_repetitions_in_ten_seconds_always_may_be),
        cmocka_unit_test(beyond_them_a_fifth_of_the_requests_may_be),
        cmocka_unit_test(none_is_one_too_many_and_none_is_refused_in_vain),
        cmocka_unit_test(a_platform_is_sent_so_many_of_anothers),
        cmocka_unit_test(routes_in_use_are_not_forgotten),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
