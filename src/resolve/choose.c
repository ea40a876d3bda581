/* SPDX-License-Identifier: MIT */
/* The manager's rules. See choose.h for their order. */
#include "resolve/choose.h"

#include "base/error.h"
#include "manager/route_targets.h"
#include "resolve/alias.h"

/* ---- Reasons --------------------------------------------------------------------------------- */

static const struct {
    const char *word;
    const char *text;
    bool kept;
} reasons[] = {
#define LR_REASON_ROW(name, word, kept, text) {word, text, kept},
    LR_REASON_MAP(LR_REASON_ROW)
#undef LR_REASON_ROW
};

const char *lr_reason_word(enum lr_reason reason)
{
    return reasons[reason].word;
}

bool lr_reason_kept(enum lr_reason reason)
{
    return reasons[reason].kept;
}

const char *lr_reason_text(enum lr_reason reason)
{
    return lb_tr(reasons[reason].text);
}

/* ---- What the caller may use ----------------------------------------------------------------- */

bool lr_may_use(const struct lr_scene *scene, const struct lm_platform *platform,
                const struct lm_model *model)
{
    return scene->allowed == NULL ||
           lr_allows_model(scene->allowed, platform->name, model->display_name, model->model_name);
}

/* By its name, and by what of its targets he may use. */
static bool may_use_route(const struct lr_scene *scene, const struct lm_route *route)
{
    const struct lr_allowed *allowed = scene->allowed;

    if (allowed == NULL)
        return true;
    if (!lr_allows_route(allowed, route->name))
        return false;
    bool reaches = allowed->platforms.size == 0 && allowed->models.size == 0;
    for (uint32_t i = 0; !reaches && i < route->count; i++) {
        struct lr_choice found = {.platform = NULL};
        lr_choose_target(scene, route, i, &found);
        reaches = found.platform != NULL;
    }
    return reaches;
}

/* ---- By route -------------------------------------------------------------------------------- */

static const struct lm_route *find_route(const struct lr_scene *scene, int64_t id)
{
    const struct lm_route *own = lr_profile_route(scene->profile, id);

    return own != NULL ? own : lm_catalogue_route(scene->catalogue, id);
}

const struct lm_route *lr_route_seen(const struct lr_scene *scene, int64_t id)
{
    const struct lm_route *route = find_route(scene, id);

    return route != NULL && may_use_route(scene, route) ? route : NULL;
}

const struct lm_route *lr_route_named(const struct lr_scene *scene, struct lb_str name)
{
    const struct lm_route *own = lr_profile_route_named(scene->profile, name);
    const struct lm_route *route =
        own != NULL ? own : lm_catalogue_route_named(scene->catalogue, name);

    return route != NULL && may_use_route(scene, route) ? route : NULL;
}

/* The first target with a usable key; else the first that is there. */
static void choose_by_route(const struct lr_scene *scene, const struct lm_route *route,
                            struct lr_choice *choice)
{
    struct lr_choice found = *choice;

    found.route = route;
    for (uint32_t i = 0; i < route->count; i++) {
        struct lr_choice one = *choice;
        lr_choose_target(scene, route, i, &one);
        if (one.platform == NULL || (one.key.payer == LM_PAYER_NONE && found.platform != NULL))
            continue;
        found = one;
        if (one.key.payer != LM_PAYER_NONE)
            break;
    }
    *choice = found;
}

/* ---- By slot --------------------------------------------------------------------------------- */

static const struct lm_model *private_model(const struct lr_profile *profile, int64_t id)
{
    const struct lm_model *models = lr_profile_models(profile);

    for (uint32_t i = 0; i < profile->model_count; i++) {
        if (models[i].id == id)
            return &models[i];
    }
    return NULL;
}

