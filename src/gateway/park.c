/* SPDX-License-Identifier: MIT */
/* What a stream that lasts keeps. See the header. */
#include "gateway/park.h"

#include <string.h>

#include "dialect/filter.h"
#include "gateway/attempt.h"
#include "gateway/own.h"
#include "gateway/request.h"
#include "gateway/walk.h"
#include "upstream/exchange.h"

static char *move_text(char *to, struct lb_str *text)
{
    if (text->size != 0)
        memcpy(to, text->p, text->size);
    to[text->size] = '\0';
    text->p = to;
    return to + text->size + 1;
}

/* Is the rest of the request still to be sent from the arena, or does somebody use it? */
static bool is_needed(const struct lg_request *request)
{
    const struct lg_attempt *attempt = request->attempt;

    return lu_exchange_stats(attempt->exchange)->sent_at < 0 || request->error != NULL ||
           request->job != NULL || request->block == NULL || lg_own_holds(request->own) ||
           attempt->may_move;
}

/* Nothing of what the arena held is asked for any more. */
static void forget(struct lg_request *request)
{
    request->head = NULL;
    request->model = request->match.path = request->match.rest = lb_str(NULL, 0);
    request->match.param_count = 0;
    request->ask = NULL;
    request->home = NULL;
    lg_walk_close(request);
    lg_own_free(request);
    request->own = NULL;
}

void *lg_park(struct lg_request *request, size_t filter_size)
{
    const struct lg_attempt *attempt = request->attempt;
    const struct lr_target *old = &attempt->target;
    struct lr_target target = {
        .user = old->user,
        .slot = old->slot,
        .platform_id = old->platform_id,
        .platform_name = old->platform_name,
        .platform_is_sys = old->platform_is_sys,
        .origin = old->origin,
        .sealed_key = old->sealed_key,
        .sealed_headers = old->sealed_headers,
        .model_id = old->model_id,
        .model_name = old->model_name,
        .payer = old->payer,
    };
    struct lb_str *const texts[] = {
        &target.user,   &target.slot,       &target.platform_name,  &target.model_name,
        &target.origin, &target.sealed_key, &target.sealed_headers, &request->client_id};
    enum { TEXTS = sizeof texts / sizeof *texts };

    if (is_needed(request))
        return NULL;
    size_t size = sizeof *attempt + filter_size;
    for (size_t i = 0; i < TEXTS; i++)
        size += texts[i]->size + 1;
    char *at = lb_alloc(request->worker->host, size);
    if (at == NULL)
        return NULL;
    struct lg_attempt *moved = memcpy(at, attempt, sizeof *attempt);
    request->parked = at;
    at += sizeof *moved;
    void *filter = at;
    at += filter_size;
    if (attempt->filter != NULL)
        moved->filter = memcpy(filter, attempt->filter, filter_size);
    for (size_t i = 0; i < TEXTS; i++)
        at = move_text(at, texts[i]);
    moved->target = target;
    request->attempt = moved;
    request->caller.user = target.user;
    request->caller.limits = NULL; /* nothing is asked for any more */
    forget(request);
    lg_request_leave_block(request);
    return filter;
}

void lg_park_begun(struct lg_request *request)
{
    const struct ld_filter *filter = request->attempt->filter;

    if (request->parked == NULL && filter->decided && filter->stream)
        (void)lg_park(request, filter->face->size);
}
