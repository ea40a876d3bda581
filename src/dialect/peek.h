/* SPDX-License-Identifier: MIT */
/*
 * One look at a request's JSON body, without a tree: which model, streamed or not, is usage asked
 * for. What is found is what any conforming parser finds, whichever the platform has:
 *
 *   - the whole text is checked against RFC 8259 (but for UTF-8 outside of the model's name),
 *     LJ_DEPTH_MAX levels deep, LD_MEMBERS_MAX members at the top;
 *   - names may be written with escapes ("mod\u0065l" is the model);
 *   - a member we act on may stand there once, and not a second time in other letter case, for
 *     some parsers take "Model" for "model".
 *
 * Offsets are from the body's first byte. Nothing is allocated, save for a model's name that is
 * written with escapes.
 */
#ifndef LD_PEEK_H
#define LD_PEEK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "json/scan.h"

enum {
    LD_MEMBERS_MAX = 1024,    /* of the top-level object */
    LD_MODEL_NAME_MAX = 1024, /* bytes of a model's name */
};

struct ld_peek {
    struct lb_str model; /* decoded; p NULL: absent or null. Part of the body or in the arena */
    bool stream;
    bool include_usage; /* stream_options.include_usage is true: the caller wants usage */
    bool store;         /* store is there, and neither false nor null */
    bool audio;         /* so is audio: the answer may be heard */
    int64_t max_tokens; /* of max_completion_tokens, max_output_tokens, max_tokens; -1: not said */
    bool refs;          /* it may name things that are kept at the platform: dialect/refs.h tells */
    bool ids;           /* there are members `id` (or may be) below the top: items have such */

    /* For splice.h. Spans are of values. */
    struct lj_span model_at;
    struct lj_span options_at; /* stream_options: an object or null */
    struct lj_span usage_at;   /* include_usage within it */
    size_t options_name;       /* where the quote of its name stands */
    size_t options_before;     /* where the member before it ends; 0: it is the first */
    bool options_object;       /* an object, not null */
    bool options_empty;        /* {} */
    bool options_more;         /* it has members other than include_usage */
    size_t open;               /* offset of the top-level { */
    size_t close;              /* and of its } */
    bool empty;                /* nothing but space between them */
};

/*
 * ERR_INVALID: no JSON object (the text names the byte), too deep, or a member of the wrong type
 * or twice; err may be answered to the caller as it is. ERR_NO_MEMORY: the arena is full.
 */
LLMGR_MUST_CHECK llmgr_status ld_peek(struct lb_str body, struct lb_arena *arena,
                                      struct ld_peek *peek, struct llmgr_error *err);

#endif