enum lr_reason lr_look_up_selection(const struct lr_scene *scene,
                                    const struct lr_selection *selection,
                                    const struct lm_platform **platform,
                                    const struct lm_model **model, const struct lm_route **route)
{
    *route = NULL;
    if (selection->route_id != 0) {
        *route = find_route(scene, selection->route_id);
        if (*route == NULL)
            return LR_REASON_GONE;
        return may_use_route(scene, *route) ? LR_REASON_SELECTED : LR_REASON_NOT_ALLOWED;
    }
    enum lr_reason found = LR_REASON_SELECTED;
    const struct lm_platform *at = NULL;
    const struct lm_model *of = lm_catalogue_model(scene->catalogue, selection->model_id);
    uint32_t count;

    if (of != NULL) {
        at = &lm_catalogue_platforms(scene->catalogue, &count)[of->platform];
    } else if ((of = private_model(scene->profile, selection->model_id)) != NULL) {
        at = &lr_profile_platforms(scene->profile)[of->platform];
        if (!lr_private_allowed(scene->options))
            found = LR_REASON_HIDDEN_BY_MODE;
    }
    if (at == NULL || at->id != selection->platform_id)
        return LR_REASON_GONE;
    *platform = at;
    *model = of;
    return lr_may_use(scene, at, of) ? found : LR_REASON_NOT_ALLOWED;
}

static void take_candidate(struct lr_choice *choice, const struct lm_platform *platform,
                           const struct lm_model *model, struct lr_key_choice key,
                           enum lr_reason reason)
{
    choice->platform = platform;
    choice->model = model;
    choice->key = key;
    choice->reason = reason;
}

/* Where they stand in memory. */
static const struct lm_model *models_of(const struct lr_scene *scene,
                                        const struct lm_platform *platform)
{
    uint32_t unused;

    return (platform->is_sys ? lm_catalogue_models(scene->catalogue, &unused)
                             : lr_profile_models(scene->profile)) +
           platform->first_model;
}

const struct lm_model *lr_first_model(const struct lr_scene *scene,
                                      const struct lm_platform *platform)
{
    const struct lm_model *model = models_of(scene, platform);

    if (!lr_allows_platform(scene->allowed, platform->name))
        return NULL;
    for (uint32_t i = 0; i < platform->model_count; i++, model++) {
        if ((model->kind == LLMGR_MODEL_CHAT || model->kind == LLMGR_MODEL_UNKNOWN) &&
            lr_may_use(scene, platform, model))
            return model;
    }
    return NULL;
}

void lr_choose_first(const struct lr_scene *scene, struct lr_choice *choice)
{
    uint32_t count;
    const struct lm_platform *platforms = lm_catalogue_platforms(scene->catalogue, &count);

    for (uint32_t i = 0; i < count; i++) {
        const struct lm_model *model = lr_first_model(scene, &platforms[i]);
        if (model == NULL)
            continue;
        struct lr_key_choice key = lr_choose_key(scene, &platforms[i]);
        if (key.payer == LM_PAYER_NONE && choice->platform != NULL)
            continue;
        take_candidate(choice, &platforms[i], model, key, LR_REASON_FALLBACK);
        if (key.payer != LM_PAYER_NONE)
            return;
    }
}

/* Tries the choice stored for a slot. True if it decides: it is used, or is to be repaired. */
static bool try_selection(const struct lr_scene *scene, struct lb_str slot, enum lr_reason reason,
                          struct lr_choice *choice)
{
    struct lr_selection *selection = lr_profile_selection(scene->profile, slot);
    const struct lm_platform *platform;
    const struct lm_model *model;
    const struct lm_route *route;

    if (selection == NULL)
        return false;
    choice->is_default = false;
    switch (lr_look_up_selection(scene, selection, &platform, &model, &route)) {
    case LR_REASON_SELECTED:
        choice->selection = selection;
        if (route != NULL)
            choose_by_route(scene, route, choice);
        else
            take_candidate(choice, platform, model, lr_choose_key(scene, platform), reason);
        return true;
    case LR_REASON_GONE:
        lr_choose_first(scene, choice);
        if (selection->stuck)
            choice->fell_back = true;
        else
            choice->gone = selection;
        return true;
    default:
        choice->fell_back = true;
        return false;
    }
}

void lr_choose_by_slot(const struct lr_scene *scene, struct lb_str slot, struct lr_choice *choice)
{
    struct lb_str main_slot = LB_STR(LLMGR_SLOT_MAIN);

    *choice = (struct lr_choice){.slot = slot, .is_default = true};
    if (try_selection(scene, slot, LR_REASON_SELECTED, choice))
        return;
    if (!lb_str_eq(slot, main_slot) &&
        try_selection(scene, main_slot, LR_REASON_SELECTED_MAIN, choice))
        return;
    lr_choose_first(scene, choice);
}

