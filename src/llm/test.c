/* SPDX-License-Identifier: MIT */
/* One chat of one token, and what its end says. See the header. */
#include "llm/test.h"

#include "base/error.h"
#include "dialect/chat.h"
#include "llm/run.h"

/* The call's own limits, where they are tighter. */
static struct lu_timeouts limits_of(const struct li_call *call)
{
    struct lu_timeouts timeouts = *li_call_timeouts(call);

    if (timeouts.total_ms == 0 || timeouts.total_ms > LI_TEST_MS)
        timeouts.total_ms = LI_TEST_MS;
    return timeouts;
}

static llmgr_status ask(struct li_run *run, struct llmgr_error *err)
{
    const struct li_chat_mode mode = {.timeouts = limits_of(run->call)};
    const struct llmgr_message message = {.role = "user", .content = "Hi"};
    const struct llmgr_request request = {.size = sizeof request,
                                          .messages = &message,
                                          .message_count = 1,
                                          .temperature = -1.0,
                                          .max_tokens = 1};

    return li_run_chat(run, &request, &mode, NULL, err);
}

/* An answer of 2xx: is it one? */
static llmgr_status read_answer(const struct li_run *run, struct li_test *test)
{
    struct llmgr_answer answer;

    llmgr_status status =
        ld_chat_read(li_call_host(run->call), lb_buf_str(&run->body), &answer, &test->error);
    if (status != LLMGR_OK)
        return status;
    test->usage = answer.usage;
    ld_answer_clear(&answer);
    return LLMGR_OK;
}

static void judge(const struct li_run *run, llmgr_status ended, bool show_body,
                  struct li_test *test)
{
    struct lo_outcome outcome = {
        .host = li_call_host(run->call),
        .ended = ended,
        .http_status = run->http_status,
        .refusal = lb_buf_str(&run->body),
        .attempt = 1,
        .retry_after_ms = run->retry_after_ms,
    };

    if (ended == LLMGR_OK && !li_run_is_2xx(run)) {
        (void)li_run_refused(run, show_body, &test->error);
    } else if (ended == LLMGR_OK) {
        outcome.ended = read_answer(run, test);
        outcome.in_answer = outcome.ended != LLMGR_OK && outcome.ended != LLMGR_ERR_PROTOCOL;
        if (outcome.in_answer) /* an error that came as an answer */
            outcome.ended = LLMGR_OK;
        if (test->error.status != LLMGR_OK && !show_body)
            (void)lb_fail(&test->error, test->error.status, "%s",
                          lb_tr(llmgr_status_text(test->error.status)));
    }
    test->verdict = lo_judge(&outcome);
    test->error.upstream_status = run->http_status;
    li_run_redact(run, &test->error);
}

llmgr_status li_call_test(struct li_call *call, const struct li_peer *peer, bool show_body,
                          struct li_test *test, struct llmgr_error *err)
{
    struct li_run run;

    *test = (struct li_test){.time_ms = lb_now_ms(li_call_host(call)),
                             .usage = {.prompt_tokens = LLMGR_UNSET,
                                       .completion_tokens = LLMGR_UNSET,
                                       .total_tokens = LLMGR_UNSET,
                                       .cached_tokens = LLMGR_UNSET,
                                       .reasoning_tokens = LLMGR_UNSET}};
    llmgr_status status = li_call_begin(call, err);
    if (status != LLMGR_OK)
        return status;
    li_run_init(&run, call, peer);
    status = ask(&run, &test->error);
    if (status == LLMGR_ERR_CANCELLED || status == LLMGR_ERR_NO_MEMORY) {
        if (err != NULL)
            *err = test->error;
    } else {
        judge(&run, status, show_body, test);
        status = LLMGR_OK;
    }
    test->first_byte_ms = run.head_ms;
    test->latency_ms = run.begun_ms != 0 ? lb_monotonic_ms() - run.begun_ms : 0;
    test->bytes_in = (int64_t)run.asked_size;
    test->bytes_out = (int64_t)run.body.size;
    li_run_free(&run);
    li_call_end(call);
    return status;
}
