/* SPDX-License-Identifier: MIT */
/*
 * Explain: the dry run of resolve. The choice is made by the very functions that resolve uses
 * (choose.c); here the candidates are listed in the same order, each with its reason. Nothing is
 * written: where resolve would repair, explain shows what it would choose.
 */
#include <string.h>

#include "base/error.h"
#include "manager/handle.h"
#include "resolve/scene.h"

enum { KEYS_SHOWN_MAX = 2000 /* of all candidates; those behind are shown without */ };

struct list {
    struct lm_manager *manager;
    const struct lr_scene *scene;
    const struct lr_choice *choice;
    const struct lr_explain_with *with;
    struct lb_arena *arena; /* the caller's: what is shown lives there */
    struct llmgr_candidate *items;
    size_t count;
    size_t capacity;
    size_t key_count; /* of all that are shown */
    struct llmgr_error *err;
};

/* What one candidate is made of; platform or model may be NULL. */
struct subject {
    const struct lm_platform *platform;
    const struct lm_model *model;
    int64_t platform_id;
    int64_t model_id;
    struct lb_str target; /* of a route: what it names */
    enum lr_reason reason;
};

static bool texts(struct list *list, const struct subject *subject, struct llmgr_candidate *item)
{
    const struct lm_platform *platform = subject->platform;
    const struct lm_model *model = subject->model;
    struct lb_str none = {0};

    const bool is_told = platform != NULL && subject->reason != LR_REASON_NOT_ALLOWED;
    struct lb_str fixed = is_told ? lr_platform_fixed(platform) : none;
    struct lb_str missing = is_told ? lr_platform_missing(platform) : none;

    item->platform_name = lr_keep_text(list->arena, platform != NULL ? platform->name : none);
    item->base_url = lr_keep_text(list->arena, is_told ? platform->base_url : none);
    item->model_name = lr_keep_text(list->arena, model != NULL ? model->model_name : none);
    item->display_name = lr_keep_text(list->arena, model != NULL ? model->display_name : none);
    item->target = subject->target.p != NULL ? lr_keep_text(list->arena, subject->target) : NULL;
    if (subject->target.p != NULL && item->target == NULL)
        return false;
    if (fixed.size > 0)
        item->fixed_headers = lr_keep_text(list->arena, fixed);
    if (missing.size > 0)
        item->missing_headers = lr_keep_text(list->arena, missing);
    return item->platform_name != NULL && item->base_url != NULL && item->model_name != NULL &&
           item->display_name != NULL && (fixed.size == 0 || item->fixed_headers != NULL) &&
           (missing.size == 0 || item->missing_headers != NULL);
}

/* ---- Keys ------------------------------------------------------------------------------------ */

/* A pool of keys on its way into a candidate. */
struct pool {
    struct list *list;
    const struct subject *subject;
    const struct lr_key_choice *choice;
    const struct llmgr_cooled *soonest; /* of those that are let alone which is free first */
    bool is_free;                       /* one of them is not */
};

/* One model with one key is asked whatever is known of it: there is no other. */
static bool is_walked(const struct pool *pool)
{
    return pool->list->choice->route != NULL || pool->choice->count > 1;
}

/* Is the key at that place let alone? False: memory. */
static bool look(const struct pool *pool, const struct lk_pool_key *key,
                 const struct llmgr_cooled **cooled)
{
    const struct lr_explain_with *with = pool->list->with;
    const struct lr_target target = {
        .user = pool->list->scene->user,
        .platform_id = pool->subject->platform->id,
        .platform_is_sys = pool->subject->platform->is_sys,
        .model_id = pool->subject->model != NULL ? pool->subject->model->id : 0,
        .payer = pool->choice->payer,
        .key_id = key->id,
        .account_id = key->account_id,
    };

    *cooled = NULL;
    return with->look == NULL || !is_walked(pool) ||
           with->look(with->context, &target, key->account, pool->list->arena, cooled);
}

static llmgr_status show_key(const struct pool *pool, uint32_t at, struct llmgr_candidate_key *item)
{
    struct list *list = pool->list;
    const struct lk_pool_key key = lr_key_at(list->scene, pool->choice, at);

    item->place = (int64_t)at + 1;
    item->weight = key.weight;
    item->account = key.account.size > 0 ? lr_keep_text(list->arena, key.account) : NULL;
    if (key.account.size > 0 && item->account == NULL)
        return lb_fail_memory(list->err);
    return lr_choice_fingerprint(list->manager, list->scene, pool->subject->platform, pool->choice,
                                 at, list->arena, &item->fingerprint, list->err);
}