/* ---- By model -------------------------------------------------------------------------------- */

struct lb_str lr_slot_named(const struct lr_scene *scene, struct lb_str model)
{
    struct lb_str main_slot = LB_STR(LLMGR_SLOT_MAIN);

    if (lb_str_eq(model, LB_STR("auto")) || lb_str_eq(model, main_slot))
        return main_slot;
    if (lr_profile_selection(scene->profile, model) != NULL)
        return model;
    return (struct lb_str){0};
}

/* What follows "platform/" in `name`; .p is NULL if it does not start so. */
static struct lb_str after_platform(struct lb_str name, struct lb_str platform)
{
    if (name.size <= platform.size || name.p[platform.size] != '/' ||
        !lb_str_starts(name, platform))
        return (struct lb_str){0};
    return lb_str_sub(name, platform.size + 1, name.size);
}

enum lr_reason lr_how_named(const struct lm_platform *platform, const struct lm_model *model,
                            struct lb_str name)
{
    struct lb_str rest = after_platform(name, platform->name);

    if (rest.p != NULL && lb_str_eq(rest, model->display_name))
        return LR_REASON_PLATFORM_DISPLAY;
    if (rest.p != NULL && lb_str_eq(rest, model->model_name))
        return LR_REASON_PLATFORM_MODEL;
    if (lb_str_eq(name, model->display_name))
        return LR_REASON_DISPLAY;
    return lb_str_eq(name, model->model_name) ? LR_REASON_MODEL : LR_REASON_NOT_NAMED;
}

/* What is named stands in the order of these keys, the smaller first. */
struct rank {
    enum lr_reason rule;          /* by which it is named */
    bool without_key;             /* none that is usable */
    bool is_system;               /* not the user's own */
    const struct lm_model *model; /* of either sort models stand in memory as people see them */
};

static struct rank rank_of(const struct lr_choice *choice)
{
    return (struct rank){.rule = choice->reason,
                         .without_key = choice->key.payer == LM_PAYER_NONE,
                         .is_system = choice->platform->is_sys,
                         .model = choice->model};
}

static int compare_ranks(const struct rank *a, const struct rank *b)
{
    int order = (int)a->rule - (int)b->rule;

    if (order == 0)
        order = (int)a->without_key - (int)b->without_key;
    if (order == 0)
        order = (int)a->is_system - (int)b->is_system;
    return order != 0 ? order : (a->model > b->model) - (a->model < b->model);
}

/* Takes a candidate if it stands before what was found so far. */
static void offer_candidate(const struct lr_scene *scene, const struct lm_platform *platform,
                            const struct lm_model *model, enum lr_reason reason,
                            struct lr_choice *choice)
{
    struct lr_choice offered = *choice;

    if (!lr_may_use(scene, platform, model))
        return;
    take_candidate(&offered, platform, model, lr_choose_key(scene, platform), reason);
    if (choice->platform != NULL) {
        const struct rank held = rank_of(choice), fresh = rank_of(&offered);
        if (compare_ranks(&held, &fresh) <= 0)
            return;
    }
    *choice = offered;
}

/* Offers the system models of one name, on whatever platform. */
static void offer_system(const struct lr_scene *scene, struct lb_str name, bool by_display,
                         enum lr_reason reason, struct lr_choice *choice)
{
    uint32_t unused;
    const struct lm_platform *platforms = lm_catalogue_platforms(scene->catalogue, &unused);
    const struct lm_model *models = lm_catalogue_models(scene->catalogue, &unused);
    size_t count;
    const uint32_t *at = by_display ? lm_catalogue_displayed(scene->catalogue, name, &count)
                                    : lm_catalogue_named(scene->catalogue, name, &count);

    for (size_t i = 0; i < count; i++) {
        const struct lm_model *model = &models[at[i]];
        offer_candidate(scene, &platforms[model->platform], model, reason, choice);
    }
}

/* Offers the user's own models that `name` names by one of the rules up to `last`. */
static void offer_private(const struct lr_scene *scene, struct lb_str name, enum lr_reason last,
                          struct lr_choice *choice)
{
    const struct lm_platform *platforms = lr_profile_platforms(scene->profile);
    const struct lm_model *models = lr_profile_models(scene->profile);

