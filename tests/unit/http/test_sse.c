/* SPDX-License-Identifier: MIT */
/* Event streams as a table of bytes and the events they hold, split at every pair of offsets. */
#include "http/sse.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"

static struct lb_host host;

struct vector {
    const char *bytes;
    size_t size;
    const char *events; /* "type|id|data;" each; comment blocks are not listed */
};

#define V(bytes, events)                                                                           \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, events                                                           \
    }

static const struct vector vectors[] = {
    V("", ""),
    V("data: a\n\n", "||a;"),
    V("data:a\n\n", "||a;"),
    V("data:  a\n\n", "|| a;"),
    V("data: a \n\n", "||a ;"),
    V("data:\ta\n\n", "||\ta;"),
    V("data: a\r\n\r\n", "||a;"),
    V("data: a\r\r", "||a;"),
    V("data: a\r\n\n", "||a;"),
    V("data: a\n\r\n", "||a;"),
    V("data: a\n\r", "||a;"),
    V("data: a\r\r\ndata: b\r\n\r", "||a;||b;"),
    V("data: a\n\ndata: b\n\n", "||a;||b;"),
    V("data: a\r\n\r\ndata: b\r\n\r\n", "||a;||b;"),
    V("data: a\r\rdata: b\r\r", "||a;||b;"),
    V("data: a\n\n\n\n\ndata: b\n\n", "||a;||b;"),
    V("\r\n\r\n\r\ndata: a\r\n\r\n", "||a;"),
    V("data: a\ndata: b\n\n", "||a\nb;"),
    V("data: a\r\ndata:b\r\ndata\r\n\r\n", "||a\nb\n;"),
    V("data: a\rdata: b\r\r", "||a\nb;"),
    V("data\n\n", "||;"),
    V("data:\n\n", "||;"),
    V("data: \n\n", "||;"),
    V("data\ndata\n\n", "||\n;"),
    V("data: a\n: c\nevent: x\ndata: b\n\n", "x||a\nb;"),
    V(": comment\n\n", ""),
    V(":\n\n", ""),
    V(": keepalive\n\ndata: a\n\n: keepalive\n\n", "||a;"),
    V(": c\ndata: a\n\n", "||a;"),
    V("event: ping\ndata: {}\n\n", "ping||{};"),
    V("event:ping\r\ndata: {}\r\n\r\n", "ping||{};"),
    V("event: a\nevent: b\ndata: x\n\n", "b||x;"),
    V("event: a\n\ndata: x\n\n", "||x;"),
    V("event\ndata: x\n\n", "||x;"),
    V("id: 7\ndata: x\n\ndata: y\n\n", "|7|x;||y;"),
    V("id\ndata: x\n\n", "||x;"),
    V("id: a\0b\ndata: x\n\n", "||x;"),
    V("retry: 100\ndata: x\n\n", "||x;"),
    V("Data: x\nDATA: y\ndatax: z\ndat: w\n data: v\n\n", ""),
    V("foo: bar\ndata: x\n\n", "||x;"),
    V("data: a: b: c\n\n", "||a: b: c;"),
    V("\xef\xbb\xbf"
      "data: a\n\n",
      "||a;"),
    V("\xef\xbb\xbf\xef\xbb\xbf"
      "data: a\n\n",
      ""),
    V("\xef\xbb\xbf\n"
      "data: a\n\n",
      "||a;"),
    V("data: a\n\n\xef\xbb\xbf"
      "data: b\n\n",
      "||a;"),
    V("\xef\xbb"
      "data: a\n\n",
      ""),
    V("data: \xe9\xad\x94\xe6\x90\xad\n\n", "||\xe9\xad\x94\xe6\x90\xad;"),
    V("data: [DONE]\n\n", "||[DONE];"),
    V("data: a\n\ndata: b\n", "||a;"),
    V("data: a\n\ndata: b", "||a;"),
};

/* Writes the event as the table does, and its raw bytes. */
static void note(struct lb_buf *events, struct lb_buf *raw, const struct lh_sse_event *event)
{
    lb_buf_add_str(raw, event->raw);
    if (!event->has_data)
        return;
    lb_buf_add_str(events, event->type);
    lb_buf_add_byte(events, '|');
    lb_buf_add_str(events, event->id);
    lb_buf_add_byte(events, '|');
    lb_buf_add_str(events, event->data);
    lb_buf_add_byte(events, ';');
}

