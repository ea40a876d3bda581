/* SPDX-License-Identifier: MIT */
/*
 * The client side of the interoperation tests: exchanges on one loop and one pool, as the gateway
 * makes them, told by JSON lines. The first line of the standard input sets the scene, every
 * further one is a request; each exchange answers with one line.
 *
 *   {"ca": FILE, "proxy": URL, "names": {"some.name": ["127.0.0.2", "127.0.0.1"]}}
 *   {"url": BASE, "path": "/v1/models", "method": "GET", "upload": BYTES, "chunked": true,
 *    "times": 2, "together": true, "cancel_after": BYTES, "pause": true, "timeout_ms": N,
 *    "fresh": true (connections that wait are closed before), "forsaken": true (by the peer)}
 *
 *   {"status": "OK", "message": "", "http": 200, "fields": {...}, "size": 3, "sha256": "...",
 *    "text": "the first bytes", "reused": false, "resumed": false, "attempts": 1, "sessions": 0}
 */
#include <jansson.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "net/addr.h"
#include "net/dial.h"
#include "net/loop.h"
#include "net/policy.h"
#include "net/proxy.h"
#include "net/tls.h"
#include "upstream/exchange.h"
#include "upstream/pool.h"

enum {
    TEXT_MAX = 4000,
    LINE_SIZE = 1 << 20,
    FEED = 32 * 1024,
    TOGETHER_MAX = 64,
    PATIENCE_MS = 60000
};

struct scene {
    struct lb_host host;
    struct ln_loop *loop;
    struct ln_tls_client *tls;
    struct ln_proxy *proxy;
    struct lu_pool *pool;
    struct ln_resolver resolver;
    json_t *names;
};

/* One exchange and what it hears. */
struct run {
    struct scene *scene;
    struct lu_exchange *exchange;
    struct ln_timer timer;
    json_t *out;
    crypto_hash_sha256_state sum;
    uint64_t size;
    char text[TEXT_MAX + 1];
    size_t text_size;
    uint64_t cancel_after;
    uint64_t feed_left;
    bool pause;
    bool ended;
};

static void die(const char *what, const struct llmgr_error *err)
{
    fprintf(stderr, "driver: %s: %s\n", what, err != NULL ? err->message : "");
    exit(2);
}

/* ---- The scene ------------------------------------------------------------------------------- */

static void on_name(void *context, const char *name, struct ln_answer *answer)
{
    const struct scene *scene = context;
    struct sockaddr_storage addrs[LN_DIAL_ADDR_MAX];
    const json_t *list = json_object_get(scene->names, name);
    size_t count = 0;

    for (; count < json_array_size(list) && count < LN_DIAL_ADDR_MAX; count++)
        (void)ln_host_kind(lb_cstr(json_string_value(json_array_get(list, count))), &addrs[count]);
    ln_answer_give(answer, addrs, count);
}

static void set_scene(struct scene *scene, const json_t *line)
{
    struct llmgr_error err = {0};
    const char *proxy = json_string_value(json_object_get(line, "proxy"));
    const struct ln_tls_client_options trust = {
        .ca_file = json_string_value(json_object_get(line, "ca")), .only_ca_file = true};

    lb_host_init(&scene->host);
    scene->names = json_incref(json_object_get(line, "names"));
    scene->resolver = (struct ln_resolver){on_name, scene};
    if (ln_loop_new(&scene->host, NULL, &scene->loop, &err) != LLMGR_OK)
        die("loop", &err);
    if (trust.ca_file != NULL &&
        ln_tls_client_new(&scene->host, &trust, &scene->tls, &err) != LLMGR_OK)
        die("tls", &err);
    if (proxy != NULL && ln_proxy_new(&scene->host, proxy, NULL, &scene->proxy, &err) != LLMGR_OK)
        die("proxy", &err);
    const struct lu_pool_options options = {
        .tls = scene->tls,
        .proxy = scene->proxy,
        .resolver = scene->names != NULL ? &scene->resolver : NULL,
    };
    if (lu_pool_new(scene->loop, &options, &scene->pool, &err) != LLMGR_OK)
        die("pool", &err);
}

