/* SPDX-License-Identifier: MIT */
/*
 * The probe: what does GET /models of an address say? Base URLs are typed with and without /v1, so
 * a 404 is asked once more with it; both tries together keep to the one time limit.
 */
#include "base/error.h"
#include "dialect/errors.h"
#include "dialect/models.h"
#include "http/url.h"
#include "upstream/run.h"

enum {
    PROBE_TIMEOUT_MS = 8000,
    PROBE_SHOWN_MAX = 120, /* bytes of the answer that an error quotes */
};

static struct lb_str path_of(struct lb_str base_url)
{
    struct lh_url url;

    if (lh_url_parse(base_url, &url) != LH_URL_OK)
        return lb_str(NULL, 0); /* the exchange says what is wrong with it */
    while (url.path.size > 0 && url.path.p[url.path.size - 1] == '/')
        url.path.size--;
    return url.path;
}

static llmgr_status refused(const struct lu_run *run, bool show_body, struct llmgr_error *err)
{
    const struct lu_peer *peer = run->peer;
    struct lb_buf text;

    if (ld_status_of_http(run->http_status) != LLMGR_ERR_UPSTREAM)
        return lu_run_refused(run, false, err);
    lb_buf_init(&text, lu_call_host(run->call), PROBE_SHOWN_MAX + 16);
    if (show_body) {
        lb_buf_add_c(&text, ": ");
        ld_clean_text(lb_buf_str(&run->body), PROBE_SHOWN_MAX, &text);
    }
    lb_fail(err, LLMGR_ERR_UPSTREAM,
            N_("'%.*s' answers the request for its model list with HTTP %d%s"),
            (int)peer->base_url.size, peer->base_url.p, run->http_status, lb_buf_c(&text));
    lb_buf_free(&text);
    lu_run_redact(run, err);
    if (err != NULL)
        err->upstream_status = run->http_status;
    return LLMGR_ERR_UPSTREAM;
}

/* One try; *http_status tells a 404 from other refusals. */
static llmgr_status try_path(struct lu_call *call, const struct lu_peer *peer, struct lb_str path,
                             int64_t timeout_ms, bool show_body, struct llmgr_probe *probe,
                             int *http_status, struct llmgr_error *err)
{
    struct lu_run run;
    const struct lu_ask ask = {
        .method = LB_STR("GET"),
        .path = path,
        .accept = LB_STR("application/json"),
        .answer_max = LD_MODELS_BODY_MAX,
        .timeouts = {.connect_ms = timeout_ms, .total_ms = timeout_ms},
    };

    lu_run_init(&run, call, peer);
    llmgr_status status = lu_run_exchange(&run, &ask, err);
    *http_status = run.http_status;
    if (status == LLMGR_OK && !lu_run_is_2xx(&run))
        status = refused(&run, show_body, err);
    else if (status == LLMGR_OK)
        status = ld_models_read(lu_call_host(call), lb_buf_str(&run.body), probe, err);
    lu_run_free(&run);
    return status;
}

llmgr_status lu_call_models(struct lu_call *call, const struct lu_peer *peer, int64_t timeout_ms,
                            bool show_body, struct llmgr_probe *probe, struct llmgr_error *err)
{
    struct lb_str base = path_of(peer->base_url);
    bool names_models = lb_str_ends(base, LB_STR("/models"));
    int64_t limit = timeout_ms > 0 ? timeout_ms : PROBE_TIMEOUT_MS;
    int64_t begun = lb_monotonic_ms();
    int http_status = 0;

    llmgr_status status = lu_call_begin(call, err);
    if (status != LLMGR_OK)
        return status;
    status = try_path(call, peer, names_models ? lb_str(NULL, 0) : LB_STR("/models"), limit,
                      show_body, probe, &http_status, err);
    int64_t left = limit - (lb_monotonic_ms() - begun);
    if (http_status == 404 && !names_models && !lb_str_ends(base, LB_STR("/v1")) && left > 0)
        status =
            try_path(call, peer, LB_STR("/v1/models"), left, show_body, probe, &http_status, err);
    lu_call_end(call);
    return status;
}
