/* SPDX-License-Identifier: MIT */
/*
 * The mock's connections: requests in, answers out, one after the other, kept alive.
 *
 *   bytes -> head -> body -> mock_answer -> framed into `out` -> steps -> socket
 *
 * An answer is framed whole, with all its vices, into one buffer; `steps` are the offsets up to
 * which each write goes when it is paced. What never ends is made piece by piece as the socket
 * drains.
 */
#include "server.h"

#include "base/magic.h"
#include "http/body.h"
#include "net/conn.h"
#include "net/listen.h"
#include "net/tls.h"

enum { LINGER_MS = 1000 };

static void serve(struct peer *peer);

/* ---- Writing --------------------------------------------------------------------------------- */

static void drop(struct peer *peer)
{
    ln_timer_stop(&peer->timer);
    ln_conn_close(peer->conn);
}

static bool write_bytes(struct peer *peer, struct lb_str bytes)
{
    atomic_fetch_add(&peer->mock->counts.written, bytes.size);
    if (ln_conn_write(peer->conn, &bytes, 1) == LLMGR_OK)
        return true;
    drop(peer);
    return false;
}

static void answered(struct peer *peer)
{
    if (peer->stall_after)
        return;
    if (peer->close_after) {
        ln_timer_stop(&peer->timer);
        ln_conn_linger(peer->conn, LINGER_MS);
        return;
    }
    peer->busy = false;
    lb_buf_reset(&peer->out);
    lb_buf_reset(&peer->steps);
    if (!peer->serving)
        serve(peer);
}

static void flood_more(struct peer *peer)
{
    struct lb_buf piece;

    lb_buf_init(&piece, peer->mock->host, FLOOD_ROOM);
    while (piece.size < FLOOD_ROOM / 2)
        lb_buf_add_c(&piece, peer->flood);
    while (ln_conn_queued(peer->conn) < FLOOD_ROOM) {
        if (!write_bytes(peer, lb_buf_str(&piece)))
            break;
    }
    lb_buf_free(&piece);
}

static void write_step(void *context)
{
    struct peer *peer = LB_CAST(struct peer, context, PEER_MAGIC);
    size_t count = peer->steps.size / sizeof(size_t), end = peer->out.size;

    if (peer->step < count)
        memcpy(&end, peer->steps.data + peer->step * sizeof end, sizeof end);
    if (end > peer->out.size)
        end = peer->out.size;
    peer->step++;
    if (!write_bytes(peer, lb_str_sub(lb_buf_str(&peer->out), peer->at, end)))
        return;
    peer->at = end;
    if (peer->at < peer->out.size)
        ln_timer_start(peer->mock->loop, &peer->timer, peer->pace_ms, write_step, peer);
    else if (peer->flood != NULL)
        flood_more(peer);
    else if (ln_conn_queued(peer->conn) == 0)
        answered(peer);
    /* else `drained` goes on */
}

static void on_drained(struct ln_conn *conn, void *context)
{
    struct peer *peer = LB_CAST(struct peer, context, PEER_MAGIC);

    (void)conn;
    if (!peer->busy || peer->at < peer->out.size)
        return;
    if (peer->flood != NULL)
        flood_more(peer);
    else
        answered(peer);
}

/* ---- Requests -------------------------------------------------------------------------------- */

static struct lb_str key_of(const struct lh_head *head)
{
    static const enum lh_header NAMES[] = {LH_HEADER_X_API_KEY, LH_HEADER_API_KEY,
                                           LH_HEADER_X_GOOG_API_KEY};
    struct lb_str key = lh_head_get(head, LH_HEADER_AUTHORIZATION);

    if (lb_str_starts(key, LB_STR("Bearer ")))
        return lb_str_sub(key, 7, key.size);
    for (size_t i = 0; i < 3; i++) {
        key = lh_head_get(head, NAMES[i]);
        if (key.size > 0)
            return key;
    }
    return lb_str(NULL, 0);
}

