/* SPDX-License-Identifier: MIT */
/*
 * Setting prices and ending them. For each price the rows of the same match and conditions are
 * read that have not ended where it begins: one of them may be in force there, the others begin
 * later.
 *
 *     in force  |---------- former ----------|---- later ----
 *     set            |--- the new one -------|
 *     becomes   |----|                             former ends; the later one stays
 *
 * All is judged in a reading transaction first, so that what changes nothing writes nothing.
 */
#include "budget/prices.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "budget/price.h"
#include "budget/rows.h"
#include "budget/standing.h"
#include "budget/unit.h"
#include "manager/access.h"
#include "store/store.h"

enum {
    RATES_OF_ONE_MAX = 1000 * LLMGR_PRICE_UNIT_COUNT, /* that are read of one match */
    SHOWN_MAX = 64                                    /* bytes of a model's name in an error */
};

#define SHOW(s) (int)lb_utf8_cut((s), SHOWN_MAX), (s).p

/* What a match has around the beginning of the new price. */
struct around {
    int64_t from_ms;
    struct lq_price_change *change;
    int64_t former_until_ms;
    char former_source[LLMGR_PRICE_SOURCE_MAX + 1];
    int64_t next_ms;                        /* when the next one begins; 0: there is none */
    int64_t unread[LLMGR_PRICE_UNIT_COUNT]; /* rates of the later ones */
};

/* ---- What is there --------------------------------------------------------------------------- */

static void keep_text(char *to, size_t size, struct lb_str text)
{
    snprintf(to, size, "%.*s", (int)text.size, text.size != 0 ? text.p : "");
}

static llmgr_status take_around(const struct lq_row *row, void *context, struct lq_rates *rates,
                                struct llmgr_error *err)
{
    struct around *around = context;
    struct lq_price_change *change = around->change;

    (void)err;
    *rates = (struct lq_rates){.rates = around->unread};
    if (row->from_ms > around->from_ms) {
        if (around->next_ms == 0)
            around->next_ms = row->from_ms;
        return LLMGR_OK;
    }
    change->former_id = row->id;
    lq_rates_clear(change->former_rates);
    rates->rates = change->former_rates;
    around->former_until_ms = row->until_ms;
    keep_text(change->former_currency, sizeof change->former_currency, row->currency);
    keep_text(around->former_source, sizeof around->former_source, row->source);
    return LLMGR_OK;
}

static llmgr_status look_around(struct ls_tx *tx, struct around *around, struct llmgr_error *err)
{
    const struct lq_price_spec *spec = &around->change->spec;

    around->change->former_id = 0;
    return lq_rows_each(tx, LS_PRICES_OF_ONE,
                        LS_ARGS(ls_int(spec->platform_id), ls_text(spec->model),
                                ls_int(spec->above_tokens), ls_text(spec->service_tier),
                                ls_text(spec->hours), ls_text(spec->time_zone),
                                ls_int(spec->from_ms), ls_int(RATES_OF_ONE_MAX)),
                        take_around, around, err);
}

/* ---- What becomes of it ---------------------------------------------------------------------- */

static bool is_operators(struct lb_str source)
{
    return lb_str_eq_c(source, LQ_SOURCE_HAND) || lb_str_eq_c(source, LQ_SOURCE_FILE);
}

/* Until when the new one would be in force: as long as it says, or until the next one. */
static int64_t end_of(const struct around *around)
{
    const struct lq_price_spec *spec = &around->change->spec;
    return spec->until_ms != 0 ? spec->until_ms : around->next_ms;
}

/* Do both say the same, to the same end? Whose it is counts where one is the operator's. */
static bool says_the_same(const struct around *around)
{
    const struct lq_price_change *change = around->change;
    const struct lq_price_spec *spec = &change->spec;
    const struct lb_str former = lb_cstr(around->former_source);

    return memcmp(change->former_rates, spec->rates, sizeof spec->rates) == 0 &&
           lb_str_eq_c(spec->currency, change->former_currency) &&
           end_of(around) == around->former_until_ms &&
           (lb_str_eq(spec->source, former) ||
            (!is_operators(spec->source) && !is_operators(former)));
}

