/* SPDX-License-Identifier: MIT */
/*
 * Nanoseconds per head and per event of the HTTP codec. Each figure is the best of several rounds,
 * since everything that disturbs a round makes it slower.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/host.h"
#include "http/chunked.h"
#include "http/head.h"
#include "http/sse.h"
#include "http/url.h"
#include "http/write.h"

enum { ROUNDS = 15, REPEATS = 20000 };

/* What openai-python sends. */
static const char request[] =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: 127.0.0.1:8080\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: OpenAI/Python 1.99.9\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 1.99.9\r\n"
    "X-Stainless-OS: Linux\r\n"
    "X-Stainless-Arch: x64\r\n"
    "X-Stainless-Runtime: CPython\r\n"
    "X-Stainless-Runtime-Version: 3.11.2\r\n"
    "Authorization: Bearer sk-llmgr-0123456789abcdefghijklmnopqrstuvwxyzABCD\r\n"
    "X-Stainless-Async: false\r\n"
    "x-stainless-retry-count: 0\r\n"
    "x-stainless-read-timeout: 600\r\n"
    "Content-Length: 240\r\n"
    "\r\n";

/* What a load generator or curl sends. */
static const char small_request[] =
    "POST /v1/chat/completions HTTP/1.1\r\n"
    "Host: 127.0.0.1:8080\r\n"
    "User-Agent: curl/7.88.1\r\n"
    "Accept: */*\r\n"
    "Authorization: Bearer sk-llmgr-0123456789abcdefghijklmnopqrstuvwxyzABCD\r\n"
    "Content-Type: application/json\r\n"
    "Content-Length: 240\r\n"
    "\r\n";

static const char response[] = "HTTP/1.1 200 OK\r\n"
                               "Date: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
                               "Content-Type: application/json\r\n"
                               "Content-Length: 600\r\n"
                               "Connection: keep-alive\r\n"
                               "openai-processing-ms: 412\r\n"
                               "openai-version: 2020-10-01\r\n"
                               "x-ratelimit-limit-requests: 10000\r\n"
                               "x-ratelimit-remaining-requests: 9999\r\n"
                               "x-request-id: req_0123456789abcdef0123456789abcdef\r\n"
                               "Server: cloudflare\r\n"
                               "\r\n";

static const char frame[] =
    "data: "
    "{\"id\":\"chatcmpl-0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
    "\"model\":\"gpt-4o-mini\",\"system_fingerprint\":\"fp_0123\",\"choices\":[{\"index\":0,"
    "\"delta\":"
    "{\"content\":\" hello\"},\"logprobs\":null,\"finish_reason\":null}]}\n\n";

enum { FRAMES = 64 };

static struct {
    char frames[FRAMES * sizeof(frame)];
    size_t frames_size;
    char chunks[FRAMES * (sizeof(frame) + 16)];
    size_t chunks_size;
    struct lb_host host;
    struct lb_buf out;
} bench;

static uint64_t sink; /* keeps the compiler from dropping the work */

static void parse_head(const char *text, size_t size, bool is_response)
{
    static struct lh_field fields[LH_FIELDS]; /* a connection keeps its own, too */
    struct lh_head head;

    if (is_response)
        lh_head_init_response(&head, fields, LH_FIELDS, &lh_limits_default, LH_REPLY_TO_OTHER);
    else
        lh_head_init_request(&head, fields, LH_FIELDS, &lh_limits_default);
    if (lh_head_parse(&head, text, size) != LH_DONE)
        fprintf(stderr, "the head is refused: %s\n", lh_error_text(head.error));
    sink += head.field_count + head.length;
}

static void run_request(void)
{
    parse_head(request, sizeof(request) - 1, false);
}

static void run_small_request(void)
{
    parse_head(small_request, sizeof(small_request) - 1, false);
}

static void run_response(void)
{
    parse_head(response, sizeof(response) - 1, true);
}

static void run_frames(void)
{
    struct lh_sse sse;
    struct lh_sse_event event;
    const char *at = bench.frames;
    size_t left = bench.frames_size;
    size_t used;

    lh_sse_init(&sse, &bench.host, LH_SSE_EVENT_MAX);
    while (lh_sse_next(&sse, at, left, &used, &event) == LH_DONE) {
        sink += event.data.size;
        at += used;
        left -= used;
    }
    lh_sse_free(&sse);
}

static void run_chunks(void)
{
    struct lh_chunked chunked;
    const char *at = bench.chunks;
    size_t left = bench.chunks_size;
    size_t used;
    struct lb_str payload;

    lh_chunked_init(&chunked);
    while (lh_chunked_next(&chunked, at, left, &used, &payload) == LH_MORE && left != 0) {
        sink += payload.size;
        at += used;
        left -= used;
    }
}

static void run_write(void)
{
    struct lb_buf *out = &bench.out;

    lb_buf_reset(out);
    lh_write_request(out, LB_STR("POST"), LB_STR("/v1/chat/completions"), LB_STR("api.openai.com"));
    lh_write_named(out, LH_NAME("Content-Type"), LB_STR("application/json"));
    lh_write_named(out, LH_NAME("Accept"), LB_STR("application/json"));
    lh_write_field2(out, LB_STR("Authorization"), LB_STR("Bearer "),
                    LB_STR("sk-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"));
    lh_write_named(out, LH_NAME("X-Request-Id"), LB_STR("req_0123456789abcdef0123456789abcdef"));
    lh_write_named_u64(out, LH_NAME("Content-Length"), 240);
    lh_write_end(out);
    sink += out->size;
}

static void run_url(void)
{
    struct lh_url url;

    if (lh_url_parse(LB_STR("https://api.example.com:8443/v1"), &url) == LH_URL_OK)
        sink += url.port;
}

static void measure(const char *name, void (*run)(void), unsigned per_run)
{
    int64_t best = INT64_MAX;

    for (int round = 0; round < ROUNDS; round++) {
        const unsigned repeats = REPEATS / per_run;
        int64_t start = lb_monotonic_ns();
        for (unsigned i = 0; i < repeats; i++)
            run();
        int64_t took = lb_monotonic_ns() - start;
        if (took < best)
            best = took;
    }
    printf("%-44s %8.1f ns\n", name, (double)best / (double)(REPEATS / per_run * per_run));
}

int main(void)
{
    lb_host_init(&bench.host);
    lb_buf_init(&bench.out, &bench.host, 65536);
    for (size_t i = 0; i < FRAMES; i++) {
        memcpy(bench.frames + bench.frames_size, frame, sizeof(frame) - 1);
        bench.frames_size += sizeof(frame) - 1;
        char *chunk = bench.chunks + bench.chunks_size;
        size_t size = lh_chunk_head(chunk, sizeof(frame) - 1);
        memcpy(chunk + size, frame, sizeof(frame) - 1);
        size += sizeof(frame) - 1;
        memcpy(chunk + size, LH_CHUNK_TAIL, 2);
        bench.chunks_size += size + 2;
    }
    printf("request %zu bytes, small request %zu, response %zu, event %zu; best of %d rounds\n",
           sizeof(request) - 1, sizeof(small_request) - 1, sizeof(response) - 1, sizeof(frame) - 1,
           ROUNDS);
    measure("parse request head (17 fields)", run_request, 1);
    measure("parse small request head (6 fields)", run_small_request, 1);
    measure("parse response head (10 fields)", run_response, 1);
    measure("write request head (6 fields)", run_write, 1);
    measure("read one event", run_frames, FRAMES);
    measure("decode one chunk", run_chunks, FRAMES);
    measure("parse URL", run_url, 1);
    lb_buf_free(&bench.out);
    return sink == 0;
}
