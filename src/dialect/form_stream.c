/* SPDX-License-Identifier: MIT */
/*
 * One state per place in a form. Each looks at the front of what is held, passes on what it is
 * sure of, and says whether it got on; when none does, more must come.
 *
 *   START -> MARK -> LINE -> HEAD -> VALUE -> MARK ...     MARK, LINE: what follows a boundary
 *              |              \--> MODEL -/
 *              \--> END -> OVER
 */
#include "dialect/form_stream.h"

#include <string.h>

#include "base/error.h"
#include "dialect/form_int.h"
#include "dialect/refs.h"

enum state { START, MARK, LINE, HEAD, VALUE, MODEL, END, OVER };

_Static_assert(sizeof((struct ld_form_stream *)0)->mark >= 2 + LD_FORM_BOUNDARY_MAX, "the mark");

llmgr_status ld_form_stream_init(struct ld_form_stream *stream, const struct lb_host *host,
                                 struct lb_str content_type, struct lb_str model,
                                 struct llmgr_error *err)
{
    struct lb_str boundary;

    if (!ld_is_form(content_type) || !ld_form_boundary(content_type, &boundary))
        return ld_form_bad(err, "its media type names no valid boundary");
    if (!lb_utf8_name(model, LD_MODEL_NAME_MAX))
        return ld_form_bad(err, "the model's name does not fit into a form");
    *stream = (struct ld_form_stream){.model = model, .mark_size = 2 + boundary.size};
    memcpy(stream->mark, "--", 2);
    memcpy(stream->mark + 2, boundary.p, boundary.size);
    lb_buf_init(&stream->hold, host, LD_FORM_PIECE_MAX + LD_FORM_HEAD_MAX + 4);
    return LLMGR_OK;
}

void ld_form_stream_free(struct ld_form_stream *stream)
{
    lb_buf_free(&stream->hold);
}

/* ---- Passing on ------------------------------------------------------------------------------ */

struct step {
    struct ld_form_stream *stream;
    struct lb_str left; /* of what is held */
    struct lb_buf *out;
    struct llmgr_error *err;
};

static void drop(struct step *step, size_t size)
{
    step->left = lb_str_sub(step->left, size, step->left.size);
}

static void pass(struct step *step, size_t size)
{
    lb_buf_add_str(step->out, lb_str_sub(step->left, 0, size));
    drop(step, size);
}

static struct lb_str mark_of(const struct step *step)
{
    return lb_str(step->stream->mark, step->stream->mark_size);
}

/* Where the boundary stands in what is left; -1: nowhere yet. */
static ptrdiff_t find_mark(const struct step *step)
{
    struct lb_str mark = mark_of(step);
    const char *found =
        step->left.size > 0 ? memmem(step->left.p, step->left.size, mark.p, mark.size) : NULL;

    return found == NULL ? -1 : found - step->left.p;
}

/* ---- The states: 1 got on, 0 needs more, -1 failed ---------------------------------------------
 */

static int fail(const struct step *step, const char *why)
{
    (void)ld_form_bad(step->err, why);
    return -1;
}

static int start(struct step *step)
{
    struct lb_str mark = mark_of(step);

    if (step->left.size < 2 + mark.size)
        return 0;
    size_t at = lb_str_starts(step->left, LB_STR("\r\n")) ? 2 : 0;
    if (!lb_str_starts(lb_str_sub(step->left, at, step->left.size), mark))
        return fail(step, "it does not begin with its boundary");
    pass(step, at);
    drop(step, mark.size);
    step->stream->state = MARK;
    return 1;
}

/* The boundary has been taken and not passed on: perhaps the model has to go before it. */
static int mark(struct step *step)
{
    struct ld_form_stream *stream = step->stream;
    bool last = lb_str_starts(step->left, LB_STR("--"));

    if (step->left.size < 2)
        return 0;
    if (last && !stream->seen) {
        lb_buf_add_str(step->out, mark_of(step));
        lb_buf_add_c(step->out, "\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\n");
        lb_buf_add_str(step->out, stream->model);
        lb_buf_add_c(step->out, "\r\n");
    }
    lb_buf_add_str(step->out, mark_of(step));
    pass(step, last ? 2 : 0);
    stream->state = last ? END : LINE;
    return 1;
}

/* Padding and CRLF, with `why` it fails else. Padding goes on as it comes: it has no limit. */
static int end_line(struct step *step, enum state next, const char *why)
{
    pass(step, ld_form_padding(step->left));
    if (step->left.size < 2)
        return 0;
    if (!lb_str_starts(step->left, LB_STR("\r\n")))
        return fail(step, why);
    pass(step, 2);
    step->stream->state = next;
    return 1;
}

