/* SPDX-License-Identifier: MIT */
/* What is cooled, for whom, how long, and what ends it; with a simulated clock. */
#include "cells.h"

#include <string.h>

enum { NOW = 1000000, MINUTE = 60000 };

static void a_refused_key_is_used_by_nobody_until_our_own_probe_succeeds(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate other = candidate_of(1, 6, 2);
    struct lo_cell_id id;
    int64_t now = NOW;

    (void)state;
    assert_true(attempt(health, candidate_of(1, 5, 1), KEY_REFUSED, now));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 2), now), now + LO_HARD_MS);
    assert_int_equal(shut_until(health, other, now), 0); /* another key */
    assert_int_equal(shut_until(health, candidate_of(2, 5, 2), now), 0);
    assert_false(lo_health_take_due(health, now + LO_HARD_MS - 1, &id));
    now += LO_HARD_MS;
    assert_false(attempt(health, candidate_of(1, 5, 1), ANSWERED, now)); /* no user's request */
    assert_true(lo_health_take_due(health, now, &id));
    assert_int_equal(id.scope, LO_SCOPE_KEY);
    assert_int_equal(id.item, 5);
    assert_false(lo_health_take_due(health, now, &id)); /* one probe at a time */
    lo_health_probed(health, &id, LO_PROBED_ILL, now, NO_NOISE);
    for (int64_t ms = 2 * (int64_t)LO_HARD_MS; ms < 2 * (int64_t)LO_HARD_MAX_MS; ms *= 2) {
        int64_t length = ms < LO_HARD_MAX_MS ? ms : LO_HARD_MAX_MS;
        assert_int_equal(shut_until(health, candidate_of(1, 5, 1), now), now + length);
        now += length;
        assert_true(lo_health_take_due(health, now, &id));
        lo_health_probed(health, &id, LO_PROBED_ILL, now, NO_NOISE);
    }
    now += LO_HARD_MAX_MS;
    assert_true(lo_health_take_due(health, now, &id));
    lo_health_probed(health, &id, LO_PROBED_WELL, now, NO_NOISE);
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), now), 0);
    assert_int_equal(lo_health_cooled(health), 0);
    lo_health_free(health);
}

/* A library without anybody who probes. */
static void without_our_own_probes_a_request_is_one(void **state)
{
    struct lo_health *health = new_health(0, false);

    (void)state;
    assert_true(attempt(health, candidate_of(1, 5, 1), KEY_REFUSED, NOW));
    assert_false(attempt(health, candidate_of(1, 5, 1), ANSWERED, NOW + LO_HARD_MS - 1));
    assert_true(attempt(health, candidate_of(1, 5, 1), ANSWERED, NOW + LO_HARD_MS));
    assert_int_equal(lo_health_cooled(health), 0);
    lo_health_free(health);
}

static void an_account_without_money_stops_all_its_keys(void **state)
{
    struct lo_health *health = new_health(0, true);
    struct lo_candidate sibling = candidate_of(1, 6, 1);

    (void)state;
    sibling.account_id = candidate_of(1, 5, 1).account_id;
    assert_true(attempt(health, candidate_of(1, 5, 1), NO_MONEY, NOW));
    assert_int_equal(shut_until(health, sibling, NOW), NOW + LO_HARD_MS);
    assert_int_equal(shut_until(health, candidate_of(1, 7, 1), NOW), 0);
    lo_health_free(health);
}

