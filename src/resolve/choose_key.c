/* SPDX-License-Identifier: MIT */
/* Whose keys are used on a platform. See choose.h. */
#include "resolve/choose.h"

bool lr_private_allowed(const struct lm_options *options)
{
    return options->mode == LLMGR_MODE_CUSTOM;
}

static struct lr_key_choice no_key(enum lk_key_state state)
{
    return (struct lr_key_choice){.reason = state == LK_KEY_UNREADABLE ? LR_REASON_KEY_UNREADABLE
                                                                       : LR_REASON_NO_KEY};
}

static struct lr_key_choice own_keys(const struct lr_own_key *own)
{
    return (struct lr_key_choice){.payer = LM_PAYER_USER, .own = own, .count = own->count};
}

struct lr_key_choice lr_server_keys(const struct lm_platform *platform)
{
    if (!platform->is_sys || platform->key_state != LK_KEY_USABLE)
        return no_key(platform->is_sys ? platform->key_state : LK_KEY_ABSENT);
    return (struct lr_key_choice){
        .payer = LM_PAYER_SYSTEM, .server = platform->keys, .count = platform->key_count};
}

struct lr_key_choice lr_choose_key(const struct lr_scene *scene, const struct lm_platform *platform)
{
    const struct lr_own_key *own = lr_profile_key(scene->profile, platform->id);
    enum lk_key_state own_state = own != NULL ? (enum lk_key_state)own->state : LK_KEY_ABSENT;

    if (own_state == LK_KEY_USABLE)
        return own_keys(own);
    if (!platform->is_sys)
        return no_key(own_state);
    bool allowed = scene->options->auto_key || scene->is_system;
    if (platform->key_state == LK_KEY_USABLE && allowed)
        return lr_server_keys(platform);
    if (own_state == LK_KEY_UNREADABLE)
        return no_key(own_state);
    if (platform->key_state == LK_KEY_USABLE)
        return (struct lr_key_choice){.reason = LR_REASON_AUTO_KEY_OFF};
    return no_key(allowed ? platform->key_state : LK_KEY_ABSENT);
}

struct lk_pool_key lr_key_at(const struct lr_scene *scene, const struct lr_key_choice *choice,
                             uint32_t at)
{
    return choice->own != NULL ? lr_profile_pool_key(scene->profile, &choice->own[at])
                               : choice->server[at];
}