/* /_mock/requests: the mock's own pages. */
static bool answer_own(struct mock *mock, const struct mock_request *request,
                       struct mock_answer *answer)
{
    if (!lb_str_eq_c(request->head->path, "/_mock/requests"))
        return false;
    answer->status = 200;
    answer->type = "application/json";
    if (mock->recorder == NULL)
        lb_buf_add_c(&answer->body, "[]");
    else if (request->head->method == LH_METHOD_DELETE)
        mock_forget(mock->recorder);
    else
        mock_recorded(mock->recorder, &answer->body);
    return true;
}

static void answer_request(struct peer *peer, struct mock_request *request)
{
    struct mock *mock = peer->mock;
    struct mock_answer answer = {0};

    lb_buf_init(&answer.fields, mock->host, 16 * 1024 * 1024);
    lb_buf_init(&answer.body, mock->host, OUT_MAX / 2);
    lb_buf_init(&answer.marks, mock->host, OUT_MAX / 2);
    if (!answer_own(mock, request, &answer)) {
        bool dropped = peer->stale || request->how.on[MOCK_DROP];
        atomic_fetch_add(&mock->counts.requests, 1);
        if (mock->recorder != NULL)
            mock_record(mock->recorder, request, peer->number, dropped);
        if (dropped)
            drop(peer);
        else if (!request->how.on[MOCK_SILENT])
            mock_answer(request, &answer);
    }
    peer->busy = true;
    peer->at = 0;
    peer->step = 0;
    peer->stall_after = false;
    if (!ln_conn_closing(peer->conn) && !request->how.on[MOCK_SILENT]) {
        mock_frame(peer, request, &answer);
        if (peer->out.failed == LLMGR_OK)
            write_step(peer);
        else
            drop(peer);
    }
    lb_buf_free(&answer.fields);
    lb_buf_free(&answer.body);
    lb_buf_free(&answer.marks);
}

static void take_request(struct peer *peer, struct lb_str body)
{
    struct mock_request request = {
        .head = &peer->head,
        .body = body,
        .options = &peer->mock->options,
        .key = key_of(&peer->head),
    };

    if (body.size > 0 && (body.p[0] == '{' || body.p[0] == '['))
        request.json = lj_json_read(body, NULL);
    struct lb_str model = lj_json_str(request.json, "model");
    if (lb_str_starts(model, LB_STR("mock-")))
        mock_how_read(&request.how, model);
    mock_how_read(&request.how, lh_head_get_named(&peer->head, LB_STR("x-mock")));
    answer_request(peer, &request);
    json_decref(request.json);
}

static void bad_request(struct peer *peer, enum lh_error error)
{
    lb_buf_addf(&peer->out,
                "HTTP/1.1 %d Mock\r\nConnection: close\r\nContent-Type: text/plain\r\n"
                "Content-Length: %zu\r\n\r\n%s",
                lh_error_http(error), strlen(lh_error_text(error)), lh_error_text(error));
    peer->busy = true;
    peer->close_after = true;
    peer->at = 0;
    write_step(peer);
}

/*
 * Reads the body out of the bytes behind the head. The mock keeps whole requests: a chunked body
 * is decoded anew on each read, which is quadratic and simple, and so only in *payload.
 */
static enum lh_result read_body(struct peer *peer, struct lb_buf *payload, struct lb_str *body,
                                size_t *size)
{
    struct lb_str bytes = lb_str_sub(lb_buf_str(&peer->in), peer->head.size, peer->in.size);
    struct lh_body reader;
    enum lh_result result;

    if (peer->head.body == LH_BODY_LENGTH || peer->head.body == LH_BODY_NONE) {
        if (bytes.size < peer->head.length)
            return LH_MORE;
        *body = lb_str_sub(bytes, 0, (size_t)peer->head.length);
        *size = peer->head.size + body->size;
        return LH_DONE;
    }
    lh_body_init(&reader, &peer->head);
    *size = peer->head.size;
    do {
        struct lb_str piece = {NULL, 0};
        size_t used = 0;
        result = lh_body_next(&reader, bytes.p, bytes.size, &used, &piece);
        lb_buf_add_str(payload, piece);
        bytes = lb_str_sub(bytes, used, bytes.size);
        *size += used;
    } while (result == LH_MORE && bytes.size > 0);
    *body = lb_buf_str(payload);
    return result;
}

