/* SPDX-License-Identifier: MIT */
/*
 * The answer's way in. Bytes of one read are parsed where they lie: a head that is whole in one
 * read is never copied, payload is handed on as slices. Only a head in pieces is collected, and
 * only what is left of a read when the owner pauses is held.
 */
#include "upstream/exchange.h"

#include "base/raw.h"
#include "net/conn.h"
#include "upstream/private.h"

void lu_partial_head_free(struct lu_exchange *exchange)
{
    if (exchange->partial == NULL)
        return;
    lb_buf_free(&exchange->partial->bytes);
    lb_free(exchange->host, exchange->partial);
    exchange->partial = NULL;
}

static void bad_http(struct lu_exchange *exchange, enum lh_error error)
{
    if (error == LH_ERR_NO_MEMORY)
        lu_end_memory(exchange);
    else
        lu_end_with(exchange, LLMGR_ERR_PROTOCOL, N_("'%s' does not answer with correct HTTP: %s"),
                    exchange->site->origin, lb_tr(lh_error_text(error)));
}

/* ---- Head ------------------------------------------------------------------------------------ */

static void init_head(const struct lu_exchange *exchange, struct lh_head *head,
                      struct lh_field fields[LH_ANSWER_FIELDS])
{
    lh_head_init_response(head, fields, LH_ANSWER_FIELDS, &lh_limits_default, exchange->reply_to);
}

/*
 * Answers are asked for as they are, and some come compressed all the same. The owner sees neither
 * the coding nor the length that it had; where the body ends, it tells by itself.
 */
static bool begin_decoding(struct lu_exchange *exchange, struct lh_head *head)
{
    enum lh_coding coding = lh_coding_of(head);

    if (coding == LH_CODING_NONE || coding == LH_CODING_OTHER || head->body == LH_BODY_NONE ||
        head->status == 206)
        return true;
    struct lu_decoding *decoding = lb_alloc(exchange->host, sizeof *decoding);
    if (decoding == NULL)
        return false;
    decoding->decoder = lh_decoder_new(exchange->host, coding, LH_WINDOW_UNASKED);
    decoding->pending = false;
    lb_buf_init(&decoding->rest, exchange->host, LN_READ_SIZE);
    exchange->decoding = decoding;
    lh_head_drop(head, LH_HEADER_CONTENT_ENCODING);
    lh_head_drop(head, LH_HEADER_CONTENT_LENGTH);
    head->body = LH_BODY_CHUNKED;
    head->length = 0;
    return decoding->decoder != NULL;
}

void lu_decoding_free(struct lu_exchange *exchange)
{
    if (exchange->decoding == NULL)
        return;
    lh_decoder_free(exchange->decoding->decoder);
    lb_buf_free(&exchange->decoding->rest);
    lb_free_secret(exchange->host, exchange->decoding, sizeof *exchange->decoding);
    exchange->decoding = NULL;
}

static void take_head(struct lu_exchange *exchange, struct lh_head *head)
{
    if (head->status < 200) {
        if (++exchange->interim > LU_INTERIM_MAX)
            lu_end_with(exchange, LLMGR_ERR_PROTOCOL, N_("'%s' sends more than %d interim answers"),
                        exchange->site->origin, LU_INTERIM_MAX);
        return;
    }
    exchange->got_head = true;
    if (head->status < 400 && head->status >= 300) {
        lu_end_with(exchange, LLMGR_ERR_UPSTREAM,
                    N_("'%s' answers with a redirect (HTTP %d), which is never followed; correct "
                       "the base URL"),
                    exchange->site->origin, head->status);
        lu_why(exchange)->upstream_status = head->status;
        return;
    }
    lb_buf_free(&exchange->head);
    exchange->keep_alive = head->keep_alive;
    lh_body_init(&exchange->body, head);
    if (!begin_decoding(exchange, head)) {
        bad_http(exchange, LH_ERR_NO_MEMORY);
        return;
    }
    lu_phase_start(exchange);
    exchange->face->head(exchange, exchange->context, head);
}

