/* SPDX-License-Identifier: MIT */
/*
 * What only system platforms have, where calls make and change them: the words that llmgr.yaml has
 * for them besides, and how many there may be.
 */
#ifndef LM_PLATFORM_RULES_H
#define LM_PLATFORM_RULES_H

#include "base/buf.h"
#include "base/str.h"
#include "llmgr.h"
#include "manager/manager.h"

struct ls_tx;

#define LM_MANAGED_FILE "file"         /* llmgr.yaml changes it */
#define LM_MANAGED_DATABASE "database" /* calls do */

/* Those of calls stand behind those of the file, in the order of their ids. */
enum { LM_MADE_POSITION = 1000000 };

/* .p NULL: not given; empty: the default, or none. */
struct lm_platform_words {
    struct lb_str protocol;
    struct lb_str native_paths; /* "POST /a, GET /b/{id}" */
    struct lb_str headers;      /* "user-agent, x-title" */
};

static inline bool lm_words_are_given(const struct lm_platform_words *words)
{
    return words->protocol.p != NULL || words->native_paths.p != NULL || words->headers.p != NULL;
}

/* Where lm_rule_platform_words puts what it makes. */
struct lm_word_buffers {
    struct lb_buf native_paths;
    struct lb_buf headers;
};
void lm_word_buffers_init(struct lm_word_buffers *buffers, const struct lb_host *host);
void lm_word_buffers_free(struct lm_word_buffers *buffers);

/*
 * Judges the words and brings them into the form in which they are stored; they are borrowed from
 * `buffers`. ERR_INVALID names the word.
 */
LLMGR_MUST_CHECK llmgr_status lm_rule_platform_words(struct lm_platform_words *words,
                                                     struct lm_word_buffers *buffers,
                                                     struct llmgr_error *err);

/* They are given for a private platform. */
llmgr_status lm_fail_words(struct llmgr_error *err);

/* Do so many more system platforms and models of such fit into memory? ERR_TOO_LARGE. */
LLMGR_MUST_CHECK llmgr_status lm_rule_system_room(struct ls_tx *tx, int64_t platforms,
                                                  int64_t models, struct llmgr_error *err);
/* Does one more of the server's keys? ERR_TOO_LARGE. */
LLMGR_MUST_CHECK llmgr_status lm_rule_system_keys(struct ls_tx *tx, struct llmgr_error *err);

#endif