static llmgr_status decide(const struct lq_setting *setting, struct around *around,
                           struct llmgr_error *err)
{
    struct lq_price_change *change = around->change;
    const struct lb_str former = lb_cstr(around->former_source);
    const struct lb_str source = change->spec.source;

    change->result = LQ_PRICE_NEW;
    if (change->former_id == 0)
        return LLMGR_OK;
    change->price_id = change->former_id;
    change->result = LQ_PRICE_SAME;
    if (says_the_same(around))
        return LLMGR_OK;
    change->result = LQ_PRICE_KEPT;
    if (is_operators(former) && !is_operators(source) &&
        (!setting->way->replaces_hand || lb_str_eq_c(former, LQ_SOURCE_FILE)))
        return LLMGR_OK;
    change->result = LQ_PRICE_CHANGED;
    if (lb_str_eq_c(source, LQ_SOURCE_HAND) && lb_str_eq_c(former, LQ_SOURCE_FILE))
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("llmgr.yaml has a price for the same; change it there"));
    if (lb_str_eq_c(source, LQ_SOURCE_FILE) && lb_str_eq_c(former, LQ_SOURCE_HAND))
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("price %lld, for the same as one of '%.*s' in llmgr.yaml, was set "
                          "without the file; delete it with `llmgr price delete %lld`, or leave "
                          "the one in the file out"),
                       (long long)change->former_id, SHOW(change->spec.model),
                       (long long)change->former_id);
    return LLMGR_OK;
}

static llmgr_status judge_end(const struct around *around, struct llmgr_error *err)
{
    return around->next_ms == 0 || around->change->spec.until_ms <= around->next_ms
               ? LLMGR_OK
               : lb_fail(err, LLMGR_ERR_CONFLICT,
                         N_("the price for '%.*s' would end after another one for the same "
                            "begins; end it before, or delete that one"),
                         SHOW(around->change->spec.model));
}

/* ---- Writing --------------------------------------------------------------------------------- */

static llmgr_status end_price(struct ls_tx *tx, int64_t id, int64_t at_ms, struct llmgr_error *err)
{
    return ls_exec(tx, LS_PRICE_END, LS_ARGS(ls_int(id), ls_int(at_ms)), NULL, err);
}

static llmgr_status write_price(const struct lq_setting *setting, struct ls_tx *tx,
                                const struct around *around, struct llmgr_error *err)
{
    struct lq_price_change *change = around->change;
    const struct lq_price_spec *spec = &change->spec;
    const int64_t until_ms = end_of(around);
    llmgr_status status = LLMGR_OK;

    if (change->former_id != 0)
        status = end_price(tx, change->former_id, spec->from_ms, err);
    if (status == LLMGR_OK)
        status = ls_insert(
            tx, LS_PRICE_ADD,
            LS_ARGS(ls_int(spec->platform_id), ls_text(spec->model), ls_text(spec->currency),
                    ls_int(spec->from_ms), until_ms != 0 ? ls_int(until_ms) : ls_null(),
                    ls_int(spec->above_tokens), ls_text(spec->service_tier), ls_text(spec->hours),
                    ls_text(spec->time_zone), ls_text(spec->source), ls_int(setting->now_ms)),
            &change->price_id, err);
    for (int i = 0; status == LLMGR_OK && i < LLMGR_PRICE_UNIT_COUNT; i++) {
        if (spec->rates[i] != LLMGR_UNSET)
            status = ls_exec(tx, LS_PRICE_RATE_ADD,
                             LS_ARGS(ls_int(change->price_id),
                                     ls_cstr(llmgr_price_unit_name((llmgr_price_unit)i)),
                                     ls_int(spec->rates[i])),
                             NULL, err);
    }
    return status;
}

/* ---- One by one ------------------------------------------------------------------------------ */

static llmgr_status judge_platform(struct lq_setting *setting, struct ls_tx *tx,
                                   int64_t platform_id, struct llmgr_error *err)
{
    struct lm_platform_row row;

    if (platform_id == 0 || platform_id == setting->platform_id)
        return LLMGR_OK;
    llmgr_status status = lm_access_platform(setting->manager, tx, setting->actor, platform_id,
                                             LM_ACCESS_SEE, &row, err);
    if (status != LLMGR_OK)
        return status;
    if (!row.is_sys)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("platform %lld is a private one; prices name system platforms"),
                       (long long)platform_id);
    setting->platform_id = platform_id;
    return LLMGR_OK;
}

