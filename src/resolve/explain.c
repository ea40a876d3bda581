/* SPDX-License-Identifier: MIT */
/*
 * Explain: the dry run of resolve. The choice is made by the very functions that resolve uses
 * (choose.c); here the candidates are listed in the same order, each with its reason. Nothing is
 * written: where resolve would repair, explain shows what it would choose.
 */
#include "base/error.h"
#include "manager/handle.h"
#include "resolve/scene.h"

struct list {
    struct lm_manager *manager;
    const struct lr_scene *scene;
    const struct lr_choice *choice;
    struct lb_arena *arena; /* the caller's: what is shown lives there */
    struct llmgr_candidate *items;
    size_t count;
    size_t capacity;
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

    struct lb_str fixed = platform != NULL ? lr_platform_fixed(platform) : none;
    struct lb_str missing = platform != NULL ? lr_platform_missing(platform) : none;

    item->platform_name = lr_keep_text(list->arena, platform != NULL ? platform->name : none);
    item->base_url = lr_keep_text(list->arena, platform != NULL ? platform->base_url : none);
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
    };
    if (platform != NULL)
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
    if (platform == NULL)
        return LLMGR_OK;
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
    *ends = found != LR_REASON_HIDDEN_BY_MODE;
    return add(list, &subject);
}

static llmgr_status add_fallbacks(struct list *list)
{
    uint32_t count;
    const struct lm_platform *platforms = lm_catalogue_platforms(list->scene->catalogue, &count);

    for (uint32_t i = 0; i < count; i++) {
        const struct lm_model *model = lr_first_model(list->scene, &platforms[i]);
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

/* Every target in the route's order; which of them is asked first is the choice's. */
static llmgr_status list_by_route(struct list *list, const struct lm_route *route)
{
    llmgr_status status = LLMGR_OK;

    for (uint32_t i = 0; status == LLMGR_OK && i < route->count; i++) {
        struct lr_choice found = {.platform = NULL};
        lr_choose_target(list->scene, route, i, &found);
        const struct subject subject = {
            .platform = found.platform,
            .model = found.model,
            .target = route->targets[i].model,
            .reason = found.platform != NULL ? LR_REASON_TARGET : LR_REASON_MISSING,
        };
        status = add(list, &subject);
        if (status == LLMGR_OK && i != list->choice->target)
            list->items[list->count - 1].chosen = false;
    }
    return status;
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
        if (lr_how_named(subject.platform, subject.model, name) == wanted)
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
                            const struct lr_request *request, struct lb_arena *arena,
                            struct llmgr_explanation *explanation, struct llmgr_error *err)
{
    struct lr_choice choice;
    struct llmgr_error would = {0};
    struct list list = {
        .manager = manager, .scene = scene, .choice = &choice, .arena = arena, .err = err};

    lr_choose(scene, request, &choice);
    llmgr_status status = make_list(&list, request);
    if (status != LLMGR_OK)
        return status;
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
                        struct lb_arena *arena, struct llmgr_explanation *explanation,
                        struct llmgr_error *err)
{
    struct lr_question question;

    llmgr_status status = lr_request_check(request, err);
    if (status == LLMGR_OK)
        status = lr_question_begin(manager, request->user, &question, err);
    if (status != LLMGR_OK)
        return status;
    status = explain(manager, &question.scene, request, arena, explanation, err);
    lr_question_end(&question);
    return status;
}