static void a_limit_lasts_until_retry_after_and_no_shorter(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1);
    struct lo_pass first, second, third;

    (void)state;
    assert_true(lo_health_enter(health, &one, NOW, &first, NULL));
    assert_true(lo_health_enter(health, &one, NOW, &second, NULL));
    assert_true(lo_health_enter(health, &one, NOW, &third, NULL));
    end_with(health, &one, &first, LIMITED(100000), NOW);
    int64_t until = shut_until(health, one, NOW);
    assert_in_range(until, NOW + 100000, NOW + 110000);
    end_with(health, &one, &second, LIMITED(1000), NOW + 1); /* the longer one holds */
    end_with(health, &one, &third, LIMITED(-1), NOW + 2);
    assert_int_equal(shut_until(health, one, NOW), until);
    /* Another user asks there no sooner either, and the first who does is the probe. */
    assert_false(attempt(health, candidate_of(1, 5, 2), ANSWERED, until - 1));
    assert_true(attempt(health, candidate_of(1, 5, 2), LIMITED(200000), until));
    assert_in_range(shut_until(health, one, until), until + 200000, until + 220000);
    lo_health_free(health);
}

static void without_retry_after_a_limit_doubles_up_to_two_minutes(void **state)
{
    static const int64_t LENGTHS[] = {15000, 30000, 60000, 120000, 120000};
    struct lo_health *health = new_health(0, true);
    int64_t now = NOW;

    (void)state;
    for (size_t i = 0; i < sizeof LENGTHS / sizeof LENGTHS[0]; i++) {
        assert_true(attempt(health, candidate_of(1, 5, 1), LIMITED(-1), now));
        assert_int_equal(shut_until(health, candidate_of(1, 5, 1), now), now + LENGTHS[i]);
        now += LENGTHS[i];
    }
    assert_true(attempt(health, candidate_of(1, 5, 1), ANSWERED, now)); /* the streak ends */
    assert_true(attempt(health, candidate_of(1, 5, 1), LIMITED(-1), now));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), now), now + LENGTHS[0]);
    lo_health_free(health);
}

static void nothing_is_cooled_for_longer_than_a_day(void **state)
{
    struct lo_health *health = new_health(0, true);

    (void)state;
    assert_true(attempt(health, candidate_of(1, 5, 1), LIMITED(LO_HARD_MAX_MS), NOW));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW), NOW + LO_HARD_MAX_MS);
    lo_health_free(health);
}

/* All at once would be a burst: ends are scattered, but none comes before a Retry-After. */
static void jitter_ends_nothing_too_soon(void **state)
{
    static const uint64_t NOISE[] = {0, UINT64_MAX, UINT64_C(1) << 62, UINT64_C(3) << 61};

    (void)state;
    for (size_t i = 0; i < sizeof NOISE / sizeof NOISE[0]; i++) {
        struct lo_health *health = new_health(0, true);
        const struct lo_candidate one = candidate_of(1, 5, 1), two = candidate_of(2, 5, 1);
        const struct lo_pass pass = {.entered_ms = NOW};
        struct lo_end end = {&one, &pass, LIMITED(100000), -1, NOW, NOISE[i]};
        lo_health_end(health, &end);
        end.candidate = &two;
        end.verdict = KEY_REFUSED;
        lo_health_end(health, &end);
        assert_in_range(shut_until(health, one, NOW), NOW + 100000, NOW + 110000);
        assert_in_range(shut_until(health, two, NOW), NOW + LO_HARD_MS - LO_HARD_MS / 10,
                        NOW + LO_HARD_MS + LO_HARD_MS / 10);
        if (i < 2) { /* the ends of the scale */
            assert_int_equal(shut_until(health, one, NOW) >= NOW + 109900, i == 1);
            assert_int_equal(shut_until(health, two, NOW) > NOW + LO_HARD_MS, i == 1);
        }
        lo_health_free(health);
    }
}

/* The worse word counts, and its own doubling begins; the longer end holds all the same. */
static void an_account_that_is_limited_may_turn_out_to_be_unpaid(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1);
    struct lo_pass first, second, third;
    struct lo_cooled why;

    (void)state;
    assert_true(lo_health_enter(health, &one, NOW, &first, NULL));
    assert_true(lo_health_enter(health, &one, NOW, &second, NULL));
    assert_true(lo_health_enter(health, &one, NOW, &third, NULL));
    end_with(health, &one, &first, LIMITED(10000), NOW);
    end_with(health, &one, &second, NO_MONEY, NOW);
    assert_false(lo_health_look(health, &one, NOW, &why));
    assert_true(why.is_hard);
    assert_int_equal(why.reason, LO_REASON_BILLING);
    assert_int_equal(why.until_ms, NOW + LO_HARD_MS);
    end_with(health, &one, &third, LIMITED(4 * LO_HARD_MS), NOW);
    assert_false(lo_health_look(health, &one, NOW, &why));
    assert_true(why.is_hard);
    assert_true(why.until_ms > NOW + 4 * LO_HARD_MS);
    lo_health_free(health);
}

