/* SPDX-License-Identifier: MIT */
/* A path is compared byte by byte with the few that there are. See the header. */
#include "objects/id_path.h"

bool lf_id_is_signed(enum ld_ref_kind kind)
{
    return kind == LD_REF_RESPONSE || kind == LD_REF_ITEM || kind == LD_REF_CHAT_COMPLETION;
}

#define ON(method) (1u << LH_METHOD_##method)

/*
 * What there is for a caller whose key is not his own; '#' is a shown id, '*' any segment. Below
 * /responses and /chat/completions there is nothing else: lists of all are everybody's.
 */
static const struct place {
    const char *pattern;
    unsigned methods;
} PLACES[] = {
    {"/responses/input_tokens", ON(POST)},
    {"/responses/compact", ON(POST)},
    {"/responses/#", ON(GET) | ON(HEAD) | ON(DELETE)},
    {"/responses/#/cancel", ON(POST)},
    {"/responses/#/input_items", ON(GET) | ON(HEAD)},
    {"/chat/completions/#", ON(GET) | ON(HEAD) | ON(POST) | ON(DELETE)},
    {"/chat/completions/#/messages", ON(GET) | ON(HEAD)},
    {"/conversations/*/items", ON(GET) | ON(HEAD) | ON(POST)},
    {"/conversations/*/items/#", ON(GET) | ON(HEAD) | ON(DELETE)},
};

/* Does the path fit? *id is its segment that is an id; p NULL: it has none. */
static bool fits(const char *pattern, struct lb_str path, struct lb_str *id)
{
    *id = lb_str(NULL, 0);
    while (*pattern != '\0' && path.size > 0) {
        size_t size = 1;
        if (*pattern == '#' || *pattern == '*') {
            size = lb_str_find(path, '/');
            if (*pattern == '#')
                *id = lb_str_sub(path, 0, size);
        } else if (*pattern != path.p[0]) {
            return false;
        }
        pattern++;
        path = lb_str_sub(path, size, path.size);
    }
    return *pattern == '\0' && path.size == 0;
}

bool lf_id_path(enum lh_method method, struct lb_str rest, struct lb_str *id)
{
    const struct lb_str path = lb_str_sub(rest, 0, lb_str_find(rest, '?'));

    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        if ((PLACES[i].methods >> method & 1) != 0 && fits(PLACES[i].pattern, path, id))
            return true;
    }
    *id = lb_str(NULL, 0);
    return false;
}

bool lf_id_path_has_items(enum lh_method method, struct lb_str rest)
{
    struct lb_str id;

    return method != LH_METHOD_DELETE && lb_str_starts(rest, LB_STR("/conversations/")) &&
           lf_id_path(method, rest, &id);
}

bool lf_id_path_is_ours(struct lb_str rest)
{
    return lb_str_starts(rest, LB_STR("/responses")) ||
           lb_str_starts(rest, LB_STR("/chat/completions"));
}
