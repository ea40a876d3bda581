/* SPDX-License-Identifier: MIT */
/* Limits of tokens: made of what is given, compared, asked. See the header. */
#include "accounts/limits.h"

#include <string.h>

#include "base/error.h"

/* ---- Making ---------------------------------------------------------------------------------- */

static llmgr_status fail_list(const char *list, struct lb_str name, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("'%.*s' cannot stand in '%s': names with commas between, up to %d bytes of "
                      "UTF-8 without control characters"),
                   (int)lb_utf8_cut(name, 100), name.p != NULL ? name.p : "", list,
                   (int)LW_LIMIT_LIST_MAX);
}

/* Each name once. `made` has room: what is written is no longer than what was read, but for blanks.
 */
static llmgr_status copy_list(const char *list, struct lb_str given, char *text,
                              struct lb_str *made, struct llmgr_error *err)
{
    struct lb_str rest = given, name;
    size_t count = 0;

    *made = lb_str(text, 0);
    while (lr_names_next(&rest, &name)) {
        if (name.size == 0)
            return fail_list(list, name, err);
        if (lr_names_hold(*made, name))
            continue;
        if (made->size != 0) {
            memcpy(text + made->size, ", ", 2);
            made->size += 2;
        }
        memcpy(text + made->size, name.p, name.size);
        made->size += name.size;
        if (++count > LW_LIMIT_NAMES_MAX)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' may have %d names"), list,
                           (int)LW_LIMIT_NAMES_MAX);
    }
    if (given.p[given.size - 1] == ',' || made->size > LW_LIMIT_LIST_MAX)
        return fail_list(list, lb_str("", 0), err);
    return LLMGR_OK;
}

static llmgr_status make_list(const char *list, struct lb_str given, struct lb_arena *arena,
                              struct lb_str *made, struct llmgr_error *err)
{
    *made = lb_str("", 0);
    given = lb_str_trim(given);
    if (given.size == 0)
        return LLMGR_OK;
    if (!lb_utf8_name(given, LW_LIMIT_LIST_MAX))
        return fail_list(list, lb_str("", 0), err);
    char *text = lb_arena_bytes(arena, 2 * given.size); /* a blank behind each comma */
    if (text == NULL)
        return lb_fail_memory(err);
    return copy_list(list, given, text, made, err);
}

static llmgr_status check_networks(struct lb_str networks, struct llmgr_error *err)
{
    struct ln_range range;
    struct lb_str one;
    size_t count = 0;

    while (lr_names_next(&networks, &one)) {
        if (!ln_range_parse(one, &range))
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("'%.*s' in '%s' is no network: give an address or a range, such as "
                              "192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"),
                           (int)lb_utf8_cut(one, 100), one.p, "networks");
        if (++count > LW_NETWORKS_MAX)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' may have %d networks"), "networks",
                           (int)LW_NETWORKS_MAX);
    }
    return LLMGR_OK;
}

llmgr_status lw_limits_make(const struct lw_limits *given, int64_t now_ms, struct lb_arena *arena,
                            struct lw_limits *made, struct llmgr_error *err)
{
    struct lw_limits limits = {.expires_at_ms = given->expires_at_ms};
    const struct {
        const char *name;
        struct lb_str given;
        struct lb_str *made;
    } lists[] = {
        {"platforms", given->allowed.platforms, &limits.allowed.platforms},
        {"models", given->allowed.models, &limits.allowed.models},
        {"routes", given->allowed.routes, &limits.allowed.routes},
        {"networks", given->networks, &limits.networks},
    };

    if (given->expires_at_ms < 0 || lw_limits_are_over(given, now_ms))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must lie in the future"), "expires_at_ms");
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        llmgr_status status = make_list(lists[i].name, lists[i].given, arena, lists[i].made, err);
        if (status != LLMGR_OK)
            return status;
    }
    *made = limits;
    return check_networks(limits.networks, err);
}

bool lw_limits_are_none(const struct lw_limits *limits)
{
    return limits->expires_at_ms == 0 && limits->networks.size == 0 &&
           lr_allows_all(&limits->allowed);
}

/* ---- Comparing ------------------------------------------------------------------------------- */

static bool names_within(struct lb_str inner, struct lb_str outer)
{
    struct lb_str name;

    if (outer.size == 0)
        return true;
    if (inner.size == 0)
        return false;
    while (lr_names_next(&inner, &name)) {
        if (!lr_names_hold(outer, name))
            return false;
    }
    return true;
}

/* Is all of the range in one of the networks? */
static bool range_within(const struct ln_range *range, struct lb_str networks)
{
    struct ln_range outer;
    struct lb_str one;

    while (lr_names_next(&networks, &one)) {
        if (ln_range_parse(one, &outer) && range->bits >= outer.bits &&
            ln_range_names(&outer, &range->base))
            return true;
    }
    return false;
}

static bool networks_within(struct lb_str inner, struct lb_str outer)
{
    struct ln_range range;
    struct lb_str one;

    if (outer.size == 0)
        return true;
    if (inner.size == 0)
        return false;
    while (lr_names_next(&inner, &one)) {
        if (!ln_range_parse(one, &range) || !range_within(&range, outer))
            return false;
    }
    return true;
}

static bool end_within(int64_t inner, int64_t outer)
{
    return outer == 0 || (inner != 0 && inner <= outer);
}

llmgr_status lw_limits_within(const struct lw_limits *inner, const struct lw_limits *outer,
                              struct llmgr_error *err)
{
    const struct {
        const char *name;
        bool fits;
    } members[] = {
        {"expires_at_ms", end_within(inner->expires_at_ms, outer->expires_at_ms)},
        {"platforms", names_within(inner->allowed.platforms, outer->allowed.platforms)},
        {"models", names_within(inner->allowed.models, outer->allowed.models)},
        {"routes", names_within(inner->allowed.routes, outer->allowed.routes)},
        {"networks", networks_within(inner->networks, outer->networks)},
    };

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        if (!members[i].fits)
            return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                           N_("'%s' would give more than the token has that asks for it"),
                           members[i].name);
    }
    return LLMGR_OK;
}

/* ---- Asking ---------------------------------------------------------------------------------- */

bool lw_networks_hold(struct lb_str networks, const struct ln_addr16 *address)
{
    struct ln_range range;
    struct lb_str one;

    if (networks.size == 0)
        return true;
    while (lr_names_next(&networks, &one)) {
        if (ln_range_parse(one, &range) && ln_range_names(&range, address))
            return true;
    }
    return false;
}
