/* SPDX-License-Identifier: MIT */
/* What the two readers of forms share: the one that has all of it, the one that has a piece. */
#ifndef LD_FORM_INT_H
#define LD_FORM_INT_H

#include "dialect/form_stream.h"

enum { LD_FORM_BOUNDARY_MAX = 70 };

struct ld_form_part {
    struct lb_str name; /* p NULL: none */
    bool file;          /* it has a filename */
    struct lj_span value;
};

/* ERR_INVALID: this is no form. */
llmgr_status ld_form_bad(struct llmgr_error *err, const char *why);
/* The boundary that the media type names: one, valid; part of `content_type`. */
bool ld_form_boundary(struct lb_str content_type, struct lb_str *boundary);
/* Bytes of space in front: allowed behind a delimiter (RFC 2046 section 5.1.1), without a limit. */
size_t ld_form_padding(struct lb_str text);
/*
 * The lines of a part's head at body.p[*at], LD_FORM_HEAD_MAX bytes at most; *at is behind the
 * empty line afterwards.
 */
LLMGR_MUST_CHECK llmgr_status ld_form_read_head(struct lb_str body, size_t *at,
                                                struct ld_form_part *part, struct llmgr_error *err);
/* Is this the part `model`, named as every parser reads it? ERR_INVALID: nearly, or once more. */
LLMGR_MUST_CHECK llmgr_status ld_form_is_model(const struct ld_form_part *part, bool again,
                                               bool *is, struct llmgr_error *err);

#endif