/* What is known of each key; `items` NULL: they are not shown. */
static llmgr_status walk_keys(struct pool *pool, struct llmgr_candidate_key *items)
{
    struct list *list = pool->list;

    for (uint32_t i = 0; i < pool->choice->count; i++) {
        const struct lk_pool_key key = lr_key_at(list->scene, pool->choice, i);
        const struct llmgr_cooled *cooled;
        if (!look(pool, &key, &cooled))
            return lb_fail_memory(list->err);
        if (cooled == NULL)
            pool->is_free = true;
        else if (pool->soonest == NULL || cooled->until_ms < pool->soonest->until_ms)
            pool->soonest = cooled;
        if (items == NULL)
            continue;
        items[i].cooled = cooled;
        llmgr_status status = show_key(pool, i, &items[i]);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

static llmgr_status add_keys(struct list *list, const struct subject *subject,
                             const struct lr_key_choice *choice, struct llmgr_candidate *item)
{
    struct pool pool = {.list = list, .subject = subject, .choice = choice};
    struct llmgr_candidate_key *keys = NULL;

    if ((choice->payer == LM_PAYER_USER || list->with->server_keys) &&
        list->key_count + choice->count <= KEYS_SHOWN_MAX) {
        list->key_count += choice->count;
        keys = lb_arena_calloc(list->arena, choice->count, sizeof *keys);
        if (keys == NULL)
            return lb_fail_memory(list->err);
    }
    llmgr_status status = walk_keys(&pool, keys);
    item->keys = keys;
    item->key_count = keys != NULL ? choice->count : 0;
    item->cooled = pool.is_free ? NULL : pool.soonest;
    return status;
}

/* ---- One candidate --------------------------------------------------------------------------- */

/* The list is as long as was counted before: no candidate is ever left out. */
static llmgr_status add(struct list *list, const struct subject *subject)
{
    const struct lm_platform *platform = subject->platform;
    struct lr_key_choice key = {.payer = LM_PAYER_NONE};
    enum lr_reason reason = subject->reason;

    if (list->count == list->capacity)
        return lb_fail(list->err, LLMGR_ERR_INTERNAL, N_("more candidates than were counted"));
    struct llmgr_candidate *item = &list->items[list->count];
    *item = (struct llmgr_candidate){
        .platform_id = platform != NULL ? platform->id : subject->platform_id,
        .platform_is_sys = platform != NULL && platform->is_sys,
        .model_id = subject->model != NULL ? subject->model->id : subject->model_id,
        .kind = subject->model != NULL ? subject->model->kind : LLMGR_MODEL_UNKNOWN,
        .context_tokens = subject->model != NULL ? subject->model->context_tokens : 0,
        .max_output_tokens = subject->model != NULL ? subject->model->max_output_tokens : 0,
    };
    if (platform != NULL && subject->target.p != NULL) /* who names a model means it */
        item->dialect = lr_only_dialect(platform->protocol);
    if (platform != NULL && reason != LR_REASON_NOT_ALLOWED)
        key = lr_choose_key(list->scene, platform);
    if (lr_reason_kept(reason) && key.payer == LM_PAYER_NONE)
        reason = key.reason;
    item->reason = lr_reason_word(reason);
    item->text = lr_reason_text(reason);
    item->kept = lr_reason_kept(reason);
    item->payer = lm_payer_name(key.payer);
    /* Of a choice and a fallback that are the same model, only the one that was used. */
    item->chosen = item->kept && subject->model != NULL && subject->model == list->choice->model &&
                   subject->reason == list->choice->reason;
    if (!texts(list, subject, item))
        return lb_fail_memory(list->err);
    list->count++;
    if (platform == NULL || reason == LR_REASON_NOT_ALLOWED)
        return LLMGR_OK;
    if (item->kept) {
        llmgr_status status = add_keys(list, subject, &key, item);
        if (status != LLMGR_OK)
            return status;
    }
    return lr_choice_fingerprint(list->manager, list->scene, platform, &key, 0, list->arena,
                                 &item->key_fingerprint, list->err);
}

/* ---- By slot --------------------------------------------------------------------------------- */

/* The choice stored for a slot, if there is one. *ends: resolve looks at no other stored choice. */
static llmgr_status add_selection(struct list *list, struct lb_str slot, enum lr_reason reason,
                                  bool *ends)
{
    const struct lr_selection *selection = lr_profile_selection(list->scene->profile, slot);
    struct subject subject = {.reason = reason};

    *ends = false;
    if (selection == NULL)
        return LLMGR_OK;
    subject.platform_id = selection->platform_id;
    subject.model_id = selection->model_id;
    const struct lm_route *route;
    enum lr_reason found =
        lr_look_up_selection(list->scene, selection, &subject.platform, &subject.model, &route);
    if (found != LR_REASON_SELECTED)
        subject.reason = found;
    *ends = found != LR_REASON_HIDDEN_BY_MODE && found != LR_REASON_NOT_ALLOWED;
    return add(list, &subject);
}

/* The scene of a caller who may use all that the user sees. */
static struct lr_scene unlimited(const struct lr_scene *scene)
{
    struct lr_scene copy = *scene;

    copy.allowed = NULL;
    return copy;
}

/* What the caller may not use is no fallback of his, and not his business. */
static bool is_another_callers(const struct lr_scene *scene, const struct lm_platform *platform)
{
    const struct lr_scene all = unlimited(scene);

    return scene->allowed != NULL && lr_first_model(scene, platform) == NULL &&
           (!lr_allows_platform(scene->allowed, platform->name) ||
            lr_first_model(&all, platform) != NULL);
}

static llmgr_status add_fallbacks(struct list *list)
{
    uint32_t count;
    const struct lm_platform *platforms = lm_catalogue_platforms(list->scene->catalogue, &count);

    for (uint32_t i = 0; i < count; i++) {
        const struct lm_model *model = lr_first_model(list->scene, &platforms[i]);
        if (is_another_callers(list->scene, &platforms[i]))
            continue;
        struct subject subject = {
            .platform = &platforms[i],
            .model = model,
            .reason = model != NULL                   ? LR_REASON_FALLBACK
                      : platforms[i].model_count == 0 ? LR_REASON_NO_MODEL
                                                      : LR_REASON_NO_CHAT,
        };
        llmgr_status status = add(list, &subject);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

static llmgr_status list_by_slot(struct list *list)
{
    struct lb_str slot = list->choice->slot;
    struct lb_str main_slot = LB_STR(LLMGR_SLOT_MAIN);
    bool ends;

    llmgr_status status = add_selection(list, slot, LR_REASON_SELECTED, &ends);
    if (status == LLMGR_OK && !ends && !lb_str_eq(slot, main_slot))
        status = add_selection(list, main_slot, LR_REASON_SELECTED_MAIN, &ends);
    return status == LLMGR_OK ? add_fallbacks(list) : status;
}

/* ---- By route -------------------------------------------------------------------------------- */

static enum lr_reason target_reason(const struct lr_scene *scene, const struct lr_choice *found)
{
    if (found->platform == NULL)
        return LR_REASON_MISSING;
    return lr_may_use(scene, found->platform, found->model) ? LR_REASON_TARGET
                                                            : LR_REASON_NOT_ALLOWED;
}

/* What the target names: what the caller may use of it, if there is anything. */
static void find_target(const struct lr_scene *scene, const struct lm_route *route, uint32_t i,
                        struct lr_choice *found)
{
    const struct lr_scene all = unlimited(scene);

    *found = (struct lr_choice){.platform = NULL};
    lr_choose_target(scene, route, i, found);
    if (found->platform == NULL)
        lr_choose_target(&all, route, i, found);
}

/* Every target in the route's order; which of them is asked first is the choice's. */
static llmgr_status list_by_route(struct list *list, const struct lm_route *route)
{
    llmgr_status status = LLMGR_OK;

    for (uint32_t i = 0; status == LLMGR_OK && i < route->count; i++) {
        struct lr_choice found;
        find_target(list->scene, route, i, &found);
        const struct subject subject = {
            .platform = found.platform,
            .model = found.model,
            .target = route->targets[i].model,
            .reason = target_reason(list->scene, &found),
        };
        status = add(list, &subject);
        if (status == LLMGR_OK && i != list->choice->target)
            list->items[list->count - 1].chosen = false;
    }
    return status;
}

/*
 * The one that resolve would use is let alone: the next of the same payer serves, of a route whose
 * targets are asked in order; without any, nothing does.
 */
static void pass_cooled(struct list *list)
{
    const char *payer = NULL;

    for (size_t i = 0; i < list->count; i++) {
        struct llmgr_candidate *item = &list->items[i];
        if (item->chosen && item->cooled != NULL) {
            payer = item->payer;
            item->chosen = false;
        } else if (payer != NULL && list->choice->route != NULL && item->kept &&
                   item->cooled == NULL && strcmp(item->payer, payer) == 0) {
            item->chosen = true;
            return;
        }
    }
}

/* ---- By model -------------------------------------------------------------------------------- */

/* Adds those models of one owner that the name names by `wanted`, in order. */
static llmgr_status add_named(struct list *list, struct lb_str name, enum lr_reason wanted,
                              bool private)
{
    const struct lr_scene *scene = list->scene;
    uint32_t count = scene->profile->model_count;
    uint32_t unused;
    const struct lm_platform *platforms = private
                                              ? lr_profile_platforms(scene->profile)
                                              : lm_catalogue_platforms(scene->catalogue, &unused);
    const struct lm_model *models =
        private ? lr_profile_models(scene->profile) : lm_catalogue_models(scene->catalogue, &count);
    bool hidden = private && !lr_private_allowed(scene->options);
    llmgr_status status = LLMGR_OK;

    if (hidden && wanted == LR_REASON_NOT_NAMED)
        return LLMGR_OK;
    for (uint32_t i = 0; status == LLMGR_OK && i < count; i++) {
        struct subject subject = {
            .platform = &platforms[models[i].platform],
            .model = &models[i],
            .reason = hidden ? LR_REASON_HIDDEN_BY_MODE : wanted,
        };
        if (lr_how_named(subject.platform, subject.model, name) != wanted)
            continue;
        if (!lr_may_use(scene, subject.platform, subject.model)) {
            if (wanted == LR_REASON_NOT_NAMED)
                continue;
            subject.reason = LR_REASON_NOT_ALLOWED;
        }
        status = add(list, &subject);
    }
    return status;
}

static llmgr_status list_by_model(struct list *list, struct lb_str name)
{
    static const enum lr_reason order[] = {LR_REASON_PLATFORM_DISPLAY, LR_REASON_PLATFORM_MODEL,
                                           LR_REASON_DISPLAY, LR_REASON_MODEL, LR_REASON_NOT_NAMED};
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; status == LLMGR_OK && i < sizeof order / sizeof *order; i++) {
        status = add_named(list, name, order[i], true);
        if (status == LLMGR_OK)
            status = add_named(list, name, order[i], false);
    }
    return status;
}

/* ---- The face -------------------------------------------------------------------------------- */

static llmgr_status make_list(struct list *list, const struct lr_request *request)
{
    uint32_t platforms;
    uint32_t models;

    lm_catalogue_platforms(list->scene->catalogue, &platforms);
    lm_catalogue_models(list->scene->catalogue, &models);
    const struct lm_route *route = list->choice->route;
    bool by_slot = list->choice->slot.size != 0;
    list->capacity =
        by_slot ? 2 + (size_t)platforms : (size_t)models + list->scene->profile->model_count;
    if (route != NULL)
        list->capacity = route->count;
    list->items = lb_arena_calloc(list->arena, list->capacity + 1, sizeof *list->items);
    if (list->items == NULL)
        return lb_fail_memory(list->err);
    if (route != NULL)
        return list_by_route(list, route);
    if (by_slot)
        return list_by_slot(list);
    return list_by_model(list, list->choice->alias.name.p != NULL ? list->choice->alias.target
                                                                  : request->model);
}

static llmgr_status explain(struct lm_manager *manager, const struct lr_scene *scene,
                            const struct lr_request *request, const struct lr_explain_with *with,
                            struct lb_arena *arena, struct llmgr_explanation *explanation,
                            struct llmgr_error *err)
{
    struct lr_choice choice;
    struct llmgr_error would = {0};
    struct list list = {.manager = manager,
                        .scene = scene,
                        .choice = &choice,
                        .with = with,
                        .arena = arena,
                        .err = err};

    lr_choose(scene, request, &choice);
    llmgr_status status = make_list(&list, request);
    if (status != LLMGR_OK)
        return status;
    pass_cooled(&list);
    llmgr_status outcome = lr_choice_status(scene, request, &choice, &would);
    const bool has_alias = choice.alias.name.p != NULL;
    const bool has_route = choice.route != NULL;
    *explanation = (struct llmgr_explanation){
        .items = list.items,
        .count = list.count,
        .status = outcome,
        .message = lb_arena_strdup(arena, would.message),
        .alias = has_alias ? lr_keep_text(arena, choice.alias.name) : NULL,
        .alias_target = has_alias ? lr_keep_text(arena, choice.alias.target) : NULL,
        .route = has_route ? lr_keep_text(arena, choice.route->name) : NULL,
    };
    if (explanation->message == NULL ||
        (has_alias && (explanation->alias == NULL || explanation->alias_target == NULL)) ||
        (has_route && explanation->route == NULL))
        return lb_fail_memory(err);
    return LLMGR_OK;
}

llmgr_status lr_explain(struct lm_manager *manager, const struct lr_request *request,
                        const struct lr_explain_with *with, struct lb_arena *arena,
                        struct llmgr_explanation *explanation, struct llmgr_error *err)
{
    const struct lr_explain_with nothing = {.server_keys = false};
    struct lr_question question;

    llmgr_status status = lr_request_check(request, err);
    if (status == LLMGR_OK)
        status = lr_question_begin(manager, request->user, &question, err);
    if (status != LLMGR_OK)
        return status;
    question.scene.allowed = request->allowed;
    status = explain(manager, &question.scene, request, with != NULL ? with : &nothing, arena,
                     explanation, err);
    lr_question_end(&question);
    return status;
}
