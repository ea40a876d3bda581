/* SPDX-License-Identifier: MIT */
/* Probes of our own: what is due, in which order, and what their ends say of a cell. */
#include "cells.h"

enum { NOW = 1000000 };

static struct lo_candidate own_of(int64_t platform, uint64_t key, uint64_t user)
{
    struct lo_candidate own = candidate_of(platform, key, user);

    own.is_own_key = true;
    return own;
}

static struct lo_cell_id due_of(struct lo_health *health, int64_t now)
{
    struct lo_cell_id id;

    assert_true(lo_health_take_due(health, now, &id));
    return id;
}

static void what_all_share_is_probed_first_then_what_waits_longest(void **state)
{
    struct lo_health *health = new_health(0, true);
    const int64_t due = NOW + 3 + LO_HARD_MS;
    struct lo_cell_id id;

    (void)state;
    assert_true(attempt(health, own_of(1, 21, 9), KEY_REFUSED, NOW));
    assert_true(attempt(health, own_of(1, 22, 8), KEY_REFUSED, NOW + 1));
    assert_true(attempt(health, candidate_of(1, 12, 1), KEY_REFUSED, NOW + 3));
    assert_true(attempt(health, candidate_of(1, 11, 1), KEY_REFUSED, NOW + 2));
    assert_true(attempt(health, candidate_of(1, 13, 1), LIMITED(1000), NOW)); /* not hard */
    static const uint64_t ORDER[] = {11, 12, 21, 22};
    for (size_t i = 0; i < sizeof ORDER / sizeof ORDER[0]; i++)
        assert_int_equal(due_of(health, due).item, ORDER[i]);
    assert_false(lo_health_take_due(health, due, &id));
    lo_health_free(health);
}

/* A probe may take as long as it may: who has many keys that hang lets nobody wait for them all. */
static void of_users_with_refused_keys_each_has_his_turn(void **state)
{
    struct lo_health *health = new_health(0, true);
    const int64_t due = NOW + 20 + LO_HARD_MS;

    (void)state;
    for (uint64_t key = 21; key <= 28; key++)
        assert_true(attempt(health, own_of(1, key, 9), KEY_REFUSED, NOW));
    assert_true(attempt(health, own_of(1, 31, 8), KEY_REFUSED, NOW + 10));
    assert_true(attempt(health, own_of(2, 41, 7), KEY_REFUSED, NOW + 11));
    assert_true(attempt(health, own_of(1, 32, 8), KEY_REFUSED, NOW + 12));
    assert_int_equal(due_of(health, due).owner, own_of(1, 1, 9).user);
    assert_int_equal(due_of(health, due).item, 31);
    assert_int_equal(due_of(health, due).item, 41);
    assert_int_equal(due_of(health, due).owner, own_of(1, 1, 9).user);
    assert_int_equal(due_of(health, due).item, 32);
    for (int i = 0; i < 6; i++)
        assert_int_equal(due_of(health, due).owner, own_of(1, 1, 9).user);
    lo_health_free(health);
}

static void nobody_has_a_second_turn_before_all_had_their_first(void **state)
{
    enum { USERS = 300 };
    struct lo_health *health = new_health(0, true);
    const int64_t due = NOW + 2 * USERS + LO_HARD_MS;
    bool had[USERS + 1] = {false};

    (void)state;
    for (uint64_t user = 1; user <= USERS; user++) {
        assert_true(attempt(health, own_of(1, user, user), KEY_REFUSED, NOW + (int64_t)user));
        assert_true(
            attempt(health, own_of(1, user + USERS, user), KEY_REFUSED, NOW + (int64_t)user));
    }
    for (unsigned i = 0; i < USERS; i++) {
        const uint64_t user = due_of(health, due).owner >> 40;
        assert_false(had[user]);
        had[user] = true;
    }
    lo_health_free(health);
}

static void what_says_nothing_changes_no_length(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1);
    int64_t now = NOW;

    (void)state;
    assert_true(attempt(health, one, KEY_REFUSED, now));
    for (int i = 0; i < 3; i++) {
        now += LO_HARD_MS;
        const struct lo_cell_id id = due_of(health, now);
        lo_health_probed(health, &id, LO_PROBED_UNSAID, now, NO_NOISE);
        assert_int_equal(shut_until(health, one, now), now + LO_HARD_MS);
    }
    now += LO_HARD_MS;
    const struct lo_cell_id id = due_of(health, now);
    lo_health_probed(health, &id, LO_PROBED_ILL, now, NO_NOISE);
    assert_int_equal(shut_until(health, one, now), now + 2 * (int64_t)LO_HARD_MS);
    lo_health_free(health);
}

static void a_key_that_is_gone_has_no_cell(void **state)
{
    struct lo_health *health = new_health(0, true);

    (void)state;
    assert_true(attempt(health, candidate_of(1, 5, 1), NO_MONEY, NOW));
    const struct lo_cell_id id = due_of(health, NOW + LO_HARD_MS);
    lo_health_probed(health, &id, LO_PROBED_GONE, NOW + LO_HARD_MS, NO_NOISE);
    assert_int_equal(lo_health_cooled(health), 0);
    lo_health_free(health);
}

static void how_long_it_rests_is_an_option(void **state)
{
    const struct lo_health_options options = {.probes_itself = true, .hard_ms = 250};
    struct lo_health *health = lo_health_new(&host, &options);

    (void)state;
    assert_non_null(health);
    assert_true(attempt(health, candidate_of(1, 5, 1), KEY_REFUSED, NOW));
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW), NOW + 250);
    const struct lo_cell_id id = due_of(health, NOW + 250);
    lo_health_probed(health, &id, LO_PROBED_ILL, NOW + 250, NO_NOISE);
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW + 250), NOW + 750);
    lo_health_free(health);
}

