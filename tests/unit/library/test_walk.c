/* SPDX-License-Identifier: MIT */
/*
 * Calls of a route and of a pool of keys: from one candidate to the next, with one budget, one
 * window and one ledger. The first platform has every vice, the second answers.
 */
#include <pthread.h>
#include <time.h>

#include "host.h"

static struct host host;
static struct mock_thread *second;
static struct mock_thread *locked; /* takes one key only */

enum { CONFIG_MAX = 8192 };
static char config[CONFIG_MAX];

/* ---- The scene ------------------------------------------------------------------------------- */

/* `vice`: how the first platform misbehaves; "gone": nobody is there. */
struct vice {
    const char *name;
    bool moves_whole, moves_stream; /* else the call fails */
    bool is_repeated;               /* nothing of it was sent: once more at the same platform */
};

static const struct vice VICES[] = {
    {"gone", true, true, true},
    {"mock-silent", true, true, false},
    {"mock-slow-60000", true, true, false},
    {"mock-500", true, true, false},
    {"mock-503+plain", true, true, false},
    {"mock-429", true, true, false},
    {"mock-401", true, true, false},
    {"mock-404", true, true, false},
    {"mock-502+html", true, true, false},
    {"mock-drop", true, true, false},
    {"mock-cut-30", true, true, false},
    {"mock-error-200", true, true, false},
    {"mock-empty", true, true, false},
    {"mock-badjson", true, false, false},
    {"mock-not-http", true, true, false},
    {"mock-gzip", true, true, false},
    {"mock-400", false, false, false},
    {"mock-413", false, false, false},
};

static void put_config(void)
{
    size_t at = (size_t)snprintf(
        config, sizeof config,
        "platforms:\n"
        "  Gone:\n    base_url: http://127.0.0.1:1/v1\n    api_key: \"{HOUSE_KEY}\"\n"
        "    models: {gone: m}\n"
        "  Second:\n    base_url: http://127.0.0.1:%u/v1\n    api_key: \"{HOUSE_KEY}\"\n"
        "    models: {Fine: m, Bad: mock-500, Silent: mock-silent}\n"
        "  Locked:\n    base_url: http://127.0.0.1:%u/v1\n"
        "    models: {Shut: m}\n"
        "  First:\n    base_url: http://127.0.0.1:%u/v1\n    api_key: \"{HOUSE_KEY}\"\n"
        "    models:\n      Fine: m\n      Late: mock-chunks-50+cut-3000\n"
        "      Options: mock-no-stream-options\n"
        "      Event: mock-chunks-50+error-event\n      Role: mock-cut-230\n",
        mock_thread_port(second), mock_thread_port(locked), mock_thread_port(host.mock));
    for (size_t i = 1; i < sizeof VICES / sizeof VICES[0]; i++)
        at += (size_t)snprintf(config + at, sizeof config - at, "      %s: %s\n", VICES[i].name,
                               VICES[i].name);
    at += (size_t)snprintf(config + at, sizeof config - at,
                           "routes:\n"
                           "  late: {targets: [First/Late, Second/Fine]}\n"
                           "  event: {targets: [First/Event, Second/Fine]}\n"
                           "  role: {targets: [First/Role, Second/Fine]}\n"
                           "  options: {targets: [First/Options, Second/Fine]}\n"
                           "  well: {targets: [First/Fine, Second/Fine]}\n"
                           "  weighed: {pick: weight, sticky: conversation,"
                           " targets: [First/Fine, {model: Second/Fine, weight: 3}]}\n"
                           "  fast: {pick: fastest, targets: [First/Fine, Second/Fine]}\n"
                           "  lone: {targets: [First/mock-429]}\n"
                           "  least: {on_exhausted: least_bad, targets: [First/mock-429]}\n"
                           "  short: {attempts: 2, targets: [First/mock-500, Second/Bad,"
                           " Second/Fine]}\n"
                           "  quiet: {targets: [First/mock-silent, Second/Silent, Second/Fine]}\n"
                           "  missing: {targets: [First/None, Second/Fine]}\n");
    for (size_t i = 0; i < sizeof VICES / sizeof VICES[0]; i++)
        at += (size_t)snprintf(config + at, sizeof config - at,
                               "  v-%s: {targets: [%s/%s, Second/Fine]}\n", VICES[i].name,
                               i == 0 ? "Gone" : "First", VICES[i].name);
    assert_true(at < sizeof config);
}

