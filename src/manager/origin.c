/* SPDX-License-Identifier: MIT */
/* Origins and the judging of keys. See origin.h. */
#include "manager/origin.h"

#include "config/placeholder.h"
#include "http/url.h"
#include "vault/secret.h"

bool lm_origin(struct lb_arena *arena, struct lb_str base_url, struct lb_str *origin)
{
    struct lh_url url;
    char text[LH_ORIGIN_SIZE];

    *origin = (struct lb_str){0};
    if (base_url.size == 0 || lh_url_parse(base_url, &url) != LH_URL_OK)
        return true;
    *origin = lb_arena_str(arena, lb_str(text, lh_url_origin(&url, text)));
    return origin->p != NULL;
}

llmgr_status lm_key_judge(struct lm_manager *manager, const struct lm_key_place *place,
                          struct lb_str record, enum lm_key_state *state, struct llmgr_error *err)
{
    struct lv_secret key;
    struct llmgr_error own = {0};

    if (record.size == 0) {
        *state = LM_KEY_ABSENT;
        return LLMGR_OK;
    }
    if (place->origin.size == 0) {
        *state = LM_KEY_UNREADABLE;
        return LLMGR_OK;
    }
    llmgr_status status = lm_key_open(manager, NULL, place, record, &key, &own);
    if (status == LLMGR_OK)
        *state = lc_is_placeholder(lv_secret_str(&key)) ? LM_KEY_UNREADABLE : LM_KEY_USABLE;
    else if (status == LLMGR_ERR_VAULT)
        *state = LM_KEY_UNREADABLE;
    else if (err != NULL)
        *err = own;
    lv_secret_clear(&key);
    return status == LLMGR_ERR_VAULT ? LLMGR_OK : status;
}
