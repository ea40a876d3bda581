/* SPDX-License-Identifier: MIT */
/* /api/health/cells: what this gateway's routes let alone for a while. Who sees what:
 * library/health. */
#include "documents/write.h"
#include "library/health.h"
#include "management/operation.h"
#include "management/operations.h"

static struct la_health_as as_caller(const struct lp_api *api)
{
    return (struct la_health_as){.health = api->call->health,
                                 .allowed = lp_api_allowed(api),
                                 .is_admin = api->is_admin,
                                 .everybody = api->everybody};
}

static int64_t id_at(const void *items, size_t i)
{
    const struct llmgr_cell *cell = &((const struct llmgr_cell *)items)[i];
    uint64_t number = 0;

    (void)lb_str_to_u64(lb_cstr(cell->cell_id), &number);
    return (int64_t)(number >> 1 | 1);
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    const struct la_health_as as = as_caller(api);
    struct llmgr_cell_list cells = {0};
    struct lp_range range;

    llmgr_status status = la_health(api->manager, api->user, &as, &cells, err);
    if (status == LLMGR_OK)
        status = lp_api_range(api, cells.items, cells.count, id_at, &range, err);
    if (status == LLMGR_OK)
        status = lp_api_page(
            api, lx_list_cell(NULL, cells.items + range.from, range.to - range.from), err);
    llmgr_cell_list_clear(&cells);
    return status;
}

/* What all share only an administrator closes. */
static llmgr_status reset(struct lp_api *api, struct llmgr_error *err)
{
    const struct la_health_as as = as_caller(api);

    return la_health_reset(api->manager, api->user, &as, lp_api_param(api, 0), err);
}

LP_API_HANDLER(cells_list, list)
LP_API_HANDLER(cells_reset, reset)
