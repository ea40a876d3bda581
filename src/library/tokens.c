/* SPDX-License-Identifier: MIT */
/* Tokens of the gateway for a host: the manager's rules in C strings. */
#include "library/tokens.h"

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

void llmgr_token_spec_init(struct llmgr_token_spec *spec)
{
    *spec = (struct llmgr_token_spec){.size = sizeof *spec, .expires_at_ms = LLMGR_UNSET};
}

static llmgr_status take_spec(const struct llmgr_token_spec *given, struct lw_token_spec *spec,
                              struct llmgr_error *err)
{
    if (given == NULL || given->size < sizeof *given)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the token was not described by %s"),
                       "llmgr_token_spec_init");
    *spec = (struct lw_token_spec){
        .kind = given->kind,
        .user = given->kind == LLMGR_TOKEN_USER ? la_user(given->user) : lb_cstr(NULL),
        .prefix = lb_cstr(given->prefix),
        .name = lb_cstr(given->name),
        .note = lb_cstr(given->note),
        .limits = {.expires_at_ms = given->expires_at_ms,
                   .allowed = {.platforms = lb_cstr(given->platforms),
                               .models = lb_cstr(given->models),
                               .routes = lb_cstr(given->routes)},
                   .networks = lb_cstr(given->networks)},
    };
    return LLMGR_OK;
}

llmgr_status llmgr_token_update(struct llmgr *manager, const char *user, int64_t token_id,
                                const struct llmgr_token_spec *given, struct llmgr_token *token,
                                struct llmgr_error *err)
{
    struct lw_token_spec spec;

    llmgr_status status = take_spec(given, &spec, err);
    if (status == LLMGR_OK)
        status = la_token_change(manager, lb_cstr(user), token_id, &spec, token, err);
    return status;
}

llmgr_status la_token_change(struct llmgr *manager, struct lb_str user, int64_t token_id,
                             const struct lw_token_spec *spec, struct llmgr_token *token,
                             struct llmgr_error *err)
{
    llmgr_status status = lw_token_change(manager->manager, user, token_id, spec, err);

    return status == LLMGR_OK && token != NULL ? read_back(manager, token_id, token, err) : status;
}

llmgr_status llmgr_token_create(struct llmgr *manager, const struct llmgr_token_spec *given,
                                char *text, size_t size, struct llmgr_token *token,
                                struct llmgr_error *err)
{
    struct lw_token_spec spec;

    if (size < LLMGR_TOKEN_ROOM)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("a token needs %d bytes of room"),
                       (int)LLMGR_TOKEN_ROOM);
    llmgr_status status = take_spec(given, &spec, err);
    return status == LLMGR_OK ? la_token_create(manager, &spec, text, token, err) : status;
}

llmgr_status la_token_create(struct llmgr *manager, const struct lw_token_spec *spec, char *text,
                             struct llmgr_token *token, struct llmgr_error *err)
{
    char made[LLMGR_TOKEN_ROOM];
    int64_t token_id;

    llmgr_status status = lw_token_create(manager->manager, spec, made, &token_id, err);
    if (status == LLMGR_OK && token != NULL) {
        status = read_back(manager, token_id, token, err);
        /* A token that nobody was told of must not stay valid. */
        if (status != LLMGR_OK &&
            lw_token_revoke(manager->manager, lb_cstr(NULL), token_id, NULL, NULL) != LLMGR_OK)
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

llmgr_status la_token_revoke(struct llmgr *manager, struct lb_str user, int64_t token_id,
                             const struct lw_limits *bound, struct llmgr_error *err)
{
    return lw_token_revoke(manager->manager, user, token_id, bound, err);
}

llmgr_status llmgr_token_revoke(struct llmgr *manager, const char *user, int64_t token_id,
                                struct llmgr_error *err)
{
    return la_token_revoke(manager, lb_cstr(user), token_id, NULL, err);
}
