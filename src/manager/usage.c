/* SPDX-License-Identifier: MIT */
/*
 * Attempts become rows, and rows become sums. Unknown is null in the database and -1 here; it is
 * never 0, which would claim that nothing was used.
 */
#include "manager/usage.h"

#include <stdlib.h>

#include "base/error.h"
#include "manager/handle.h"
#include "store/store.h"

enum {
    ROW_ARGS = 23,
    SUM_ARGS = 17,
};
/* Above these a count is no count: sums of it must not overflow, whatever an upstream says. */
#define TOKENS_MAX (INT64_C(1) << 32)
#define SIZE_OR_TIME_MAX (INT64_C(1) << 48)

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

void lm_usage_init(struct lm_usage *usage)
{
    *usage = (struct lm_usage){
        .attempt = 1,
        .prompt_tokens = LM_UNKNOWN,
        .completion_tokens = LM_UNKNOWN,
        .cached_tokens = LM_UNKNOWN,
        .reasoning_tokens = LM_UNKNOWN,
        .latency_ms = LM_UNKNOWN,
        .first_byte_ms = LM_UNKNOWN,
        .bytes_in = LM_UNKNOWN,
        .bytes_out = LM_UNKNOWN,
    };
}

/* PostgreSQL refuses a whole batch for one text that is none, so none gets that far. */
static struct lb_str tidy_text(struct lb_str text, size_t max)
{
    if (text.size > max)
        text.size = lb_utf8_cut(text, max);
    return lb_utf8_valid(text) ? text : LB_STR("?");
}

static int64_t tidy_count(int64_t count, int64_t max)
{
    return count < 0 || count > max ? LM_UNKNOWN : count;
}

static int64_t tidy_id(int64_t id)
{
    return id < 0 ? 0 : id;
}

llmgr_status lm_usage_tidy(const struct lm_usage *usage, int64_t now_ms, struct lm_usage *tidy,
                           struct llmgr_error *err)
{
    llmgr_status status = lm_check_user(usage->user, err);

    if (status != LLMGR_OK)
        return status;
    if (llmgr_provenance_name(usage->provenance) == NULL ||
        llmgr_end_name(usage->end_state) == NULL || (unsigned)usage->payer > LM_PAYER_SYSTEM)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("provenance, end state or payer of the usage is not one there is"));
    *tidy = (struct lm_usage){
        .request_id = tidy_text(usage->request_id, LM_REQUEST_ID_MAX),
        .attempt = usage->attempt > 0 ? usage->attempt : 1,
        .time_ms =
            usage->time_ms > 0 && usage->time_ms < SIZE_OR_TIME_MAX ? usage->time_ms : now_ms,
        .user = usage->user,
        .token_id = tidy_id(usage->token_id),
        .platform_id = tidy_id(usage->platform_id),
        .platform_name = tidy_text(usage->platform_name, LM_PLATFORM_NAME_MAX),
        .model_id = tidy_id(usage->model_id),
        .model_name = tidy_text(usage->model_name, LM_MODEL_NAME_MAX),
        .slot = tidy_text(usage->slot, LM_SLOT_MAX),
        .endpoint = tidy_text(usage->endpoint, LM_ENDPOINT_MAX),
        .payer = usage->payer,
        .prompt_tokens = tidy_count(usage->prompt_tokens, TOKENS_MAX),
        .completion_tokens = tidy_count(usage->completion_tokens, TOKENS_MAX),
        .cached_tokens = tidy_count(usage->cached_tokens, TOKENS_MAX),
        .reasoning_tokens = tidy_count(usage->reasoning_tokens, TOKENS_MAX),
        .provenance = usage->provenance,
        .end_state = usage->end_state,
        .upstream_status = usage->upstream_status >= 100 && usage->upstream_status < 1000
                               ? usage->upstream_status
                               : 0,
        .latency_ms = tidy_count(usage->latency_ms, SIZE_OR_TIME_MAX),
        .first_byte_ms = tidy_count(usage->first_byte_ms, SIZE_OR_TIME_MAX),
        .bytes_in = tidy_count(usage->bytes_in, SIZE_OR_TIME_MAX),
        .bytes_out = tidy_count(usage->bytes_out, SIZE_OR_TIME_MAX),
    };
    return LLMGR_OK;
}

/* ---- Batches --------------------------------------------------------------------------------- */

struct sum {
    const struct lm_usage *of; /* whose key and names it has */
    int64_t hour;
    int64_t requests;
    int64_t attempts;
    int64_t completed;
    int64_t unknown;
    int64_t inexact;
    int64_t prompt_tokens; /* LM_UNKNOWN until one is known */
    int64_t completion_tokens;
    int64_t cached_tokens;
    int64_t reasoning_tokens;
};

