/* SPDX-License-Identifier: MIT */
/*
 * /api/tokens. A token never exceeds its maker: users make tokens of their own, only an
 * administrator makes the others, and an application makes none, for what it made would outlive it.
 * What narrows the caller's token narrows what it makes and changes.
 */
#include "documents/write.h"
#include "library/tokens.h"
#include "management/operation.h"
#include "management/operations.h"

static llmgr_status read_after(const struct lp_api *api, int64_t *after, struct llmgr_error *err)
{
    struct lb_str text = api->query[LP_QUERY_AFTER];

    *after = 0;
    if (text.p == NULL || (lb_str_to_i64(text, after) && *after >= 0))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("'after' must be what `next` of a page said"));
}

/* One more was asked for than the page holds: is it there? */
static json_t *page_of(struct lp_api *api, const struct llmgr_token_list *list)
{
    size_t count = list->count > api->limit ? api->limit : list->count;

    if (count < list->count)
        api->next =
            lb_arena_printf(api->call->arena, "%lld", (long long)list->items[count - 1].token_id);
    return lx_list_token(NULL, list->items, count);
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    const char *user = api->everybody ? NULL : api->user;
    struct llmgr_token_list tokens;
    int64_t after;

    /* The library's pages end at 1000, so one more must still fit. */
    api->limit = api->limit < 1000 ? api->limit : 999;
    llmgr_status status = read_after(api, &after, err);
    if (status == LLMGR_OK)
        status = llmgr_token_list(api->manager, user, after, api->limit + 1, &tokens, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_page(api, page_of(api, &tokens), err);
    llmgr_token_list_clear(&tokens);
    return status;
}

static llmgr_status may_issue(const struct lp_api *api, llmgr_token_kind kind,
                              struct llmgr_error *err)
{
    if (api->is_admin)
        return LLMGR_OK;
    if (api->call->caller->kind == LP_CALLER_APP)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("an application's token issues no tokens; ask an administrator"));
    if (kind != LLMGR_TOKEN_USER)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("only an administrator issues tokens of kind '%s'"),
                       llmgr_token_kind_name(kind));
    return LLMGR_OK;
}

/* What the body says of a new token or of one that is there. */
static struct lw_token_spec take_spec(const struct lp_api *api)
{
    int64_t end;

    return (struct lw_token_spec){
        .name = lb_cstr(lp_api_text(api, "name")),
        .note = lb_cstr(lp_api_text(api, "note")),
        .limits = {.expires_at_ms =
                       lp_api_count(api, "expires_at_ms", &end) != NULL ? end : LLMGR_UNSET,
                   .allowed = {.platforms = lb_cstr(lp_api_text(api, "platforms")),
                               .models = lb_cstr(lp_api_text(api, "models")),
                               .routes = lb_cstr(lp_api_text(api, "routes"))},
                   .networks = lb_cstr(lp_api_text(api, "networks"))},
        .bound = api->call->caller->limits,
        .maker_id = api->call->caller->token_id,
    };
}

static llmgr_status add(struct lp_api *api, struct llmgr_error *err)
{
    const char *kind_name = lp_api_text(api, "kind");
    llmgr_token_kind kind = LLMGR_TOKEN_USER;
    char text[LLMGR_TOKEN_ROOM];
    struct lx_new_token made = {.text = text};

    if (kind_name != NULL && !llmgr_token_kind_parse(kind_name, &kind))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be one of: %s"), "kind",
                       LX_TOKEN_KINDS);
    struct lw_token_spec spec = take_spec(api);
    spec.kind = kind;
    spec.user = kind == LLMGR_TOKEN_USER ? la_user(api->user) : lb_cstr(NULL);
    spec.prefix = lb_cstr(lp_api_text(api, "prefix"));
    llmgr_status status = may_issue(api, kind, err);
    if (status == LLMGR_OK)
        status = la_token_create(api->manager, &spec, text, &made.token, err);
    if (status != LLMGR_OK)
        return status;
    json_t *answer = lx_json_new_token(&made);
    llmgr_wipe(text, sizeof text);
    api->location =
        lb_arena_printf(api->call->arena, "/api/tokens/%lld", (long long)made.token.token_id);
    llmgr_token_clear(&made.token);
    return lp_api_answer(api, answer, err);
}

/* What an application changed would outlive it, too. Others' tokens are not there, as ever. */
static llmgr_status refuse_app(const struct lp_api *api, int64_t id, struct llmgr_error *err)
{
    struct llmgr_token_list list;

    llmgr_status status = llmgr_token_list(api->manager, api->user, id - 1, 1, &list, err);
    if (status != LLMGR_OK)
        return status;
    const bool is_there = list.count != 0 && list.items[0].token_id == id;
    llmgr_token_list_clear(&list);
    if (!is_there)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no token %lld"), (long long)id);
    return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                   N_("an application's token changes no tokens; ask an administrator"));
}

static llmgr_status change(struct lp_api *api, struct llmgr_error *err)
{
    const struct lw_token_spec spec = take_spec(api);
    struct llmgr_token token;
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK && api->call->caller->kind == LP_CALLER_APP)
        status = refuse_app(api, id, err);
    if (status == LLMGR_OK)
        status = la_token_change(api->manager, lb_cstr(api->everybody ? NULL : api->user), id,
                                 &spec, &token, err);
    if (status != LLMGR_OK)
        return status;
    json_t *answer = lx_json_token(&token);
    llmgr_token_clear(&token);
    return lp_api_answer(api, answer, err);
}

static llmgr_status revoke(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = la_token_revoke(api->manager, lb_cstr(api->everybody ? NULL : api->user), id,
                                 api->call->caller->limits, err);
    return status;
}

LP_API_HANDLER(tokens_list, list)
LP_API_HANDLER(tokens_add, add)
LP_API_HANDLER(tokens_change, change)
LP_API_HANDLER(tokens_revoke, revoke)
