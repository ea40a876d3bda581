/* SPDX-License-Identifier: MIT */
/*
 * Attempts become rows, and rows become sums: not at once, since a sum's place in its table is
 * anywhere, while a row's is the end; many rows are summed together, in the order of the sums. Who
 * reads sums adds the rows that are not yet in them. Unknown is null in the database and -1 here;
 * it is never 0, which would claim that nothing was used.
 *
 * Rows are numbered as they are committed, since writers are serialised: what one transaction
 * wrote are all rows between the last number before it and the last after it.
 */
#include "ledger/rows.h"

#include "base/error.h"
#include "ledger/known.h"
#include "ledger/sums.h"
#include "manager/access.h"
#include "manager/handle.h"
#include "store/store.h"

enum {
    ROLL_UP_MAX = 200000, /* rows summed in one transaction */
    ROLL_UP_ALONE = 1000, /* rows that wait for it when no ledger is open */
};
/* Above these a count is no count: sums of it must not overflow, whatever an upstream says. */
#define AMOUNT_MAX (INT64_C(1) << 48)

/* ---- Names ----------------------------------------------------------------------------------- */

const char *llmgr_provenance_name(llmgr_provenance provenance)
{
    switch (provenance) {
#define NAME(name, number, text)                                                                   \
    case LLMGR_PROVENANCE_##name:                                                                  \
        return text;
        LLMGR_PROVENANCE_MAP(NAME)
#undef NAME
    }
    return NULL;
}

const char *llmgr_end_name(llmgr_end_state end_state)
{
    switch (end_state) {
#define NAME(name, number, text)                                                                   \
    case LLMGR_END_##name:                                                                         \
        return text;
        LLMGR_END_MAP(NAME)
#undef NAME
    }
    return NULL;
}

/* ---- One attempt ----------------------------------------------------------------------------- */

void ll_usage_init(struct ll_usage *usage)
{
    enum {
        begin_time = 0,
        begin_id = 0,
        begin_tokens = LL_UNKNOWN,
        begin_amount = LL_UNKNOWN,
        begin_money = LL_UNKNOWN,
    };

    *usage = (struct ll_usage){
#define LL_COUNT(name_, kind) .name_ = begin_##kind,
#include "ledger/usage.def"
        .attempt = 1,
    };
}

void ll_usage_begin(struct ll_usage *usage, const struct lr_target *target)
{
    ll_usage_init(usage);
    usage->user = target->user;
    usage->platform_id = target->platform_id;
    usage->platform_name = target->platform_name;
    usage->model_id = target->model_id;
    usage->model_name = target->model_name;
    usage->payer = target->payer;
}

void ll_usage_tell(struct ll_usage *usage, const struct llmgr_usage *told)
{
    usage->prompt_tokens = told->prompt_tokens;
    usage->completion_tokens = told->completion_tokens;
    usage->cached_tokens = told->cached_tokens;
    usage->reasoning_tokens = told->reasoning_tokens;
    usage->cache_write_tokens = told->cache_write_tokens;
    usage->cache_write_1h_tokens = told->cache_write_1h_tokens;
    usage->audio_input_tokens = told->audio_input_tokens;
    usage->audio_output_tokens = told->audio_output_tokens;
    usage->image_input_tokens = told->image_input_tokens;
    usage->tool_calls = told->tool_calls;
    usage->reported_cost_nano = told->reported_cost_nano;
    usage->service_tier = lb_cstr(told->service_tier);
}

/* PostgreSQL refuses a whole batch for one text that is none, so none gets that far. */
static struct lb_str tidy_text(struct lb_str text, size_t max)
{
    if (text.size > max)
        text.size = lb_utf8_cut(text, max);
    return lb_utf8_valid(text) ? text : LB_STR("?");
}

static int64_t tidy_id(int64_t id)
{
    return id < 0 ? 0 : id;
}

static int64_t tidy_count(int64_t count, int64_t max)
{
    return count < 0 || count > max ? LL_UNKNOWN : count;
}

static int64_t tidy_tokens(int64_t count)
{
    return tidy_count(count, LL_TOKENS_MAX);
}

static int64_t tidy_amount(int64_t amount)
{
    return tidy_count(amount, AMOUNT_MAX);
}

static int64_t tidy_money(int64_t nano)
{
    return tidy_count(nano, LL_MONEY_MAX);
}

/* A time that is none becomes 0, and that becomes now. */
static int64_t tidy_time(int64_t ms)
{
    return ms < 0 || ms >= AMOUNT_MAX ? 0 : ms;
}

static int tidy_nth(int number)
{
    return number <= 0 ? 1 : number;
}

static int tidy_http(int status)
{
    return status < 100 || status >= 1000 ? 0 : status;
}

static bool kinds_known(const struct ll_usage *usage)
{
    return llmgr_provenance_name(usage->provenance) != NULL &&
           llmgr_end_name(usage->end_state) != NULL && (unsigned)usage->payer <= LM_PAYER_SYSTEM;
}