static void what_is_limited_for_long_and_unpaid_is_unpaid(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1);
    struct lo_pass first, second;
    struct lo_cooled why;

    (void)state;
    assert_true(lo_health_enter(health, &one, NOW, &first, NULL));
    assert_true(lo_health_enter(health, &one, NOW, &second, NULL));
    end_with(health, &one, &first, LIMITED(4 * LO_HARD_MS), NOW);
    end_with(health, &one, &second, NO_MONEY, NOW);
    assert_false(lo_health_look(health, &one, NOW, &why));
    assert_true(why.is_hard);
    assert_int_equal(why.reason, LO_REASON_BILLING);
    assert_true(why.until_ms > NOW + 4 * LO_HARD_MS);
    lo_health_free(health);
}

/* ---- Rates ----------------------------------------------------------------------------------- */

static void more_than_half_of_some_failures_cool_a_model(void **state)
{
    struct lo_health *health = new_health(0, true);

    (void)state;
    for (unsigned i = 0; i < LO_RATE_MIN; i++)
        assert_true(attempt(health, candidate_of(1, 5, 1), FAILED, NOW + i));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW),
                     NOW + LO_RATE_MIN - 1 + LO_SOFT_MS);
    assert_int_equal(shut_until(health, candidate_of(1, 6, 2), NOW),
                     NOW + LO_RATE_MIN - 1 + LO_SOFT_MS); /* whatever the key */
    struct lo_candidate model = candidate_of(1, 5, 1);
    model.model_id = 8;
    assert_int_equal(shut_until(health, model, NOW), 0);
    lo_health_free(health);
}

static void a_third_of_all_failing_cools_nothing(void **state)
{
    struct lo_health *health = new_health(0, true);

    (void)state;
    for (unsigned i = 0; i < 100; i++)
        assert_true(
            attempt(health, candidate_of(1, 5, 1), i % 3 == 0 ? FAILED : ANSWERED, NOW + i));
    lo_health_free(health);
}

static void failures_that_are_old_count_no_longer(void **state)
{
    struct lo_health *health = new_health(0, true);

    (void)state;
    for (unsigned i = 0; i < 20; i++)
        assert_true(attempt(health, candidate_of(1, 5, 1), FAILED,
                            NOW + (int64_t)i * (LO_WINDOW_MS / (LO_RATE_MIN - 1) + 1000)));
    lo_health_free(health);
}

static void of_one_user_among_several_two_failures_count(void **state)
{
    struct lo_health *health = new_health(0, true);

    (void)state;
    assert_true(attempt(health, candidate_of(1, 5, 1), FAILED, NOW));
    assert_true(attempt(health, candidate_of(1, 5, 2), ANSWERED, NOW));
    assert_true(attempt(health, candidate_of(1, 5, 2), ANSWERED, NOW));
    for (unsigned i = 0; i < 1000; i++)
        assert_true(attempt(health, candidate_of(1, 5, 1), FAILED, NOW + i));
    /* Two of them is what they all count. */
    assert_true(attempt(health, candidate_of(1, 5, 3), FAILED, NOW + 1000));
    assert_int_not_equal(shut_until(health, candidate_of(1, 5, 1), NOW + 1000), 0);
    lo_health_free(health);
}

