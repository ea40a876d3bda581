/* SPDX-License-Identifier: MIT */
/*
 * A dial's way through a proxy: "CONNECT host:port", and the head of the answer (RFC 9110 section
 * 9.3.6). Any 2xx opens the tunnel. The far side speaks only after we did, so a byte behind the
 * answer's head is a proxy gone wrong, not data.
 */
#include "net/dial_int.h"

#include <string.h>

#include "base/buf.h"
#include "base/error.h"
#include "net/proxy.h"
#include "net/proxy_int.h"

enum { REQUEST_MAX = 4 * 1024 };

static void fail_proxy(struct ln_dial *dial, const char *what)
{
    struct llmgr_error err = {0};
    (void)lb_fail(&err, LLMGR_ERR_UNREACHABLE, N_("the proxy %s:%u gave no connection to %s: %s"),
                  ln_proxy_host(dial->request.proxy), (unsigned)ln_proxy_port(dial->request.proxy),
                  dial->request.host, what);
    ln_dial_fail_hidden(dial, &err);
}

/* The status of "HTTP/1.x NNN ...", or 0. */
static unsigned status_of(struct lb_str head)
{
    uint64_t status = 0;
    if (!lb_str_starts(head, LB_STR("HTTP/1.")) || head.size < 13 || head.p[8] != ' ' ||
        !lb_str_to_u64(lb_str_sub(head, 9, 12), &status))
        return 0;
    return head.p[12] == ' ' || head.p[12] == '\r' ? (unsigned)status : 0;
}

static void judge_answer(struct ln_dial *dial, size_t head_size)
{
    unsigned status = status_of(lb_str(dial->tunnel, head_size));
    if (status >= 200 && status <= 299 && head_size == dial->tunnel_size) {
        ln_conn_read_stop(dial->conn);
        ln_conn_set_face(dial->conn, NULL, NULL);
        ln_dial_tunnelled(dial);
        return;
    }
    struct llmgr_error err = {0};
    if (status == 407) {
        (void)lb_fail(
            &err, LLMGR_ERR_UNREACHABLE,
            N_("the proxy %s:%u refused the credentials; write them into the proxy's URL as "
               "http://user:password@host:port"),
            ln_proxy_host(dial->request.proxy), (unsigned)ln_proxy_port(dial->request.proxy));
        ln_dial_fail_hidden(dial, &err);
        return;
    }
    if (status == 0 || status <= 299) {
        fail_proxy(dial, lb_tr(N_("its answer is not understood; is it an http proxy?")));
        return;
    }
    (void)lb_fail(&err, LLMGR_ERR_UNREACHABLE,
                  N_("the proxy %s:%u gave no connection to %s: it answered %u"),
                  ln_proxy_host(dial->request.proxy), (unsigned)ln_proxy_port(dial->request.proxy),
                  dial->request.host, status);
    ln_dial_fail_hidden(dial, &err);
}

static void on_data(struct ln_conn *conn, void *context, struct lb_str bytes)
{
    (void)conn;
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    if (bytes.size > LN_TUNNEL_MAX - dial->tunnel_size) {
        fail_proxy(dial, lb_tr(N_("its answer is too long")));
        return;
    }
    memcpy(dial->tunnel + dial->tunnel_size, bytes.p, bytes.size);
    dial->tunnel_size += bytes.size;
    const char *end = memmem(dial->tunnel, dial->tunnel_size, "\r\n\r\n", 4);
    if (end != NULL)
        judge_answer(dial, (size_t)(end - dial->tunnel) + 4);
}

static void on_end(struct ln_conn *conn, void *context, llmgr_status why)
{
    (void)conn;
    (void)why;
    struct ln_dial *dial = LB_CAST(struct ln_dial, context, LN_DIAL_MAGIC);
    fail_proxy(dial, lb_tr(N_("it closed the connection")));
}

static const struct ln_conn_face TUNNEL_FACE = {.data = on_data, .end = on_end};

void ln_dial_tunnel(struct ln_dial *dial)
{
    dial->phase = LN_DIAL_TUNNEL;
    const char *authorization = ln_proxy_authorization(dial->request.proxy);
    bool v6 = strchr(dial->request.host, ':') != NULL;
    struct lb_buf head;
    lb_buf_init_secret(&head, dial->loop->host, REQUEST_MAX);
    for (int line = 0; line < 2; line++)
        lb_buf_addf(&head, "%s%s%s%s:%u%s\r\n", line == 0 ? "CONNECT " : "Host: ", v6 ? "[" : "",
                    dial->request.host, v6 ? "]" : "", (unsigned)dial->request.port,
                    line == 0 ? " HTTP/1.1" : "");
    if (authorization != NULL)
        lb_buf_addf(&head, "Proxy-Authorization: %s\r\n", authorization);
    lb_buf_add_c(&head, "\r\n");
    dial->tunnel = lb_alloc(dial->loop->host, LN_TUNNEL_MAX);
    llmgr_status status = dial->tunnel == NULL ? LLMGR_ERR_NO_MEMORY : head.failed;
    struct lb_str slice = lb_buf_str(&head);
    ln_conn_set_face(dial->conn, &TUNNEL_FACE, dial);
    if (status == LLMGR_OK)
        status = ln_conn_write(dial->conn, &slice, 1);
    lb_buf_free(&head);
    if (status == LLMGR_ERR_NO_MEMORY) {
        struct llmgr_error err = {0};
        (void)lb_fail_memory(&err);
        ln_dial_fail(dial, &err);
    } else if (status != LLMGR_OK) {
        fail_proxy(dial, lb_tr(N_("it closed the connection")));
    } else {
        ln_conn_read_start(dial->conn);
    }
}