/* The head as it lies in the read; what came of it is kept if it is not all there. */
static enum lh_result parse_in_place(struct lu_exchange *exchange, struct lb_str *bytes)
{
    LB_RAW struct lh_field fields[LH_ANSWER_FIELDS];
    struct lh_head head;

    init_head(exchange, &head, fields);
    enum lh_result result = lh_head_parse(&head, bytes->p, bytes->size);
    if (result == LH_DONE) {
        *bytes = lb_str_sub(*bytes, head.size, bytes->size);
        take_head(exchange, &head);
    } else if (result == LH_FAILED) {
        bad_http(exchange, head.error);
    } else {
        struct lu_partial_head *partial = lb_calloc(exchange->host, 1, sizeof *partial);
        if (partial == NULL) {
            bad_http(exchange, LH_ERR_NO_MEMORY);
            return LH_FAILED;
        }
        lb_buf_init(&partial->bytes, exchange->host, lh_limits_default.head + LN_READ_SIZE);
        lb_buf_add_str(&partial->bytes, *bytes);
        init_head(exchange, &partial->head, partial->fields);
        exchange->partial = partial;
        *bytes = lb_str(NULL, 0);
    }
    return result;
}

static enum lh_result parse_collected(struct lu_exchange *exchange, struct lb_str *bytes)
{
    struct lu_partial_head *partial = exchange->partial;

    lb_buf_add_str(&partial->bytes, *bytes);
    if (partial->bytes.failed != LLMGR_OK) {
        bad_http(exchange, partial->bytes.failed == LLMGR_ERR_NO_MEMORY ? LH_ERR_NO_MEMORY
                                                                        : LH_ERR_HEAD_LONG);
        return LH_FAILED;
    }
    enum lh_result result = lh_head_parse(&partial->head, partial->bytes.data, partial->bytes.size);
    if (result == LH_MORE) {
        *bytes = lb_str(NULL, 0);
        return LH_MORE;
    }
    /* What stands behind the head is the tail of these bytes, for it was not done before them. */
    size_t behind = partial->bytes.size - partial->head.size;
    if (result == LH_FAILED) {
        bad_http(exchange, partial->head.error);
    } else {
        *bytes = lb_str_sub(*bytes, bytes->size - behind, bytes->size);
        take_head(exchange, &partial->head);
    }
    lu_partial_head_free(exchange);
    return result;
}

/* ---- Body ------------------------------------------------------------------------------------ */

static void hold(struct lu_exchange *exchange, struct lb_str bytes)
{
    lb_buf_add_str(&exchange->held, bytes);
    if (exchange->held.failed != LLMGR_OK)
        lu_end_memory(exchange);
}

static void take_payload(struct lu_exchange *exchange, struct lb_str payload)
{
    exchange->stats.received_size += payload.size;
    if (exchange->answer_max > 0 && exchange->stats.received_size > exchange->answer_max) {
        lu_end_with(exchange, LLMGR_ERR_PROTOCOL,
                    N_("the answer of '%s' is larger than %llu bytes"), exchange->site->origin,
                    (unsigned long long)exchange->answer_max);
        return;
    }
    if (exchange->face->body != NULL)
        exchange->face->body(exchange, exchange->context, payload);
}

static void tell_batch(struct lu_exchange *exchange)
{
    if (exchange->face->batch != NULL)
        exchange->face->batch(exchange, exchange->context,
                              exchange->state == LU_ENDING && exchange->why == NULL);
}

/*
 * Piece by piece, and no further than the owner takes them: what is small may become large. Of what
 * nobody takes (an error that is cut) a turn of the loop sees so much at most.
 */
