/* SPDX-License-Identifier: MIT */
/* Origins and the judging of keys. See origin.h. */
#include "keys/origin.h"

#include "config/placeholder.h"
#include "http/url.h"
#include "vault/secret.h"

bool lk_origin(struct lb_arena *arena, struct lb_str base_url, struct lb_str *origin)
{
    struct lh_url url;
    char text[LH_ORIGIN_SIZE];

    *origin = (struct lb_str){0};
    if (base_url.size == 0 || lh_url_parse(base_url, &url) != LH_URL_OK)
        return true;
    *origin = lb_arena_str(arena, lb_str(text, lh_url_origin(&url, text)));
    return origin->p != NULL;
}

/* A placeholder is no key. */
static llmgr_status hold(const struct lk_keys *keys, const struct lk_key_place *place,
                         struct lb_arena *arena, struct lb_str clear, struct lk_pool_key *key,
                         struct llmgr_error *err)
{
    if (lc_is_placeholder(clear))
        return LLMGR_OK;
    llmgr_status status = lk_key_number(keys, place, clear, key, err);
    if (status == LLMGR_OK)
        status = lk_key_hold(keys, place, clear, arena, &key->record, err);
    if (status == LLMGR_OK)
        key->state = LK_KEY_USABLE;
    return status;
}

/* Opens a record; *opened is false, which is no error, if it does not open for its place. */
static llmgr_status open_record(const struct lk_keys *keys, const struct lk_key_place *place,
                                struct lb_str record, struct lv_secret *clear, bool *opened,
                                struct llmgr_error *err)
{
    struct llmgr_error own = {0};
    llmgr_status status = lk_key_open(keys, NULL, place, record, clear, &own);

    *opened = status == LLMGR_OK;
    if (status != LLMGR_OK && status != LLMGR_ERR_VAULT && err != NULL)
        *err = own;
    return status == LLMGR_ERR_VAULT ? LLMGR_OK : status;
}

llmgr_status lk_key_take(const struct lk_keys *keys, const struct lk_key_place *place,
                         struct lb_arena *arena, struct lk_pool_key *key, struct llmgr_error *err)
{
    struct lv_secret clear;
    bool opened;

    key->state = key->record.size == 0 ? LK_KEY_ABSENT : LK_KEY_UNREADABLE;
    if (key->record.size == 0 || place->origin.size == 0)
        return LLMGR_OK;
    struct lk_key_place stands = *place;
    if (key->is_further)
        stands.column = LK_KEY_FURTHER;
    llmgr_status status = open_record(keys, &stands, key->record, &clear, &opened, err);
    if (opened)
        status = hold(keys, place, arena, lv_secret_str(&clear), key, err);
    lv_secret_clear(&clear);
    return status;
}

llmgr_status lk_headers_take(const struct lk_keys *keys, const struct lk_key_place *place,
                             struct lb_arena *arena, struct lb_str *record,
                             enum lk_key_state *state, struct llmgr_error *err)
{
    struct lv_secret clear;
    bool opened;

    *state = record->size == 0 ? LK_KEY_ABSENT : LK_KEY_UNREADABLE;
    if (record->size == 0 || place->origin.size == 0)
        return LLMGR_OK;
    llmgr_status status = open_record(keys, place, *record, &clear, &opened, err);
    if (opened)
        status = lk_key_hold(keys, place, lv_secret_str(&clear), arena, record, err);
    if (opened && status == LLMGR_OK)
        *state = LK_KEY_USABLE;
    lv_secret_clear(&clear);
    return status;
}

size_t lk_pool_compact(struct lk_pool_key *keys, size_t count)
{
    size_t usable = 0;

    for (size_t i = 0; i < count; i++) {
        if (keys[i].state == LK_KEY_USABLE)
            keys[usable++] = keys[i];
    }
    return usable;
}
