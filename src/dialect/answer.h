/* SPDX-License-Identifier: MIT */
/* What the whole answer and the stream share. Private to dialect/. */
#ifndef LD_ANSWER_H
#define LD_ANSWER_H

#include "base/arena.h"
#include "dialect/chat.h"
#include "json/write.h"

/* What answer->memory points to; with a host of its own, for the library's may be closed first. */
struct ld_answer_memory {
    struct lb_host host;
    struct lb_arena arena;
};

/* An empty answer with all counts unknown and memory to fill it from. */
LLMGR_MUST_CHECK llmgr_status ld_answer_init(const struct lb_host *host,
                                             struct llmgr_answer *answer, struct llmgr_error *err);
struct lb_arena *ld_answer_arena(const struct llmgr_answer *answer);

/* Appends what a "content" says: a string, or the texts of its parts. False if it says nothing. */
bool ld_content_text(const json_t *content, struct lb_buf *out);
/* reasoning_content, else reasoning, of a message or delta; p NULL if neither is a string. */
struct lb_str ld_reasoning_of(const json_t *message);
/* The finish_reason of a choice; p NULL where it is none: absent, empty or the word null. */
struct lb_str ld_finish_of(const json_t *choice);
/* Does this answer or event hold an error that says something? Fills err (not NULL) from it. */
bool ld_error_of(const struct lb_host *host, const json_t *root, struct llmgr_error *err);

#endif