static void clear_scene(struct scene *scene)
{
    lu_pool_free(scene->pool);
    ln_loop_free(scene->loop);
    ln_tls_client_free(scene->tls);
    ln_proxy_free(scene->proxy);
    json_decref(scene->names);
}

/* ---- What an exchange tells ------------------------------------------------------------------ */

static void on_head(struct lu_exchange *exchange, void *context, const struct lh_head *head)
{
    const struct run *run = context;
    json_t *fields = json_object();

    (void)exchange;
    for (size_t i = 0; i < head->field_count; i++) {
        char name[128] = "";
        for (size_t j = 0; j < head->fields[i].name.size && j + 1 < sizeof name; j++)
            name[j] = lb_ascii_lower(head->fields[i].name.p[j]);
        struct lb_str value = head->fields[i].value;
        json_object_set_new(fields, name, json_stringn(value.p, value.size));
    }
    json_object_set_new(run->out, "http", json_integer(head->status));
    json_object_set_new(run->out, "fields", fields);
}

static void resume(void *context)
{
    lu_exchange_resume(((struct run *)context)->exchange);
}

static void on_body(struct lu_exchange *exchange, void *context, struct lb_str bytes)
{
    struct run *run = context;
    size_t keep = bytes.size < TEXT_MAX - run->text_size ? bytes.size : TEXT_MAX - run->text_size;

    memcpy(run->text + run->text_size, bytes.p, keep);
    run->text_size += keep;
    run->size += bytes.size;
    crypto_hash_sha256_update(&run->sum, (const unsigned char *)bytes.p, bytes.size);
    if (run->cancel_after != 0 && run->size >= run->cancel_after) {
        lu_exchange_cancel(exchange);
    } else if (run->pause) {
        lu_exchange_pause(exchange);
        ln_timer_start(run->scene->loop, &run->timer, 2, resume, run);
    }
}

static void on_drained(struct lu_exchange *exchange, void *context)
{
    static const char zeros[FEED] = {0};
    struct run *run = context;
    bool full = false;

    while (run->feed_left > 0 && !full) {
        size_t size = run->feed_left < FEED ? (size_t)run->feed_left : FEED;
        if (lu_exchange_write(exchange, lb_str(zeros, size), &full) != LLMGR_OK)
            return;
        run->feed_left -= size;
        if (run->feed_left == 0 && lu_exchange_finish(exchange) != LLMGR_OK)
            return;
    }
}

static void on_end(struct lu_exchange *exchange, void *context, const struct llmgr_error *err)
{
    struct run *run = context;
    const struct lu_stats *stats = lu_exchange_stats(exchange);
    unsigned char digest[crypto_hash_sha256_BYTES];
    char hex[2 * sizeof digest + 1];

    ln_timer_stop(&run->timer);
    crypto_hash_sha256_final(&run->sum, digest);
    sodium_bin2hex(hex, sizeof hex, digest, sizeof digest);
    json_object_set_new(run->out, "status", json_string(llmgr_status_name(err->status)));
    json_object_set_new(run->out, "message", json_string(err->message));
    json_object_set_new(run->out, "size", json_integer((json_int_t)run->size));
    json_object_set_new(run->out, "sha256", json_string(hex));
    json_t *text = json_stringn(run->text, run->text_size);
    json_object_set_new(run->out, "text", text != NULL ? text : json_null());
    json_object_set_new(run->out, "reused", json_boolean(stats->reused));
    json_object_set_new(run->out, "resumed", json_boolean(stats->tls_resumed));
    json_object_set_new(run->out, "attempts", json_integer(stats->attempts));
    run->ended = true;
}

static const struct lu_face FACE = {
    .head = on_head, .body = on_body, .drained = on_drained, .end = on_end};

/* ---- Requests -------------------------------------------------------------------------------- */

