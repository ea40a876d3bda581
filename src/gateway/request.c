/* SPDX-License-Identifier: MIT */
/*
 * The way of a request: the table of its steps, and the one driver that walks it. Reading the
 * table in request.h is reading the gateway; each step stands in step_<what it is about>.c.
 *
 *   ACCEPT MATCH IDENTIFY READ HANDLE TARGET ADMIT OWN OPEN CONNECT SEND RELAY SETTLE FINISH
 *      \_______\______\_____\____\_____\_____\____\____\______\____\____\____^
 *                 FAIL (an error is told)   DONE (the answer is complete)
 *
 * Whatever happens, a request passes SETTLE and FINISH exactly once (a retried attempt settles by
 * itself before the next begins).
 */
#include "gateway/request.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/magic.h"
#include "gateway/answer.h"
#include "gateway/body.h"
#include "gateway/client.h"
#include "gateway/own.h"
#include "gateway/relay.h"
#include "gateway/work.h"
#include "net/conn.h"

enum { REQUEST_MAGIC = 0x6c677271, SPARE_MAX = 64 };

struct step {
    const char *name;
    enum lg_verdict (*run)(struct lg_request *request);
};

static const struct step STEPS[] = {
#define LG_STEP_ROW(name, function) {#name, lg_step_##function},
    LG_STEP_MAP(LG_STEP_ROW)
#undef LG_STEP_ROW
};

/* ---- The driver ------------------------------------------------------------------------------ */

/* The only place where a request changes its step. */
static void move(struct lg_request *request, enum lg_step to)
{
    if (request->worker->host->log_level >= LLMGR_LOG_DEBUG)
        lb_debug(request->worker->host, "%.*s: %s -> %s", (int)request->id.size, request->id.p,
                 STEPS[request->step].name, to < LG_STEP_COUNT ? STEPS[to].name : "end");
    request->step = to;
}

static void free_request(struct lg_request *request);

/* One step further; false if the request waits. */
static bool advance(struct lg_request *request)
{
    switch (STEPS[request->step].run(request)) {
    case LG_NEXT:
        move(request, request->step + 1);
        return true;
    case LG_AGAIN:
        move(request, LG_STEP_CONNECT);
        return true;
    case LG_FAIL:
    case LG_DONE:
        move(request, LG_STEP_SETTLE);
        return true;
    case LG_WAIT:
    default:
        return false;
    }
}

/* What a request that is cut answers. */
static void tell_cut(struct lg_request *request)
{
    (void)lg_request_fail(request, LLMGR_ERR_CANCELLED, N_("the server is shutting down"));
    request->error_http = 503;
}

