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

/* What of a claim a row has already; both at once are told by the name. */
enum clash { CLASH_NONE, CLASH_NAME, CLASH_ADDRESS };

static llmgr_status find_clash(const struct lm_claim *claim, const struct ls_rows *row,
                               enum clash *clash, struct llmgr_error *err)
{
    bool same = false;

    *clash = CLASH_NONE;
    if (ls_column_int(row, 0) == claim->platform_id)
        return LLMGR_OK;
    if (claim->name.size > 0 && lb_str_eq(ls_column_text(row, 1), claim->name)) {
        *clash = CLASH_NAME;
        return LLMGR_OK;
    }
    llmgr_status status = compare_address(claim, ls_column_text(row, 2), &same, err);
    if (status == LLMGR_OK && same)
        *clash = CLASH_ADDRESS;
    return status;
}

static llmgr_status tell_system(const struct lm_claim *claim, enum clash clash, long long id,
                                struct lb_str name, struct llmgr_error *err)
{
    if (clash == CLASH_NAME)
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("the name '%.*s' is that of system platform %lld; choose another name"),
                       (int)name.size, name.p, id);
    if (claim->is_sys)
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("this address is system platform %lld, '%.*s'; put their models under "
                          "one platform"),
                       id, (int)name.size, name.p);
    return lb_fail(err, LLMGR_ERR_CONFLICT,
                   lm_options(claim->manager)->for_callers
                       ? N_("this address is system platform %lld, '%.*s'; store a key of "
                            "your own there: PUT /api/platforms/%lld/key")
                       : N_("this address is system platform %lld, '%.*s'; store a key of "
                            "your own there: llmgr platform set-key %lld"),
                   id, (int)name.size, name.p, id);
}

static llmgr_status tell_own(const struct lm_claim *claim, enum clash clash, long long id,
                             struct lb_str name, struct llmgr_error *err)
{
    (void)claim;
    if (clash == CLASH_NAME)
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("you already have a platform named '%.*s' (%lld); choose another name"),
                       (int)name.size, name.p, id);
    return lb_fail(err, LLMGR_ERR_CONFLICT,
                   N_("your platform %lld, '%.*s', already has this address; add models to it"), id,
                   (int)name.size, name.p);
}

/* Says whose it is. */
typedef llmgr_status (*tell_fn)(const struct lm_claim *claim, enum clash clash, long long id,
                                struct lb_str name, struct llmgr_error *err);

struct judging {
    const struct lm_claim *claim;
    tell_fn tell;
    size_t seen;
};

static llmgr_status judge_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct judging *judging = context;
    enum clash clash;

    judging->seen++;
    llmgr_status status = find_clash(judging->claim, row, &clash, err);
    return status != LLMGR_OK || clash == CLASH_NONE
               ? status
               : judging->tell(judging->claim, clash, (long long)ls_column_int(row, 0),
                               ls_column_text(row, 1), err);
}

llmgr_status lm_taken(const struct lm_claim *claim, struct ls_tx *tx, size_t *own_count,
                      struct llmgr_error *err)
{
    struct judging systems = {claim, tell_system, 0}, owns = {claim, tell_own, 0};

    llmgr_status status = ls_each(tx, LS_PLATFORM_SYS_NAMES, NULL, 0, judge_row, &systems, err);
    if (status != LLMGR_OK || claim->is_sys)
        return status;
    status =
        ls_each(tx, LS_PLATFORM_OWN_NAMES, LS_ARGS(ls_text(claim->user)), judge_row, &owns, err);
    if (status == LLMGR_OK && own_count != NULL)
        *own_count = owns.seen;
    return status;
}
