/* SPDX-License-Identifier: MIT */
/*
 * The database's side of a sync, and the comparison. An entry is the same platform as a row if
 * both name and address agree, else if the address does, else if the name does: a renamed platform
 * and a moved one stay what they are, and two that swapped names follow their addresses - which is
 * what users' keys are bound to.
 */
#include "manager/sync_plan.h"

#include <sodium.h>

#include "base/error.h"
#include "base/map.h"
#include "config/fixed_headers.h"
#include "keys/ring.h"
#include "manager/access.h"
#include "manager/aliases.h"
#include "manager/manager.h"
#include "manager/platform_rules.h"
#include "manager/rules.h"
#include "manager/sync_keys.h"
#include "store/store.h"
#include "vault/secret.h"

enum { NORMAL_URL_MAX = 2 * LH_URL_MAX };

/* ---- Reading --------------------------------------------------------------------------------- */

/* An array in an arena that doubles; what it held before stays behind until the arena goes. */
static void *grow_items(struct lb_arena *arena, void *items, size_t count, size_t size)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return items;
    void *grown = lb_arena_calloc(arena, count > 0 ? 2 * count : 1, size);
    if (grown != NULL && count > 0)
        memcpy(grown, items, count * size);
    return grown;
}

/* A copy; an empty text stays empty, also as NULL. */
static bool keep_text(struct lb_arena *arena, struct lb_str from, struct lb_str *to)
{
    *to = (struct lb_str){0};
    if (from.size == 0)
        return true;
    *to = lb_arena_str(arena, from);
    return to->p != NULL;
}

static bool keep_normal(const struct lm_sync_plan *plan, struct lb_arena *arena,
                        struct lm_sync_row *row)
{
    struct lh_url url;
    if (lh_url_parse(row->base_url, &url) != LH_URL_OK)
        return true;
    struct lb_buf normal;
    lb_buf_init(&normal, lm_host(plan->manager), NORMAL_URL_MAX);
    lh_url_normal(&url, &normal);
    bool kept = normal.failed == LLMGR_OK && keep_text(arena, lb_buf_str(&normal), &row->normal);
    lb_buf_free(&normal);
    return kept;
}

static bool is_made(struct lb_str managed)
{
    return !lb_str_eq_c(managed, LM_MANAGED_FILE);
}

static bool add_row(struct lm_sync_plan *plan, struct lb_arena *arena, const struct ls_rows *rows)
{
    plan->rows = grow_items(arena, plan->rows, plan->row_count, sizeof *plan->rows);
    if (plan->rows == NULL)
        return false;
    struct lm_sync_row *row = &plan->rows[plan->row_count];
    *row = (struct lm_sync_row){.id = ls_column_int(rows, 0),
                                .position = ls_column_int(rows, 4),
                                .rank = plan->row_count,
                                .is_made = is_made(ls_column_text(rows, 11))};
    plan->row_count++;
    return keep_text(arena, ls_column_text(rows, 1), &row->name) &&
           keep_text(arena, ls_column_text(rows, 2), &row->base_url) &&
           keep_text(arena, ls_column_text(rows, 3), &row->protocol) &&
           keep_text(arena, ls_column_text(rows, 5), &row->key_env) &&
           keep_text(arena, ls_column_text(rows, 6), &row->native_paths) &&
           keep_text(arena, ls_column_text(rows, 7), &row->headers) &&
           keep_text(arena, ls_column_text(rows, 8), &row->fixed_headers) &&
           keep_text(arena, ls_column_text(rows, 9), &row->missing_headers) &&
           keep_text(arena, ls_column_blob(rows, 10), &row->header_values) &&
           keep_normal(plan, arena, row);
}

static struct lm_sync_row *row_by_id(const struct lm_sync_plan *plan, int64_t id)
{
    for (size_t i = 0; i < plan->row_count; i++)
        if (plan->rows[i].id == id)
            return &plan->rows[i];
    return NULL;
}

static bool add_model(struct lm_sync_row *row, struct lb_arena *arena, const struct ls_rows *rows)
{
    row->models = grow_items(arena, row->models, row->model_count, sizeof *row->models);
    if (row->models == NULL)
        return false;
    struct lm_model_row *model = &row->models[row->model_count];
    *model = (struct lm_model_row){.id = ls_column_int(rows, 0),
                                   .kind = lm_model_kind_of(ls_column_text(rows, 6)),
                                   .context_tokens = lm_model_tokens_of(ls_column_int(rows, 8)),
                                   .max_output_tokens = lm_model_tokens_of(ls_column_int(rows, 9)),
                                   .position = ls_column_int(rows, 5),
                                   .rank = row->model_count,
                                   .is_made = is_made(ls_column_text(rows, 7))};
    row->model_count++;
    return keep_text(arena, ls_column_text(rows, 2), &model->model_name) &&
           keep_text(arena, ls_column_text(rows, 3), &model->display_name) &&
           keep_text(arena, ls_column_text(rows, 4), &model->extra_body);
}

