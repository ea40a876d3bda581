/* SPDX-License-Identifier: MIT */
/* A relay around a tap, and what is expected of an answer, however it is split. For test_tap*.c. */
#ifndef TEST_TAP_RELAY_H
#define TEST_TAP_RELAY_H

#include <stdlib.h>

#include "../unit.h"
#include "dialect/tap.h"

static struct lb_host host;
static bool out_of_memory;

static inline void *scarce(size_t size, void *context)
{
    (void)context;
    return out_of_memory ? NULL : malloc(size);
}

static inline void *scarce_again(void *p, size_t size, void *context)
{
    (void)context;
    return out_of_memory ? NULL : realloc(p, size);
}

static inline void give_back(void *p, void *context)
{
    (void)context;
    free(p);
}

struct relay {
    struct ld_tap_options options;
    struct ld_tap tap;
    struct lb_buf forwarded;
};

static inline void begin(struct relay *relay, enum ld_endpoint_id endpoint, bool stream)
{
    lb_host_init(&host);
    host.memory = (struct llmgr_allocator){scarce, scarce_again, give_back, NULL};
    *relay = (struct relay){.options = {
                                .host = &host,
                                .endpoint = ld_endpoint(endpoint),
                                .content_type = stream ? LB_STR("text/event-stream; charset=utf-8")
                                                       : LB_STR("application/json"),
                                .http_status = 200,
                                .withhold_usage = true,
                            }};
}

static inline void forward(struct relay *relay, const struct ld_filter_out *out)
{
    bool hungry = out_of_memory;

    out_of_memory = false; /* the relay's own buffer */
    for (size_t i = 0; i < out->count; i++)
        lb_buf_add_str(&relay->forwarded, out->slice[i]);
    out_of_memory = hungry;
}

static inline void feed(struct relay *relay, struct lb_str in)
{
    struct ld_filter_out out;

    while (in.size > 0) {
        size_t used = ld_filter_feed(&relay->tap.filter, in, &out);
        assert_in_range(used, 1, in.size);
        forward(relay, &out);
        in = lb_str_sub(in, used, in.size);
    }
}

static inline void start(struct relay *relay)
{
    lb_buf_init(&relay->forwarded, &host, 16 << 20);
    ld_tap_init(&relay->tap, &relay->options);
}

static inline void finish(struct relay *relay)
{
    struct ld_filter_out out;

    ld_filter_finish(&relay->tap.filter, &out);
    forward(relay, &out);
}

static inline void end(struct relay *relay)
{
    ld_filter_free(&relay->tap.filter);
    lb_buf_free(&relay->forwarded);
}

/* What an answer comes to; of its usage what all dialects have. */
struct expected {
    enum ld_endpoint_id endpoint;
    bool stream;
    struct {
        int64_t prompt, completion, total, cached, reasoning;
    } usage;
    bool reported, finish, terminal, failed, content, complete;
    uint64_t events, output_size;
    const char *in;
    const char *out; /* NULL: as `in` */
};

#define NO_USAGE                                                                                   \
    {                                                                                              \
        -1, -1, -1, -1, -1                                                                         \
    }
#define CHUNK(rest) "data: {\"id\":\"c1\",\"model\":\"m\"," rest "}\n\n"
#define HELLO CHUNK("\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}],\"usage\":null")
#define STOP CHUNK("\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]")
#define EXTRA                                                                                      \
    CHUNK(                                                                                         \
        "\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5,\"total_tokens\":"  \
        "8,\"prompt_tokens_details\":{\"cached_tokens\":2},\"completion_tokens_details\":{"        \
        "\"reasoning_tokens\":1}}")
#define DONE "data: [DONE]\n\n"

static inline void check(struct relay *relay, const struct expected *want)
{
    const struct ld_filter_report *got = &relay->tap.filter.report;
    const char *out = want->out != NULL ? want->out : want->in;

    if (strcmp(lb_buf_c(&relay->forwarded), out) != 0)
        fail_msg("%s\n  forwarded: %s", want->in, lb_buf_c(&relay->forwarded));
    if (memcmp(&got->usage, &want->usage, sizeof want->usage) != 0 ||
        got->usage_reported != want->reported)
        fail_msg("%s\n  usage: %lld %lld %lld %lld %lld", want->in,
                 (long long)got->usage.prompt_tokens, (long long)got->usage.completion_tokens,
                 (long long)got->usage.total_tokens, (long long)got->usage.cached_tokens,
                 (long long)got->usage.reasoning_tokens);
    if (got->finish != want->finish || got->terminal != want->terminal ||
        got->failed != want->failed || got->content != want->content ||
        ld_filter_complete(&relay->tap.filter) != want->complete)
        fail_msg("%s\n  finish %d, terminal %d, failed %d, content %d", want->in, got->finish,
                 got->terminal, got->failed, got->content);
    if (got->events != want->events || got->output_size != want->output_size)
        fail_msg("%s\n  %d events, %d bytes of text", want->in, (int)got->events,
                 (int)got->output_size);
    assert_int_equal(got->withheld + strlen(out), strlen(want->in) + got->added);
}

/* Fed in three pieces, at every pair of offsets or so. */
static inline void check_splits(const struct expected *want)
{
    struct lb_str in = lb_cstr(want->in);
    struct relay relay;

    begin(&relay, want->endpoint, want->stream);
    for (size_t a = 0; a <= in.size; a++) {
        for (size_t b = a; b <= in.size; b += b % 7 + 1) {
            start(&relay);
            feed(&relay, lb_str_sub(in, 0, a));
            feed(&relay, lb_str_sub(in, a, b));
            feed(&relay, lb_str_sub(in, b, in.size));
            finish(&relay);
            check(&relay, want);
            end(&relay);
        }
    }
}

#endif
