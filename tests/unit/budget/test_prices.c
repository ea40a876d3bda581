/* SPDX-License-Identifier: MIT */
/* Prices are set and ended without touching what was; what an attempt costs is found by the book.
 */
#include "fixture.h"

static void refuses(struct pricing *p, const struct lq_price_spec *spec, llmgr_status status,
                    const char *why)
{
    struct fixture *w = &p->base;
    struct lq_price_change change;

    WANT(status, try_set(p, spec, &change));
    if (strstr(w->err.message, why) == NULL)
        fail_msg("'%s' does not say '%s'", w->err.message, why);
}

static int64_t number(struct pricing *p, const char *sql)
{
    return db_number(&p->base.db, sql);
}

/* ---- Setting --------------------------------------------------------------------------------- */

static void without_a_price_nothing_is_priced(void **state)
{
    struct pricing *p = *state;
    struct ll_usage usage = attempt_of(p, p->alpha, "m-1");

    assert_null(lq_book_now(p->base.manager));
    assert_int_equal(cost_of(p, &usage), LL_UNKNOWN);
    assert_int_equal(usage.price_id, 0);
    assert_int_equal(usage.currency.size, 0);
}

static void a_price_holds_from_now_on(void **state)
{
    struct pricing *p = *state;
    const struct lq_price_spec spec = spec_of(p->alpha, "m-1", 270000, "hand");
    const struct lq_price_change change = set(p, &spec);
    struct ll_usage usage = attempt_of(p, p->alpha, "m-1");

    assert_int_equal(change.result, LQ_PRICE_NEW);
    assert_true(change.price_id > 0);
    assert_int_equal(cost_of(p, &usage), 270000);
    assert_int_equal(usage.price_id, change.price_id);
    assert_true(lb_str_eq_c(usage.currency, "USD"));
    assert_int_equal(costs(p, p->beta, "m-1"), LL_UNKNOWN);
    assert_int_equal(costs(p, p->alpha, "m-10"), LL_UNKNOWN);
    p->now--;
    assert_int_equal(costs(p, p->alpha, "m-1"), LL_UNKNOWN);
}

static void a_new_price_ends_the_former_and_leaves_its_row(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");
    const struct lq_price_change first = set(p, &spec);

    p->now += HOUR;
    spec.rates[U(INPUT)] = 2000;
    const struct lq_price_change second = set(p, &spec);
    assert_int_equal(second.result, LQ_PRICE_CHANGED);
    assert_int_equal(second.former_id, first.price_id);
    assert_int_equal(second.former_rates[U(INPUT)], 1000);
    assert_int_equal(second.former_rates[U(OUTPUT)], LLMGR_UNSET);
    assert_string_equal(second.former_currency, "USD");
    assert_int_equal(costs(p, p->alpha, "m-1"), 2000);
    p->now -= 1;
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
    assert_int_equal(number(p, "SELECT COUNT(*) FROM llm_prices"), 2);
}

static void the_same_price_again_changes_nothing(void **state)
{
    struct pricing *p = *state;
    const struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");
    const struct lq_price_change first = set(p, &spec);
    const int64_t revision = number(p, "SELECT MAX(revision) FROM llm_changes");

    p->now += HOUR;
    const struct lq_price_change second = set(p, &spec);
    assert_int_equal(second.result, LQ_PRICE_SAME);
    assert_int_equal(second.price_id, first.price_id);
    assert_int_equal(number(p, "SELECT MAX(revision) FROM llm_changes"), revision);
    assert_int_equal(number(p, "SELECT COUNT(*) FROM llm_prices"), 1);
}

static void another_currency_or_one_rate_less_is_another_price(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");

    spec.rates[U(OUTPUT)] = 5000;
    (void)set(p, &spec);
    p->now++;
    spec.rates[U(OUTPUT)] = LLMGR_UNSET;
    assert_int_equal(set(p, &spec).result, LQ_PRICE_CHANGED);
    p->now++;
    spec.currency = S("CNY");
    assert_int_equal(set(p, &spec).result, LQ_PRICE_CHANGED);
    struct ll_usage usage = attempt_of(p, p->alpha, "m-1");
    assert_int_equal(cost_of(p, &usage), 1000);
    assert_true(lb_str_eq_c(usage.currency, "CNY"));
}