    if (!lr_private_allowed(scene->options))
        return;
    for (uint32_t i = 0; i < scene->profile->platform_count; i++) {
        const struct lm_platform *platform = &platforms[i];
        const struct lm_model *model = models + platform->first_model;
        if (last <= LR_REASON_PLATFORM_MODEL && after_platform(name, platform->name).p == NULL)
            continue;
        for (uint32_t j = 0; j < platform->model_count; j++, model++) {
            enum lr_reason reason = lr_how_named(platform, model, name);
            if (reason <= last)
                offer_candidate(scene, platform, model, reason, choice);
        }
    }
}

struct offer {
    const struct lr_scene *scene;
    struct lr_choice *choice;
};

static void offer_named(void *context, uint32_t at, bool by_display)
{
    const struct offer *offer = context;
    uint32_t unused;
    const struct lm_model *model = &lm_catalogue_models(offer->scene->catalogue, &unused)[at];

    offer_candidate(
        offer->scene, &lm_catalogue_platforms(offer->scene->catalogue, &unused)[model->platform],
        model, by_display ? LR_REASON_PLATFORM_DISPLAY : LR_REASON_PLATFORM_MODEL, offer->choice);
}

/* Offers the system models that "platform/name" names. */
static void offer_by_border(const struct lr_scene *scene, struct lb_str model,
                            struct lr_choice *choice)
{
    struct offer offer = {scene, choice};

    lm_catalogue_each_named(scene->catalogue, model, offer_named, &offer);
}

void lr_choose_by_model(const struct lr_scene *scene, struct lb_str model, struct lr_choice *choice)
{
    *choice = (struct lr_choice){.platform = NULL};
    offer_private(scene, model, LR_REASON_MODEL, choice);
    offer_by_border(scene, model, choice);
    offer_system(scene, model, true, LR_REASON_DISPLAY, choice);
    offer_system(scene, model, false, LR_REASON_MODEL, choice);
}

void lr_choose_target(const struct lr_scene *scene, const struct lm_route *route, uint32_t i,
                      struct lr_choice *choice)
{
    const struct lm_route_target *target = &route->targets[i];
    struct offer offer = {scene, choice};

    /* The operator's name what is everybody's, whatever a user calls his own platforms. */
    if (!route->is_sys)
        offer_private(scene, target->model, LR_REASON_PLATFORM_MODEL, choice);
    if (target->lone != 0)
        offer_named(&offer, target->lone - 1, true);
    else
        offer_by_border(scene, target->model, choice);
    if (choice->platform != NULL)
        choice->reason = LR_REASON_TARGET;
    choice->route = route;
    choice->target = i;
}

/* ---- By platform ----------------------------------------------------------------------------- */

static const struct lm_platform *find_platform(const struct lr_scene *scene, int64_t id)
{
    const struct lm_platform *platforms = lr_profile_platforms(scene->profile);

    if (lr_private_allowed(scene->options)) {
        for (uint32_t i = 0; i < scene->profile->platform_count; i++) {
            if (platforms[i].id == id)
                return &platforms[i];
        }
    }
    return lm_catalogue_platform(scene->catalogue, id);
}

/* The first of its models that the caller may use, of whatever kind. */
static const struct lm_model *first_usable(const struct lr_scene *scene,
                                           const struct lm_platform *platform)
{
    const struct lm_model *model = models_of(scene, platform);

    for (uint32_t i = 0; i < platform->model_count; i++, model++) {
        if (lr_may_use(scene, platform, model))
            return model;
    }
    return NULL;
}

const struct lm_platform *lr_platform_seen(const struct lr_scene *scene, int64_t id)
{
    const struct lm_platform *platform = find_platform(scene, id);
    const struct lr_allowed *allowed = scene->allowed;

    if (platform == NULL || allowed == NULL)
        return platform;
    if (!lr_allows_platform(allowed, platform->name) ||
        (allowed->models.size != 0 && first_usable(scene, platform) == NULL))
        return NULL;
    return platform;
}

