/* SPDX-License-Identifier: MIT */
/* Which target is asked: the first, and the next. See the header. */
#include "gateway/walk.h"

#include <string.h>

#include "base/magic.h"
#include "base/raw.h"
#include "gateway/ask.h"
#include "gateway/home.h"
#include "gateway/sticky.h"
#include "manager/manager.h"
#include "manager/route_targets.h"
#include "routing/budget.h"
#include "routing/hash.h"
#include "routing/target.h"

enum {
    CHOOSING_MAGIC = 0x6c67636b,
    CHOOSING_ROOM = 16 * 1024, /* bytes: LK_POOL_MAX keys, thrice */
};

/* ---- Beginning ------------------------------------------------------------------------------- */

/*
 * Does it go to one key, whatever comes of it? So do what names things of which nobody knows which
 * account keeps them, and what cannot be sent twice or may be of any kind.
 */
static bool is_single(const struct lg_request *request, enum ld_endpoint_id endpoint)
{
    const struct lg_ask *ask = request->ask;

    if (request->streams_body || endpoint == LD_ENDPOINT_NATIVE)
        return true;
    if (ask == NULL || ask->kind != LG_ASK_JSON)
        return true;
    return lg_home_names(request) && lg_home_place(request).account_id == 0;
}

static llmgr_status resolve_target(struct lg_request *request, uint32_t index,
                                   const struct lr_key_chooser *chooser, struct lr_target *target,
                                   enum lr_view_result *result, struct llmgr_error *err)
{
    const int64_t route_id = request->walk->route_id;
    const struct lr_request asked = {.user = request->caller.user,
                                     .model = route_id == 0 ? request->model : lb_str(NULL, 0),
                                     .platform_id = route_id == 0 ? request->platform_id : 0,
                                     .route_id = route_id,
                                     .route_target = index,
                                     .allowed = lp_caller_allowed(&request->caller),
                                     .chooser = chooser};

    return lr_view_resolve(request->worker->view, &asked, &request->arena, target, result, err);
}

/* Of LLMGR_PICK_FASTEST, which asks for two. -1: not known. */
static int64_t first_byte(void *context, uint32_t index)
{
    struct lg_request *request = lg_request_of(context);
    enum lr_view_result result = LR_VIEW_DONE;
    struct lr_target target = {0};

    if (resolve_target(request, index, NULL, &target, &result, NULL) != LLMGR_OK ||
        result == LR_VIEW_MISS)
        return -1;
    const struct lo_candidate candidate = lo_candidate_of(&target, request->walk->user);
    return lo_health_first_byte(request->worker->shared->health, &candidate, lg_walk_now(request));
}

/* The route as it is by now; NULL: it is gone. */
static const struct lm_route *route_now(const struct lg_request *request)
{
    const struct lr_request asked = {.user = request->caller.user,
                                     .route_id = request->walk->route_id,
                                     .allowed = lp_caller_allowed(&request->caller)};
    const struct lm_route *route = NULL;
    enum lr_view_result result;

    if (request->walk->route != NULL)
        return request->walk->route;
    llmgr_status status = lr_view_route(request->worker->view, &asked, &route, &result, NULL);
    return status == LLMGR_OK ? route : NULL;
}

/* Of a route whose targets weigh differently. */
static uint32_t target_at(void *context, uint64_t point)
{
    const struct lm_route *route = route_now(lg_request_of(context));

    return route != NULL ? lm_route_target_at(route, point) : 0;
}

/*
 * What the platform keeps of an answer lies with the account that made it: where the answer may be
 * named later, a user comes to the same one.
 */
static llmgr_sticky sticky_of(const struct lm_route *route, enum ld_endpoint_id endpoint)
{
    return route->sticky == LLMGR_STICKY_NONE && endpoint == LD_ENDPOINT_RESPONSES &&
                   route->pick == LLMGR_PICK_ORDER
               ? LLMGR_STICKY_USER
               : route->sticky;
}

enum lg_verdict lg_walk_begin(struct lg_request *request, const struct lm_route *route)
{
    const struct lg_shared *shared = request->worker->shared;
    struct lb_str user = lm_effective_user(request->worker->manager, request->caller.user);
    struct lg_walk *walk = lb_arena_alloc(&request->arena, sizeof *walk);
    const enum ld_endpoint_id endpoint = lg_request_endpoint(request)->id;

