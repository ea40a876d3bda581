/* SPDX-License-Identifier: MIT */
/*
 * What narrows a token: until when it holds, what of the platforms, models and routes it may use,
 * and from which networks. Each is a text or number as it is stored, and narrows by itself; what is
 * empty narrows nothing. Pure.
 */
#ifndef LW_LIMITS_H
#define LW_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "llmgr.h"
#include "net/addr_range.h"
#include "resolve/allowed.h"

enum {
    LW_LIMIT_LIST_MAX = 4096, /* bytes of one list */
    LW_LIMIT_NAMES_MAX = 64,  /* of one list: each is asked for each model */
    LW_NETWORKS_MAX = 64,
};

struct lw_limits {
    int64_t expires_at_ms; /* since 1970; 0: never */
    struct lr_allowed allowed;
    struct lb_str networks; /* "10.0.0.0/8, 2001:db8::1" */
};

/*
 * Lists as they are stored: each name once, ", " between, in the order given. ERR_INVALID says
 * which list is wrong; an end that is not after `now_ms` is wrong, too. Texts in `arena`.
 */
LLMGR_MUST_CHECK llmgr_status lw_limits_make(const struct lw_limits *given, int64_t now_ms,
                                             struct lb_arena *arena, struct lw_limits *made,
                                             struct llmgr_error *err);
bool lw_limits_are_none(const struct lw_limits *limits);
static inline bool lw_limits_are_over(const struct lw_limits *limits, int64_t now_ms)
{
    return limits->expires_at_ms != 0 && now_ms >= limits->expires_at_ms;
}
/*
 * Does whoever is bound by `inner` get nothing that `outer` does not give? ERR_FORBIDDEN names the
 * member that does. Names are compared as they are written: a model that is listed in another form
 * is taken for another one.
 */
LLMGR_MUST_CHECK llmgr_status lw_limits_within(const struct lw_limits *inner,
                                               const struct lw_limits *outer,
                                               struct llmgr_error *err);
/* Is the address in one of the networks, or is there none? IPv4-mapped addresses are IPv4's. */
bool lw_networks_hold(struct lb_str networks, const struct ln_addr16 *address);

#endif
