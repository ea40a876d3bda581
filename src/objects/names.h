/* SPDX-License-Identifier: MIT */
/*
 * Which things that are kept at the platform does a request name: in its path, its body (JSON, a
 * form, pairs, the lines of a batch file) and its query? What names something in a shape that we
 * cannot look into is an error. Whose they are is another question (owners.h). Any thread.
 */
#ifndef LF_NAMES_H
#define LF_NAMES_H

#include "base/arena.h"
#include "dialect/form.h"
#include "objects/native.h"
#include "objects/owners.h"

/* The kind of a file whose lines have been looked at, and that a batch may therefore be made of. */
#define LF_BATCH_FILE "batch file"

enum { LF_NAMES_MAX = 256 }; /* different objects that one request may name */

enum lf_body_kind {
    LF_BODY_NONE,  /* it has no body, or one that names nothing */
    LF_BODY_JSON,  /* an object that was looked at before */
    LF_BODY_FORM,  /* multipart */
    LF_BODY_PAIRS, /* "a=b&c=d" */
    LF_BODY_OTHER  /* bytes, which may turn out to be JSON */
};

/* The request. */
struct lf_naming {
    const struct lb_host *host;
    struct lb_arena *arena;      /* of what is found */
    const struct lf_native *row; /* of its path; NULL: none */
    struct lb_str path_id;       /* the object of its path; empty: none */
    struct lb_str opened;        /* what the operator has opened, see lf_native_judge */
    struct lb_str query;         /* empty: there is none, or it names nothing */
    enum lf_body_kind kind;
    struct lb_str body;
    size_t model_at;            /* JSON: the value of `model` that is ours to replace */
    const struct ld_form *form; /* FORM */
};

struct lf_names {
    struct lf_object *objects;
    size_t count;
    bool batch_file; /* the form brings a file for a batch, and its lines are fine */
};

/* ERR_INVALID; ERR_NOT_FOUND for what can belong to nobody; ERR_NO_MEMORY. */
LLMGR_MUST_CHECK llmgr_status lf_names_find(const struct lf_naming *from, struct lf_names *names,
                                            struct llmgr_error *err);
/* What is not the caller's and what does not exist are told alike. */
llmgr_status lf_no_such(struct llmgr_error *err, const char *kind, struct lb_str id);

#endif
