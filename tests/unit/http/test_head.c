/* SPDX-License-Identifier: MIT */
/*
 * The framing suite: every vector whole, byte by byte, split at every offset, and in a buffer that
 * moves, always with the same verdict.
 */
#include "http/head.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"

enum { FIELD_CAP = 16 };

/* The rows of http/error.h, and MORE. */
#define VERDICT(name) VERDICT_##name
enum verdict {
#define LH_ERROR_ENUM(name, http, text) VERDICT_##name = LH_ERR_##name,
    LH_ERROR_MAP(LH_ERROR_ENUM)
#undef LH_ERROR_ENUM
        VERDICT_MORE = 1000
};

struct vector {
    const char *bytes;
    size_t size;
    int verdict;
    bool is_response;
    enum lh_reply_to reply_to;
    enum lh_body_kind body;
    bool keep_alive;
};

static const struct vector requests[] = {
#define XX(bytes, verdict)                                                                         \
    {bytes, sizeof(bytes) - 1, VERDICT(verdict), false, LH_REPLY_TO_OTHER, LH_BODY_NONE, false},
#include "request_vectors.def"
#undef XX
};

static const struct vector responses[] = {
#define XX(bytes, reply_to, verdict, body, keep_alive)                                             \
    {bytes,          sizeof(bytes) - 1, VERDICT(verdict), true, LH_REPLY_TO_##reply_to,            \
     LH_BODY_##body, keep_alive},
#include "response_vectors.def"
#undef XX
};

struct run {
    struct lh_head head;
    struct lh_field fields[FIELD_CAP];
};

static void start(struct run *run, const struct vector *vector)
{
    if (vector->is_response)
        lh_head_init_response(&run->head, run->fields, FIELD_CAP, &lh_limits_default,
                              vector->reply_to);
    else
        lh_head_init_request(&run->head, run->fields, FIELD_CAP, &lh_limits_default);
}

static int verdict_of(const struct run *run, enum lh_result result)
{
    if (result == LH_MORE)
        return VERDICT_MORE;
    return result == LH_DONE ? LH_ERR_OK : (int)run->head.error;
}

static const char *verdict_name(int verdict)
{
    return verdict == VERDICT_MORE ? "MORE" : lh_error_name((enum lh_error)verdict);
}

static void check(const struct vector *vector, const struct run *run, enum lh_result result,
                  const char *how)
{
    int verdict = verdict_of(run, result);

    if (verdict != vector->verdict)
        fail_msg("%s: %s instead of %s for:\n%s", how, verdict_name(verdict),
                 verdict_name(vector->verdict), vector->bytes);
    if (result != LH_DONE)
        return;
    if (vector->is_response &&
        (run->head.body != vector->body || run->head.keep_alive != vector->keep_alive))
        fail_msg("%s: body %d, keep-alive %d for:\n%s", how, (int)run->head.body,
                 run->head.keep_alive, vector->bytes);
    assert_true(run->head.size <= vector->size);
}

static void feed_whole(const struct vector *vector)
{
    struct run run;
    start(&run, vector);
    check(vector, &run, lh_head_parse(&run.head, vector->bytes, vector->size), "whole");
}

static void feed_bytes(const struct vector *vector)
{
    struct run run;
    enum lh_result result = LH_MORE;

    start(&run, vector);
    for (size_t size = 0; size <= vector->size && result == LH_MORE; size++)
        result = lh_head_parse(&run.head, vector->bytes, size);
    check(vector, &run, result, "byte by byte");
}

static void feed_split(const struct vector *vector, size_t at)
{
    struct run run;
    enum lh_result result;

    start(&run, vector);
    result = lh_head_parse(&run.head, vector->bytes, at);
    if (result == LH_MORE)
        result = lh_head_parse(&run.head, vector->bytes, vector->size);
    check(vector, &run, result, "split");
}

/* Each call sees the bytes in a new block of exactly their size; a sanitizer sees over-reads. */
static void feed_moving(const struct vector *vector)
{
    struct run run;
    enum lh_result result = LH_MORE;
    char *block = NULL;

    start(&run, vector);
    for (size_t size = 1; size <= vector->size && result == LH_MORE; size++) {
        char *moved = malloc(size);
        assert_non_null(moved);
        memcpy(moved, vector->bytes, size);
        free(block);
        block = moved;
        result = lh_head_parse(&run.head, block, size);
    }
    check(vector, &run, result, "moving");
    free(block);
}

static void feed(const struct vector *vectors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        feed_whole(&vectors[i]);
        feed_bytes(&vectors[i]);
        feed_moving(&vectors[i]);
        for (size_t at = 0; at <= vectors[i].size; at++)
            feed_split(&vectors[i], at);
    }
}