bool ll_is_currency(struct lb_str text)
{
    bool is_one = text.size == LL_CURRENCY_SIZE;

    for (size_t i = 0; i < text.size && is_one; i++)
        is_one = text.p[i] >= 'A' && text.p[i] <= 'Z';
    return is_one;
}

/* A cost without its currency is none, and a currency without a cost says nothing. */
static void tidy_cost(struct ll_usage *usage)
{
    if (usage->cost_nano != LL_UNKNOWN && ll_is_currency(usage->currency))
        return;
    usage->cost_nano = LL_UNKNOWN;
    usage->currency = (struct lb_str){0};
}

/* The texts are tidy. */
static void tidy_numbers(struct ll_usage *usage, int64_t now_ms)
{
#define LL_COUNT(name, kind) usage->name = tidy_##kind(usage->name);
#define LL_NUMBER(name, kind) usage->name = tidy_##kind(usage->name);
#include "ledger/usage.def"
    tidy_cost(usage);
    if (usage->time_ms == 0)
        usage->time_ms = now_ms;
}

bool ll_usage_tidy_numbers(struct ll_usage *usage, int64_t now_ms)
{
    if (!kinds_known(usage))
        return false;
    tidy_numbers(usage, now_ms);
    return true;
}

llmgr_status ll_usage_tidy(const struct ll_usage *usage, int64_t now_ms, struct ll_usage *tidy,
                           struct llmgr_error *err)
{
    llmgr_status status = lm_check_user(usage->user, err);

    if (status != LLMGR_OK)
        return status;
    if (!kinds_known(usage))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("provenance, end state or payer of the usage is not one there is"));
    *tidy = *usage;
#define LL_TEXT(name, max, always) tidy->name = tidy_text(usage->name, max);
#include "ledger/usage.def"
    tidy_numbers(tidy, now_ms);
    return LLMGR_OK;
}

/* ---- Batches --------------------------------------------------------------------------------- */

struct ll_usage_batch {
    const struct lb_host *host;
    size_t capacity;
    size_t count;
    int64_t after; /* the last row before those that were written, and the last of them */
    int64_t last;
    struct ll_usage attempts[]; /* tidy; texts borrowed */
};

struct ll_usage_batch *ll_usage_batch_new(const struct lb_host *host, size_t capacity)
{
    struct ll_usage_batch *batch =
        lb_alloc(host, sizeof *batch + capacity * sizeof *batch->attempts);

    if (batch != NULL)
        *batch = (struct ll_usage_batch){.host = host, .capacity = capacity};
    return batch;
}

void ll_usage_batch_free(struct ll_usage_batch *batch)
{
    if (batch != NULL)
        lb_free(batch->host, batch);
}

void ll_usage_batch_reset(struct ll_usage_batch *batch)
{
    batch->count = 0;
}

size_t ll_usage_batch_count(const struct ll_usage_batch *batch)
{
    return batch->count;
}

/* How a value of each sort stands in its column. */
#define text_always ls_text
#define text_maybe ls_text_or_null

static struct ls_value number_time(int64_t ms)
{
    return ls_int(ms);
}

#define number_id ls_int_or_null
#define number_http ls_int_or_null

/* Of these kinds one may be unknown. */
#define number_tokens ll_known
#define number_amount ll_known
#define number_money ll_known

static struct ls_value number_nth(int64_t number)
{
    return ls_int(number);
}

/* Written where they are wanted: a row made first and copied would cost as much again. */
static void fill_row(const void *context, size_t run, struct ls_value *values)
{
    const struct ll_usage_batch *batch = context;
    const struct ll_usage *usage = &batch->attempts[run];

#define LL_TEXT(name, max, always) *values++ = text_##always(usage->name);
#define LL_COUNT(name, kind) *values++ = number_##kind(usage->name);
#define LL_NUMBER(name, kind) *values++ = number_##kind(usage->name);
#define LL_KIND(name, type, text) *values++ = ls_cstr(text(usage->name));
#include "ledger/usage.def"
}

struct ll_usage *ll_usage_batch_next(struct ll_usage_batch *batch)
{
    return batch->count < batch->capacity ? &batch->attempts[batch->count] : NULL;
}

void ll_usage_batch_keep(struct ll_usage_batch *batch)
{
    batch->count++;
}

bool ll_usage_batch_add(struct ll_usage_batch *batch, const struct ll_usage *tidy)
{
    struct ll_usage *next = ll_usage_batch_next(batch);

    if (next == NULL)
        return false;
    *next = *tidy;
    ll_usage_batch_keep(batch);
    return true;
}

static llmgr_status read_pending(struct ls_tx *tx, int64_t *from, int64_t *to,
                                 struct llmgr_error *err)
{
    struct ls_rows rows;

