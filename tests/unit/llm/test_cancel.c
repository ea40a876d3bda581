/* SPDX-License-Identifier: MIT */
/* Cancelling from another thread, at any moment: no race, no leftover, never the next call. */
#include <pthread.h>
#include <stdatomic.h>

#include "../upstream/peer.h"

static struct lb_host host;
static struct mock_thread *mock;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    mock = mock_start(&(struct mock_options){.quiet = true});
    return mock == NULL;
}

static int teardown(void **state)
{
    (void)state;
    mock_stop(mock);
    return 0;
}

struct canceller {
    struct li_call *call;
    long delay_us;
    pthread_t thread;
    _Atomic bool over;
};

/* On a busy machine a first cancel may come before the call begins, where it hits nothing. */
static void *cancel_later(void *context)
{
    struct canceller *canceller = context;
    struct timespec pause = {.tv_sec = canceller->delay_us / 1000000,
                             .tv_nsec = canceller->delay_us % 1000000 * 1000};

    do {
        nanosleep(&pause, NULL);
        li_call_cancel(canceller->call);
        pause.tv_nsec = 20000000;
    } while (!atomic_load(&canceller->over));
    return NULL;
}

static int ignore_chunk(const struct llmgr_chunk *chunk, void *context)
{
    (void)chunk;
    (void)context;
    return 0;
}

static llmgr_status stream(struct li_call *call, const char *model, struct llmgr_error *err)
{
    struct test_url url = test_url(mock, "/v1");
    struct li_peer peer = test_peer(&url, model);
    struct llmgr_request request = test_request();

    return li_call_stream(call, &peer, &request, ignore_chunk, NULL, NULL, err);
}

static void a_cancel_at_any_moment_ends_the_call(void **state)
{
    (void)state;
    static const char *const MODELS[] = {"mock-silent", "mock-flood", "mock-chunks-200+slow-2",
                                         "mock-stall"};
    struct li_call *call = test_call(&host, (struct lu_timeouts){0});

    for (int round = 0; round < 60; round++) {
        struct llmgr_error err = {0};
        /* From "before the exchange starts" to "well into the answer". */
        struct canceller canceller = {.call = call, .delay_us = 300 + round * round * 6};
        assert_int_equal(pthread_create(&canceller.thread, NULL, cancel_later, &canceller), 0);
        llmgr_status status = stream(call, MODELS[round % 4], &err);
        atomic_store(&canceller.over, true);
        pthread_join(canceller.thread, NULL);
        if (status != LLMGR_ERR_CANCELLED)
            fail_msg("round %d: %s: %s", round, llmgr_status_name(status), err.message);
    }
    assert_int_equal(test_wait_open(mock_thread_counts(mock), 0), 0);
    li_call_free(call);
}

static void a_cancel_without_a_call_does_nothing(void **state)
{
    (void)state;
    struct li_call *call = test_call(&host, (struct lu_timeouts){0});
    struct llmgr_error err = {0};

    li_call_cancel(call);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(stream(call, "m", &err), LLMGR_OK);
        li_call_cancel(call);
        li_call_cancel(call);
    }
    li_call_free(call);
}

struct storm {
    struct li_call *call;
    _Atomic bool over;
};

static void *cancel_for_ever(void *context)
{
    struct storm *storm = context;

    while (!atomic_load(&storm->over)) {
        struct timespec pause = {.tv_nsec = 200000};
        li_call_cancel(storm->call);
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void a_storm_of_cancels_leaves_each_call_with_one_outcome(void **state)
{
    (void)state;
    struct storm storm = {.call = test_call(&host, (struct lu_timeouts){0})};
    pthread_t threads[2];
    unsigned fine = 0, cancelled = 0;

    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, cancel_for_ever, &storm), 0);
    for (int i = 0; i < 300; i++) {
        struct llmgr_error err = {0};
        llmgr_status status = stream(storm.call, "mock-chunks-3", &err);
        fine += status == LLMGR_OK;
        cancelled += status == LLMGR_ERR_CANCELLED;
    }
    atomic_store(&storm.over, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(fine + cancelled, 300);
    struct llmgr_error err = {0};
    assert_int_equal(stream(storm.call, "m", &err), LLMGR_OK);
    li_call_free(storm.call);
    assert_int_equal(test_wait_open(mock_thread_counts(mock), 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cancel_at_any_moment_ends_the_call),
        cmocka_unit_test(a_cancel_without_a_call_does_nothing),
        cmocka_unit_test(a_storm_of_cancels_leaves_each_call_with_one_outcome),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
