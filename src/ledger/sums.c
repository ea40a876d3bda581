/* SPDX-License-Identifier: MIT */
/* Sums in memory; see sums.h for their place, statements_usage.def for the same in SQL. */
#include "ledger/sums.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/map.h"
#include "ledger/known.h"
#include "ledger/rows.h"
#include "manager/manager.h"
#include "store/store.h"

enum {
    SUMS_MAX = 16384,
    MEMORY_MAX = 8 << 20, /* bytes, of the sums and their texts */
    KEY_FIXED = 4 * 8 + 2 + LL_CURRENCY_SIZE,
    KEY_MAX = KEY_FIXED + LM_USER_MAX + LM_SLOT_MAX,
};

struct sum {
    int64_t hour;
    struct lb_str user;
    int64_t token_id;
    int64_t platform_id;
    int64_t model_id;
    struct lb_str slot;
    enum lm_payer payer;
    struct lb_str currency;
    struct lb_str platform_name; /* of the first attempt */
    struct lb_str model_name;
    int64_t first_row; /* its rows stand between these */
    int64_t last_row;
    int64_t cost_nano;
#define LL_TALLY(name, ...) int64_t name;
#define LL_SUMMED(name, ...) int64_t name;
#include "ledger/usage.def"
};

struct ll_sums {
    const struct lb_host *host;
    struct lb_map *by_key; /* NULL: empty */
    struct lb_arena arena; /* of the sums */
    struct sum **sums;     /* SUMS_MAX */
    size_t count;
    int64_t from;
    int64_t to;
    bool closed; /* nothing is taken until it is cleared */
};

/* ---- Life ------------------------------------------------------------------------------------ */

struct ll_sums *ll_sums_new(const struct lb_host *host)
{
    struct ll_sums *sums = lb_calloc(host, 1, sizeof *sums);

    if (sums == NULL)
        return NULL;
    sums->host = host;
    lb_arena_init(&sums->arena, host, NULL, 0, MEMORY_MAX);
    return sums;
}

void ll_sums_clear(struct ll_sums *sums)
{
    lb_map_free(sums->by_key);
    lb_free(sums->host, sums->sums);
    lb_arena_reset(&sums->arena);
    sums->by_key = NULL;
    sums->sums = NULL;
    sums->count = 0;
    sums->closed = false;
}

void ll_sums_free(struct ll_sums *sums)
{
    if (sums == NULL)
        return;
    ll_sums_clear(sums);
    lb_arena_free(&sums->arena);
    lb_free(sums->host, sums);
}