static void a_price_to_come_waits_and_ends_what_is_set_before_it(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec later = spec_of(p->alpha, "m-1", 3000, "hand");
    const struct lq_price_spec now = spec_of(p->alpha, "m-1", 1000, "hand");

    later.from_ms = T0 + DAY;
    assert_int_equal(set(p, &later).result, LQ_PRICE_NEW);
    assert_int_equal(costs(p, p->alpha, "m-1"), LL_UNKNOWN);
    assert_int_equal(set(p, &now).result, LQ_PRICE_NEW);
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
    p->now = T0 + DAY - 1;
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
    p->now = T0 + DAY;
    assert_int_equal(costs(p, p->alpha, "m-1"), 3000);
}

static void a_price_that_would_reach_into_a_later_one_is_refused(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec later = spec_of(p->alpha, "m-1", 3000, "hand");
    struct lq_price_spec now = spec_of(p->alpha, "m-1", 1000, "hand");

    later.from_ms = T0 + DAY;
    (void)set(p, &later);
    now.until_ms = T0 + DAY + 1;
    refuses(p, &now, LLMGR_ERR_CONFLICT, "begins");
    now.until_ms = T0 + DAY;
    assert_int_equal(set(p, &now).result, LQ_PRICE_NEW);
    assert_int_equal(number(p, "SELECT COUNT(*) FROM llm_prices"), 2);
}

static void a_price_with_an_end_ends(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");

    spec.until_ms = T0 + HOUR;
    (void)set(p, &spec);
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
    p->now = T0 + HOUR;
    assert_int_equal(costs(p, p->alpha, "m-1"), LL_UNKNOWN);
}

/* ---- Deleting -------------------------------------------------------------------------------- */

static void a_deleted_price_ends_now_and_its_row_stays(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    const struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");
    const int64_t id = set(p, &spec).price_id;

    p->now += HOUR;
    WANT(LLMGR_OK, lq_price_delete(w->manager, operator_of(p), id, &w->err));
    assert_int_equal(costs(p, p->alpha, "m-1"), LL_UNKNOWN);
    assert_int_equal(number(p, "SELECT COUNT(*) FROM llm_prices"), 1);
    assert_int_equal(number(p, "SELECT until_ms FROM llm_prices"), T0 + HOUR);
    WANT(LLMGR_ERR_NOT_FOUND, lq_price_delete(w->manager, operator_of(p), id, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lq_price_delete(w->manager, operator_of(p), id + 1, &w->err));
}

static void a_price_that_never_began_never_does(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");

    spec.from_ms = T0 + DAY;
    const int64_t id = set(p, &spec).price_id;
    WANT(LLMGR_OK, lq_price_delete(w->manager, operator_of(p), id, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lq_price_delete(w->manager, operator_of(p), id, &w->err));
    p->now = T0 + 2 * DAY;
    assert_int_equal(costs(p, p->alpha, "m-1"), LL_UNKNOWN);
    /* Nor does it stand in the way of another. */
    p->now = T0;
    spec.from_ms = 0;
    assert_int_equal(set(p, &spec).result, LQ_PRICE_NEW);
    p->now = T0 + 2 * DAY;
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
}

/* ---- Whose price ----------------------------------------------------------------------------- */

static void an_imported_price_does_not_replace_one_set_by_hand(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    static const struct lq_prices_way replacing = {.replaces_hand = true};
    const struct lq_price_spec hand = spec_of(p->alpha, "m-1", 1000, "hand");
    const struct lq_price_spec imported = spec_of(p->alpha, "m-1", 2000, "litellm");

    (void)set(p, &hand);
    p->now++;
    struct lq_price_change change = set(p, &imported);
    assert_int_equal(change.result, LQ_PRICE_KEPT);
    assert_int_equal(change.former_rates[U(INPUT)], 1000);
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), &change, 1, S("litellm"), &replacing,
                                 NULL, NULL, &w->err));
    assert_int_equal(change.result, LQ_PRICE_CHANGED);
    assert_int_equal(costs(p, p->alpha, "m-1"), 2000);
    /* By hand it is taken back, also where both say the same. */
    p->now++;
    const struct lq_price_spec same = spec_of(p->alpha, "m-1", 2000, "hand");
    assert_int_equal(set(p, &same).result, LQ_PRICE_CHANGED);
    p->now++;
    assert_int_equal(set(p, &imported).result, LQ_PRICE_KEPT);
}