struct lm_usage_batch {
    const struct lb_host *host;
    size_t capacity;
    size_t count;
    size_t sum_count;
    size_t slot_count;       /* a power of two */
    struct lm_usage *usages; /* texts borrowed */
    struct sum *sums;
    uint32_t *slots;         /* 1 + index of the sum with this hash; 0: none */
    struct ls_value *values; /* of all rows, then of all sums */
};

struct lm_usage_batch *lm_usage_batch_new(const struct lb_host *host, size_t capacity)
{
    struct lm_usage_batch *batch = lb_calloc(host, 1, sizeof *batch);

    if (batch == NULL)
        return NULL;
    batch->host = host;
    batch->capacity = capacity;
    for (batch->slot_count = 4; batch->slot_count < 2 * capacity;)
        batch->slot_count *= 2;
    batch->usages = lb_calloc(host, capacity, sizeof *batch->usages);
    batch->sums = lb_calloc(host, capacity, sizeof *batch->sums);
    batch->slots = lb_calloc(host, batch->slot_count, sizeof *batch->slots);
    batch->values = lb_calloc(host, capacity, ROW_ARGS * sizeof *batch->values);
    if (batch->usages == NULL || batch->sums == NULL || batch->slots == NULL ||
        batch->values == NULL) {
        lm_usage_batch_free(batch);
        return NULL;
    }
    return batch;
}

void lm_usage_batch_free(struct lm_usage_batch *batch)
{
    if (batch == NULL)
        return;
    lb_free(batch->host, batch->usages);
    lb_free(batch->host, batch->sums);
    lb_free(batch->host, batch->slots);
    lb_free(batch->host, batch->values);
    lb_free(batch->host, batch);
}

void lm_usage_batch_reset(struct lm_usage_batch *batch)
{
    if (batch->count != 0)
        memset(batch->slots, 0, batch->slot_count * sizeof *batch->slots);
    batch->count = 0;
    batch->sum_count = 0;
}

size_t lm_usage_batch_count(const struct lm_usage_batch *batch)
{
    return batch->count;
}

/* FNV-1a; the bound of a batch bounds what collisions can cost. */
static uint64_t mix(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *at = bytes;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t key_hash(const struct lm_usage *usage, int64_t hour)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    hash = mix(hash, &hour, sizeof hour);
    hash = mix(hash, usage->user.p, usage->user.size);
    hash = mix(hash, &usage->platform_id, sizeof usage->platform_id);
    hash = mix(hash, &usage->model_id, sizeof usage->model_id);
    hash = mix(hash, usage->slot.p, usage->slot.size);
    return mix(hash, &usage->payer, sizeof usage->payer);
}

