/* SPDX-License-Identifier: MIT */
/* /api/selections and /api/explain: what serves a user, and why. */
#include <stdlib.h>
#include <string.h>

#include "documents/write.h"
#include "management/operation.h"
#include "management/operations.h"

static llmgr_status show(struct lp_api *api, const char *slot, json_t **row,
                         struct llmgr_error *err)
{
    struct llmgr_selection selection;

    llmgr_status status = llmgr_selection_get(api->manager, api->user, slot, &selection, err);
    if (status != LLMGR_OK)
        return status;
    *row = lx_json_selection(&selection);
    llmgr_selection_clear(&selection);
    return *row != NULL ? LLMGR_OK : lb_fail_memory(err);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* One row per slot the user chose for, and main, by name. */
static llmgr_status fill(struct lp_api *api, char *const *slots, size_t count, json_t *data,
                         struct llmgr_error *err)
{
    struct lb_str after = api->query[LP_QUERY_AFTER];
    llmgr_status status = LLMGR_OK;
    json_t *row = NULL;

    for (size_t i = 0; i < count && status == LLMGR_OK; i++) {
        if (after.p != NULL && strcmp(slots[i], after.p) <= 0)
            continue;
        if (json_array_size(data) == api->limit) {
            const json_t *last = json_array_get(data, api->limit - 1);
            api->next =
                lb_arena_strdup(api->call->arena, json_string_value(json_object_get(last, "slot")));
            return api->next != NULL ? LLMGR_OK : lb_fail_memory(err);
        }
        status = show(api, slots[i], &row, err);
        if (status == LLMGR_OK && json_is_object(row))
            /* A slot that fell back says main; its row is its own. */
            json_object_set_new(row, "slot", json_string(slots[i]));
        if (status == LLMGR_OK && !lx_append(data, row))
            status = lb_fail_memory(err);
    }
    return status;
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    char **slots = NULL;
    size_t count = 0;

    llmgr_status status = llmgr_selection_slots(api->manager, api->user, &slots, err);
    if (status != LLMGR_OK)
        return status;
    while (slots[count] != NULL)
        count++;
    qsort(slots, count, sizeof *slots, compare);
    json_t *data = json_array();
    status = data != NULL ? fill(api, slots, count, data, err) : lb_fail_memory(err);
    llmgr_selection_slots_free(api->manager, slots);
    if (status != LLMGR_OK) {
        json_decref(data);
        return status;
    }
    return lp_api_page(api, data, err);
}

static llmgr_status get(struct lp_api *api, struct llmgr_error *err)
{
    return show(api, lp_api_param(api, 0), &api->answer, err);
}

static llmgr_status set(struct lp_api *api, struct llmgr_error *err)
{
    const char *slot = lp_api_param(api, 0);

    llmgr_status status =
        llmgr_selection_save(api->manager, api->user, slot, lp_api_number(api, "platform_id"),
                             lp_api_number(api, "model_id"), err);
    return status == LLMGR_OK ? show(api, slot, &api->answer, err) : status;
}

static llmgr_status explain(struct lp_api *api, struct llmgr_error *err)
{
    struct lb_str slot = api->query[LP_QUERY_SLOT];
    struct lb_str model = api->query[LP_QUERY_MODEL];
    struct llmgr_explanation explanation;

    if (slot.p != NULL && model.p != NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("give either ?slot= or ?model=, not both"));
    llmgr_status status =
        llmgr_explain(api->manager, api->user, slot.p, model.p, &explanation, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_explanation(&explanation), err);
    llmgr_explanation_clear(&explanation);
    return status;
}

LP_API_HANDLER(selections_list, list)
LP_API_HANDLER(selections_get, get)
LP_API_HANDLER(selections_set, set)
LP_API_HANDLER(explain, explain)
