/* SPDX-License-Identifier: MIT */
/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1.1), as far as audio and image requests need
 * it: find the `model` field and `stream`, replace or add the model. Strict: parts are ended by
 * CRLF, "--", boundary only; the form has to be closed.
 */
#ifndef LD_FORM_H
#define LD_FORM_H

#include "dialect/splice.h"

enum { LD_FORM_PARTS_MAX = 1024 };

struct ld_form {
    struct lb_str model; /* part of the body; p NULL: no such field */
    bool stream;         /* a field `stream` that says true */
    struct lj_span model_at;
    struct lb_str boundary; /* without the dashes; part of content_type */
    size_t first;           /* where the first delimiter's dashes stand */
};

/* Part by part over a form that ld_form_peek took. */
struct ld_form_walk {
    struct lb_str body;
    struct lb_str mark; /* of two dashes and the boundary: where the first one stands */
    size_t at;          /* 0: it is over */
};

struct ld_form_field {
    struct lb_str name, value; /* parts of the body */
    bool file;                 /* it has a filename */
};

/* Is this the media type of a form? */
bool ld_is_form(struct lb_str content_type);
/* ERR_INVALID: no boundary, no form, or two models. */
LLMGR_MUST_CHECK llmgr_status ld_form_peek(struct lb_str body, struct lb_str content_type,
                                           struct ld_form *form, struct llmgr_error *err);
void ld_form_walk_start(struct ld_form_walk *walk, struct lb_str body, const struct ld_form *form);
bool ld_form_walk_next(struct ld_form_walk *walk, struct ld_form_field *field);
/* The same form with `model` in its field, which is added if absent. */
LLMGR_MUST_CHECK llmgr_status ld_form_splice(struct lb_str body, const struct ld_form *form,
                                             struct lb_str model, struct lb_arena *arena,
                                             struct ld_slices *out, struct llmgr_error *err);

#endif