static json_int_t number(const json_t *line, const char *name)
{
    return json_integer_value(json_object_get(line, name));
}

static bool flag(const json_t *line, const char *name)
{
    return json_is_true(json_object_get(line, name));
}

static void start(struct scene *scene, const json_t *line, struct run *run)
{
    static const struct lh_field fields[] = {
        {.name = {"Content-Type", 12}, .value = {"application/json", 16}},
        {.name = {"Accept", 6}, .value = {"*/*", 3}},
    };
    const char *method = json_string_value(json_object_get(line, "method"));
    const char *path = json_string_value(json_object_get(line, "path"));
    struct llmgr_error err = {0};
    struct lu_request request = {
        .url = lb_cstr(json_string_value(json_object_get(line, "url"))),
        .path = lb_cstr(path != NULL ? path : ""),
        .method = lb_cstr(method != NULL ? method : "GET"),
        .fields = fields,
        .field_count = sizeof fields / sizeof fields[0],
        .timeouts = {.connect_ms = 8000, .idle_ms = 15000, .total_ms = number(line, "timeout_ms")},
    };

    *run = (struct run){.scene = scene,
                        .out = json_object(),
                        .cancel_after = (uint64_t)number(line, "cancel_after"),
                        .pause = flag(line, "pause"),
                        .feed_left = (uint64_t)number(line, "upload")};
    crypto_hash_sha256_init(&run->sum);
    if (run->feed_left > 0) {
        request.body_kind = flag(line, "chunked") ? LU_BODY_CHUNKED : LU_BODY_LENGTH;
        request.body_size = run->feed_left;
    }
    if (lu_exchange_start(scene->pool, &request, &FACE, run, &run->exchange, &err) != LLMGR_OK) {
        json_object_set_new(run->out, "status", json_string(llmgr_status_name(err.status)));
        json_object_set_new(run->out, "message", json_string(err.message));
        run->ended = true;
    }
}

static void finish(struct scene *scene, struct run *run)
{
    while (!run->ended)
        ln_loop_turn(scene->loop, true);
    unsigned sessions = scene->tls != NULL ? ln_tls_client_sessions(scene->tls) : 0;
    json_object_set_new(run->out, "sessions", json_integer(sessions));
    json_dumpf(run->out, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(run->out);
}

static void ring(void *context)
{
    *(bool *)context = true;
}

/* Until the peers have closed all that waits in the pool. */
static void await_closes(struct scene *scene)
{
    struct ln_timer timer = {0};
    bool over = false;

    ln_timer_start(scene->loop, &timer, PATIENCE_MS, ring, &over);
    while (!over && lu_pool_idle(scene->pool) > 0)
        ln_loop_turn(scene->loop, true);
    ln_timer_stop(&timer);
}

static void obey(struct scene *scene, const json_t *line)
{
    static struct run runs[TOGETHER_MAX];
    json_int_t times = number(line, "times") > 0 ? number(line, "times") : 1;
    bool together = flag(line, "together");

    if (times > TOGETHER_MAX)
        die("too many at once", NULL);
    if (flag(line, "fresh"))
        lu_pool_flush(scene->pool);
    if (flag(line, "forsaken"))
        await_closes(scene);
    for (json_int_t i = 0; i < times; i++) {
        start(scene, line, &runs[i]);
        if (!together)
            finish(scene, &runs[i]);
    }
    for (json_int_t i = 0; together && i < times; i++)
        finish(scene, &runs[i]);
}

int main(void)
{
    static char text[LINE_SIZE];
    struct scene scene = {0};
    bool set = false;

    if (sodium_init() < 0)
        return 2;
    while (fgets(text, sizeof text, stdin) != NULL) {
        json_error_t wrong;
        json_t *line = json_loads(text, 0, &wrong);
        if (line == NULL)
            die(wrong.text, NULL);
        if (set)
            obey(&scene, line);
        else
            set_scene(&scene, line);
        set = true;
        json_decref(line);
    }
    if (set)
        clear_scene(&scene);
    return 0;
}
