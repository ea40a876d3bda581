/* SPDX-License-Identifier: MIT */
/* The lists that a front end renders: platforms, and the seed's flat list of models. */
#include <stdlib.h>

#include "base/error.h"
#include "manager/handle.h"
#include "manager/models.h"
#include "manager/platform_rules.h"
#include "manager/platforms.h"
#include "resolve/scene.h"
#include "store/store.h"

/* ---- The platforms a user sees --------------------------------------------------------------- */

/* System platforms in order, then own ones: the i-th of both, or NULL. */
static const struct lm_platform *platform_at(const struct lr_scene *scene, uint32_t i)
{
    uint32_t count;
    const struct lm_platform *platforms = lm_catalogue_platforms(scene->catalogue, &count);

    if (i < count)
        return &platforms[i];
    if (!lr_private_allowed(scene->options) || i - count >= scene->profile->platform_count)
        return NULL;
    return &lr_profile_platforms(scene->profile)[i - count];
}

static bool is_hidden(const struct lr_scene *scene, const struct lm_platform *platform)
{
    if (!platform->is_sys)
        return platform->hide;
    const struct lr_own_key *own = lr_profile_key(scene->profile, platform->id);
    return own != NULL && own->hide;
}

/* Of private rows nothing stands in the file. */
static const char *managed_by(bool in_file)
{
    return in_file ? LM_MANAGED_FILE : LM_MANAGED_DATABASE;
}

static llmgr_status fill_platform(struct lm_manager *manager, const struct lr_scene *scene,
                                  const struct lm_platform *platform, struct lb_arena *arena,
                                  struct llmgr_platform *item, struct llmgr_error *err)
{
    struct lr_key_choice key = lr_choose_key(scene, platform);
    struct lb_str fixed = lr_platform_fixed(platform), missing = lr_platform_missing(platform);

    *item = (struct llmgr_platform){
        .platform_id = platform->id,
        .platform_name = lr_keep_text(arena, platform->name),
        .base_url = lr_keep_text(arena, platform->base_url),
        .protocol = lr_keep_text(arena, platform->protocol),
        .platform_is_sys = platform->is_sys,
        .managed = managed_by(platform->in_file),
        .platform_hide = is_hidden(scene, platform),
        .api_key_set = key.payer != LM_PAYER_NONE,
        .payer = lm_payer_name(key.payer),
        .no_stream_options_until_ms =
            lm_verdict_until(platform->no_stream_options, lb_now_ms(lm_host(manager))),
        .native_paths =
            platform->native_paths.size > 0 ? lr_keep_text(arena, platform->native_paths) : NULL,
        .headers = platform->headers.size > 0 ? lr_keep_text(arena, platform->headers) : NULL,
        .fixed_headers = fixed.size > 0 ? lr_keep_text(arena, fixed) : NULL,
        .missing_headers = missing.size > 0 ? lr_keep_text(arena, missing) : NULL,
    };
    if (item->platform_name == NULL || item->base_url == NULL || item->protocol == NULL ||
        (platform->native_paths.size > 0 && item->native_paths == NULL) ||
        (platform->headers.size > 0 && item->headers == NULL) ||
        (fixed.size > 0 && item->fixed_headers == NULL) ||
        (missing.size > 0 && item->missing_headers == NULL))
        return lb_fail_memory(err);
    return lr_choice_fingerprint(manager, scene, platform, &key, 0, arena, &item->key_fingerprint,
                                 err);
}

static llmgr_status list_platforms(struct lm_manager *manager, const struct lr_scene *scene,
                                   struct lb_arena *arena, struct llmgr_platform **items,
                                   size_t *count, struct llmgr_error *err)
{
    uint32_t total = 0;

    size_t kept = 0;

    while (platform_at(scene, total) != NULL)
        total++;
    struct llmgr_platform *list = lb_arena_calloc(arena, (size_t)total + 1, sizeof *list);
    if (list == NULL)
        return lb_fail_memory(err);
    for (uint32_t i = 0; i < total; i++) {
        const struct lm_platform *platform = platform_at(scene, i);
        if (lr_platform_seen(scene, platform->id) == NULL)
            continue;
        llmgr_status status = fill_platform(manager, scene, platform, arena, &list[kept++], err);
        if (status != LLMGR_OK)
            return status;
    }
    *items = list;
    *count = kept;
    return LLMGR_OK;
}

