/* SPDX-License-Identifier: MIT */
#include "http/coding.h"

#include <brotli/encode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "../unit.h"

enum { TEXT_SIZE = 100000, ROOM = 300000 };
enum { ZSTD = 0, BROTLI = 1 }; /* no bits of deflate */

static struct lb_host host;
static char text[TEXT_SIZE];

/* What a library makes of the text; bits as deflateInit2 has them, or one of those below. */
static size_t compress_text(int bits, char *out)
{
    if (bits == BROTLI) {
        size_t size = ROOM;
        assert_true(BrotliEncoderCompress(5, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC,
                                          sizeof text, (uint8_t *)text, &size, (uint8_t *)out));
        return size;
    }
    if (bits == ZSTD) {
        size_t size = ZSTD_compress(out, ROOM, text, sizeof text, 3);
        assert_false(ZSTD_isError(size));
        return size;
    }
    z_stream z = {.next_in = (Bytef *)text,
                  .avail_in = sizeof text,
                  .next_out = (Bytef *)out,
                  .avail_out = ROOM};
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return z.total_out;
}

/* Decodes in pieces of these sizes; the size, or SIZE_MAX. *ended: as lh_decoder_ended. */
static size_t decode(enum lh_coding coding, struct lb_str in, size_t step, size_t room, char *out,
                     bool *ended)
{
    struct lh_decoder *decoder = lh_decoder_new(&host, coding, LH_WINDOW_ASKED);
    size_t size = 0;

    assert_non_null(decoder);
    for (size_t at = 0; at < in.size || (at == 0 && in.size == 0); at += step) {
        struct lb_str piece = lb_str_sub(in, at, at + step);
        size_t got = room;
        while (piece.size > 0 || got == room) {
            if (lh_decode(decoder, &piece, out + size, room, &got) == LH_FAILED) {
                assert_int_equal(lh_decode(decoder, &piece, out, room, &got), LH_FAILED);
                lh_decoder_free(decoder);
                return SIZE_MAX;
            }
            size += got;
            assert_true(size <= ROOM - 70000);
        }
        if (in.size == 0)
            break;
    }
    *ended = lh_decoder_ended(decoder);
    lh_decoder_free(decoder);
    return size;
}

static const struct {
    enum lh_coding coding;
    int bits;
} ROWS[] = {{LH_CODING_GZIP, 31},
            {LH_CODING_DEFLATE, 15},
            {LH_CODING_DEFLATE, -15},
            {LH_CODING_ZSTD, ZSTD},
            {LH_CODING_BROTLI, BROTLI}};
enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

static void what_was_coded_comes_out_in_pieces_of_any_size(void **state)
{
    static const size_t STEPS[][2] = {{ROOM, 65536}, {1, 65536}, {ROOM, 1}, {7, 13}, {4096, 4096}};
    char *coded = malloc(ROOM), *out = malloc(ROOM);
    (void)state;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        struct lb_str in = lb_str(coded, compress_text(ROWS[i].bits, coded));
        for (size_t j = 0; j < 5; j++) {
            bool ended = false;
            size_t size = decode(ROWS[i].coding, in, STEPS[j][0], STEPS[j][1], out, &ended);
            assert_int_equal(size, TEXT_SIZE);
            assert_memory_equal(out, text, TEXT_SIZE);
            assert_true(ended);
        }
    }
    free(coded);
    free(out);
}

static void a_cut_is_seen(void **state)
{
    char *coded = malloc(ROOM), *out = malloc(ROOM);
    (void)state;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        size_t size = compress_text(ROWS[i].bits, coded);
        const size_t cuts[] = {1, 5, size / 2, size - 1};
        for (size_t j = 0; j < 4; j++) {
            bool ended = true;
            size_t got = decode(ROWS[i].coding, lb_str(coded, cuts[j]), ROOM, 65536, out, &ended);
            assert_true(got == SIZE_MAX || !ended);
        }
    }
    free(coded);
    free(out);
}

static void nothing_is_a_whole_body(void **state)
{
    char out[64];
    (void)state;

    for (size_t i = 0; i < ROW_COUNT; i++) {
        bool ended = false;
        assert_int_equal(decode(ROWS[i].coding, lb_str("", 0), 1, sizeof out, out, &ended), 0);
        assert_true(ended);
    }
}

