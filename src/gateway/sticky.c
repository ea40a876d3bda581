/* SPDX-License-Identifier: MIT */
/* See the header. */
#include "gateway/sticky.h"

#include "gateway/ask.h"
#include "json/scan.h"
#include "routing/hash.h"

enum { FIRST_WORDS_MAX = 8 }; /* messages in front of the user's first */

/* The finish of MurmurHash3 (public domain): ids of requests are counted, and must look otherwise.
 */
uint64_t lg_sticky_random(const struct lg_request *request)
{
    uint64_t bits = request->worker->id_base + request->worker->id_count;

    bits = (bits ^ bits >> 33) * UINT64_C(0xff51afd7ed558ccd);
    bits = (bits ^ bits >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return bits ^ bits >> 33;
}

/* ---- Conversations --------------------------------------------------------------------------- */

/* The member of the object that opens at `at`; size 0: there is none. */
static struct lb_str member_of(struct lb_str text, size_t at, struct lb_str name, unsigned level)
{
    struct lj_walk walk;
    struct lj_member member;

    lj_walk_start(&walk, text, at, level);
    while (lj_walk_next(&walk, &member)) {
        if (!member.escaped && lb_str_eq(member.name, name))
            return lb_str(text.p + member.value.at, member.value.size);
    }
    return lb_str(NULL, 0);
}

/* A list's first objects, up to that of the user's. Anything else: all of it. */
static struct lb_str first_words(struct lb_str list)
{
    struct lj_walk walk;
    struct lj_member member;
    size_t at = 1;

    for (unsigned i = 0; i < FIRST_WORDS_MAX; i++) {
        at = lj_scan_space(list.p, at, list.size);
        if (at >= list.size || list.p[at] != '{')
            break;
        size_t begin = at;
        lj_walk_start(&walk, list, at, 2);
        while (lj_walk_next(&walk, &member))
            continue;
        at = walk.at;
        if (walk.why != NULL ||
            lb_str_eq(member_of(list, begin, LB_STR("role"), 2), LB_STR("\"user\"")))
            return lb_str_sub(list, 0, at);
        at = lj_scan_space(list.p, at, list.size);
        at += at < list.size && list.p[at] == ',';
    }
    return list;
}

static struct lb_str conversation_of(struct lb_str body)
{
    static const struct lb_str NAMES[] = {LB_STR("prompt_cache_key"), LB_STR("conversation")};
    static const struct lb_str WORDS[] = {LB_STR("messages"), LB_STR("input"), LB_STR("prompt")};
    const size_t at = lj_scan_space(body.p, 0, body.size);
    struct lb_str found = {NULL, 0};

    if (at >= body.size || body.p[at] != '{')
        return found;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0] && found.size == 0; i++)
        found = member_of(body, at, NAMES[i], 1);
    struct lb_str metadata = member_of(body, at, LB_STR("metadata"), 1);
    if (found.size == 0 && metadata.size > 0 && metadata.p[0] == '{')
        found = member_of(metadata, 0, LB_STR("user_id"), 1);
    for (size_t i = 0; i < sizeof WORDS / sizeof WORDS[0] && found.size == 0; i++) {
        found = member_of(body, at, WORDS[i], 1);
        if (found.size > 0 && found.p[0] == '[')
            found = first_words(found);
    }
    return found;
}

uint64_t lg_sticky_of(const struct lg_request *request, llmgr_sticky sticky, uint64_t user)
{
    if (sticky == LLMGR_STICKY_NONE)
        return 0;
    if (sticky == LLMGR_STICKY_USER || request->ask == NULL || request->ask->kind != LG_ASK_JSON)
        return user;
    struct lb_str conversation = conversation_of(lb_buf_str(&request->body));
    /* Two users' conversations are two, though they begin with the same words. */
    return conversation.size > 0 ? lo_hash(conversation) ^ user : user;
}
