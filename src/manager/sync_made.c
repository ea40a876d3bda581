/* SPDX-License-Identifier: MIT */
/*
 * What a sync leaves alone, and what may not meet it: system platforms that were made by calls, and
 * models that calls have put into platforms of the file. They are neither changed nor removed (save
 * with the platform they are in), and an entry that would need their name or address is a mistake
 * in the file.
 */
#include "base/error.h"
#include "manager/catalogue.h"
#include "manager/sync_plan.h"

static llmgr_status judge_entry(const struct lm_sync_plan *plan, const struct lm_sync_entry *entry,
                                const struct lm_sync_row *made, struct llmgr_error *err)
{
    if (lb_str_eq(entry->name, made->name))
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("%s:%u: '%s': a platform of this name was made without the file; delete "
                          "it with `llmgr platform delete %lld`, or give this one another name"),
                       plan->file, entry->line, entry->name.p, (long long)made->id);
    if (entry->normal.size > 0 && lb_str_eq(entry->normal, made->normal))
        return lb_fail(
            err, LLMGR_ERR_CONFIG,
            N_("%s:%u: '%s' has the address of the platform '%s', which was made without "
               "the file; delete that with `llmgr platform delete %lld`, or leave this "
               "one out"),
            plan->file, entry->line, entry->name.p, made->name.p, (long long)made->id);
    return LLMGR_OK;
}

static size_t made_models(const struct lm_sync_row *row)
{
    size_t count = 0;

    for (size_t i = 0; i < row->model_count; i++)
        count += row->models[i].is_made;
    return count;
}

/* Those of the file and those that stay beside them: the catalogue must hold them all. */
static llmgr_status judge_room(const struct lm_sync_plan *plan, struct llmgr_error *err)
{
    size_t platforms = plan->entry_count, models = 0;

    for (size_t i = 0; i < plan->entry_count; i++)
        models += plan->entries[i].model_count;
    for (size_t i = 0; i < plan->row_count; i++) {
        const struct lm_sync_row *row = &plan->rows[i];
        if (lm_row_is_gone(row))
            continue;
        platforms += row->is_made;
        models += made_models(row);
    }
    if (platforms <= LM_CATALOGUE_PLATFORMS_MAX && models <= LM_CATALOGUE_MODELS_MAX)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s: with what was made without the file there would be %zu system platforms "
                      "with %zu models; at most %d with %d may be"),
                   plan->file, platforms, models, LM_CATALOGUE_PLATFORMS_MAX,
                   LM_CATALOGUE_MODELS_MAX);
}

llmgr_status lm_sync_judge_made(const struct lm_sync_plan *plan, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; status == LLMGR_OK && i < plan->row_count; i++) {
        for (size_t j = 0; status == LLMGR_OK && plan->rows[i].is_made && j < plan->entry_count;
             j++)
            status = judge_entry(plan, &plan->entries[j], &plan->rows[i], err);
    }
    return status == LLMGR_OK ? judge_room(plan, err) : status;
}

llmgr_status lm_sync_fail_model(const struct lm_sync_plan *plan, const struct lm_model_entry *entry,
                                const struct lm_model_row *made, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s:%u: '%s': a model of this name was put into the platform without the "
                      "file; delete it with `llmgr model delete %lld`, or give this one another "
                      "name"),
                   plan->file, entry->line, entry->display_name.p, (long long)made->id);
}