/* The source's own price that stands says the same: nothing else needs to be asked. */
static bool stands(const struct lq_setting *setting, struct lq_price_change *change)
{
    const struct lq_standing_price *price =
        setting->standing != NULL ? lq_standing_find(setting->standing, &change->spec) : NULL;

    if (price == NULL || !lq_standing_says(price, &change->spec))
        return false;
    change->result = LQ_PRICE_SAME;
    change->price_id = change->former_id = price->id;
    memcpy(change->former_rates, price->rates, sizeof price->rates);
    keep_text(change->former_currency, sizeof change->former_currency, price->currency);
    return true;
}

static llmgr_status set_one(struct lq_setting *setting, struct ls_tx *tx,
                            struct lq_price_change *change, struct llmgr_error *err)
{
    struct around around = {.from_ms = change->spec.from_ms, .change = change};

    if (change->is_early) {
        change->result = LQ_PRICE_NEW;
        change->price_id = change->former_id = 0;
        setting->news++;
        return LLMGR_OK;
    }
    if (stands(setting, change))
        return LLMGR_OK;
    llmgr_status status = judge_platform(setting, tx, change->spec.platform_id, err);
    if (status == LLMGR_OK)
        status = look_around(tx, &around, err);
    if (status == LLMGR_OK)
        status = decide(setting, &around, err);
    if (status != LLMGR_OK || change->result == LQ_PRICE_SAME || change->result == LQ_PRICE_KEPT)
        return status;
    setting->news++;
    setting->replaced += change->former_id != 0 && change->spec.from_ms <= setting->now_ms;
    change->price_id = 0;
    status = judge_end(&around, err);
    return status == LLMGR_OK && setting->writes ? write_price(setting, tx, &around, err) : status;
}

/* ---- The rest of a source -------------------------------------------------------------------- */

static llmgr_status end_rest(struct lq_setting *setting, struct ls_tx *tx, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < setting->count; i++)
        lq_standing_name(setting->standing, &setting->changes[i]);
    for (const struct lq_standing_price *price = setting->standing->first;
         price != NULL && status == LLMGR_OK; price = price->next) {
        if (price->is_named)
            continue;
        setting->ended++;
        if (setting->on_end != NULL)
            status = setting->on_end(setting->context, price->platform_id, price->model, err);
        if (status == LLMGR_OK && setting->writes)
            status = end_price(tx, price->id, setting->now_ms, err);
    }
    return status;
}

/* ---- All ------------------------------------------------------------------------------------- */

static llmgr_status judge_room(const struct lq_setting *setting, struct ls_tx *tx,
                               struct llmgr_error *err)
{
    struct ls_rows rows;

