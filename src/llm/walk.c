/* SPDX-License-Identifier: MIT */
/* The library's walk over candidates. See the header. */
#include "llm/walk.h"

#include <sodium.h>

#include "base/error.h"
#include "base/magic.h"
#include "base/mix.h"
#include "dialect/chat.h"
#include "dialect/conversation.h"
#include "llm/record.h"
#include "llm/run.h"
#include "llm/talk.h"
#include "manager/manager.h"
#include "manager/route_targets.h"
#include "resolve/route.h"
#include "routing/budget.h"
#include "routing/hash.h"
#include "routing/target.h"

enum {
    WALK_MAGIC = 0x6c69776b,
    TRIED_MAX = 200, /* bytes of what an error says of who was asked */
    KEPT_MAX = 256 * 1024,
    LOOK_MAX = 1024 * 1024, /* bytes of one target */
};

struct walk {
    unsigned magic;
    const struct li_shared *shared;
    const struct li_asked *asked;
    struct lo_way way;
    struct lm_route route;
    uint64_t user; /* hash; not 0 */
    unsigned at;   /* of the room's looks: where the next target goes */
    struct li_talk talk;

    /* The attempt under way, or the next. */
    struct lr_target target;
    struct lo_entry entry;

    /* Each of status OK if there is none. */
    struct llmgr_error missing; /* why the first target that was passed over has no model or key */
    struct llmgr_error broken;  /* why none can be resolved: memory, or the database */
    struct llmgr_error told;    /* how the first attempt failed */
    struct lb_buf tried;        /* who was asked, "A/m, B/n" */
};

void li_room_init(struct li_room *room, const struct lb_host *host)
{
    lb_arena_init(&room->kept, host, NULL, 0, KEPT_MAX);
    for (size_t i = 0; i < sizeof room->looks / sizeof room->looks[0]; i++)
        lb_arena_init(&room->looks[i], host, NULL, 0, LOOK_MAX);
}

void li_room_free(struct li_room *room)
{
    lb_arena_free(&room->kept);
    for (size_t i = 0; i < sizeof room->looks / sizeof room->looks[0]; i++)
        lb_arena_free(&room->looks[i]);
}

static struct lb_arena *look_of(const struct walk *walk)
{
    return &walk->asked->room->looks[walk->at];
}

static uint64_t random_number(void)
{
    uint64_t number;

    randombytes_buf(&number, sizeof number);
    return number;
}

/* ---- Beginning ------------------------------------------------------------------------------- */

static llmgr_status resolve_target(const struct walk *walk, uint32_t index,
                                   const struct lr_key_chooser *chooser, struct lb_arena *arena,
                                   struct lr_target *target, struct llmgr_error *err)
{
    const struct lr_target *given = walk->asked->target;
    const struct lr_request request = {
        .user = given->user,
        .platform_id = given->platform_id,
        .model_id = given->model_id,
        .route_id = walk->route.id,
        .route_target = index,
        .chooser = chooser,
    };

    return lr_resolve(walk->shared->manager, &request, arena, target, err);
}

/* Of LLMGR_PICK_FASTEST, which asks for two. -1: not known. */
static int64_t first_byte(void *context, uint32_t index)
{
    const struct walk *walk = LB_CAST(struct walk, context, WALK_MAGIC);
    struct lr_target target = {0};

    if (resolve_target(walk, index, NULL, look_of(walk), &target, NULL) != LLMGR_OK)
        return -1;
    const struct lo_candidate candidate = lo_candidate_of(&target, walk->user);
    return lo_health_first_byte(walk->shared->health, &candidate, lb_monotonic_ms());
}

/* Of a route whose targets weigh differently. */
static uint32_t target_at(void *context, uint64_t point)
{
    const struct walk *walk = LB_CAST(struct walk, context, WALK_MAGIC);

    return lm_route_target_at(&walk->route, point);
}

/* A body that no target gets, for what all of them have in common. */
static uint64_t conversation_of(const struct walk *walk)
{
    const struct ld_chat_options options = {.model_name = LB_STR("")};
    struct lb_buf body;
    uint64_t hash = walk->user;

    lb_buf_init(&body, lm_host(walk->shared->manager), LD_REQUEST_MAX);
    if (ld_chat_build(walk->asked->request, &options, &body, NULL) == LLMGR_OK) {
        struct lb_str conversation = ld_conversation_of(lb_buf_str(&body));
        if (conversation.size > 0)
            hash ^= lo_hash(conversation);
    }
    lb_buf_free(&body);
    return hash;
}

