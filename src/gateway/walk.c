/* SPDX-License-Identifier: MIT */
/* Which target is asked: the first, and the next. See the header. */
#include "gateway/walk.h"

#include <string.h>

#include "base/magic.h"
#include "base/mix.h"
#include "base/raw.h"
#include "dialect/refs.h"
#include "gateway/ask.h"
#include "gateway/sticky.h"
#include "manager/manager.h"
#include "manager/route_targets.h"
#include "routing/budget.h"
#include "routing/hash.h"
#include "routing/target.h"

enum { CHOOSING_MAGIC = 0x6c67636b };

/* ---- Beginning ------------------------------------------------------------------------------- */

/* Does it really name something that is kept? The look of READ says only that it may. */
static bool names_something(const struct lg_request *request)
{
    LB_RAW struct ld_refs refs;
    struct ld_ref ref;

    ld_refs_start(&refs, lb_buf_str(&request->body));
    return ld_refs_next(&refs, &ref) || refs.why != NULL;
}

/*
 * Does it go to one target, whatever comes of it? So do what names things that an account keeps,
 * and what cannot be sent twice or may be of any kind.
 */
static bool is_single(const struct lg_request *request, enum ld_endpoint_id endpoint)
{
    const struct lg_ask *ask = request->ask;

    if (request->streams_body || endpoint == LD_ENDPOINT_NATIVE)
        return true;
    if (ask == NULL || ask->kind != LG_ASK_JSON)
        return true;
    return (ask->peek.refs || ask->peek.ids) && names_something(request);
}

