/* SPDX-License-Identifier: MIT */
/* The walk over targets and keys: what comes first, what next, and what never again. */
#include "walks.h"

#include <stdlib.h>

#include "manager/route_targets.h"
#include "routing/way.h"

/* The target of that index, each at a platform of its own. */
static struct lo_candidate at(uint32_t index, uint64_t key)
{
    return candidate_of(index + 1, key, 1);
}

/* ---- Targets --------------------------------------------------------------------------------- */

static struct lm_route_target targets[1001];
static struct lm_route route = {.targets = targets};

static uint32_t target_at(void *context, uint64_t point)
{
    return lm_route_target_at(context, point);
}

/* The route's targets weigh so much from now on. */
static void weigh(struct lo_walk_options *options, const uint32_t *weights)
{
    route.count = options->count;
    for (uint32_t i = 0; i < route.count; i++)
        targets[i].weight_to = (i > 0 ? targets[i - 1].weight_to : 0) + weights[i];
    options->weights = lm_route_weights(&route);
    options->target_at = target_at;
    options->context = &route;
}

static void order_is_the_order_of_the_route(void **state)
{
    const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(next_of(&walk), i);
        try_and_fail(&walk, at(i, 1), LO_NEXT_OTHER_PLATFORM);
    }
    assert_int_equal(next_of(&walk), UINT32_MAX);
}

/* Of whatever kind and size, with whatever is passed over: each comes once. */
static void every_target_comes_once(void **state)
{
    static const uint32_t COUNTS[] = {1, 2, 3, 63, 64, 65, 128, 999, 1000};
    static uint32_t weights[1000];

    (void)state;
    for (uint32_t i = 0; i < 1000; i++)
        weights[i] = 1 + (i * 7919) % 1000;
    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
        for (unsigned kind = 0; kind < 4; kind++) {
            struct lo_walk_options options =
                options_of(COUNTS[i], kind == 0 ? LLMGR_PICK_ORDER : LLMGR_PICK_WEIGHT);
            bool came[1000] = {false};
            if (kind == 2)
                weigh(&options, weights);
            options.sticky = kind == 3 ? 99 : 0;
            options.sequence = i;
            struct lo_walk walk = begun(&options);
            for (uint32_t n = 0; n < COUNTS[i]; n++) {
                uint32_t index = next_of(&walk);
                assert_true(index < COUNTS[i]);
                assert_false(came[index]);
                came[index] = true;
                lo_walk_pass(&walk, NULL);
            }
            assert_int_equal(next_of(&walk), UINT32_MAX);
        }
    }
}

static void weights_are_met_smoothly(void **state)
{
    static const uint32_t WEIGHTS[] = {5, 1, 2};
    unsigned counts[3] = {0}, silent = 0;

    (void)state;
    for (uint64_t n = 0; n < 800; n++) {
        struct lo_walk_options options = options_of(3, LLMGR_PICK_WEIGHT);
        weigh(&options, WEIGHTS);
        options.sequence = n;
        struct lo_walk walk = begun(&options);
        uint32_t index = next_of(&walk);
        assert_true(index < 3);
        counts[index]++;
        silent = index == 1 ? 0 : silent + 1;
        assert_true(silent < 14); /* it comes once in eight, and is never long in coming */
    }
    assert_in_range(counts[0], 497, 503);
    assert_in_range(counts[1], 98, 102);
    assert_in_range(counts[2], 197, 203);
}

/* What a user comes to; `weights` NULL: each target weighs 1. */
static uint32_t first_of(uint64_t user, uint32_t count, const uint32_t *weights)
{
    struct lo_walk_options options = options_of(count, LLMGR_PICK_WEIGHT);

    options.sticky = user;
    if (weights != NULL)
        weigh(&options, weights);
    options.sequence = user;
    options.noise = (uint64_t)rand();
    struct lo_walk walk = begun(&options);
    return next_of(&walk);
}

static int64_t times[3];

static int64_t time_of(void *context, uint32_t index)
{
    (void)context;
    return times[index];
}