/* One piece, in a block of its own, so that a sanitizer sees a slice that outlives or exceeds it.
 */
static void feed(struct lh_sse *sse, const char *bytes, size_t size, struct lb_buf *events,
                 struct lb_buf *raw)
{
    struct lh_sse_event event;
    size_t used;
    size_t at = 0;
    char *block = malloc(size != 0 ? size : 1);

    assert_non_null(block);
    memcpy(block, bytes, size);
    while (lh_sse_next(sse, block + at, size - at, &used, &event) == LH_DONE) {
        note(events, raw, &event);
        at += used;
    }
    assert_int_equal(at + used, size);
    free(block);
}

static void check(const struct vector *vector, size_t first, size_t second)
{
    struct lh_sse sse;
    struct lb_buf events;
    struct lb_buf raw;
    struct lh_sse_event event;

    lh_sse_init(&sse, &host, 1024);
    lb_buf_init(&events, &host, 4096);
    lb_buf_init(&raw, &host, 4096);
    feed(&sse, vector->bytes, first, &events, &raw);
    feed(&sse, vector->bytes + first, second - first, &events, &raw);
    feed(&sse, vector->bytes + second, vector->size - second, &events, &raw);
    if (strcmp(lb_buf_c(&events), vector->events) != 0)
        fail_msg("split at %zu and %zu: \"%s\" for:\n%s", first, second, lb_buf_c(&events),
                 vector->bytes);
    if (lh_sse_finish(&sse, &event) == LH_DONE)
        lb_buf_add_str(&raw, event.raw);
    assert_true(lb_str_eq(lb_buf_str(&raw), lb_str(vector->bytes, vector->size)));
    assert_int_equal(lh_sse_finish(&sse, &event), LH_MORE);
    lb_buf_free(&events);
    lb_buf_free(&raw);
    lh_sse_free(&sse);
}

static void events_are_the_same_however_the_bytes_arrive(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        for (size_t first = 0; first <= vectors[i].size; first++) {
            for (size_t second = first; second <= vectors[i].size; second++)
                check(&vectors[i], first, second);
        }
    }
}

static void a_whole_event_is_not_copied(void **state)
{
    (void)state;
    static const char text[] = "event: x\ndata: one\n\ndata: two\n\ndata: thr";
    struct lh_sse sse;
    struct lh_sse_event event;
    size_t used;

    lh_sse_init(&sse, &host, 1024);
    assert_int_equal(lh_sse_next(&sse, text, sizeof(text) - 1, &used, &event), LH_DONE);
    assert_ptr_equal(event.raw.p, text);
    assert_ptr_equal(event.data.p, text + 15);
    assert_int_equal(used, event.raw.size);
    const char *rest = text + used;
    assert_int_equal(lh_sse_next(&sse, rest, sizeof(text) - 1 - used, &used, &event), LH_DONE);
    assert_ptr_equal(event.raw.p, rest);
    assert_null(sse.carry.data);
    lh_sse_free(&sse);
}

static void an_unfinished_last_event_is_shown_at_the_end(void **state)
{
    (void)state;
    static const char *const texts[] = {"data: [DONE]", "data: [DONE]\n", "data: [DONE]\r\n"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct lh_sse sse;
        struct lh_sse_event event;
        size_t used;
        lh_sse_init(&sse, &host, 1024);
        assert_int_equal(lh_sse_next(&sse, texts[i], strlen(texts[i]), &used, &event), LH_MORE);
        assert_int_equal(lh_sse_finish(&sse, &event), LH_DONE);
        assert_true(event.has_data && lb_str_eq_c(event.data, "[DONE]"));
        assert_true(lb_str_eq_c(event.raw, texts[i]));
        lh_sse_free(&sse);
    }
}

/* A line of `size` bytes in steps; then an empty line. */
static enum lh_result long_line(size_t size, size_t limit, size_t step, size_t *data_size)
{
    struct lh_sse sse;
    struct lh_sse_event event;
    enum lh_result result = LH_MORE;
    char *text = malloc(size + 2);