/* He had it for himself, and then others come for whom it works. */
static void who_was_alone_is_one_of_several_later(void **state)
{
    struct lo_health *health = new_health(0, true);
    unsigned i = 0;

    (void)state;
    for (; i < 40; i++)
        assert_true(
            attempt(health, candidate_of(1, 5, 1), i % 3 == 0 ? FAILED : ANSWERED, NOW + i));
    for (; i < 80; i++)
        assert_true(attempt(health, candidate_of(1, 5, 2 + i % 2), ANSWERED, NOW + i));
    for (; i < 200; i++)
        assert_true(attempt(health, candidate_of(1, 5, 1), FAILED, NOW + i));
    lo_health_free(health);
}

static void a_wait_that_a_failing_platform_asks_for_is_a_floor(void **state)
{
    struct lo_health *health = new_health(0, true);
    struct lo_verdict failed = FAILED;

    (void)state;
    failed.retry_after_ms = 50000;
    assert_true(attempt(health, candidate_of(1, 5, 1), failed, NOW));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW), 0); /* one is no rate */
    failed.retry_after_ms = 40000;
    assert_true(attempt(health, candidate_of(1, 5, 1), failed, NOW));
    for (unsigned i = 2; i < LO_RATE_MIN; i++)
        assert_true(attempt(health, candidate_of(1, 5, 1), FAILED, NOW));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW), NOW + 50000);
    lo_health_free(health);
}

static void the_way_there_is_a_platforms(void **state)
{
    struct lo_health *health = new_health(0, true);
    struct lo_candidate model = candidate_of(1, 6, 2);

    (void)state;
    for (unsigned i = 0; i < LO_RATE_MIN; i++)
        assert_true(attempt(health, candidate_of(1, 5, 1), DOWN, NOW));
    model.model_id = 8;
    assert_int_equal(shut_until(health, model, NOW), NOW + LO_SOFT_MS);
    assert_int_equal(shut_until(health, candidate_of(2, 5, 1), NOW), 0);
    lo_health_free(health);
}

/* ---- Half-open ------------------------------------------------------------------------------- */

static void one_request_at_a_time_is_the_probe(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1), two = candidate_of(1, 6, 2);
    struct lo_pass pass, other;
    struct lo_cooled why;
    int64_t now = NOW + LO_SOFT_MS;

    (void)state;
    cool_softly(health, one, NOW);
    assert_false(lo_health_enter(health, &one, now - 1, &pass, &why));
    assert_int_equal(why.until_ms, now);
    assert_true(lo_health_look(health, &two, now, NULL)); /* to look takes nothing */
    assert_true(lo_health_look(health, &two, now, NULL));
    assert_true(lo_health_enter(health, &one, now, &pass, NULL));
    assert_false(lo_health_enter(health, &two, now, &other, &why));
    assert_int_equal(why.until_ms, now + 60000); /* the probe's time-out */
    assert_int_equal(why.id.scope, LO_SCOPE_MODEL);
    end_with(health, &one, &pass, ANSWERED, now + 10);
    assert_true(lo_health_enter(health, &two, now + 10, &other, NULL));
    assert_true(lo_health_enter(health, &one, now + 10, &pass, NULL));
    lo_health_free(health);
}

static void a_probe_that_says_nothing_frees_its_place(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1);
    struct lo_pass lost, left, probe, other;
    int64_t now = NOW + LO_SOFT_MS;

    (void)state;
    cool_softly(health, one, NOW);
    assert_true(lo_health_enter(health, &one, now, &lost, NULL));
    assert_false(lo_health_enter(health, &one, now + 59999, &left, NULL));
    now += 60000; /* nothing was heard of it */
    assert_true(lo_health_enter(health, &one, now, &left, NULL));
    end_with(health, &one, &left, HAS_LEFT, now); /* the caller has left: no word about it */
    assert_true(lo_health_enter(health, &one, now, &probe, NULL));
    /* The lost one is late, and is not the probe any more. */
    end_with(health, &one, &lost, ANSWERED, now + 1);
    assert_false(lo_health_enter(health, &one, now + 1, &other, NULL));
    end_with(health, &one, &probe, ANSWERED, now + 2);
    assert_int_equal(lo_health_cooled(health), 0);
    lo_health_free(health);
}