    if (walk == NULL)
        return lg_request_fail_memory(request);
    memset(walk, 0, offsetof(struct lg_walk, way.walk)); /* lo_walk_begin sees to that */
    if (route == NULL)
        route = &LR_POOL;
    walk->route_id = route->id;
    walk->route = route;
    walk->way.health = shared->health;
    walk->way.budget = shared->budget;
    walk->way.account = lo_budget_account(route->id, request->attempt->target.platform_id);
    walk->on_exhausted = route->on_exhausted;
    walk->has_own_limits = route->id != 0 && !route->is_sys;
    walk->user = lo_hash(user);
    const struct lo_walk_options options = {
        .count = route->count,
        .weights = route->pick == LLMGR_PICK_WEIGHT ? lm_route_weights(route) : 0,
        .pick = route->pick,
        .sticky = lg_sticky_of(request, sticky_of(route, endpoint), walk->user),
        .sequence = lo_budget_begin(shared->budget, walk->way.account, lg_walk_now(request)),
        .noise = lg_sticky_random(request),
        .attempts = is_single(request, endpoint) ? 1 : route->attempts,
        .deadline_ms = route->deadline_ms != 0 ? request->began_at + route->deadline_ms : 0,
        .target_at = target_at,
        .first_byte = first_byte,
        .context = request,
    };
    lo_walk_begin(&walk->way.walk, &options);
    request->walk = walk;
    return LG_NEXT;
}

/* ---- One target ------------------------------------------------------------------------------ */

/* What the resolver asks for a key. */
struct choosing {
    unsigned magic;
    struct lg_request *request;
    struct lb_arena room;    /* for the time of the choice: a route may have a thousand targets */
    struct lo_choosing core; /* which of those that reach what is named */
    struct lr_key_chooser chooser;
    bool is_foreign; /* what is named is not this caller's */
    bool is_gone;    /* no key is left of the account that keeps it */
};

static bool is_at_home(const struct lg_request *request, const struct lr_target *target)
{
    const int64_t platform = lg_home_place(request).platform_id;

    return platform == 0 || platform == target->platform_id;
}

/*
 * Those that reach what the request names: `at` has their ordinals. If nobody knows which account
 * keeps it, that is the first, as long as it is the first: never one today and another tomorrow.
 */
static uint32_t keep_reaching(const struct lg_request *request, const struct lr_target *target,
                              const struct lr_key *keys, uint32_t count, struct lr_key *reaching,
                              uint32_t *at)
{
    const uint64_t keeper = is_at_home(request, target) ? lg_home_place(request).account_id : 0;
    uint32_t kept = 0;

    if (lg_home_names(request) && keeper == 0 && count > 1)
        count = 1;
    for (uint32_t i = 0; i < count; i++) {
        if (!lr_is_account(keeper, keys[i].account_id, keys[i].id))
            continue;
        reaching[kept] = keys[i];
        at[kept++] = i;
    }
    return kept;
}

static uint32_t choose(void *context, const struct lr_target *target, const struct lr_key *keys,
                       uint32_t count)
{
    struct choosing *choosing = LB_CAST(struct choosing, context, CHOOSING_MAGIC);
    struct lg_request *request = choosing->request;

    if (request->home == NULL)
        return choosing->chooser.choose(choosing->chooser.context, target, keys, count);
    struct lr_key *reaching = lb_arena_alloc(&choosing->room, count * sizeof *reaching);
    uint32_t *at = lb_arena_alloc(&choosing->room, count * sizeof *at);

    if (reaching == NULL || at == NULL)
        return LR_KEY_NONE;
    choosing->is_foreign = is_at_home(request, target) && !lg_home_judge(request, target);
    if (choosing->is_foreign)
        return LR_KEY_NONE;
    if (lg_home_names(request) && lg_home_place(request).account_id == 0)
        request->walk->way.walk.options.attempts = 1; /* see is_single: the id was nobody's */
    count = keep_reaching(request, target, keys, count, reaching, at);
    choosing->is_gone = count == 0;
    if (choosing->is_gone)
        return LR_KEY_NONE;
    const uint32_t chosen =
        choosing->chooser.choose(choosing->chooser.context, target, reaching, count);
    return chosen == LR_KEY_NONE ? LR_KEY_NONE : at[chosen];
}

static bool suits(const struct lg_request *request, const struct lr_target *target)
{
    struct lg_walk *walk = request->walk;

    return is_at_home(request, target) &&
           (walk->route_id == 0 || /* who names a model means it */
            lr_target_speaks(target, lg_request_endpoint(request)->protocol)) &&
           lo_way_pays(&walk->way, (int)target->payer);
}

/* There is no such model, or no key for it. */
static enum lg_seek pass_missing(struct lg_request *request, const struct llmgr_error *err)
{
    struct lg_walk *walk = request->walk;

    if (walk->missing == NULL) {
        walk->missing = lb_arena_alloc(&request->arena, sizeof *walk->missing);
        if (walk->missing != NULL)
            *walk->missing = *err;
    }
    return LG_SEEK_NONE;
}

/* What is named is not this caller's, or nobody can reach it any more. */
static enum lg_seek refuse_named(struct lg_request *request, const struct choosing *choosing,
                                 const struct lr_target *target)
{
    (void)(choosing->is_foreign ? lg_home_refuse(request) : lg_home_gone(request, target));
    return LG_SEEK_REFUSED;
}

