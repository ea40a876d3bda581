/* SPDX-License-Identifier: MIT */
/*
 * A form that is passed on while it comes, with its `model` replaced or added on the way. It takes
 * what ld_form_peek takes, however the form is split, save that what is wrong with a form may be
 * found when its first parts have gone: such a form must never be ended properly, so that nobody
 * takes it for whole.
 *
 *   piece --> [hold: what may be part of a delimiter, a head or the model] --> out
 *
 * Memory: a piece and LD_FORM_HEAD_MAX bytes, however large the form is.
 */
#ifndef LD_FORM_STREAM_H
#define LD_FORM_STREAM_H

#include "base/buf.h"
#include "dialect/form.h"

enum {
    LD_FORM_PIECE_MAX = 16 * 1024, /* bytes of one feed */
    LD_FORM_HEAD_MAX = 8192,       /* of the head of a part, its empty line included */
};

struct ld_form_stream {
    struct lb_str model; /* as the platform calls it; the caller's memory */
    unsigned state;      /* private, as all below */
    bool names_nothing;  /* a field that names what a platform keeps (refs.h) is refused */
    bool seen;           /* the field `model` was there */
    size_t parts;
    size_t mark_size;
    char mark[80]; /* dashes and boundary */
    struct lb_buf hold;
};

/* ERR_INVALID: the media type names no boundary, or the name does not fit into a form. */
LLMGR_MUST_CHECK llmgr_status ld_form_stream_init(struct ld_form_stream *stream,
                                                  const struct lb_host *host,
                                                  struct lb_str content_type, struct lb_str model,
                                                  struct llmgr_error *err);
void ld_form_stream_free(struct ld_form_stream *stream);
/* Takes at most LD_FORM_PIECE_MAX bytes and appends what may go on to `out`. */
LLMGR_MUST_CHECK llmgr_status ld_form_stream_feed(struct ld_form_stream *stream,
                                                  struct lb_str piece, struct lb_buf *out,
                                                  struct llmgr_error *err);
/* The body has ended: has the form? ERR_INVALID if not. */
LLMGR_MUST_CHECK llmgr_status ld_form_stream_end(const struct ld_form_stream *stream,
                                                 struct llmgr_error *err);

#endif