bool ll_sums_range(const struct ll_sums *sums, int64_t *from, int64_t *to)
{
    if (sums->count == 0)
        return false;
    *from = sums->from;
    *to = sums->to;
    return true;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static struct lb_str key_of(const struct ll_usage *attempt, char key[KEY_MAX])
{
    const int64_t numbers[4] = {attempt->time_ms / LL_HOUR_MS, attempt->token_id,
                                attempt->platform_id, attempt->model_id};

    memset(key, 0, KEY_FIXED);
    memcpy(key, numbers, sizeof numbers);
    key[sizeof numbers] = (char)attempt->payer;
    key[sizeof numbers + 1] = (char)attempt->user.size;
    if (attempt->currency.size != 0)
        memcpy(key + sizeof numbers + 2, attempt->currency.p, attempt->currency.size);
    memcpy(key + KEY_FIXED, attempt->user.p, attempt->user.size);
    if (attempt->slot.size != 0)
        memcpy(key + KEY_FIXED + attempt->user.size, attempt->slot.p, attempt->slot.size);
    return lb_str(key, KEY_FIXED + attempt->user.size + attempt->slot.size);
}

static struct sum *begin_sum(struct ll_sums *sums, const struct ll_usage *attempt,
                             struct lb_str key)
{
    struct sum *sum = lb_arena_alloc(&sums->arena, sizeof *sum);

    if (sum == NULL || sums->count == SUMS_MAX)
        return NULL;
    *sum = (struct sum){
        .hour = attempt->time_ms / LL_HOUR_MS,
        .user = lb_arena_str(&sums->arena, attempt->user),
        .token_id = attempt->token_id,
        .platform_id = attempt->platform_id,
        .model_id = attempt->model_id,
        .slot = lb_arena_str(&sums->arena, attempt->slot),
        .payer = attempt->payer,
        .currency = lb_arena_str(&sums->arena, attempt->currency),
        .platform_name = lb_arena_str(&sums->arena, attempt->platform_name),
        .model_name = lb_arena_str(&sums->arena, attempt->model_name),
        .cost_nano = LL_UNKNOWN,
#define LL_SUMMED(name_, ...) .name_ = LL_UNKNOWN,
#include "ledger/usage.def"
    };
    if (sum->user.p == NULL || sum->slot.p == NULL || sum->currency.p == NULL ||
        sum->platform_name.p == NULL || sum->model_name.p == NULL ||
        lb_map_put(sums->by_key, key, sum, NULL) != LLMGR_OK)
        return NULL;
    sums->sums[sums->count++] = sum;
    return sum;
}

static void add_known(int64_t *sum, int64_t count)
{
    if (count != LL_UNKNOWN)
        *sum = (*sum == LL_UNKNOWN ? 0 : *sum) + count;
}

/* Neither is more than LL_MONEY_MAX; what is stays there. */
static void add_money(int64_t *sum, int64_t nano)
{
    if (nano != LL_UNKNOWN && *sum > LL_MONEY_MAX - nano)
        *sum = LL_MONEY_MAX;
    else
        add_known(sum, nano);
}

static bool add_one(struct ll_sums *sums, const struct ll_usage *attempt, int64_t row)
{
    char room[KEY_MAX];
    struct lb_str key = key_of(attempt, room);
    struct sum *sum = lb_map_get(sums->by_key, key);

    if (sum == NULL) {
        sum = begin_sum(sums, attempt, key);
        if (sum == NULL)
            return false;
        sum->first_row = row;
    }
    sum->last_row = row;
    add_money(&sum->cost_nano, attempt->cost_nano);
#define LL_TALLY(name, counts, ...) sum->name += (counts) ? 1 : 0;
#define LL_SUMMED(name, ...) add_known(&sum->name, attempt->name);
#include "ledger/usage.def"
    return true;
}

static bool make_room(struct ll_sums *sums)
{
    sums->by_key = lb_map_new(sums->host, SUMS_MAX);
    sums->sums = lb_alloc(sums->host, SUMS_MAX * sizeof(struct sum *));
    return sums->by_key != NULL && sums->sums != NULL;
}

void ll_sums_add(struct ll_sums *sums, const struct ll_usage *attempts, size_t count, int64_t from,
                 int64_t to, lb_rest_fn rest)
{
    bool added = true;

    if (sums->closed || count == 0)
        return;
    if (sums->count != 0 && sums->to != from) {
        sums->closed = true;
        return;
    }
    if (sums->count == 0) {
        sums->from = from;
        added = make_room(sums);
    }
    for (size_t i = 0; i < count && added; i++) {
        if (i != 0 && rest != NULL)
            rest(i, count);
        /* Writers are serialised: the rows of one transaction have numbers without a gap. */
        added = add_one(sums, &attempts[i], to - (int64_t)(count - 1 - i));
    }
    /* Half a range cannot be told from the whole. */
    if (!added)
        ll_sums_clear(sums);
    sums->closed = !added;
    sums->to = to;
}

/* ---- Writing --------------------------------------------------------------------------------- */

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

static int in_order_of_key(const void *left, const void *right)
{
    const struct sum *a = *(const struct sum *const *)left;
    const struct sum *b = *(const struct sum *const *)right;
    int order = compare_numbers(a->hour, b->hour);

    if (order == 0)
        order = lb_str_cmp(a->user, b->user);
    if (order == 0)
        order = compare_numbers(a->token_id, b->token_id);
    if (order == 0)
        order = compare_numbers(a->platform_id, b->platform_id);
    if (order == 0)
        order = compare_numbers(a->model_id, b->model_id);
    return order != 0 ? order : lb_str_cmp(a->slot, b->slot);
}

static void fill_sum(const void *context, size_t run, struct ls_value *values)
{
    const struct ll_sums *sums = context;
    const struct sum *sum = sums->sums[run];
    const char *payer = lm_payer_name(sum->payer);
    const struct ls_value row[] = {
        ls_int(sum->hour),
        ls_text(sum->user),
        ls_int(sum->token_id),
        ls_int(sum->platform_id),
        ls_int(sum->model_id),
        ls_text(sum->slot),
        ls_text(lb_cstr(payer != NULL ? payer : "")),
        ls_text(sum->currency),
        ls_text(sum->platform_name),
        ls_text(sum->model_name),
        ls_int(sum->first_row),
        ls_int(sum->last_row),
        ll_known(sum->cost_nano),
#define LL_TALLY(name, ...) ls_int(sum->name),
#define LL_SUMMED(name, ...) ll_known(sum->name),
#include "ledger/usage.def"
    };

    memcpy(values, row, sizeof row);
}

llmgr_status ll_sums_write(const struct ll_sums *sums, struct ls_tx *tx, lb_rest_fn rest,
                           struct llmgr_error *err)
{
    qsort(sums->sums, sums->count, sizeof *sums->sums, in_order_of_key);
    return ls_exec_many(tx, LS_USAGE_SUM_ADD, fill_sum, sums, sums->count, rest, err);
}
