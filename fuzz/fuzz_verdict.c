/* SPDX-License-Identifier: MIT */
/*
 * What came back from a platform: the first four bytes say how, the rest is a Retry-After up to the
 * first line end, and the body. Whatever it is, the verdict is one that the table knows, codes and
 * waits keep within their bounds, and a request that is at fault is followed by nothing.
 */
#include "check.h"
#include "dialect/codes.h"
#include "dialect/retry_after.h"
#include "routing/verdict.h"

static void check_codes(const struct lb_host *host, struct lb_str body)
{
    struct ld_codes codes;

    ld_codes_read(host, body, &codes);
    FUZZ_CHECK(codes.codes_size <= LD_CODES_MAX && codes.message_size <= LD_CODES_MESSAGE_MAX);
    FUZZ_CHECK(codes.codes_size == 0 || codes.codes[codes.codes_size - 1] == '\n');
    FUZZ_CHECK(codes.http_status == 0 || (codes.http_status >= 400 && codes.http_status <= 599));
    FUZZ_CHECK(codes.retry_after_ms >= -1 && codes.retry_after_ms <= LD_RETRY_MAX_MS);
    for (size_t i = 0; i < codes.message_size; i++)
        FUZZ_CHECK(codes.message[i] < 'A' || codes.message[i] > 'Z');
    if (codes.codes_size > 0) {
        struct lb_str first =
            lb_str(codes.codes, lb_str_find(lb_str(codes.codes, codes.codes_size), '\n'));
        FUZZ_CHECK(ld_codes_have(&codes, first) && ld_codes_have_family(&codes, first));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;

    if (size < 4)
        return 0;
    lb_host_init(&host);
    struct lb_str rest = {(const char *)data + 4, size - 4};
    struct lb_str wait = lb_str_sub(rest, 0, lb_str_find(rest, '\n'));
    struct lb_str body = lb_str_sub(rest, wait.size + 1, rest.size);
    const struct lo_outcome outcome = {
        .host = &host,
        .ended = (data[2] & 7) == 7 ? (llmgr_status)(data[3] % 40) : LLMGR_OK,
        .http_status = (data[0] << 8 | data[1]) % 1000,
        .refusal = body,
        .attempt = 1,
        .attempts_max = 3,
        .may_move = true,
        .in_answer = (data[2] & 8) != 0,
        .is_empty = (data[2] & 16) != 0,
        .is_unsent = (data[2] & 32) != 0,
        .asked_usage = (data[2] & 64) != 0,
        .retry_after_ms = ld_retry_after_value(wait, 1700000000000),
    };
    FUZZ_CHECK(outcome.retry_after_ms >= -1 && outcome.retry_after_ms <= LD_RETRY_MAX_MS);
    check_codes(&host, body);
    const struct lo_verdict verdict = lo_judge(&outcome);
    FUZZ_CHECK(verdict.reason < LO_REASON_COUNT && lo_reason_name(verdict.reason) != NULL);
    FUZZ_CHECK(verdict.retry_after_ms == -1 ||
               (verdict.retry_after_ms > 0 && verdict.retry_after_ms <= LD_RETRY_MAX_MS));
    FUZZ_CHECK(verdict.fault != LO_FAULT_REQUEST ||
               (verdict.next == LO_NEXT_NOTHING && verdict.cool == LO_COOL_NONE));
    FUZZ_CHECK(verdict.fault != LO_FAULT_NONE || verdict.next == LO_NEXT_NOTHING);
    return 0;
}
