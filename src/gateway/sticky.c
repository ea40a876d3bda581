/* SPDX-License-Identifier: MIT */
/* See the header. */
#include "gateway/sticky.h"

#include "base/mix.h"
#include "dialect/conversation.h"
#include "gateway/ask.h"
#include "routing/hash.h"

/* Ids of requests are counted, and must look otherwise. */
uint64_t lg_sticky_random(const struct lg_request *request)
{
    return lb_mix(request->worker->id_base + request->worker->id_count);
}

uint64_t lg_sticky_of(const struct lg_request *request, llmgr_sticky sticky, uint64_t user)
{
    if (sticky == LLMGR_STICKY_NONE)
        return 0;
    if (sticky == LLMGR_STICKY_USER || request->ask == NULL || request->ask->kind != LG_ASK_JSON)
        return user;
    struct lb_str conversation = ld_conversation_of(lb_buf_str(&request->body));
    /* Two users' conversations are two, though they begin with the same words. */
    return conversation.size > 0 ? lo_hash(conversation) ^ user : user;
}