static void requests_are_judged_alike_however_they_arrive(void **state)
{
    (void)state;
    assert_true(sizeof(requests) / sizeof(requests[0]) >= 200);
    feed(requests, sizeof(requests) / sizeof(requests[0]));
}

static void responses_are_judged_alike_however_they_arrive(void **state)
{
    (void)state;
    feed(responses, sizeof(responses) / sizeof(responses[0]));
}

static void refused_requests_have_an_answer(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
        if (requests[i].verdict == VERDICT_MORE || requests[i].verdict == LH_ERR_OK)
            continue;
        int http = lh_error_http((enum lh_error)requests[i].verdict);
        int wanted = requests[i].verdict == LH_ERR_VERSION_UNKNOWN ? 505
                     : requests[i].verdict == LH_ERR_EXPECT        ? 417
                                                                   : 400;
        assert_int_equal(http, wanted);
    }
}

static enum lh_result parse(struct run *run, const char *text)
{
    lh_head_init_request(&run->head, run->fields, FIELD_CAP, &lh_limits_default);
    return lh_head_parse(&run->head, text, strlen(text));
}

static void assert_slice(struct lb_str s, const char *text)
{
    if (!lb_str_eq_c(s, text))
        fail_msg("\"%.*s\" instead of \"%s\"", (int)s.size, s.p, text);
}

static void a_request_is_taken_apart(void **state)
{
    (void)state;
    struct run run;
    static const char text[] = "POST /v1/chat?x=1&y HTTP/1.1\r\nHOST: Example.com:8080\r\n"
                               "content-TYPE:  application/json \r\nX-Other: a\r\nx-other: b\r\n"
                               "Connection: X-Other , Keep-Alive\r\nContent-Length: 5\r\n"
                               "Expect: 100-continue\r\n\r\nhello";

    assert_int_equal(parse(&run, text), LH_DONE);
    assert_int_equal(run.head.method, LH_METHOD_POST);
    assert_slice(run.head.method_name, "POST");
    assert_slice(run.head.target, "/v1/chat?x=1&y");
    assert_slice(run.head.path, "/v1/chat");
    assert_slice(run.head.query, "x=1&y");
    assert_slice(run.head.host, "Example.com:8080");
    assert_int_equal(run.head.minor, 1);
    assert_int_equal(run.head.field_count, 7);
    assert_int_equal(run.head.body, LH_BODY_LENGTH);
    assert_int_equal(run.head.length, 5);
    assert_true(run.head.keep_alive);
    assert_true(run.head.expect_continue);
    assert_string_equal(text + run.head.size, "hello");
    assert_slice(lh_head_get(&run.head, LH_HEADER_CONTENT_TYPE), "application/json");
    assert_slice(lh_head_get_named(&run.head, LB_STR("Content-Type")), "application/json");
    assert_slice(lh_head_get_named(&run.head, LB_STR("X-OTHER")), "a");
    assert_null(lh_head_get(&run.head, LH_HEADER_AUTHORIZATION).p);
    assert_null(lh_head_get_named(&run.head, LB_STR("X-None")).p);
    assert_true(lh_head_is_hop(&run.head, &run.fields[2]));
    assert_true(lh_head_is_hop(&run.head, &run.fields[4]));
    assert_false(lh_head_is_hop(&run.head, &run.fields[1]));
    assert_int_equal(lh_head_parse(&run.head, text, sizeof(text) - 1), LH_DONE);
}

