/* SPDX-License-Identifier: MIT */
/*
 * jansson, narrowed to what the control plane needs: reading untrusted text with limits and telling
 * errors, tolerant look-ups that never fail, and writing into our own buffers.
 */
#ifndef LJ_WRITE_H
#define LJ_WRITE_H

#include <jansson.h>

#include "base/buf.h"
#include "base/error.h"

/* The value in `text`, or NULL: not JSON, or (with *memory set) memory was short. */
json_t *lj_json_read(struct lb_str text, bool *memory);
/*
 * A JSON object the caller of the library gave (`what` names it for the error): ERR_INVALID if it
 * is none.
 */
LLMGR_MUST_CHECK llmgr_status lj_json_object(struct lb_str text, const char *what, json_t **object,
                                             struct llmgr_error *err);

/* The member as a string slice, borrowed; empty (p NULL) if absent, null or no string. */
struct lb_str lj_json_str(const json_t *object, const char *name);
/* The member as an integer, also from a real without fraction; `absent` otherwise. */
int64_t lj_json_int(const json_t *object, const char *name, int64_t absent);

/* Compact text; reals in the shortest form that reads back the same. */
void lj_json_write(const json_t *value, struct lb_buf *out);
/* A string literal with its quotes. `s` must be valid UTF-8. */
void lj_json_write_str(struct lb_str s, struct lb_buf *out);
void lj_json_write_real(double value, struct lb_buf *out);

#endif