static void a_probe_that_fails_doubles_and_no_other_failure_does(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1);
    struct lo_pass early[20], probe;
    int64_t now = NOW + LO_SOFT_MS;

    (void)state;
    for (unsigned i = 0; i < 20; i++) /* under way since before it was cooled */
        assert_true(lo_health_enter(health, &one, NOW - 1, &early[i], NULL));
    cool_softly(health, one, NOW);
    for (unsigned i = 0; i < 10; i++)
        end_with(health, &one, &early[i], FAILED, NOW + 5);
    assert_int_equal(shut_until(health, one, NOW + 5), now);
    assert_true(lo_health_enter(health, &one, now, &probe, NULL));
    for (unsigned i = 10; i < 20; i++)
        end_with(health, &one, &early[i], FAILED, now + 5);
    end_with(health, &one, &probe, FAILED, now + 10);
    assert_int_equal(shut_until(health, one, now + 10), now + 10 + 2 * LO_SOFT_MS);
    lo_health_free(health);
}

/* One in the way of another: neither place is kept. */
static void a_place_is_not_taken_in_vain(void **state)
{
    struct lo_health *health = new_health(0, true);
    struct lo_candidate limited = candidate_of(1, 5, 1), free_key = candidate_of(1, 6, 1);
    struct lo_pass pass;
    int64_t now = NOW + LO_SOFT_MS;

    (void)state;
    cool_softly(health, limited, NOW);
    struct lo_candidate elsewhere = limited; /* the same account with another model */
    elsewhere.model_id = 8;
    assert_true(attempt(health, elsewhere, LIMITED(LO_SOFT_MS + 9000), NOW));
    assert_false(lo_health_enter(health, &limited, now, &pass, NULL)); /* by its account */
    assert_true(lo_health_enter(health, &free_key, now, &pass, NULL)); /* the model's probe */
    lo_health_free(health);
}

static void least_bad_goes_there_and_may_find_it_well(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1);
    struct lo_pass pass;

    (void)state;
    cool_softly(health, one, NOW);
    lo_health_force(NOW + 1, &pass);
    end_with(health, &one, &pass, FAILED, NOW + 2);
    assert_int_equal(shut_until(health, one, NOW + 2), NOW + LO_SOFT_MS);
    lo_health_force(NOW + 3, &pass);
    end_with(health, &one, &pass, ANSWERED, NOW + 4);
    assert_int_equal(lo_health_cooled(health), 0);
    lo_health_free(health);
}

/* ---- Whose ----------------------------------------------------------------------------------- */

static void a_users_own_key_is_his_alone(void **state)
{
    struct lo_health *health = new_health(0, true);
    struct lo_candidate own = candidate_of(1, 5, 1), others = candidate_of(1, 5, 2);
    const struct lo_whose all = {.shared = true}, his = {.owner = own.user};
    struct lo_cell_view view;
    uint32_t at = 0;

    (void)state;
    own.is_own_key = true;
    assert_true(attempt(health, own, KEY_REFUSED, NOW));
    assert_int_equal(shut_until(health, own, NOW), NOW + LO_HARD_MS);
    assert_int_equal(shut_until(health, others, NOW), 0);
    others.is_own_key = true;
    assert_int_equal(shut_until(health, others, NOW), 0);
    assert_false(lo_health_next(health, all, NOW, &at, &view));
    at = 0;
    assert_true(lo_health_next(health, his, NOW, &at, &view));
    assert_int_equal(view.id.owner, own.user);
    assert_int_equal(view.reason, LO_REASON_KEY);
    assert_false(lo_health_next(health, his, NOW, &at, &view));
    assert_false(lo_health_reset(health, all, view.number, NOW));
    assert_false(
        lo_health_reset(health, (struct lo_whose){.owner = others.user}, view.number, NOW));
    assert_true(lo_health_reset(health, his, view.number, NOW));
    assert_false(lo_health_reset(health, his, view.number, NOW));
    assert_int_equal(shut_until(health, own, NOW), 0);
    lo_health_free(health);
}

