/* SPDX-License-Identifier: MIT */
/* Heads and whole answers of our own, and errors in the dialect of the endpoint called. */
#include "gateway/answer.h"

#include <string.h>

#include "dialect/error_write.h"
#include "dialect/filter.h"
#include "gateway/attempt.h"
#include "gateway/client.h"
#include "gateway/request.h"
#include "gateway/walk.h"
#include "http/chunked.h"
#include "http/coding.h"
#include "http/write.h"
#include "management/problem.h"
#include "net/conn.h"

/* ---- Heads ----------------------------------------------------------------------------------- */

static enum lg_metric class_of(int status)
{
    if (status < 300)
        return LG_METRIC_ANSWERS_2XX;
    if (status < 400)
        return LG_METRIC_ANSWERS_3XX;
    return status < 500 ? LG_METRIC_ANSWERS_4XX : LG_METRIC_ANSWERS_5XX;
}

/* A page needs a token to call with: without one, whatever is open in a browser here could call. */
bool lg_answer_to_pages(const struct lg_request *request)
{
    return request->settings->cors && request->worker->shared->need_token;
}

static void write_cors(struct lg_request *request, struct lb_buf *out)
{
    if (!lg_answer_to_pages(request))
        return;
    lh_write_named(out, LH_NAME("access-control-allow-origin"), LB_STR("*"));
    lh_write_named(out, LH_NAME("access-control-expose-headers"), LB_STR("*"));
}

struct lb_buf *lg_answer_head(struct lg_request *request, int status)
{
    struct lg_worker *worker = request->worker;
    struct lb_buf *out = &worker->out;

    request->status = status;
    lg_count(worker, class_of(status), 1);
    lb_buf_reset(out);
    lh_write_status(out, status);
    lh_write_named(out, LH_NAME("date"), lg_worker_date(worker));
    lh_write_named(out, LH_NAME("x-request-id"), lg_request_public_id(request));
    if (request->wants_anthropic_id || lg_request_shape(request) == LD_SHAPE_ANTHROPIC)
        lh_write_named(out, LH_NAME("request-id"), lg_request_public_id(request));
    write_cors(request, out);
    return out;
}

void lg_answer_head_end(struct lg_request *request, int64_t length)
{
    struct lb_buf *out = &request->worker->out;
    bool bodiless = request->status == 204 || request->status == 304;

    if (bodiless) {
        request->chunked = false;
    } else if (length >= 0) {
        lh_write_named_u64(out, LH_NAME("content-length"), (uint64_t)length);
    } else if (request->minor_1) {
        lh_write_named(out, LH_NAME("transfer-encoding"), LB_STR("chunked"));
        request->chunked = !request->head_only;
    } else {
        request->keep_alive = false; /* its end is the end of the body */
    }
    if (request->worker->draining || (request->upload != NULL && request->body_open))
        request->keep_alive = false;
    if (request->status == 426) /* it names what it takes, RFC 9110 section 15.5.22 */
        lh_write_named(out, LH_NAME("upgrade"), LB_STR("HTTP/1.1"));
    if (request->status == 426)
        lh_write_named(out, LH_NAME("connection"),
                       request->keep_alive ? LB_STR("upgrade") : LB_STR("upgrade, close"));
    else if (!request->keep_alive)
        lh_write_named(out, LH_NAME("connection"), LB_STR("close"));
    else if (!request->minor_1)
        lh_write_named(out, LH_NAME("connection"), LB_STR("keep-alive"));
    lh_write_end(out);
}

void lg_answer_take_back(struct lg_request *request)
{
    lg_count(request->worker, class_of(request->status), -1);
    request->status = 0;
    request->chunked = false;
}

/* ---- Whole answers --------------------------------------------------------------------------- */

void lg_answer_whole(struct lg_request *request, struct lb_str type, struct lb_str body)
{
    struct lb_buf *out = &request->worker->out;
    struct lg_client *client = request->client;

    if (body.size > 0)
        lh_write_named(out, LH_NAME("content-type"), type);
    lg_answer_head_end(request, (int64_t)body.size);
    request->answered = true;
    request->bytes_out = body.size;
    if (out->failed != LLMGR_OK) {
        request->keep_alive = false;
        return;
    }
    const struct lb_str slices[] = {lb_buf_str(out), body};
    ln_conn_set_marks(client->conn, LG_OUT_CAP + out->size + body.size, LG_OUT_LOW);
    if (!lg_client_write(client, slices, request->head_only ? 1 : 2))
        request->keep_alive = false;
    ln_conn_set_marks(client->conn, LG_OUT_CAP, LG_OUT_LOW);
}

/* Retry-After knows seconds only (RFC 9110 section 10.2.3); the OpenAI SDKs read both. */
void lg_answer_retry(struct lg_request *request, enum ld_retry retry, int64_t wait_ms)
{
    struct lb_buf *out = &request->worker->out;

    lg_walk_know_retry(request, &retry, &wait_ms);
    if (wait_ms >= 0) {
        lh_write_named_u64(out, LH_NAME("retry-after"), (uint64_t)(wait_ms + 999) / 1000);
        lh_write_named_u64(out, LH_NAME("retry-after-ms"), (uint64_t)wait_ms);
    }
    if (retry != LD_RETRY_UNSAID)
        lh_write_named(out, LH_NAME("x-should-retry"),
                       retry == LD_RETRY_YES ? LB_STR("true") : LB_STR("false"));
}

/* ---- Errors ---------------------------------------------------------------------------------- */