static int compare_int(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

/* In the order of the table's key, so that neighbours are written one after another. */
static int compare_sums(const void *left, const void *right)
{
    const struct sum *a = left;
    const struct sum *b = right;
    int order = compare_int(a->hour, b->hour);

    if (order == 0)
        order = lb_str_cmp(a->of->user, b->of->user);
    if (order == 0)
        order = compare_int(a->of->platform_id, b->of->platform_id);
    if (order == 0)
        order = compare_int(a->of->model_id, b->of->model_id);
    if (order == 0)
        order = lb_str_cmp(a->of->slot, b->of->slot);
    return order != 0 ? order : compare_int(a->of->payer, b->of->payer);
}

static struct sum *sum_of(struct lm_usage_batch *batch, const struct lm_usage *usage)
{
    const struct sum wanted = {.of = usage, .hour = usage->time_ms / LM_HOUR_MS};
    size_t at = key_hash(usage, wanted.hour) & (batch->slot_count - 1);

    for (; batch->slots[at] != 0; at = (at + 1) & (batch->slot_count - 1)) {
        struct sum *sum = &batch->sums[batch->slots[at] - 1];
        if (compare_sums(sum, &wanted) == 0)
            return sum;
    }
    struct sum *sum = &batch->sums[batch->sum_count++];
    batch->slots[at] = (uint32_t)batch->sum_count;
    *sum = (struct sum){
        .hour = wanted.hour,
        .prompt_tokens = LM_UNKNOWN,
        .completion_tokens = LM_UNKNOWN,
        .cached_tokens = LM_UNKNOWN,
        .reasoning_tokens = LM_UNKNOWN,
    };
    return sum;
}

static void add_count(int64_t *sum, int64_t count)
{
    if (count != LM_UNKNOWN)
        *sum = (*sum == LM_UNKNOWN ? 0 : *sum) + count;
}

bool lm_usage_batch_add(struct lm_usage_batch *batch, const struct lm_usage *tidy)
{
    if (batch->count == batch->capacity)
        return false;
    struct lm_usage *usage = &batch->usages[batch->count++];
    *usage = *tidy;
    struct sum *sum = sum_of(batch, usage);
    sum->of = usage;
    sum->attempts++;
    sum->requests += usage->attempt == 1 ? 1 : 0;
    sum->completed += usage->end_state == LLMGR_END_COMPLETED ? 1 : 0;
    sum->unknown +=
        usage->prompt_tokens == LM_UNKNOWN && usage->completion_tokens == LM_UNKNOWN ? 1 : 0;
    sum->inexact += usage->provenance == LLMGR_PROVENANCE_ESTIMATED ||
                            usage->provenance == LLMGR_PROVENANCE_PARTIAL
                        ? 1
                        : 0;
    add_count(&sum->prompt_tokens, usage->prompt_tokens);
    add_count(&sum->completion_tokens, usage->completion_tokens);
    add_count(&sum->cached_tokens, usage->cached_tokens);
    add_count(&sum->reasoning_tokens, usage->reasoning_tokens);
    return true;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static struct ls_value known(int64_t count)
{
    return count != LM_UNKNOWN ? ls_int(count) : ls_null();
}

static struct ls_value id_or_null(int64_t id)
{
    return id != 0 ? ls_int(id) : ls_null();
}

static struct ls_value text_or_null(struct lb_str text)
{
    return text.size != 0 ? ls_text(text) : ls_null();
}

static void fill_row(const struct lm_usage *usage, struct ls_value *values)
{
    const struct ls_value row[ROW_ARGS] = {
        ls_text(usage->request_id),
        ls_int(usage->attempt),
        ls_int(usage->time_ms),
        ls_text(usage->user),
        id_or_null(usage->token_id),
        id_or_null(usage->platform_id),
        text_or_null(usage->platform_name),
        id_or_null(usage->model_id),
        text_or_null(usage->model_name),
        text_or_null(usage->slot),
        text_or_null(usage->endpoint),
        ls_cstr(lm_payer_name(usage->payer)),
        known(usage->prompt_tokens),
        known(usage->completion_tokens),
        known(usage->cached_tokens),
        known(usage->reasoning_tokens),
        ls_cstr(llmgr_provenance_name(usage->provenance)),
        ls_cstr(llmgr_end_name(usage->end_state)),
        id_or_null(usage->upstream_status),
        known(usage->latency_ms),
        known(usage->first_byte_ms),
        known(usage->bytes_in),
        known(usage->bytes_out),
    };

    memcpy(values, row, sizeof row);
}

static void fill_sum(const struct sum *sum, struct ls_value *values)
{
    const char *payer = lm_payer_name(sum->of->payer);
    const struct ls_value row[SUM_ARGS] = {
        ls_int(sum->hour),
        ls_text(sum->of->user),
        ls_int(sum->of->platform_id),
        ls_int(sum->of->model_id),
        ls_text(sum->of->slot),
        ls_cstr(payer != NULL ? payer : ""),
        ls_text(sum->of->platform_name),
        ls_text(sum->of->model_name),
        ls_int(sum->requests),
        ls_int(sum->attempts),
        ls_int(sum->completed),
        ls_int(sum->unknown),
        ls_int(sum->inexact),
        known(sum->prompt_tokens),
        known(sum->completion_tokens),
        known(sum->cached_tokens),
        known(sum->reasoning_tokens),
    };

    memcpy(values, row, sizeof row);
}

/* May run again if the transaction does: the sums keep their order, and the index is not used. */
llmgr_status lm_usage_batch_write(struct lm_usage_batch *batch, struct ls_tx *tx,
                                  struct llmgr_error *err)
{
    for (size_t i = 0; i < batch->count; i++)
        fill_row(&batch->usages[i], batch->values + i * ROW_ARGS);
    llmgr_status status =
        ls_exec_many(tx, LS_USAGE_ADD, batch->values, ROW_ARGS, batch->count, err);
    if (status != LLMGR_OK)
        return status;
    qsort(batch->sums, batch->sum_count, sizeof *batch->sums, compare_sums);
    for (size_t i = 0; i < batch->sum_count; i++)
        fill_sum(&batch->sums[i], batch->values + i * SUM_ARGS);
    return ls_exec_many(tx, LS_USAGE_SUM, batch->values, SUM_ARGS, batch->sum_count, err);
}

/* ---- Without a journal ----------------------------------------------------------------------- */

static llmgr_status write_one(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return lm_usage_batch_write(context, tx, err);
}

llmgr_status lm_usage_add(struct lm_manager *manager, const struct lm_usage *usage,
                          struct llmgr_error *err)
{
    struct lm_usage tidy;

    llmgr_status status = lm_usage_tidy(usage, lb_now_ms(manager->host), &tidy, err);
    if (status != LLMGR_OK)
        return status;
    struct lm_usage_batch *batch = lm_usage_batch_new(manager->host, 1);
    if (batch == NULL)
        return lb_fail_memory(err);
    (void)lm_usage_batch_add(batch, &tidy);
    status = ls_transact(manager->store, LS_WRITE, write_one, batch, err);
    lm_usage_batch_free(batch);
    return status;
}
