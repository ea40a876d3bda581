/* SPDX-License-Identifier: MIT */
/*
 * Relayed answers: any split forwards the same bytes, withholds the same, and finds the same. The
 * first two bytes choose the endpoint, the media type and the cap on an event.
 */
#include "check.h"
#include "dialect/tap.h"

struct run {
    struct ld_filter_report report;
    struct lb_buf forwarded;
    bool boundary;
    bool complete;
};

static void forward(struct run *run, const struct ld_filter_out *out)
{
    FUZZ_CHECK(out->count <= LD_FILTER_SLICES);
    for (size_t i = 0; i < out->count; i++) {
        FUZZ_CHECK(out->slice[i].size > 0);
        lb_buf_add_str(&run->forwarded, out->slice[i]);
    }
}

static void go(struct run *run, const struct ld_tap_options *options, struct lb_str text,
               uint32_t seed, size_t step_max)
{
    struct ld_tap tap;
    struct ld_filter_out out;

    lb_buf_init(&run->forwarded, options->host, 2 * text.size + 1);
    ld_tap_init(&tap, options);
    for (size_t at = 0; at < text.size;) {
        size_t step = 1 + fuzz_next(&seed) % step_max;
        if (step > text.size - at)
            step = text.size - at;
        char *piece = malloc(step);
        FUZZ_CHECK(piece != NULL);
        memcpy(piece, text.p + at, step);
        struct lb_str in = {piece, step};
        while (in.size > 0) {
            size_t used = ld_filter_feed(&tap.filter, in, &out);
            FUZZ_CHECK(used > 0 && used <= in.size);
            forward(run, &out);
            in = lb_str_sub(in, used, in.size);
        }
        free(piece);
        at += step;
    }
    ld_filter_finish(&tap.filter, &out);
    forward(run, &out);
    run->boundary = ld_filter_at_boundary(&tap.filter);
    run->complete = ld_filter_complete(&tap.filter);
    run->report = tap.filter.report;
    ld_filter_free(&tap.filter);
    FUZZ_CHECK(run->forwarded.failed == LLMGR_OK);
    FUZZ_CHECK(run->forwarded.size + run->report.withheld == text.size + run->report.added);
}

static void compare(const struct run *a, const struct run *b)
{
    const struct ld_filter_report *x = &a->report, *y = &b->report;

    FUZZ_CHECK(lb_str_eq(lb_buf_str(&a->forwarded), lb_buf_str(&b->forwarded)));
    FUZZ_CHECK(memcmp(&x->usage, &y->usage, sizeof x->usage) == 0);
    FUZZ_CHECK(x->usage_reported == y->usage_reported && x->finish == y->finish &&
               x->terminal == y->terminal && x->failed == y->failed && x->content == y->content);
    FUZZ_CHECK(x->events == y->events && x->output_size == y->output_size);
    FUZZ_CHECK(a->boundary == b->boundary && a->complete == b->complete);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t MAXES[] = {0, 8, 64, 300};
    struct lb_host host;
    struct run whole, bytes, pieces, slow;

    if (size < 2)
        return 0;
    lb_host_init(&host);
    struct ld_tap_options options = {
        .host = &host,
        .endpoint = ld_endpoint((enum ld_endpoint_id)(data[0] % LD_ENDPOINT_COUNT)),
        .content_type = data[1] & 1 ? LB_STR("application/json") : LB_STR("text/event-stream"),
        .http_status = 200,
        .withhold_usage = (data[1] & 2) != 0,
        .event_max = MAXES[data[1] >> 2 & 3],
    };
    struct lb_str text = {(const char *)data + 2, size - 2};
    go(&whole, &options, text, 0, SIZE_MAX / 2); /* the first step is some megabytes */
    go(&bytes, &options, text, 0, 1);
    go(&pieces, &options, text, fuzz_seed(data, size), 23);
    compare(&whole, &bytes);
    compare(&whole, &pieces);
    options.read_all = true;
    go(&slow, &options, text, 0, SIZE_MAX / 2);
    compare(&whole, &slow);
    if (whole.report.withheld == 0 && whole.report.added == 0)
        FUZZ_CHECK(lb_str_eq(lb_buf_str(&whole.forwarded), text));
    lb_buf_free(&whole.forwarded);
    lb_buf_free(&bytes.forwarded);
    lb_buf_free(&pieces.forwarded);
    lb_buf_free(&slow.forwarded);
    return 0;
}
