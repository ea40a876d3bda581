/* SPDX-License-Identifier: MIT */
/* Forms that are passed on while they come: the same judgement as on whole ones, at any split. */
#include "dialect/form_stream.h"

#include "../unit.h"

#define TYPE "multipart/form-data; boundary=xx"
#define PART(head, value) "--xx\r\nContent-Disposition: form-data; " head "\r\n\r\n" value "\r\n"
#define FILE_PART PART("name=\"file\"; filename=\"a\\\"b.wav\"", "RIFF\r\n--x\n\0data")
#define ADDED PART("name=\"model\"", "w2")

static struct lb_host host;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    return 0;
}

/* The form in pieces of `size`. */
static llmgr_status stream(struct lb_str body, size_t size, struct lb_buf *out,
                           struct llmgr_error *err)
{
    struct ld_form_stream form;

    lb_buf_init(out, &host, 4 << 20);
    llmgr_status status = ld_form_stream_init(&form, &host, LB_STR(TYPE), LB_STR("w2"), err);
    for (size_t at = 0; at < body.size && status == LLMGR_OK; at += size)
        status = ld_form_stream_feed(&form, lb_str_sub(body, at, at + size), out, err);
    if (status == LLMGR_OK)
        status = ld_form_stream_end(&form, err);
    assert_true(form.hold.capacity <= 2 * (LD_FORM_PIECE_MAX + LD_FORM_HEAD_MAX));
    ld_form_stream_free(&form);
    return status;
}

static void becomes(struct lb_str body, struct lb_str expected)
{
    for (size_t size = 1; size <= body.size; size++) {
        struct llmgr_error err = {0};
        struct lb_buf out;
        if (stream(body, size, &out, &err) != LLMGR_OK)
            fail_msg("in pieces of %zu: %s", size, err.message);
        if (!lb_str_eq(lb_buf_str(&out), expected))
            fail_msg("in pieces of %zu: %s", size, lb_buf_c(&out));
        lb_buf_free(&out);
    }
}

static void the_model_is_replaced_or_added_at_any_split(void **state)
{
    (void)state;
    becomes(LB_STR(PART("name=\"model\"", "whisper-1") FILE_PART "--xx--\r\n"),
            LB_STR(ADDED FILE_PART "--xx--\r\n"));
    becomes(LB_STR(FILE_PART PART("name=\"model\"", "a long name of a model") "--xx--"),
            LB_STR(FILE_PART ADDED "--xx--"));
    becomes(LB_STR(FILE_PART "--xx--\r\n"), LB_STR(FILE_PART ADDED "--xx--\r\n"));
    becomes(LB_STR("--xx--"), LB_STR(ADDED "--xx--"));
    becomes(
        LB_STR("\r\n--xx \t\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--xx--"),
        LB_STR("\r\n--xx \t\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n" ADDED "--xx--"));
    becomes(LB_STR("--xx-- \t"), LB_STR(ADDED "--xx-- \t"));
    becomes(LB_STR("--xx-- \t\r\n"), LB_STR(ADDED "--xx-- \t\r\n"));
}

/* What one reader takes, the other does, and no split changes it. */
static void judged_alike(struct lb_str body, llmgr_status expected)
{
    static const size_t SIZES[] = {1, 7, 128, 129, LD_FORM_HEAD_MAX, LD_FORM_PIECE_MAX};
    struct ld_form form;

    assert_int_equal(ld_form_peek(body, LB_STR(TYPE), &form, NULL), expected);
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        struct lb_buf out;
        assert_int_equal(stream(body, SIZES[i], &out, NULL), expected);
        lb_buf_free(&out);
    }
}

static void space_behind_a_boundary_is_judged_alike_however_long(void **state)
{
    struct lb_buf body;

    (void)state;
    for (size_t blanks = 126; blanks <= 130; blanks++) {
        lb_buf_init(&body, &host, 4096);
        lb_buf_add_c(&body, "--xx");
        for (size_t i = 0; i < blanks; i++)
            lb_buf_add_c(&body, " ");
        lb_buf_add_c(&body, "\r\nContent-Disposition: form-data; name=a\r\n\r\nv\r\n--xx--");
        judged_alike(lb_buf_str(&body), LLMGR_OK);
        for (size_t i = 0; i < blanks; i++)
            lb_buf_add_c(&body, "\t");
        judged_alike(lb_buf_str(&body), LLMGR_OK);
        lb_buf_add_c(&body, "\r\n");
        judged_alike(lb_buf_str(&body), LLMGR_OK);
        lb_buf_add_c(&body, " ");
        judged_alike(lb_buf_str(&body), LLMGR_ERR_INVALID);
        lb_buf_free(&body);
    }
    judged_alike(LB_STR("--xx--\r"), LLMGR_ERR_INVALID);
    judged_alike(LB_STR("--xx-- x"), LLMGR_ERR_INVALID);
}