static void the_faster_of_two_comes_first_and_the_slowest_never(void **state)
{
    unsigned counts[3] = {0};

    (void)state;
    times[0] = 900;
    times[1] = 100;
    times[2] = 500;
    for (uint64_t n = 0; n < 3000; n++) {
        struct lo_walk_options options = options_of(3, LLMGR_PICK_FASTEST);
        options.noise = n;
        options.first_byte = time_of;
        struct lo_walk walk = begun(&options);
        uint32_t index = next_of(&walk);
        assert_true(index < 3);
        counts[index]++;
    }
    assert_int_equal(counts[0], 0);
    assert_in_range(counts[1], 1900, 2100); /* two of three pairs */
    assert_in_range(counts[2], 900, 1100);
    struct lo_walk_options kept = options_of(3, LLMGR_PICK_FASTEST);
    kept.sticky = 9; /* where it went before, though another be faster */
    struct lo_walk same = begun(&kept);
    assert_int_equal(next_of(&same), first_of(9, 3, NULL));
    times[0] = -1; /* of which nothing is known is tried */
    struct lo_walk_options options = options_of(2, LLMGR_PICK_FASTEST);
    options.first_byte = time_of;
    struct lo_walk walk = begun(&options);
    assert_int_equal(next_of(&walk), 0);
    assert_int_equal(next_of(&walk), 1);
    assert_int_equal(next_of(&walk), UINT32_MAX);
}

static void sticky_users_move_only_to_what_is_added(void **state)
{
    enum { USERS = 20000 };
    unsigned moved = 0, counts[11] = {0};

    (void)state;
    for (uint64_t user = 1; user <= USERS; user++) {
        uint32_t before = first_of(user, 10, NULL), after = first_of(user, 11, NULL);
        assert_int_equal(before, first_of(user, 10, NULL));
        assert_true(after == before || after == 10);
        moved += after != before;
        counts[before]++;
    }
    assert_in_range(moved, USERS / 11 - 150, USERS / 11 + 150);
    for (unsigned i = 0; i < 10; i++)
        assert_in_range(counts[i], USERS / 10 - 200, USERS / 10 + 200);
}

static void sticky_users_are_shared_out_by_weight(void **state)
{
    static const uint32_t WEIGHTS[] = {5, 1, 2};
    unsigned counts[3] = {0};

    (void)state;
    for (uint64_t user = 1; user <= 8000; user++)
        counts[first_of(user, 3, WEIGHTS)]++;
    assert_in_range(counts[0], 4850, 5150);
    assert_in_range(counts[1], 900, 1100);
    assert_in_range(counts[2], 1850, 2150);
}

/* It is read anew for each draw: somebody may change it while the request is under way. */
static void a_route_that_changes_meanwhile_is_left_in_the_end(void **state)
{
    static const uint32_t HEAVY[3] = {1000, 1000, 1000};
    static uint32_t light[1001];
    static const uint32_t COUNTS[] = {0, 1, 1001};

    (void)state;
    for (uint32_t i = 0; i < 1001; i++)
        light[i] = 1;
    for (size_t i = 0; i < sizeof COUNTS / sizeof COUNTS[0]; i++) {
        for (uint64_t n = 0; n < 50; n++) {
            struct lo_walk_options options = options_of(3, LLMGR_PICK_WEIGHT);
            bool came[3] = {false};
            weigh(&options, HEAVY);
            options.sequence = options.noise = n;
            struct lo_walk walk = begun(&options);
            struct lo_walk_options changed = {.count = COUNTS[i]};
            weigh(&changed, light);
            for (unsigned nth = 0; nth < 3; nth++) {
                uint32_t index = next_of(&walk);
                assert_true(index < 3);
                assert_false(came[index]);
                came[index] = true;
            }
            assert_int_equal(next_of(&walk), UINT32_MAX);
        }
    }
}

/* ---- What follows ---------------------------------------------------------------------------- */

static void attempts_are_counted_over_all_targets_and_keys(void **state)
{
    const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);

    (void)state;
    assert_int_equal(lo_walk_attempts_left(&walk, NOW), 3);
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, at(0, 1), LO_NEXT_OTHER_KEY);
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, at(0, 2), LO_NEXT_OTHER_KEY);
    assert_int_equal(next_of(&walk), 0);
    assert_int_equal(lo_walk_attempts_left(&walk, NOW), 1);
    assert_true(lo_walk_may_move(&walk, 1, NOW));
    struct lo_walk_options lone = options_of(1, LLMGR_PICK_ORDER);
    struct lo_walk only = begun(&lone);
    assert_int_equal(next_of(&only), 0);
    assert_false(lo_walk_may_move(&only, 1, NOW));
    assert_true(lo_walk_may_move(&only, 2, NOW));
    struct lo_candidate third = at(0, 3);
    lo_walk_try(&walk, &third);
    assert_false(lo_walk_may_move(&walk, 9, NOW));
    struct lo_verdict verdict = verdict_of(LO_NEXT_OTHER_KEY);
    lo_walk_failed(&walk, &verdict);
    assert_int_equal(next_of(&walk), UINT32_MAX);
}

