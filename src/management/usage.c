/* SPDX-License-Identifier: MIT */
/* /api/usage: sums of the ledger, for oneself; for an administrator of everybody or of one user. */
#include <string.h>

#include "base/when.h"
#include "documents/usage_csv.h"
#include "documents/write.h"
#include "management/operation.h"
#include "management/operations.h"
#include "manager/manager.h"

static llmgr_status read_when(const struct lp_api *api, enum lp_query_id id, int64_t *ms,
                              struct llmgr_error *err)
{
    struct lb_str text = api->query[id];

    if (text.p == NULL || lb_when_parse(text, lb_now_ms(lm_host(api->core)), ms))
        return LLMGR_OK;
    return lb_fail(
        err, LLMGR_ERR_INVALID,
        N_("'%s' must be a day (2026-01-31), a time (2026-01-31T18:00:00Z), an age (90m, "
           "24h, 7d) or milliseconds since 1970"),
        LP_QUERIES[id].name);
}

static llmgr_status read_by(const struct lp_api *api, llmgr_usage_by *by, struct llmgr_error *err)
{
    int chosen = (int)*by;
    llmgr_status status = lp_api_query_choice(api, LP_QUERY_BY, &chosen, err);

    *by = (llmgr_usage_by)chosen;
    return status;
}

static llmgr_status read_query(const struct lp_api *api, struct llmgr_usage_query *query,
                               struct llmgr_error *err)
{
    llmgr_usage_query_init(query);
    query->user = api->everybody ? NULL : api->user;
    query->after = api->query[LP_QUERY_AFTER].p;
    query->limit = api->limit;
    llmgr_status status = read_by(api, &query->by, err);
    if (status == LLMGR_OK)
        status = read_when(api, LP_QUERY_SINCE, &query->since_ms, err);
    if (status == LLMGR_OK)
        status = read_when(api, LP_QUERY_UNTIL, &query->until_ms, err);
    return status;
}

/* The weight of a media range (RFC 9110 section 12.4.2), in thousandths; 0 of what is none. */
static unsigned weight_of(struct lb_str range)
{
    struct lb_str text = lb_str_sub(range, lb_str_find(range, ';'), range.size);
    unsigned weight = 0;

    while (text.size != 0) {
        text = lb_str_trim(lb_str_sub(text, 1, text.size)); /* behind the semicolon */
        if (text.size >= 2 && (text.p[0] | 0x20) == 'q' && text.p[1] == '=')
            break;
        text = lb_str_sub(text, lb_str_find(text, ';'), text.size);
    }
    if (text.size == 0)
        return 1000;
    text = lb_str_sub(text, 2, text.size);
    if (text.size != 0 && text.p[0] == '1')
        return 1000;
    for (size_t i = 2, of = 100; i < text.size && of != 0; i++, of /= 10) {
        if (text.p[i] < '0' || text.p[i] > '9')
            break;
        weight += (unsigned)((size_t)(text.p[i] - '0') * of);
    }
    return weight;
}

/* Does Accept (RFC 9110 section 12.5.1) name CSV, and neither JSON nor anything else before it? */
static bool prefers_csv(struct lb_str accept)
{
    unsigned csv = 0, json = 0, other = 0;
    struct lb_str range;

    while (lh_list_next(&accept, &range)) {
        struct lb_str type = lb_str_trim(lb_str_sub(range, 0, lb_str_find(range, ';')));
        unsigned *weight = lb_str_eq_nocase(type, LB_STR("text/csv"))           ? &csv
                           : lb_str_eq_nocase(type, LB_STR("application/json")) ? &json
                                                                                : &other;
        if (*weight < weight_of(range))
            *weight = weight_of(range);
    }
    return csv > json && csv >= other;
}

static llmgr_status read_format(const struct lp_api *api, bool *is_csv, struct llmgr_error *err)
{
    enum { JSON, CSV }; /* in the order of the parameter's choices */
    int chosen = prefers_csv(lh_head_get_named(api->call->head, LB_STR("accept"))) ? CSV : JSON;
    llmgr_status status = lp_api_query_choice(api, LP_QUERY_FORMAT, &chosen, err);

    *is_csv = chosen == CSV;
    return status;
}

static llmgr_status answer_usage(struct lp_api *api, const struct lx_usage *answer,
                                 llmgr_usage_by by, bool is_csv, struct llmgr_error *err)
{
    struct lb_buf *out = &api->call->out;

    if (!is_csv)
        return lp_api_answer(api, lx_json_usage(answer), err);
    lx_csv_usage_head(by, out);
    lx_csv_usage_sums(answer->list.items, answer->list.count, out);
    lp_api_written(api, LB_STR("text/csv; charset=utf-8; header=present"));
    return LLMGR_OK;
}

static llmgr_status usage(struct lp_api *api, struct llmgr_error *err)
{
    bool is_csv = false;
    struct llmgr_usage_query query;
    struct lx_usage answer;
    const struct llmgr_usage_list *list = &answer.list;

    llmgr_status status = read_query(api, &query, err);
    if (status == LLMGR_OK)
        status = read_format(api, &is_csv, err);
    if (status == LLMGR_OK)
        status = llmgr_usage_query(api->manager, &query, &answer.list, err);
    if (status != LLMGR_OK)
        return status;
    if (list->more)
        api->next = lb_arena_strdup(api->call->arena, list->items[list->count - 1].key);
    answer.next = api->next;
    if (list->more && api->next == NULL)
        status = lb_fail_memory(err);
    else
        status = answer_usage(api, &answer, query.by, is_csv, err);
    llmgr_usage_list_clear(&answer.list);
    return status;
}

/* A token that may not use everything is shown what was asked with itself: a row names models. */
static bool may_see(const struct lp_api *api, const struct llmgr_usage_attempts *attempts)
{
    return lp_api_allowed(api) == NULL ||
           attempts->items[0].token_id == api->call->caller->token_id;
}

static llmgr_status request(struct lp_api *api, struct llmgr_error *err)
{
    const char *user = api->everybody ? NULL : api->user;
    const char *id = lp_api_param(api, 0);
    struct llmgr_usage_attempts attempts;
    struct lx_usage_request answer;
    int64_t since = 0;
    int64_t until = 0;

    llmgr_status status = read_when(api, LP_QUERY_SINCE, &since, err);
    if (status == LLMGR_OK)
        status = read_when(api, LP_QUERY_UNTIL, &until, err);
    if (status == LLMGR_OK)
        status = llmgr_usage_request(api->manager, user, id, since, until, &attempts, err);
    if (status != LLMGR_OK)
        return status;
    if (!may_see(api, &attempts))
        status = lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no such request"));
    else
        status = lx_usage_request_make(api->call->arena, id, &attempts, &answer)
                     ? lp_api_answer(api, lx_json_usage_request(&answer), err)
                     : lb_fail_memory(err);
    llmgr_usage_attempts_clear(&attempts);
    return status;
}

LP_API_HANDLER(usage, usage)
LP_API_HANDLER(usage_request, request)
