/* SPDX-License-Identifier: MIT */
/*
 * A form passed on in pieces against the same form read whole. Input: a byte that says how large
 * the pieces are, then the body. The stream takes the same for a form as the whole reader, and what
 * it passes on has the model asked for and nothing else changed: where the form names a model, it
 * is what the whole reader's splice gives.
 */
#include "check.h"
#include "dialect/form_stream.h"

static const struct lb_str TYPE = {"multipart/form-data; boundary=b", 31};
static const struct lb_str MODEL = {"gpt", 3};

static llmgr_status stream(const struct lb_host *host, struct lb_str body, size_t size,
                           struct lb_buf *out)
{
    struct ld_form_stream form;

    FUZZ_CHECK(ld_form_stream_init(&form, host, TYPE, MODEL, NULL) == LLMGR_OK);
    llmgr_status status = LLMGR_OK;
    for (size_t at = 0; at < body.size && status == LLMGR_OK; at += size)
        status = ld_form_stream_feed(&form, lb_str_sub(body, at, at + size), out, NULL);
    if (status == LLMGR_OK)
        status = ld_form_stream_end(&form, NULL);
    ld_form_stream_free(&form);
    return status;
}

/* What went on in pieces against what the whole form becomes. */
static void compare(const struct lb_host *host, struct lb_str body, const struct ld_form *whole,
                    struct lb_str passed)
{
    struct ld_form again;
    struct ld_slices slices;
    struct lb_arena arena;
    struct lb_buf spliced;

    FUZZ_CHECK(ld_form_peek(passed, TYPE, &again, NULL) == LLMGR_OK);
    FUZZ_CHECK(lb_str_eq(again.model, MODEL) && again.stream == whole->stream);
    if (whole->model.p == NULL)
        return; /* the whole reader adds it in front, the stream behind */
    lb_arena_init(&arena, host, NULL, 0, 1 << 20);
    lb_buf_init(&spliced, host, 16 << 20);
    FUZZ_CHECK(ld_form_splice(body, whole, MODEL, &arena, &slices, NULL) == LLMGR_OK);
    for (size_t i = 0; i < slices.count; i++)
        lb_buf_add_str(&spliced, slices.slice[i]);
    FUZZ_CHECK(lb_str_eq(lb_buf_str(&spliced), passed));
    lb_buf_free(&spliced);
    lb_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ld_form whole;
    struct lb_host host;
    struct lb_buf out, other;

    if (size < 2)
        return 0;
    struct lb_str body = {(const char *)data + 1, size - 1};
    lb_host_init(&host);
    lb_buf_init(&out, &host, 16 << 20);
    lb_buf_init(&other, &host, 16 << 20);
    llmgr_status status = ld_form_peek(body, TYPE, &whole, NULL);
    FUZZ_CHECK(stream(&host, body, (size_t)data[0] + 1, &out) == status);
    FUZZ_CHECK(stream(&host, body, LD_FORM_PIECE_MAX, &other) == status);
    if (status == LLMGR_OK) {
        FUZZ_CHECK(lb_str_eq(lb_buf_str(&out), lb_buf_str(&other)));
        compare(&host, body, &whole, lb_buf_str(&out));
    }
    lb_buf_free(&out);
    lb_buf_free(&other);
    return 0;
}
