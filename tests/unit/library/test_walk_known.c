/* SPDX-License-Identifier: MIT */
/* What calls know of candidates, who pays, what is recorded; cancelling, and threads. */
#include <pthread.h>
#include <time.h>

#include "walks.h"

/* ---- What is known --------------------------------------------------------------------------- */

static void what_is_broken_is_met_once_and_no_choice_any_more(void **state)
{
    (void)state;
    struct llmgr_selection selection;
    struct llmgr_llm *early = llm_of("alice", "v-mock-401");
    const unsigned before = asked(host.mock);

    llmgr_llm_selection(early, &selection);
    assert_string_equal(selection.platform, "First");
    assert_int_equal(call_llm(early, false).attempts, 2);
    for (int i = 0; i < 5; i++) {
        const struct called called = call(i % 2 == 0 ? "alice" : "bob", "v-mock-401", i % 2 == 0);
        assert_int_equal(called.status, LLMGR_OK);
        assert_int_equal(called.attempts, 1);
    }
    assert_int_equal(call_llm(early, true).attempts, 1);
    assert_int_equal(asked(host.mock) - before, 1);
    llmgr_llm_selection(early, &selection); /* what it was resolved to holds */
    assert_string_equal(selection.platform, "First");
    llmgr_llm_free(early);
    struct llmgr_llm *late = llm_of("alice", "v-mock-401");
    llmgr_llm_selection(late, &selection);
    assert_string_equal(selection.platform, "Second");
    llmgr_llm_free(late);
    assert_int_equal(llmgr_selection_save_route(host.manager, "alice", NULL, "v-mock-401", NULL),
                     LLMGR_OK);
    assert_int_equal(llmgr_selection_get(host.manager, "alice", NULL, &selection, NULL), LLMGR_OK);
    assert_string_equal(selection.platform, "Second");
    assert_string_equal(selection.route, "v-mock-401");
    llmgr_selection_clear(&selection);
}

/* Whether the first target of v-mock-401 is let alone, as told to `user`; the second never is. */
static bool is_cooled_first(const char *user, bool with_cell)
{
    struct llmgr_explanation told;

    assert_int_equal(llmgr_explain(host.manager, user, NULL, "v-mock-401", &told, NULL), LLMGR_OK);
    assert_string_equal(told.items[0].platform_name, "First");
    const struct llmgr_cooled *cooled = told.items[0].cooled;
    const bool is_cooled = cooled != NULL;
    if (is_cooled) {
        assert_true(cooled->until_ms > 0);
        assert_int_equal(cooled->cell_id != NULL, with_cell);
        assert_int_equal(cooled->upstream_status, with_cell ? 401 : 0);
    }
    assert_null(told.items[1].cooled);
    assert_int_equal(told.items[0].chosen, !is_cooled);
    assert_int_equal(told.items[1].chosen, is_cooled);
    llmgr_explanation_clear(&told);
    return is_cooled;
}

static void what_calls_have_met_is_explained(void **state)
{
    (void)state;

    assert_false(is_cooled_first("bob", false));
    assert_int_equal(call("alice", "v-mock-401", false).attempts, 2);
    assert_true(is_cooled_first("bob", false));
    assert_true(is_cooled_first(NULL, true));
}

static int64_t platform_named(const char *name)
{
    struct llmgr_platform_list list;
    int64_t id = 0;

    assert_int_equal(llmgr_platforms(host.manager, NULL, &list, NULL), LLMGR_OK);
    for (size_t i = 0; i < list.count; i++) {
        if (strcmp(list.items[i].platform_name, name) == 0)
            id = list.items[i].platform_id;
    }
    llmgr_platform_list_clear(&list);
    assert_true(id > 0);
    return id;
}

