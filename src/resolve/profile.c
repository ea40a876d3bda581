/* SPDX-License-Identifier: MIT */
/*
 * Reading a user's rows (one statement; another one if there are private platforms, and one if
 * there are own routes) and packing them into one block. Rows are kept in a scratch list first,
 * because only when all are there are their sizes known.
 */
#include "resolve/profile.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "keys/origin.h"
#include "manager/handle.h"
#include "manager/manager.h"
#include "manager/route_row.h"
#include "manager/rules.h"
#include "resolve/profile_draft.h"
#include "resolve/resolve.h"
#include "store/store.h"

/* ---- From the database to the draft ---------------------------------------------------------- */

static bool keep_column(struct lr_draft *draft, struct lb_str column, struct lb_str *kept)
{
    if (column.size == 0)
        return true;
    char *copy = lb_arena_bytes(draft->arena, column.size);
    if (copy == NULL)
        return false;
    memcpy(copy, column.p, column.size);
    *kept = lb_str(copy, column.size);
    return true;
}

/* The same for what will stand in the profile as it is. */
static bool keep_text(struct lr_draft *draft, struct lb_str column, struct lb_str *kept)
{
    draft->texts += column.size;
    return keep_column(draft, column, kept);
}

static struct lr_row *add_row(struct lr_draft *draft, enum lr_row_kind kind)
{
    struct lr_row *row = lb_arena_calloc(draft->arena, 1, sizeof *row);

    if (row == NULL)
        return NULL;
    if (draft->tails[kind] == NULL)
        draft->tails[kind] = &draft->rows[kind];
    *draft->tails[kind] = row;
    draft->tails[kind] = &row->next;
    draft->counts[kind]++;
    return row;
}

static bool add_choice(struct lr_draft *draft, const struct ls_rows *rows)
{
    enum lr_row_kind kind = (enum lr_row_kind)ls_column_int(rows, 0);
    int64_t id = ls_column_int(rows, 1);
    int64_t other = ls_column_int(rows, 2);
    static const int TEXTS[LR_ROW_KINDS] = {[LR_ROW_PLATFORM] = 3,
                                            [LR_ROW_SELECTION] = 1,
                                            [LR_ROW_ALIAS] = 2,
                                            [LR_ROW_ROUTE_SELECTION] = 1};

    if (kind == LR_ROW_HISTORY) {
        draft->stale = draft->stale || id != draft->known.mark;
        return true;
    }

    /* A choice of nothing, as a legacy database may hold, is no choice. */
    if (kind == LR_ROW_SELECTION && (id == 0 || other == 0))
        return true;
    /* The choice of a route is a selection without a model. */
    struct lr_row *row = add_row(draft, kind == LR_ROW_ROUTE_SELECTION ? LR_ROW_SELECTION : kind);
    if (row == NULL)
        return false;
    row->id = id;
    row->other = other;
    for (int i = 0; i < TEXTS[kind]; i++) {
        if (!keep_text(draft, ls_column_text(rows, 3 + i), &row->text[i]))
            return false;
    }
    if (kind == LR_ROW_PLATFORM && (!keep_text(draft, ls_column_text(rows, 7), &row->fixed) ||
                                    !keep_column(draft, ls_column_blob(rows, 8), &row->lines)))
        return false;
    if (kind == LR_ROW_SELECTION || kind == LR_ROW_ALIAS)
        return true;
    row->weight = kind == LR_ROW_POOL ? ls_column_int(rows, 9) : 0;
    return keep_column(draft, ls_column_blob(rows, 6), &row->record) &&
           (kind != LR_ROW_POOL || keep_column(draft, ls_column_text(rows, 3), &row->text[0]));
}

static bool add_model(struct lr_draft *draft, const struct ls_rows *rows)
{
    struct lr_row *row = add_row(draft, LR_ROW_MODEL);

    if (row == NULL)
        return false;
    draft->stale = draft->stale || ls_column_int(rows, 6) != draft->known.mark;
    row->id = ls_column_int(rows, 0);
    row->other = ls_column_int(rows, 1);
    row->model_kind = lm_model_kind_of(ls_column_text(rows, 5));
    row->context_tokens = lm_model_tokens_of(ls_column_int(rows, 7));
    row->max_output_tokens = lm_model_tokens_of(ls_column_int(rows, 8));
    for (int i = 0; i < 3; i++) {
        if (!keep_text(draft, ls_column_text(rows, 2 + i), &row->text[i]))
            return false;
    }
    return true;
}