static void imported_prices_replace_one_another(void **state)
{
    struct pricing *p = *state;
    const struct lq_price_spec first = spec_of(p->alpha, "m-1", 1000, "litellm");
    const struct lq_price_spec same = spec_of(p->alpha, "m-1", 1000, "models.dev");
    const struct lq_price_spec other = spec_of(p->alpha, "m-1", 1001, "models.dev");

    (void)set(p, &first);
    p->now++;
    assert_int_equal(set(p, &same).result, LQ_PRICE_SAME);
    assert_int_equal(set(p, &other).result, LQ_PRICE_CHANGED);
}

static void a_price_of_the_file_is_changed_there(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    const struct lq_price_spec file = spec_of(p->alpha, "m-1", 1000, "file");
    const struct lq_price_spec hand = spec_of(p->alpha, "m-1", 2000, "hand");
    const struct lq_price_spec imported = spec_of(p->alpha, "m-1", 3000, "litellm");
    static const struct lq_prices_way replacing = {.replaces_hand = true};
    const int64_t id = set(p, &file).price_id;

    p->now++;
    refuses(p, &hand, LLMGR_ERR_FORBIDDEN, "llmgr.yaml");
    WANT(LLMGR_ERR_FORBIDDEN, lq_price_delete(w->manager, operator_of(p), id, &w->err));
    struct lq_price_change change = {.spec = imported};
    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), &change, 1, S("litellm"), &replacing,
                                 NULL, NULL, &w->err));
    assert_int_equal(change.result, LQ_PRICE_KEPT);
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
}

static void the_file_is_refused_what_was_set_by_hand(void **state)
{
    struct pricing *p = *state;
    const struct lq_price_spec hand = spec_of(p->alpha, "m-1", 2000, "hand");
    const struct lq_price_spec file = spec_of(p->alpha, "m-1", 1000, "file");

    (void)set(p, &hand);
    p->now++;
    refuses(p, &file, LLMGR_ERR_CONFLICT, "llmgr price delete");
}

static void what_is_gone_from_the_file_ends(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    static const struct lq_prices_way all = {.ends_rest = true};
    struct lq_price_change both[2] = {{.spec = spec_of(p->alpha, "m-1", 1000, "file")},
                                      {.spec = spec_of(p->alpha, "m-2", 2000, "file")}};
    const struct lq_price_spec hand = spec_of(p->alpha, "m-3", 3000, "hand");
    size_t ended = 7;

    (void)set(p, &hand);
    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), both, 2, S("file"), &all, &ended, NULL,
                                 &w->err));
    assert_int_equal(ended, 0);
    p->now++;
    both[0].spec = spec_of(p->alpha, "m-1", 1500, "file");
    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), both, 1, S("file"), &all, &ended, NULL,
                                 &w->err));
    assert_int_equal(ended, 1);
    assert_int_equal(costs(p, p->alpha, "m-1"), 1500);
    assert_int_equal(costs(p, p->alpha, "m-2"), LL_UNKNOWN);
    assert_int_equal(costs(p, p->alpha, "m-3"), 3000);
    p->now++;
    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), NULL, 0, S("file"), &all, &ended, NULL,
                                 &w->err));
    assert_int_equal(ended, 1);
    assert_int_equal(costs(p, p->alpha, "m-1"), LL_UNKNOWN);
}