    assert_non_null(text);
    memset(text, 'a', size);
    memcpy(text, "data: ", 6);
    memcpy(text + size, "\n\n", 2);
    lh_sse_init(&sse, &host, limit);
    for (size_t at = 0; at < size + 2 && result == LH_MORE; at += step) {
        size_t used;
        size_t piece = step < size + 2 - at ? step : size + 2 - at;
        result = lh_sse_next(&sse, text + at, piece, &used, &event);
    }
    if (result == LH_DONE)
        *data_size = event.data.size;
    if (result == LH_FAILED)
        assert_int_equal(sse.error, LH_ERR_EVENT_LONG);
    lh_sse_free(&sse);
    free(text);
    return result;
}

static void a_megabyte_line_passes_and_the_cap_holds(void **state)
{
    (void)state;
    static const size_t steps[] = {1, 1000, 16384, SIZE_MAX / 2};
    size_t data_size = 0;

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        assert_int_equal(long_line(1100000, LH_SSE_EVENT_MAX, steps[i], &data_size), LH_DONE);
        assert_int_equal(data_size, 1100000 - 6);
        assert_int_equal(long_line(4095, 4096, steps[i], &data_size), LH_DONE);
        assert_int_equal(long_line(4096, 4096, steps[i], &data_size), LH_FAILED);
        assert_int_equal(long_line(4097, 4096, steps[i], &data_size), LH_FAILED);
        assert_int_equal(long_line(100000, 4096, steps[i], &data_size), LH_FAILED);
    }
}

static void a_failure_sticks(void **state)
{
    (void)state;
    struct lh_sse sse;
    struct lh_sse_event event;
    size_t used;

    lh_sse_init(&sse, &host, 8);
    assert_int_equal(lh_sse_next(&sse, "data: 0123456789", 16, &used, &event), LH_FAILED);
    assert_int_equal(lh_sse_next(&sse, "\n\n", 2, &used, &event), LH_FAILED);
    assert_int_equal(lh_sse_finish(&sse, &event), LH_FAILED);
    assert_int_equal(sse.error, LH_ERR_EVENT_LONG);
    lh_sse_free(&sse);
}

struct scarce {
    size_t left; /* allocations that still succeed */
};

static void *scarce_alloc(size_t size, void *context)
{
    struct scarce *scarce = context;
    return scarce->left != 0 && scarce->left-- != 0 ? malloc(size) : NULL;
}

static void *scarce_realloc(void *p, size_t size, void *context)
{
    struct scarce *scarce = context;
    return scarce->left != 0 && scarce->left-- != 0 ? realloc(p, size) : NULL;
}

static void scarce_free(void *p, void *context)
{
    (void)context;
    free(p);
}

static void scarce_memory_is_an_error_not_a_crash(void **state)
{
    (void)state;
    static const char text[] =
        "data: a line that is long enough to need more than one block, cut\n"
        "data: in two and joined from two lines, so both buffers are used\n\n";
    struct scarce scarce = {0};
    struct lb_host poor = host;
    bool passed = false;

    poor.memory = (struct llmgr_allocator){scarce_alloc, scarce_realloc, scarce_free, &scarce};
    for (size_t allowed = 0; !passed; allowed++) {
        struct lh_sse sse;
        struct lh_sse_event event;
        size_t used;
        assert_true(allowed < 20);
        scarce.left = allowed;
        lh_sse_init(&sse, &poor, 4096);
        enum lh_result result = lh_sse_next(&sse, text, 40, &used, &event);
        if (result == LH_MORE)
            result = lh_sse_next(&sse, text + 40, sizeof(text) - 41, &used, &event);
        passed = result == LH_DONE;
        if (!passed)
            assert_int_equal(sse.error, LH_ERR_NO_MEMORY);
        lh_sse_free(&sse);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_are_the_same_however_the_bytes_arrive),
        cmocka_unit_test(a_whole_event_is_not_copied),
        cmocka_unit_test(an_unfinished_last_event_is_shown_at_the_end),
        cmocka_unit_test(a_megabyte_line_passes_and_the_cap_holds),
        cmocka_unit_test(a_failure_sticks),
        cmocka_unit_test(scarce_memory_is_an_error_not_a_crash),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