static void after_the_deadline_no_attempt_begins(void **state)
{
    struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);

    (void)state;
    options.deadline_ms = NOW;
    struct lo_walk walk = begun(&options);
    uint32_t index;
    assert_true(lo_walk_next(&walk, NOW - 1, &index));
    assert_false(lo_walk_next(&walk, NOW, &index));
    assert_false(lo_walk_may_move(&walk, 1, NOW));
    assert_int_equal(lo_walk_attempts_left(&walk, NOW), 0);
    lo_walk_pass(&walk, &(struct lo_cooled){.until_ms = NOW + 5});
    assert_false(lo_walk_least_bad(&walk, NOW, &index));
    assert_true(lo_walk_least_bad(&walk, NOW - 1, &index));
}

static void nothing_more_comes_of_a_request_at_fault(void **state)
{
    const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);

    (void)state;
    assert_int_equal(next_of(&walk), 0);
    lo_walk_pass(&walk, &(struct lo_cooled){.until_ms = NOW + 5});
    assert_int_equal(next_of(&walk), 1);
    try_and_fail(&walk, at(1, 1), LO_NEXT_NOTHING);
    assert_int_equal(next_of(&walk), UINT32_MAX);
    uint32_t index;
    assert_false(lo_walk_least_bad(&walk, NOW, &index));
}

static void what_failed_rules_out_what_it_is_the_fault_of(void **state)
{
    /* platform, model, account, key */
    static const struct lo_candidate FAILED_ONE = {
        .platform_id = 1, .model_id = 2, .account_id = 3, .key_id = 4};
    static const struct {
        enum lo_next next;
        bool same, other_key, other_account, other_model, other_platform; /* may be tried */
    } ROWS[] = {
        {LO_NEXT_OTHER_KEY, false, true, true, false, true},
        {LO_NEXT_OTHER_ACCOUNT, false, false, true, false, true},
        {LO_NEXT_OTHER_MODEL, false, false, false, true, true},
        {LO_NEXT_OTHER_PLATFORM, false, false, false, false, true},
        {LO_NEXT_SAME, true, true, true, true, true},
        {LO_NEXT_WITHOUT_OPTIONS, true, true, true, true, true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
        struct lo_walk walk = begun(&options);
        struct lo_candidate other;
        assert_int_equal(next_of(&walk), 0);
        try_and_fail(&walk, FAILED_ONE, ROWS[i].next);
        other = FAILED_ONE;
        assert_int_equal(!lo_walk_excludes(&walk, &other), ROWS[i].same);
        other.key_id = 5;
        assert_int_equal(!lo_walk_excludes(&walk, &other), ROWS[i].other_key);
        other.account_id = 6;
        assert_int_equal(!lo_walk_excludes(&walk, &other), ROWS[i].other_account);
        other = FAILED_ONE;
        other.model_id = 7;
        assert_int_equal(!lo_walk_excludes(&walk, &other), ROWS[i].other_model);
        other = FAILED_ONE;
        other.platform_id = 8; /* its ids mean something else there */
        assert_int_equal(!lo_walk_excludes(&walk, &other), ROWS[i].other_platform);
        assert_true(lo_walk_was_at(&walk, 1));
        assert_false(lo_walk_was_at(&walk, 8));
    }
}

/* A candidate of that platform whose model takes so many tokens; 0: it does not say. */
static struct lo_candidate taking(uint32_t tokens, int64_t platform)
{
    struct lo_candidate candidate = candidate_of(platform, 1, 1);

    candidate.context_tokens = tokens;
    return candidate;
}

static void what_is_too_long_goes_to_what_says_that_it_takes_more(void **state)
{
    static const uint32_t NOT_LARGER[] = {0, 1, 8191, 8192};
    const struct lo_walk_options options = options_of(5, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);
    struct lo_candidate candidate;

    (void)state;
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, taking(8192, 1), LO_NEXT_LARGER_CONTEXT);
    for (size_t i = 0; i < sizeof NOT_LARGER / sizeof NOT_LARGER[0]; i++) {
        candidate = taking(NOT_LARGER[i], 2);
        assert_true(lo_walk_excludes(&walk, &candidate));
        candidate.platform_id = 1; /* nor another model there */
        candidate.model_id = 99;
        assert_true(lo_walk_excludes(&walk, &candidate));
    }
    candidate = taking(8193, 1); /* the same platform's model of another row */
    assert_false(lo_walk_excludes(&walk, &candidate));
    assert_int_equal(next_of(&walk), 1);
    try_and_fail(&walk, taking(16384, 2), LO_NEXT_LARGER_CONTEXT);
    candidate = taking(16384, 3);
    assert_true(lo_walk_excludes(&walk, &candidate));
    /* Of one that fails for another reason the first still counts. */
    assert_int_equal(next_of(&walk), 2);
    try_and_fail(&walk, taking(32768, 3), LO_NEXT_OTHER_PLATFORM);
    candidate = taking(16384, 4);
    assert_true(lo_walk_excludes(&walk, &candidate));
}

