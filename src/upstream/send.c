/* SPDX-License-Identifier: MIT */
/*
 * The request's way out. The head is written at the start, without the key and the fixed fields of
 * the platform; when a connection is there both are opened onto the stack, go from there to the
 * socket, between the head and its empty line, and are wiped. Head and body leave in one write
 * where the socket takes them.
 */
#include "upstream/exchange.h"

#include "base/raw.h"
#include "config/fixed_headers.h"
#include "config/header_name.h"
#include "http/write.h"
#include "net/conn.h"
#include "upstream/private.h"
#include "vault/secret.h"

enum {
    HEAD_MAX = 64 * 1024,            /* bytes of a request head */
    HEAD_FIRST = 400,                /* bytes that hold nearly all of them */
    QUEUE_SLACK = 1024,              /* chunk framing and the like beyond LU_UPLOAD_QUEUE */
    QUEUE_LOW = LU_UPLOAD_QUEUE / 4, /* here a fed body may go on */
    HEAD_SLICES = 8, /* head, fixed fields, two fields with key and line end, empty line */
};

static const struct lu_auth AUTH_ROWS[] = {
#define XX(name, protocol, dialect, line) {protocol, dialect, {line, sizeof(line) - 1}},
#include "config/protocols.def"
#undef XX
};

const struct lu_auth *lu_auth_find(struct lb_str protocol)
{
    if (protocol.size == 0)
        return &AUTH_ROWS[0];
    for (size_t i = 0; i < sizeof AUTH_ROWS / sizeof AUTH_ROWS[0]; i++) {
        if (lb_str_eq_c(protocol, AUTH_ROWS[i].protocol))
            return &AUTH_ROWS[i];
    }
    return NULL;
}

const struct lu_auth *lu_auth_second(const struct lu_auth *auth, struct lb_str dialect)
{
    if (dialect.size == 0 || lb_str_eq_c(dialect, auth->dialect))
        return NULL;
    const struct lu_auth *other = lu_auth_find(dialect);
    return other != auth ? other : NULL;
}

/* Fields that are ours alone: they frame the message, belong to one hop or carry a credential. */
static bool is_ours(struct lb_str name)
{
    enum lh_header id = lh_header_find(name);

    switch (id) {
    case LH_HEADER_HOST:
    case LH_HEADER_CONTENT_LENGTH:
    case LH_HEADER_EXPECT:
    case LH_HEADER_AUTHORIZATION:
    case LH_HEADER_X_API_KEY:
    case LH_HEADER_API_KEY:
    case LH_HEADER_X_GOOG_API_KEY:
    case LH_HEADER_COOKIE:
    case LH_HEADER_ACCEPT_ENCODING:
        return true;
    default:
        return lh_header_is_hop(id);
    }
}

static bool takes_body(struct lb_str method)
{
    return lb_str_eq_c(method, "POST") || lb_str_eq_c(method, "PUT") ||
           lb_str_eq_c(method, "PATCH");
}

static void write_framing(struct lu_exchange *exchange, const struct lu_request *request,
                          uint64_t slices_size)
{
    struct lb_buf *head = &exchange->head;

    if (request->body_kind == LU_BODY_CHUNKED)
        lh_write_named(head, LH_NAME("transfer-encoding"), LB_STR("chunked"));
    else if (request->body_kind == LU_BODY_LENGTH)
        lh_write_named_u64(head, LH_NAME("content-length"), request->body_size);
    else if (slices_size > 0 || takes_body(request->method))
        lh_write_named_u64(head, LH_NAME("content-length"), slices_size);
}

/* The slices as they will be sent: for a chunked body, as one chunk. */
static uint64_t take_slices(struct lu_exchange *exchange, const struct lu_request *request)
{
    bool chunked = request->body_kind == LU_BODY_CHUNKED;
    uint64_t size = 0;

    for (size_t i = 0; i < request->body_count; i++)
        size += request->body[i].size;
    if (chunked && size > 0)
        exchange->slices[exchange->slice_count++] =
            lb_str(exchange->chunk_head, lh_chunk_head(exchange->chunk_head, size));
    for (size_t i = 0; i < request->body_count; i++) {
        if (request->body[i].size > 0)
            exchange->slices[exchange->slice_count++] = request->body[i];
    }
    if (chunked && size > 0)
        exchange->slices[exchange->slice_count++] = LB_STR(LH_CHUNK_TAIL);
    return size;
}

