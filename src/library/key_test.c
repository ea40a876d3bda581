/* SPDX-License-Identifier: MIT */
/* Keys asked for their own sake: one request with one key, and its row in the ledger. */
#include <inttypes.h>
#include <stdio.h>

#include <sodium.h>

#include "ledger/ledger.h"
#include "library/library.h"
#include "llm/test.h"

llmgr_status la_test_target(struct llmgr *manager, struct li_call *call,
                            const struct lr_target *target, bool show_body, struct li_test *test,
                            struct llmgr_error *err)
{
    struct li_target_context context;
    struct li_peer peer;

    li_peer_of_target(manager->manager, target, &context, &peer);
    return li_call_test(call, &peer, show_body, test, err);
}

static llmgr_end_state end_of(const struct li_test *test)
{
    if (test->verdict.reason == LO_REASON_ANSWERED)
        return LLMGR_END_COMPLETED;
    return test->verdict.reason == LO_REASON_CUT ? LLMGR_END_UPSTREAM_CUT
                                                 : LLMGR_END_UPSTREAM_ERROR;
}

llmgr_status la_test_record(struct llmgr *manager, const struct lr_target *target,
                            const struct li_test *test, const char *endpoint,
                            struct llmgr_error *err)
{
    char id[32];
    uint64_t noise;
    struct ll_usage usage;

    randombytes_buf(&noise, sizeof noise);
    (void)snprintf(id, sizeof id, "test_%016" PRIx64, noise);
    ll_usage_init(&usage);
    usage.request_id = lb_cstr(id);
    usage.attempt = 1;
    usage.time_ms = test->time_ms;
    usage.user = target->user;
    usage.platform_id = target->platform_id;
    usage.platform_name = target->platform_name;
    usage.model_id = target->model_id;
    usage.model_name = target->model_name;
    usage.endpoint = lb_cstr(endpoint);
    usage.payer = target->payer;
    usage.prompt_tokens = test->usage.prompt_tokens;
    usage.completion_tokens = test->usage.completion_tokens;
    usage.cached_tokens = test->usage.cached_tokens;
    usage.reasoning_tokens = test->usage.reasoning_tokens;
    if (usage.prompt_tokens != LL_UNKNOWN)
        usage.provenance = LLMGR_PROVENANCE_REPORTED;
    usage.end_state = end_of(test);
    usage.upstream_status = test->verdict.http_status;
    usage.latency_ms = test->latency_ms;
    usage.first_byte_ms = test->first_byte_ms;
    usage.bytes_in = test->bytes_in;
    usage.bytes_out = test->bytes_out;
    return ll_usage_add(manager->manager, &usage, err);
}
