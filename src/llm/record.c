/* SPDX-License-Identifier: MIT */
/* Rows of the ledger for the library's own calls. See the header. */
#include "llm/record.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/host.h"
#include "budget/book.h"
#include "ledger/ledger.h"
#include "ledger/request_id.h"
#include "llm/attempt.h"
#include "manager/manager.h"
#include "resolve/resolve.h"

void li_record_begin(struct li_record *record, const struct lb_host *host, bool is_kept,
                     struct lb_str slot)
{
    char time[LL_ID_TIME_SIZE];
    uint64_t number;

    *record = (struct li_record){.is_kept = is_kept, .slot = slot};
    if (!is_kept)
        return;
    randombytes_buf(&number, sizeof number);
    ll_id_write_time(lb_now_ms(host), time);
    snprintf(record->id, sizeof record->id, "lib-%.*s%016" PRIx64, LL_ID_TIME_SIZE, time, number);
}

/* As of the gateway's attempts. */
static llmgr_end_state end_of(const struct li_attempt *attempt, llmgr_status status)
{
    if (status == LLMGR_OK)
        return LLMGR_END_COMPLETED;
    if (status == LLMGR_ERR_CANCELLED)
        return LLMGR_END_CLIENT_GONE;
    const bool is_answer = attempt->http_status >= 200 && attempt->http_status < 300;
    return is_answer && !attempt->in_answer && attempt->ended != LLMGR_ERR_PROTOCOL
               ? LLMGR_END_UPSTREAM_CUT
               : LLMGR_END_UPSTREAM_ERROR;
}

static void fill_tokens(const struct li_attempt *attempt, struct ll_usage *usage)
{
    const struct llmgr_usage *said = &attempt->usage;

    ll_usage_tell(usage, said);
    if (said->prompt_tokens >= 0 || said->completion_tokens >= 0)
        usage->provenance = usage->end_state == LLMGR_END_COMPLETED ? LLMGR_PROVENANCE_REPORTED
                                                                    : LLMGR_PROVENANCE_PARTIAL;
}

void li_record_attempt(struct li_record *record, struct lm_manager *manager,
                       const struct lr_target *target, const struct li_attempt *attempt,
                       llmgr_status status)
{
    struct llmgr_error err = {0};
    struct ll_usage usage;

    if (!attempt->is_started)
        return;
    record->attempts++;
    if (!record->is_kept)
        return;
    ll_usage_begin(&usage, target);
    usage.request_id = lb_cstr(record->id);
    usage.attempt = (int)record->attempts;
    usage.time_ms = attempt->began_at_ms;
    usage.slot = record->slot;
    usage.endpoint = LB_STR("chat/completions");
    usage.end_state = end_of(attempt, status);
    usage.upstream_status = attempt->http_status;
    usage.latency_ms = attempt->latency_ms;
    usage.first_byte_ms = attempt->first_byte_ms;
    usage.bytes_in = (int64_t)attempt->bytes_in;
    usage.bytes_out = (int64_t)attempt->bytes_out;
    fill_tokens(attempt, &usage);
    lq_price_usage(attempt->book, &usage);
    if (ll_usage_add(manager, &usage, &err) != LLMGR_OK)
        lb_error(lm_host(manager), "%s: the usage is not recorded: %s", record->id, err.message);
}