static struct lo_verdict judged(int http_status, const char *refusal)
{
    const struct lo_outcome outcome = {
        .host = &host, .http_status = http_status, .refusal = lb_cstr(refusal), .attempt = 1};

    return lo_judge(&outcome);
}

static void an_end_says_of_a_key_what_it_can(void **state)
{
    static const struct {
        int http_status;
        const char *refusal;
        enum lo_probed of_key, of_account;
    } ENDS[] = {
        {200, "", LO_PROBED_WELL, LO_PROBED_WELL},
        {401, "{\"error\":{\"code\":\"invalid_api_key\"}}", LO_PROBED_ILL, LO_PROBED_UNSAID},
        {402, "{}", LO_PROBED_WELL, LO_PROBED_ILL},
        {429, "{\"error\":{\"code\":\"insufficient_quota\"}}", LO_PROBED_WELL, LO_PROBED_ILL},
        {429, "{}", LO_PROBED_WELL, LO_PROBED_WELL},
        {400, "{\"error\":{\"message\":\"max_tokens\"}}", LO_PROBED_WELL, LO_PROBED_WELL},
        {404, "{\"error\":{\"code\":\"model_not_found\"}}", LO_PROBED_WELL, LO_PROBED_WELL},
        {407, "", LO_PROBED_UNSAID, LO_PROBED_UNSAID},
        {500, "{}", LO_PROBED_UNSAID, LO_PROBED_UNSAID},
        {503, "<html>", LO_PROBED_UNSAID, LO_PROBED_UNSAID},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        const struct lo_verdict verdict = judged(ENDS[i].http_status, ENDS[i].refusal);
        assert_int_equal(lo_probe_judge(LO_SCOPE_KEY, &verdict), ENDS[i].of_key);
        assert_int_equal(lo_probe_judge(LO_SCOPE_ACCOUNT, &verdict), ENDS[i].of_account);
    }
    static const llmgr_status NO_ANSWERS[] = {LLMGR_ERR_UNREACHABLE, LLMGR_ERR_TIMEOUT,
                                              LLMGR_ERR_INVALID, LLMGR_ERR_VAULT};
    for (size_t i = 0; i < sizeof NO_ANSWERS / sizeof NO_ANSWERS[0]; i++) {
        const struct lo_outcome outcome = {.host = &host, .ended = NO_ANSWERS[i], .attempt = 1};
        const struct lo_verdict verdict = lo_judge(&outcome);
        assert_int_equal(lo_probe_judge(LO_SCOPE_KEY, &verdict), LO_PROBED_UNSAID);
    }
}

static void what_a_test_shows_to_be_well_is_let_loose(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1), poor = candidate_of(1, 6, 1),
                              limited = candidate_of(1, 7, 1);

    (void)state;
    assert_true(attempt(health, one, KEY_REFUSED, NOW));
    assert_true(attempt(health, poor, NO_MONEY, NOW));
    assert_true(attempt(health, limited, LIMITED(5000), NOW));
    assert_true(attempt(health, own_of(1, 5, 9), KEY_REFUSED, NOW));
    lo_health_answered(health, &one, NOW + 1);
    assert_int_equal(shut_until(health, one, NOW + 1), 0);
    assert_int_not_equal(shut_until(health, own_of(1, 5, 9), NOW + 1), 0); /* another's */
    assert_int_not_equal(shut_until(health, poor, NOW + 1), 0);
    lo_health_answered(health, &poor, NOW + 1);
    assert_int_equal(shut_until(health, poor, NOW + 1), 0);
    lo_health_answered(health, &limited, NOW + 1); /* for how long is the platform's to say */
    assert_int_not_equal(shut_until(health, limited, NOW + 1), 0);
    lo_health_free(health);
}

static void a_key_is_good_if_the_platform_has_shown_that_it_knows_it(void **state)
{
    static const struct {
        int http_status;
        enum lo_key_state expected;
    } ENDS[] = {
        {200, LO_KEY_STATE_GOOD},    {401, LO_KEY_STATE_REFUSED}, {402, LO_KEY_STATE_GOOD},
        {429, LO_KEY_STATE_GOOD},    {400, LO_KEY_STATE_UNKNOWN}, {403, LO_KEY_STATE_UNKNOWN},
        {404, LO_KEY_STATE_UNKNOWN}, {500, LO_KEY_STATE_UNKNOWN}, {503, LO_KEY_STATE_UNKNOWN},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        const struct lo_verdict verdict = judged(ENDS[i].http_status, "{}");
        assert_int_equal(lo_key_state_of(&verdict), ENDS[i].expected);
    }
    assert_string_equal(lo_key_state_name(LO_KEY_STATE_UNKNOWN), "unknown");
    assert_string_equal(lo_key_state_name(LO_KEY_STATE_GOOD), "good");
    assert_string_equal(lo_key_state_name(LO_KEY_STATE_REFUSED), "refused");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_all_share_is_probed_first_then_what_waits_longest),
        cmocka_unit_test(of_users_with_refused_keys_each_has_his_turn),
        cmocka_unit_test(nobody_has_a_second_turn_before_all_had_their_first),
        cmocka_unit_test(what_says_nothing_changes_no_length),
        cmocka_unit_test(a_key_that_is_gone_has_no_cell),
        cmocka_unit_test(how_long_it_rests_is_an_option),
        cmocka_unit_test(an_end_says_of_a_key_what_it_can),
        cmocka_unit_test(what_a_test_shows_to_be_well_is_let_loose),
        cmocka_unit_test(a_key_is_good_if_the_platform_has_shown_that_it_knows_it),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