static uint64_t sticky_of(const struct walk *walk)
{
    switch (walk->route.sticky) {
    case LLMGR_STICKY_USER:
        return walk->user;
    case LLMGR_STICKY_CONVERSATION:
        return conversation_of(walk);
    case LLMGR_STICKY_NONE:
        break;
    }
    return 0;
}

static llmgr_status begin(struct walk *walk, struct llmgr_error *err)
{
    const struct li_shared *shared = walk->shared;
    const struct lr_target *given = walk->asked->target;
    const int64_t now = lb_monotonic_ms();

    walk->route = LR_POOL;
    walk->user = lo_hash(given->user);
    if (given->route_id != 0) {
        struct llmgr_error why = {0};
        llmgr_status status = lr_route_now(shared->manager, given->user, given->route_id,
                                           &walk->asked->room->kept, &walk->route, &why);
        if (status != LLMGR_OK && status != LLMGR_ERR_NOT_FOUND) {
            if (err != NULL)
                *err = why;
            return status;
        }
    }
    walk->way.health = shared->health;
    walk->way.budget = shared->budget;
    walk->way.account = lo_budget_account(walk->route.id, given->platform_id);
    const struct lo_walk_options options = {
        .count = walk->route.count,
        .weights = walk->route.targets != NULL ? lm_route_weights(&walk->route) : 0,
        .target_at = target_at,
        .pick = walk->route.pick,
        .sticky = sticky_of(walk),
        .sequence = lo_budget_begin(shared->budget, walk->way.account, now),
        .noise = random_number(),
        .attempts = walk->route.attempts,
        .deadline_ms = walk->route.deadline_ms != 0 ? now + walk->route.deadline_ms : 0,
        .first_byte = first_byte,
        .context = walk,
    };
    lo_walk_begin(&walk->way.walk, &options);
    return LLMGR_OK;
}

/* ---- Choosing -------------------------------------------------------------------------------- */

/* The resolver's answer; what was resolved before holds where a pool's model is gone. */
static bool find_target(struct walk *walk, uint32_t index, const struct lr_key_chooser *chooser)
{
    struct llmgr_error err = {0};

    llmgr_status status = resolve_target(walk, index, chooser, look_of(walk), &walk->target, &err);
    if (status == LLMGR_OK)
        return true;
    if (status != LLMGR_ERR_NOT_FOUND && status != LLMGR_ERR_NO_KEY) {
        walk->broken = err;
        return false;
    }
    if (walk->route.id == 0) {
        walk->target = *walk->asked->target;
        return true;
    }
    if (walk->missing.status == LLMGR_OK)
        walk->missing = err;
    return false;
}

/* Of a route what speaks our dialect; who names a model means it. */
static bool serves(const struct walk *walk, const struct lr_target *target)
{
    return walk->route.id == 0 || lr_target_speaks(target, LI_DIALECT);
}

static bool look_at(struct walk *walk, uint32_t index, bool is_forced)
{
    struct lo_choosing choosing;
    const struct lr_key_chooser chooser =
        lo_chooser(&choosing, &walk->way, look_of(walk), walk->user, lb_monotonic_ms());
    const struct lr_target *target = &walk->target;

    lb_arena_reset(look_of(walk));
    if (!find_target(walk, index, &chooser) || !serves(walk, target) ||
        !lo_way_pays(&walk->way, (int)target->payer))
        return false;
    if (target->key_withheld) {
        lo_walk_pass(&walk->way.walk, &choosing.why);
        return false;
    }
    walk->entry.candidate = lo_candidate_of(target, walk->user);
    return lo_way_enter(&walk->way, &walk->entry, is_forced, choosing.now_ms);
}

static bool find_next(struct walk *walk)
{
    uint32_t index;

    while (walk->broken.status == LLMGR_OK &&
           lo_walk_next(&walk->way.walk, lb_monotonic_ms(), &index)) {
        if (look_at(walk, index, false))
            return true;
    }
    return false;
}

static bool find_least_bad(struct walk *walk)
{
    uint32_t index;

    return walk->broken.status == LLMGR_OK &&
           walk->route.on_exhausted == LLMGR_EXHAUSTED_LEAST_BAD &&
           lo_walk_least_bad(&walk->way.walk, lb_monotonic_ms(), &index) &&
           look_at(walk, index, true);
}