/* on_exhausted: least_bad lets through what is cooled, and not what cannot serve. */
static void what_takes_no_more_is_not_forced_either(void **state)
{
    const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
    struct lo_way way = {0};
    struct lo_entry entry = {.candidate = taking(8192, 2)};

    (void)state;
    lo_walk_begin(&way.walk, &options);
    assert_int_equal(next_of(&way.walk), 0);
    assert_true(lo_way_enter(&way, &entry, true, NOW));
    try_and_fail(&way.walk, taking(8192, 1), LO_NEXT_LARGER_CONTEXT);
    assert_false(lo_way_enter(&way, &entry, true, NOW));
    entry.candidate = taking(8193, 2);
    assert_true(lo_way_enter(&way, &entry, true, NOW));
}

static void than_what_says_nothing_nothing_is_larger(void **state)
{
    const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);
    struct lo_candidate candidate = taking(0, 1);
    struct lo_verdict verdict = verdict_of(LO_NEXT_LARGER_CONTEXT);

    (void)state;
    assert_int_equal(next_of(&walk), 0);
    lo_walk_try(&walk, &candidate);
    lo_walk_failed(&walk, &verdict);
    assert_int_equal(verdict.next, LO_NEXT_NOTHING);
    assert_int_equal(next_of(&walk), UINT32_MAX);
}

static void what_was_not_sent_is_repeated_once_in_all(void **state)
{
    const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);
    const struct lo_candidate first = at(0, 1);

    (void)state;
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, first, LO_NEXT_SAME);
    assert_false(walk.has_repeated);
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, first, LO_NEXT_OTHER_PLATFORM);
    assert_true(walk.has_repeated); /* which the next verdict is told */
    assert_true(lo_walk_excludes(&walk, &first));
    assert_int_equal(next_of(&walk), 1);
}

/* What is asked without stream_options is another request, and no repetition. */
static void leaving_options_out_is_no_repetition(void **state)
{
    struct lo_walk_options options = options_of(1, LLMGR_PICK_ORDER);
    const struct lo_candidate only = at(0, 1);

    (void)state;
    options.attempts = LLMGR_ROUTE_ATTEMPTS_MAX;
    struct lo_walk walk = begun(&options);
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, only, LO_NEXT_WITHOUT_OPTIONS);
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, only, LO_NEXT_SAME);
    assert_false(walk.has_repeated);
    assert_int_equal(next_of(&walk), 0);
    lo_walk_try(&walk, &only);
    assert_true(walk.has_repeated);
    for (unsigned i = 0; i < 2 * LLMGR_ROUTE_ATTEMPTS_MAX; i++)
        lo_walk_try(&walk, &only); /* more than there may be: they are not remembered */
    assert_int_equal(lo_walk_attempts_left(&walk, NOW) > LLMGR_ROUTE_ATTEMPTS_MAX, 0);
    assert_int_equal(next_of(&walk), UINT32_MAX);
    assert_true(lo_walk_excludes(&walk, &only));
}

/* The same was allowed once, and another key was tried instead: that once is over. */
static void a_repetition_that_was_not_made_is_not_made_later(void **state)
{
    const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);
    const struct lo_candidate first = at(0, 1);

    (void)state;
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, first, LO_NEXT_SAME);
    assert_int_equal(next_of(&walk), 0);
    try_and_fail(&walk, at(0, 2), LO_NEXT_OTHER_KEY);
    assert_int_equal(next_of(&walk), 0);
    assert_true(lo_walk_excludes(&walk, &first));
}

static struct lo_verdict failed_alike(uint32_t alike)
{
    return (struct lo_verdict){.reason = LO_REASON_FAILED,
                               .fault = LO_FAULT_MODEL,
                               .next = LO_NEXT_OTHER_MODEL,
                               .cool = LO_COOL_COUNT,
                               .alike = alike};
}

