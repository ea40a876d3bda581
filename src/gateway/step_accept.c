/* SPDX-License-Identifier: MIT */
/*
 * ACCEPT and MATCH: what the head alone decides. Which id the request bears, which route it takes,
 * and what a browser asks before it asks.
 */
#include "gateway/request.h"

#include <string.h>

#include "gateway/answer.h"
#include "gateway/decode.h"
#include "gateway/origin.h"
#include "gateway/upload.h"
#include "http/hops.h"
#include "http/write.h"
#include "management/schema.h"

/* An id of theirs that can stand in a log line and in a header. */
static bool is_sane_id(struct lb_str id)
{
    if (id.size == 0 || id.size > LG_CLIENT_ID_MAX)
        return false;
    return lh_is_token(id);
}

enum lg_verdict lg_step_accept(struct lg_request *request)
{
    const struct lh_head *head = request->head;
    struct lb_str theirs = lh_head_get(head, LH_HEADER_X_REQUEST_ID);

    request->minor_1 = head->minor == 1;
    request->keep_alive = head->keep_alive;
    request->head_only = head->method == LH_METHOD_HEAD;
    request->wants_anthropic_id = lh_head_get(head, LH_HEADER_ANTHROPIC_VERSION).p != NULL;
    request->body_open = head->body != LH_BODY_NONE;
    request->expects = head->expect_continue;
    lh_body_init(&request->decoder, head);
    if (is_sane_id(theirs)) {
        request->client_id = lb_arena_str(&request->arena, theirs);
        if (request->client_id.p == NULL)
            request->client_id.size = 0;
    }
    return lg_origin_begin(request);
}

/* The preflight of a browser: nothing is done, so no token is needed. */
static enum lg_verdict answer_options(struct lg_request *request)
{
    struct lb_str wanted = lh_head_get(request->head, LH_HEADER_ACCESS_CONTROL_REQUEST_HEADERS);
    struct lb_buf *out = lg_answer_head(request, 204);

    lh_write_named(out, LH_NAME("allow"), LB_STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
    if (lg_answer_to_pages(request)) {
        lh_write_named(out, LH_NAME("access-control-allow-methods"),
                       LB_STR("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"));
        lh_write_named(out, LH_NAME("access-control-allow-headers"),
                       wanted.size > 0 ? wanted : LB_STR("*"));
        lh_write_named(out, LH_NAME("access-control-max-age"), LB_STR("86400"));
    }
    lg_answer_whole(request, lb_str(NULL, 0), lb_str(NULL, 0));
    return LG_DONE;
}

/*
 * Bytes of a body that the gateway reads itself: most become a tree, which takes tens of times its
 * size; a file is read in place. What is relayed has no limit here.
 */
static size_t limit_of_own(const struct ly_route *route)
{
    const struct lp_operation *operation;

    if (route->kind == LY_ROUTE_RELAY)
        return SIZE_MAX;
    operation = route->kind == LY_ROUTE_OPERATION ? lp_operation_find(route->operation) : NULL;
    return operation != NULL && (operation->options & LP_FILE) != 0 ? LP_FILE_MAX : LP_API_BODY_MAX;
}

/* A body whose length is known too large is refused before anybody looks who sends it. */
static enum lg_verdict judge_length(struct lg_request *request)
{
    const struct lg_settings *settings = request->settings;

    if (lg_decode_judge(request) != LG_NEXT)
        return LG_FAIL;
    request->streams_body = lg_upload_suits(request);
    size_t limit = request->streams_body ? settings->upload_max : settings->body_max;
    size_t own_limit = limit_of_own(request->match.route);
    if (limit > own_limit) {
        limit = own_limit;
        request->body.limit = limit;
    }
    if (request->head->length <= limit)
        return LG_NEXT;
    request->error_http = 413;
    return lg_request_fail(request, LLMGR_ERR_TOO_LARGE,
                           N_("the request's body is larger than %zu bytes"), limit);
}

/*
 * A request that has been here before comes from a platform that is this gateway, by whatever way:
 * it ends at its second visit, before it is looked at. So do those that nobody else ends.
 */
static enum lg_verdict judge_hops(struct lg_request *request)
{
    struct lb_str ours = request->worker->shared->hop;
    struct lh_loop loop;