/* Of a platform of his own everything is. */
static void a_users_own_platform_is_his_alone(void **state)
{
    struct lo_health *health = new_health(0, true);
    struct lo_candidate own = candidate_of(1, 5, 1);
    const struct lo_whose all = {.shared = true};
    struct lo_cell_view view;
    uint32_t at = 0;

    (void)state;
    own.is_own_platform = own.is_own_key = true;
    for (unsigned i = 0; i < LO_RATE_MIN; i++)
        assert_true(attempt(health, own, DOWN, NOW));
    assert_false(lo_health_next(health, all, NOW, &at, &view));
    assert_int_equal(shut_until(health, own, NOW), NOW + LO_SOFT_MS);
    lo_health_free(health);
}

static void what_a_user_named_himself_cools_nothing_shared(void **state)
{
    struct lo_health *health = new_health(0, true);
    struct lo_candidate own_key = candidate_of(1, 5, 1), own_model = candidate_of(1, 5, 1);
    struct lo_verdict forbidden = KEY_REFUSED;

    (void)state;
    assert_true(attempt(health, candidate_of(1, 5, 2), ANSWERED, NOW)); /* the model is known */
    own_key.is_own_key = true;
    assert_true(attempt(health, own_key, NO_MODEL, NOW));
    own_model.is_own_model = true;
    assert_true(attempt(health, own_model, NO_MODEL, NOW));
    forbidden.http_status = 403;
    assert_true(attempt(health, own_model, forbidden, NOW));
    assert_int_equal(lo_health_cooled(health), 0);
    struct lo_verdict his_limit = FAILED; /* a time-out that he had asked for */
    his_limit.cool = LO_COOL_NONE;
    for (unsigned i = 0; i < 2 * LO_RATE_MIN; i++)
        assert_true(attempt(health, candidate_of(1, 5, 1), his_limit, NOW));
    assert_int_equal(lo_health_cooled(health), 0);
    struct lo_candidate dead = own_model; /* a 401 is no word about what he named */
    dead.key_id = 6;
    forbidden.http_status = 401;
    assert_true(attempt(health, dead, forbidden, NOW));
    assert_int_equal(shut_until(health, candidate_of(1, 6, 2), NOW), NOW + LO_HARD_MS);
    for (unsigned i = 0; i < LO_RATE_MIN; i++)
        assert_true(attempt(health, own_model, FAILED, NOW));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 2), NOW), 0);
    assert_int_not_equal(shut_until(health, own_model, NOW), 0);
    lo_health_free(health);
}

static void a_model_that_never_answered_is_not_gone(void **state)
{
    struct lo_health *health = new_health(0, true);

    (void)state;
    assert_true(attempt(health, candidate_of(1, 5, 1), NO_MODEL, NOW));
    assert_int_equal(lo_health_cooled(health), 0);
    assert_true(attempt(health, candidate_of(1, 5, 1), ANSWERED, NOW));
    assert_true(attempt(health, candidate_of(1, 5, 1), NO_MODEL, NOW));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW), NOW + LO_MISSING_MS);
    lo_health_free(health);
}

/* ---- Pools ----------------------------------------------------------------------------------- */

static void a_limit_of_the_address_does_not_burn_a_pool(void **state)
{
    struct lo_health *health = new_health(0, true);
    unsigned asked = 0;

    (void)state;
    for (uint64_t key = 1; key <= 100; key++)
        asked += attempt(health, candidate_of(1, key, 1), LIMITED(30000), NOW + (int64_t)key);
    assert_int_equal(asked, 3);
    assert_int_equal(lo_health_cooled(health), 3); /* two accounts, and then the platform */
    assert_int_not_equal(shut_until(health, candidate_of(1, 99, 1), NOW + 29000), 0);
    assert_true(attempt(health, candidate_of(1, 99, 1), ANSWERED, NOW + 40000));
    assert_true(attempt(health, candidate_of(1, 98, 1), ANSWERED, NOW + 40000));
    lo_health_free(health);
}