static llmgr_status resolve_target(struct lg_request *request, uint32_t index,
                                   const struct lr_key_chooser *chooser, struct lr_target *target,
                                   enum lr_view_result *result, struct llmgr_error *err)
{
    const int64_t route_id = request->walk->route_id;
    const struct lr_request asked = {.user = request->caller.user,
                                     .model = route_id == 0 ? request->model : lb_str(NULL, 0),
                                     .route_id = route_id,
                                     .route_target = index,
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
                                     .route_id = request->walk->route_id};
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

/* A platform's keys, behind a model that is named itself: one target, and no deadline. */
static const struct lm_route POOL = {
    .count = 1,
    .attempts = LLMGR_ROUTE_ATTEMPTS,
    .pick = LLMGR_PICK_ORDER,
    .sticky = LLMGR_STICKY_NONE,
    .on_exhausted = LLMGR_EXHAUSTED_REJECT,
};

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

/* The keys of one platform repeat on its account, not on that of all pools; no route's number. */
static uint64_t budget_of_pool(const struct lg_request *request)
{
    return lb_mix((uint64_t)request->attempt->target.platform_id) | UINT64_C(1) << 63;
}

enum lg_verdict lg_walk_begin(struct lg_request *request, const struct lm_route *route,
                              int64_t platform_id)
{
    const struct lg_shared *shared = request->worker->shared;
    struct lb_str user = lm_effective_user(request->worker->manager, request->caller.user);
    struct lg_walk *walk = lb_arena_alloc(&request->arena, sizeof *walk);
    const enum ld_endpoint_id endpoint = lg_request_endpoint(request)->id;

    if (walk == NULL)
        return lg_request_fail_memory(request);
    memset(walk, 0, offsetof(struct lg_walk, core)); /* lo_walk_begin sees to that */
    if (route == NULL)
        route = &POOL;
    walk->route_id = route->id;
    walk->route = route;
    walk->budget = route->id != 0 ? (uint64_t)route->id : budget_of_pool(request);
    walk->on_exhausted = route->on_exhausted;
    walk->has_own_limits = route->id != 0 && !route->is_sys;
    walk->user = lo_hash(user);
    if (route->deadline_ms != 0)
        walk->deadline_at = request->began_at + route->deadline_ms;
    walk->platform_id = platform_id;
    const struct lo_walk_options options = {
        .count = route->count,
        .weights = route->pick == LLMGR_PICK_WEIGHT ? lm_route_weights(route) : 0,
        .pick = route->pick,
        .sticky = lg_sticky_of(request, sticky_of(route, endpoint), walk->user),
        .sequence = lo_budget_begin(shared->budget, walk->budget, lg_walk_now(request)),
        .noise = lg_sticky_random(request),
        .attempts = is_single(request, endpoint) ? 1 : route->attempts,
        .deadline_ms = walk->deadline_at,
        .target_at = target_at,
        .first_byte = first_byte,
        .context = request,
    };
    lo_walk_begin(&walk->core, &options);
    request->walk = walk;
    return LG_NEXT;
}

/* ---- One target ------------------------------------------------------------------------------ */

/* What the resolver asks when a pool has more than one key. */
struct choosing {
    unsigned magic;
    struct lg_request *request;
    struct lo_cooled why;
};

static uint32_t choose(void *context, const struct lr_target *target, const struct lr_key *keys,
                       uint32_t count)
{
    struct choosing *choosing = LB_CAST(struct choosing, context, CHOOSING_MAGIC);
    struct lg_request *request = choosing->request;

    if (count == 1)
        return 0; /* look_at judges it with the candidate */
    const struct lo_candidate candidate = lo_candidate_of(target, request->walk->user);
    struct lo_key *known = lb_arena_alloc(&request->arena, count * sizeof *known);

    if (known == NULL)
        return 0;
    for (uint32_t i = 0; i < count; i++)
        known[i] = (struct lo_key){keys[i].id, keys[i].account_id, keys[i].weight};
    return lo_walk_choose_key(&request->walk->core, request->worker->shared->health, &candidate,
                              known, count,
                              candidate.is_own_key ? LO_KEYS_IN_ORDER : LO_KEYS_BY_WEIGHT,
                              lg_walk_now(request), &choosing->why);
}

static bool speaks(const struct lg_request *request, const struct lr_target *target)
{
    const char *called = lg_request_endpoint(request)->protocol;
    const char *only = lr_only_dialect(target->protocol);

    return called[0] == '\0' || only == NULL || strcmp(called, only) == 0;
}

static bool suits(const struct lg_request *request, const struct lr_target *target)
{
    const struct lg_walk *walk = request->walk;

    return (walk->payer == LM_PAYER_NONE || walk->payer == target->payer) &&
           (walk->platform_id == 0 || walk->platform_id == target->platform_id) &&
           (walk->route_id == 0 || speaks(request, target)); /* who names a model means it */
}

/* May it go there, as far as repetitions and what was moved there already are concerned? */
static bool is_within_budget(struct lg_request *request, struct lg_found *found)
{
    struct lg_walk *walk = request->walk;
    struct lo_budget *budget = request->worker->shared->budget;
    int64_t platform = found->candidate.platform_id;

    if (request->attempts == 0)
        return true;
    if (lo_walk_was_at(&walk->core, platform))
        return lo_budget_repeat(budget, walk->budget, lg_walk_now(request));
    found->is_moved = lo_budget_move(budget, platform);
    return found->is_moved;
}

void lg_walk_give_back(struct lg_worker *worker, int64_t platform_id, bool *is_moved)
{
    if (*is_moved)
        lo_budget_left(worker->shared->budget, platform_id);
    *is_moved = false;
}

void lg_walk_release(struct lg_request *request, struct lg_found *found)
{
    const struct lo_end end = {
        .candidate = &found->candidate,
        .pass = &found->pass,
        .verdict = {.reason = LO_REASON_LEFT},
        .first_byte_ms = -1,
        .now_ms = lg_walk_now(request),
    };

    lo_health_end(request->worker->shared->health, &end);
    lg_walk_give_back(request->worker, found->candidate.platform_id, &found->is_moved);
}

static enum lg_seek pass_over(struct lg_walk *walk, const struct lo_cooled *why)
{
    lo_walk_pass(&walk->core, why);
    return LG_SEEK_NONE;
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
    return pass_over(walk, NULL);
}

/* All keys of a pool are cooled or have been tried. */
static enum lg_seek pass_pool(struct lg_walk *walk, const struct lo_cooled *why)
{
    return pass_over(walk, why->until_ms != 0 ? why : NULL);
}

static enum lg_seek look_at(struct lg_request *request, uint32_t index, bool least_bad,
                            struct lg_found *found)
{
    struct lg_walk *walk = request->walk;
    struct lg_worker *worker = request->worker;
    struct choosing choosing = {.magic = CHOOSING_MAGIC, .request = request};
    const struct lr_key_chooser chooser = {choose, &choosing};
    enum lr_view_result result = LR_VIEW_DONE;
    LB_RAW struct llmgr_error err; /* whoever fails fills it */
    struct lo_cooled why;