    if (!lh_loop_read(request->head, ours, &loop))
        return lg_request_fail(request, LLMGR_ERR_INVALID,
                               N_("the header field CDN-Loop is malformed or longer than %d bytes"),
                               LH_LOOP_SIZE);
    if (loop.met)
        return lg_request_fail(request, LLMGR_ERR_LOOP,
                               N_("this request has been here before: the address of a platform "
                                  "leads back to this gateway"));
    if (loop.count >= LH_LOOP_MAX)
        return lg_request_fail(request, LLMGR_ERR_LOOP,
                               N_("this request has come through %u gateways, more than a chain of "
                                  "platforms may have"),
                               loop.count);
    return judge_length(request);
}

/* Is it the path of the request before? */
static bool is_known(const struct lg_request *request)
{
    const struct lg_route_memo *memo = &request->worker->memo;

    return memo->route != NULL && memo->method == request->head->method &&
           lb_str_eq(request->head->path, lb_str(memo->path, memo->size));
}

/* A match that consists of the route alone is the same for the same bytes. */
static void remember(const struct lg_request *request)
{
    struct lg_route_memo *memo = &request->worker->memo;
    const struct ly_match *match = &request->match;
    const struct lb_str path = request->head->path;

    if (match->param_count > 0 || match->rest.size > 0 || match->path.p != path.p ||
        match->path.size != path.size || path.size > sizeof memo->path)
        return;
    memo->route = match->route;
    memo->method = request->head->method;
    memo->size = path.size;
    memcpy(memo->path, path.p, path.size);
}

static llmgr_status match_path(struct lg_request *request, struct llmgr_error *err)
{
    const struct lh_head *head = request->head;

    if (is_known(request)) {
        request->match =
            (struct ly_match){.route = request->worker->memo.route, .path = head->path};
        return LLMGR_OK;
    }
    llmgr_status status =
        ly_route_match(head->method, head->path, &request->arena, &request->match, err);
    if (status == LLMGR_OK)
        remember(request);
    return status;
}

/* A client that would rather have a WebSocket (Codex does) asks again by POST when it hears this.
 */
static bool wants_socket(const struct lg_request *request)
{
    struct lb_str list = lh_head_get(request->head, LH_HEADER_UPGRADE), member;
    const struct ly_match *match = &request->match;
    bool relayed = match->route != NULL ? match->route->kind == LY_ROUTE_RELAY
                                        : (match->allowed & 1u << LH_METHOD_POST) != 0;

    if (!relayed || request->head->method != LH_METHOD_GET)
        return false;
    while (lh_list_next(&list, &member)) {
        if (lb_str_eq_nocase(member, LB_STR("websocket")))
            return true;
    }
    return false;
}

static enum lg_verdict refuse_socket(struct lg_request *request)
{
    request->error_http = 426;
    request->error_plain = true;
    return lg_request_fail(request, LLMGR_ERR_INVALID,
                           N_("WebSocket is not spoken here; send the request by POST"));
}

enum lg_verdict lg_step_match(struct lg_request *request)
{
    const struct lh_head *head = request->head;
    struct llmgr_error err = {0};

    if (head->method == LH_METHOD_OPTIONS)
        return answer_options(request);
    if (head->method == LH_METHOD_TRACE || head->method == LH_METHOD_OTHER) {
        request->error_http = 501;
        return lg_request_fail(request, LLMGR_ERR_INVALID, N_("this method is not served"));
    }
    llmgr_status status = match_path(request, &err);
    if (wants_socket(request))
        return refuse_socket(request);
    if (status == LLMGR_OK) {
        /* What is not relayed is for us, and may bear a key. */
        request->body.secret = request->match.route->kind != LY_ROUTE_RELAY;
        return request->body.secret ? judge_length(request) : judge_hops(request);
    }
    request->error_plain = true;
    if (request->match.allowed != 0)
        request->error_http = 405;
    return lg_request_fail_with(request, &err);
}