static void a_dry_run_writes_nothing_and_says_the_same(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    static const struct lq_prices_way dry = {.is_dry = true, .ends_rest = true};
    const struct lq_price_spec former = spec_of(p->alpha, "m-1", 1000, "litellm");
    const struct lq_price_spec rest = spec_of(p->alpha, "m-9", 1000, "litellm");
    struct lq_price_change changes[2] = {{.spec = spec_of(p->alpha, "m-1", 900, "litellm")},
                                         {.spec = spec_of(p->alpha, "m-2", 2000, "litellm")}};
    size_t ended = 0;

    (void)set(p, &former);
    (void)set(p, &rest);
    p->now++;
    WANT(LLMGR_OK, lq_prices_set(w->manager, operator_of(p), changes, 2, S("litellm"), &dry, &ended,
                                 NULL, &w->err));
    assert_int_equal(changes[0].result, LQ_PRICE_CHANGED);
    assert_int_equal(changes[0].former_rates[U(INPUT)], 1000);
    assert_int_equal(changes[1].result, LQ_PRICE_NEW);
    assert_int_equal(ended, 1);
    assert_int_equal(number(p, "SELECT COUNT(*) FROM llm_prices"), 2);
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
}

static void of_many_prices_all_are_set_or_none(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    static const struct lq_prices_way way = {0};
    struct lq_price_change changes[2] = {{.spec = spec_of(p->alpha, "m-1", 900, "litellm")},
                                         {.spec = spec_of(999, "m-2", 2000, "litellm")}};
    size_t failed = 7;

    WANT(LLMGR_ERR_NOT_FOUND, lq_prices_set(w->manager, operator_of(p), changes, 2, S("litellm"),
                                            &way, NULL, &failed, &w->err));
    assert_int_equal(failed, 1);
    assert_int_equal(number(p, "SELECT COUNT(*) FROM llm_prices"), 0);
}

/* ---- What is refused ------------------------------------------------------------------------- */

static void only_the_operator_sets_prices(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    static const struct lq_prices_way way = {0};
    const struct lm_actor ann = lm_actor_of(w->manager, S("ann"));
    const struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");
    struct lq_price_change change = {.spec = spec};

    WANT(LLMGR_ERR_FORBIDDEN,
         lq_prices_set(w->manager, ann, &change, 1, S("hand"), &way, NULL, NULL, &w->err));
    const int64_t id = set(p, &spec).price_id;
    WANT(LLMGR_ERR_FORBIDDEN, lq_price_delete(w->manager, ann, id, &w->err));
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
}

static void a_private_platform_has_no_price_of_its_own(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    int64_t mine;

    WANT(LLMGR_OK, lm_platform_add(w->manager, S("ann"), S("Mine"), S("https://mine.example/v1"),
                                   S(""), &mine, &w->err));
    struct lq_price_spec spec = spec_of(mine, "m-1", 1000, "hand");
    refuses(p, &spec, LLMGR_ERR_NOT_FOUND, "platform");
    /* Those of any platform hold for it. */
    spec.platform_id = 0;
    (void)set(p, &spec);
    assert_int_equal(costs(p, mine, "m-1"), 1000);
}

static void what_a_price_says_is_judged(void **state)
{
    struct pricing *p = *state;
    const struct lq_price_spec good = spec_of(p->alpha, "m-1", 1000, "hand");
    struct lq_price_spec spec = good;
    char longest[200];

    memset(longest, 'm', sizeof longest);
    spec.currency = S("usd");
    refuses(p, &spec, LLMGR_ERR_INVALID, "currency");
    spec.currency = S("DOLLAR");
    refuses(p, &spec, LLMGR_ERR_INVALID, "currency");
    spec = good;
    spec.model = S("a*b*");
    refuses(p, &spec, LLMGR_ERR_INVALID, "more than one '*'");
    spec.model = lb_str(longest, LLMGR_PRICE_MODEL_MAX + 1);
    refuses(p, &spec, LLMGR_ERR_INVALID, "model");
    spec.model = S("a\nb");
    refuses(p, &spec, LLMGR_ERR_INVALID, "model");
    spec.model = S(" m");
    refuses(p, &spec, LLMGR_ERR_INVALID, "model");
    spec = good;
    spec.rates[U(OUTPUT)] = -5;
    refuses(p, &spec, LLMGR_ERR_INVALID, "output");
    spec.rates[U(OUTPUT)] = LLMGR_RATE_MAX + 1;
    refuses(p, &spec, LLMGR_ERR_INVALID, "output");
    lq_rates_clear(spec.rates);
    refuses(p, &spec, LLMGR_ERR_INVALID, "without rates");
    spec = good;
    spec.until_ms = T0;
    refuses(p, &spec, LLMGR_ERR_INVALID, "before it begins");
    spec.until_ms = 0;
    spec.from_ms = -1;
    refuses(p, &spec, LLMGR_ERR_INVALID, "before it begins");
    spec = good;
    spec.above_tokens = -1;
    refuses(p, &spec, LLMGR_ERR_INVALID, "tokens");
    spec = good;
    spec.service_tier = S("a b");
    refuses(p, &spec, LLMGR_ERR_INVALID, "service tier");
    spec.service_tier = lb_str(longest, LLMGR_PRICE_TIER_MAX + 1);
    refuses(p, &spec, LLMGR_ERR_INVALID, "service tier");
    spec = good;
    spec.hours = S("9-5");
    refuses(p, &spec, LLMGR_ERR_INVALID, "hours");
    spec.hours = S("09:00-17:00");
    spec.time_zone = S("Asia/Atlantis");
    refuses(p, &spec, LLMGR_ERR_NOT_FOUND, "Asia/Atlantis");
    spec.hours = S("");
    refuses(p, &spec, LLMGR_ERR_INVALID, "without hours");
    spec = good;
    spec.platform_id = 999;
    refuses(p, &spec, LLMGR_ERR_NOT_FOUND, "999");
    assert_int_equal(number(p, "SELECT COUNT(*) FROM llm_prices"), 0);
}

