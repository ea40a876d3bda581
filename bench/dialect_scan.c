/* SPDX-License-Identifier: MIT */
/*
 * What reading requests and answers costs: the look at a body, the splice, and the tap per frame.
 * Each figure is the best of several rounds, since everything that disturbs a round makes it
 * slower.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "dialect/splice.h"
#include "dialect/tap.h"

enum { ROUNDS = 15, BODY = 100 * 1000, ARENA = 16 * 1024 };

static struct lb_host host;
static char arena_memory[ARENA];
static volatile size_t sink; /* what is measured is not optimised away */

struct body {
    const char *name;
    struct lb_buf text;
    size_t repeats;
};

static const char QUESTION[] =
    "Please read the following report and name its three main findings, each in one sentence. ";

static void begin_body(struct body *body, const char *name, const char *start)
{
    body->name = name;
    lb_buf_init(&body->text, &host, 1 << 20);
    lb_buf_add_c(&body->text, "{\"model\":\"main\",\"stream\":true,\"temperature\":0.7,");
    lb_buf_add_c(&body->text, start);
}

static void repeat(struct body *body, const char *text, const char *end)
{
    while (body->text.size < BODY)
        lb_buf_add_c(&body->text, text);
    lb_buf_add_c(&body->text, end);
    body->repeats = 300;
}

/* From a single prompt to a list of token numbers: ever less of it is the inside of strings. */
static void make_bodies(struct body bodies[5])
{
    begin_body(&bodies[0], "one prompt", "\"messages\":[{\"role\":\"user\",\"content\":\"");
    repeat(&bodies[0], QUESTION, "\"}]}");
    begin_body(&bodies[1], "prompt with line ends",
               "\"messages\":[{\"role\":\"user\",\"content\":\"");
    repeat(&bodies[1], "for (i = 0; i < n; i++) {\\n    total += \\\"x\\\";\\n}\\n", "\"}]}");
    begin_body(&bodies[2], "long conversation",
               "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"}");
    repeat(&bodies[2],
           ",{\"role\":\"user\",\"content\":\"Please read the following report and name its three "
           "main findings.\\nEach in one sentence, if you can.\"}",
           "]}");
    begin_body(&bodies[3], "tool schemas", "\"tools\":[{}");
    repeat(&bodies[3],
           ",{\"type\":\"function\",\"function\":{\"name\":\"look_up\",\"parameters\":{\"type\":"
           "\"object\",\"properties\":{\"city\":{\"type\":\"string\"}}}}}",
           "]}");
    begin_body(&bodies[4], "token numbers", "\"input\":[1");
    repeat(&bodies[4], ",1234,99,31337", "]}");
}

static void report(const char *what, const char *name, double ns, size_t bytes)
{
    printf("%-8s %-24s %10.0f ns %8.2f GB/s\n", what, name, ns, (double)bytes / ns);
}

static double least(double best, int64_t start, size_t repeats)
{
    double each = (double)(lb_monotonic_ns() - start) / (double)repeats;

    return best < each ? best : each;
}

static void bench_peek(const struct body *body)
{
    struct lb_arena arena;
    struct ld_peek peek;
    double best = 1e18;

    lb_arena_init(&arena, &host, arena_memory, ARENA, ARENA);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = lb_monotonic_ns();
        for (size_t i = 0; i < body->repeats; i++) {
            if (ld_peek(lb_buf_str(&body->text), &arena, &peek, NULL) != LLMGR_OK)
                fprintf(stderr, "%s: refused\n", body->name);
            sink = peek.close;
        }
        best = least(best, start, body->repeats);
    }
    report("peek", body->name, best, body->text.size);
    lb_arena_free(&arena);
}

