/* SPDX-License-Identifier: MIT */
/* A request's attempts, from the ledger's records to what is written of them. */
#include "base/nano.h"
#include "documents/write.h"

/* NULL without a word: there is none. */
static bool take_amount(struct lb_arena *arena, int64_t nano, const char **to)
{
    char text[LB_NANO_TEXT];

    if (nano < 0)
        return true;
    *to = lb_arena_strdup(arena, lb_nano_print(nano, text));
    return *to != NULL;
}

bool lx_usage_request_make(struct lb_arena *arena, const char *request_id,
                           const struct llmgr_usage_attempts *attempts,
                           struct lx_usage_request *request)
{
    bool good = true;

    *request = (struct lx_usage_request){
        .request_id = request_id,
        .attempts = lb_arena_calloc(arena, attempts->count, sizeof *request->attempts),
        .count = attempts->count,
    };
    for (size_t i = 0; i < attempts->count && request->attempts != NULL && good; i++) {
        const struct llmgr_usage_record *row = &attempts->items[i];
        struct lx_usage_attempt *attempt = &request->attempts[i];
        attempt->row = *row;
        attempt->attempt = row->attempt;
        attempt->upstream_status = row->upstream_status;
        good = take_amount(arena, row->cost_nano, &attempt->cost) &&
               take_amount(arena, row->reported_cost_nano, &attempt->reported_cost);
    }
    return good && request->attempts != NULL;
}