static void members_follow_each_other_and_padding_means_nothing(void **state)
{
    char *coded = malloc(ROOM), *out = malloc(ROOM);
    bool ended = false;
    (void)state;

    for (size_t i = 0; i < 4; i += 3) { /* gzip and zstd */
        size_t size = compress_text(ROWS[i].bits, coded);
        memcpy(coded + size, coded, size);
        assert_int_equal(decode(ROWS[i].coding, lb_str(coded, 2 * size), 11, 4096, out, &ended),
                         2 * TEXT_SIZE);
        assert_true(ended);
    }
    size_t size = compress_text(31, coded);
    memset(coded + size, 0, 100);
    assert_int_equal(decode(LH_CODING_GZIP, lb_str(coded, size + 100), 11, 4096, out, &ended),
                     TEXT_SIZE);
    assert_true(ended);
    /* Nor does what looks like a member behind it, however it is split. */
    memcpy(coded + size + 10, coded, size);
    for (size_t step = 1; step < 12; step++) {
        assert_int_equal(
            decode(LH_CODING_GZIP, lb_str(coded, 2 * size + 10), step, 4096, out, &ended),
            TEXT_SIZE);
        assert_true(ended);
    }
    free(coded);
    free(out);
}

static void nonsense_is_none(void **state)
{
    char out[4096];
    bool ended;
    (void)state;

    for (size_t i = 0; i < ROW_COUNT; i++)
        assert_int_equal(decode(ROWS[i].coding, LB_STR("\xff\xfethis is no coding at all, is it?"),
                                100, sizeof out, out, &ended),
                         SIZE_MAX);
}

/* A window of 128 MiB: nobody has to hold that for a sender. */
static void a_window_that_is_too_large_is_refused(void **state)
{
    char coded[256], out[4096];
    struct lb_str in;
    bool ended;
    (void)state;

    ZSTD_CCtx *context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 27);
    ZSTD_inBuffer from = {"abc", 3, 0};
    ZSTD_outBuffer to = {coded, sizeof coded, 0};
    assert_false(ZSTD_isError(ZSTD_compressStream2(context, &to, &from, ZSTD_e_flush)));
    assert_int_equal(ZSTD_compressStream2(context, &to, &from, ZSTD_e_end), 0);
    ZSTD_freeCCtx(context);
    in = lb_str(coded, to.pos);
    assert_int_equal(decode(LH_CODING_ZSTD, in, 100, sizeof out, out, &ended), SIZE_MAX);
}

/* What libzstd wrote before its first release is no coding of HTTP, in front or behind a frame. */
static void a_form_of_zstd_before_the_first_is_refused(void **state)
{
    static const unsigned char NOW[] = {0x28, 0xb5, 0x2f, 0xfd, 0, 0, 1, 0, 0};
    static const unsigned char EARLIER[] = {0x27, 0xb5, 0x2f, 0xfd, 0x60,
                                            0x90, 0xfe, 0xfe, 0xff, 0xf8};
    char both[sizeof NOW + sizeof EARLIER], out[4096];
    bool ended;
    (void)state;

    memcpy(both, NOW, sizeof NOW);
    memcpy(both + sizeof NOW, EARLIER, sizeof EARLIER);
    assert_int_equal(decode(LH_CODING_ZSTD, lb_str(both, sizeof NOW), 100, sizeof out, out, &ended),
                     0);
    assert_true(ended);
    for (size_t step = 1; step < sizeof both; step++) {
        struct lb_str whole = lb_str(both, sizeof both);
        assert_int_equal(decode(LH_CODING_ZSTD, whole, step, sizeof out, out, &ended), SIZE_MAX);
        whole = lb_str_sub(whole, sizeof NOW, whole.size);
        assert_int_equal(decode(LH_CODING_ZSTD, whole, step, sizeof out, out, &ended), SIZE_MAX);
    }
}

/*
 * Brotli's header tells the largest window of the book, 16 MiB, whatever the text needs: what is
 * short is read, and what would make the decoder hold more than it may ends there.
 */
