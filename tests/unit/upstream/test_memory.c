/* SPDX-License-Identifier: MIT */
/* Allocation failure at every point of a call: an error, no leak, and the next call works. */
#include "peer.h"

static struct mock_thread *mock;

/* An allocator that fails the nth allocation (and, if so wished, all after it). */
struct meter {
    size_t until_failure; /* 0: never */
    bool for_ever;
    size_t live;
    bool failed;
};

static bool refuses(struct meter *meter)
{
    if (meter->until_failure == 0 || (meter->until_failure > 1 && --meter->until_failure > 0))
        return false;
    meter->failed = true;
    if (!meter->for_ever)
        meter->until_failure = 0;
    return true;
}

static void *meter_alloc(size_t size, void *context)
{
    struct meter *meter = context;

    if (refuses(meter))
        return NULL;
    void *p = malloc(size);
    meter->live += p != NULL;
    return p;
}

static void *meter_realloc(void *p, size_t size, void *context)
{
    struct meter *meter = context;

    if (refuses(meter))
        return NULL;
    meter->live += p == NULL;
    return realloc(p, size);
}

static void meter_free(void *p, void *context)
{
    struct meter *meter = context;

    meter->live -= p != NULL;
    free(p);
}

static struct lb_host metered(struct meter *meter)
{
    struct lb_host host;

    lb_host_init(&host);
    host.memory = (struct llmgr_allocator){meter_alloc, meter_realloc, meter_free, meter};
    return host;
}

static int setup(void **state)
{
    (void)state;
    mock = mock_start(&(struct mock_options){.quiet = true});
    return mock == NULL;
}

static int teardown(void **state)
{
    (void)state;
    mock_stop(mock);
    return 0;
}

static llmgr_status one_of_each(struct li_call *call, const char *model)
{
    struct test_url url = test_url(mock, "/v1");
    struct li_peer peer = test_peer(&url, model);
    struct llmgr_request request = test_request();
    struct llmgr_answer answer = {0};
    struct llmgr_probe probe = {0};
    struct llmgr_error err = {0};

    llmgr_status status = li_call_chat(call, &peer, &request, &answer, &err);
    ld_answer_clear(&answer);
    if (status == LLMGR_OK) {
        status = li_call_stream(call, &peer, &request, NULL, NULL, &answer, &err);
        ld_answer_clear(&answer);
    }
    if (status == LLMGR_OK) {
        status = li_call_models(call, &peer, 0, true, &probe, &err);
        ld_probe_clear(&probe);
    }
    assert_int_equal(status, err.status);
    return status;
}

static void sweep(const char *model, bool for_ever)
{
    for (size_t n = 1;; n++) {
        struct meter meter = {0};
        struct lb_host host = metered(&meter);
        struct li_call *call = test_call(&host, (struct lu_timeouts){.total_ms = 5000});
        meter.until_failure = n;
        meter.for_ever = for_ever;
        llmgr_status status = one_of_each(call, model);
        if (meter.failed && for_ever)
            assert_int_not_equal(status, LLMGR_OK);
        if (status != LLMGR_OK && status != LLMGR_ERR_NO_MEMORY)
            fail_msg("%s, allocation %zu: %s", model, n, llmgr_status_name(status));
        bool over = !meter.failed;
        meter.until_failure = 0;
        assert_int_equal(one_of_each(call, model), LLMGR_OK);
        li_call_free(call);
        assert_int_equal(meter.live, 0);
        if (over)
            break;
        assert_true(n < 1000);
    }
}

static void each_failed_allocation_of_a_call_is_an_error(void **state)
{
    (void)state;
    sweep("mock-tools+reasoning", false);
    sweep("mock-tools+reasoning", true);
}

static void answers_in_pieces_survive_failed_allocations(void **state)
{
    (void)state;
    sweep("mock-crlf+split-64", false);
}

static void a_call_object_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    for (size_t n = 1;; n++) {
        struct meter meter = {.until_failure = n};
        struct lb_host host = metered(&meter);
        const struct li_call_options options = {0};
        struct li_call *call = NULL;
        struct llmgr_error err = {0};
        llmgr_status status = li_call_new(&host, &options, &call, &err);
        li_call_free(call);
        assert_int_equal(meter.live, 0);
        if (!meter.failed) {
            assert_int_equal(status, LLMGR_OK);
            break;
        }
        assert_int_equal(status, LLMGR_ERR_NO_MEMORY);
        assert_null(call);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_failed_allocation_of_a_call_is_an_error),
        cmocka_unit_test(answers_in_pieces_survive_failed_allocations),
        cmocka_unit_test(a_call_object_that_cannot_be_made_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