static void decode_payload(struct lu_exchange *exchange, struct lb_str payload)
{
    struct lu_decoding *decoding = exchange->decoding;
    size_t size = LU_PIECE_SIZE, made = 0;

    while (payload.size > 0 || size == LU_PIECE_SIZE) {
        decoding->pending = exchange->paused;
        if (exchange->paused) {
            lb_buf_add_str(&decoding->rest, payload);
            if (decoding->rest.failed != LLMGR_OK)
                bad_http(exchange, LH_ERR_NO_MEMORY);
            return;
        }
        if (lh_decode(decoding->decoder, &payload, decoding->piece, LU_PIECE_SIZE, &size) ==
            LH_FAILED) {
            bad_http(exchange, LH_ERR_CODED);
            return;
        }
        if (size == 0)
            continue;
        take_payload(exchange, lb_str(decoding->piece, size));
        if (exchange->state != LU_ENDING)
            tell_batch(exchange);
        if (exchange->state == LU_ENDING)
            return;
        made += size;
        if (made >= LU_TURN_SIZE)
            lu_exchange_give_way(exchange);
    }
}

bool lu_body_may_end(const struct lu_exchange *exchange)
{
    return lh_body_eof_is_end(&exchange->body) &&
           (exchange->decoding == NULL || lh_decoder_ended(exchange->decoding->decoder));
}

/* The body is complete; bytes behind it mean that the two of us disagree about the framing. */
static void take_end(struct lu_exchange *exchange, struct lb_str behind)
{
    if (behind.size > 0)
        exchange->keep_alive = false;
    if (exchange->paused) {
        exchange->body_done = true;
        return;
    }
    if (!lu_body_may_end(exchange)) {
        bad_http(exchange, LH_ERR_CODED);
        return;
    }
    lu_end(exchange, exchange->keep_alive && exchange->state == LU_SENT);
}

static void feed_payload(struct lu_exchange *exchange, struct lb_str bytes)
{
    do {
        struct lb_str payload = {NULL, 0};
        size_t used = 0;
        if (exchange->paused && !exchange->body.done) {
            hold(exchange, bytes);
            return;
        }
        enum lh_result result = lh_body_next(&exchange->body, bytes.p, bytes.size, &used, &payload);
        bytes = lb_str_sub(bytes, used, bytes.size);
        if (result == LH_FAILED) {
            bad_http(exchange, lh_body_error(&exchange->body));
            return;
        }
        if (payload.size > 0 && exchange->decoding != NULL)
            decode_payload(exchange, payload);
        else if (payload.size > 0)
            take_payload(exchange, payload);
        if (exchange->state == LU_ENDING)
            return;
        if (result == LH_DONE) {
            take_end(exchange, bytes);
            return;
        }
    } while (bytes.size > 0);
}

static void feed_body(struct lu_exchange *exchange, struct lb_str bytes)
{
    feed_payload(exchange, bytes);
    tell_batch(exchange);
}

void lu_feed(struct lu_exchange *exchange, struct lb_str bytes)
{
    exchange->got_byte = true;
    while (!exchange->got_head) {
        enum lh_result result = exchange->partial != NULL ? parse_collected(exchange, &bytes)
                                                          : parse_in_place(exchange, &bytes);
        if (result != LH_DONE || exchange->state == LU_ENDING)
            return;
        if (!exchange->got_head && bytes.size == 0)
            return; /* an interim answer, and nothing behind it yet */
    }
    feed_body(exchange, bytes);
}

/* What was still to be decoded; false: the owner has paused again, or it is over. */
static bool feed_pending(struct lu_exchange *exchange)
{
    struct lu_decoding *decoding = exchange->decoding;

    if (decoding == NULL || !decoding->pending)
        return true;
    struct lb_buf rest = decoding->rest;
    lb_buf_init(&decoding->rest, exchange->host, LN_READ_SIZE);
    decode_payload(exchange, lb_buf_str(&rest));
    lb_buf_free(&rest);
    return exchange->state != LU_ENDING && !exchange->paused;
}

void lu_feed_held(struct lu_exchange *exchange)
{
    if (!feed_pending(exchange))
        return;
    if (exchange->body_done) {
        take_end(exchange, lb_str(NULL, 0));
        tell_batch(exchange);
        return;
    }
    struct lb_buf held = exchange->held;
    /* The owner may pause again while these are handed out: what is left is held anew. */
    lb_buf_init(&exchange->held, exchange->host, LN_READ_SIZE);
    feed_body(exchange, lb_buf_str(&held));
    lb_buf_free(&held);
}