llmgr_status lu_prepare_head(struct lu_exchange *exchange, const struct lu_request *request,
                             struct lu_base *base, struct llmgr_error *err)
{
    uint64_t size = take_slices(exchange, request);
    if (request->body_kind == LU_BODY_LENGTH && size > request->body_size)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the request's body is longer than announced"));
    exchange->body_left = request->body_size - (request->body_kind == LU_BODY_LENGTH ? size : 0);
    lb_buf_init(&exchange->head, exchange->host, HEAD_MAX);
    (void)lb_buf_reserve(&exchange->head, HEAD_FIRST); /* at once, not by doubling from little */
    lu_base_write(base, request->method, request->path, &exchange->head);
    for (size_t i = 0; i < request->field_count; i++) {
        if (is_ours(request->fields[i].name))
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("the header field '%.*s' cannot be sent to a platform"),
                           (int)request->fields[i].name.size, request->fields[i].name.p);
        if (!lc_header_is_listed(request->fixed, request->fields[i].name))
            lh_write_field(&exchange->head, request->fields[i].name, request->fields[i].value);
    }
    lh_write_named(&exchange->head, LH_NAME("accept-encoding"), LB_STR("identity"));
    write_framing(exchange, request, size);
    llmgr_status status = exchange->head.failed;
    if (status == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    if (status != LLMGR_OK)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the request's head is invalid or longer than %d bytes"), HEAD_MAX);
    return LLMGR_OK;
}

/* ---- Sending --------------------------------------------------------------------------------- */

static void request_sent(struct lu_exchange *exchange)
{
    exchange->state = LU_SENT;
    exchange->stats.sent_at = ln_loop_now(exchange->loop);
    lu_phase_start(exchange);
}

/* All slices are given to the socket. */
static void slices_sent(struct lu_exchange *exchange)
{
    if (exchange->body_kind == LU_BODY_WHOLE) {
        request_sent(exchange);
        return;
    }
    exchange->state = LU_FEEDING;
    ln_timer_stop(&exchange->phase);
    exchange->wants_drained = true;
    lu_call_later(exchange);
}

/* Moves the position behind `size` bytes of the slices. */
static void advance_sent(struct lu_exchange *exchange, size_t size)
{
    while (size > 0) {
        size_t left = exchange->slices[exchange->at].size - exchange->offset;
        if (size < left) {
            exchange->offset += size;
            return;
        }
        size -= left;
        exchange->at++;
        exchange->offset = 0;
    }
}

/* Appends what is left of the slices to `out`; returns the count and adds to *size. */
static size_t gather_parts(const struct lu_exchange *exchange, struct lb_str *out, size_t count,
                           size_t *size)
{
    size_t offset = exchange->offset;

    for (size_t i = exchange->at; i < exchange->slice_count && count < LN_SLICES_MAX; i++) {
        out[count] = lb_str_sub(exchange->slices[i], offset, exchange->slices[i].size);
        *size += out[count++].size;
        offset = 0;
    }
    return count;
}

/*
 * The connection takes no more of the request. A platform that refuses a body early may have said
 * why before it reset: the reading side hears that first, and meets the end. A connection that had
 * waited is replaced at once.
 */
static void sending_failed(struct lu_exchange *exchange, llmgr_status why)
{
    bool waited = exchange->stats.reused && !exchange->got_byte;

    if (why != LLMGR_ERR_CUT || waited || exchange->paused)
        lu_lost(exchange, why);
    else
        lu_phase_start(exchange);
}

void lu_send_more(struct lu_exchange *exchange)
{
    while (exchange->at < exchange->slice_count) {
        struct lb_str slices[LN_SLICES_MAX];
        size_t offered = 0, taken = 0;
        size_t count = gather_parts(exchange, slices, 0, &offered);
        llmgr_status status = ln_conn_send(exchange->link->conn, slices, count, &taken);
        if (status != LLMGR_OK) {
            sending_failed(exchange, status);
            return;
        }
        advance_sent(exchange, taken);
        if (taken < offered) {
            lu_phase_start(exchange);
            return;
        }
    }
    slices_sent(exchange);
}

/* The key for this request; an empty one is none. */
static llmgr_status open_key(struct lu_exchange *exchange, struct lv_secret *key,
                             struct llmgr_error *err)
{
    if (exchange->open_key == NULL)
        return LLMGR_OK;
    llmgr_status status = exchange->open_key(exchange->key_context, key, err);
    if (status == LLMGR_OK && !lh_is_value(lv_secret_str(key)))
        status = lb_fail(err, LLMGR_ERR_NO_KEY,
                         N_("the stored API key holds control characters; store it again"));
    return status;
}

/* The fixed fields for this request: what must stay here stays, whoever wrote the row. */
static llmgr_status open_fixed(struct lu_exchange *exchange, struct lv_secret *lines,
                               struct llmgr_error *err)
{
    if (exchange->open_fixed == NULL)
        return LLMGR_OK;
    llmgr_status status = exchange->open_fixed(exchange->key_context, lines, err);
    if (status == LLMGR_OK && !lc_fixed_are_good(lv_secret_str(lines)))
        status = lb_fail(err, LLMGR_ERR_CONFIG,
                         N_("the header fields stored for the platform cannot be sent; set them "
                            "again"));
    return status;
}

/*
 * What the socket did not take of the head is queued by the connection; only slices, which are not
 * secret and stay where they are, are offered again by us.
 */
