/* SPDX-License-Identifier: MIT */
/*
 * /api/health/cells: what routes let alone for a while, and until when. Everybody sees what is of
 * the platforms that he sees but for the server's keys and accounts, and what is his alone; an
 * administrator who names nobody sees what all share.
 */
#include "documents/write.h"
#include "library/explain.h"
#include "management/operation.h"
#include "management/operations.h"
#include "manager/manager.h"
#include "routing/hash.h"
#include "routing/health.h"

/* What a list is made of. */
struct listing {
    struct lp_api *api;
    struct llmgr_platform_list platforms; /* that who acts sees */
    struct llmgr_model_list models;
    struct lo_clocks clocks;
    struct lx_cell *cells; /* in the arena */
    size_t count;
};

static struct lo_whose whose_of(const struct lp_api *api)
{
    struct lb_str user = lm_effective_user(api->core, la_user(api->user));

    return (struct lo_whose){.shared = true, .owner = api->everybody ? 0 : lo_hash(user)};
}

static const struct llmgr_platform *find_platform(const struct listing *listing, int64_t id)
{
    for (size_t i = 0; i < listing->platforms.count; i++) {
        if (listing->platforms.items[i].platform_id == id)
            return &listing->platforms.items[i];
    }
    return NULL;
}

static const char *find_model(const struct listing *listing, int64_t id)
{
    for (size_t i = 0; i < listing->models.count; i++) {
        if (listing->models.items[i].model_id == id)
            return listing->models.items[i].display_name;
    }
    return NULL;
}

/* May he who acts see it? What is his alone, and what he may know of a platform that he sees. */
static bool is_seen(const struct listing *listing, const struct lo_cell_view *view)
{
    return la_cell_is_told(&view->id, listing->api->is_admin) &&
           (view->id.owner != 0 || find_platform(listing, view->id.platform_id) != NULL);
}

static bool show(struct listing *listing, const struct lo_cell_view *view)
{
    const struct llmgr_platform *platform = find_platform(listing, view->id.platform_id);
    const int64_t behind = listing->clocks.wall_ms - listing->clocks.now_ms;
    const bool is_model = view->id.scope == LO_SCOPE_MODEL;

    listing->cells[listing->count++] = (struct lx_cell){
        .cell_id =
            lb_arena_printf(listing->api->call->arena, "%llu", (unsigned long long)view->number),
        .scope = lo_scope_name(view->id.scope),
        .is_own = view->id.owner != 0,
        .platform_id = view->id.platform_id,
        .platform_name = platform != NULL ? platform->platform_name : NULL,
        .model_id = is_model ? (int64_t)view->id.item : 0,
        .display_name = is_model ? find_model(listing, (int64_t)view->id.item) : NULL,
        .state = view->state == LO_CELL_HALF_OPEN ? "half_open" : "cooled",
        .reason = lo_reason_name(view->reason),
        .upstream_status = view->http_status,
        .since_ms = view->since_ms + behind,
        .until_ms = view->until_ms + behind,
        .streak = view->streak,
        .is_hard = view->is_hard,
    };
    return listing->cells[listing->count - 1].cell_id != NULL;
}

static bool gather(struct listing *listing)
{
    const struct lp_api *api = listing->api;
    const struct lo_health *health = api->call->health;
    struct lo_cell_view view;
    uint32_t at = 0;
    const size_t room = lo_health_cooled(health) + 64; /* more may be cooled meanwhile */

    listing->cells = lb_arena_alloc(api->call->arena, room * sizeof *listing->cells);
    if (listing->cells == NULL)
        return false;
    while (listing->count < room &&
           lo_health_next(health, whose_of(api), listing->clocks.now_ms, &at, &view)) {
        if (is_seen(listing, &view) && !show(listing, &view))
            return false;
    }
    return true;
}

static int64_t id_at(const void *items, size_t i)
{
    const struct lx_cell *cell = &((const struct lx_cell *)items)[i];
    uint64_t number = 0;

    (void)lb_str_to_u64(lb_cstr(cell->cell_id), &number);
    return (int64_t)(number >> 1 | 1);
}

static llmgr_status list_cells(struct listing *listing, struct llmgr_error *err)
{
    struct lp_api *api = listing->api;
    struct lp_range range;

    llmgr_status status = llmgr_platforms(api->manager, api->user, &listing->platforms, err);
    if (status == LLMGR_OK)
        status = llmgr_models(api->manager, api->user, &listing->models, err);
    if (status == LLMGR_OK && !gather(listing))
        status = lb_fail_memory(err);
    if (status == LLMGR_OK)
        status = lp_api_range(api, listing->cells, listing->count, id_at, &range, err);
    if (status != LLMGR_OK)
        return status;
    return lp_api_page(api, lx_list_cell(NULL, listing->cells + range.from, range.to - range.from),
                       err);
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    struct listing listing = {
        .api = api,
        .clocks = {.now_ms = lb_monotonic_ms(), .wall_ms = lb_now_ms(lm_host(api->core))}};

    llmgr_status status = list_cells(&listing, err);
    llmgr_platform_list_clear(&listing.platforms);
    llmgr_model_list_clear(&listing.models);
    return status;
}

/* What all share only an administrator closes. */
static llmgr_status reset(struct lp_api *api, struct llmgr_error *err)
{
    const char *name = lp_api_param(api, 0);
    struct lo_whose whose = whose_of(api);
    uint64_t number = 0;

    whose.shared = api->is_admin;
    if (!lb_str_to_u64(lb_cstr(name), &number) ||
        !lo_health_reset(api->call->health, whose, number, lb_monotonic_ms()))
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("no cell '%s' is cooled"), name);
    return LLMGR_OK;
}

LP_API_HANDLER(cells_list, list)
LP_API_HANDLER(cells_reset, reset)
