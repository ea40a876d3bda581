/* SPDX-License-Identifier: MIT */
/* Whether a platform's name or address is another's already; see the header. */
#include "manager/taken.h"

#include "base/error.h"
#include "http/url.h"
#include "store/store.h"

static llmgr_status compare_address(const struct lm_claim *claim, struct lb_str base_url,
                                    bool *same, struct llmgr_error *err)
{
    struct lh_url url;
    *same = false;
    if (claim->normal.size == 0 || lh_url_parse(base_url, &url) != LH_URL_OK)
        return LLMGR_OK;
    struct lb_buf normal;
    lb_buf_init(&normal, lm_host(claim->manager), LM_NORMAL_URL_MAX);
    lh_url_normal(&url, &normal);
    bool failed = normal.failed != LLMGR_OK;
    *same = lb_str_eq(lb_buf_str(&normal), claim->normal);
    lb_buf_free(&normal);
    return failed ? lb_fail_memory(err) : LLMGR_OK;
}

static llmgr_status judge_system(const struct lm_claim *claim, const struct ls_rows *rows,
                                 struct llmgr_error *err)
{
    struct lb_str name = ls_column_text(rows, 1);
    long long id = (long long)ls_column_int(rows, 0);
    if (id == claim->platform_id)
        return LLMGR_OK;
    if (claim->name.size > 0 && lb_str_eq(name, claim->name))
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("the name '%.*s' is that of system platform %lld; choose another name"),
                       (int)name.size, name.p, id);
    bool same;
    llmgr_status status = compare_address(claim, ls_column_text(rows, 2), &same, err);
    if (status == LLMGR_OK && same && claim->is_sys)
        status = lb_fail(err, LLMGR_ERR_CONFLICT,
                         N_("this address is system platform %lld, '%.*s'; put their models under "
                            "one platform"),
                         id, (int)name.size, name.p);
    else if (status == LLMGR_OK && same)
        status = lb_fail(err, LLMGR_ERR_CONFLICT,
                         lm_options(claim->manager)->for_callers
                             ? N_("this address is system platform %lld, '%.*s'; store a key of "
                                  "your own there: PUT /api/platforms/%lld/key")
                             : N_("this address is system platform %lld, '%.*s'; store a key of "
                                  "your own there: llmgr platform set-key %lld"),
                         id, (int)name.size, name.p, id);
    return status;
}

static llmgr_status judge_own(const struct lm_claim *claim, const struct ls_rows *rows,
                              struct llmgr_error *err)
{
    struct lb_str name = ls_column_text(rows, 1);
    long long id = (long long)ls_column_int(rows, 0);
    if (id == claim->platform_id)
        return LLMGR_OK;
    if (claim->name.size > 0 && lb_str_eq(name, claim->name))
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("you already have a platform named '%.*s' (%lld); choose another name"),
                       (int)name.size, name.p, id);
    bool same;
    llmgr_status status = compare_address(claim, ls_column_text(rows, 2), &same, err);
    if (status == LLMGR_OK && same)
        status =
            lb_fail(err, LLMGR_ERR_CONFLICT,
                    N_("your platform %lld, '%.*s', already has this address; add models to it"),
                    id, (int)name.size, name.p);
    return status;
}

typedef llmgr_status (*judge_fn)(const struct lm_claim *claim, const struct ls_rows *rows,
                                 struct llmgr_error *err);

struct judging {
    const struct lm_claim *claim;
    judge_fn judge;
    size_t seen;
};

static llmgr_status judge_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct judging *judging = context;

    judging->seen++;
    return judging->judge(judging->claim, row, err);
}

/* Runs `judge` over the statement's rows; *count (may be NULL) receives how many there are. */
static llmgr_status judge_rows(const struct lm_claim *claim, struct ls_tx *tx,
                               enum ls_statement statement, const struct ls_value *values,
                               size_t value_count, judge_fn judge, size_t *count,
                               struct llmgr_error *err)
{
    struct judging judging = {.claim = claim, .judge = judge};
    llmgr_status status = ls_each(tx, statement, values, value_count, judge_row, &judging, err);
    if (status == LLMGR_OK && count != NULL)
        *count = judging.seen;
    return status;
}

llmgr_status lm_taken(const struct lm_claim *claim, struct ls_tx *tx, size_t *own_count,
                      struct llmgr_error *err)
{
    llmgr_status status =
        judge_rows(claim, tx, LS_PLATFORM_SYS_NAMES, NULL, 0, judge_system, NULL, err);
    if (status == LLMGR_OK && !claim->is_sys)
        status = judge_rows(claim, tx, LS_PLATFORM_OWN_NAMES, LS_ARGS(ls_text(claim->user)),
                            judge_own, own_count, err);
    return status;
}