static void accounts_that_reach_their_limits_one_by_one_are_no_address(void **state)
{
    struct lo_health *health = new_health(0, true);

    (void)state;
    for (uint64_t key = 1; key <= 50; key++) {
        assert_true(attempt(health, candidate_of(1, key, 1), LIMITED(30000), NOW + (int64_t)key));
        if (key % 2 == 0)
            assert_true(attempt(health, candidate_of(1, 100, 1), ANSWERED, NOW + (int64_t)key));
    }
    /* Nor are those between which much time passes, or a user's own. */
    for (uint64_t key = 1; key <= 10; key++)
        assert_true(
            attempt(health, candidate_of(2, key, 1), LIMITED(90000), NOW + 11000 * (int64_t)key));
    for (uint64_t key = 1; key <= 10; key++) {
        struct lo_candidate own = candidate_of(3, key, 1);
        own.is_own_key = true;
        assert_true(attempt(health, own, LIMITED(90000), NOW));
    }
    lo_health_free(health);
}

static void of_a_pool_the_dead_keys_are_met_once(void **state)
{
    struct lo_health *health = new_health(0, true);
    unsigned refused = 0;

    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        for (uint64_t key = 1; key <= 100; key++)
            refused += key % 10 < 3 && attempt(health, candidate_of(1, key, round), KEY_REFUSED,
                                               NOW + (int64_t)round * MINUTE);
    }
    assert_int_equal(refused, 30);
    lo_health_free(health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_key_is_used_by_nobody_until_our_own_probe_succeeds),
        cmocka_unit_test(without_our_own_probes_a_request_is_one),
        cmocka_unit_test(an_account_without_money_stops_all_its_keys),
        cmocka_unit_test(a_limit_lasts_until_retry_after_and_no_shorter),
        cmocka_unit_test(without_retry_after_a_limit_doubles_up_to_two_minutes),
        cmocka_unit_test(nothing_is_cooled_for_longer_than_a_day),
        cmocka_unit_test(an_account_that_is_limited_may_turn_out_to_be_unpaid),
        cmocka_unit_test(what_is_limited_for_long_and_unpaid_is_unpaid),
        cmocka_unit_test(jitter_ends_nothing_too_soon),
        cmocka_unit_test(more_than_half_of_some_failures_cool_a_model),
        cmocka_unit_test(a_third_of_all_failing_cools_nothing),
        cmocka_unit_test(failures_that_are_old_count_no_longer),
        cmocka_unit_test(of_one_user_among_several_two_failures_count),
        cmocka_unit_test(who_was_alone_is_one_of_several_later),
        cmocka_unit_test(a_wait_that_a_failing_platform_asks_for_is_a_floor),
        cmocka_unit_test(the_way_there_is_a_platforms),
        cmocka_unit_test(one_request_at_a_time_is_the_probe),
        cmocka_unit_test(a_probe_that_says_nothing_frees_its_place),
        cmocka_unit_test(a_probe_that_fails_doubles_and_no_other_failure_does),
        cmocka_unit_test(a_place_is_not_taken_in_vain),
        cmocka_unit_test(least_bad_goes_there_and_may_find_it_well),
        cmocka_unit_test(a_users_own_key_is_his_alone),
        cmocka_unit_test(a_users_own_platform_is_his_alone),
        cmocka_unit_test(what_a_user_named_himself_cools_nothing_shared),
        cmocka_unit_test(a_model_that_never_answered_is_not_gone),
        cmocka_unit_test(a_limit_of_the_address_does_not_burn_a_pool),
        cmocka_unit_test(accounts_that_reach_their_limits_one_by_one_are_no_address),
        cmocka_unit_test(of_a_pool_the_dead_keys_are_met_once),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