/* The database's state being read. */
struct reading {
    struct lm_sync_plan *plan;
    struct lb_arena *arena;
    struct lm_sync_row *row; /* the platform whose models come */
};

static llmgr_status take_platform(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *reading = context;

    return add_row(reading->plan, reading->arena, row) ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status take_model(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *reading = context;
    int64_t platform_id = ls_column_int(row, 1);

    if (reading->row == NULL || reading->row->id != platform_id)
        reading->row = row_by_id(reading->plan, platform_id);
    if (reading->row == NULL || add_model(reading->row, reading->arena, row))
        return LLMGR_OK;
    return lb_fail_memory(err);
}

static llmgr_status read_rows(struct lm_sync_plan *plan, struct ls_tx *tx, struct lb_arena *arena,
                              struct llmgr_error *err)
{
    struct reading reading = {.plan = plan, .arena = arena};

    plan->rows = NULL;
    plan->row_count = 0;
    return ls_each(tx, LS_SYNC_PLATFORMS, NULL, 0, take_platform, &reading, err);
}

static llmgr_status read_models(struct lm_sync_plan *plan, struct ls_tx *tx, struct lb_arena *arena,
                                struct llmgr_error *err)
{
    struct reading reading = {.plan = plan, .arena = arena};

    return ls_each(tx, LS_SYNC_MODELS, NULL, 0, take_model, &reading, err);
}

/* ---- Who is who ------------------------------------------------------------------------------ */

static bool same_name(const struct lm_sync_entry *entry, const struct lm_sync_row *row)
{
    return lb_str_eq(entry->name, row->name);
}

static bool same_address(const struct lm_sync_entry *entry, const struct lm_sync_row *row)
{
    return entry->normal.size > 0 && lb_str_eq(entry->normal, row->normal);
}

static bool same_both(const struct lm_sync_entry *entry, const struct lm_sync_row *row)
{
    return same_name(entry, row) && same_address(entry, row);
}

typedef bool (*same_fn)(const struct lm_sync_entry *entry, const struct lm_sync_row *row);

static void match_platforms(struct lm_sync_plan *plan, same_fn same)
{
    for (size_t i = 0; i < plan->entry_count; i++) {
        struct lm_sync_entry *entry = &plan->entries[i];
        for (size_t j = 0; entry->row == NULL && j < plan->row_count; j++) {
            if (plan->rows[j].is_matched || !same(entry, &plan->rows[j]))
                continue;
            entry->row = &plan->rows[j];
            entry->row->is_matched = true;
        }
    }
}

static void pair_model(struct lm_model_entry *entry, struct lm_model_row *row)
{
    entry->row = row;
    row->is_matched = true;
}

/* The first unmatched row with the entry's model_name, which several rows may have. */
static void match_by_name(const struct lb_map *by_name, struct lm_model_entry *model)
{
    struct lm_model_row *row = lb_map_get(by_name, model->model_name);
    while (row != NULL && row->is_matched)
        row = row->same_name;
    if (row != NULL)
        pair_model(model, row);
}

/* Fills both maps; rows with the same model_name are chained in their order. What calls made stands
 * in the first alone, where the file must not meet it. */
static bool index_models(struct lm_sync_row *row, struct lb_map *by_display, struct lb_map *by_name)
{
    for (size_t i = row->model_count; i-- > 0;) {
        struct lm_model_row *model = &row->models[i];
        void *next = NULL;
        if (lb_map_put(by_display, model->display_name, model, NULL) != LLMGR_OK)
            return false;
        if (model->is_made)
            continue;
        if (lb_map_put(by_name, model->model_name, model, &next) != LLMGR_OK)
            return false;
        model->same_name = next;
    }
    return true;
}

static llmgr_status match_models(const struct lm_sync_plan *plan, struct lm_sync_entry *entry,
                                 struct llmgr_error *err)
{
    struct lm_sync_row *row = entry->row;
    struct lb_map *by_display = lb_map_new(lm_host(plan->manager), row->model_count + 1);
    struct lb_map *by_name = lb_map_new(lm_host(plan->manager), row->model_count + 1);
    bool indexed = by_display != NULL && by_name != NULL && index_models(row, by_display, by_name);
    llmgr_status status = indexed ? LLMGR_OK : lb_fail_memory(err);
    for (size_t i = 0; status == LLMGR_OK && i < entry->model_count; i++) {
        struct lm_model_row *model = lb_map_get(by_display, entry->models[i].display_name);
        if (model != NULL && model->is_made)
            status = lm_sync_fail_model(plan, &entry->models[i], model, err);
        else if (model != NULL)
            pair_model(&entry->models[i], model);
    }
    for (size_t i = 0; status == LLMGR_OK && i < entry->model_count; i++)
        if (entry->models[i].row == NULL)
            match_by_name(by_name, &entry->models[i]);
    lb_map_free(by_display);
    lb_map_free(by_name);
    return status;
}

/* ---- What differs ---------------------------------------------------------------------------- */

llmgr_status lm_sync_compare_sealed(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                    const struct lm_sync_entry *entry, enum lk_key_column column,
                                    struct lb_str wanted, struct lb_str record, bool *differs,
                                    struct llmgr_error *err)
{
    if (wanted.size == 0 || record.size == 0) {
        *differs = wanted.size != record.size;
        return LLMGR_OK;
    }
    const struct lk_key_place place = {.column = column,
                                       .owner = LB_STR(LLMGR_SYSTEM_USER),
                                       .platform_id = entry->row->id,
                                       .origin = lb_cstr(entry->origin)};
    struct llmgr_error why = {0};
    struct lv_secret stored;
    llmgr_status status = lk_key_open(lm_keys(plan->manager), tx, &place, record, &stored, &why);
    if (status == LLMGR_OK)
        *differs =
            stored.size != wanted.size || sodium_memcmp(stored.bytes, wanted.p, stored.size) != 0;
    lv_secret_clear(&stored);
    if (status == LLMGR_ERR_VAULT) {
        *differs = true;
        return LLMGR_OK;
    }
    if (status != LLMGR_OK && err != NULL)
        *err = why;
    return status;
}

static llmgr_status compare_values(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                   const struct lm_sync_entry *entry, bool *differs,
                                   struct llmgr_error *err)
{
    struct lb_buf lines;

    lb_buf_init_secret(&lines, lm_host(plan->manager), LC_FIXED_SIZE_MAX);
    llmgr_status status = lm_sync_header_lines(entry, &lines, err);
    if (status == LLMGR_OK)
        status = lm_sync_compare_sealed(plan, tx, entry, LK_KEY_OF_HEADERS, lb_buf_str(&lines),
                                        entry->row->header_values, differs, err);
    lb_buf_free(&lines);
    return status;
}

static void compare_models(struct lm_sync_entry *entry)
{
    size_t last = 0;
    for (size_t i = 0; i < entry->model_count; i++) {
        struct lm_model_entry *model = &entry->models[i];
        const struct lm_model_row *row = model->row;
        if (row == NULL)
            continue;
        model->diff =
            lm_bit_if(!lb_str_eq(model->display_name, row->display_name), LM_DIFF_DISPLAY_NAME) |
            lm_bit_if(!lb_str_eq(model->model_name, row->model_name), LM_DIFF_MODEL_NAME) |
            lm_bit_if(!lm_extra_body_equal(model->extra_body, row->extra_body),
                      LM_DIFF_EXTRA_BODY) |
            lm_bit_if(model->kind != row->kind, LM_DIFF_KIND) |
            lm_bit_if(model->context_tokens != row->context_tokens, LM_DIFF_CONTEXT) |
            lm_bit_if(model->max_output_tokens != row->max_output_tokens, LM_DIFF_MAX_OUTPUT) |
            lm_bit_if(row->rank < last, LM_DIFF_POSITION);
        model->is_shifted = row->position != (int64_t)i;
        last = row->rank > last ? row->rank : last;
    }
}

static llmgr_status compare_platform(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                     struct lm_sync_entry *entry, size_t at, size_t *last,
                                     struct lb_arena *arena, struct llmgr_error *err)
{
    const struct lm_sync_row *row = entry->row;
    unsigned key_diff = 0;
    bool values_differ = false;
    llmgr_status status = lm_sync_keys_compare(plan, tx, entry, arena, &key_diff, err);
    if (status == LLMGR_OK)
        status = compare_values(plan, tx, entry, &values_differ, err);
    if (status != LLMGR_OK)
        return status;
    entry->diff =
        key_diff | lm_bit_if(!lb_str_eq(entry->name, row->name), LM_DIFF_NAME) |
        lm_bit_if(!lb_str_eq(entry->base_url, row->base_url), LM_DIFF_BASE_URL) |
        lm_bit_if(!lb_str_eq(entry->protocol, row->protocol), LM_DIFF_PROTOCOL) |
        lm_bit_if(!lb_str_eq(entry->key_env, row->key_env), LM_DIFF_KEY_ENV) |
        lm_bit_if(!lb_str_eq(entry->native_paths, row->native_paths), LM_DIFF_NATIVE_PATHS) |
        lm_bit_if(!lb_str_eq(entry->headers, row->headers) ||
                      !lb_str_eq(entry->fixed_headers, row->fixed_headers) ||
                      !lb_str_eq(entry->missing_headers, row->missing_headers) || values_differ,
                  LM_DIFF_HEADERS) |
        lm_bit_if(row->rank < *last, LM_DIFF_POSITION);
    entry->is_shifted = row->position != (int64_t)at;
    *last = row->rank > *last ? row->rank : *last;
    compare_models(entry);
    return LLMGR_OK;
}

static bool entry_differs(const struct lm_sync_entry *entry)
{
    if (entry->row == NULL || entry->diff != 0 || entry->is_shifted)
        return true;
    for (size_t i = 0; i < entry->model_count; i++) {
        const struct lm_model_entry *model = &entry->models[i];
        if (model->row == NULL || model->diff != 0 || model->is_shifted)
            return true;
    }
    for (size_t i = 0; i < entry->row->model_count; i++)
        if (lm_model_is_gone(&entry->row->models[i]))
            return true;
    return false;
}

static bool plan_differs(const struct lm_sync_plan *plan)
{
    if (lm_aliases_differ(plan) || lm_routes_differ(plan))
        return true;
    for (size_t i = 0; i < plan->row_count; i++)
        if (lm_row_is_gone(&plan->rows[i]))
            return true;
    for (size_t i = 0; i < plan->entry_count; i++)
        if (entry_differs(&plan->entries[i]))
            return true;
    return false;
}

/* What an earlier try found must not be seen by this one. */
static void forget_matches(struct lm_sync_plan *plan)
{
    for (size_t i = 0; i < plan->entry_count; i++) {
        struct lm_sync_entry *entry = &plan->entries[i];
        entry->row = NULL;
        entry->diff = 0;
        entry->is_shifted = false;
        for (size_t j = 0; j < entry->model_count; j++) {
            entry->models[j].row = NULL;
            entry->models[j].diff = 0;
            entry->models[j].is_shifted = false;
        }
    }
}

llmgr_status lm_sync_compare(struct lm_sync_plan *plan, struct ls_tx *tx, struct lb_arena *arena,
                             struct llmgr_error *err)
{
    forget_matches(plan);
    llmgr_status status = lm_aliases_compare(plan, tx, arena, err);
    if (status == LLMGR_OK)
        status = lm_routes_compare(plan, tx, arena, err);
    plan->rows = NULL;
    plan->row_count = 0;
    if (status == LLMGR_OK && plan->has_platforms)
        status = read_rows(plan, tx, arena, err);
    if (status == LLMGR_OK && plan->has_platforms)
        status = read_models(plan, tx, arena, err);
    if (status != LLMGR_OK)
        return status;
    match_platforms(plan, same_both);
    match_platforms(plan, same_address);
    match_platforms(plan, same_name);

    status = lm_sync_judge_made(plan, err);
    size_t last = 0;
    for (size_t i = 0; status == LLMGR_OK && i < plan->entry_count; i++) {
        struct lm_sync_entry *entry = &plan->entries[i];
        plan->ids[i] = entry->row != NULL ? entry->row->id : 0;
        if (entry->row == NULL)
            continue;
        status = match_models(plan, entry, err);
        if (status == LLMGR_OK)
            status = compare_platform(plan, tx, entry, i, &last, arena, err);
    }
    char stored[LM_SYNC_DIGEST_SIZE];
    if (status == LLMGR_OK)
        status = lm_sync_digest(tx, stored, err);
    if (status == LLMGR_OK)
        plan->is_needed = plan_differs(plan) || strcmp(stored, plan->digest) != 0;
    return status;
}

llmgr_status lm_sync_digest(struct ls_tx *tx, char digest[LM_SYNC_DIGEST_SIZE],
                            struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;
    llmgr_status status =
        ls_find(tx, LS_META_GET, LS_ARGS(ls_cstr(LM_SYNC_DIGEST_NAME)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    struct lb_str value = found ? ls_column_text(&rows, 0) : LB_STR("");
    size_t size = value.size < LM_SYNC_DIGEST_SIZE ? value.size : 0;
    if (size > 0)
        memcpy(digest, value.p, size);
    digest[size] = '\0';
    ls_rows_end(&rows);
    return LLMGR_OK;
}
