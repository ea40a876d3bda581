/* SPDX-License-Identifier: MIT */
/* What a relayed answer's head consists of, beside what every answer has. */
#include "gateway/relay_head.h"

#include <string.h>

#include "base/error.h"
#include "gateway/attempt.h"
#include "gateway/request.h"
#include "http/head.h"
#include "http/write.h"
#include "upstream/exchange.h"

void lg_relay_stream_fields(struct lb_buf *out)
{
    lh_write_named(out, LH_NAME("content-type"), LB_STR("text/event-stream"));
    lh_write_named(out, LH_NAME("cache-control"), LB_STR("no-cache"));
    lh_write_named(out, LH_NAME("x-accel-buffering"), LB_STR("no"));
}

/* What of the platform's fields the caller gets to see, and under which name. */
static const struct {
    struct lb_str from;
    struct lb_str to;
} SHOWN[] = {
    {LB_STR("x-request-id"), LB_STR("x-upstream-request-id")},
    {LB_STR("request-id"), LB_STR("x-upstream-request-id")},
    {LB_STR("openai-processing-ms"), LB_STR("openai-processing-ms")},
    {LB_STR("openai-version"), LB_STR("openai-version")},
    {LB_STR("openai-model"), LB_STR("openai-model")},
    {LB_STR("content-disposition"), LB_STR("content-disposition")},
    {LB_STR("content-encoding"), LB_STR("content-encoding")},
    {LB_STR("content-language"), LB_STR("content-language")},
};

/* Of the fields that have a number, three are shown; a platform's head is mostly of the others. */
static bool may_be_shown(const struct lh_field *field)
{
    return field->id == LH_HEADER_OTHER || field->id == LH_HEADER_X_REQUEST_ID ||
           field->id == LH_HEADER_REQUEST_ID || field->id == LH_HEADER_CONTENT_ENCODING;
}

static void show_fields(const struct lh_head *head, struct lb_buf *out)
{
    const struct lb_str limits = LB_STR("x-ratelimit-");

    for (size_t i = 0; i < head->field_count; i++) {
        const struct lh_field *field = &head->fields[i];
        if (!may_be_shown(field))
            continue;
        if (field->name.size > limits.size &&
            lb_str_eq_nocase(lb_str_sub(field->name, 0, limits.size), limits)) {
            /* Theirs, about our key; not the limits of this caller. */
            char name[64] = "x-upstream-";
            if (field->name.size + 10 < sizeof name) {
                memcpy(name + 11, field->name.p + 2, field->name.size - 2);
                lh_write_field(out, lb_str(name, 9 + field->name.size), field->value);
            }
            continue;
        }
        for (size_t j = 0; j < sizeof SHOWN / sizeof SHOWN[0]; j++) {
            if (lb_str_eq_nocase(field->name, SHOWN[j].from))
                lh_write_field(out, SHOWN[j].to, field->value);
        }
    }
}

static void show_decision(const struct lg_request *request, struct lb_buf *out)
{
    const struct lr_target *target = &request->attempt->target;

    if (!request->settings->decision_headers)
        return;
    lh_write_named_u64(out, LH_NAME("x-llmgr-platform-id"), (uint64_t)target->platform_id);
    lh_write_named(out, LH_NAME("x-llmgr-model"), target->model_name);
    lh_write_named(out, LH_NAME("x-llmgr-payer"), lb_cstr(lm_payer_name(target->payer)));
    lh_write_named_u64(out, LH_NAME("x-llmgr-attempts"), request->attempts);
}

void lg_relay_shown_fields(const struct lg_request *request, const struct lh_head *head,
                           struct lb_buf *out)
{
    show_fields(head, out);
    show_decision(request, out);
}

int64_t lg_relay_length(const struct lg_attempt *attempt, const struct lh_head *head)
{
    if (attempt->events || (head->body != LH_BODY_LENGTH && head->body != LH_BODY_NONE))
        return -1;
    return attempt->signs && head->body == LH_BODY_LENGTH && head->length > 0
               ? -1
               : (int64_t)head->length;
}

void lg_relay_fail(struct lg_request *request, llmgr_status status, const char *text)
{
    struct llmgr_error err = {0};

    lb_fail(&err, status, "%s", lb_tr(text));
    if (request->attempt->exchange != NULL)
        lu_exchange_fail(request->attempt->exchange, &err);
}
