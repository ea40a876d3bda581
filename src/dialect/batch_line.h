/* SPDX-License-Identifier: MIT */
/*
 * One line of a batch file: {"custom_id":"1","method":"POST","url":"/v1/responses","body":{...}}.
 * What it asks for is a request like any other, which the platform sends to itself.
 */
#ifndef LD_BATCH_LINE_H
#define LD_BATCH_LINE_H

#include "base/arena.h"
#include "dialect/peek.h"

enum { LD_LINE_TEXT_MAX = 256 };

struct ld_batch_line {
    struct ld_batch_word {
        bool is_there;
        size_t size;
        char text[LD_LINE_TEXT_MAX]; /* decoded */
    } method, url, endpoint;
};

static inline struct lb_str ld_batch_text(const struct ld_batch_word *word)
{
    return lb_str(word->text, word->is_there ? word->size : 0);
}

/*
 * Also of the request that makes a batch of a file: its `endpoint` says the same for all lines.
 * ERR_INVALID: no JSON object, or one of the words stands there twice or is no short text.
 */
LLMGR_MUST_CHECK llmgr_status ld_batch_line(struct lb_str text, struct lb_arena *arena,
                                            struct ld_batch_line *line, struct llmgr_error *err);

#endif