/* How many cells `user` is told of; *list is to be cleared. */
static size_t cells_of(const char *user, struct llmgr_cell_list *list)
{
    struct llmgr_error err = {0};

    if (llmgr_health(host.manager, user, list, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    return list->count;
}

static llmgr_status reset(const char *user, const char *cell_id)
{
    return llmgr_health_reset(host.manager, user, cell_id, NULL);
}

static void what_calls_have_met_is_listed_and_can_be_reset(void **state)
{
    struct llmgr_cell_list list;
    char number[32];

    (void)state;
    assert_int_equal(cells_of(NULL, &list), 0); /* nothing has been called */
    llmgr_cell_list_clear(&list);
    assert_int_equal(reset(NULL, "1"), LLMGR_ERR_NOT_FOUND);
    assert_int_equal(call("alice", "v-mock-401", false).attempts, 2);
    /* How the server's key does is not for everybody to know. */
    assert_int_equal(cells_of("alice", &list), 0);
    llmgr_cell_list_clear(&list);
    assert_int_equal(cells_of(NULL, &list), 1);
    assert_string_equal(list.items[0].scope, "key");
    assert_string_equal(list.items[0].platform_name, "First");
    assert_string_equal(list.items[0].state, "cooled");
    assert_string_equal(list.items[0].reason, "key");
    assert_null(list.items[0].display_name);
    assert_int_equal(list.items[0].upstream_status, 401);
    assert_int_equal(list.items[0].streak, 1);
    assert_true(list.items[0].is_hard && !list.items[0].is_own);
    assert_true(list.items[0].until_ms > list.items[0].since_ms);
    snprintf(number, sizeof number, "%s", list.items[0].cell_id);
    llmgr_cell_list_clear(&list);
    static const char *const NONE[] = {NULL, "", "0", "1", "x", "-1", "18446744073709551616"};
    for (size_t i = 0; i < sizeof NONE / sizeof NONE[0]; i++)
        assert_int_equal(reset(NULL, NONE[i]), LLMGR_ERR_NOT_FOUND);
    assert_int_equal(reset("alice", number), LLMGR_ERR_NOT_FOUND);
    assert_true(is_cooled_first(NULL, true));
    assert_int_equal(reset(NULL, number), LLMGR_OK);
    assert_int_equal(reset(NULL, number), LLMGR_ERR_NOT_FOUND);
    assert_false(is_cooled_first(NULL, true));
}

static void what_is_a_users_own_he_alone_sees_and_resets(void **state)
{
    struct llmgr_cell_list list, others;

    (void)state;
    assert_int_equal(llmgr_platform_set_key(host.manager, "alice", platform_named("First"),
                                            "sk-alice-own", NULL),
                     LLMGR_OK);
    assert_int_not_equal(call("alice", "v-mock-401", false).status, LLMGR_OK);
    assert_int_equal(cells_of("alice", &list), 1);
    assert_true(list.items[0].is_own);
    static const char *const OTHERS[] = {"bob", NULL};
    for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
        assert_int_equal(cells_of(OTHERS[i], &others), 0);
        llmgr_cell_list_clear(&others);
        assert_int_equal(reset(OTHERS[i], list.items[0].cell_id), LLMGR_ERR_NOT_FOUND);
    }
    assert_int_equal(reset("alice", list.items[0].cell_id), LLMGR_OK);
    llmgr_cell_list_clear(&list);
    assert_int_equal(cells_of("alice", &list), 0);
    llmgr_cell_list_clear(&list);
}

static void a_dead_key_of_a_pool_is_met_once(void **state)
{
    (void)state;
    static const char *const KEYS[] = {"sk-bad-0123456789", "sk-good-0123456789"};
    unsigned attempts = 0;

    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        assert_int_equal(llmgr_platform_add_key(host.manager, "alice", platform_named("Locked"),
                                                KEYS[i], 0, NULL, NULL, NULL),
                         LLMGR_OK);
    for (int i = 0; i < 12; i++) {
        const struct called called = call("alice", "Locked/Shut", i % 2 == 0);
        assert_int_equal(called.status, LLMGR_OK);
        attempts += called.attempts;
    }
    assert_int_equal(attempts, 13);
    char *requests = mock_thread_requests(locked);
    char *bad = strstr(requests, "sk-bad-");
    assert_non_null(bad);
    assert_null(strstr(bad + 1, "sk-bad-"));
    free(requests);
}

static void who_pays_stays_the_same(void **state)
{
    (void)state;
    const int64_t id = platform_named("Second");

    assert_int_equal(llmgr_platform_set_key(host.manager, "alice", id, "sk-alice-own", NULL),
                     LLMGR_OK);
    const unsigned before = asked(second);
    const struct called called = call("alice", "v-mock-500", false);
    assert_int_equal(called.status, LLMGR_ERR_UPSTREAM);
    assert_int_equal(called.attempts, 1);
    assert_int_equal(asked(second), before);
    assert_int_equal(call("bob", "v-mock-500", false).attempts, 2);
}

static void each_way_to_pick_finds_one(void **state)
{
    (void)state;
    static const char *const ROUTES[] = {"well", "weighed", "fast"};

    for (size_t i = 0; i < sizeof ROUTES / sizeof ROUTES[0]; i++) {
        char by[64] = "";
        for (int n = 0; n < 4; n++) {
            const struct called called = call("alice", ROUTES[i], n % 2 == 0);
            assert_int_equal(called.status, LLMGR_OK);
            assert_int_equal(called.attempts, 1);
            if (by[0] != '\0' && strcmp(ROUTES[i], "fast") != 0)
                assert_string_equal(called.by, by); /* in order, or the same conversation */
            snprintf(by, sizeof by, "%s", called.by);
        }
    }
}

/* ---- Records, and what is gone --------------------------------------------------------------- */

static void nothing_is_recorded_unasked(void **state)
{
    (void)state;
    struct llmgr_llm *llm = llm_of(NULL, "v-mock-500");
    int64_t rows, calls;

    assert_int_equal(llmgr_llm_attempts(llm), 0);
    assert_int_equal(call_llm(llm, false).attempts, 2);
    count_rows(&rows, &calls);
    assert_int_equal(rows, 0);
    llmgr_llm_free(llm);
    assert_int_equal(call(NULL, "Second/Fine", false).attempts, 1);
    count_rows(&rows, &calls);
    assert_int_equal(rows, 1);
}

static void an_llm_outlives_its_route(void **state)
{
    (void)state;
    const struct llmgr_route_target target = {.model = "Second/Fine", .weight = 1};
    struct llmgr_route_spec spec;
    struct llmgr_route route;

    llmgr_route_spec_init(&spec);
    spec.name = "mine";
    spec.targets = &target;
    spec.target_count = 1;
    assert_int_equal(llmgr_route_add(host.manager, "alice", &spec, &route, NULL), LLMGR_OK);
    struct llmgr_llm *llm = llm_of("alice", "mine");
    assert_int_equal(call_llm(llm, false).status, LLMGR_OK);
    assert_int_equal(llmgr_route_delete(host.manager, "alice", route.route_id, NULL), LLMGR_OK);
    llmgr_route_clear(&route);
    const struct called called = call_llm(llm, true);
    assert_int_equal(called.status, LLMGR_OK);
    assert_string_equal(called.by, "Second");
    llmgr_llm_free(llm);
}

static void a_request_that_is_none_is_asked_nowhere(void **state)
{
    (void)state;
    const struct llmgr_message message = {.role = "user", .content = "hi"};
    struct llmgr_llm *llm = llm_of(NULL, "well");
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};
    struct llmgr_request request;
    int64_t rows, calls;

    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    request.extra_json = "{";
    llmgr_llm_record_usage(llm, true);
    assert_int_equal(llmgr_llm_invoke(llm, &request, &answer, &err), LLMGR_ERR_INVALID);
    assert_int_equal(llmgr_llm_attempts(llm), 0);
    llmgr_llm_free(llm);
    count_rows(&rows, &calls);
    assert_int_equal(rows, 0);
    assert_int_equal(call(NULL, "well", false).status, LLMGR_OK);
}