/* Fills the table's row for our error. */
static void problem_of(const struct lg_request *request, struct ld_problem *problem)
{
    const struct llmgr_error *err = request->error;

    ld_problem_of(err->status, problem);
    if (request->error_http != 0)
        problem->http_status = request->error_http;
    if (request->error_plain)
        ld_problem_of_http(problem->http_status, problem);
    problem->message = lb_cstr(err->message);
    problem->request_id = lg_request_public_id(request);
}

/* The management API speaks problem details; everything else the endpoint's dialect. */
static bool is_api(const struct lg_request *request)
{
    return lb_str_starts(request->match.path, LB_STR("/api/"));
}

static void write_allow(struct lg_request *request, struct lb_buf *out)
{
    static const char *const NAMES[] = {[LH_METHOD_OTHER] = "",
#define LG_METHOD_NAME(name) [LH_METHOD_##name] = #name,
                                        LH_METHOD_MAP(LG_METHOD_NAME)
#undef LG_METHOD_NAME
    };
    char allow[80];
    size_t size = 0;

    for (unsigned i = 1; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        size_t name = strlen(NAMES[i]);
        if ((request->match.allowed & 1u << i) == 0 || size + name + 2 > sizeof allow)
            continue;
        if (size > 0) {
            memcpy(allow + size, ", ", 2);
            size += 2;
        }
        memcpy(allow + size, NAMES[i], name);
        size += name;
    }
    lh_write_named(out, LH_NAME("allow"), lb_str(allow, size));
}

void lg_answer_error(struct lg_request *request)
{
    const struct llmgr_error *err = request->error;
    struct lb_str type = LB_STR("application/json");
    struct ld_problem problem;
    struct lb_buf *body = &request->worker->words;

    problem_of(request, &problem);
    if (is_api(request) && request->error_http == 0)
        problem.http_status = lp_problem_http(err->status);
    lb_buf_reset(body);
    if (is_api(request)) {
        type = LP_PROBLEM_TYPE;
        lp_problem_write(err, problem.http_status, request->id, body);
    } else {
        ld_error_body(lg_request_shape(request), &problem, body);
    }
    struct lb_buf *out = lg_answer_head(request, problem.http_status);
    int64_t wait = problem.retry_after ? 1000 : -1;
    lg_answer_retry(request, problem.retry, err->retry_after_ms > 0 ? err->retry_after_ms : wait);
    if (problem.http_status == 401)
        lh_write_named(out, LH_NAME("www-authenticate"), LB_STR("Bearer"));
    if (problem.http_status == 405)
        write_allow(request, out);
    if (problem.http_status == 415) /* what it may come in, RFC 9110 section 15.5.16 */
        lh_write_named(out, LH_NAME("accept-encoding"), LB_STR(LH_CODINGS_TAKEN));
    lg_answer_whole(request, type, lb_buf_str(body));
}

void lg_answer_cut(struct lg_request *request, bool event)
{
    struct ld_problem problem;
    struct lb_buf *body = &request->worker->words;
    char size[LH_CHUNK_HEAD_MAX];
    const bool has_end = event && request->chunked;

    request->keep_alive = request->keep_alive && has_end;
    request->answered = true;
    if (!event)
        return; /* the missing end is the message */
    problem_of(request, &problem);
    if (request->attempt != NULL && request->attempt->filter != NULL)
        problem.sequence = request->attempt->filter->report.events;
    lb_buf_reset(body);
    ld_error_event(lg_request_shape(request), &problem, body);
    struct lb_str slices[] = {{NULL, 0}, lb_buf_str(body), {NULL, 0}};
    if (request->chunked) {
        slices[0] = lb_str(size, lh_chunk_head(size, body->size));
        slices[2] = LB_STR(LH_CHUNK_TAIL LH_CHUNK_END);
    }
    if (body->failed == LLMGR_OK)
        (void)lg_client_write(request->client, slices, 3);
    else
        request->keep_alive = false;
}

void lg_answer_refuse(struct lg_client *client, int status, const char *text)
{
    struct lg_worker *worker = client->worker;
    struct llmgr_error err = {0};
    struct ld_problem problem;
    struct lb_buf *body = &worker->words;
    char id[LG_ID_SIZE];

    lb_fail(&err, LLMGR_ERR_INVALID, N_("the message is refused: %s"), lb_tr(text));
    if (status == 429) /* no platform has been asked: the limit is ours */
        ld_problem_of(LLMGR_ERR_LIMIT, &problem);
    else
        ld_problem_of_http(status, &problem);
    problem.message = lb_cstr(err.message);
    lb_buf_reset(body);
    ld_error_body(LD_SHAPE_OPENAI, &problem, body);
    struct lb_buf *out = &worker->out;
    lb_buf_reset(out);
    lh_write_status(out, status);
    lh_write_named(out, LH_NAME("date"), lg_worker_date(worker));
    lh_write_named(out, LH_NAME("x-request-id"), lg_worker_make_id(worker, id));
    lh_write_named(out, LH_NAME("content-type"), LB_STR("application/json"));
    lh_write_named_u64(out, LH_NAME("content-length"), body->size);
    lh_write_named(out, LH_NAME("connection"), LB_STR("close"));
    lh_write_end(out);
    const struct lb_str slices[] = {lb_buf_str(out), lb_buf_str(body)};
    lg_count(worker, class_of(status), 1);
    if (out->failed == LLMGR_OK && body->failed == LLMGR_OK)
        (void)lg_client_write(client, slices, 2);
    lg_client_done(client, false, true);
}
