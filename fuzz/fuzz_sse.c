/* SPDX-License-Identifier: MIT */
/*
 * Event streams: any split gives the same events, and the raw bytes of all events are the stream.
 * The first byte of the input chooses the cap on one event.
 */
#include "check.h"
#include "http/sse.h"

/* Everything that was told, written one after the other, so that two runs can be compared. */
struct record {
    struct lb_buf events;
    struct lb_buf raw;
    enum lh_error error;
};

static const struct lb_host *the_host(struct lb_host *host)
{
    lb_host_init(host);
    return host;
}

static bool only_line_ends(struct lb_str raw)
{
    for (size_t i = 0; i < raw.size; i++) {
        if (raw.p[i] != '\n' && raw.p[i] != '\r')
            return false;
    }
    return true;
}

static void note(struct record *record, const struct lh_sse_event *event)
{
    lb_buf_add_str(&record->raw, event->raw);
    if (only_line_ends(event->raw))
        return; /* an LF that a split cut off its CR may make one such block more or fewer */
    lb_buf_addf(&record->events, "%d:%zu:%zu:%zu:", event->has_data, event->data.size,
                event->type.size, event->id.size);
    lb_buf_add_str(&record->events, event->data);
    lb_buf_add_str(&record->events, event->type);
    lb_buf_add_str(&record->events, event->id);
}

static void run(struct record *record, const struct lb_host *host, const char *data, size_t size,
                size_t limit, uint32_t seed, size_t step_max)
{
    struct lh_sse sse;
    struct lh_sse_event event;

    lb_buf_init(&record->events, host, size * 64 + 64);
    lb_buf_init(&record->raw, host, size + 1);
    lh_sse_init(&sse, host, limit);
    for (size_t at = 0; at < size && sse.error == LH_ERR_OK;) {
        size_t step = 1 + fuzz_next(&seed) % step_max;
        if (step > size - at)
            step = size - at;
        /* The piece is a block of its own: slices that reach beyond it are seen. */
        char *piece = malloc(step);
        FUZZ_CHECK(piece != NULL);
        memcpy(piece, data + at, step);
        size_t used = 0;
        for (size_t from = 0;; from += used) {
            enum lh_result result = lh_sse_next(&sse, piece + from, step - from, &used, &event);
            if (result != LH_DONE) {
                FUZZ_CHECK(result == LH_FAILED || from + used == step);
                break;
            }
            note(record, &event);
        }
        free(piece);
        at += step;
    }
    if (lh_sse_finish(&sse, &event) == LH_DONE)
        note(record, &event);
    record->error = sse.error;
    lh_sse_free(&sse);
}

static void compare(const struct record *a, const struct record *b)
{
    FUZZ_CHECK(a->error == b->error);
    FUZZ_CHECK(a->events.failed == LLMGR_OK && b->events.failed == LLMGR_OK);
    FUZZ_CHECK(lb_str_eq(lb_buf_str(&a->events), lb_buf_str(&b->events)));
}

static void drop(struct record *record)
{
    lb_buf_free(&record->events);
    lb_buf_free(&record->raw);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct record whole;
    struct record bytes;
    struct record pieces;

    if (size == 0)
        return 0;
    size_t limit = data[0] < 128 ? 4u + data[0] : LH_SSE_EVENT_MAX;
    const char *text = (const char *)data + 1;
    size--;
    the_host(&host);
    run(&whole, &host, text, size, limit, 0, SIZE_MAX / 2);
    run(&bytes, &host, text, size, limit, 0, 1);
    run(&pieces, &host, text, size, limit, fuzz_seed(data, size), 11);
    compare(&whole, &bytes);
    compare(&whole, &pieces);
    if (whole.error == LH_ERR_OK) {
        FUZZ_CHECK(lb_str_eq(lb_buf_str(&whole.raw), lb_str(text, size)));
        FUZZ_CHECK(lb_str_eq(lb_buf_str(&bytes.raw), lb_str(text, size)));
        FUZZ_CHECK(lb_str_eq(lb_buf_str(&pieces.raw), lb_str(text, size)));
    }
    drop(&whole);
    drop(&bytes);
    drop(&pieces);
    return 0;
}
