/* SPDX-License-Identifier: MIT */
/*
 * A user's keys, from rows to what a profile holds. The first key of a platform stands in a column
 * of the platform's own row (private platforms) or of the user's row about it (system platforms);
 * further keys, and what is said about the first besides, stand in rows of llm_platform_keys. Here
 * they come together:
 *
 *     rows -> one list, sorted by platform and position -> each opened at its platform's origin
 *          -> per platform the usable ones, or one row that says that there is none
 */
#include <stdlib.h>

#include "base/error.h"
#include "keys/origin.h"
#include "resolve/profile_draft.h"

/* ---- One list -------------------------------------------------------------------------------- */

static int compare_keys(const void *a, const void *b)
{
    const struct lr_key_row *left = a;
    const struct lr_key_row *right = b;

    if (left->platform_id != right->platform_id)
        return left->platform_id < right->platform_id ? -1 : 1;
    if (left->position != right->position)
        return left->position < right->position ? -1 : 1;
    return (int)left->key.is_further - (int)right->key.is_further;
}

static struct lr_key_row *add(struct lr_draft *draft, int64_t platform_id, struct lb_str record)
{
    struct lr_key_row *row = &draft->keys[draft->key_count++];

    row->platform_id = platform_id;
    row->key = (struct lk_pool_key){.record = record, .weight = 1};
    return row;
}

/* False when memory is short. */
static bool gather(struct lr_draft *draft)
{
    size_t most =
        draft->counts[LR_ROW_PLATFORM] + draft->counts[LR_ROW_KEY] + draft->counts[LR_ROW_POOL];

    draft->keys = lb_arena_calloc(draft->arena, most + 1, sizeof *draft->keys);
    if (draft->keys == NULL)
        return false;
    for (const struct lr_row *row = draft->rows[LR_ROW_PLATFORM]; row != NULL; row = row->next) {
        if (row->record.size != 0)
            add(draft, row->id, row->record)->column = LK_KEY_OF_PLATFORM;
    }
    for (const struct lr_row *row = draft->rows[LR_ROW_KEY]; row != NULL; row = row->next) {
        struct lr_key_row *key = add(draft, row->id, row->record);
        key->column = LK_KEY_OF_USER;
        key->hide = row->other != 0;
    }
    for (const struct lr_row *row = draft->rows[LR_ROW_POOL]; row != NULL; row = row->next) {
        struct lr_key_row *key = add(draft, row->id, row->record);
        key->column = row->other % 2 != 0 ? LK_KEY_OF_USER : LK_KEY_OF_PLATFORM;
        key->position = row->other / 2;
        key->key.account = row->text[0];
        key->key.weight = lk_weight(row->weight);
        key->key.is_further = true;
    }
    qsort(draft->keys, draft->key_count, sizeof *draft->keys, compare_keys);
    return true;
}

/* ---- At its platform ------------------------------------------------------------------------- */

/*
 * The origin of the platform that a key is of; NULL: there is none for this user. `at` moves along
 * the private platforms, which are sorted as the keys are.
 */
static const struct lb_str *find_origin(const struct lm_catalogue *catalogue,
                                        const struct lr_row **at, const struct lr_key_row *key)
{
    if (key->column == LK_KEY_OF_USER) {
        const struct lm_platform *platform = lm_catalogue_platform(catalogue, key->platform_id);
        return platform != NULL ? &platform->origin : NULL;
    }
    while (*at != NULL && (*at)->id < key->platform_id)
        *at = (*at)->next;
    return *at != NULL && (*at)->id == key->platform_id ? &(*at)->origin : NULL;
}

static llmgr_status take(struct lm_manager *manager, struct lr_draft *draft, struct lb_str origin,
                         struct lr_key_row *key, struct llmgr_error *err)
{
    const struct lk_key_place place = {key->column, draft->user, key->platform_id, origin};

    llmgr_status status = lk_key_take(lm_keys(manager), &place, draft->arena, &key->key, err);
    if (key->key.state != LK_KEY_USABLE)
        key->key.record = (struct lb_str){0};
    return status;
}

/* The row about the first key stands behind it, and has no record. */
static void describe_first(struct lr_key_row *keys, size_t count)
{
    if (count < 2 || keys[0].key.is_further || keys[1].position != 0)
        return;
    keys[0].key.account = keys[1].key.account;
    keys[0].key.weight = keys[1].key.weight;
}

static llmgr_status take_keys(struct lm_manager *manager, struct lr_draft *draft,
                              struct lb_str origin, struct lr_key_row *keys, size_t count,
                              struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    describe_first(keys, count);
    for (size_t i = 0; status == LLMGR_OK && i < count; i++)
        status = take(manager, draft, origin, &keys[i], err);
    return status;
}

/* ---- What stays ------------------------------------------------------------------------------ */

/*
 * Keeps, of the `count` keys of one platform, the usable ones; without any the first, if it says
 * something: that there is a key which cannot be used, or that the platform is hidden.
 */
static size_t keep(struct lr_key_row *to, const struct lr_key_row *from, size_t count)
{
    size_t kept = 0;
    bool hide = false;
    struct lr_key_row none = from[0];

    for (size_t i = 0; i < count; i++) {
        hide = hide || from[i].hide;
        if (from[i].key.state == LK_KEY_UNREADABLE)
            none = from[i];
        if (from[i].key.state == LK_KEY_USABLE && kept < LK_POOL_MAX)
            to[kept++] = from[i];
    }
    if (kept == 0 && (hide || none.key.state == LK_KEY_UNREADABLE))
        to[kept++] = none;
    if (kept != 0)
        to[0].hide = hide;
    return kept;
}

llmgr_status lr_draft_keys(struct lm_manager *manager, const struct lm_catalogue *catalogue,
                           struct lr_draft *draft, struct llmgr_error *err)
{
    const struct lr_row *private = draft->rows[LR_ROW_PLATFORM];
    size_t kept = 0;

    if (!gather(draft))
        return lb_fail_memory(err);
    for (size_t i = 0, count; i < draft->key_count; i += count) {
        struct lr_key_row *keys = &draft->keys[i];
        const struct lb_str *origin = find_origin(catalogue, &private, keys);
        for (count = 1; i + count < draft->key_count; count++) {
            if (keys[count].platform_id != keys[0].platform_id)
                break;
        }
        if (origin == NULL)
            continue;
        llmgr_status status = take_keys(manager, draft, *origin, keys, count, err);
        if (status != LLMGR_OK)
            return status;
        kept += keep(&draft->keys[kept], keys, count);
    }
    draft->key_count = kept;
    for (size_t i = 0; i < kept; i++)
        draft->texts += draft->keys[i].key.record.size + draft->keys[i].key.account.size;
    return LLMGR_OK;
}