static void what_fails_alike_at_two_platforms_is_the_requests_fault(void **state)
{
    const struct lo_walk_options options = options_of(3, LLMGR_PICK_ORDER);
    struct lo_verdict verdict = failed_alike(5);
    struct lo_candidate candidate = at(0, 1);
    struct lo_walk walk = begun(&options);

    (void)state;
    assert_int_equal(next_of(&walk), 0);
    lo_walk_try(&walk, &candidate);
    lo_walk_failed(&walk, &verdict);
    assert_int_equal(verdict.fault, LO_FAULT_MODEL);
    struct lo_walk other = walk, same_platform = walk, unlike = walk;
    assert_int_equal(next_of(&other), 1);
    candidate = at(1, 1);
    lo_walk_try(&other, &candidate);
    lo_walk_failed(&other, &verdict);
    assert_int_equal(verdict.reason, LO_REASON_ALIKE);
    assert_int_equal(verdict.fault, LO_FAULT_REQUEST);
    assert_int_equal(verdict.cool, LO_COOL_NONE);
    assert_int_equal(next_of(&other), UINT32_MAX);
    /* Not by the same platform's other model, nor by another failure. */
    assert_int_equal(next_of(&same_platform), 1);
    candidate = at(0, 1);
    candidate.model_id = 77;
    verdict = failed_alike(5);
    lo_walk_try(&same_platform, &candidate);
    lo_walk_failed(&same_platform, &verdict);
    assert_int_equal(next_of(&same_platform), 2);
    assert_int_equal(next_of(&unlike), 1);
    candidate = at(1, 1);
    verdict = failed_alike(6);
    lo_walk_try(&unlike, &candidate);
    lo_walk_failed(&unlike, &verdict);
    assert_int_equal(next_of(&unlike), 2);
}

static void of_what_is_cooled_the_soonest_is_the_least_bad(void **state)
{
    const struct lo_walk_options options = options_of(4, LLMGR_PICK_ORDER);
    struct lo_walk walk = begun(&options);
    uint32_t index = 77;

    (void)state;
    assert_int_equal(lo_walk_soonest(&walk), 0);
    assert_int_equal(next_of(&walk), 0);
    lo_walk_pass(&walk, &(struct lo_cooled){.until_ms = NOW + 9});
    assert_int_equal(next_of(&walk), 1);
    lo_walk_pass(&walk, &(struct lo_cooled){.until_ms = NOW + 3, .is_hard = true});
    assert_int_equal(next_of(&walk), 2);
    lo_walk_pass(&walk, &(struct lo_cooled){.until_ms = NOW + 5});
    assert_int_equal(next_of(&walk), 3);
    lo_walk_pass(&walk, &(struct lo_cooled){.until_ms = 0}); /* nothing is known of why */
    lo_walk_pass(&walk, &(struct lo_cooled){.until_ms = NOW + 50});
    assert_int_equal(next_of(&walk), UINT32_MAX);
    assert_int_equal(lo_walk_soonest(&walk), NOW + 3); /* the truth, for Retry-After */
    assert_true(lo_walk_least_bad(&walk, NOW, &index));
    assert_int_equal(index, 2); /* and no key that is dead */
    assert_false(lo_walk_least_bad(&walk, NOW, &index));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_the_order_of_the_route),
        cmocka_unit_test(every_target_comes_once),
        cmocka_unit_test(weights_are_met_smoothly),
        cmocka_unit_test(the_faster_of_two_comes_first_and_the_slowest_never),
        cmocka_unit_test(sticky_users_move_only_to_what_is_added),
        cmocka_unit_test(sticky_users_are_shared_out_by_weight),
        cmocka_unit_test(a_route_that_changes_meanwhile_is_left_in_the_end),
        cmocka_unit_test(attempts_are_counted_over_all_targets_and_keys),
        cmocka_unit_test(after_the_deadline_no_attempt_begins),
        cmocka_unit_test(nothing_more_comes_of_a_request_at_fault),
        cmocka_unit_test(what_failed_rules_out_what_it_is_the_fault_of),
        cmocka_unit_test(what_is_too_long_goes_to_what_says_that_it_takes_more),
        cmocka_unit_test(than_what_says_nothing_nothing_is_larger),
        cmocka_unit_test(what_takes_no_more_is_not_forced_either),
        cmocka_unit_test(what_was_not_sent_is_repeated_once_in_all),
        cmocka_unit_test(leaving_options_out_is_no_repetition),
        cmocka_unit_test(a_repetition_that_was_not_made_is_not_made_later),
        cmocka_unit_test(what_fails_alike_at_two_platforms_is_the_requests_fault),
        cmocka_unit_test(of_what_is_cooled_the_soonest_is_the_least_bad),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
