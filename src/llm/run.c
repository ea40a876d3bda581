/* SPDX-License-Identifier: MIT */
/*
 * Running one exchange on the calling thread: the loop turns until the exchange has ended. What an
 * upstream refuses with is collected, capped, for the error's text; a key that it quotes is masked.
 */
#include "llm/run.h"

#include "base/error.h"
#include "base/magic.h"
#include "dialect/error_read.h"
#include "dialect/retry_after.h"
#include "upstream/mask.h"
#include "upstream/private.h"
#include "vault/secret.h"

enum {
    GRACE_MS = 250, /* between [DONE] and the end of the body */
};

#define USER_AGENT "llmgr/" LLMGR_VERSION_STRING
#define ANTHROPIC_VERSION "2023-06-01"

void li_run_init(struct li_run *run, struct li_call *call, const struct li_peer *peer)
{
    *run = (struct li_run){
        .magic = LI_RUN_MAGIC,
        .call = call,
        .peer = peer,
        .retry_after_ms = -1,
        .stats = {.connected_at = -1, .sent_at = -1},
        .first_byte_at = -1,
    };
    lb_buf_init(&run->body, li_call_host(call), LD_REFUSAL_MAX);
}

void li_run_free(struct li_run *run)
{
    lb_buf_free(&run->body);
}

/* ---- What the exchange tells ----------------------------------------------------------------- */

static bool is_type(struct lb_str type, struct lb_str wanted)
{
    return type.size >= wanted.size && lb_str_eq_nocase(lb_str_sub(type, 0, wanted.size), wanted);
}

static void on_head(struct lu_exchange *exchange, void *context, const struct lh_head *head)
{
    struct li_run *run = LB_CAST(struct li_run, context, LI_RUN_MAGIC);
    const struct lb_host *host = li_call_host(run->call);
    struct lb_str type = lh_head_get(head, LH_HEADER_CONTENT_TYPE);
    struct lb_str coding = lb_str_trim(lh_head_get(head, LH_HEADER_CONTENT_ENCODING));

    run->first_byte_at = lb_monotonic_ms();
    run->http_status = head->status;
    run->retry_after_ms = ld_retry_after_ms(head, lb_now_ms(host));
    run->is_events = is_type(type, LB_STR("text/event-stream"));
    run->is_coded = coding.size > 0 && !lb_str_eq_nocase(coding, LB_STR("identity"));
    if (run->is_coded && li_run_is_2xx(run)) {
        struct llmgr_error why = {0};
        lb_fail(&why, LLMGR_ERR_PROTOCOL,
                N_("the platform compresses its answer although it was not asked to"));
        lu_exchange_fail(exchange, &why);
    }
}

/* Of a refusal what can tell something; of an answer all, up to the exchange's own cap. */
static void collect(struct li_run *run, struct lb_str bytes)
{
    if (li_run_is_2xx(run))
        lb_buf_add_str(&run->body, bytes);
    else if (!ld_abridge_add(&run->abridge, &run->body, bytes))
        li_run_complete(run);
    if (run->body.failed != LLMGR_OK) {
        struct llmgr_error why = {0};
        lb_fail_memory(&why);
        lu_exchange_fail(run->exchange, &why);
    }
}

static void on_body(struct lu_exchange *exchange, void *context, struct lb_str bytes)
{
    struct li_run *run = LB_CAST(struct li_run, context, LI_RUN_MAGIC);
    struct llmgr_error why = {0};

    if (run->complete)
        return;
    if (run->on_bytes == NULL || !li_run_is_2xx(run)) {
        collect(run, bytes);
        return;
    }
    if (run->on_bytes(run, bytes, &why) != LLMGR_OK)
        lu_exchange_fail(exchange, &why);
}

static void on_end(struct lu_exchange *exchange, void *context, const struct llmgr_error *err)
{
    struct li_run *run = LB_CAST(struct li_run, context, LI_RUN_MAGIC);

    run->stats = *lu_exchange_stats(exchange);
    run->end = *err;
    run->exchange = NULL;
    ln_timer_stop(&run->grace);
    ln_timer_stop(&run->content);
    ln_loop_stop(li_call_loop(run->call));
}

static const struct lu_face RUN_FACE = {.head = on_head, .body = on_body, .end = on_end};

static void grace_over(void *context)
{
    struct li_run *run = LB_CAST(struct li_run, context, LI_RUN_MAGIC);

    if (run->exchange != NULL)
        lu_exchange_cancel(run->exchange);
}

void li_run_complete(struct li_run *run)
{
    if (run->complete)
        return;
    run->complete = true;
    if (run->exchange != NULL) /* not when the bytes have ended already */
        ln_timer_start(li_call_loop(run->call), &run->grace, GRACE_MS, grace_over, run);
}