/* A body that is still coming, and a client that wants to be refused before it is there? */
static bool refuse_early(struct peer *peer)
{
    struct mock_how how = {0};

    mock_how_read(&how, lh_head_get_named(&peer->head, LB_STR("x-mock")));
    if (!how.on[MOCK_EARLY])
        return false;
    struct mock_request request = {
        .head = &peer->head,
        .options = &peer->mock->options,
        .key = key_of(&peer->head),
    };
    request.how.on[MOCK_STATUS] = true;
    request.how.n[MOCK_STATUS] = how.n[MOCK_EARLY];
    peer->head.keep_alive = false;
    answer_request(peer, &request);
    return true;
}

/* Handles the next request if it is all there; false if not. */
static bool serve_one(struct peer *peer)
{
    struct lb_buf payload;
    struct lb_str body = {NULL, 0};
    size_t size = 0;

    lh_head_init_request(&peer->head, peer->fields, LH_FIELDS, &lh_limits_default);
    enum lh_result result = lh_head_parse(&peer->head, lb_buf_c(&peer->in), peer->in.size);
    if (result == LH_FAILED)
        bad_request(peer, peer->head.error);
    if (result != LH_DONE)
        return false;
    if (peer->head.expect_continue && !peer->asked) {
        peer->asked = true;
        write_bytes(peer, LB_STR("HTTP/1.1 100 Continue\r\n\r\n"));
    }
    lb_buf_init(&payload, peer->mock->host, IN_MAX);
    result = read_body(peer, &payload, &body, &size);
    if (result == LH_FAILED) {
        bad_request(peer, LH_ERR_CHUNK_SIZE);
    } else if (result == LH_DONE) {
        peer->asked = false;
        take_request(peer, body);
        lb_buf_shift(&peer->in, size);
    } else if (refuse_early(peer)) {
        lb_buf_reset(&peer->in);
    }
    lb_buf_free(&payload);
    return result == LH_DONE;
}

/* As many requests as are there, one answer at a time. */
static void serve(struct peer *peer)
{
    peer->serving = true;
    while (!peer->busy && !ln_conn_closing(peer->conn) && peer->in.size > 0 && serve_one(peer)) {
    }
    peer->serving = false;
    if (peer->ended && !peer->busy && !ln_conn_closing(peer->conn))
        drop(peer);
}

static void on_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    struct peer *peer = LB_CAST(struct peer, context, PEER_MAGIC);

    (void)conn;
    lb_buf_add_str(&peer->in, bytes);
    if (peer->in.failed != LLMGR_OK)
        drop(peer);
    else
        serve(peer);
}

static void on_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    struct peer *peer = LB_CAST(struct peer, context, PEER_MAGIC);

    (void)conn;
    peer->ended = true;
    if (why != LLMGR_OK || !peer->busy || peer->stall_after || peer->flood != NULL ||
        peer->out.size == 0)
        drop(peer);
}

static void on_closed(struct ln_conn *conn, void *context)
{
    struct peer *peer = LB_CAST(struct peer, context, PEER_MAGIC);
    struct mock *mock = peer->mock;

    (void)conn;
    ln_timer_stop(&peer->timer);
    lb_list_remove(&peer->node);
    lb_buf_free(&peer->in);
    lb_buf_free(&peer->out);
    lb_buf_free(&peer->steps);
    peer->magic = 0;
    lb_free(mock->host, peer);
    atomic_fetch_sub(&mock->counts.open, 1);
}

