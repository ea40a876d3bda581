/* SPDX-License-Identifier: MIT */
/* Which key of a pool: in order, by weight, or the user's own; never one that is dead or tried. */
#include "walks.h"

#include <string.h>

static struct lo_health *health;

enum { KEYS = 20 };

static void fill_keys(struct lo_key keys[KEYS])
{
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i] = (struct lo_key){.id = i + 1, .account = i + 1001, .weight = 1 + i % 3};
}

static uint32_t key_for(const struct lo_walk *walk, const struct lo_key *keys, uint32_t count,
                        enum lo_key_order order, struct lo_cooled *why)
{
    const struct lo_candidate candidate = candidate_of(1, 0, 1);

    return lo_walk_choose_key(walk, health, &candidate, keys, count, order, NOW, why);
}

static void a_users_own_keys_come_in_order(void **state)
{
    struct lo_walk_options options = options_of(1, LLMGR_PICK_ORDER);
    struct lo_key keys[KEYS];
    struct lo_cooled why;

    (void)state;
    fill_keys(keys);
    health = new_health(0, true);
    options.attempts = 10;
    options.sticky = 5;
    struct lo_walk walk = begun(&options);
    for (uint32_t i = 0; i < 10; i++) {
        assert_int_equal(next_of(&walk), 0);
        assert_int_equal(key_for(&walk, keys, KEYS, LO_KEYS_IN_ORDER, &why), i);
        try_and_fail(&walk, candidate_of(1, i + 1, 1), LO_NEXT_OTHER_KEY);
    }
    assert_int_equal(key_for(&walk, keys, 0, LO_KEYS_IN_ORDER, &why), LO_NO_KEY);
    assert_int_equal(why.until_ms, 0);
    lo_health_free(health);
}

static void keys_are_met_by_weight(void **state)
{
    unsigned counts[KEYS] = {0};
    struct lo_key keys[KEYS];
    struct lo_cooled why;

    (void)state;
    fill_keys(keys);
    health = new_health(0, true);
    for (uint64_t n = 0; n < 3900; n++) {
        struct lo_walk_options options = options_of(1, LLMGR_PICK_ORDER);
        options.sequence = n;
        struct lo_walk walk = begun(&options);
        counts[key_for(&walk, keys, KEYS, LO_KEYS_BY_WEIGHT, &why)]++;
    }
    for (uint32_t i = 0; i < KEYS; i++)
        assert_in_range(counts[i], 100 * keys[i].weight - 5, 100 * keys[i].weight + 5);
    lo_health_free(health);
}

/* Each user has an order of accounts of his own, by their weights. */
static void a_sticky_user_keeps_his_account(void **state)
{
    enum { USERS = 9000 };
    unsigned moved = 0, counts[KEYS] = {0};
    struct lo_key keys[KEYS], fewer[KEYS];
    struct lo_cooled why;

    (void)state;
    fill_keys(keys);
    memcpy(fewer, keys + 1, sizeof fewer - sizeof *fewer); /* the first one is taken away */
    health = new_health(0, true);
    for (uint64_t user = 1; user <= USERS; user++) {
        struct lo_walk_options options = options_of(1, LLMGR_PICK_ORDER);
        options.sticky = user * UINT64_C(0x10001);
        options.sequence = user;
        struct lo_walk walk = begun(&options);
        uint32_t all = key_for(&walk, keys, KEYS, LO_KEYS_BY_WEIGHT, &why);
        uint32_t less = key_for(&walk, fewer, KEYS - 1, LO_KEYS_BY_WEIGHT, &why);
        counts[all]++;
        moved += all == 0;
        if (all != 0)
            assert_int_equal(fewer[less].id, keys[all].id); /* nobody else moves */
        assert_int_not_equal(fewer[less].id, keys[0].id);
    }
    for (uint32_t i = 0; i < KEYS; i++) /* the weights are 39 in all */
        assert_in_range(counts[i], USERS * keys[i].weight / 39 - 90,
                        USERS * keys[i].weight / 39 + 90);
    assert_int_equal(moved, counts[0]);
    lo_health_free(health);
}

static void keys_that_are_dead_tried_or_of_a_tried_account_are_passed_over(void **state)
{
    struct lo_walk_options options = options_of(1, LLMGR_PICK_ORDER);
    struct lo_key keys[KEYS];
    struct lo_cooled why;

    (void)state;
    fill_keys(keys);
    health = new_health(0, true);
    keys[3].account = keys[2].account;
    assert_true(attempt(health, candidate_of(1, 1, 2), KEY_REFUSED, NOW));
    assert_true(attempt(health, candidate_of(1, 2, 2), LIMITED(1000), NOW));
    for (uint64_t n = 0; n < 200; n++) {
        options.sequence = n;
        options.sticky = n % 2 == 0 ? 0 : n;
        struct lo_walk walk = begun(&options);
        assert_int_equal(next_of(&walk), 0);
        struct lo_candidate limited = candidate_of(1, 3, 1);
        limited.account_id = keys[2].account;
        try_and_fail(&walk, limited, LO_NEXT_OTHER_ACCOUNT);
        uint32_t key = key_for(&walk, keys, 5, LO_KEYS_BY_WEIGHT, &why);
        assert_int_equal(key, 4);
        assert_int_equal(key_for(&walk, keys, 5, LO_KEYS_IN_ORDER, &why), 4);
        assert_int_equal(key_for(&walk, keys, 4, LO_KEYS_BY_WEIGHT, &why), LO_NO_KEY);
        assert_in_range(why.until_ms, NOW + 1000, NOW + 1100); /* the limit ends sooner */
    }
    lo_health_free(health);
}

static void least_bad_takes_the_key_that_is_free_soonest(void **state)
{
    const struct lo_walk_options options = options_of(1, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);
    struct lo_key keys[KEYS];
    struct lo_cooled why;
    uint32_t index;

    (void)state;
    fill_keys(keys);
    health = new_health(0, true);
    assert_true(attempt(health, candidate_of(1, 1, 2), KEY_REFUSED, NOW - LO_HARD_MS));
    assert_true(attempt(health, candidate_of(1, 2, 2), LIMITED(9000), NOW));
    assert_true(attempt(health, candidate_of(1, 3, 2), LIMITED(5000), NOW));
    assert_int_equal(next_of(&walk), 0);
    assert_int_equal(key_for(&walk, keys, 3, LO_KEYS_BY_WEIGHT, &why), LO_NO_KEY);
    assert_true(why.is_hard); /* whose end has come, and who waits for our own probe */
    lo_walk_pass(&walk, &(struct lo_cooled){.until_ms = NOW + 5000});
    assert_int_equal(next_of(&walk), UINT32_MAX);
    assert_true(lo_walk_least_bad(&walk, NOW, &index));
    assert_int_equal(index, 0);
    assert_int_equal(key_for(&walk, keys, 3, LO_KEYS_BY_WEIGHT, &why), 2);
    lo_health_free(health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_users_own_keys_come_in_order),
        cmocka_unit_test(keys_are_met_by_weight),
        cmocka_unit_test(a_sticky_user_keeps_his_account),
        cmocka_unit_test(keys_that_are_dead_tried_or_of_a_tried_account_are_passed_over),
        cmocka_unit_test(least_bad_takes_the_key_that_is_free_soonest),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
