/* SPDX-License-Identifier: MIT */
/* From an answer to bytes: head, framing, and all that can be wrong with them. */
#include "server.h"

#include "http/chunked.h"

static void add_step(struct peer *peer, size_t end)
{
    lb_buf_add(&peer->steps, &end, sizeof end);
}

/* The body as chunks, one per event, so that each arrives by itself. */
static void frame_chunks(struct peer *peer, const struct mock_answer *answer, bool paced)
{
    size_t count = answer->marks.size / sizeof(size_t), from = 0, to;
    char head[LH_CHUNK_HEAD_MAX];

    for (size_t i = 0; i < count; i++) {
        memcpy(&to, answer->marks.data + i * sizeof to, sizeof to);
        if (paced)
            add_step(peer, peer->out.size);
        lb_buf_add(&peer->out, head, lh_chunk_head(head, to - from));
        lb_buf_add(&peer->out, answer->body.data + from, to - from);
        lb_buf_add_c(&peer->out, LH_CHUNK_TAIL);
        from = to;
    }
}

static void frame_head(struct peer *peer, const struct mock_request *request,
                       const struct mock_answer *answer, bool chunked)
{
    const struct mock_how *how = &request->how;
    struct lb_buf *out = &peer->out;

    for (int64_t i = 0; how->on[MOCK_INTERIM] && i < how->n[MOCK_INTERIM]; i++)
        lb_buf_add_c(out, "HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
    lb_buf_addf(out, "HTTP/1.%d %d Mock\r\nContent-Type: %s\r\n", how->on[MOCK_CLOSE] ? 0 : 1,
                answer->status, answer->type);
    lb_buf_add_str(out, lb_buf_str(&answer->fields));
    lb_buf_add_c(out, "x-request-id: req_mock_0001\r\n");
    if (peer->close_after)
        lb_buf_add_c(out, "Connection: close\r\n");
    if (chunked)
        lb_buf_add_c(out, "Transfer-Encoding: chunked\r\n");
    else if (!how->on[MOCK_CLOSE])
        lb_buf_addf(out, "Content-Length: %zu\r\n",
                    answer->body.size +
                        (how->on[MOCK_LIE_LENGTH] ? (size_t)how->n[MOCK_LIE_LENGTH] : 0));
    lb_buf_add_c(out, "\r\n");
}

/* Cuts and paces what was framed. */
static void spoil(struct peer *peer, const struct mock_how *how, size_t head_size)
{
    size_t body = peer->out.size - head_size;

    if (how->on[MOCK_CUT]) {
        size_t keep = how->n[MOCK_CUT] > 0 ? (size_t)how->n[MOCK_CUT] : 0;
        lb_buf_cut(&peer->out, head_size + (keep < body ? keep : body));
        peer->close_after = true;
    }
    if (how->on[MOCK_SURPLUS])
        lb_buf_add_c(&peer->out, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                                 "Content-Length: 54\r\n\r\n"
                                 "{\"choices\":[{\"message\":{\"content\":\"forged answer\"}}]} ");
    if (how->on[MOCK_STALL]) {
        lb_buf_cut(&peer->out, head_size + body / 2);
        peer->stall_after = true;
    }
    if (how->on[MOCK_SPLIT] && how->n[MOCK_SPLIT] > 0) {
        lb_buf_reset(&peer->steps);
        for (size_t at = (size_t)how->n[MOCK_SPLIT]; at < peer->out.size;
             at += (size_t)how->n[MOCK_SPLIT])
            add_step(peer, at);
    }
    peer->stale = how->on[MOCK_STALE];
}

void mock_frame(struct peer *peer, const struct mock_request *request,
                const struct mock_answer *answer)
{
    const struct mock_how *how = &request->how;
    bool chunked = answer->is_stream && !how->on[MOCK_CLOSE];
    bool endless = how->on[MOCK_FLOOD] || how->on[MOCK_ENDLESS_LINE];

    peer->pace_ms = how->on[MOCK_SLOW] ? how->n[MOCK_SLOW] : 0;
    peer->close_after =
        !request->head->keep_alive || how->on[MOCK_CLOSE] || how->on[MOCK_LIE_LENGTH] || endless;
    peer->flood = how->on[MOCK_FLOOD]          ? "data: {\"choices\":[{\"index\":0,\"delta\":{"
                                                 "\"content\":\"flood \"}}]}\n\n"
                  : how->on[MOCK_ENDLESS_LINE] ? "data: flood without an end"
                                               : NULL;
    if (how->on[MOCK_NOT_HTTP]) {
        lb_buf_add_c(&peer->out, "SSH-2.0-mock\r\n\r\n");
        peer->close_after = true;
        return;
    }
    if (endless) {
        lb_buf_add_c(&peer->out, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                 "Connection: close\r\n\r\n");
        return;
    }
    frame_head(peer, request, answer, chunked);
    size_t head_size = peer->out.size;
    if (how->on[MOCK_SLOW] && !chunked)
        add_step(peer, 0);
    if (chunked)
        frame_chunks(peer, answer, how->on[MOCK_SLOW]);
    else if (request->head->method != LH_METHOD_HEAD)
        lb_buf_add_str(&peer->out, lb_buf_str(&answer->body));
    if (chunked && how->on[MOCK_HANG])
        peer->stall_after = true;
    else if (chunked)
        lb_buf_add_c(&peer->out, LH_CHUNK_END);
    spoil(peer, how, head_size);
}
