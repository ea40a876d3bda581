/* SPDX-License-Identifier: MIT */
/* The filter of one answer. Callers speak their platform's dialect so far: it is the tap. */
#include "gateway/filter.h"

#include "dialect/tap.h"
#include "gateway/attempt.h"
#include "gateway/park.h"
#include "gateway/refusal.h"
#include "gateway/request.h"
#include "http/head.h"

struct ld_filter *lg_filter_new(struct lg_request *request, const struct lh_head *head)
{
    struct lb_str coding = lb_str_trim(lh_head_get(head, LH_HEADER_CONTENT_ENCODING));
    const struct ld_tap_options options = {
        .host = request->worker->host,
        .endpoint = lg_request_endpoint(request),
        .content_type = lh_head_get(head, LH_HEADER_CONTENT_TYPE),
        .http_status = head->status,
        .withhold_usage = request->attempt->withholds_usage,
        .coded = coding.size > 0 && !lb_str_eq_nocase(coding, LB_STR("identity")),
        .refusal = lg_refusal_mask,
        .context = request,
        .unframed = head->body == LH_BODY_UNTIL_CLOSE,
    };

    /* A stream may last: its filter is made where it stays. */
    struct ld_tap *tap = ld_tap_streams(&options) ? lg_park(request, sizeof *tap) : NULL;
    if (tap == NULL)
        tap = lb_arena_alloc(&request->arena, sizeof *tap);
    if (tap == NULL)
        return NULL;
    ld_tap_init(tap, &options);
    return &tap->filter;
}