void lr_choose_by_platform(const struct lr_scene *scene, int64_t id, struct lr_choice *choice)
{
    const struct lr_selection *selection =
        lr_profile_selection(scene->profile, LB_STR(LLMGR_SLOT_MAIN));
    const struct lm_platform *platform = lr_platform_seen(scene, id), *at;
    const struct lm_model *model, *chosen;
    const struct lm_route *route;

    *choice = (struct lr_choice){.platform = NULL};
    if (platform == NULL)
        return;
    model = first_usable(scene, platform);
    if (selection != NULL && selection->platform_id == id) {
        enum lr_reason found = lr_look_up_selection(scene, selection, &at, &chosen, &route);
        if (found == LR_REASON_SELECTED || found == LR_REASON_HIDDEN_BY_MODE)
            model = chosen;
    }
    take_candidate(choice, platform, model, lr_choose_key(scene, platform), LR_REASON_SELECTED);
}

/* As a choice that is stored. */
static void choose_given_model(const struct lr_scene *scene, const struct lr_request *request,
                               struct lr_choice *choice)
{
    const struct lr_selection given = {.platform_id = request->platform_id,
                                       .model_id = request->model_id};
    const struct lm_platform *platform;
    const struct lm_model *model;
    const struct lm_route *route;

    *choice = (struct lr_choice){.platform = NULL};
    if (lr_look_up_selection(scene, &given, &platform, &model, &route) == LR_REASON_SELECTED)
        take_candidate(choice, platform, model, lr_choose_key(scene, platform), LR_REASON_SELECTED);
}

static void choose_by_name(const struct lr_scene *scene, struct lb_str name,
                           struct lr_choice *choice)
{
    struct lb_str slot = lr_slot_named(scene, name);
    const struct lm_route *route = slot.size == 0 ? lr_route_named(scene, name) : NULL;

    if (slot.size != 0) {
        lr_choose_by_slot(scene, slot, choice);
    } else if (route != NULL) {
        *choice = (struct lr_choice){.platform = NULL};
        choose_by_route(scene, route, choice);
    } else {
        lr_choose_by_model(scene, name, choice);
    }
}

bool lr_is_usual_slot(struct lb_str name)
{
    static const char *const USUAL[] = {"fast", "reason"};

    for (size_t i = 0; i < sizeof USUAL / sizeof USUAL[0]; i++) {
        if (lb_str_eq_c(name, USUAL[i]))
            return true;
    }
    return false;
}

/* Asked last: whatever bears the name itself comes before an alias of it. */
static void choose_by_alias(const struct lr_scene *scene, struct lb_str name,
                            struct lr_choice *choice)
{
    struct lm_alias alias;

    if (!lr_alias_for(scene, name, &alias))
        return;
    choose_by_name(scene, alias.target, choice);
    if (choice->platform == NULL && choice->slot.size == 0 && choice->route == NULL &&
        lr_is_usual_slot(alias.target))
        lr_choose_by_slot(scene, alias.target, choice);
    /* What the caller may not use he is not told of, not even that a name stands for it. */
    if (choice->platform != NULL || scene->allowed == NULL)
        choice->alias = alias;
}

static void choose_given_target(const struct lr_scene *scene, const struct lr_request *request,
                                struct lr_choice *choice)
{
    const struct lm_route *route = lr_route_seen(scene, request->route_id);

    *choice =
        (struct lr_choice){.slot = request->slot, .route = route, .target = request->route_target};
    if (route != NULL && request->route_target < route->count)
        lr_choose_target(scene, route, request->route_target, choice);
}

void lr_choose(const struct lr_scene *scene, const struct lr_request *request,
               struct lr_choice *choice)
{
    struct lb_str slot = request->slot.size != 0 ? request->slot : LB_STR(LLMGR_SLOT_MAIN);

    if (request->route_id != 0) {
        choose_given_target(scene, request, choice);
    } else if (request->model.size != 0) {
        choose_by_name(scene, request->model, choice);
        if (choice->platform == NULL && choice->slot.size == 0 && choice->route == NULL)
            choose_by_alias(scene, request->model, choice);
    } else if (request->platform_id != 0 && request->model_id != 0) {
        choose_given_model(scene, request, choice);
    } else if (request->platform_id != 0) {
        lr_choose_by_platform(scene, request->platform_id, choice);
    } else {
        lr_choose_by_slot(scene, slot, choice);
    }
}
