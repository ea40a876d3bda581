/* SPDX-License-Identifier: MIT */
/*
 * {NAME} in base_url, keys and the values of headers stands for an environment variable. All or
 * nothing: if one of the variables is missing or empty, the whole value is absent - never half
 * filled in, never the literal braces. A name is [A-Za-z_][A-Za-z0-9_]*; other braces are ordinary
 * text.
 */
#ifndef LC_PLACEHOLDER_H
#define LC_PLACEHOLDER_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/str.h"
#include "llmgr.h"

enum { LC_PLACEHOLDER_NAME_MAX = 128 }; /* bytes of a variable's name */

struct lc_dotenv;

/*
 * The process's environment over the .env file: lc_env_get has llmgr_env_fn's type and takes a
 * struct lc_env as its context. A variable that the process has, even an empty one, hides the
 * file's (as python-dotenv does without override).
 */
struct lc_env {
    llmgr_env_fn get; /* NULL: no process environment */
    void *context;
    const struct lc_dotenv *dotenv; /* NULL: no .env */
};
const char *lc_env_get(const char *name, void *env);

/*
 * A value of the form {…} after trimming. Such a value is never a key: it is not stored, not
 * resolved, not sent.
 */
bool lc_is_placeholder(struct lb_str value);

/*
 * Appends `text` with its placeholders filled in to `out` (use a secret buffer for keys).
 * *present is false, and nothing is appended, if a variable is missing or empty or the text is
 * empty. `wanted` (may be NULL) gets the names of all variables in the text, missing or not, in its
 * order, ", " between. Errors: LLMGR_ERR_TOO_LARGE, LLMGR_ERR_NO_MEMORY; out is then as before.
 */
LLMGR_MUST_CHECK llmgr_status lc_substitute(struct lb_str text, llmgr_env_fn env, void *context,
                                            struct lb_buf *out, bool *present,
                                            struct lb_buf *wanted, struct llmgr_error *err);

#endif
