/* SPDX-License-Identifier: MIT */
/*
 * Native paths under a key that is not the caller's own: what there is for him at the platform is a
 * table, native.def. Pure: bytes in, row out. What is judged is what is sent.
 */
#ifndef LF_NATIVE_H
#define LF_NATIVE_H

#include <stdbool.h>

#include "base/str.h"
#include "dialect/refs.h"
#include "http/head.h"

enum lf_native_class {
    LF_NATIVE_FREE,
    LF_NATIVE_MAKES,
    LF_NATIVE_TELLS,
    LF_NATIVE_PART,
    LF_NATIVE_ENDS,
    LF_NATIVE_ALL
};

struct lf_native {
    enum lh_method method;
    const char *path;
    enum lf_native_class kind_of_work;
    enum ld_ref_kind kind;
};

static inline bool lf_native_makes_batch(const struct lf_native *row)
{
    return row != NULL && row->kind == LD_REF_BATCH && row->kind_of_work == LF_NATIVE_MAKES;
}

enum lf_native_verdict {
    LF_NATIVE_OPEN,    /* *row says what it is, or NULL: the operator has opened it */
    LF_NATIVE_UNKNOWN, /* in no row */
    LF_NATIVE_CLOSED,  /* the account's, or written as only somebody with a purpose writes */
};

/*
 * `path` is the one below the base URL. `opened`: what the operator has opened for the platform,
 * "POST /a, GET /b/{id}". *id is the row's first {id}, empty if it has none.
 */
enum lf_native_verdict lf_native_judge(enum lh_method method, struct lb_str path,
                                       struct lb_str opened, const struct lf_native **row,
                                       struct lb_str *id);

#endif
