/* SPDX-License-Identifier: MIT */
/*
 * Native paths under a key that is not the caller's own: what there is for him at the platform is a
 * table, native.def. Pure: bytes in, row out. What is judged is what is sent.
 */
#ifndef LG_NATIVE_H
#define LG_NATIVE_H

#include <stdbool.h>

#include "base/str.h"
#include "dialect/refs.h"
#include "http/head.h"

enum lg_native_class {
    LG_NATIVE_FREE,
    LG_NATIVE_MAKES,
    LG_NATIVE_TELLS,
    LG_NATIVE_PART,
    LG_NATIVE_ENDS,
    LG_NATIVE_ALL
};

struct lg_native {
    enum lh_method method;
    const char *path;
    enum lg_native_class kind_of_work;
    enum ld_ref_kind kind;
};

enum lg_native_verdict {
    LG_NATIVE_OPEN,    /* *row says what it is, or NULL: the operator has opened it */
    LG_NATIVE_UNKNOWN, /* in no row */
    LG_NATIVE_CLOSED,  /* the account's, or written as only somebody with a purpose writes */
};

/*
 * `path` is the one below the base URL. `opened`: what the operator has opened for the platform,
 * "POST /a, GET /b/{id}". *id is the row's first {id}, empty if it has none.
 */
enum lg_native_verdict lg_native_judge(enum lh_method method, struct lb_str path,
                                       struct lb_str opened, const struct lg_native **row,
                                       struct lb_str *id);

#endif