void lg_request_run(struct lg_request *request)
{
    if (request->running) {
        request->again = true;
        return;
    }
    request->running = true;
    do {
        request->again = false;
        bool over = request->gone || (request->cut && request->step < LG_STEP_RELAY);
        if (over && request->step < LG_STEP_SETTLE && !request->working) {
            lg_work_drop(request);
            if (request->cut && !request->answered)
                tell_cut(request);
            move(request, LG_STEP_SETTLE);
        }
        while (request->step < LG_STEP_COUNT && advance(request))
            continue;
    } while (request->again && request->step < LG_STEP_COUNT);
    request->running = false;
    if (request->step == LG_STEP_COUNT) {
        free_request(request);
        return;
    }
    if (!request->kept && request->head != NULL && lg_request_keep(request) != LLMGR_OK)
        lg_client_close(request->client);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static struct lg_room *take_room(struct lg_worker *worker)
{
    struct lg_room *room = worker->rooms;

    if (room == NULL)
        return lb_alloc(worker->host, sizeof *room);
    worker->rooms = room->next;
    worker->room_count--;
    return room;
}

static void give_room(struct lg_worker *worker, struct lg_room *room)
{
    if (room == NULL)
        return;
    if (worker->room_count == SPARE_MAX) {
        lb_free(worker->host, room);
        return;
    }
    room->next = worker->rooms;
    worker->rooms = room;
    worker->room_count++;
}

/* With a room. */
static struct lg_request *take_spare(struct lg_worker *worker)
{
    struct lg_room *room = take_room(worker);
    struct lg_request *request = worker->spare;

    if (room == NULL)
        return NULL;
    if (request != NULL) {
        worker->spare = request->next;
        worker->spare_count--;
    } else {
        request = lb_alloc(worker->host, sizeof *request);
    }
    if (request == NULL) {
        give_room(worker, room);
        return NULL;
    }
    memset(request, 0, sizeof *request);
    request->room = room;
    return request;
}

/* As much memory as it announces will do, and no more. */
static void take_body(struct lg_request *request)
{
    const struct lh_head *head = request->head;
    uint64_t size = head->body == LH_BODY_LENGTH ? head->length : 0;
    size_t limit = request->settings->body_max;

    if (head->body == LH_BODY_LENGTH && size < limit)
        limit = (size_t)size;
    lg_worker_take_body(request->worker, size, limit, &request->body);
}

void lg_request_begin(struct lg_client *client, const struct lh_head *head)
{
    struct lg_worker *worker = client->worker;
    struct lg_request *request = take_spare(worker);

    if (request == NULL) {
        lg_answer_refuse(client, 503, N_("out of memory"));
        return;
    }
    request->magic = REQUEST_MAGIC;
    request->client = client;
    request->worker = worker;
    request->settings = lg_settings_hold(worker);
    request->began_at = ln_loop_now(worker->loop);
    request->head = head;
    request->method = head->method;
    lb_arena_init(&request->arena, worker->host, request->room->bytes, LG_ROOM_SIZE, LG_ARENA_MAX);
    take_body(request);
    request->id = lg_worker_make_id(worker, request->id_text);
    client->request = request;
    lg_count(worker, LG_METRIC_REQUESTS, 1);
    lg_count(worker, LG_METRIC_REQUESTS_OPEN, 1);
    lg_request_run(request);
}

static void free_request(struct lg_request *request)
{
    struct lg_worker *worker = request->worker;
    struct lg_client *client = request->client;
    bool keep = request->keep_alive && !request->gone;
    bool rude = request->body_open;

    ln_timer_stop(&request->ping);
    lg_body_free(request);
    lb_arena_free(&request->arena);
    lb_free(worker->host, request->nest);
    give_room(worker, request->room);
    lg_settings_drop(worker, request->settings);
    lg_count(worker, LG_METRIC_REQUESTS_OPEN, -1);
    request->magic = 0;
    if (worker->spare_count < SPARE_MAX) {
        request->next = worker->spare;
        worker->spare = request;
        worker->spare_count++;
    } else {
        lb_free(worker->host, request);
    }
    lg_client_done(client, keep, rude);
}

/* ---- A stream settles in --------------------------------------------------------------------- */

static char *move_text(char *to, struct lb_str *text)
{
    if (text->size != 0)
        memcpy(to, text->p, text->size);
    to[text->size] = '\0';
    text->p = to;
    return to + text->size + 1;
}

void lg_request_settle_in(struct lg_request *request)
{
    const struct lr_target *old = &request->target;
    struct lr_target target = {
        .user = old->user,
        .slot = old->slot,
        .platform_id = old->platform_id,
        .platform_name = old->platform_name,
        .platform_is_sys = old->platform_is_sys,
        .origin = old->origin,
        .sealed_key = old->sealed_key,
        .model_id = old->model_id,
        .model_name = old->model_name,
        .payer = old->payer,
    };
    struct lb_str *const texts[] = {&target.user,       &target.slot,   &target.platform_name,
                                    &target.model_name, &target.origin, &target.sealed_key,
                                    &request->client_id};
    enum { TEXTS = sizeof texts / sizeof *texts };
    struct ld_filter *filter = request->relay->filter;

    /* The rest of the request is still to be sent from there, or a step has something there. */
    if (lu_exchange_stats(request->exchange)->sent_at < 0 || request->error != NULL ||
        request->job != NULL || request->room == NULL || lg_own_holds(request->own) ||
        filter == NULL)
        return;
    size_t size = sizeof *request->relay + filter->face->size;
    for (size_t i = 0; i < TEXTS; i++)
        size += texts[i]->size + 1;
    char *nest = lb_alloc(request->worker->host, size);
    if (nest == NULL)
        return;
    request->relay = memcpy(nest, request->relay, sizeof *request->relay);
    char *at = nest + sizeof *request->relay;
    request->relay->filter = memcpy(at, filter, filter->face->size);
    at += filter->face->size;
    for (size_t i = 0; i < TEXTS; i++)
        at = move_text(at, texts[i]);
    request->target = target;
    request->caller.user = target.user;
    request->model = request->match.path = request->match.rest = lb_str(NULL, 0);
    request->match.param_count = 0;
    request->ask = NULL;
    lg_own_free(request);
    request->own = NULL;
    request->fields = NULL;
    request->field_count = 0;
    lb_arena_free(&request->arena);
    lb_arena_init(&request->arena, request->worker->host, NULL, 0, LG_ARENA_MAX);
    give_room(request->worker, request->room);
    request->room = NULL;
    request->nest = nest;
}

/* ---- What happens to it ---------------------------------------------------------------------- */

void lg_request_gone(struct lg_request *request)
{
    if (!request->gone) {
        request->gone = true;
        if (!request->answered)
            lg_count(request->worker, LG_METRIC_CLIENT_GONE, 1);
    }
    if (!request->working)
        lg_request_run(request);
}

void lg_request_cut(struct lg_request *request)
{
    struct lg_relay *relay = request->relay;

    if (request->step >= LG_STEP_SETTLE || request->cut)
        return;
    request->cut = true;
    if (request->working)
        return; /* the arena is the work's; told when that is done */
    tell_cut(request);
    if (request->step == LG_STEP_RELAY) {
        relay->is_over = true;
        relay->end = LLMGR_END_LIMIT_CUT;
    }
    lg_request_run(request);
}

void lg_request_late(struct lg_request *request)
{
    lg_client_want_body(request->client, false);
    request->error_http = 408;
    (void)lg_request_fail(request, LLMGR_ERR_INVALID,
                          N_("the request's body did not arrive in time"));
    request->late = true;
    lg_request_run(request);
}

/* ---- The head -------------------------------------------------------------------------------- */

/* Every slice of the old head, moved to where its bytes are now. */
static struct lb_str moved(struct lb_str slice, const char *from, const char *to, size_t size)
{
    if (slice.p >= from && slice.p < from + size)
        slice.p = to + (slice.p - from);
    return slice;
}

static const char *start_of(const struct lh_head *head)
{
    return head->method_name.p;
}

llmgr_status lg_request_keep(struct lg_request *request)
{
    const struct lh_head *old = request->head;
    const char *from = start_of(old);
    /* The method is the head's first byte but for an empty line before it. */
    size_t size = old->size;
    struct lh_head *head = lb_arena_alloc(&request->arena, sizeof *head);
    struct lh_field *fields =
        lb_arena_alloc(&request->arena, (old->field_count + 1) * sizeof *fields);
    char *bytes = lb_arena_bytes(&request->arena, size);

    if (head == NULL || fields == NULL || bytes == NULL)
        return LLMGR_ERR_NO_MEMORY;
    memcpy(bytes, from, size);
    *head = *old;
    head->fields = fields;
    head->method_name = moved(old->method_name, from, bytes, size);
    head->target = moved(old->target, from, bytes, size);
    head->path = moved(old->path, from, bytes, size);
    head->query = moved(old->query, from, bytes, size);
    head->host = moved(old->host, from, bytes, size);
    for (size_t i = 0; i < old->field_count; i++) {
        fields[i] = old->fields[i];
        fields[i].name = moved(old->fields[i].name, from, bytes, size);
        fields[i].value = moved(old->fields[i].value, from, bytes, size);
    }
    request->match.path = moved(request->match.path, from, bytes, size);
    request->match.rest = moved(request->match.rest, from, bytes, size);
    for (size_t i = 0; i < request->match.param_count; i++)
        request->match.params[i] = moved(request->match.params[i], from, bytes, size);
    request->head = head;
    request->kept = true;
    return LLMGR_OK;
}

/* ---- Errors ---------------------------------------------------------------------------------- */

struct llmgr_error *lg_request_error(struct lg_request *request)
{
    if (request->error == NULL) {
        request->error = lb_arena_alloc(&request->arena, sizeof *request->error);
        if (request->error == NULL)
            request->error = &request->worker->last_error; /* shared, but better than none */
    }
    *request->error = (struct llmgr_error){0};
    return request->error;
}

enum lg_verdict lg_request_fail(struct lg_request *request, llmgr_status status, const char *format,
                                ...)
{
    struct llmgr_error *err = lg_request_error(request);
    char text[sizeof err->message];
    va_list args;

    va_start(args, format);
    if (vsnprintf(text, sizeof text, lb_tr(format), args) < 0)
        text[0] = '\0';
    va_end(args);
    lb_fail(err, status, "%s", text);
    return LG_FAIL;
}

enum lg_verdict lg_request_fail_with(struct lg_request *request, const struct llmgr_error *err)
{
    struct llmgr_error *own = lg_request_error(request);

    *own = *err;
    return LG_FAIL;
}

struct lb_str lg_request_public_id(const struct lg_request *request)
{
    return request->client_id.size > 0 ? request->client_id : request->id;
}

const struct ld_endpoint *lg_request_endpoint(const struct lg_request *request)
{
    const struct lg_route *route = request->match.route;

    if (route == NULL || route->kind != LG_ROUTE_RELAY)
        return ld_endpoint(request->wants_anthropic_id ? LD_ENDPOINT_MESSAGES : LD_ENDPOINT_NATIVE);
    return ld_endpoint((enum ld_endpoint_id)route->endpoint);
}

enum ld_shape lg_request_shape(const struct lg_request *request)
{
    const struct ld_endpoint *endpoint = lg_request_endpoint(request);

    return endpoint->id == LD_ENDPOINT_NATIVE && request->wants_anthropic_id ? LD_SHAPE_ANTHROPIC
                                                                             : endpoint->shape;
}