static void bench_splice(const struct body *body, struct lb_str extra_body, const char *name)
{
    const struct ld_edit edit = {
        .model = LB_STR("Qwen/Qwen3-235B"), .ask_usage = true, .extra_body = extra_body};
    struct lb_arena arena;
    struct ld_peek peek;
    struct ld_slices out;
    double best = 1e18;

    lb_arena_init(&arena, &host, arena_memory, ARENA, 1 << 20);
    if (ld_peek(lb_buf_str(&body->text), &arena, &peek, NULL) != LLMGR_OK)
        fprintf(stderr, "%s: refused\n", body->name);
    for (int round = 0; round < ROUNDS; round++) {
        int64_t start = lb_monotonic_ns();
        for (size_t i = 0; i < body->repeats; i++) {
            lb_arena_reset(&arena);
            if (ld_splice(lb_buf_str(&body->text), &peek, &edit, &arena, &out, NULL) != LLMGR_OK)
                fprintf(stderr, "%s: not spliced\n", body->name);
            sink = out.count;
        }
        best = least(best, start, body->repeats);
    }
    report("splice", name, best, body->text.size);
    lb_arena_free(&arena);
}

static const char FRAME[] =
    "data: {\"id\":\"chatcmpl-BxQ2m0Zk3Yv7\",\"object\":\"chat.completion.chunk\",\"created\":"
    "1735689600,\"model\":\"gpt-4o-mini-2024-07-18\",\"system_fingerprint\":\"fp_0aa8d3e20b\","
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"logprobs\":null,"
    "\"finish_reason\":null}],\"usage\":null}\n\n";
static const char EVENT[] =
    "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{"
    "\"type\":\"text_delta\",\"text\":\" token\"}}\n\n";
static const char USAGE_FRAME[] =
    "data: {\"id\":\"chatcmpl-BxQ2m0Zk3Yv7\",\"choices\":[],\"usage\":{\"prompt_tokens\":12,"
    "\"completion_tokens\":64,\"total_tokens\":76,\"prompt_tokens_details\":{\"cached_tokens\":0}}}"
    "\n\n";

/* `frames` to a read; cut: the last one is completed by the next read. */
static void bench_tap(enum ld_endpoint_id id, struct lb_str frame, size_t frames, size_t cut,
                      const char *name)
{
    const struct ld_tap_options options = {
        .host = &host,
        .endpoint = ld_endpoint(id),
        .content_type = LB_STR("text/event-stream"),
        .http_status = 200,
        .withhold_usage = true,
    };
    enum { REPEATS = 20000 };
    struct lb_buf read;
    struct ld_tap tap;
    struct ld_filter_out out;
    double best = 1e18;

    lb_buf_init(&read, &host, 1 << 20);
    for (size_t i = 0; i <= frames; i++)
        lb_buf_add_str(&read, frame);
    const struct lb_str in = lb_str_sub(lb_buf_str(&read), cut, cut + frames * frame.size);
    for (int round = 0; round < ROUNDS; round++) {
        ld_tap_init(&tap, &options);
        ld_filter_feed(&tap.filter, lb_str(read.data, cut), &out);
        int64_t start = lb_monotonic_ns();
        for (size_t i = 0; i < REPEATS; i++) {
            ld_filter_feed(&tap.filter, in, &out);
            sink = out.count;
        }
        best = least(best, start, REPEATS * frames);
        ld_filter_free(&tap.filter);
    }
    report("tap", name, best, frame.size);
    lb_buf_free(&read);
}

int main(void)
{
    struct body bodies[5];

    lb_host_init(&host);
    printf("best of %d rounds; bodies of %d bytes, taps per frame\n", ROUNDS, BODY);
    make_bodies(bodies);
    for (size_t i = 0; i < 5; i++)
        bench_peek(&bodies[i]);
    bench_splice(&bodies[0], LB_STR(""), "model and usage");
    bench_splice(&bodies[0], LB_STR("{\"temperature\":1,\"thinking\":{\"type\":\"disabled\"}}"),
                 "with an extra_body");
    bench_tap(LD_ENDPOINT_CHAT, LB_STR(FRAME), 1, 0, "chat");
    bench_tap(LD_ENDPOINT_CHAT, LB_STR(FRAME), 16, 0, "chat, 16 to a read");
    bench_tap(LD_ENDPOINT_CHAT, LB_STR(FRAME), 1, 100, "chat, each one cut");
    bench_tap(LD_ENDPOINT_CHAT, LB_STR(USAGE_FRAME), 1, 0, "chat, usage in each");
    bench_tap(LD_ENDPOINT_MESSAGES, LB_STR(EVENT), 1, 0, "messages");
    for (size_t i = 0; i < 5; i++)
        lb_buf_free(&bodies[i].text);
    return 0;
}