static enum lg_seek look_at(struct lg_request *request, uint32_t index, bool least_bad,
                            struct lg_found *found)
{
    struct lg_walk *walk = request->walk;
    LB_RAW struct choosing choosing; /* all that is read is filled here */
    LB_RAW char room[CHOOSING_ROOM];
    choosing.magic = CHOOSING_MAGIC;
    choosing.request = request;
    choosing.is_foreign = choosing.is_gone = false;
    lb_arena_init(&choosing.room, request->worker->host, room, sizeof room, sizeof room);
    choosing.chooser =
        lo_chooser(&choosing.core, &walk->way, &choosing.room, walk->user, lg_walk_now(request));
    const struct lr_key_chooser chooser = {choose, &choosing};
    enum lr_view_result result = LR_VIEW_DONE;
    LB_RAW struct llmgr_error err; /* whoever fails fills it */

    llmgr_status status = resolve_target(request, index, &chooser, &found->target, &result, &err);
    lb_arena_free(&choosing.room);
    if (result == LR_VIEW_MISS)
        return LG_SEEK_MISS;
    if (status != LLMGR_OK) {
        walk->was_home = walk->was_home || status != LLMGR_ERR_NOT_FOUND; /* it may be */
        return pass_missing(request, &err);
    }
    walk->was_home = walk->was_home || is_at_home(request, &found->target);
    if (!suits(request, &found->target))
        return LG_SEEK_NONE;
    if (choosing.is_foreign || choosing.is_gone)
        return refuse_named(request, &choosing, &found->target);
    if (found->target.key_withheld) { /* all are cooled or have been tried */
        lo_walk_pass(&walk->way.walk, &choosing.core.why);
        return LG_SEEK_NONE;
    }
    found->entry.candidate = lo_candidate_of(&found->target, walk->user);
    return lo_way_enter(&walk->way, &found->entry, least_bad, choosing.core.now_ms) ? LG_SEEK_FOUND
                                                                                    : LG_SEEK_NONE;
}

enum lg_seek lg_walk_seek(struct lg_request *request, struct lg_found *found)
{
    struct lg_walk *walk = request->walk;
    uint32_t index = walk->pending;

    while (walk->is_pending || lo_walk_next(&walk->way.walk, lg_walk_now(request), &index)) {
        enum lg_seek came = look_at(request, index, false, found);
        walk->is_pending = came == LG_SEEK_MISS;
        walk->pending = index;
        if (came != LG_SEEK_NONE)
            return came;
    }
    return LG_SEEK_NONE;
}

/* ---- The attempt's target -------------------------------------------------------------------- */

void lg_walk_take(struct lg_request *request, const struct lg_found *found)
{
    struct lg_walk *walk = request->walk;
    struct lg_attempt *attempt = request->attempt;

    attempt->target = found->target;
    attempt->entry = found->entry;
    attempt->in_cells = true;
    attempt->may_move =
        lo_way_try(&walk->way, &found->entry, found->target.key_count, lg_walk_now(request));
    if (found->entry.is_moved)
        lg_count(request->worker, LG_METRIC_MOVED, 1);
}

/* Whatever is cooled: the target that would be free soonest, where the route wants that. */
static enum lg_seek seek_least_bad(struct lg_request *request, struct lg_found *found)
{
    struct lg_walk *walk = request->walk;
    uint32_t index;

    if (walk->on_exhausted != LLMGR_EXHAUSTED_LEAST_BAD ||
        !lo_walk_least_bad(&walk->way.walk, lg_walk_now(request), &index))
        return LG_SEEK_NONE;
    return look_at(request, index, true, found);
}

/* No target can be asked now. */
static enum lg_verdict refuse(struct lg_request *request)
{
    const struct lg_walk *walk = request->walk;
    const struct lm_route *route = walk->route_id != 0 ? route_now(request) : NULL;
    const struct lb_str name = route != NULL ? route->name : request->model;

    struct llmgr_error err = {0};

    const bool is_missing = lo_way_soonest(&walk->way) == 0 && walk->missing != NULL;
    const bool is_elsewhere = !walk->was_home && lg_home_place(request).platform_id != 0;

    request->walk->is_over = true;
    if (is_elsewhere && (walk->route_id != 0 || !is_missing)) /* who names a model means it */
        return lg_home_refuse(request);
    if (is_missing)
        return lg_request_fail_with(request, walk->missing);
    (void)lo_way_exhausted(&walk->way, name, &err);
    (void)lg_request_fail_with(request, &err);
    request->error_http = 503;
    return LG_FAIL;
}

enum lg_verdict lg_walk_target(struct lg_request *request, bool *miss)
{
    LB_RAW struct lg_found found; /* by who finds it */

    enum lg_seek came = lg_walk_seek(request, &found);
    if (came == LG_SEEK_NONE)
        came = seek_least_bad(request, &found);
    request->walk->route = NULL; /* it lies in the view, which will be refreshed */
    *miss = came == LG_SEEK_MISS;
    if (came == LG_SEEK_REFUSED)
        return LG_FAIL;
    if (came == LG_SEEK_NONE)
        return refuse(request);
    if (came == LG_SEEK_FOUND)
        lg_walk_take(request, &found);
    return LG_NEXT;
}