/* ---- One attempt ----------------------------------------------------------------------------- */

static void note_tried(struct walk *walk)
{
    const struct lr_target *target = &walk->target;

    if (walk->tried.size > TRIED_MAX / 2)
        return; /* who came first says enough */
    lb_buf_addf(&walk->tried, "%s%.*s/%.*s", walk->tried.size > 0 ? ", " : "",
                (int)lb_utf8_cut(target->platform_name, TRIED_MAX / 5), target->platform_name.p,
                (int)lb_utf8_cut(target->model_name, TRIED_MAX / 5), target->model_name.p);
}

static struct li_limits limits_of(const struct walk *walk)
{
    const int64_t left = lo_way_left_ms(&walk->way, lb_monotonic_ms());
    const int64_t own = walk->target.first_byte_ms;
    struct li_limits limits = *walk->asked->limits;

    limits.timeouts.connect_ms = lo_least_ms(limits.timeouts.connect_ms, left);
    limits.timeouts.first_byte_ms =
        lo_least_ms(lo_least_ms(limits.timeouts.first_byte_ms, own), left);
    limits.content_ms = lo_least_ms(own != 0 ? own : limits.content_ms, left);
    return limits;
}

static llmgr_status ask(struct walk *walk, struct llmgr_answer *answer, struct lo_verdict *verdict,
                        struct llmgr_error *err)
{
    const struct li_asked *asked = walk->asked;
    struct li_talk *talk = &walk->talk;
    const struct li_limits limits = limits_of(walk);
    struct li_target_context context;
    struct li_peer peer;

    talk->may_move =
        lo_way_try(&walk->way, &walk->entry, walk->target.key_count, lb_monotonic_ms());
    talk->limits = &limits;
    note_tried(walk);
    *asked->answered = walk->target;
    walk->at ^= 1; /* it stays, for whoever wants to know */
    li_peer_of_target(walk->shared->manager, &walk->target, asked->record, &context, &peer);
    return li_talk(talk, &peer, answer, verdict, err);
}

/* The cells hear of it. */
static void end_attempt(struct walk *walk, llmgr_status status, struct lo_verdict *verdict)
{
    if (status != LLMGR_OK)
        lo_way_failed(&walk->way, verdict);
    const struct lo_end end = {
        .verdict = *verdict,
        .first_byte_ms = walk->talk.first_byte_ms,
        .now_ms = lb_monotonic_ms(),
        .noise = random_number(),
    };
    lo_entry_end(&walk->entry, walk->shared->health, walk->shared->budget, &end);
    if (status != LLMGR_OK)
        lo_way_note(&walk->way, &walk->entry, verdict, end.now_ms);
}

/* ---- The walk -------------------------------------------------------------------------------- */

/* None has been asked, or none may follow: what the caller hears of the attempts. */
static llmgr_status tell(const struct walk *walk, const struct llmgr_error *last,
                         struct llmgr_error *err)
{
    const unsigned attempts = walk->talk.attempts;
    const int64_t soonest = lo_way_soonest(&walk->way);
    const int64_t wait = soonest - lb_monotonic_ms();

    if (walk->broken.status != LLMGR_OK)
        last = &walk->broken;
    struct llmgr_error told = *last;

    if (attempts > 1 && walk->tried.failed == LLMGR_OK)
        lb_fail(&told, last->status, N_("%u attempts failed (%s): %s"), attempts,
                lb_buf_c(&walk->tried), last->message);
    told.upstream_status = last->upstream_status;
    told.retry_after_ms = soonest == 0 ? last->retry_after_ms : wait > 0 ? wait : 1;
    if (err != NULL)
        *err = told;
    return told.status;
}

static llmgr_status tell_exhausted(const struct walk *walk, struct llmgr_error *err)
{
    struct llmgr_error why = walk->missing;

    if (lo_way_soonest(&walk->way) != 0 || why.status == LLMGR_OK) {
        const struct lr_target *given = walk->asked->target;
        (void)lo_way_exhausted(&walk->way,
                               walk->route.id != 0 ? walk->route.name : given->model_name, &why);
    }
    return tell(walk, &why, err);
}

/* Is this the end, whatever is left? Of what has begun, or was cancelled, the caller hears. */
static bool is_final(const struct walk *walk, const struct lo_verdict *verdict, llmgr_status status)
{
    return walk->talk.has_begun || status == LLMGR_ERR_CANCELLED ||
           verdict->fault == LO_FAULT_REQUEST || verdict->fault == LO_FAULT_OWN;
}

