/* SPDX-License-Identifier: MIT */
/* Chunked bodies as a table, each whole, byte by byte and split everywhere; then the other kinds.
 */
#include "http/body.h"

#include <stdlib.h>

#include "../unit.h"

enum { PAYLOAD_MAX = 256 };

struct outcome {
    enum lh_result result;
    enum lh_error error;
    size_t used;
    char payload[PAYLOAD_MAX];
    size_t size;
};

struct vector {
    const char *bytes;
    size_t size;
    const char *payload; /* NULL: refused */
    enum lh_error error; /* OK with a payload: complete; with rest bytes unread */
    size_t rest;
};

#define WHOLE(bytes, payload, rest)                                                                \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, payload, LH_ERR_OK, rest                                         \
    }
#define BAD(bytes, error)                                                                          \
    {                                                                                              \
        bytes, sizeof(bytes) - 1, NULL, LH_ERR_##error, 0                                          \
    }

static const struct vector vectors[] = {
    WHOLE("0\r\n\r\n", "", 0),
    WHOLE("5\r\nhello\r\n0\r\n\r\n", "hello", 0),
    WHOLE("5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n", "hello", 16),
    WHOLE("1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", "abc", 0),
    WHOLE("a\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0),
    WHOLE("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", 0),
    WHOLE("0a\r\n0123456789\r\n000\r\n\r\n", "0123456789", 0),
    WHOLE("0000000000000001\r\na\r\n0\r\n\r\n", "a", 0),
    WHOLE("4\r\n\r\n\r\n\r\n0\r\n\r\n", "\r\n\r\n", 0),
    WHOLE("1;a\r\nx\r\n0;b=\"c\"\r\n\r\n", "x", 0),
    WHOLE("1; a = b\t;c\r\nx\r\n0\r\n\r\n", "x", 0),
    WHOLE("1;a=b;\tc =\t\"d\" ;e\r\nx\r\n0;a=b\r\n\r\n", "x", 0),
    WHOLE("1;a=\"\"\r\nx\r\n0\r\n\r\n", "x", 0),
    WHOLE("1;a=\";\t=,\\\"\\\\\xff\\\xff\"\r\nx\r\n0\r\n\r\n", "x", 0),
    WHOLE("1\r\nx\r\n0\r\nA: b\r\nC:\r\nD: \xff\t e\r\n\r\n", "x", 0),
    BAD("\r\n", CHUNK_SIZE),
    BAD("\n", CHUNK_SIZE),
    BAD(";a\r\n", CHUNK_SIZE),
    BAD("g\r\n", CHUNK_SIZE),
    BAD("0x5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    BAD("+5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    BAD("-5\r\nhello\r\n0\r\n\r\n", CHUNK_SIZE),
    BAD("-0\r\n\r\n", CHUNK_SIZE),
    BAD("1_0\r\n", CHUNK_SIZE),
    BAD(" 5\r\nhello\r\n", CHUNK_SIZE),
    BAD("5 \r\nhello\r\n", CHUNK_SIZE),
    BAD("5 ;a\r\nhello\r\n", CHUNK_SIZE),
    BAD("5\t\r\nhello\r\n", CHUNK_SIZE),
    BAD("5,5\r\nhello\r\n", CHUNK_SIZE),
    BAD("\xef\xbc\x95\r\nhello\r\n", CHUNK_SIZE),
    BAD("5\0\r\nhello\r\n", CHUNK_SIZE),
    BAD("5\nhello\r\n", BARE_LF),
    BAD("5\rhello\r\n", BARE_CR),
    BAD("5\r\r\nhello", BARE_CR),
    BAD("5;a\nhello\r\n", BARE_LF),
    BAD("5;a\rb\r\nhello\r\n", BARE_CR),
    BAD("5;a\0\r\nhello\r\n", CHUNK_EXTENSION),
    BAD("5;\x7f\r\nhello\r\n", CHUNK_EXTENSION),
    BAD("1;\r\n", CHUNK_EXTENSION),
    BAD("1; \r\n", CHUNK_EXTENSION),
    BAD("1;;a\r\n", CHUNK_EXTENSION),
    BAD("1;a;\r\n", CHUNK_EXTENSION),
    BAD("1;=b\r\n", CHUNK_EXTENSION),
    BAD("1;a=\r\n", CHUNK_EXTENSION),
    BAD("1;a= \r\n", CHUNK_EXTENSION),
    BAD("1;a \r\n", CHUNK_EXTENSION),
    BAD("1;a=b \r\n", CHUNK_EXTENSION),
    BAD("1;a b\r\n", CHUNK_EXTENSION),
    BAD("1;a=b c\r\n", CHUNK_EXTENSION),
    BAD("1;a=b=c\r\n", CHUNK_EXTENSION),
    BAD("1;a==b\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"b\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"b\\\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"b\"c\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"b\"\"c\"\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"b\"=c\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"b\" \r\n", CHUNK_EXTENSION),
    BAD("1;a=b\"c\"\r\n", CHUNK_EXTENSION),
    BAD("1;\"a\"\r\n", CHUNK_EXTENSION),
    BAD("1;a,b\r\n", CHUNK_EXTENSION),
    BAD("1;a=(b)\r\n", CHUNK_EXTENSION),
    BAD("1;a/b\r\n", CHUNK_EXTENSION),
    BAD("1;\xff\r\n", CHUNK_EXTENSION),
    BAD("1;a=\xff\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"\0\"\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"\\\x01\"\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"\x7f\"\r\n", CHUNK_EXTENSION),
    BAD("1;a=\"\\\x7f\"\r\n", CHUNK_EXTENSION),
    BAD("1;\ra\r\n", CHUNK_EXTENSION),
    BAD("1;a=\rb\r\n", CHUNK_EXTENSION),
    BAD("0;\r\n\r\n", CHUNK_EXTENSION),
    BAD("0;a=\"\r\n\r\n", CHUNK_EXTENSION),
    BAD("1;\n", BARE_LF),
    BAD("1;a=\n", BARE_LF),
    BAD("1;a=\"b\n", BARE_LF),
    BAD("1;a=\"\\\n", BARE_LF),
    BAD("1;a=b\rc\r\n", BARE_CR),
    BAD("1;a=\"b\"\rc", BARE_CR),
    BAD("5\r\nhello0\r\n\r\n", CHUNK_END),
    BAD("5\r\nhello\n0\r\n\r\n", CHUNK_END),
    BAD("5\r\nhello\r0\r\n\r\n", CHUNK_END),
    BAD("5\r\nhello!\r\n0\r\n\r\n", CHUNK_END),
    BAD("8000000000000000\r\n", CHUNK_LONG),
    BAD("ffffffffffffffff\r\n", CHUNK_LONG),
    BAD("10000000000000000\r\n", CHUNK_LONG),
    BAD("00000000000000001\r\n", CHUNK_LONG),
    BAD("100000000000000000000000000000005\r\nhello", CHUNK_LONG),
    BAD("0\r\n\n", BARE_LF),
    BAD("0\r\n\rX", BARE_CR),
    BAD("0\r\nX\r\n\r\n", TRAILER),
    BAD("0\r\nX : y\r\n\r\n", TRAILER),
    BAD("0\r\n X: y\r\n\r\n", TRAILER),
    BAD("0\r\nX: y\r\n z\r\n\r\n", TRAILER),
    BAD("0\r\n: y\r\n\r\n", TRAILER),
    BAD("0\r\nX: \x01\r\n\r\n", TRAILER),
    BAD("0\r\nX: y\n\r\n", BARE_LF),
    BAD("0\r\nX: y\rz", BARE_CR),
};

static struct outcome feed(const struct vector *vector, size_t first, size_t step)
{
    struct lh_chunked chunked;
    struct outcome out = {.result = LH_MORE};
    size_t end = first;

    lh_chunked_init(&chunked);
    while (out.result == LH_MORE && out.used < vector->size) {
        while (end <= out.used)
            end += step;
        size_t size = (end < vector->size ? end : vector->size) - out.used;
        char *block = malloc(size);
        assert_non_null(block);
        memcpy(block, vector->bytes + out.used, size);
        struct lb_str run;
        size_t used;
        out.result = lh_chunked_next(&chunked, block, size, &used, &run);
        assert_true(run.size == 0 || (run.p >= block && run.p + run.size <= block + used));
        assert_true(out.size + run.size <= PAYLOAD_MAX);
        memcpy(out.payload + out.size, run.p, run.size);
        out.size += run.size;
        out.used += used;
        free(block);
    }
    out.error = chunked.error;
    return out;
}

static void check(const struct vector *vector, struct outcome out)
{
    if (vector->payload == NULL) {
        if (out.result != LH_FAILED || out.error != vector->error)
            fail_msg("%s for:\n%s", lh_error_name(out.error), vector->bytes);
        return;
    }
    if (out.result != LH_DONE || out.used != vector->size - vector->rest ||
        !lb_str_eq_c(lb_str(out.payload, out.size), vector->payload))
        fail_msg("not decoded (%s):\n%s", lh_error_name(out.error), vector->bytes);
}

static void chunks_are_judged_alike_however_they_arrive(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
        check(&vectors[i], feed(&vectors[i], 1, 1));
        for (size_t first = 1; first <= vectors[i].size; first++)
            check(&vectors[i], feed(&vectors[i], first, vectors[i].size));
    }
}

static void an_unfinished_body_asks_for_more(void **state)
{
    (void)state;
    static const char text[] = "5;a\r\nhello\r\n0\r\nX: y\r\n\r\n";

    for (size_t size = 0; size < sizeof(text) - 1; size++) {
        struct vector cut = {text, size, "", LH_ERR_OK, 0};
        assert_int_equal(feed(&cut, 1, 1).result, LH_MORE);
    }
}

/* Feeds `count` copies of `unit` and returns the error met, or OK. */
static enum lh_error flood(const char *start, const char *unit, size_t count)
{
    struct lh_chunked chunked;
    struct lb_str run;
    size_t used;

    lh_chunked_init(&chunked);
    assert_int_equal(lh_chunked_next(&chunked, start, strlen(start), &used, &run), LH_MORE);
    for (size_t i = 0; i < count; i++) {
        struct lb_str rest = lb_cstr(unit);
        while (rest.size != 0) {
            if (lh_chunked_next(&chunked, rest.p, rest.size, &used, &run) == LH_FAILED)
                return chunked.error;
            rest = lb_str_sub(rest, used, rest.size);
        }
    }
    return LH_ERR_OK;
}

static void extensions_and_trailers_are_capped_over_the_whole_body(void **state)
{
    (void)state;
    assert_int_equal(flood("1;", "a", LH_CHUNK_EXTENSION_MAX), LH_ERR_OK);
    assert_int_equal(flood("1;", "a", LH_CHUNK_EXTENSION_MAX + 1), LH_ERR_CHUNK_EXTENSION);
    assert_int_equal(flood("", "1;aaaa\r\nx\r\n", LH_CHUNK_EXTENSION_MAX / 4), LH_ERR_OK);
    assert_int_equal(flood("", "1;aaaa\r\nx\r\n", LH_CHUNK_EXTENSION_MAX / 4 + 1),
                     LH_ERR_CHUNK_EXTENSION);
    assert_int_equal(flood("", "1\r\nx\r\n", 100000), LH_ERR_OK);
    assert_int_equal(flood("0\r\n", "X: y\r\n", 1000), LH_ERR_OK);
    assert_int_equal(flood("0\r\n", "X: y\r\n", 10000), LH_ERR_TRAILER_LONG);
}

static void the_encoder_writes_what_the_decoder_reads(void **state)
{
    (void)state;
    static const struct {
        uint64_t size;
        const char *text;
    } rows[] = {
        {1, "1\r\n"},
        {15, "f\r\n"},
        {16, "10\r\n"},
        {255, "ff\r\n"},
        {4096, "1000\r\n"},
        {0xdeadbeef, "deadbeef\r\n"},
        {UINT64_MAX, "ffffffffffffffff\r\n"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[LH_CHUNK_HEAD_MAX];
        size_t size = lh_chunk_head(out, rows[i].size);
        assert_true(lb_str_eq_c(lb_str(out, size), rows[i].text));
    }
}

static struct lh_body body_of(enum lh_body_kind kind, uint64_t length)
{
    struct lh_head head = {.body = kind, .length = length};
    struct lh_body body;

    lh_body_init(&body, &head);
    return body;
}

static void a_body_of_known_length_ends_there(void **state)
{
    (void)state;
    struct lh_body body = body_of(LH_BODY_LENGTH, 5);
    struct lb_str payload;
    size_t used;

    assert_int_equal(lh_body_next(&body, "hel", 3, &used, &payload), LH_MORE);
    assert_int_equal(used, 3);
    assert_true(lb_str_eq_c(payload, "hel"));
    assert_false(lh_body_eof_is_end(&body));
    assert_int_equal(lh_body_next(&body, "loGET", 5, &used, &payload), LH_DONE);
    assert_int_equal(used, 2);
    assert_true(lb_str_eq_c(payload, "lo"));
    assert_true(lh_body_eof_is_end(&body));
    assert_int_equal(lh_body_next(&body, "GET", 3, &used, &payload), LH_DONE);
    assert_int_equal(used, 0);
    assert_int_equal(payload.size, 0);
}

static void a_body_until_close_ends_well_at_any_byte(void **state)
{
    (void)state;
    struct lh_body body = body_of(LH_BODY_UNTIL_CLOSE, 0);
    struct lb_str payload;
    size_t used;

    assert_true(lh_body_eof_is_end(&body));
    assert_int_equal(lh_body_next(&body, "all", 3, &used, &payload), LH_MORE);
    assert_int_equal(used, 3);
    assert_true(lb_str_eq_c(payload, "all"));
    assert_true(lh_body_eof_is_end(&body));
}

static void a_chunked_body_is_cut_before_its_last_byte(void **state)
{
    (void)state;
    static const char text[] = "1\r\na\r\n0\r\n\r\n";
    struct lh_body body = body_of(LH_BODY_CHUNKED, 0);
    struct lb_str payload;
    size_t used;

    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        assert_false(lh_body_eof_is_end(&body));
        assert_int_equal(lh_body_next(&body, text + i, 1, &used, &payload),
                         i + 2 == sizeof(text) ? LH_DONE : LH_MORE);
        assert_int_equal(used, 1);
    }
    assert_true(lh_body_eof_is_end(&body));
    body = body_of(LH_BODY_CHUNKED, 0);
    assert_int_equal(lh_body_next(&body, "x", 1, &used, &payload), LH_FAILED);
    assert_int_equal(lh_body_error(&body), LH_ERR_CHUNK_SIZE);
    assert_false(lh_body_eof_is_end(&body));
}

static void no_body_is_done_at_once(void **state)
{
    (void)state;
    struct lh_body body = body_of(LH_BODY_NONE, 0);
    struct lb_str payload;
    size_t used;

    assert_int_equal(lh_body_next(&body, NULL, 0, &used, &payload), LH_DONE);
    assert_true(lh_body_eof_is_end(&body));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks_are_judged_alike_however_they_arrive),
        cmocka_unit_test(an_unfinished_body_asks_for_more),
        cmocka_unit_test(extensions_and_trailers_are_capped_over_the_whole_body),
        cmocka_unit_test(the_encoder_writes_what_the_decoder_reads),
        cmocka_unit_test(a_body_of_known_length_ends_there),
        cmocka_unit_test(a_body_until_close_ends_well_at_any_byte),
        cmocka_unit_test(a_chunked_body_is_cut_before_its_last_byte),
        cmocka_unit_test(no_body_is_done_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
