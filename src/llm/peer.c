/* SPDX-License-Identifier: MIT */
/* The bridge from what the manager resolved to whom a call talks to. */
#include "base/error.h"
#include "base/magic.h"
#include "budget/book.h"
#include "llm/call.h"
#include "llm/record.h"
#include "manager/platforms.h"
#include "resolve/resolve.h"

static llmgr_status open_key(void *context, struct lv_secret *key, struct llmgr_error *err)
{
    const struct li_target_context *target =
        LB_CAST(struct li_target_context, context, LI_TARGET_MAGIC);

    return lr_target_open_key(target->manager, target->target, key, err);
}

static llmgr_status open_fixed(void *context, struct lv_secret *lines, struct llmgr_error *err)
{
    const struct li_target_context *target =
        LB_CAST(struct li_target_context, context, LI_TARGET_MAGIC);

    return lr_target_open_headers(target->manager, target->target, lines, err);
}

/* Not to remember it costs one request more the next time; no reason to fail this one. */
static void learn(void *context)
{
    const struct li_target_context *target =
        LB_CAST(struct li_target_context, context, LI_TARGET_MAGIC);
    struct llmgr_error err = {0};

    if (lm_platform_learn_no_stream_options(target->manager, target->target->platform_id, &err) !=
        LLMGR_OK)
        lb_warn(lm_host(target->manager), "platform %lld: no stream_options: not remembered: %s",
                (long long)target->target->platform_id, err.message);
}

static struct lq_book *prices(void *context)
{
    const struct li_target_context *target =
        LB_CAST(struct li_target_context, context, LI_TARGET_MAGIC);

    return target->record->is_kept ? lq_book_now(target->manager) : NULL;
}

static void ended(void *context, const struct li_attempt *attempt, llmgr_status status)
{
    const struct li_target_context *target =
        LB_CAST(struct li_target_context, context, LI_TARGET_MAGIC);

    li_record_attempt(target->record, target->manager, target->target, attempt, status);
}

void li_peer_of_target(struct lm_manager *manager, const struct lr_target *target,
                       struct li_record *record, struct li_target_context *context,
                       struct li_peer *peer)
{
    *context = (struct li_target_context){
        .magic = LI_TARGET_MAGIC, .manager = manager, .target = target, .record = record};
    *peer = (struct li_peer){
        .base_url = target->base_url,
        .protocol = target->protocol,
        .klass = target->platform_is_sys ? LN_CLASS_SYSTEM : LN_CLASS_PRIVATE,
        .platform_name = target->platform_name,
        .model_name = target->model_name,
        .extra_body = target->extra_body,
        .no_stream_options = target->no_stream_options,
        .open_key = target->sealed_key.size > 0 ? open_key : NULL,
        .fixed = target->fixed_headers,
        .open_fixed = target->sealed_headers.size > 0 ? open_fixed : NULL,
        .learn_no_stream_options = learn,
        .prices = record != NULL ? prices : NULL,
        .ended = record != NULL ? ended : NULL,
        .context = context,
    };
}