    llmgr_status status = ls_get(tx, LS_PRICE_COUNT, LS_ARGS(ls_int(setting->now_ms)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    int64_t count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    if (!setting->writes)
        count += (int64_t)setting->news - (int64_t)setting->replaced - (int64_t)setting->ended;
    return count <= LLMGR_PRICES_MAX
               ? LLMGR_OK
               : lb_fail(err, LLMGR_ERR_TOO_LARGE,
                         N_("there would be %lld prices; at most %d may be in force or to come"),
                         (long long)count, LLMGR_PRICES_MAX);
}

static llmgr_status set_each(struct lq_setting *setting, struct ls_tx *tx, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (setting->at = 0; setting->at < setting->count; setting->at++) {
        status = set_one(setting, tx, &setting->changes[setting->at], err);
        if (status != LLMGR_OK)
            return status;
    }
    if (setting->standing != NULL)
        status = end_rest(setting, tx, err);
    return status == LLMGR_OK && setting->news != 0 ? judge_room(setting, tx, err) : status;
}

llmgr_status lq_setting_run(struct lq_setting *setting, struct ls_tx *tx, bool writes,
                            struct llmgr_error *err)
{
    struct lq_standing standing;
    llmgr_status status = LLMGR_OK;

    setting->writes = writes;
    setting->news = setting->replaced = setting->ended = 0;
    setting->platform_id = 0;
    setting->at = setting->count;
    setting->standing = NULL;
    if (!setting->way->ends_rest)
        return set_each(setting, tx, err);
    status = lq_standing_read(&standing, lm_host(setting->manager), tx, setting->source,
                              setting->now_ms, err);
    setting->standing = &standing;
    if (status == LLMGR_OK)
        status = set_each(setting, tx, err);
    setting->standing = NULL;
    lq_standing_free(&standing);
    return status;
}

static llmgr_status judge_operator(struct lm_actor actor, struct llmgr_error *err)
{
    return actor.is_operator
               ? LLMGR_OK
               : lb_fail(err, LLMGR_ERR_FORBIDDEN, N_("prices are the operator's to set"));
}

llmgr_status lq_setting_judge(struct lq_setting *setting, struct llmgr_error *err)
{
    llmgr_status status = judge_operator(setting->actor, err);

    for (setting->at = 0; status == LLMGR_OK && setting->at < setting->count; setting->at++) {
        status = lq_price_judge(lm_host(setting->manager), setting->now_ms,
                                &setting->changes[setting->at].spec, err);
        if (status != LLMGR_OK)
            return status;
    }
    setting->at = setting->count;
    return status;
}

static llmgr_status look(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return lq_setting_run(context, tx, false, err);
}

static llmgr_status write_all(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return lq_setting_run(context, tx, true, err);
}

llmgr_status lq_prices_set(struct lm_manager *manager, struct lm_actor actor,
                           struct lq_price_change *changes, size_t count, struct lb_str source,
                           const struct lq_prices_way *way, size_t *ended, size_t *failed,
                           struct llmgr_error *err)
{
    struct lq_setting setting = {.manager = manager,
                                 .actor = actor,
                                 .changes = changes,
                                 .count = count,
                                 .source = source,
                                 .way = way,
                                 .now_ms = lb_now_ms(lm_host(manager))};

    llmgr_status status = lq_setting_judge(&setting, err);
    if (status == LLMGR_OK)
        status = ls_transact(lm_store(manager), LS_READ, look, &setting, err);
    if (status == LLMGR_OK && !way->is_dry && setting.news + setting.ended != 0)
        status = lm_write(manager, LB_STR(""), write_all, &setting, err);
    if (status != LLMGR_OK && failed != NULL)
        *failed = setting.at;
    if (status == LLMGR_OK && ended != NULL)
        *ended = setting.ended;
    return status;
}

/* ---- Ending one ------------------------------------------------------------------------------ */

struct ending {
    int64_t id;
    int64_t now_ms;
};

static llmgr_status end_one(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct ending *ending = context;
    struct ls_rows rows;
    bool found;

    llmgr_status status =
        ls_find(tx, LS_PRICE_GET, LS_ARGS(ls_int(ending->id)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    if (!found)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no price %lld"),
                       (long long)ending->id);
    const bool is_file = lb_str_eq_c(ls_column_text(&rows, 0), LQ_SOURCE_FILE);
    const int64_t from_ms = ls_column_int(&rows, 1);
    const int64_t until_ms = ls_column_int(&rows, 2);
    const bool has_end = !ls_column_is_null(&rows, 2);
    ls_rows_end(&rows);
    if (has_end && (until_ms <= ending->now_ms || until_ms <= from_ms))
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("price %lld has ended"), (long long)ending->id);
    if (is_file)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("price %lld is managed in llmgr.yaml; change it there"),
                       (long long)ending->id);
    return end_price(tx, ending->id, ending->now_ms, err);
}

llmgr_status lq_price_delete(struct lm_manager *manager, struct lm_actor actor, int64_t price_id,
                             struct llmgr_error *err)
{
    struct ending ending = {.id = price_id, .now_ms = lb_now_ms(lm_host(manager))};

    llmgr_status status = judge_operator(actor, err);
    return status == LLMGR_OK ? lm_write(manager, LB_STR(""), end_one, &ending, err) : status;
}