/* ---- Cancelling, and threads ----------------------------------------------------------------- */

struct canceller {
    struct llmgr_llm *llm;
    long delay_us;
    pthread_t thread;
    _Atomic bool over;
};

static void *cancel_later(void *context)
{
    struct canceller *canceller = context;
    struct timespec pause = {.tv_nsec = canceller->delay_us * 1000};

    do {
        nanosleep(&pause, NULL);
        llmgr_llm_cancel(canceller->llm);
        pause.tv_nsec = 5000000;
    } while (!atomic_load(&canceller->over));
    return NULL;
}

/* Once so many requests have reached it. */
struct awaited {
    struct canceller canceller;
    struct mock_thread *mock;
    unsigned count;
};

static void *cancel_there(void *context)
{
    struct awaited *awaited = context;
    const struct timespec pause = {.tv_nsec = 1000000};

    while (asked(awaited->mock) < awaited->count && !atomic_load(&awaited->canceller.over))
        nanosleep(&pause, NULL);
    return cancel_later(&awaited->canceller);
}

/* Nothing else would end it before a minute is over: at the first target, and at the second. */
static void a_cancel_ends_the_call_wherever_it_hangs(void **state)
{
    (void)state;
    host.options.first_byte_timeout_ms = host.options.first_content_timeout_ms = 60000;
    open_anew();
    for (unsigned round = 0; round < 4; round++) {
        const bool is_second = round >= 2;
        struct llmgr_llm *llm = llm_of(NULL, is_second ? "hung" : "quiet");
        struct mock_thread *mock = is_second ? second : host.mock;
        struct awaited awaited = {{.llm = llm}, mock, asked(mock) + 1};
        assert_int_equal(pthread_create(&awaited.canceller.thread, NULL, cancel_there, &awaited),
                         0);
        const struct called called = call_llm(llm, round % 2 == 0);
        atomic_store(&awaited.canceller.over, true);
        pthread_join(awaited.canceller.thread, NULL);
        assert_int_equal(called.status, LLMGR_ERR_CANCELLED);
        assert_int_equal(called.attempts, is_second ? 2 : 1);
        llmgr_llm_free(llm);
    }
}

