/* SPDX-License-Identifier: MIT */
/*
 * Resolve, as any thread calls it. Users are spread over shards, each a view under its lock; a warm
 * resolve holds one lock for a fifth of a microsecond. A miss leaves the lock, reads the user's
 * rows with one statement, repairs what is gone, and keeps the profile.
 */
#include "resolve/resolve.h"

#include <pthread.h>

#include "base/error.h"
#include "manager/handle.h"
#include "resolve/scene.h"
#include "resolve/view.h"

enum { SHARDS = 16 }; /* a power of two */

struct shard {
    pthread_mutex_t lock;
    struct lr_view *view;
    char apart[48]; /* no two locks on one cache line */
};

struct lr_shards {
    int count; /* that are made */
    struct shard shard[SHARDS];
};

static struct shard *shard_of(const struct lm_manager *manager, uint64_t hash)
{
    return &manager->shards->shard[hash % SHARDS]; /* the cache uses the upper bits */
}

/* ---- Life ------------------------------------------------------------------------------------ */

llmgr_status lr_open(struct lm_manager *manager, struct llmgr_error *err)
{
    struct lr_shards *shards = lb_calloc(manager->host, 1, sizeof *shards);

    if (shards == NULL)
        return lb_fail_memory(err);
    manager->shards = shards;
    for (; shards->count < SHARDS; shards->count++) {
        struct shard *shard = &shards->shard[shards->count];
        llmgr_status status =
            lr_view_new(manager, manager->options.cache_size / SHARDS, &shard->view, err);
        if (status != LLMGR_OK)
            return status;
        if (pthread_mutex_init(&shard->lock, NULL) != 0) {
            lr_view_free(shard->view);
            return lb_fail_memory(err);
        }
    }
    return LLMGR_OK;
}