static llmgr_status go(struct walk *walk, struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct lo_verdict verdict = {.next = LO_NEXT_NOTHING};

    if (!find_next(walk) && !find_least_bad(walk))
        return tell_exhausted(walk, err);
    do {
        struct llmgr_error why = {0};
        ld_answer_clear(answer);
        llmgr_status status = ask(walk, answer, &verdict, &why);
        end_attempt(walk, status, &verdict);
        if (status == LLMGR_OK)
            return status;
        if (is_final(walk, &verdict, status))
            return tell(walk, &why, err);
        if (walk->told.status == LLMGR_OK)
            walk->told = why;
    } while (verdict.next != LO_NEXT_NOTHING && find_next(walk));
    return tell(walk, &walk->told, err);
}

llmgr_status li_walk(struct li_call *call, const struct li_shared *shared,
                     const struct li_asked *asked, struct llmgr_answer *answer,
                     struct llmgr_error *err)
{
    struct walk walk = {.magic = WALK_MAGIC, .shared = shared, .asked = asked};
    struct llmgr_answer made = {0};

    llmgr_status status = li_call_begin(call, err);
    if (status != LLMGR_OK)
        return status;
    lb_arena_reset(&asked->room->kept);
    lb_buf_init(&walk.tried, li_call_host(call), 2 * TRIED_MAX);
    status = begin(&walk, err);
    walk.talk = (struct li_talk){
        .call = call,
        .request = asked->request,
        .on_chunk = asked->on_chunk,
        .context = asked->context,
        .is_stream = asked->is_stream,
        .way = &walk.way,
        .is_callers_limit = walk.route.id != 0 && !walk.route.is_sys,
    };
    if (status == LLMGR_OK)
        status = go(&walk, &made, err);
    if (answer != NULL)
        *answer = made;
    else
        ld_answer_clear(&made);
    lb_buf_free(&walk.tried);
    li_call_end(call);
    return status;
}

/* ---- The candidate of the moment ------------------------------------------------------------- */

static bool look_only(struct walk *walk, uint32_t index, struct lb_arena *arena,
                      struct lr_target *target)
{
    struct lo_choosing choosing;
    const struct lr_key_chooser chooser =
        lo_chooser(&choosing, &walk->way, arena, walk->user, lb_monotonic_ms());

    if (resolve_target(walk, index, &chooser, arena, target, NULL) != LLMGR_OK ||
        !serves(walk, target) || target->payer != walk->asked->target->payer ||
        target->key_withheld)
        return false;
    const struct lo_candidate candidate = lo_candidate_of(target, walk->user);
    return lo_health_look(walk->shared->health, &candidate, choosing.now_ms, NULL);
}

/* The first of them that is well, in `arena`. */
static bool find_best(struct walk *walk, struct lb_arena *arena, struct lr_target *target)
{
    struct lb_arena look;
    bool is_found = false;

    lb_arena_init(&look, lm_host(walk->shared->manager), NULL, 0, LOOK_MAX);
    for (uint32_t i = 0; i < walk->route.count && !is_found; i++) {
        lb_arena_reset(&look);
        is_found = look_only(walk, i, &look, target) && look_only(walk, i, arena, target);
    }
    lb_arena_free(&look);
    return is_found;
}

void li_walk_best(const struct li_shared *shared, struct lb_arena *arena, struct lr_target *target)
{
    const struct li_asked asked = {.target = target};
    struct walk walk = {
        .magic = WALK_MAGIC, .shared = shared, .asked = &asked, .user = lo_hash(target->user)};
    const struct lo_walk_options options = {.count = 1, .attempts = 1, .pick = LLMGR_PICK_ORDER};
    struct lr_target better;

    if (lo_health_cooled(shared->health) == 0 && lr_target_speaks(target, LI_DIALECT))
        return;
    walk.route = LR_POOL;
    walk.way.health = shared->health;
    if (target->route_id != 0 && lr_route_now(shared->manager, target->user, target->route_id,
                                              arena, &walk.route, NULL) != LLMGR_OK)
        return;
    lo_walk_begin(&walk.way.walk, &options);
    if (!find_best(&walk, arena, &better))
        return;
    better.slot = target->slot;
    better.is_default = target->is_default;
    better.repaired = target->repaired;
    better.fell_back = target->fell_back;
    *target = better;
}
