/* SPDX-License-Identifier: MIT */
/*
 * What a platform answers with, read in each way a body is read: as a chat answer, as a model list,
 * as an error's text. What is shown to people is always valid, clean and short.
 */
#include "check.h"
#include "dialect/chat.h"
#include "dialect/error_read.h"
#include "dialect/retry_after.h"
#include "dialect/models.h"
#include "dialect/reject.h"

static void check_shown(const char *text, size_t max)
{
    struct lb_str shown = lb_cstr(text);

    FUZZ_CHECK(shown.size <= max);
    FUZZ_CHECK(shown.size == 0 || lb_utf8_valid(shown));
    for (size_t i = 0; i < shown.size; i++)
        FUZZ_CHECK((unsigned char)shown.p[i] >= 0x20 && shown.p[i] != 0x7f);
}

static void check_answer(const struct lb_host *host, struct lb_str body)
{
    struct llmgr_answer answer = {0};
    struct llmgr_error err = {0};

    llmgr_status status = ld_chat_read(host, body, &answer, &err);
    FUZZ_CHECK(status == err.status);
    FUZZ_CHECK((status == LLMGR_OK) == (answer.memory != NULL));
    check_shown(err.message, sizeof err.message);
    if (status == LLMGR_OK) {
        FUZZ_CHECK(answer.usage.prompt_tokens >= -1 && answer.usage.total_tokens >= -1);
        FUZZ_CHECK(answer.tool_call_count <= LD_TOOL_CALLS_MAX);
        ld_answer_clear(&answer);
    }
}

static void check_models(const struct lb_host *host, struct lb_str body)
{
    struct llmgr_probe probe = {0};

    if (ld_models_read(host, body, &probe, NULL) != LLMGR_OK)
        return;
    for (size_t i = 0; i < probe.count; i++) {
        FUZZ_CHECK(probe.models[i].id[0] != '\0' && probe.models[i].raw[0] == '{');
        FUZZ_CHECK(llmgr_model_kind_name(probe.models[i].kind) != NULL);
        FUZZ_CHECK(probe.models[i].context_tokens >= 0 &&
                   probe.models[i].context_tokens <= LLMGR_MODEL_TOKENS_MAX);
        FUZZ_CHECK(probe.models[i].max_output_tokens >= 0 &&
                   probe.models[i].max_output_tokens <= LLMGR_MODEL_TOKENS_MAX);
    }
    ld_probe_clear(&probe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_str body = lb_str((const char *)data, size);
    struct lb_host host;
    struct lb_buf text;

    lb_host_init(&host);
    check_answer(&host, body);
    check_models(&host, body);
    lb_buf_init(&text, &host, LD_SHOWN_MAX + 16);
    ld_error_text(body, LD_SHOWN_MAX, &text);
    FUZZ_CHECK(text.failed == LLMGR_OK);
    check_shown(lb_buf_c(&text), LD_SHOWN_MAX + 3); /* and the ellipsis */
    lb_buf_free(&text);
    (void)ld_rejects_stream_options(400, body);
    FUZZ_CHECK(ld_retry_after_value(body, 1700000000000) >= -1);
    return 0;
}
