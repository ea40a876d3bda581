/* SPDX-License-Identifier: MIT */
/* The usage ledger for a host: entering an attempt, reading sums. */
#include "ledger/rows.h"

#include <string.h>

#include "budget/book.h"
#include "library/library.h"
#include "manager/manager.h"

void llmgr_usage_record_init(struct llmgr_usage_record *record)
{
    struct ll_usage usage;

    ll_usage_init(&usage);
    *record = (struct llmgr_usage_record){
        .size = sizeof *record,
#define LL_COUNT(name_, kind) .name_ = usage.name_,
#define LL_NUMBER(name_, kind) .name_ = usage.name_,
#include "ledger/usage.def"
    };
}

static llmgr_status read_payer(const char *text, enum lm_payer *payer, struct llmgr_error *err)
{
    static const enum lm_payer PAYERS[] = {
#define PAYER(NAME, number, name) LM_PAYER_##NAME,
        LM_PAYER_MAP(PAYER)
#undef PAYER
    };

    *payer = LM_PAYER_NONE;
    if (text == NULL)
        return LLMGR_OK;
    for (size_t i = 0; i < sizeof PAYERS / sizeof PAYERS[0]; i++) {
        if (strcmp(text, lm_payer_name(PAYERS[i])) == 0) {
            *payer = PAYERS[i];
            return LLMGR_OK;
        }
    }
    return lb_fail(err, LLMGR_ERR_INVALID, N_("the payer is \"user\" or \"system\", not \"%s\""),
                   text);
}

static llmgr_status check_text(const char *member, const char *text, size_t max,
                               struct llmgr_error *err)
{
    if (text == NULL || (strlen(text) <= max && lb_utf8_valid(lb_cstr(text))))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("%s is not valid: up to %d bytes of UTF-8"), member,
                   (int)max);
}

static llmgr_status check_record(const struct llmgr_usage_record *record, struct llmgr_error *err)
{
    const struct {
        const char *member;
        const char *text;
        size_t max;
    } texts[] = {
#define LL_TEXT(name, max, always) {#name, record->name, max},
#include "ledger/usage.def"
    };
    llmgr_status status = LLMGR_OK;

    if (record->size != sizeof *record)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("fill the usage record with llmgr_usage_record_init first"));
    if (record->request_id == NULL || record->request_id[0] == '\0')
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the usage record needs a request_id"));
    if (record->attempt < 1)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("attempts are counted from 1"));
    for (size_t i = 0; i < sizeof texts / sizeof texts[0] && status == LLMGR_OK; i++)
        status = check_text(texts[i].member, texts[i].text, texts[i].max, err);
    if (status == LLMGR_OK && record->cost_nano >= 0 && !ll_is_currency(lb_cstr(record->currency)))
        status = lb_fail(err, LLMGR_ERR_INVALID,
                         N_("a cost needs its currency, three capitals such as USD"));
    return status;
}

llmgr_status la_usage_add_priced(struct llmgr *manager, struct ll_usage *usage,
                                 struct llmgr_error *err)
{
    struct lq_book *book = lq_book_now(manager->manager);

    lq_price_usage(book, usage);
    llmgr_status status = ll_usage_add(manager->manager, usage, err);
    lq_book_drop(book);
    return status;
}

llmgr_status llmgr_usage_add(struct llmgr *manager, const struct llmgr_usage_record *record,
                             struct llmgr_error *err)
{
    enum lm_payer payer;

    llmgr_status status = check_record(record, err);
    if (status == LLMGR_OK)
        status = read_payer(record->payer, &payer, err);
    if (status != LLMGR_OK)
        return status;
    struct ll_usage usage = {.payer = payer};
#define LL_TEXT(name, max, always) usage.name = lb_cstr(record->name);
#define LL_COUNT(name, kind) usage.name = record->name;
#define LL_NUMBER(name, kind) usage.name = record->name;
#include "ledger/usage.def"
    usage.user = lm_effective_user(manager->manager, la_user(record->user));
    usage.provenance = record->provenance;
    usage.end_state = record->end_state;
    if (usage.time_ms == 0)
        usage.time_ms = lb_now_ms(&manager->host);
    return usage.cost_nano == LL_UNKNOWN && usage.price_id == 0
               ? la_usage_add_priced(manager, &usage, err)
               : ll_usage_add(manager->manager, &usage, err);
}

void llmgr_usage_query_init(struct llmgr_usage_query *query)
{
    *query = (struct llmgr_usage_query){.size = sizeof *query, .by = LLMGR_USAGE_BY_MODEL};
}

llmgr_status llmgr_usage_query(struct llmgr *manager, const struct llmgr_usage_query *query,
                               struct llmgr_usage_list *list, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_usage_list made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = LLMGR_OK;
    if (query->size != sizeof *query)
        status = lb_fail(err, LLMGR_ERR_INVALID,
                         N_("fill the usage query with llmgr_usage_query_init first"));
    if (status == LLMGR_OK)
        status = ll_usage_sums(manager->manager, query, &result->arena, &made, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = made;
    return LLMGR_OK;
}

llmgr_status llmgr_usage_request(struct llmgr *manager, const char *user, const char *request_id,
                                 int64_t since_ms, int64_t until_ms,
                                 struct llmgr_usage_attempts *attempts, struct llmgr_error *err)
{
    const struct ll_usage_request request = {.user = user,
                                             .id = request_id != NULL ? request_id : "",
                                             .since_ms = since_ms,
                                             .until_ms = until_ms};
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_usage_attempts made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = ll_usage_find(manager->manager, &request, &result->arena, &made, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *attempts = made;
    return LLMGR_OK;
}