llmgr_status lr_platforms(struct lm_manager *manager, struct lb_str user,
                          const struct lr_allowed *allowed, struct lb_arena *arena,
                          struct llmgr_platform **items, size_t *count, struct llmgr_error *err)
{
    struct lr_question question;

    llmgr_status status = lr_question_begin(manager, user, &question, err);
    if (status != LLMGR_OK)
        return status;
    question.scene.allowed = allowed;
    status = list_platforms(manager, &question.scene, arena, items, count, err);
    lr_question_end(&question);
    return status;
}

/* ---- The models a user sees ------------------------------------------------------------------ */

static bool add_hidden(struct lr_hidden *hidden, int64_t id)
{
    if (hidden->count == hidden->capacity) {
        size_t capacity = hidden->capacity != 0 ? hidden->capacity * 2 : 64;
        int64_t *ids = lb_arena_calloc(hidden->arena, capacity, sizeof *ids);
        if (ids == NULL)
            return false;
        for (size_t i = 0; i < hidden->count; i++)
            ids[i] = hidden->ids[i];
        hidden->ids = ids;
        hidden->capacity = capacity;
    }
    hidden->ids[hidden->count++] = id;
    return true;
}

static llmgr_status take_hidden(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    return add_hidden(context, ls_column_int(row, 0)) ? LLMGR_OK : lb_fail_memory(err);
}

static int compare_ids(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;

    return left < right ? -1 : left > right;
}

bool lr_is_hidden(const struct lr_hidden *hidden, int64_t id)
{
    return hidden->count != 0 &&
           bsearch(&id, hidden->ids, hidden->count, sizeof *hidden->ids, compare_ids) != NULL;
}

llmgr_status lr_hidden_read(struct lm_manager *manager, struct lr_question *question,
                            enum ls_statement statement, struct lr_hidden *hidden,
                            struct llmgr_error *err)
{
    *hidden = (struct lr_hidden){.arena = &question->scratch};
    return ls_read_each(manager->store, LS_READ_ONE, statement,
                        LS_ARGS(ls_text(question->scene.user)), take_hidden, hidden, err);
}

/*
 * Fills the models of one platform that the caller may use, behind *count; they share its texts.
 * False when memory is short.
 */
static bool fill_models(const struct lr_scene *scene, const struct lm_platform *platform,
                        const struct lr_hidden *hidden, struct lb_arena *arena,
                        struct llmgr_model *items, size_t *count)
{
    uint32_t unused;
    const struct lm_model *models = platform->is_sys
                                        ? lm_catalogue_models(scene->catalogue, &unused)
                                        : lr_profile_models(scene->profile);
    struct llmgr_model row = {
        .platform_id = platform->id,
        .platform_name = lr_keep_text(arena, platform->name),
        .platform_is_sys = platform->is_sys,
        .platform_hide = is_hidden(scene, platform),
        .base_url = lr_keep_text(arena, platform->base_url),
        .api_key_set = lr_choose_key(scene, platform).payer != LM_PAYER_NONE,
    };

    if (row.platform_name == NULL || row.base_url == NULL)
        return false;
    for (uint32_t i = 0; i < platform->model_count; i++) {
        const struct lm_model *model = &models[platform->first_model + i];
        if (!lr_may_use(scene, platform, model))
            continue;
        row.model_id = model->id;
        row.model_name = lr_keep_text(arena, model->model_name);
        row.display_name = lr_keep_text(arena, model->display_name);
        row.extra_body =
            model->extra_body.size != 0 ? lr_keep_text(arena, model->extra_body) : NULL;
        row.model_hide = lr_is_hidden(hidden, model->id);
        row.kind = model->kind;
        row.context_tokens = model->context_tokens;
        row.max_output_tokens = model->max_output_tokens;
        row.managed = managed_by(model->in_file);
        if (row.model_name == NULL || row.display_name == NULL ||
            (model->extra_body.size != 0 && row.extra_body == NULL))
            return false;
        items[(*count)++] = row;
    }
    return true;
}