static bool add_route(struct lr_draft *draft, const struct ls_rows *rows)
{
    struct lr_route_row *row = lb_arena_calloc(draft->arena, 1, sizeof *row);

    if (row == NULL || !lm_route_take(rows, draft->arena, &row->route))
        return false;
    draft->stale = draft->stale || ls_column_int(rows, LM_ROUTE_COLUMNS) != draft->known.mark;
    if (draft->route_tail == NULL)
        draft->route_tail = &draft->routes;
    *draft->route_tail = row;
    draft->route_tail = &row->next;
    draft->route_count++;
    draft->target_count += row->route.count;
    draft->texts += row->route.name.size + row->route.display_name.size;
    for (uint32_t i = 0; i < row->route.count; i++)
        draft->texts += row->route.targets[i].model.size;
    return true;
}

static llmgr_status take_route(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    return add_route(context, row) ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status take_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    return add_choice(context, row) ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status take_model(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    return add_model(context, row) ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status read_rows(struct lm_manager *manager, struct lr_draft *draft,
                              enum ls_statement statement, ls_row_fn take, struct llmgr_error *err)
{
    return ls_read_each(manager->store, LS_READ_SOON, statement,
                        LS_ARGS(ls_text(draft->user), ls_int(draft->known.revision)), take, draft,
                        err);
}

/* ---- Order ----------------------------------------------------------------------------------- */

static int compare_platforms(const void *a, const void *b)
{
    const struct lr_row *left = *(const struct lr_row *const *)a;
    const struct lr_row *right = *(const struct lr_row *const *)b;

    return left->id < right->id ? -1 : left->id > right->id;
}

/* Platforms by id, as their models come. False when memory is short. */
static bool sort_platforms(struct lr_draft *draft)
{
    size_t count = draft->counts[LR_ROW_PLATFORM];

    if (count < 2)
        return true;
    struct lr_row **rows = lb_arena_calloc(draft->arena, count, sizeof(struct lr_row *));
    if (rows == NULL)
        return false;
    size_t at = 0;
    for (struct lr_row *row = draft->rows[LR_ROW_PLATFORM]; row != NULL; row = row->next)
        rows[at++] = row;
    qsort(rows, count, sizeof(struct lr_row *), compare_platforms);
    for (at = 0; at < count; at++)
        rows[at]->next = at + 1 < count ? rows[at + 1] : NULL;
    draft->rows[LR_ROW_PLATFORM] = rows[0];
    return true;
}

static int compare_routes(const void *a, const void *b)
{
    const struct lr_route_row *left = *(const struct lr_route_row *const *)a;
    const struct lr_route_row *right = *(const struct lr_route_row *const *)b;

    return lb_str_cmp(left->route.name, right->route.name);
}

/* Routes by name, as they are looked for; a database may order otherwise. */
static bool sort_routes(struct lr_draft *draft)
{
    size_t count = draft->route_count;

    if (count < 2)
        return true;
    struct lr_route_row **rows =
        lb_arena_calloc(draft->arena, count, sizeof(struct lr_route_row *));
    if (rows == NULL)
        return false;
    size_t at = 0;
    for (struct lr_route_row *row = draft->routes; row != NULL; row = row->next)
        rows[at++] = row;
    qsort(rows, count, sizeof(struct lr_route_row *), compare_routes);
    for (at = 0; at < count; at++)
        rows[at]->next = at + 1 < count ? rows[at + 1] : NULL;
    draft->routes = rows[0];
    return true;
}

/* ---- Platforms ------------------------------------------------------------------------------- */

llmgr_status lr_judge_platform(const struct lk_keys *keys, struct lb_str owner,
                               struct lb_arena *arena, struct lm_platform *platform,
                               struct llmgr_error *err)
{
    if (!lk_origin(arena, platform->base_url, &platform->origin))
        return lb_fail_memory(err);
    struct lk_key_place place = {LK_KEY_OF_PLATFORM, owner, platform->id, platform->origin};
    for (uint32_t i = 0; i < platform->key_count; i++) {
        llmgr_status status = lk_key_take(keys, &place, arena, &platform->keys[i], err);
        if (status != LLMGR_OK)
            return status;
        if (platform->key_state != LK_KEY_USABLE && platform->keys[i].state != LK_KEY_ABSENT)
            platform->key_state = platform->keys[i].state;
    }
    platform->key_count = (uint32_t)lk_pool_compact(platform->keys, platform->key_count);
    place.column = LK_KEY_OF_HEADERS;
    return lk_headers_take(keys, &place, arena, &platform->header_values, &platform->header_state,
                           err);
}

/* Private platforms' origins, where keys and header fields are bound to, and the latter. */
static llmgr_status judge_private(struct lm_manager *manager, struct lr_draft *draft,
                                  struct llmgr_error *err)
{
    for (struct lr_row *row = draft->rows[LR_ROW_PLATFORM]; row != NULL; row = row->next) {
        if (!lk_origin(draft->arena, row->text[1], &row->origin))
            return lb_fail_memory(err);
        const struct lk_key_place place = {LK_KEY_OF_HEADERS, draft->user, row->id, row->origin};
        llmgr_status status = lk_headers_take(lm_keys(manager), &place, draft->arena, &row->lines,
                                              &row->lines_state, err);
        if (status != LLMGR_OK)
            return status;
        if (row->lines_state != LK_KEY_USABLE)
            row->lines = (struct lb_str){0};
        draft->texts += row->origin.size + row->lines.size;
    }
    return LLMGR_OK;
}

/* ---- From the draft to the block ------------------------------------------------------------- */

static struct lm_platform *platforms_of(struct lr_profile *profile)
{
    char *at = (char *)(profile + 1);

    at += profile->selection_count * sizeof(struct lr_selection);
    at += profile->key_count * sizeof(struct lr_own_key);
    return (void *)(at + profile->alias_count * sizeof(struct lr_own_alias));
}

struct packer {
    struct lr_profile *profile;
    char *texts; /* next free byte */
};

static uint32_t pack_bytes(struct packer *packer, struct lb_str bytes)
{
    uint32_t at = (uint32_t)(packer->texts - (char *)packer->profile);

    if (bytes.size != 0)
        memcpy(packer->texts, bytes.p, bytes.size);
    packer->texts += bytes.size;
    return at;
}

static struct lb_str pack_text(struct packer *packer, struct lb_str text)
{
    if (text.size == 0)
        return (struct lb_str){0};
    return lb_str((char *)packer->profile + pack_bytes(packer, text), text.size);
}

/* Backwards, so that each row can tell how many usable ones follow. */
static void pack_keys(struct packer *packer, const struct lr_draft *draft, struct lr_own_key *keys)
{
    for (size_t i = draft->key_count; i-- > 0;) {
        const struct lr_key_row *row = &draft->keys[i];
        const bool usable = row->key.state == LK_KEY_USABLE;
        const bool more = i + 1 < draft->key_count && keys[i + 1].platform_id == row->platform_id;
        keys[i] = (struct lr_own_key){
            .platform_id = row->platform_id,
            .id = row->key.id,
            .account_id = row->key.account_id,
            .record_at = pack_bytes(packer, row->key.record),
            .account_at = pack_bytes(packer, row->key.account),
            .record_size = (uint16_t)row->key.record.size,
            .weight = (uint16_t)row->key.weight,
            .account_size = (uint8_t)row->key.account.size,
            .state = (uint8_t)row->key.state,
            .count = (uint8_t)(usable ? (more ? keys[i + 1].count : 0) + 1 : 0),
            .hide = row->hide,
        };
    }
}

static void pack_choices(struct packer *packer, const struct lr_draft *draft)
{
    struct lr_selection *selection = lr_profile_selections(packer->profile);
    struct lr_own_key *key = (void *)(selection + draft->counts[LR_ROW_SELECTION]);

    for (const struct lr_row *row = draft->rows[LR_ROW_SELECTION]; row != NULL; row = row->next)
        *selection++ = (struct lr_selection){
            .platform_id = row->other != 0 ? row->id : 0,
            .model_id = row->other,
            .route_id = row->other == 0 ? row->id : 0,
            .slot_at = pack_bytes(packer, row->text[0]),
            .slot_size = (uint8_t)row->text[0].size,
        };
    pack_keys(packer, draft, key);
    struct lr_own_alias *alias = (void *)(key + draft->key_count);
    for (const struct lr_row *row = draft->rows[LR_ROW_ALIAS]; row != NULL; row = row->next)
        *alias++ = (struct lr_own_alias){
            .name_at = pack_bytes(packer, row->text[0]),
            .target_at = pack_bytes(packer, row->text[1]),
            .name_size = (uint8_t)row->text[0].size,
            .target_size = (uint8_t)row->text[1].size,
        };
}

static void pack_platforms(struct packer *packer, const struct lr_draft *draft)
{
    struct lm_platform *platforms = platforms_of(packer->profile);
    struct lm_model *model = (void *)(platforms + draft->counts[LR_ROW_PLATFORM]);
    struct lm_platform *platform = platforms;
    const struct lr_row *at = draft->rows[LR_ROW_MODEL];
    uint32_t models = 0;

    for (const struct lr_row *row = draft->rows[LR_ROW_PLATFORM]; row != NULL; row = row->next) {
        *platform = (struct lm_platform){
            .id = row->id,
            .name = pack_text(packer, row->text[0]),
            .base_url = pack_text(packer, row->text[1]),
            .origin = pack_text(packer, row->origin),
            .protocol = pack_text(packer, row->text[2]),
            .fixed_headers = pack_text(packer, row->fixed),
            .header_values = pack_text(packer, row->lines),
            .header_state = row->lines_state,
            .no_stream_options = row->other & ~INT64_C(2),
            .hide = (row->other & 2) != 0,
            .first_model = models,
        };
        /* A model of a platform that was made between the two statements has none here. */
        while (at != NULL && at->other < row->id)
            at = at->next;
        for (; at != NULL && at->other == row->id; at = at->next) {
            *model++ = (struct lm_model){
                .id = at->id,
                .platform = (uint32_t)(platform - platforms),
                .model_name = pack_text(packer, at->text[0]),
                .display_name = pack_text(packer, at->text[1]),
                .extra_body = pack_text(packer, at->text[2]),
                .kind = at->model_kind,
                .context_tokens = at->context_tokens,
                .max_output_tokens = at->max_output_tokens,
            };
            platform->model_count++;
            models++;
        }
        platform++;
    }
    packer->profile->model_count = models;
}

/* Behind the models; each route's targets stand behind those of the one before. */
static void pack_routes(struct packer *packer, const struct lr_draft *draft)
{
    struct lm_route *route =
        (void *)((struct lm_model *)(uintptr_t)lr_profile_models(packer->profile) +
                 packer->profile->model_count);
    struct lm_route_target *target = (void *)(route + draft->route_count);

    for (const struct lr_route_row *row = draft->routes; row != NULL; row = row->next, route++) {
        *route = row->route;
        route->name = pack_text(packer, row->route.name);
        route->display_name = pack_text(packer, row->route.display_name);
        route->targets = target;
        for (uint32_t i = 0; i < row->route.count; i++, target++) {
            *target = row->route.targets[i];
            target->model = pack_text(packer, row->route.targets[i].model);
        }
    }
}

static struct lr_profile *pack_draft(const struct lr_draft *draft)
{
    size_t texts_at = sizeof(struct lr_profile) +
                      draft->counts[LR_ROW_SELECTION] * sizeof(struct lr_selection) +
                      draft->key_count * sizeof(struct lr_own_key) +
                      draft->counts[LR_ROW_ALIAS] * sizeof(struct lr_own_alias) +
                      draft->counts[LR_ROW_PLATFORM] * sizeof(struct lm_platform) +
                      draft->counts[LR_ROW_MODEL] * sizeof(struct lm_model) +
                      draft->route_count * sizeof(struct lm_route) +
                      draft->target_count * sizeof(struct lm_route_target);
    size_t size = (texts_at + draft->user.size + draft->texts + 7) / 8 * 8;
    struct lr_profile *profile = lb_arena_calloc(draft->arena, 1, size);

    if (profile == NULL)
        return NULL;
    profile->size = (uint32_t)size;
    profile->texts_at = (uint32_t)texts_at;
    profile->user_size = (uint8_t)draft->user.size;
    profile->selection_count = (uint16_t)draft->counts[LR_ROW_SELECTION];
    profile->key_count = (uint16_t)draft->key_count;
    profile->alias_count = (uint16_t)draft->counts[LR_ROW_ALIAS];
    profile->platform_count = (uint16_t)draft->counts[LR_ROW_PLATFORM];
    profile->route_count = (uint16_t)draft->route_count;
    profile->target_count = (uint32_t)draft->target_count;
    struct packer packer = {profile, (char *)profile + texts_at};
    pack_bytes(&packer, draft->user);
    pack_choices(&packer, draft);
    pack_platforms(&packer, draft);
    pack_routes(&packer, draft);
    return profile;
}

/* Counts that a block cannot hold come from a database that was not written by us. */
static bool draft_fits(const struct lr_draft *draft)
{
    if (draft->route_count > UINT16_MAX || draft->target_count > UINT32_MAX)
        return false;
    for (int kind = LR_ROW_PLATFORM; kind < LR_ROW_KINDS; kind++) {
        if (kind != LR_ROW_MODEL && draft->counts[kind] > UINT16_MAX)
            return false;
    }
    if (draft->key_count > UINT16_MAX)
        return false;
    for (const struct lr_row *row = draft->rows[LR_ROW_SELECTION]; row != NULL; row = row->next) {
        if (row->text[0].size > UINT8_MAX)
            return false;
    }
    for (size_t i = 0; i < draft->key_count; i++) {
        const struct lk_pool_key *key = &draft->keys[i].key;
        if (key->record.size > UINT16_MAX || key->account.size > UINT8_MAX)
            return false;
    }
    for (const struct lr_row *row = draft->rows[LR_ROW_ALIAS]; row != NULL; row = row->next) {
        if (row->text[0].size > UINT8_MAX || row->text[1].size > UINT8_MAX)
            return false;
    }
    return true;
}

llmgr_status lr_profile_read(struct lm_manager *manager, const struct lm_catalogue *catalogue,
                             struct lb_str user, struct lb_arena *arena, struct lr_profile **out,
                             struct llmgr_error *err)
{
    struct lr_draft draft;

    llmgr_status status = lm_check_user(user, err);
    if (status != LLMGR_OK)
        return status;
    for (int tries = 0;; tries++) {
        draft = (struct lr_draft){.user = user, .arena = arena, .known = lm_known(manager)};
        status = read_rows(manager, &draft, LS_PROFILE_READ, take_row, err);
        if (status == LLMGR_OK && draft.counts[LR_ROW_PLATFORM] != 0)
            status = read_rows(manager, &draft, LS_PROFILE_MODELS, take_model, err);
        if (status == LLMGR_OK && draft.counts[LR_ROW_ROUTE] != 0)
            status = read_rows(manager, &draft, LS_PROFILE_ROUTES, take_route, err);
        if (status != LLMGR_OK || !draft.stale)
            break;
        status = lm_read_stale(manager, tries, err);
        if (status != LLMGR_OK)
            break;
    }
    if (status != LLMGR_OK)
        return status;
    if (!sort_platforms(&draft) || !sort_routes(&draft))
        return lb_fail_memory(err);
    status = judge_private(manager, &draft, err);
    if (status == LLMGR_OK)
        status = lr_draft_keys(manager, catalogue, &draft, err);
    if (status != LLMGR_OK)
        return status;
    if (!draft_fits(&draft))
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("the user has more rows, or longer ones, than a profile holds"));
    struct lr_profile *profile = pack_draft(&draft);
    if (profile == NULL)
        return lb_fail_memory(err);
    profile->hash = lm_user_hash(manager, user);
    *out = profile;
    return LLMGR_OK;
}
