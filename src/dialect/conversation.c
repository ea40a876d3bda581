/* SPDX-License-Identifier: MIT */
/* See the header. */
#include "dialect/conversation.h"

#include "json/scan.h"

enum { FIRST_WORDS_MAX = 8 }; /* messages in front of the user's first */

/* The member's value, if it has this name and none came before. */
static void take_named(struct lb_str text, const struct lj_member *member, struct lb_str name,
                       struct lb_str *value)
{
    if (value->size == 0 && !member->escaped && lb_str_eq(member->name, name))
        *value = lj_span_of(text, member->value);
}

/* A list's first objects, up to that of the user's. Anything else: all of it. */
static struct lb_str first_words(struct lb_str list)
{
    struct lj_walk walk;
    struct lj_member member;
    size_t at = 1;

    for (unsigned i = 0; i < FIRST_WORDS_MAX; i++) {
        struct lb_str role = {NULL, 0};
        at = lj_scan_space(list.p, at, list.size);
        if (at >= list.size || list.p[at] != '{')
            break;
        lj_walk_start(&walk, list, at, 2);
        while (lj_walk_next(&walk, &member))
            take_named(list, &member, LB_STR("role"), &role);
        at = walk.at;
        if (walk.why != NULL || lb_str_eq(role, LB_STR("\"user\"")))
            return lb_str_sub(list, 0, at);
        at = lj_scan_space(list.p, at, list.size);
        at += at < list.size && list.p[at] == ',';
    }
    return list;
}

/* `user_id` of what may be an object; size 0: there is none. */
static struct lb_str user_of(struct lb_str metadata)
{
    struct lj_walk walk;
    struct lj_member member;
    struct lb_str user = {NULL, 0};

    if (metadata.size == 0 || metadata.p[0] != '{')
        return user;
    lj_walk_start(&walk, metadata, 0, 1);
    while (lj_walk_next(&walk, &member))
        take_named(metadata, &member, LB_STR("user_id"), &user);
    return user;
}

/* What tells it from others, the surest first; the body is gone through once. */
struct lb_str ld_conversation_of(struct lb_str body)
{
    enum { METADATA = 2, COUNT = 6 }; /* behind METADATA: words */
    static const struct lb_str NAMES[COUNT] = {
        LB_STR("prompt_cache_key"), LB_STR("conversation"), LB_STR("metadata"),
        LB_STR("messages"),         LB_STR("input"),        LB_STR("prompt"),
    };
    const size_t at = lj_scan_space(body.p, 0, body.size);
    struct lb_str found[COUNT] = {{NULL, 0}};
    struct lj_walk walk;
    struct lj_member member;

    if (at >= body.size || body.p[at] != '{')
        return found[0];
    lj_walk_start(&walk, body, at, 1);
    while (lj_walk_next(&walk, &member)) {
        for (size_t i = 0; i < COUNT; i++)
            take_named(body, &member, NAMES[i], &found[i]);
    }
    found[METADATA] = user_of(found[METADATA]);
    for (size_t i = 0; i < COUNT; i++) {
        if (found[i].size > 0)
            return i > METADATA && found[i].p[0] == '[' ? first_words(found[i]) : found[i];
    }
    return found[0];
}