static llmgr_status send_head(struct lu_exchange *exchange, struct lb_str key, struct lb_str fixed)
{
    const struct lu_auth *other = key.size > 0 ? exchange->auth_second : NULL;
    struct lb_str slices[LN_SLICES_MAX] = {
        lb_buf_str(&exchange->head),
        fixed,
        key.size > 0 ? exchange->auth->line : lb_str(NULL, 0),
        key,
        key.size > 0 ? LB_STR("\r\n") : lb_str(NULL, 0),
        other != NULL ? other->line : lb_str(NULL, 0),
        other != NULL ? key : lb_str(NULL, 0),
        other != NULL ? LB_STR("\r\n\r\n") : LB_STR("\r\n"),
    };
    struct ln_conn *conn = exchange->link->conn;
    size_t head_size = 0, taken = 0;

    for (size_t i = 0; i < HEAD_SLICES; i++)
        head_size += slices[i].size;
    size_t offered = head_size;
    size_t count = gather_parts(exchange, slices, HEAD_SLICES, &offered);
    llmgr_status status = ln_conn_send(conn, slices, count, &taken);
    if (status != LLMGR_OK)
        return status;
    if (taken >= head_size) {
        advance_sent(exchange, taken - head_size);
        return LLMGR_OK;
    }
    for (size_t i = 0; i < HEAD_SLICES; i++) {
        size_t gone = taken < slices[i].size ? taken : slices[i].size;
        slices[i] = lb_str_sub(slices[i], gone, slices[i].size);
        taken -= gone;
    }
    return ln_conn_write(conn, slices, HEAD_SLICES);
}

void lu_send_start(struct lu_exchange *exchange)
{
    LB_RAW struct lv_secret key;
    LB_RAW struct lv_secret fixed;

    exchange->state = LU_SENDING;
    exchange->at = 0;
    exchange->offset = 0;
    ln_conn_set_marks(exchange->link->conn, LU_UPLOAD_QUEUE + QUEUE_SLACK, QUEUE_LOW);
    lv_secret_init(&key);
    lv_secret_init(&fixed);
    struct llmgr_error err = {0};
    llmgr_status status = open_key(exchange, &key, &err);
    if (status == LLMGR_OK)
        status = open_fixed(exchange, &fixed, &err);
    if (status != LLMGR_OK) {
        lv_secret_clear(&key);
        lv_secret_clear(&fixed);
        *lu_why(exchange) = err;
        lu_end(exchange, false);
        return;
    }
    status = send_head(exchange, lv_secret_str(&key), lv_secret_str(&fixed));
    lv_secret_clear(&key);
    lv_secret_clear(&fixed);
    if (status != LLMGR_OK)
        lu_lost(exchange, status);
    else
        lu_send_more(exchange);
}

/* ---- A body that is fed ---------------------------------------------------------------------- */

llmgr_status lu_exchange_write(struct lu_exchange *exchange, struct lb_str bytes, bool *full)
{
    char head[LH_CHUNK_HEAD_MAX];
    struct lb_str slices[3] = {{NULL, 0}, bytes, {NULL, 0}};

    *full = true;
    if (exchange->state == LU_ENDING)
        return LLMGR_OK; /* `end` tells */
    if (exchange->state != LU_FEEDING)
        return LLMGR_ERR_INVALID;
    struct ln_conn *conn = exchange->link->conn;
    if (exchange->body_kind == LU_BODY_LENGTH && bytes.size > exchange->body_left)
        return LLMGR_ERR_INVALID;
    if (bytes.size > LU_UPLOAD_QUEUE || ln_conn_queued(conn) > LU_UPLOAD_QUEUE - bytes.size)
        return LLMGR_ERR_TOO_LARGE;
    if (bytes.size > 0 && exchange->body_kind == LU_BODY_CHUNKED) {
        slices[0] = lb_str(head, lh_chunk_head(head, bytes.size));
        slices[2] = LB_STR(LH_CHUNK_TAIL);
    }
    llmgr_status status = bytes.size > 0 ? ln_conn_write(conn, slices, 3) : LLMGR_OK;
    if (status == LLMGR_ERR_TOO_LARGE)
        return status;
    if (status != LLMGR_OK) {
        sending_failed(exchange, status);
        return LLMGR_OK;
    }
    if (exchange->body_kind == LU_BODY_LENGTH)
        exchange->body_left -= bytes.size;
    *full = ln_conn_queued(conn) > QUEUE_LOW;
    if (*full)
        lu_phase_start(exchange);
    return LLMGR_OK;
}

llmgr_status lu_exchange_finish(struct lu_exchange *exchange)
{
    const struct lb_str end = LB_STR(LH_CHUNK_END);

    if (exchange->state == LU_ENDING)
        return LLMGR_OK;
    if (exchange->state != LU_FEEDING ||
        (exchange->body_kind == LU_BODY_LENGTH && exchange->body_left > 0))
        return LLMGR_ERR_INVALID;
    llmgr_status status = LLMGR_OK;
    if (exchange->body_kind == LU_BODY_CHUNKED)
        status = ln_conn_write(exchange->link->conn, &end, 1);
    if (status != LLMGR_OK)
        sending_failed(exchange, status);
    else
        request_sent(exchange);
    return LLMGR_OK;
}
