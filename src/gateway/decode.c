/* SPDX-License-Identifier: MIT */
/* Bodies out of their coding. See the header. */
#include "gateway/decode.h"

#include "base/magic.h"
#include "gateway/ask.h"
#include "gateway/body.h"
#include "gateway/work.h"
#include "http/coding.h"

enum { PIECE_SIZE = 16 * 1024 };

enum { DECODE_MAGIC = 0x6c676463 };

struct lg_decode {
    unsigned magic;
    const struct lb_host *host;
    enum lh_coding coding;
    struct lb_str coded;
    size_t limit; /* bytes that it may become */
    size_t room;  /* bytes that are kept of them; what exceeds them is counted only */
    size_t total;
    struct lb_buf out;
    llmgr_status status;
    bool working;
    bool done;
};

/* ---- Which ----------------------------------------------------------------------------------- */

bool lg_decode_is_coded(const struct lg_request *request)
{
    return request->head != NULL && lh_coding_of(request->head) != LH_CODING_NONE;
}

/* Must it be read here? */
static bool is_read(const struct lg_request *request)
{
    struct lb_str type = lh_head_get(request->head, LH_HEADER_CONTENT_TYPE);

    return lg_request_endpoint(request)->id != LD_ENDPOINT_NATIVE || lg_is_json(type) ||
           ld_is_form(type);
}

enum lg_verdict lg_decode_refuse(struct lg_request *request)
{
    request->error_http = 415;
    request->error_plain = true;
    return lg_request_fail(request, LLMGR_ERR_INVALID,
                           N_("this body is taken without a Content-Encoding only"));
}

enum lg_verdict lg_decode_judge(struct lg_request *request)
{
    enum lh_coding coding = lh_coding_of(request->head);

    if (coding == LH_CODING_NONE || request->head->body == LH_BODY_NONE)
        return LG_NEXT;
    if (request->match.route->kind != LY_ROUTE_RELAY)
        return lg_decode_refuse(request);
    if (coding != LH_CODING_OTHER || !is_read(request))
        return LG_NEXT;
    request->error_http = 415;
    request->error_plain = true;
    return lg_request_fail(request, LLMGR_ERR_INVALID,
                           N_("the body's Content-Encoding is not understood; send it in one of "
                              "these, or in none: %s"),
                           LH_CODINGS_TAKEN);
}

/* ---- On a thread ----------------------------------------------------------------------------- */

static void decode(void *context)
{
    struct lg_decode *job = LB_CAST(struct lg_decode, context, DECODE_MAGIC);
    struct lh_decoder *decoder = lh_decoder_new(job->host, job->coding, LH_WINDOW_ASKED);
    struct lb_str in = job->coded;
    enum lh_result result = LH_MORE;
    char piece[PIECE_SIZE];
    size_t size = PIECE_SIZE;

    job->total = 0;
    job->status = decoder != NULL ? LLMGR_OK : LLMGR_ERR_NO_MEMORY;
    while (job->status == LLMGR_OK && (in.size > 0 || size == PIECE_SIZE)) {
        result = lh_decode(decoder, &in, piece, PIECE_SIZE, &size);
        job->total += size;
        if (result == LH_FAILED)
            job->status = LLMGR_ERR_INVALID;
        else if (job->total > job->limit)
            job->status = LLMGR_ERR_TOO_LARGE;
        else if (job->total <= job->room)
            lb_buf_add_str(&job->out, lb_str(piece, size));
    }
    if (job->status == LLMGR_OK && !lh_decoder_ended(decoder))
        job->status = LLMGR_ERR_INVALID;
    if (job->status == LLMGR_OK)
        job->status = job->out.failed;
    lh_decoder_free(decoder);
}

/* ---- On the loop ----------------------------------------------------------------------------- */

static enum lg_verdict fail(struct lg_request *request, const struct lg_decode *job)
{
    switch (job->status) {
    case LLMGR_ERR_TOO_LARGE:
        request->error_http = 413;
        return lg_request_fail(request, job->status,
                               N_("the request's body is larger than %zu bytes"), job->limit);
    case LLMGR_ERR_INVALID:
        return lg_request_fail(request, job->status, N_("the request's body is refused: %s"),
                               lb_tr(lh_error_text(LH_ERR_CODED)));
    default:
        return lg_request_fail_memory(request);
    }
}

static enum lg_verdict decoded(struct lg_request *request, void *context, llmgr_status status)
{
    struct lg_decode *job = LB_CAST(struct lg_decode, context, DECODE_MAGIC);

    lg_body_looked(request);
    job->working = false;
    if (status == LLMGR_OK && job->status == LLMGR_OK && job->total <= job->room) {
        lb_buf_free(&request->body);
        request->body = job->out;
        request->body.limit = job->limit;
        job->done = true;
        return LG_NEXT;
    }
    lb_buf_free(&job->out);
    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (job->status != LLMGR_OK)
        return fail(request, job);
    job->room = job->total; /* once more, with memory for all of it */
    return LG_NEXT;
}

bool lg_decode_is_working(const struct lg_request *request)
{
    return request->decode != NULL && request->decode->working;
}

static struct lg_decode *begin(struct lg_request *request)
{
    struct lg_decode *job = lb_arena_calloc(&request->arena, 1, sizeof *job);

    if (job == NULL)
        return NULL;
    job->magic = DECODE_MAGIC;
    job->host = request->worker->host;
    job->coding = lh_coding_of(request->head);
    job->coded = lb_buf_str(&request->body);
    job->limit = request->settings->body_max;
    job->room = LG_BODY_SMALL;
    job->done = !is_read(request) || job->coding == LH_CODING_NONE || job->coded.size == 0;
    request->decode = job;
    return job;
}

enum lg_verdict lg_decode_body(struct lg_request *request)
{
    struct lg_decode *job = request->decode != NULL ? request->decode : begin(request);

    if (job == NULL)
        return lg_request_fail_memory(request);
    if (job->done)
        return LG_NEXT;
    enum lg_verdict verdict = lg_body_admit(request, request->body.capacity + job->room + 1);
    if (verdict == LG_NEXT)
        verdict = lg_body_turn(request);
    if (verdict != LG_NEXT)
        return verdict;
    lb_buf_init(&job->out, job->host, job->room + 1);
    if (job->room > LG_BODY_SMALL)
        (void)lb_buf_reserve(&job->out, job->room);
    job->working = true;
    return lg_work_start(request, decode, decoded, job);
}
