/* SPDX-License-Identifier: MIT */
/*
 * A chat stream, as bytes: events, chunks, and the sum of them. The sum is what the chunks said,
 * one after the other.
 */
#include "check.h"
#include "dialect/chat.h"

struct sums {
    struct lb_buf content;
    struct lb_buf reasoning;
};

static void add(struct sums *sums, const struct llmgr_chunk *chunk)
{
    FUZZ_CHECK(chunk->tool_call_count <= LD_TOOL_CALLS_MAX);
    FUZZ_CHECK(chunk->content != NULL || chunk->content_size == 0);
    lb_buf_add(&sums->content, chunk->content, chunk->content_size);
    lb_buf_add(&sums->reasoning, chunk->reasoning_content, chunk->reasoning_content_size);
}

/* Reads events until they end or one is an error; that ends the stream. */
static void read_all(struct ld_chat_stream *stream, struct lh_sse *sse, struct lb_str bytes,
                     struct sums *sums)
{
    struct lh_sse_event event;
    size_t used = 0;

    while (lh_sse_next(sse, bytes.p, bytes.size, &used, &event) == LH_DONE) {
        struct llmgr_chunk chunk;
        struct llmgr_error err = {0};
        enum ld_event kind;
        bytes = lb_str_sub(bytes, used, bytes.size);
        llmgr_status status = ld_chat_stream_event(stream, &event, &chunk, &kind, &err);
        FUZZ_CHECK(status == err.status);
        if (status != LLMGR_OK)
            return;
        if (kind == LD_EVENT_CHUNK)
            add(sums, &chunk);
    }
}

static void check_sum(const struct ld_chat_stream *stream, const struct sums *sums)
{
    struct llmgr_answer answer = {0};

    FUZZ_CHECK(ld_chat_stream_answer(stream, &answer, NULL) == LLMGR_OK);
    FUZZ_CHECK(sums->content.size == 0 ||
               memcmp(answer.content, sums->content.data, sums->content.size) == 0);
    FUZZ_CHECK(sums->reasoning.size == 0 ||
               memcmp(answer.reasoning_content, sums->reasoning.data, sums->reasoning.size) == 0);
    FUZZ_CHECK(answer.tool_call_count <= LD_TOOL_CALLS_MAX);
    ld_answer_clear(&answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct lh_sse sse;
    struct sums sums;
    struct ld_chat_stream *stream = NULL;

    lb_host_init(&host);
    lh_sse_init(&sse, &host, 1 << 20);
    lb_buf_init(&sums.content, &host, LD_ANSWER_MAX);
    lb_buf_init(&sums.reasoning, &host, LD_ANSWER_MAX);
    FUZZ_CHECK(ld_chat_stream_new(&host, &stream, NULL) == LLMGR_OK);
    read_all(stream, &sse, lb_str((const char *)data, size), &sums);
    check_sum(stream, &sums);
    llmgr_status end = ld_chat_stream_finish(stream, NULL);
    FUZZ_CHECK(end == LLMGR_OK || end == LLMGR_ERR_CUT);
    ld_chat_stream_free(stream);
    lb_buf_free(&sums.content);
    lb_buf_free(&sums.reasoning);
    lh_sse_free(&sse);
    return 0;
}
