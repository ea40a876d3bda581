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
                         struct lb_arena *arena, struct lb_str clear, struct lb_str *key,
                         enum lk_key_state *state, struct llmgr_error *err)
{
    if (lc_is_placeholder(clear)) {
        *state = LK_KEY_UNREADABLE;
        return LLMGR_OK;
    }
    *state = LK_KEY_USABLE;
    return lk_key_hold(keys, place, clear, arena, key, err);
}

llmgr_status lk_key_take(const struct lk_keys *keys, const struct lk_key_place *place,
                         struct lb_arena *arena, struct lb_str *key, enum lk_key_state *state,
                         struct llmgr_error *err)
{
    struct lv_secret clear;
    struct llmgr_error own = {0};

    *state = key->size == 0 ? LK_KEY_ABSENT : LK_KEY_UNREADABLE;
    if (key->size == 0 || place->origin.size == 0)
        return LLMGR_OK;
    llmgr_status status = lk_key_open(keys, NULL, place, *key, &clear, &own);
    if (status == LLMGR_OK)
        status = hold(keys, place, arena, lv_secret_str(&clear), key, state, err);
    else if (status == LLMGR_ERR_VAULT)
        status = LLMGR_OK;
    else if (err != NULL)
        *err = own;
    lv_secret_clear(&clear);
    return status;
}