/* Targets that hang, each until its limit: within the first, between them, within the second. */
static void a_cancel_at_any_moment_ends_the_call(void **state)
{
    (void)state;
    host.options.first_byte_timeout_ms = 60;
    open_anew();
    struct llmgr_llm *llm = llm_of(NULL, "quiet");
    for (int round = 0; round < 20; round++) {
        struct canceller canceller = {.llm = llm, .delay_us = 500 + round * 5500};
        assert_int_equal(pthread_create(&canceller.thread, NULL, cancel_later, &canceller), 0);
        const struct called called = call_llm(llm, round % 2 == 0);
        atomic_store(&canceller.over, true);
        pthread_join(canceller.thread, NULL);
        /* On a busy machine the cancel may come when all is over; then an answer is right. */
        if (called.status != LLMGR_ERR_CANCELLED && called.status != LLMGR_OK &&
            called.status != LLMGR_ERR_TIMEOUT && called.status != LLMGR_ERR_UPSTREAM)
            fail_msg("round %d: %s", round, called.err.message);
    }
    llmgr_llm_free(llm);
}

static void *call_often(void *context)
{
    unsigned *failed = context;

    for (int i = 0; i < 20; i++)
        *failed +=
            call("alice", i % 3 == 0 ? "v-mock-500" : "weighed", i % 2 == 0).status != LLMGR_OK;
    return NULL;
}

static void many_threads_share_what_is_known(void **state)
{
    (void)state;
    pthread_t threads[4];
    unsigned failed[4] = {0};

    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_often, &failed[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(failed[i], 0);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_broken_is_met_once_and_no_choice_any_more),
        TEST(what_calls_have_met_is_explained),
        TEST(what_calls_have_met_is_listed_and_can_be_reset),
        TEST(what_is_a_users_own_he_alone_sees_and_resets),
        TEST(a_dead_key_of_a_pool_is_met_once),
        TEST(who_pays_stays_the_same),
        TEST(each_way_to_pick_finds_one),
        TEST(nothing_is_recorded_unasked),
        TEST(an_llm_outlives_its_route),
        TEST(a_request_that_is_none_is_asked_nowhere),
        TEST(a_cancel_ends_the_call_wherever_it_hangs),
        TEST(a_cancel_at_any_moment_ends_the_call),
        TEST(many_threads_share_what_is_known),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