static void an_absolute_target_is_reduced(void **state)
{
    (void)state;
    struct run run;

    assert_int_equal(parse(&run, "GET http://B:81/x?y HTTP/1.1\r\nHost: a\r\n\r\n"), LH_DONE);
    assert_slice(run.head.host, "B:81");
    assert_slice(run.head.path, "/x");
    assert_slice(run.head.query, "y");
    assert_int_equal(parse(&run, "GET http://b?y HTTP/1.1\r\nHost: a\r\n\r\n"), LH_DONE);
    assert_slice(run.head.path, "/");
    assert_slice(run.head.query, "y");
    assert_int_equal(parse(&run, "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n"), LH_DONE);
    assert_slice(run.head.path, "*");
}

static void requests_keep_alive_as_their_version_and_connection_say(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool keep_alive;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: a,, CLOSE\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n", true},
        {"GET / HTTP/1.0\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", true},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct run run;
        assert_int_equal(parse(&run, rows[i].text), LH_DONE);
        assert_int_equal(run.head.keep_alive, rows[i].keep_alive);
    }
}

/* Builds "GET /aaa HTTP/1.1" + Host + "X: bbb" with so many a's and b's. */
static size_t build(char *out, size_t a, size_t b)
{
    size_t size = 5;
    memcpy(out, "GET /", 5);
    memset(out + size, 'a', a);
    size += a;
    memcpy(out + size, " HTTP/1.1\r\nHost: a\r\nX: ", 23);
    size += 23;
    memset(out + size, 'b', b);
    size += b;
    memcpy(out + size, "\r\n\r\n", 4);
    return size + 4;
}

static enum lh_error limited(const char *text, size_t size, size_t step)
{
    struct run run;
    enum lh_result result = LH_MORE;

    lh_head_init_request(&run.head, run.fields, FIELD_CAP, &lh_limits_default);
    for (size_t at = step < size ? step : size; result == LH_MORE; at += step) {
        result = lh_head_parse(&run.head, text, at < size ? at : size);
        if (at >= size)
            break;
    }
    assert_int_not_equal(result, LH_MORE);
    return result == LH_DONE ? LH_ERR_OK : run.head.error;
}

static void limits_hold_to_the_byte(void **state)
{
    (void)state;
    static char text[70000];
    static const size_t steps[] = {1, 7, 4096, sizeof(text)};
    const size_t line = 8192 - 14;          /* a's that fill the request line */
    const size_t rest = 32768 - 5 - 23 - 4; /* b's that fill the head, without a's */

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        size_t step = steps[i];
        assert_int_equal(limited(text, build(text, line, 1), step), LH_ERR_OK);
        assert_int_equal(limited(text, build(text, line + 1, 1), step), LH_ERR_TARGET_LONG);
        assert_int_equal(limited(text, build(text, 60000, 1), step), LH_ERR_TARGET_LONG);
        assert_int_equal(limited(text, build(text, 1, rest - 1), step), LH_ERR_OK);
        assert_int_equal(limited(text, build(text, 1, rest), step), LH_ERR_HEAD_LONG);
        assert_int_equal(limited(text, build(text, line, rest - line + 1), step), LH_ERR_HEAD_LONG);
    }
    assert_int_equal(lh_error_http(LH_ERR_TARGET_LONG), 414);
    assert_int_equal(lh_error_http(LH_ERR_HEAD_LONG), 431);
}

static void the_number_of_fields_is_limited(void **state)
{
    (void)state;
    struct run run;
    char text[1024] = "GET / HTTP/1.1\r\nHost: a\r\n";

    for (int i = 1; i < FIELD_CAP; i++)
        strcat(text, "X: y\r\n");
    strcat(text, "\r\n");
    assert_int_equal(parse(&run, text), LH_DONE);
    text[strlen(text) - 2] = '\0';
    strcat(text, "X: y\r\n\r\n");
    assert_int_equal(parse(&run, text), LH_FAILED);
    assert_int_equal(run.head.error, LH_ERR_FIELDS);
    assert_int_equal(lh_error_http(LH_ERR_FIELDS), 431);
}

