/* SPDX-License-Identifier: MIT */
/* Errors that come as answers: shown to the owner before they leave, however they arrive. */
#include "tap_relay.h"

/* The owner's function: K is what must not be seen. */
static void hide(void *context, char *text, size_t size)
{
    (void)context;
    for (size_t i = 0; i < size; i++)
        text[i] = text[i] == 'K' ? '*' : text[i];
}

#define SAYS "data: {\"choices\":[{\"delta\":{\"content\":\"K\"}}]}\n\n"
#define HIDDEN(text, shown)                                                                        \
    {                                                                                              \
        LD_ENDPOINT_CHAT, true, text, shown                                                        \
    }
#define WHOLE(text, shown)                                                                         \
    {                                                                                              \
        LD_ENDPOINT_CHAT, false, text, shown                                                       \
    }
#define NATIVE(stream, text, shown)                                                                \
    {                                                                                              \
        LD_ENDPOINT_NATIVE, stream, text, shown                                                    \
    }

static const struct {
    enum ld_endpoint_id endpoint;
    bool stream;
    const char *text, *shown;
} ERRORS[] = {
    HIDDEN(SAYS "data: {\"error\":{\"message\":\"K\"}}\n\n" SAYS,
           SAYS "data: {\"error\":{\"message\":\"*\"}}\n\n" SAYS),
    HIDDEN("data: {\"error\":\"K\"}\r\n\r\n", "data: {\"error\":\"*\"}\r\n\r\n"),
    HIDDEN("event: error\ndata: {\"a\":\"K\"}\n\n", "event: error\ndata: {\"a\":\"*\"}\n\n"),
    HIDDEN("data: {\"object\":\"error\",\"message\":\"K\"}\n\n",
           "data: {\"object\":\"error\",\"message\":\"*\"}\n\n"),
    HIDDEN("data: {\"choices\":[{\"delta\":{},\"error\":{\"m\":\"K\"}}]}\n\n",
           "data: {\"choices\":[{\"delta\":{},\"error\":{\"m\":\"*\"}}]}\n\n"),
    HIDDEN("data: K\n\n: this is K\n\n{\"error\":\"K\"}\n\n",
           "data: *\n\n: this is *\n\n{\"error\":\"*\"}\n\n"),
    HIDDEN("data: {\"error\":\"K\"}", "data: {\"error\":\"*\"}"),
    HIDDEN("data: {\"error\":null,\"choices\":[{\"delta\":{\"content\":\"K\"}}]}\n\n",
           "data: {\"error\":null,\"choices\":[{\"delta\":{\"content\":\"K\"}}]}\n\n"),
    {LD_ENDPOINT_RESPONSES, true,
     "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"m\":\"K\"}}}\n\n",
     "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"m\":\"*\"}}}\n\n"},
    {LD_ENDPOINT_RESPONSES, true,
     "data: {\"type\":\"response.created\",\"response\":{\"error\":null,\"x\":\"K\"}}\n\n",
     "data: {\"type\":\"response.created\",\"response\":{\"error\":null,\"x\":\"K\"}}\n\n"},
    {LD_ENDPOINT_MESSAGES, true, "data: {\"type\":\"error\",\"x\":\"K\"}\n\n",
     "data: {\"type\":\"error\",\"x\":\"*\"}\n\n"},
    NATIVE(true, "data: {\"a\":\"K\"}\n\ndata: K\n\n", "data: {\"a\":\"K\"}\n\ndata: K\n\n"),
    NATIVE(true, "data: {\"error\":\"K\"}\n\n", "data: {\"error\":\"*\"}\n\n"),
    WHOLE("{\"error\":{\"message\":\"K\"}}", "{\"error\":{\"message\":\"*\"}}"),
    WHOLE(" {\"a\":\"K\",\"error\":\"x\"} ", " {\"a\":\"*\",\"error\":\"x\"} "),
    WHOLE("{\"code\":401,\"msg\":\"K\"}", "{\"code\":401,\"msg\":\"*\"}"),
    WHOLE("{\"usage\":{},\"base_resp\":{\"status_code\":1004,\"status_msg\":\"K\"}}",
          "{\"usage\":{},\"base_resp\":{\"status_code\":1004,\"status_msg\":\"*\"}}"),
    WHOLE("[{\"error\":{\"message\":\"K\"}}]", "[{\"error\":{\"message\":\"*\"}}]"),
    NATIVE(false, "{\"error_code\":110,\"error_msg\":\"K\"}",
           "{\"error_code\":110,\"error_msg\":\"*\"}"),
    NATIVE(false, "[{\"a\":\"K\"}]", "[{\"a\":\"K\"}]"),
    NATIVE(false, "[{\"a\":1},{\"error\":{\"message\":\"K\"}}]",
           "[{\"a\":1},{\"error\":{\"message\":\"*\"}}]"),
    NATIVE(false, "[[1],{\"error\":\"K\"}]", "[[1],{\"error\":\"K\"}]"),
    WHOLE("{\"error\":\"K", "{\"error\":\"*"),
    WHOLE("K", "*"),
    WHOLE("{\"choices\":[{\"message\":{\"content\":\"K\"}}]}",
          "{\"choices\":[{\"message\":{\"content\":\"K\"}}]}"),
    WHOLE("{\"error\":null,\"data\":[\"K\"]}", "{\"error\":null,\"data\":[\"K\"]}"),
    NATIVE(false, "{\"a\":\"K\"}", "{\"a\":\"K\"}"),
    NATIVE(false, "K", "K"),
    NATIVE(false, "{\"error\":{\"m\":\"K\"}}", "{\"error\":{\"m\":\"*\"}}"),
};