static int line(struct step *step)
{
    int got = end_line(step, HEAD, "something follows a boundary");

    if (got > 0 && step->stream->parts++ == LD_FORM_PARTS_MAX)
        return fail(step, "too many parts");
    return got;
}

/* Is the empty line there that ends a head? */
static bool head_ends(struct lb_str text)
{
    return lb_str_starts(text, LB_STR("\r\n")) ||
           (text.size > 0 && memmem(text.p, text.size, "\r\n\r\n", 4) != NULL);
}

static int head(struct step *step)
{
    struct ld_form_part part = {0};
    bool is_model = false;
    size_t size = 0;

    if (!head_ends(step->left) && step->left.size < LD_FORM_HEAD_MAX)
        return 0;
    if (ld_form_read_head(step->left, &size, &part, step->err) != LLMGR_OK ||
        ld_form_is_model(&part, step->stream->seen, &is_model, step->err) != LLMGR_OK)
        return -1;
    struct ld_ref ref;
    if (step->stream->names_nothing && ld_ref_named(part.name, LB_STR("x"), &ref)) {
        lb_fail(step->err, LLMGR_ERR_INVALID,
                N_("the form has a field '%.*s' that names a %s: send it without the header "
                   "X-LLMGR-Model, so that it is read before it is passed on"),
                (int)lb_utf8_cut(part.name, 64), part.name.p, ld_ref_kind_name(ref.kind));
        return -1;
    }
    step->stream->seen |= is_model;
    step->stream->state = is_model ? MODEL : VALUE;
    pass(step, size);
    return 1;
}

/* The end of a value: CRLF and the boundary, which is taken and not passed on. */
static int end_value(struct step *step, size_t at, struct lb_str value)
{
    if (at < 2 || memcmp(step->left.p + at - 2, "\r\n", 2) != 0)
        return fail(step, "the boundary stands within a part");
    lb_buf_add_str(step->out, value);
    lb_buf_add_c(step->out, "\r\n");
    drop(step, at + step->stream->mark_size);
    step->stream->state = MARK;
    return 1;
}

static int value(struct step *step)
{
    ptrdiff_t at = find_mark(step);
    size_t kept = step->stream->mark_size + 1; /* CRLF and all of the boundary but a byte */

    if (at >= 0)
        return end_value(step, (size_t)at, lb_str_sub(step->left, 0, at < 2 ? 0 : (size_t)at - 2));
    if (step->left.size > kept)
        pass(step, step->left.size - kept);
    return 0;
}

static int model(struct step *step)
{
    ptrdiff_t at = find_mark(step);

    if (at < 0 && step->left.size <= LD_MODEL_NAME_MAX + 2 + step->stream->mark_size)
        return 0;
    if (at < 0 ||
        (at >= 2 && !lb_utf8_name(lb_str_sub(step->left, 0, (size_t)at - 2), LD_MODEL_NAME_MAX)))
        return fail(step, "the field 'model' is no name");
    return end_value(step, (size_t)at, step->stream->model);
}

static int end(struct step *step)
{
    return end_line(step, OVER, "something follows its end");
}

static int over(struct step *step)
{
    return step->left.size > 0 ? fail(step, "something follows its end") : 0;
}

llmgr_status ld_form_stream_feed(struct ld_form_stream *stream, struct lb_str piece,
                                 struct lb_buf *out, struct llmgr_error *err)
{
    static int (*const STATES[])(struct step * step) = {
        [START] = start, [MARK] = mark,   [LINE] = line, [HEAD] = head,
        [VALUE] = value, [MODEL] = model, [END] = end,   [OVER] = over,
    };
    struct llmgr_error own = {0};
    int got = 1;

    lb_buf_add_str(&stream->hold, piece);
    if (stream->hold.failed != LLMGR_OK)
        return lb_fail_memory(err);
    struct step step = {
        .stream = stream, .left = lb_buf_str(&stream->hold), .out = out, .err = &own};
    while (got > 0)
        got = STATES[stream->state](&step);
    lb_buf_shift(&stream->hold, stream->hold.size - step.left.size);
    if (got < 0) {
        if (err != NULL)
            *err = own;
        return own.status;
    }
    return out->failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status ld_form_stream_end(const struct ld_form_stream *stream, struct llmgr_error *err)
{
    if (stream->state != END && stream->state != OVER)
        return ld_form_bad(err, "it does not end with its boundary");
    if (stream->hold.size > 0)
        return ld_form_bad(err, "something follows its end");
    return LLMGR_OK;
}
