/* SPDX-License-Identifier: MIT */
/*
 * The probe: what does GET /models of an address say? Base URLs are typed with and without /v1, so
 * a 404 is asked once more with it; both tries together keep to the one time limit.
 */
#include "base/error.h"
#include "dialect/error_read.h"
#include "dialect/models.h"
#include "http/url.h"
#include "llm/run.h"

enum {
    PROBE_TIMEOUT_MS = 8000,
    PROBE_SHOWN_MAX = 120, /* bytes of the answer that an error quotes */
};

/* The path without slashes at the end; empty if the URL is none (the exchange tells then). */
static struct lb_str path_of(struct lb_str base_url)
{
    struct lh_url url;

    if (lh_url_parse(base_url, &url) != LH_URL_OK)
        return lb_str(NULL, 0);
    while (url.path.size > 0 && url.path.p[url.path.size - 1] == '/')
        url.path.size--;
    return url.path;
}

/* A base URL that names the list itself, "…/models", becomes the one above it; a query stays. */
static void strip_models(struct lb_str base_url, struct lb_buf *out)
{
    struct lb_str path = path_of(base_url);

    if (!lb_str_ends(path, LB_STR("/models"))) {
        lb_buf_add_str(out, base_url);
        return;
    }
    path.size -= LB_STR("/models").size;
    lb_buf_add(out, base_url.p, (size_t)(path.p - base_url.p) + path.size);
    lb_buf_add_str(out, lb_str_sub(base_url, lb_str_find(base_url, '?'), base_url.size));
}

static llmgr_status refused(const struct li_run *run, bool show_body, struct llmgr_error *err)
{
    const struct li_peer *peer = run->peer;
    struct lb_buf text;

    if (ld_status_of_refusal(li_call_host(run->call), run->http_status, lb_buf_str(&run->body)) !=
        LLMGR_ERR_UPSTREAM)
        return li_run_refused(run, false, err);
    lb_buf_init(&text, li_call_host(run->call), PROBE_SHOWN_MAX + 16);
    if (show_body) {
        lb_buf_add_c(&text, ": ");
        ld_clean_text(lb_buf_str(&run->body), PROBE_SHOWN_MAX, &text);
    }
    lb_fail(err, LLMGR_ERR_UPSTREAM,
            N_("'%.*s' answers the request for its model list with HTTP %d%s"),
            (int)peer->base_url.size, peer->base_url.p, run->http_status, lb_buf_c(&text));
    lb_buf_free(&text);
    li_run_redact(run, err);
    if (err != NULL)
        err->upstream_status = run->http_status;
    return LLMGR_ERR_UPSTREAM;
}

/* One try; *http_status tells a 404 from other refusals. */
static llmgr_status try_path(struct li_call *call, const struct li_peer *peer, struct lb_str path,
                             int64_t timeout_ms, bool show_body, struct llmgr_probe *probe,
                             int *http_status, struct llmgr_error *err)
{
    struct li_run run;
    const struct li_ask ask = {
        .method = LB_STR("GET"),
        .path = path,
        .accept = LB_STR("application/json"),
        .answer_max = LD_MODELS_BODY_MAX,
        .timeouts = {.connect_ms = timeout_ms, .total_ms = timeout_ms},
    };

    li_run_init(&run, call, peer);
    llmgr_status status = li_run_exchange(&run, &ask, err);
    *http_status = run.http_status;
    if (status == LLMGR_OK && !li_run_is_2xx(&run))
        status = refused(&run, show_body, err);
    else if (status == LLMGR_OK)
        status = ld_models_read(li_call_host(call), lb_buf_str(&run.body), probe, err);
    li_run_free(&run);
    return status;
}

static llmgr_status probe(struct li_call *call, const struct li_peer *peer, int64_t limit,
                          bool may_add_v1, bool show_body, struct llmgr_probe *found,
                          struct llmgr_error *err)
{
    struct llmgr_error why = {0};
    int64_t begun = lb_monotonic_ms();
    int http_status = 0;

    llmgr_status status =
        try_path(call, peer, LB_STR("/models"), limit, show_body, found, &http_status, &why);
    int64_t left = limit - (lb_monotonic_ms() - begun);
    if (http_status == 404 && may_add_v1 && left > 0)
        status =
            try_path(call, peer, LB_STR("/v1/models"), left, show_body, found, &http_status, &why);
    if (status != LLMGR_OK && err != NULL) /* one on the way to a success is none */
        *err = why;
    return status;
}

llmgr_status li_call_models(struct li_call *call, const struct li_peer *peer, int64_t timeout_ms,
                            bool show_body, struct llmgr_probe *found, struct llmgr_error *err)
{
    struct lb_str path = path_of(peer->base_url);
    bool may_add_v1 = !lb_str_ends(path, LB_STR("/v1")) && !lb_str_ends(path, LB_STR("/models"));
    struct li_peer stripped = *peer;
    struct lb_buf base;

    llmgr_status status = li_call_begin(call, err);
    if (status != LLMGR_OK)
        return status;
    lb_buf_init(&base, li_call_host(call), LH_URL_MAX + 1);
    strip_models(peer->base_url, &base);
    stripped.base_url = lb_buf_str(&base);
    if (base.failed == LLMGR_ERR_NO_MEMORY)
        status = lb_fail_memory(err);
    else if (base.failed != LLMGR_OK)
        status = lh_url_fail(err, LH_URL_LONG, peer->base_url);
    else
        status = probe(call, &stripped, timeout_ms > 0 ? timeout_ms : PROBE_TIMEOUT_MS, may_add_v1,
                       show_body, found, err);
    lb_buf_free(&base);
    li_call_end(call);
    return status;
}