/* Feeds a copy that may be written to in pieces of `first`, then `step` bytes. */
static void check_error(size_t row, size_t first, size_t step)
{
    struct lb_str text = lb_cstr(ERRORS[row].text);
    struct relay relay;

    begin(&relay, ERRORS[row].endpoint, ERRORS[row].stream);
    relay.options.refusal = hide;
    start(&relay);
    for (size_t at = 0, size = first; at < text.size; at += size, size = step) {
        char *piece = malloc(size);
        struct lb_str in = lb_str_sub(text, at, at + size);
        memcpy(piece, in.p, in.size);
        feed(&relay, lb_str(piece, in.size));
        free(piece);
    }
    finish(&relay);
    if (!lb_str_eq_c(lb_buf_str(&relay.forwarded), ERRORS[row].shown))
        fail_msg("%zu+%zu: %s became %s", first, step, text.p, lb_buf_c(&relay.forwarded));
    end(&relay);
}

static void an_error_is_shown_to_the_owner_before_it_leaves(void **state)
{
    (void)state;
    for (size_t row = 0; row < sizeof ERRORS / sizeof ERRORS[0]; row++) {
        size_t size = strlen(ERRORS[row].text);
        check_error(row, 1, 1);
        for (size_t first = 1; first <= size; first++)
            check_error(row, first, size);
    }
}

/* An error that begins when the answer has: from there on it is held. */
static void an_error_behind_an_answer_is_held(void **state)
{
    struct relay relay;
    char good[] = "{\"choices\":[{\"message\":{\"content\":\"K\"}}],";
    char bad[][24] = {"\"error\":{\"message\":\"", "K", "\"}}"};

    (void)state;
    begin(&relay, LD_ENDPOINT_CHAT, false);
    relay.options.refusal = hide;
    start(&relay);
    feed(&relay, lb_cstr(good));
    assert_true(lb_str_eq_c(lb_buf_str(&relay.forwarded), good));
    for (size_t i = 0; i < 3; i++)
        feed(&relay, lb_cstr(bad[i]));
    assert_int_equal(relay.forwarded.size, strlen(good));
    finish(&relay);
    assert_true(lb_str_ends(lb_buf_str(&relay.forwarded), LB_STR("\"message\":\"*\"}}")));
    end(&relay);
}

static void an_error_beyond_what_may_be_held_is_cut(void **state)
{
    char *text = malloc(LD_TAP_EVENT_MAX + 4096);

    (void)state;
    for (int shape = 0; shape < 3; shape++) {
        size_t size = shape == 1 ? LD_TAP_HOLD_MAX + 4096 : LD_TAP_EVENT_MAX + 2048;
        struct relay relay;
        begin(&relay, LD_ENDPOINT_CHAT, shape > 0);
        relay.options.refusal = hide;
        start(&relay);
        memset(text, 'x', size);
        const char *head = shape > 0 ? SAYS "data: {\"error\":\"" : "{\"error\":\"";
        memcpy(text, head, strlen(head));
        memcpy(text + size - 5, "K\"}\n\n", 5);
        for (size_t at = 0; at < size; at += 5000)
            feed(&relay, lb_str(text + at, size - at < 5000 ? size - at : 5000));
        finish(&relay);
        size_t seen = shape > 0 ? strlen(SAYS) : 0;
        assert_true(relay.forwarded.size >= seen);
        if (relay.forwarded.size > seen)
            assert_null(memchr(relay.forwarded.data + seen, 'K', relay.forwarded.size - seen));
        assert_int_equal(relay.forwarded.size + relay.tap.filter.report.withheld, size);
        assert_true(relay.tap.filter.report.failed);
        assert_false(ld_filter_complete(&relay.tap.filter));
        end(&relay);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_error_is_shown_to_the_owner_before_it_leaves),
        cmocka_unit_test(an_error_behind_an_answer_is_held),
        cmocka_unit_test(an_error_beyond_what_may_be_held_is_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