static const struct ln_conn_face PEER_FACE = {
    .data = on_data,
    .drained = on_drained,
    .end = on_end,
    .closed = on_closed,
};

static void on_accept(void *context, struct ln_conn *conn)
{
    struct mock *mock = context;
    struct peer *peer = lb_calloc(mock->host, 1, sizeof *peer);

    if (peer == NULL) {
        ln_conn_close(conn);
        return;
    }
    peer->magic = PEER_MAGIC;
    peer->mock = mock;
    peer->conn = conn;
    peer->number = ++mock->connections;
    lb_buf_init(&peer->in, mock->host, IN_MAX);
    lb_buf_init(&peer->out, mock->host, OUT_MAX);
    lb_buf_init(&peer->steps, mock->host, OUT_MAX);
    lb_list_add_tail(&mock->peers, &peer->node);
    atomic_fetch_add(&mock->counts.accepted, 1);
    atomic_fetch_add(&mock->counts.open, 1);
    ln_conn_set_marks(conn, OUT_MAX, 0);
    ln_conn_set_face(conn, &PEER_FACE, peer);
    ln_conn_read_start(conn);
}

/* ---- Life ------------------------------------------------------------------------------------ */

static llmgr_status listen_on(struct mock *mock, struct llmgr_error *err)
{
    const struct mock_options *options = &mock->options;
    const struct ln_listen_options listen = {.address = options->address};
    char text[LN_LISTEN_TEXT];
    uint64_t port = 0;
    int fd = -1;

    if (options->cert_file != NULL) {
        const struct ln_tls_server_options tls = {.cert_file = options->cert_file,
                                                  .key_file = options->key_file};
        llmgr_status status = ln_tls_server_new(mock->host, &tls, &mock->tls, err);
        if (status != LLMGR_OK)
            return status;
    }
    llmgr_status status = ln_listen_open(&listen, &fd, err);
    if (status != LLMGR_OK)
        return status;
    const char *colon = strrchr(ln_listen_text(fd, text), ':');
    if (colon != NULL && lb_str_to_u64(lb_cstr(colon + 1), &port))
        mock->port = (uint16_t)port;
    const struct ln_accept_options accept = {.tls = mock->tls};
    status = ln_listener_start(mock->loop, fd, &accept, on_accept, mock, &mock->listener, err);
    if (status != LLMGR_OK)
        ln_listen_close(fd);
    return status;
}

llmgr_status mock_new(struct ln_loop *loop, const struct mock_options *options, struct mock **mock,
                      struct llmgr_error *err)
{
    const struct lb_host *host = ln_loop_host(loop);
    struct mock *made = lb_calloc(host, 1, sizeof *made);

    if (made == NULL)
        return lb_fail_memory(err);
    made->host = host;
    made->loop = loop;
    made->options = *options;
    lb_list_init(&made->peers);
    llmgr_status status = listen_on(made, err);
    if (status == LLMGR_OK && !options->quiet) {
        made->recorder = mock_recorder_new(host, options->record_file);
        if (made->recorder == NULL)
            status = lb_fail(err, LLMGR_ERR_IO, "the record file cannot be opened");
    }
    if (status == LLMGR_OK)
        *mock = made;
    else
        mock_free(made);
    return status;
}

void mock_free(struct mock *mock)
{
    if (mock == NULL)
        return;
    ln_listener_close(mock->listener);
    while (!lb_list_empty(&mock->peers)) {
        drop(LB_CONTAINER(mock->peers.next, struct peer, node));
        ln_loop_turn(mock->loop, false);
    }
    ln_tls_server_free(mock->tls);
    mock_recorder_free(mock->recorder);
    lb_free(mock->host, mock);
}

uint16_t mock_port(const struct mock *mock)
{
    return mock->port;
}

struct mock_counts *mock_counts(struct mock *mock)
{
    return &mock->counts;
}