/* ---- Which one decides ----------------------------------------------------------------------- */

static void the_more_special_of_those_that_hold_decides(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec spec = spec_of(0, "*", 1, "hand");

    (void)set(p, &spec);
    spec = spec_of(0, "m-*", 2, "hand");
    (void)set(p, &spec);
    spec = spec_of(0, "m-1", 3, "hand");
    (void)set(p, &spec);
    spec = spec_of(p->alpha, "*", 4, "hand");
    (void)set(p, &spec);
    spec = spec_of(p->alpha, "m-1", 5, "hand");
    spec.service_tier = S("flex");
    (void)set(p, &spec);
    spec = spec_of(p->alpha, "m-1", 6, "hand");
    spec.above_tokens = 1000;
    (void)set(p, &spec);
    for (int i = 0; i < 2; i++) {
        struct ll_usage usage = attempt_of(p, p->beta, "x");
        usage.prompt_tokens = 1000000;
        assert_int_equal(cost_of(p, &usage), 1000);
        usage = attempt_of(p, p->beta, "m-2");
        usage.prompt_tokens = 1000000;
        assert_int_equal(cost_of(p, &usage), 2000);
        usage = attempt_of(p, p->beta, "m-1");
        usage.prompt_tokens = 1000000;
        assert_int_equal(cost_of(p, &usage), 3000);
        usage = attempt_of(p, p->alpha, "m-1");
        usage.prompt_tokens = 1000;
        assert_int_equal(cost_of(p, &usage), 4);
        usage = attempt_of(p, p->alpha, "m-1");
        usage.prompt_tokens = 1000000;
        assert_int_equal(cost_of(p, &usage), 6000);
        usage = attempt_of(p, p->alpha, "m-1");
        usage.prompt_tokens = 1000000;
        usage.service_tier = S("flex");
        assert_int_equal(cost_of(p, &usage), 5000);
        /* Once more, read from the database by another process. */
        fixture_close(&p->base);
        fixture_open(&p->base);
    }
}

static void hours_are_those_of_the_prices_zone(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec spec = spec_of(0, "m-1", 1000, "hand");

    if (access("/usr/share/zoneinfo/Asia/Shanghai", R_OK) != 0)
        skip();
    (void)set(p, &spec);
    spec.rates[U(INPUT)] = 500;
    spec.hours = S("16:30-00:30");
    spec.time_zone = S("Asia/Shanghai");
    (void)set(p, &spec);
    p->now = T0 + HOUR / 2 - 1; /* 16:29:59 there */
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
    p->now = T0 + HOUR / 2;
    assert_int_equal(costs(p, p->alpha, "m-1"), 500);
}