static void a_response_may_have_more_fields_than_are_kept(void **state)
{
    static const char *const LAST[] = {
        "Content-Length: 7\r\n", "Transfer-Encoding: chunked\r\n",
        "Connection: x\r\nConnection: close\r\nContent-Length: 7\r\n"};
    struct lh_field fields[LH_ANSWER_FIELDS];
    char text[8192];
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        struct lh_head head;
        strcpy(text, "HTTP/1.1 200 OK\r\n");
        for (int n = 0; n < 400; n++)
            strcat(text, n % 2 == 0 ? "X: y\r\n" : "Set-Cookie: z\r\n");
        strcat(strcat(text, LAST[i]), "\r\n");
        lh_head_init_response(&head, fields, LH_ANSWER_FIELDS, &lh_limits_default,
                              LH_REPLY_TO_OTHER);
        assert_int_equal(lh_head_parse(&head, text, strlen(text)), LH_DONE);
        assert_int_equal(head.body, i == 1 ? LH_BODY_CHUNKED : LH_BODY_LENGTH);
        assert_int_equal(head.length, i == 1 ? 0 : 7);
        assert_int_equal(head.keep_alive, i != 2);
        assert_true(head.field_count <= LH_ANSWER_FIELDS);
    }
}

static void what_frames_a_response_is_never_passed_over(void **state)
{
    struct lh_field fields[3];
    struct lh_head head;
    static const char *const FIELDS[] = {"Content-Length: 7", "Transfer-Encoding: chunked",
                                         "Connection: close", "Content-Type: x"};
    char text[256];
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nA: 1\r\nB: 2\r\nC: 3\r\nD: 4\r\n%s\r\n\r\n",
                 FIELDS[i]);
        lh_head_init_response(&head, fields, 3, &lh_limits_default, LH_REPLY_TO_OTHER);
        assert_int_equal(lh_head_parse(&head, text, strlen(text)), LH_FAILED);
        assert_int_equal(head.error, LH_ERR_FIELDS);
    }
}

static void a_failure_sticks(void **state)
{
    (void)state;
    struct run run;

    assert_int_equal(parse(&run, "GET / HTTP/1.1\n"), LH_FAILED);
    assert_int_equal(lh_head_parse(&run.head, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27), LH_FAILED);
    assert_int_equal(run.head.error, LH_ERR_BARE_LF);
}

static void bytes_searched_once_are_not_searched_again(void **state)
{
    (void)state;
    static const char text[] = "GET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    struct run run;

    lh_head_init_request(&run.head, run.fields, FIELD_CAP, &lh_limits_default);
    for (size_t size = 1; size < sizeof(text); size++) {
        assert_int_equal(lh_head_parse(&run.head, text, size), LH_MORE);
        assert_int_equal(run.head.scan, size);
    }
}

static void fewer_bytes_than_before_are_read_anew(void **state)
{
    (void)state;
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct run run;

    lh_head_init_request(&run.head, run.fields, FIELD_CAP, &lh_limits_default);
    assert_int_equal(lh_head_parse(&run.head, text, 20), LH_MORE);
    assert_int_equal(lh_head_parse(&run.head, text, 3), LH_MORE);
    assert_int_equal(run.head.scan, 3);
    assert_int_equal(lh_head_parse(&run.head, text, sizeof(text) - 1), LH_DONE);
    assert_int_equal(run.head.field_count, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_judged_alike_however_they_arrive),
        cmocka_unit_test(responses_are_judged_alike_however_they_arrive),
        cmocka_unit_test(refused_requests_have_an_answer),
        cmocka_unit_test(a_request_is_taken_apart),
        cmocka_unit_test(an_absolute_target_is_reduced),
        cmocka_unit_test(requests_keep_alive_as_their_version_and_connection_say),
        cmocka_unit_test(limits_hold_to_the_byte),
        cmocka_unit_test(the_number_of_fields_is_limited),
        cmocka_unit_test(a_response_may_have_more_fields_than_are_kept),
        cmocka_unit_test(what_frames_a_response_is_never_passed_over),
        cmocka_unit_test(a_failure_sticks),
        cmocka_unit_test(bytes_searched_once_are_not_searched_again),
        cmocka_unit_test(fewer_bytes_than_before_are_read_anew),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