static void a_window_of_brotli_grows_with_the_text(void **state)
{
    static const struct {
        size_t text;
        int window_log;
        bool read;
    } CASES[] = {{1000, LH_WINDOW_UNASKED, true},        {1 << 20, LH_WINDOW_UNASKED, true},
                 {3 << 20, LH_WINDOW_UNASKED, false},    {3 << 20, LH_WINDOW_ASKED, true},
                 {(8 << 20) - 1, LH_WINDOW_ASKED, true}, {12 << 20, LH_WINDOW_ASKED, false}};
    enum { LONGEST = 12 << 20 };
    uint8_t *plain = calloc(1, LONGEST), *coded = malloc(ROOM);
    char *out = malloc(LONGEST + 1);
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        size_t size = ROOM, got;
        assert_true(BrotliEncoderCompress(1, BROTLI_MAX_WINDOW_BITS, BROTLI_MODE_GENERIC,
                                          CASES[i].text, plain, &size, coded));
        struct lh_decoder *decoder = lh_decoder_new(&host, LH_CODING_BROTLI, CASES[i].window_log);
        struct lb_str in = lb_str((char *)coded, size);
        enum lh_result result = lh_decode(decoder, &in, out, LONGEST + 1, &got);
        assert_int_equal(result, CASES[i].read ? LH_DONE : LH_FAILED);
        if (CASES[i].read)
            assert_int_equal(got, CASES[i].text);
        lh_decoder_free(decoder);
    }
    free(plain);
    free(coded);
    free(out);
}

/* Behind brotli nothing begins again, however it is split. */
static void what_follows_brotli_means_nothing(void **state)
{
    char *coded = malloc(ROOM), *out = malloc(ROOM);
    bool ended = false;
    (void)state;

    size_t size = compress_text(BROTLI, coded);
    memcpy(coded + size, coded, size);
    for (size_t step = size - 3; step < size + 4; step++) {
        assert_int_equal(decode(LH_CODING_BROTLI, lb_str(coded, 2 * size), step, 4096, out, &ended),
                         TEXT_SIZE);
        assert_true(ended);
    }
    free(coded);
    free(out);
}

static void the_head_says_which(void **state)
{
    static const struct {
        const char *fields;
        enum lh_coding coding;
    } CASES[] = {
        {"", LH_CODING_NONE},
        {"Content-Encoding: identity\r\n", LH_CODING_NONE},
        {"Content-Encoding:\r\n", LH_CODING_NONE},
        {"Content-Encoding: GZip\r\n", LH_CODING_GZIP},
        {"Content-Encoding: x-gzip\r\n", LH_CODING_GZIP},
        {"Content-Encoding: identity, deflate\r\n", LH_CODING_DEFLATE},
        {"Content-Encoding: zstd\r\nContent-Encoding: identity\r\n", LH_CODING_ZSTD},
        {"Content-Encoding: br\r\n", LH_CODING_BROTLI},
        {"Content-Encoding: compress\r\n", LH_CODING_OTHER},
        {"Content-Encoding: gzip, gzip\r\n", LH_CODING_OTHER},
        {"Content-Encoding: gzip\r\nContent-Encoding: zstd\r\n", LH_CODING_OTHER},
    };
    struct lh_field fields[LH_FIELDS];
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct lh_head head;
        char bytes[256];
        snprintf(bytes, sizeof bytes, "HTTP/1.1 200 OK\r\nA: b\r\n%sDate: x\r\nA: c\r\n\r\n",
                 CASES[i].fields);
        lh_head_init_response(&head, fields, LH_FIELDS, &lh_limits_default, LH_REPLY_TO_OTHER);
        assert_int_equal(lh_head_parse(&head, bytes, strlen(bytes)), LH_DONE);
        assert_int_equal(lh_coding_of(&head), CASES[i].coding);
        lh_head_drop(&head, LH_HEADER_CONTENT_ENCODING);
        assert_int_equal(lh_coding_of(&head), LH_CODING_NONE);
        assert_int_equal(head.field_count, 3);
        assert_true(lb_str_eq_c(lh_head_get(&head, LH_HEADER_DATE), "x"));
        assert_true(lb_str_eq_c(lh_head_get_named(&head, LB_STR("a")), "b"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_coded_comes_out_in_pieces_of_any_size),
        cmocka_unit_test(a_cut_is_seen),
        cmocka_unit_test(nothing_is_a_whole_body),
        cmocka_unit_test(members_follow_each_other_and_padding_means_nothing),
        cmocka_unit_test(nonsense_is_none),
        cmocka_unit_test(a_window_that_is_too_large_is_refused),
        cmocka_unit_test(a_form_of_zstd_before_the_first_is_refused),
        cmocka_unit_test(a_window_of_brotli_grows_with_the_text),
        cmocka_unit_test(what_follows_brotli_means_nothing),
        cmocka_unit_test(the_head_says_which),
    };
    lb_host_init(&host);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)('a' + (i * i / 7 + i / 1000) % 23);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
