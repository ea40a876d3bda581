/* SPDX-License-Identifier: MIT */
/* The rules of an API key's text. See the header. */
#include "keys/key_text.h"

#include "base/error.h"
#include "config/meant.h"
#include "config/placeholder.h"

llmgr_status lk_rule_key(struct lb_str key, struct llmgr_error *err)
{
    if (key.size == 0 || key.size > LK_KEY_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid API key: it is %zu bytes long; give 1 to %d bytes"), key.size,
                       (int)LK_KEY_MAX);
    for (size_t i = 0; i < key.size; i++) {
        if (key.p[i] <= ' ' || key.p[i] >= 0x7f)
            return lb_fail(
                err, LLMGR_ERR_INVALID,
                N_("invalid API key: byte %zu is a blank, a line end or no ASCII; give the "
                   "key alone"),
                i + 1);
    }
    if (lc_is_placeholder(key))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid API key: it is a {PLACEHOLDER}; those belong into the "
                          "configuration file, here the key itself is needed"));
    struct lb_str name;
    if (lc_meant_variable(key, &name))
        return lb_fail(
            err, LLMGR_ERR_INVALID,
            N_("invalid API key: it names a variable that nobody filled in; give the key "
               "itself, or {NAME} in the configuration file"));
    return LLMGR_OK;
}

struct lb_str lk_trim_key(struct lb_str key)
{
    return lb_str_strip(key);
}
