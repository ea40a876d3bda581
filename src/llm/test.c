/* SPDX-License-Identifier: MIT */
/* One chat of one token, and what its end says. See the header. */
#include "llm/test.h"

#include "base/error.h"
#include "dialect/chat.h"
#include "llm/attempt.h"
#include "llm/run.h"

/* The call's own limits, where they are tighter. */
static struct li_limits limits_of(const struct li_call *call)
{
    struct li_limits limits = {.timeouts = *li_call_timeouts(call)};

    if (limits.timeouts.total_ms == 0 || limits.timeouts.total_ms > LI_TEST_MS)
        limits.timeouts.total_ms = LI_TEST_MS;
    return limits;
}

static llmgr_status ask(struct li_call *call, struct li_attempt *attempt, struct llmgr_error *err)
{
    const struct li_limits limits = limits_of(call);
    const struct llmgr_message message = {.role = "user", .content = "Hi"};
    const struct llmgr_request request = {.size = sizeof request,
                                          .messages = &message,
                                          .message_count = 1,
                                          .temperature = -1.0,
                                          .max_tokens = 1};
    struct llmgr_answer answer = {0};

    attempt->request = &request;
    attempt->limits = &limits;
    llmgr_status status = li_attempt_make(call, attempt, &answer, err);
    ld_answer_clear(&answer);
    return status;
}

static void judge(const struct li_call *call, const struct li_attempt *attempt, llmgr_status status,
                  struct li_test *test)
{
    struct lo_outcome outcome = li_attempt_outcome(call, attempt, status);

    outcome.attempt = 1;
    test->verdict = lo_judge(&outcome);
    if (attempt->is_silent && status != LLMGR_OK && attempt->http_status / 100 == 2)
        (void)lb_fail(&test->error, status, "%s", lb_tr(llmgr_status_text(status)));
    test->error.upstream_status = attempt->http_status;
}

llmgr_status li_call_test(struct li_call *call, const struct li_peer *peer, bool show_body,
                          struct li_test *test, struct llmgr_error *err)
{
    struct li_attempt attempt = {.peer = peer, .is_silent = !show_body};

    *test = (struct li_test){.first_byte_ms = -1};
    llmgr_status status = li_call_begin(call, err);
    if (status != LLMGR_OK)
        return status;
    status = ask(call, &attempt, &test->error);
    if (status == LLMGR_ERR_CANCELLED || status == LLMGR_ERR_NO_MEMORY) {
        if (err != NULL)
            *err = test->error;
    } else {
        judge(call, &attempt, status, test);
        status = LLMGR_OK;
    }
    test->time_ms = attempt.began_at_ms;
    test->first_byte_ms = attempt.first_byte_ms;
    test->latency_ms = attempt.latency_ms;
    test->bytes_in = (int64_t)attempt.bytes_in;
    test->bytes_out = (int64_t)attempt.bytes_out;
    test->usage = attempt.usage;
    li_attempt_clear(&attempt);
    li_call_end(call);
    return status;
}