static void what_cannot_be_told_here_is_unpriced(void **state)
{
    struct pricing *p = *state;
    const struct lq_price_spec plain = spec_of(0, "m-1", 1000, "hand");
    const struct lq_price_spec other = spec_of(0, "m-2", 1000, "hand");

    (void)set(p, &plain);
    const int64_t id = set(p, &other).price_id;
    db_sql(&p->base.db, "UPDATE llm_prices SET hours = '00:00-24:00', time_zone = 'Asia/Atlantis'"
                        " WHERE model = 'm-1'");
    db_sql(&p->base.db, "INSERT INTO llm_price_rates (price_id, unit, rate)"
                        " SELECT id, 'dream', 1 FROM llm_prices WHERE model = 'm-2'");
    fixture_close(&p->base);
    fixture_open(&p->base);
    struct ll_usage usage = attempt_of(p, p->alpha, "m-2");
    assert_int_equal(cost_of(p, &usage), LL_UNKNOWN);
    assert_int_equal(usage.price_id, id);
    assert_int_equal(usage.currency.size, 0);
    assert_int_equal(costs(p, p->alpha, "m-1"), LL_UNKNOWN);
}

/* ---- Who knows ------------------------------------------------------------------------------- */

static void what_another_process_sets_is_known_after_a_poll(void **state)
{
    struct pricing *p = *state;
    struct fixture *w = &p->base;
    struct lm_manager *first = w->manager;
    const struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");

    fixture_open(w); /* a second one beside it */
    struct lm_manager *second = w->manager;
    (void)set(p, &spec);
    w->manager = first;
    assert_int_equal(costs(p, p->alpha, "m-1"), LL_UNKNOWN);
    WANT(LLMGR_OK, lm_poll(first, &w->err));
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
    la_manager_close(second);
}

static void who_holds_a_book_keeps_its_prices(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");
    struct ll_usage usage = attempt_of(p, p->alpha, "m-1");

    (void)set(p, &spec);
    struct lq_book *book = lq_book_now(p->base.manager);
    spec.rates[U(INPUT)] = 2000;
    (void)set(p, &spec);
    lq_price_usage(book, &usage);
    assert_int_equal(usage.cost_nano, 1000);
    lq_book_drop(book);
    assert_int_equal(costs(p, p->alpha, "m-1"), 2000);
}

static void what_ended_lately_is_still_known(void **state)
{
    struct pricing *p = *state;
    struct lq_price_spec spec = spec_of(p->alpha, "m-1", 1000, "hand");

    (void)set(p, &spec);
    p->now = T0 + DAY;
    spec.rates[U(INPUT)] = 2000;
    (void)set(p, &spec);
    p->now = T0 + DAY - 1;
    assert_int_equal(costs(p, p->alpha, "m-1"), 1000);
}

#define PRICING(test) cmocka_unit_test_setup_teardown(test, pricing_setup, pricing_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PRICING(without_a_price_nothing_is_priced),
        PRICING(a_price_holds_from_now_on),
        PRICING(a_new_price_ends_the_former_and_leaves_its_row),
        PRICING(the_same_price_again_changes_nothing),
        PRICING(another_currency_or_one_rate_less_is_another_price),
        PRICING(a_price_to_come_waits_and_ends_what_is_set_before_it),
        PRICING(a_price_that_would_reach_into_a_later_one_is_refused),
        PRICING(a_price_with_an_end_ends),
        PRICING(a_deleted_price_ends_now_and_its_row_stays),
        PRICING(a_price_that_never_began_never_does),
        PRICING(an_imported_price_does_not_replace_one_set_by_hand),
        PRICING(imported_prices_replace_one_another),
        PRICING(a_price_of_the_file_is_changed_there),
        PRICING(the_file_is_refused_what_was_set_by_hand),
        PRICING(what_is_gone_from_the_file_ends),
        PRICING(a_dry_run_writes_nothing_and_says_the_same),
        PRICING(of_many_prices_all_are_set_or_none),
        PRICING(only_the_operator_sets_prices),
        PRICING(a_private_platform_has_no_price_of_its_own),
        PRICING(what_a_price_says_is_judged),
        PRICING(the_more_special_of_those_that_hold_decides),
        PRICING(hours_are_those_of_the_prices_zone),
        PRICING(what_cannot_be_told_here_is_unpriced),
        PRICING(what_another_process_sets_is_known_after_a_poll),
        PRICING(who_holds_a_book_keeps_its_prices),
        PRICING(what_ended_lately_is_still_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
