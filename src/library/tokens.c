/* SPDX-License-Identifier: MIT */
/* Tokens of the gateway for a host: the manager's rules in C strings. */
#include "accounts/tokens.h"

#include <sodium.h>
#include <string.h>

#include "library/library.h"
#include "manager/manager.h"
#include "vault/token.h"

_Static_assert(LLMGR_TOKEN_ROOM > (int)LV_TOKEN_SIZE, "room for a token and its NUL");

static llmgr_status read_back(struct llmgr *manager, int64_t token_id, struct llmgr_token *token,
                              struct llmgr_error *err)
{
    struct llmgr_token_list list;

    llmgr_status status = llmgr_token_list(manager, NULL, token_id - 1, 1, &list, err);
    if (status != LLMGR_OK)
        return status;
    if (list.count == 0 || list.items[0].token_id != token_id) {
        llmgr_token_list_clear(&list);
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no token %lld"), (long long)token_id);
    }
    *token = list.items[0];
    token->memory = list.memory;
    return LLMGR_OK;
}

llmgr_status llmgr_token_create(struct llmgr *manager, llmgr_token_kind kind, const char *user,
                                const char *name, const char *prefix, char *text, size_t size,
                                struct llmgr_token *token, struct llmgr_error *err)
{
    const struct lw_token_spec spec = {
        .kind = kind,
        .name = lb_cstr(name),
        .user = kind == LLMGR_TOKEN_USER ? la_user(user) : lb_cstr(NULL),
        .prefix = lb_cstr(prefix),
    };
    char made[LLMGR_TOKEN_ROOM];
    int64_t token_id;

    if (size < LLMGR_TOKEN_ROOM)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("a token needs %d bytes of room"),
                       (int)LLMGR_TOKEN_ROOM);
    llmgr_status status = lw_token_create(manager->manager, &spec, made, &token_id, err);
    if (status == LLMGR_OK && token != NULL) {
        status = read_back(manager, token_id, token, err);
        /* A token that nobody was told of must not stay valid. */
        if (status != LLMGR_OK &&
            lw_token_revoke(manager->manager, lb_cstr(NULL), token_id, NULL) != LLMGR_OK)
            lb_warn(&manager->host, "token %lld was made, told nobody and could not be revoked",
                    (long long)token_id);
    }
    if (status == LLMGR_OK)
        memcpy(text, made, LV_TOKEN_SIZE + 1);
    sodium_memzero(made, sizeof made);
    return status;
}

llmgr_status llmgr_token_list(struct llmgr *manager, const char *user, int64_t after_id,
                              size_t limit, struct llmgr_token_list *list, struct llmgr_error *err)
{
    struct la_result *result = la_result_new(&manager->host);
    struct llmgr_token_list made = {.memory = result};

    if (result == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lw_token_list(manager->manager, lb_cstr(user), after_id, limit,
                                        &result->arena, &made.items, &made.count, err);
    if (status != LLMGR_OK) {
        la_result_free(result);
        return status;
    }
    *list = made;
    return LLMGR_OK;
}

llmgr_status llmgr_token_revoke(struct llmgr *manager, const char *user, int64_t token_id,
                                struct llmgr_error *err)
{
    return lw_token_revoke(manager->manager, lb_cstr(user), token_id, err);
}