    llmgr_status status = resolve_target(request, index, &chooser, &found->target, &result, &err);
    if (result == LR_VIEW_MISS)
        return LG_SEEK_MISS;
    if (status != LLMGR_OK)
        return pass_missing(request, &err);
    if (!suits(request, &found->target))
        return pass_over(walk, NULL);
    walk->payer = found->target.payer; /* also if it is cooled: that is no reason to change */
    if (found->target.key_withheld)
        return pass_pool(walk, &choosing.why);
    found->candidate = lo_candidate_of(&found->target, walk->user);
    found->is_moved = false;
    if (least_bad) {
        lo_health_force(lg_walk_now(request), &found->pass);
        return LG_SEEK_FOUND;
    }
    if (lo_walk_excludes(&walk->core, &found->candidate))
        return pass_over(walk, NULL);
    if (!lo_health_enter(worker->shared->health, &found->candidate, lg_walk_now(request),
                         &found->pass, &why))
        return pass_over(walk, &why);
    if (!is_within_budget(request, found)) {
        lg_walk_release(request, found);
        return pass_over(walk, NULL);
    }
    return LG_SEEK_FOUND;
}

enum lg_seek lg_walk_seek(struct lg_request *request, struct lg_found *found)
{
    struct lg_walk *walk = request->walk;
    uint32_t index = walk->pending;

    while (walk->is_pending || lo_walk_next(&walk->core, lg_walk_now(request), &index)) {
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
    attempt->candidate = found->candidate;
    attempt->pass = found->pass;
    attempt->is_moved = found->is_moved;
    attempt->in_cells = true;
    lo_walk_try(&walk->core, &found->candidate);
    attempt->may_move =
        lo_walk_may_move(&walk->core, found->target.key_count, lg_walk_now(request));
    if (found->is_moved)
        lg_count(request->worker, LG_METRIC_MOVED, 1);
}

/* Whatever is cooled: the target that would be free soonest, where the route wants that. */
static enum lg_seek seek_least_bad(struct lg_request *request, struct lg_found *found)
{
    struct lg_walk *walk = request->walk;
    uint32_t index;

    if (walk->on_exhausted != LLMGR_EXHAUSTED_LEAST_BAD ||
        !lo_walk_least_bad(&walk->core, lg_walk_now(request), &index))
        return LG_SEEK_NONE;
    return look_at(request, index, true, found);
}

/* No target can be asked now. */
static enum lg_verdict refuse(struct lg_request *request)
{
    const struct lg_walk *walk = request->walk;
    const struct lm_route *route = walk->route_id != 0 ? route_now(request) : NULL;
    const struct lb_str name = route != NULL ? route->name : request->model;

    request->walk->is_over = true;
    if (lg_walk_soonest(walk) == 0 && walk->missing != NULL)
        return lg_request_fail_with(request, walk->missing);
    (void)lg_request_fail(request, LLMGR_ERR_UPSTREAM,
                          lg_walk_soonest(walk) != 0
                              ? N_("'%.*s': no target or key of it can be asked now")
                              : N_("'%.*s': no target or key of it can serve this request"),
                          (int)name.size, name.p);
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
    if (came == LG_SEEK_NONE)
        return refuse(request);
    if (came == LG_SEEK_FOUND)
        lg_walk_take(request, &found);
    return LG_NEXT;
}