static void no_content(void *context)
{
    struct li_run *run = LB_CAST(struct li_run, context, LI_RUN_MAGIC);
    struct llmgr_error why = {0};

    lb_fail(&why, LLMGR_ERR_TIMEOUT, N_("the platform's answer did not begin in time"));
    if (run->exchange != NULL)
        lu_exchange_fail(run->exchange, &why);
}

void li_run_content_came(struct li_run *run)
{
    ln_timer_stop(&run->content);
}

/* ---- Running --------------------------------------------------------------------------------- */

static llmgr_status cancelled(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_CANCELLED, N_("the call was cancelled"));
}

static llmgr_status start(struct li_run *run, const struct li_ask *ask, struct llmgr_error *err)
{
    const struct li_peer *peer = run->peer;
    struct lh_field fields[4] = {
        {.name = LB_STR("user-agent"), .value = LB_STR(USER_AGENT)},
        {.name = LB_STR("accept"), .value = ask->accept},
    };
    size_t count = 2;
    if (ask->body.size > 0)
        fields[count++] =
            (struct lh_field){.name = LB_STR("content-type"), .value = LB_STR("application/json")};
    if (lb_str_eq_c(peer->protocol, "anthropic")) /* which refuses what does not say it */
        fields[count++] = (struct lh_field){.name = LB_STR("anthropic-version"),
                                            .value = LB_STR(ANTHROPIC_VERSION)};
    const struct lu_request request = {
        .url = peer->base_url,
        .klass = peer->klass,
        .method = ask->method,
        .path = ask->path,
        .fields = fields,
        .field_count = count,
        .body = &ask->body,
        .body_count = ask->body.size > 0 ? 1 : 0,
        .protocol = peer->protocol,
        .dialect = ask->dialect,
        .open_key = peer->open_key,
        .fixed = peer->fixed,
        .open_fixed = peer->open_fixed,
        .key_context = peer->context,
        .timeouts = ask->timeouts,
        .answer_max = ask->answer_max,
    };
    return lu_exchange_start(li_call_pool(run->call), &request, &RUN_FACE, run, &run->exchange,
                             err);
}

llmgr_status li_run_exchange(struct li_run *run, const struct li_ask *ask, struct llmgr_error *err)
{
    struct li_call *call = run->call;
    struct ln_loop *loop = li_call_loop(call);

    run->body.limit = ask->answer_max > LD_REFUSAL_MAX ? ask->answer_max : LD_REFUSAL_MAX;
    /* Between calls the loop stood still: it must see what time it is and which peers hung up. */
    ln_loop_turn(loop, false);
    if (li_call_cancelled(call))
        return cancelled(err);
    run->started_at = lb_monotonic_ms();
    llmgr_status status = start(run, ask, err);
    if (status != LLMGR_OK)
        return status;
    run->is_started = true;
    if (ask->content_ms != 0 && run->exchange != NULL)
        ln_timer_start(loop, &run->content, ask->content_ms, no_content, run);
    li_call_set_run(call, run);
    ln_loop_run(loop);
    li_call_set_run(call, NULL);
    ln_loop_turn(loop, false); /* what was closed is freed */
    /* A wish to cancel wins over whatever else ended it, so that callers can rely on it. */
    if (li_call_cancelled(call))
        return cancelled(err);
    if (run->end.status != LLMGR_OK && !run->complete) {
        li_run_redact(run, &run->end);
        if (err != NULL)
            *err = run->end;
        return run->end.status;
    }
    return LLMGR_OK;
}

llmgr_status li_run_refused(const struct li_run *run, bool show_body, struct llmgr_error *err)
{
    const struct li_peer *peer = run->peer;
    const struct ld_refusal refusal = {
        .host = li_call_host(run->call),
        .http_status = run->http_status,
        .body = run->is_coded ? lb_str(NULL, 0) : lb_buf_str(&run->body),
        .silent = !show_body,
        .retry_after_ms = run->retry_after_ms,
        .platform = peer->platform_name.size > 0 ? peer->platform_name : peer->base_url,
        .model = peer->model_name,
    };

    llmgr_status status = ld_fail_http(err, &refusal);
    li_run_redact(run, err);
    return status;
}

void li_run_redact(const struct li_run *run, struct llmgr_error *err)
{
    const struct lb_host *host = li_call_host(run->call);
    const struct li_peer *peer = run->peer;
    struct lv_secret key;

    if (err == NULL)
        return;
    lv_secret_init(&key);
    if (peer->open_key != NULL && peer->open_key(peer->context, &key, NULL) == LLMGR_OK)
        lu_mask_key(host, lv_secret_str(&key), err->message, strlen(err->message));
    lv_secret_clear(&key);
    if (peer->open_fixed != NULL && peer->open_fixed(peer->context, &key, NULL) == LLMGR_OK)
        lu_mask_fields(host, lv_secret_str(&key), err->message, strlen(err->message));
    lv_secret_clear(&key);
}