static void a_head_of_its_largest_size_is_judged_alike(void **state)
{
    static const struct lb_str NAMED = LB_STR("Content-Disposition: form-data; name=a\r\nX: ");
    struct lb_buf body;

    (void)state;
    for (size_t size = LD_FORM_HEAD_MAX - 3; size <= LD_FORM_HEAD_MAX + 3; size++) {
        lb_buf_init(&body, &host, 2 * LD_FORM_HEAD_MAX);
        lb_buf_add_c(&body, "--xx\r\n");
        lb_buf_add_str(&body, NAMED);
        for (size_t i = NAMED.size + 4; i < size; i++)
            lb_buf_add_c(&body, "x");
        lb_buf_add_c(&body, "\r\n\r\nv\r\n--xx--");
        judged_alike(lb_buf_str(&body), size <= LD_FORM_HEAD_MAX ? LLMGR_OK : LLMGR_ERR_INVALID);
        lb_buf_free(&body);
    }
}

static void a_form_with_two_readings_never_ends_well(void **state)
{
    static const struct lb_str REFUSED[] = {
        LB_STR(""),
        LB_STR("--x"),
        LB_STR("--xx"),
        LB_STR("--xx\r\n\r\n"),
        LB_STR("preamble\r\n--xx--"),
        LB_STR(PART("name=\"a\"", "1")),
        LB_STR(PART("name=\"a\"", "1") "--xxy\r\n"),
        LB_STR(PART("name=\"a\"", "1") "--xx--" PART("name=\"model\"", "b")),
        LB_STR(PART("name=\"a\"", "1\n--xx\nname") "--xx--"),
        LB_STR(PART("name=\"model\"", "a") PART("name=\"model\"", "b") "--xx--"),
        LB_STR(PART("name=\"model\"", "a") PART("name=\"Model\"", "b") "--xx--"),
        LB_STR(PART("name=\"model\"; name=\"x\"", "a") "--xx--"),
        LB_STR(PART("name=\"mo\\del\"", "a") "--xx--"),
        LB_STR(PART("name*=utf-8''model", "a") "--xx--"),
        LB_STR(PART("name=\"model\"; filename=\"x\"", "a") "--xx--"),
        LB_STR(PART("name=\"model\"", "a\r\nb") "--xx--"),
        LB_STR(PART("name=\"model\"", "") "--xx--"),
        LB_STR("--xx\r\nX: 1\r\n\r\nv\r\n--xx--"),
        LB_STR("--xx\r\nContent-Disposition: form-data;\r\n name=model\r\n\r\nv\r\n--xx--"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
        for (size_t size = 1; size <= REFUSED[i].size + 1; size++) {
            struct lb_buf out;
            if (stream(REFUSED[i], size, &out, NULL) != LLMGR_ERR_INVALID)
                fail_msg("accepted in pieces of %zu: %s", size, REFUSED[i].p);
            lb_buf_free(&out);
        }
    }
}

static void a_large_file_is_not_held(void **state)
{
    static const struct lb_str FIRST =
        LB_STR("--xx\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n");
    static char piece[LD_FORM_PIECE_MAX];
    struct ld_form_stream form;
    struct lb_buf out;

    (void)state;
    memset(piece, '-', sizeof piece);
    lb_buf_init(&out, &host, 64 * 1024);
    assert_int_equal(ld_form_stream_init(&form, &host, LB_STR(TYPE), LB_STR("w2"), NULL), LLMGR_OK);
    assert_int_equal(ld_form_stream_feed(&form, FIRST, &out, NULL), LLMGR_OK);
    for (int i = 0; i < 1000; i++) {
        lb_buf_reset(&out);
        assert_int_equal(ld_form_stream_feed(&form, lb_str(piece, sizeof piece), &out, NULL),
                         LLMGR_OK);
        assert_true(out.size >= sizeof piece - 8);
    }
    assert_int_equal(ld_form_stream_end(&form, NULL), LLMGR_ERR_INVALID);
    ld_form_stream_free(&form);
    lb_buf_free(&out);
}

static void a_head_without_end_is_refused(void **state)
{
    static char piece[LD_FORM_PIECE_MAX];
    struct ld_form_stream form;
    struct lb_buf out;

    (void)state;
    memset(piece, 'a', sizeof piece);
    lb_buf_init(&out, &host, 64 * 1024);
    assert_int_equal(ld_form_stream_init(&form, &host, LB_STR(TYPE), LB_STR("w2"), NULL), LLMGR_OK);
    assert_int_equal(ld_form_stream_feed(&form, LB_STR("--xx\r\n"), &out, NULL), LLMGR_OK);
    assert_int_equal(ld_form_stream_feed(&form, lb_str(piece, sizeof piece), &out, NULL),
                     LLMGR_ERR_INVALID);
    ld_form_stream_free(&form);
    lb_buf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_model_is_replaced_or_added_at_any_split),
        cmocka_unit_test(space_behind_a_boundary_is_judged_alike_however_long),
        cmocka_unit_test(a_head_of_its_largest_size_is_judged_alike),
        cmocka_unit_test(a_form_with_two_readings_never_ends_well),
        cmocka_unit_test(a_large_file_is_not_held),
        cmocka_unit_test(a_head_without_end_is_refused),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