    llmgr_status status = ls_get(tx, LS_USAGE_PENDING, NULL, 0, &rows, err);
    if (status != LLMGR_OK)
        return status;
    *from = ls_column_int(&rows, 0);
    *to = ls_column_int(&rows, 1);
    ls_rows_end(&rows);
    return LLMGR_OK;
}

llmgr_status ll_usage_batch_write(struct ll_usage_batch *batch, struct ls_tx *tx, lb_rest_fn rest,
                                  struct llmgr_error *err)
{
    int64_t summed = 0;

    llmgr_status status = read_pending(tx, &summed, &batch->after, err);
    if (status == LLMGR_OK)
        status = ls_exec_many(tx, LS_USAGE_ADD, fill_row, batch, batch->count, rest, err);
    if (status == LLMGR_OK)
        status = read_pending(tx, &summed, &batch->last, err);
    return status;
}

void ll_usage_batch_sum(const struct ll_usage_batch *batch, struct ll_sums *sums, lb_rest_fn rest)
{
    ll_sums_add(sums, batch->attempts, batch->count, batch->after, batch->last, rest);
}

/* ---- Hours ----------------------------------------------------------------------------------- */

/* Rows after *at, up to `to` or as many as one transaction may sum, are summed by the database. */
static llmgr_status sum_rows(struct ls_tx *tx, int64_t *at, int64_t to, struct llmgr_error *err)
{
    if (to - *at > ROLL_UP_MAX)
        to = *at + ROLL_UP_MAX;
    if (to <= *at)
        return LLMGR_OK;
    llmgr_status status =
        ls_exec(tx, LS_USAGE_ROLL_UP, LS_ARGS(ls_int(*at), ls_int(to)), NULL, err);
    if (status == LLMGR_OK)
        *at = to;
    return status;
}

/* What is summed in one transaction. */
struct summing {
    const struct ll_sums *sums; /* made in memory; NULL: none */
    lb_rest_fn rest;
    int64_t at_least; /* fewer rows are left for later */
};

/* The same with the sums that were made in memory, from where they begin. */
static llmgr_status sum_known(struct ls_tx *tx, const struct summing *summing, int64_t *at,
                              struct llmgr_error *err)
{
    const struct ll_sums *sums = summing->sums;
    int64_t from = 0;
    int64_t to = 0;

    if (sums == NULL || !ll_sums_range(sums, &from, &to))
        return LLMGR_OK;
    llmgr_status status = sum_rows(tx, at, from, err);
    if (status != LLMGR_OK || *at != from)
        return status;
    status = ll_sums_write(sums, tx, summing->rest, err);
    if (status == LLMGR_OK)
        *at = to;
    return status;
}

/* No row below the last one can still appear. */
static llmgr_status roll_up(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct summing *summing = context;
    int64_t from = 0;
    int64_t to = 0;

    llmgr_status status = read_pending(tx, &from, &to, err);
    if (status != LLMGR_OK || to - from < summing->at_least)
        return status;
    int64_t at = from;
    status = sum_known(tx, summing, &at, err);
    if (status == LLMGR_OK)
        status = sum_rows(tx, &at, to, err);
    if (status != LLMGR_OK)
        return status;
    return ls_exec(tx, LS_JOURNAL_ADVANCE,
                   LS_ARGS(ls_cstr("sums"), ls_int(from), ls_int(at), ls_int(0)), NULL, err);
}

llmgr_status ll_usage_roll_up(struct lm_manager *manager, struct ll_sums *sums, lb_rest_fn rest,
                              struct llmgr_error *err)
{
    struct summing summing = {.sums = sums, .rest = rest, .at_least = 1};
    llmgr_status status = ls_transact(manager->store, LS_WRITE, roll_up, &summing, err);

    /* After a failure nobody knows whether they are in the database; there they can be made anew.
     */
    if (sums != NULL)
        ll_sums_clear(sums);
    return status;
}

/* ---- Without a journal ----------------------------------------------------------------------- */

/* Without a gateway nobody else sums, so every so many rows one of these calls does. */
static llmgr_status write_one(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct summing summing = {.at_least = ROLL_UP_ALONE};
    llmgr_status status = ll_usage_batch_write(context, tx, NULL, err);
    return status == LLMGR_OK ? roll_up(tx, &summing, err) : status;
}

llmgr_status ll_usage_add(struct lm_manager *manager, const struct ll_usage *usage,
                          struct llmgr_error *err)
{
    struct ll_usage tidy;

    llmgr_status status = ll_usage_tidy(usage, lb_now_ms(manager->host), &tidy, err);
    if (status != LLMGR_OK)
        return status;
    struct ll_usage_batch *batch = ll_usage_batch_new(manager->host, 1);
    if (batch == NULL)
        return lb_fail_memory(err);
    (void)ll_usage_batch_add(batch, &tidy);
    status = ls_transact(manager->store, LS_WRITE, write_one, batch, err);
    ll_usage_batch_free(batch);
    return status;
}