static void open_host(void)
{
    const struct llmgr_config_source source = {
        .size = sizeof source,
        .text = config,
        .text_size = strlen(config),
        .env = host_env,
        .allocator = &host.allocator,
    };
    struct llmgr_config *read;
    struct llmgr_error err = {0};

    if (llmgr_open(&host.options, &host.manager, &err) != LLMGR_OK ||
        llmgr_config_read(&source, &read, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    if (llmgr_sync(host.manager, read, false, NULL, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    llmgr_config_free(read);
}

/* What is known of cells goes with the handle. */
static void open_anew(void)
{
    llmgr_close(host.manager);
    open_host();
}

static int setup(void **state)
{
    (void)state;
    host_setup(&host);
    second = mock_start(&(struct mock_options){.address = "127.0.0.1:0"});
    locked = mock_start(&(struct mock_options){.address = "127.0.0.1:0",
                                               .require_key = "sk-good-0123456789"});
    host.options.first_byte_timeout_ms = 400;
    host.options.first_content_timeout_ms = 400;
    put_config();
    open_host();
    return second == NULL || locked == NULL;
}

static int teardown(void **state)
{
    (void)state;
    mock_stop(locked);
    mock_stop(second);
    host_teardown(&host);
    return 0;
}

static unsigned asked(struct mock_thread *mock)
{
    return atomic_load(&mock_thread_counts(mock)->requests);
}

/* ---- A call ---------------------------------------------------------------------------------- */

struct called {
    llmgr_status status;
    struct llmgr_error err;
    unsigned attempts;
    char by[64];        /* the platform that answered */
    unsigned chunks;    /* called back */
    char content[4096]; /* of them */
    size_t size;
    char whole[4096]; /* of the answer */
};

static int take_chunk(const struct llmgr_chunk *chunk, void *context)
{
    struct called *called = context;

    called->chunks++;
    if (chunk->content_size < sizeof called->content - called->size) {
        memcpy(called->content + called->size, chunk->content, chunk->content_size);
        called->size += chunk->content_size;
    }
    return 0;
}

static struct llmgr_llm *llm_of(const char *user, const char *model)
{
    struct llmgr_llm *llm;
    struct llmgr_error err = {0};

    if (llmgr_llm_for_model(host.manager, user, model, &llm, &err) != LLMGR_OK)
        fail_msg("%s: %s", model, err.message);
    return llm;
}

static struct called call_llm(struct llmgr_llm *llm, bool stream)
{
    const struct llmgr_message message = {.role = "user", .content = "hi"};
    struct llmgr_selection selection;
    struct llmgr_answer answer = {0};
    struct llmgr_request request;
    struct called called = {0};

    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    called.status =
        stream ? llmgr_llm_stream(llm, &request, take_chunk, &called, &answer, &called.err)
               : llmgr_llm_invoke(llm, &request, &answer, &called.err);
    called.attempts = llmgr_llm_attempts(llm);
    llmgr_llm_answered(llm, &selection);
    snprintf(called.by, sizeof called.by, "%s", selection.platform);
    if (answer.content != NULL)
        snprintf(called.whole, sizeof called.whole, "%s", answer.content);
    llmgr_answer_clear(&answer);
    return called;
}

static struct called call(const char *user, const char *model, bool stream)
{
    struct llmgr_llm *llm = llm_of(user, model);

    llmgr_llm_record_usage(llm, true);
    struct called called = call_llm(llm, stream);
    llmgr_llm_free(llm);
    return called;
}

/* Attempts in the ledger, and how many of them were a call's first. */
static void count_rows(int64_t *attempts, int64_t *requests)
{
    struct llmgr_usage_query query;
    struct llmgr_usage_list list;

    llmgr_usage_query_init(&query);
    assert_int_equal(llmgr_usage_query(host.manager, &query, &list, NULL), LLMGR_OK);
    *attempts = list.total.attempts;
    *requests = list.total.requests;
    llmgr_usage_list_clear(&list);
}

#define HELLO "Hello from mockllm! You said: hi"

/* ---- Failures -------------------------------------------------------------------------------- */

static void check_vice(const struct vice *vice, bool stream)
{
    const bool moves = stream ? vice->moves_stream : vice->moves_whole;
    int64_t rows_before, rows, calls_before, calls;
    char route[64];

    open_anew();
    snprintf(route, sizeof route, "v-%s", vice->name);
    count_rows(&rows_before, &calls_before);
    const unsigned before = asked(second);
    const struct called called = call(NULL, route, stream);
    if (called.status != (moves ? LLMGR_OK : called.err.status) || 
        called.attempts != 1u + moves + vice->is_repeated)
        fail_msg("%s, %s: %s after %u attempts: %s", vice->name, stream ? "stream" : "whole",
                 llmgr_status_name(called.status), called.attempts, called.err.message);
    count_rows(&rows, &calls);
    assert_int_equal(rows - rows_before, called.attempts);
    assert_int_equal(calls - calls_before, 1);
    assert_int_equal(asked(second) - before, moves);
    if (!moves) {
        assert_true(called.status != LLMGR_OK);
        return;
    }
    assert_string_equal(called.by, "Second");
    assert_string_equal(called.whole, HELLO);
    if (stream)
        assert_string_equal(called.content, HELLO);
}

static void what_another_candidate_can_answer_is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof VICES / sizeof VICES[0]; i++) {
        check_vice(&VICES[i], false);
        check_vice(&VICES[i], true);
    }
}

static void what_has_begun_is_begun_once(void **state)
{
    (void)state;
    static const struct {
        const char *route;
        llmgr_status status;
    } ROWS[] = {{"late", LLMGR_ERR_CUT}, {"event", LLMGR_ERR_UPSTREAM}};

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const unsigned before = asked(second);
        const struct called called = call(NULL, ROWS[i].route, true);
        assert_int_equal(called.status, ROWS[i].status);
        assert_int_equal(called.attempts, 1);
        assert_true(called.size > 0);
        assert_string_equal(called.by, "First");
        assert_int_equal(asked(second), before);
        if (called.status == LLMGR_ERR_CUT)
            assert_string_equal(called.whole, called.content);
    }
}

/* The role alone came: alone it is given away, with another candidate behind it it is not. */
static void nothing_is_called_back_before_there_is_content(void **state)
{
    (void)state;
    const struct called alone = call(NULL, "First/Role", true);
    const struct called held = call(NULL, "role", true);
    const struct called fine = call(NULL, "Second/Fine", true);

    assert_int_equal(alone.status, LLMGR_ERR_CUT);
    assert_true(alone.chunks > 0 && alone.size == 0);
    assert_int_equal(held.status, LLMGR_OK);
    assert_int_equal(held.attempts, 2);
    assert_int_equal(held.chunks, fine.chunks); /* the held ones of the second came after all */
    assert_string_equal(held.content, HELLO);
}

static void a_window_has_limits(void **state)
{
    (void)state;
    const unsigned before = asked(second);

    host.options.window_events = 1;
    open_anew();
    const struct called by_events = call(NULL, "role", true);
    host.options.window_events = 64;
    host.options.window_max = 10;
    open_anew();
    const struct called by_bytes = call(NULL, "role", true);
    assert_int_equal(by_events.status, LLMGR_ERR_CUT);
    assert_int_equal(by_bytes.status, LLMGR_ERR_CUT);
    assert_true(by_events.chunks > 0 && by_bytes.chunks > 0);
    assert_int_equal(asked(second), before);
}

static void a_platform_that_rejects_options_is_asked_without(void **state)
{
    (void)state;
    int64_t rows, calls;
    const struct called called = call(NULL, "options", true);

    assert_int_equal(called.status, LLMGR_OK);
    assert_int_equal(called.attempts, 2);
    assert_string_equal(called.by, "First");
    count_rows(&rows, &calls);
    assert_int_equal(rows, 2);
    assert_int_equal(calls, 1);
    assert_int_equal(call(NULL, "options", true).attempts, 1); /* it was learnt */
}

/* ---- What is told ---------------------------------------------------------------------------- */

static void attempts_are_those_of_the_whole_call(void **state)
{
    (void)state;
    for (int stream = 0; stream < 2; stream++) {
        const struct called called = call(NULL, "short", stream);
        assert_int_equal(called.status, LLMGR_ERR_UPSTREAM);
        assert_int_equal(called.attempts, 2);
        assert_int_equal(called.err.upstream_status, 500);
        if (strstr(called.err.message, "2 attempts failed (First/mock-500, Second/mock-500)") ==
                NULL ||
            strstr(called.err.message, "internal error") == NULL)
            fail_msg("%s", called.err.message);
        assert_int_equal(called.chunks, 0);
    }
}

static void a_target_that_is_missing_is_passed_over(void **state)
{
    (void)state;
    const struct called called = call(NULL, "missing", false);

    assert_int_equal(called.status, LLMGR_OK);
    assert_int_equal(called.attempts, 1);
    assert_string_equal(called.by, "Second");
}

static void who_has_only_cooled_candidates_is_told_until_when(void **state)
{
    (void)state;
    struct called called = call(NULL, "lone", false);
    const unsigned before = asked(host.mock);

    assert_int_equal(called.status, LLMGR_ERR_RATE_LIMITED);
    called = call(NULL, "lone", false);
    assert_int_equal(called.status, LLMGR_ERR_UPSTREAM);
    assert_int_equal(called.attempts, 0);
    assert_true(called.err.retry_after_ms > 0);
    assert_non_null(strstr(called.err.message, "'lone'"));
    assert_int_equal(asked(host.mock), before);
    called = call(NULL, "least", false); /* which rather asks than refuses */
    assert_int_equal(called.status, LLMGR_ERR_RATE_LIMITED);
    assert_int_equal(called.attempts, 1);
}

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

/* Targets that hang, each until its limit: within the first, between them, within the second. */
static void a_cancel_at_any_moment_ends_the_call(void **state)
{
    (void)state;
    host.options.first_byte_timeout_ms = 60;
    open_anew();
    const unsigned before = asked(second);
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
    assert_true(asked(second) >= before);
    llmgr_llm_free(llm);
}

static void *call_often(void *context)
{
    unsigned *failed = context;

    for (int i = 0; i < 20; i++)
        *failed += call("alice", i % 3 == 0 ? "v-mock-500" : "weighed", i % 2 == 0).status !=
                   LLMGR_OK;
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
        TEST(what_another_candidate_can_answer_is_answered),
        TEST(what_has_begun_is_begun_once),
        TEST(nothing_is_called_back_before_there_is_content),
        TEST(a_window_has_limits),
        TEST(a_platform_that_rejects_options_is_asked_without),
        TEST(attempts_are_those_of_the_whole_call),
        TEST(a_target_that_is_missing_is_passed_over),
        TEST(who_has_only_cooled_candidates_is_told_until_when),
        TEST(what_is_broken_is_met_once_and_no_choice_any_more),
        TEST(a_dead_key_of_a_pool_is_met_once),
        TEST(who_pays_stays_the_same),
        TEST(each_way_to_pick_finds_one),
        TEST(nothing_is_recorded_unasked),
        TEST(an_llm_outlives_its_route),
        TEST(a_request_that_is_none_is_asked_nowhere),
        TEST(a_cancel_at_any_moment_ends_the_call),
        TEST(many_threads_share_what_is_known),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
