/* SPDX-License-Identifier: MIT */
/*
 * What routes and pools of keys let alone for a while, and until when. Everybody sees what is of
 * the platforms that he sees but for the server's keys and accounts, and what is his alone; an
 * administrator sees all that is shared.
 */
#include "library/health.h"

#include "library/explain.h"
#include "manager/manager.h"
#include "routing/hash.h"
#include "routing/health.h"

/* What a list is made of. */
struct listing {
    const struct la_health_as *as;
    struct lo_whose whose;
    struct llmgr_platform_list platforms; /* that who asks sees */
    struct llmgr_model_list models;
    struct lo_clocks clocks;
    struct lb_arena *arena;
    struct llmgr_cell *cells; /* in the arena */
    size_t count;
};

static struct lo_whose whose_of(const struct llmgr *manager, const char *user,
                                const struct la_health_as *as, bool shared)
{
    struct lb_str effective = lm_effective_user(manager->manager, la_user(user));

    return (struct lo_whose){.shared = shared, .owner = as->everybody ? 0 : lo_hash(effective)};
}

static const struct llmgr_platform *find_platform(const struct listing *listing, int64_t id)
{
    for (size_t i = 0; i < listing->platforms.count; i++) {
        if (listing->platforms.items[i].platform_id == id)
            return &listing->platforms.items[i];
    }
    return NULL;
}

static const struct llmgr_model *find_model(const struct listing *listing, int64_t id)
{
    for (size_t i = 0; i < listing->models.count; i++) {
        if (listing->models.items[i].model_id == id)
            return &listing->models.items[i];
    }
    return NULL;
}

/* May he who asks see it? What is his alone, and what he may know of a platform that he sees. */
static bool is_seen(const struct listing *listing, const struct lo_cell_view *view)
{
    const bool is_listed = find_platform(listing, view->id.platform_id) != NULL;

    if (listing->as->allowed != NULL) { /* the lists are short of what he may not use */
        const bool is_model = view->id.scope == LO_SCOPE_MODEL;
        if (!is_listed || (is_model && find_model(listing, (int64_t)view->id.item) == NULL))
            return false;
    }
    return la_cell_is_told(&view->id, listing->as->is_admin) && (view->id.owner != 0 || is_listed);
}

/* NULL stays it; *good is false for want of memory. */
static const char *keep(const struct listing *listing, const char *text, bool *good)
{
    const char *kept = text != NULL ? lb_arena_str(listing->arena, lb_cstr(text)).p : NULL;

    *good = *good && (text == NULL || kept != NULL);
    return kept;
}

static bool show(struct listing *listing, const struct lo_cell_view *view)
{
    const struct llmgr_platform *platform = find_platform(listing, view->id.platform_id);
    const bool is_model = view->id.scope == LO_SCOPE_MODEL;
    const int64_t model_id = is_model ? (int64_t)view->id.item : 0;
    const struct llmgr_model *model = is_model ? find_model(listing, model_id) : NULL;
    const int64_t behind = listing->clocks.wall_ms - listing->clocks.now_ms;
    bool good = true;

    struct llmgr_cell *cell = &listing->cells[listing->count++];
    *cell = (struct llmgr_cell){
        .cell_id = lb_arena_printf(listing->arena, "%llu", (unsigned long long)view->number),
        .scope = lo_scope_name(view->id.scope),
        .is_own = view->id.owner != 0,
        .platform_id = view->id.platform_id,
        .platform_name = keep(listing, platform != NULL ? platform->platform_name : NULL, &good),
        .model_id = model_id,
        .display_name = keep(listing, model != NULL ? model->display_name : NULL, &good),
        .state = view->state == LO_CELL_HALF_OPEN ? "half_open" : "cooled",
        .reason = lo_reason_name(view->reason),
        .upstream_status = view->http_status,
        .since_ms = view->since_ms + behind,
        .until_ms = view->until_ms + behind,
        .streak = view->streak,
        .is_hard = view->is_hard,
    };
    return good && cell->cell_id != NULL;
}

static llmgr_status gather(struct listing *listing, struct llmgr_error *err)
{
    const struct lo_health *health = listing->as->health;
    const size_t room = lo_health_cooled(health) + 64; /* more may be cooled meanwhile */
    struct lo_cell_view view;
    uint32_t at = 0;

    listing->cells = lb_arena_alloc(listing->arena, room * sizeof *listing->cells);
    if (listing->cells == NULL)
        return lb_fail_memory(err);
    while (listing->count < room &&
           lo_health_next(health, listing->whose, listing->clocks.now_ms, &at, &view)) {
        if (is_seen(listing, &view) && !show(listing, &view))
            return lb_fail_memory(err);
    }
    return LLMGR_OK;
}

llmgr_status la_health(struct llmgr *manager, const char *user, const struct la_health_as *as,
                       struct llmgr_cell_list *list, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct listing listing = {
        .as = as,
        .whose = whose_of(manager, user, as, true),
        .clocks = {.now_ms = lb_monotonic_ms(), .wall_ms = lb_now_ms(&manager->host)},
    };

    if (result == NULL)
        return lb_fail_memory(err);
    listing.arena = &result->arena;
    llmgr_status status = la_platforms(manager, user, as->allowed, &listing.platforms, err);
    if (status == LLMGR_OK)
        status = la_models(manager, user, as->allowed, &listing.models, err);
    if (status == LLMGR_OK && as->health != NULL)
        status = gather(&listing, err);
    llmgr_platform_list_clear(&listing.platforms);
    llmgr_model_list_clear(&listing.models);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = (struct llmgr_cell_list){listing.cells, listing.count, result};
    return LLMGR_OK;
}

llmgr_status la_health_reset(struct llmgr *manager, const char *user, const struct la_health_as *as,
                             const char *cell_id, struct llmgr_error *err)
{
    const struct lo_whose whose = whose_of(manager, user, as, as->is_admin);
    uint64_t number = 0;

    if (as->health != NULL && lb_str_to_u64(lb_cstr(cell_id), &number) &&
        lo_health_reset(as->health, whose, number, lb_monotonic_ms()))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("no cell '%s' is cooled"),
                   cell_id != NULL ? cell_id : "");
}

/* ---- Of a handle ----------------------------------------------------------------------------- */

static struct la_health_as as_user(const struct llmgr *manager, const char *user)
{
    const struct la_routing *routing = atomic_load(&manager->routing);

    return (struct la_health_as){
        .health = routing != NULL ? routing->health : NULL,
        .is_admin = lm_is_system_user(lm_effective_user(manager->manager, la_user(user)))};
}

llmgr_status llmgr_health(struct llmgr *manager, const char *user, struct llmgr_cell_list *list,
                          struct llmgr_error *err)
{
    const struct la_health_as as = as_user(manager, user);

    return la_health(manager, user, &as, list, err);
}

llmgr_status llmgr_health_reset(struct llmgr *manager, const char *user, const char *cell_id,
                                struct llmgr_error *err)
{
    const struct la_health_as as = as_user(manager, user);

    return la_health_reset(manager, user, &as, cell_id, err);
}
