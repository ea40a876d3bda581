/* SPDX-License-Identifier: MIT */
/*
 * What makes two requests the same is a digest over the operation, its parameters, the acting user
 * and the body as it came; the answer that is kept is the one that was sent.
 */
#include "management/once.h"

#include <sodium.h>

#include "manager/manager.h"

static void add(crypto_generichash_state *state, struct lb_str text)
{
    uint64_t size = text.size;

    crypto_generichash_update(state, (const unsigned char *)&size, sizeof size);
    if (size > 0)
        crypto_generichash_update(state, (const unsigned char *)text.p, text.size);
}

/* Everything that makes the request what it is. */
static void digest(const struct lp_api *api, unsigned char out[LW_ANSWER_DIGEST_SIZE])
{
    const struct lp_call *call = api->call;
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, LW_ANSWER_DIGEST_SIZE);
    add(&state, lb_cstr(api->operation->name));
    for (size_t i = 0; i < call->param_count; i++)
        add(&state, call->params[i]);
    add(&state, lb_cstr(api->user));
    add(&state, call->head->query);
    add(&state, call->body);
    crypto_generichash_final(&state, out, LW_ANSWER_DIGEST_SIZE);
}

static llmgr_status replay(struct lp_api *api, struct lp_once *once, struct llmgr_error *err)
{
    struct lp_call *call = api->call;
    const struct lw_answer *answer = &once->answer;

    lb_buf_add_str(&call->out, answer->body);
    if (call->out.failed != LLMGR_OK)
        return lb_fail_memory(err);
    call->status = answer->status;
    if (answer->location.size != 0)
        api->location = answer->location.p;
    once->replayed = true;
    return LLMGR_OK;
}

llmgr_status lp_once_begin(struct lp_api *api, struct lb_str name, struct lp_once *once,
                           struct llmgr_error *err)
{
    enum lw_answer_state state;

    *once = (struct lp_once){.key = {.token_id = api->call->caller->token_id, .name = name}};
    digest(api, once->key.digest);
    llmgr_status status =
        lw_answer_begin(api->core, &once->key, api->call->arena, &state, &once->answer, err);
    if (status != LLMGR_OK)
        return status;
    switch (state) {
    case LW_ANSWER_DONE:
        return replay(api, once, err);
    case LW_ANSWER_RUNNING:
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("a request with this idempotency key is under way, or ended without "
                          "saying how; look at what is there before you use a new key"));
    case LW_ANSWER_OTHER:
        api->error_status = 422;
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("this idempotency key was used for another request; use a new one"));
    default:
        return LLMGR_OK;
    }
}

/* After these, what was asked for may have been done. */
static bool nobody_knows(llmgr_status status)
{
    return status == LLMGR_ERR_DATABASE || status == LLMGR_ERR_NO_MEMORY ||
           status == LLMGR_ERR_INTERNAL;
}

void lp_once_end(struct lp_api *api, struct lp_once *once, llmgr_status status)
{
    const struct lp_call *call = api->call;
    struct llmgr_error why = {0};

    if (nobody_knows(status))
        return;
    if (status != LLMGR_OK) {
        status = lw_answer_forget(api->core, once->answer.id, &why);
    } else {
        once->answer.status = call->status;
        once->answer.secret = (api->operation->options & LP_SEALED) != 0;
        once->answer.location = lb_cstr(api->location != NULL ? api->location : "");
        once->answer.body = lb_buf_str(&call->out);
        status = lw_answer_keep(api->core, &once->key, &once->answer, &why);
        /* Only probes answer that much, and they change nothing. */
        if (status == LLMGR_ERR_TOO_LARGE)
            status = lw_answer_forget(api->core, once->answer.id, &why);
    }
    if (status != LLMGR_OK)
        lb_warn(lm_host(api->core), "an answer to an idempotency key could not be kept: %s",
                why.message);
}