static llmgr_status list_models(const struct lr_scene *scene, const struct lr_hidden *hidden,
                                struct lb_arena *arena, struct llmgr_model **items, size_t *count,
                                struct llmgr_error *err)
{
    const struct lm_platform *platform;
    size_t total = 0;
    size_t kept = 0;

    for (uint32_t i = 0; (platform = platform_at(scene, i)) != NULL; i++)
        total += platform->model_count;
    struct llmgr_model *list = lb_arena_calloc(arena, total + 1, sizeof *list);
    if (list == NULL)
        return lb_fail_memory(err);
    for (uint32_t i = 0; (platform = platform_at(scene, i)) != NULL; i++) {
        if (!fill_models(scene, platform, hidden, arena, list, &kept))
            return lb_fail_memory(err);
    }
    *items = list;
    *count = kept;
    return LLMGR_OK;
}

llmgr_status lr_models(struct lm_manager *manager, struct lb_str user,
                       const struct lr_allowed *allowed, struct lb_arena *arena,
                       struct llmgr_model **items, size_t *count, struct llmgr_error *err)
{
    struct lr_question question;
    struct lr_hidden hidden;

    llmgr_status status = lr_question_begin(manager, user, &question, err);
    if (status != LLMGR_OK)
        return status;
    question.scene.allowed = allowed;
    status = lr_hidden_read(manager, &question, LS_PROFILE_HIDDEN_MODELS, &hidden, err);
    if (status == LLMGR_OK)
        status = list_models(&question.scene, &hidden, arena, items, count, err);
    lr_question_end(&question);
    return status;
}

/* ---- Their age ------------------------------------------------------------------------------- */

enum { TIMES_PAGE = 1000 };

struct times {
    struct lb_str user;
    struct lb_arena *arena;
    struct lm_model_time *items;
    size_t count;
    size_t capacity;
};

static bool add_time(struct times *times, int64_t id, int64_t created_at)
{
    if (times->count == times->capacity) {
        size_t capacity = times->capacity != 0 ? times->capacity * 2 : 64;
        struct lm_model_time *items = lb_arena_calloc(times->arena, capacity, sizeof *items);
        if (items == NULL)
            return false;
        for (size_t i = 0; i < times->count; i++)
            items[i] = times->items[i];
        times->items = items;
        times->capacity = capacity;
    }
    times->items[times->count++] = (struct lm_model_time){id, created_at};
    return true;
}

static llmgr_status take_time(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    bool kept = add_time(context, ls_column_int(row, 0), ls_column_int(row, 1));

    return kept ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status read_times(struct ls_tx *tx, struct times *times, bool *more,
                               struct llmgr_error *err)
{
    int64_t after = times->count != 0 ? times->items[times->count - 1].model_id : 0;
    size_t before = times->count;

    llmgr_status status = ls_each(tx, LS_MODEL_TIMES,
                                  LS_ARGS(ls_text(times->user), ls_int(after), ls_int(TIMES_PAGE)),
                                  take_time, times, err);
    *more = times->count - before == TIMES_PAGE;
    return status;
}

static llmgr_status all_times(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct times *times = context;
    llmgr_status status = LLMGR_OK;
    bool more = true;

    times->count = 0;
    while (status == LLMGR_OK && more)
        status = read_times(tx, times, &more, err);
    return status;
}

llmgr_status lr_model_times(struct lm_manager *manager, struct lb_str user, struct lb_arena *arena,
                            struct lm_model_time **items, size_t *count, struct llmgr_error *err)
{
    struct times times = {.user = lm_effective_user(manager, user), .arena = arena};

    llmgr_status status = ls_transact(manager->store, LS_READ, all_times, &times, err);
    if (status != LLMGR_OK)
        return status;
    *items = times.items;
    *count = times.count;
    return LLMGR_OK;
}