void lr_close(struct lm_manager *manager)
{
    struct lr_shards *shards = manager->shards;

    if (shards == NULL)
        return;
    for (int i = 0; i < shards->count; i++) {
        lr_view_free(shards->shard[i].view);
        pthread_mutex_destroy(&shards->shard[i].lock);
    }
    manager->shards = NULL;
    lb_free(manager->host, shards);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

static llmgr_status resolve_cold(struct lm_manager *manager, const struct lr_request *request,
                                 struct lb_arena *arena, struct lr_target *target,
                                 struct llmgr_error *err)
{
    struct lr_question question;
    struct lr_choice choice;

    llmgr_status status =
        lr_question_begin_repaired(manager, request->user, request, &question, err);
    if (status != LLMGR_OK)
        return status;
    question.scene.allowed = request->allowed; /* not before: repair is nobody's in particular */
    lr_choose(&question.scene, request, &choice);
    status = lr_choice_answer(&question.scene, request, &choice, arena, target, err);
    struct shard *shard = shard_of(manager, question.scene.profile->hash);
    pthread_mutex_lock(&shard->lock);
    lr_view_keep(shard->view, question.scene.profile);
    pthread_mutex_unlock(&shard->lock);
    lr_question_end(&question);
    return status;
}

llmgr_status lr_resolve(struct lm_manager *manager, const struct lr_request *request,
                        struct lb_arena *arena, struct lr_target *target, struct llmgr_error *err)
{
    struct lb_str user = lm_effective_user(manager, request->user);
    enum lr_view_result result;

    llmgr_status status = lr_request_check(request, err);
    if (status == LLMGR_OK)
        status = lm_keep_fresh(manager, err);
    if (status != LLMGR_OK)
        return status;
    uint64_t hash = lm_user_hash(manager, user);
    struct shard *shard = shard_of(manager, hash);
    pthread_mutex_lock(&shard->lock);
    lr_view_refresh(shard->view);
    status = lr_view_answer(shard->view, hash, user, request, arena, target, &result, err);
    pthread_mutex_unlock(&shard->lock);
    if (status != LLMGR_OK || result == LR_VIEW_DONE)
        return status;
    return resolve_cold(manager, request, arena, target, err);
}

llmgr_status lr_resolve_system(struct lm_manager *manager, struct lb_str platform_name,
                               struct lb_str display_name, struct lb_arena *arena,
                               struct lr_target *target, struct llmgr_error *err)
{
    struct lr_request request = {.user = LB_STR(LLMGR_SYSTEM_USER), .model = display_name};
    struct lr_choice choice = {.reason = LR_REASON_PLATFORM_DISPLAY};
    struct lr_question question;
    uint32_t unused;

    llmgr_status status = lr_question_begin(manager, request.user, &question, err);
    if (status != LLMGR_OK)
        return status;
    const struct lr_scene *scene = &question.scene;
    const struct lm_platform *platform =
        lm_catalogue_platform_named(scene->catalogue, platform_name);
    const struct lm_model *models = lm_catalogue_models(scene->catalogue, &unused);
    for (uint32_t i = 0; platform != NULL && i < platform->model_count; i++) {
        const struct lm_model *model = &models[platform->first_model + i];
        if (!lb_str_eq(model->display_name, display_name))
            continue;
        choice.platform = platform;
        choice.model = model;
        choice.key = lr_choose_key(scene, platform);
        break;
    }
    if (choice.platform == NULL)
        status = lb_fail(err, LLMGR_ERR_NOT_FOUND,
                         N_("there is no system platform '%.*s' with a model shown as '%.*s': see "
                            "`llmgr model list`"),
                         (int)lb_utf8_cut(platform_name, LM_PLATFORM_NAME_MAX), platform_name.p,
                         (int)lb_utf8_cut(display_name, LM_MODEL_NAME_MAX), display_name.p);
    else
        status = lr_choice_answer(scene, &request, &choice, arena, target, err);
    lr_question_end(&question);
    return status;
}

/* What is asked for besides the platform itself. */
struct asked_for {
    bool chats;       /* its first model that does */
    bool server_keys; /* no others */
};

static llmgr_status resolve_platform(struct lm_manager *manager, struct lr_request *request,
                                     struct asked_for asked_for, struct lb_arena *arena,
                                     struct lr_target *target, struct llmgr_error *err)
{
    struct lr_choice choice = {.reason = LR_REASON_SELECTED};
    struct lr_question question;

    llmgr_status status = lr_question_begin(manager, request->user, &question, err);
    if (status != LLMGR_OK)
        return status;
    choice.platform = lr_platform_seen(&question.scene, request->platform_id);
    if (choice.platform == NULL) {
        status = lb_fail(err, LLMGR_ERR_NOT_FOUND,
                         lm_options(manager)->for_callers
                             ? N_("there is no platform %lld: see GET /api/platforms")
                             : N_("there is no platform %lld: see `llmgr platform list`"),
                         (long long)request->platform_id);
    } else {
        choice.key = asked_for.server_keys ? lr_server_keys(choice.platform)
                                           : lr_choose_key(&question.scene, choice.platform);
        if (asked_for.chats)
            choice.model = lr_first_model(&question.scene, choice.platform);
        status = lr_choice_answer(&question.scene, request, &choice, arena, target, err);
    }
    lr_question_end(&question);
    return status;
}

llmgr_status lr_resolve_platform(struct lm_manager *manager, struct lb_str user,
                                 int64_t platform_id, struct lb_arena *arena,
                                 struct lr_target *target, struct llmgr_error *err)
{
    struct lr_request request = {.user = lm_effective_user(manager, user),
                                 .platform_id = platform_id};

    return resolve_platform(manager, &request, (struct asked_for){0}, arena, target, err);
}

llmgr_status lr_resolve_chat(struct lm_manager *manager, struct lb_str user, int64_t platform_id,
                             bool server_keys, const struct lr_key_chooser *chooser,
                             struct lb_arena *arena, struct lr_target *target,
                             struct llmgr_error *err)
{
    const struct asked_for asked_for = {.chats = true, .server_keys = server_keys};
    struct lr_request request = {
        .user = lm_effective_user(manager, user), .platform_id = platform_id, .chooser = chooser};

    return resolve_platform(manager, &request, asked_for, arena, target, err);
}

llmgr_status lr_profile_load(struct lm_manager *manager, struct lb_str user,
                             struct lr_profile **profile, struct llmgr_error *err)
{
    struct lr_question question;

    llmgr_status status = lr_question_begin_repaired(manager, user, NULL, &question, err);
    if (status != LLMGR_OK)
        return status;
    void *block = lb_alloc(manager->host, question.scene.profile->size);
    if (block != NULL)
        *profile = lr_profile_copy(block, question.scene.profile);
    else
        status = lb_fail_memory(err);
    lr_question_end(&question);
    return status;
}
