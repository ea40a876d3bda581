/* SPDX-License-Identifier: MIT */
/* Events that repeat the one before but for their text: known without being read, and as well. */
#include "dialect/tap.h"

#include "../unit.h"

#define CHUNK(rest) "data: {\"id\":\"c1\",\"model\":\"m\"," rest "}\n\n"
#define DELTA(text) CHUNK("\"choices\":[{\"delta\":{\"content\":\"" text "\"}}]")
#define REASON(text) CHUNK("\"choices\":[{\"delta\":{\"reasoning_content\":\"" text "\"}}]")
#define USAGE CHUNK("\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":5}")
#define BLOCK(text)                                                                                \
    "event: content_block_delta\r\ndata: {\"type\":\"content_block_delta\",\"delta\":{"            \
    "\"type\":\"text_delta\",\"text\":\"" text "\"}}\r\n\r\n"

static void run(enum ld_endpoint_id endpoint, bool read_all, struct lb_str in,
                struct ld_filter_report *report)
{
    struct lb_host host;
    struct ld_tap tap;
    struct ld_filter_out out;

    lb_host_init(&host);
    const struct ld_tap_options options = {
        .host = &host,
        .endpoint = ld_endpoint(endpoint),
        .content_type = LB_STR("text/event-stream"),
        .http_status = 200,
        .withhold_usage = true,
        .read_all = read_all,
    };
    ld_tap_init(&tap, &options);
    while (in.size > 0)
        in = lb_str_sub(in, ld_filter_feed(&tap.filter, in, &out), in.size);
    ld_filter_finish(&tap.filter, &out);
    *report = tap.filter.report;
    ld_filter_free(&tap.filter);
}

static void an_event_known_by_its_echo_counts_as_if_it_was_read(void **state)
{
    static const struct {
        enum ld_endpoint_id endpoint;
        uint64_t events, output_size;
        bool failed;
        const char *in;
    } STREAMS[] = {
        {LD_ENDPOINT_CHAT, 5, 13, false,
         DELTA("") DELTA("Hello") DELTA(" \\\"") DELTA("\\\\") DELTA("\\u00e9")},
        {LD_ENDPOINT_CHAT, 4, 4, false, REASON("a") REASON("b") DELTA("c") DELTA("d")},
        {LD_ENDPOINT_MESSAGES, 3, 6, false, BLOCK("a") BLOCK("bc") BLOCK("def")},
        /* The same bytes around it, and yet something else. */
        {LD_ENDPOINT_CHAT, 2, 3, true,
         DELTA("a") DELTA("b\"}}],\"error\":\"x\",\"choices\":[{\"delta\":{\"content\":\"c")},
        {LD_ENDPOINT_CHAT, 2, 1, false, DELTA("a") DELTA("b\\")},
        {LD_ENDPOINT_CHAT, 2, 4, false, DELTA("a") DELTA("b\ndata: c")},
        {LD_ENDPOINT_CHAT, 2, 1, false, DELTA("a") DELTA("b\\\n\nc")},
        {LD_ENDPOINT_CHAT, 3, 6, false, DELTA("a") USAGE DELTA("Hello")},
    };

    (void)state;
    for (size_t i = 0; i < sizeof STREAMS / sizeof STREAMS[0]; i++) {
        struct ld_filter_report known, read;
        run(STREAMS[i].endpoint, false, lb_cstr(STREAMS[i].in), &known);
        run(STREAMS[i].endpoint, true, lb_cstr(STREAMS[i].in), &read);
        if (memcmp(&known, &read, sizeof known) != 0)
            fail_msg("%s\n  %d events, %d bytes of text; read: %d, %d", STREAMS[i].in,
                     (int)known.events, (int)known.output_size, (int)read.events,
                     (int)read.output_size);
        if (read.events != STREAMS[i].events || read.output_size != STREAMS[i].output_size ||
            read.failed != STREAMS[i].failed)
            fail_msg("%s\n  %d events, %d bytes of text, failed %d", STREAMS[i].in,
                     (int)read.events, (int)read.output_size, read.failed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_event_known_by_its_echo_counts_as_if_it_was_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
