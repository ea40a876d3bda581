/* SPDX-License-Identifier: MIT */
/*
 * The way of a request: the table of its steps, and the one driver that walks it. Reading the
 * table in request.h is reading the gateway; each step stands in step_<what it is about>.c.
 *
 *   ACCEPT MATCH IDENTIFY READ HANDLE TARGET ADMIT OWN OPEN PREPARE SEND RELAY SETTLE FINISH
 *      \_______\______\_____\____\_____\_____\____\____\______\____\____\___^ |
 *                 FAIL or DONE (nothing more is to come)   ^                    |
 *                                          AGAIN (one more attempt) ------------+
 *                                  ANEW (whose target is to be found)
 *
 * Whatever happens, a request passes SETTLE once for each attempt, and FINISH exactly once.
 */
#include "gateway/request.h"

#include <string.h>

#include "gateway/answer.h"
#include "gateway/attempt.h"
#include "gateway/body.h"
#include "gateway/client.h"
#include "gateway/work.h"

enum { SPARE_MAX = 64 };

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
static void move_to(struct lg_request *request, enum lg_step to)
{
    if (request->worker->host->log_level >= LLMGR_LOG_DEBUG)
        lb_debug(request->worker->host, "%.*s: %s -> %s", (int)request->id.size, request->id.p,
                 STEPS[request->step].name, to < LG_STEP_COUNT ? STEPS[to].name : "end");
    request->step = to;
}

static void free_request(struct lg_request *request);

/* One step further; false if the request waits. */
static bool advance_step(struct lg_request *request)
{
    switch (STEPS[request->step].run(request)) {
    case LG_NEXT:
        move_to(request, request->step + 1);
        return true;
    case LG_AGAIN:
        move_to(request, LG_STEP_ADMIT);
        return true;
    case LG_ANEW:
        move_to(request, LG_STEP_TARGET);
        return true;
    case LG_FAIL:
    case LG_DONE:
        move_to(request, LG_STEP_SETTLE);
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
            move_to(request, LG_STEP_SETTLE);
        }
        while (request->step < LG_STEP_COUNT && advance_step(request))
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

static struct lg_block *take_block(struct lg_worker *worker)
{
    struct lg_block *block = worker->blocks;

    if (block == NULL)
        return lb_alloc(worker->host, sizeof *block);
    worker->blocks = block->next;
    worker->room_count--;
    return block;
}

static void give_block(struct lg_worker *worker, struct lg_block *block)
{
    if (block == NULL)
        return;
    if (worker->room_count == SPARE_MAX) {
        lb_free(worker->host, block);
        return;
    }
    block->next = worker->blocks;
    worker->blocks = block;
    worker->room_count++;
}

void lg_request_leave_block(struct lg_request *request)
{
    lb_arena_free(&request->arena);
    lb_arena_init(&request->arena, request->worker->host, NULL, 0, LG_ARENA_MAX);
    give_block(request->worker, request->block);
    request->block = NULL;
}

/* With a room. */
static struct lg_request *take_spare(struct lg_worker *worker)
{
    struct lg_block *block = take_block(worker);
    struct lg_request *request = worker->spare;

    if (block == NULL)
        return NULL;
    if (request != NULL) {
        worker->spare = request->next;
        worker->spare_count--;
    } else {
        request = lb_alloc(worker->host, sizeof *request);
    }
    if (request == NULL) {
        give_block(worker, block);
        return NULL;
    }
    memset(request, 0, sizeof *request);
    request->block = block;
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
    request->magic = LG_REQUEST_MAGIC;
    request->client = client;
    request->worker = worker;
    request->settings = lg_settings_hold(worker);
    request->began_at = ln_loop_now(worker->loop);
    request->head = head;
    request->method = head->method;
    lb_arena_init(&request->arena, worker->host, request->block->bytes, LG_BLOCK_SIZE,
                  LG_ARENA_MAX);
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
    bool unread_body = request->body_open;

    ln_timer_stop(&request->ping);
    lg_body_free(request);
    lb_arena_free(&request->arena);
    lb_free(worker->host, request->parked);
    give_block(worker, request->block);
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
    lg_client_done(client, keep, unread_body);
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
    if (request->step >= LG_STEP_SETTLE || request->cut)
        return;
    request->cut = true;
    if (request->working)
        return; /* the arena is the work's; told when that is done */
    tell_cut(request);
    if (request->step == LG_STEP_RELAY)
        lg_attempt_stop(request->attempt, LLMGR_END_LIMIT_CUT);
    lg_request_run(request);
}

bool lg_request_is_settled(const struct lg_request *request)
{
    const struct ly_route *route = request->match.route;

    return request->answered || (route != NULL && route->kind != LY_ROUTE_RELAY);
}

void lg_request_late(struct lg_request *request)
{
    lg_client_want_body(request->client, false);
    (void)lg_request_fail(request, LLMGR_ERR_TOO_SLOW,
                          N_("the request's body did not arrive in time"));
    request->late = true;
    lg_request_run(request);
}

/* ---- The head -------------------------------------------------------------------------------- */

/* Every slice of the old head, moved to where its bytes are now. */
static struct lb_str moved_slice(struct lb_str slice, const char *from, const char *to, size_t size)
{
    const uintptr_t offset = (uintptr_t)slice.p - (uintptr_t)from;

    if (offset < size)
        slice.p = to + offset;
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
    const size_t size = old->size, fields_size = old->field_count * sizeof(struct lh_field);
    struct lh_head *head = lb_arena_alloc(&request->arena, sizeof *head + fields_size + size);

    if (head == NULL)
        return LLMGR_ERR_NO_MEMORY;
    struct lh_field *fields = (struct lh_field *)(head + 1);
    char *bytes = (char *)fields + fields_size;
    memcpy(bytes, from, size);
    *head = *old;
    head->fields = fields;
    head->method_name = moved_slice(old->method_name, from, bytes, size);
    head->target = moved_slice(old->target, from, bytes, size);
    head->path = moved_slice(old->path, from, bytes, size);
    head->query = moved_slice(old->query, from, bytes, size);
    head->host = moved_slice(old->host, from, bytes, size);
    for (size_t i = 0; i < old->field_count; i++) {
        fields[i] = old->fields[i];
        fields[i].name = moved_slice(old->fields[i].name, from, bytes, size);
        fields[i].value = moved_slice(old->fields[i].value, from, bytes, size);
    }
    request->match.path = moved_slice(request->match.path, from, bytes, size);
    request->match.rest = moved_slice(request->match.rest, from, bytes, size);
    for (size_t i = 0; i < request->match.param_count; i++)
        request->match.params[i] = moved_slice(request->match.params[i], from, bytes, size);
    request->head = head;
    request->kept = true;
    return LLMGR_OK;
}
