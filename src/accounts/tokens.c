/* SPDX-License-Identifier: MIT */
/* Tokens in the database: listed, read. How they get there: token_write.c. */
#include "accounts/tokens.h"

#include <stdio.h>
#include <string.h>

#include "accounts/tokens_int.h"
#include "base/error.h"
#include "manager/access.h"
#include "manager/handle.h"
#include "resolve/scene.h"
#include "store/store.h"
#include "vault/token.h"

_Static_assert((int)LW_TOKEN_DIGEST_SIZE == (int)LV_TOKEN_DIGEST_SIZE, "the vault's digest");

enum { LIST_MAX = 1000, HOUR_MS = 60 * 60 * 1000 };

struct lb_str lw_token_change_name(int64_t token_id, char text[LW_CHANGE_NAME_SIZE])
{
    snprintf(text, LW_CHANGE_NAME_SIZE, "\x01token:%lld", (long long)token_id);
    return lb_cstr(text);
}

static const char *const KINDS[] = {
#define KIND_NAME(name, number, text) [number] = (text),
    LLMGR_TOKEN_KIND_MAP(KIND_NAME)
#undef KIND_NAME
};
enum { KIND_COUNT = sizeof KINDS / sizeof KINDS[0] };

const char *llmgr_token_kind_name(llmgr_token_kind kind)
{
    return (unsigned)kind < KIND_COUNT ? KINDS[kind] : NULL;
}

static bool kind_of(struct lb_str name, llmgr_token_kind *kind)
{
    for (unsigned i = 0; i < KIND_COUNT; i++) {
        if (lb_str_eq_c(name, KINDS[i])) {
            *kind = (llmgr_token_kind)i;
            return true;
        }
    }
    return false;
}

bool llmgr_token_kind_parse(const char *name, llmgr_token_kind *kind)
{
    return kind_of(lb_cstr(name), kind);
}

bool lw_token_digest(struct lb_str text, unsigned char digest[LW_TOKEN_DIGEST_SIZE])
{
    if (!lv_token_valid(text))
        return false;
    lv_token_digest(text, digest);
    return true;
}

/* ---- What a token may do --------------------------------------------------------------------- */

llmgr_status lw_token_acts_as(const struct lw_token *token, struct lb_str user,
                              struct lb_str *acting, struct llmgr_error *err)
{
    if (!token->known)
        return lb_fail(err, LLMGR_ERR_UNAUTHORIZED, N_("the token is not known"));
    if (token->kind == LLMGR_TOKEN_USER) {
        if (user.size != 0 && !lb_str_eq(user, token->user))
            return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                           N_("a user's token acts as its own user only; name no other"));
        *acting = token->user;
        return LLMGR_OK;
    }
    if (user.size == 0 && token->kind == LLMGR_TOKEN_APP)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("an application's token must name the user it acts for"));
    if (user.size == 0) {
        *acting = LB_STR(LLMGR_SYSTEM_USER);
        return LLMGR_OK;
    }
    llmgr_status status = lm_check_user(user, err);
    if (status != LLMGR_OK)
        return status;
    if (token->kind == LLMGR_TOKEN_APP &&
        (lm_is_system_user(user) || !lb_str_starts(user, token->prefix)))
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("this application's token may not act for that user"));
    *acting = user;
    return LLMGR_OK;
}

/* ---- Listing --------------------------------------------------------------------------------- */

struct listing {
    struct lb_str user;
    int64_t after_id;
    size_t limit;
    struct lb_arena *arena;
    struct llmgr_token *items;
    size_t count;
};

/* NULL where there is none. */
static bool keep_optional(struct lb_arena *arena, struct lb_str text, const char **kept)
{
    *kept = text.size != 0 ? lr_keep_text(arena, text) : NULL;
    return text.size == 0 || *kept != NULL;
}

static bool read_item(const struct ls_rows *rows, struct lb_arena *arena, struct llmgr_token *item)
{
    *item = (struct llmgr_token){
        .token_id = ls_column_int(rows, 0),
        .name = lr_keep_text(arena, ls_column_text(rows, 2)),
        .created_at_ms = ls_column_int(rows, 5),
        .revoked = !ls_column_is_null(rows, 6),
        .revoked_at_ms = ls_column_int(rows, 6),
        .expires_at_ms = ls_column_int(rows, 7),
        .last_used_at_ms = ls_column_int(rows, 13),
    };
    const char **const texts[] = {
        &item->user,   &item->prefix,   NULL,       NULL, NULL, &item->platforms, &item->models,
        &item->routes, &item->networks, &item->note};
    /* A kind that a newer program brought: least surprising is the least powerful. */
    if (!kind_of(ls_column_text(rows, 1), &item->kind))
        item->kind = LLMGR_TOKEN_USER;
    for (int i = 0; i < (int)(sizeof texts / sizeof texts[0]); i++) {
        if (texts[i] != NULL && !keep_optional(arena, ls_column_text(rows, i + 3), texts[i]))
            return false;
    }
    return item->name != NULL;
}

static llmgr_status take_item(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct listing *run = context;

    if (run->count == run->limit)
        return LLMGR_OK;
    if (!read_item(row, run->arena, &run->items[run->count]))
        return lb_fail_memory(err);
    run->count++;
    return LLMGR_OK;
}

static llmgr_status list_rows(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct listing *run = context;
    const struct ls_value values[] = {ls_int(run->after_id), ls_int((int64_t)run->limit),
                                      ls_text(run->user)};

    run->count = 0;
    if (run->user.size != 0)
        return ls_each(tx, LS_TOKEN_LIST_USER, values, 3, take_item, run, err);
    return ls_each(tx, LS_TOKEN_LIST, values, 2, take_item, run, err);
}

llmgr_status lw_token_list(struct lm_manager *manager, struct lb_str user, int64_t after_id,
                           size_t limit, struct lb_arena *arena, struct llmgr_token **items,
                           size_t *count, struct llmgr_error *err)
{
    if (limit == 0 || limit > LIST_MAX)
        limit = LIST_MAX;
    struct listing run = {.user = user,
                          .after_id = after_id,
                          .limit = limit,
                          .arena = arena,
                          .items = lb_arena_calloc(arena, limit, sizeof *run.items)};
    if (run.items == NULL)
        return lb_fail_memory(err);
    llmgr_status status = ls_transact(manager->store, LS_READ_ONE, list_rows, &run, err);
    if (status != LLMGR_OK)
        return status;
    *items = run.items;
    *count = run.count;
    return LLMGR_OK;
}

/* ---- Reading --------------------------------------------------------------------------------- */

static llmgr_status count_admins(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct ls_rows rows;

    int64_t *count = context; /* on entry the time */

    llmgr_status status = ls_get(tx, LS_TOKEN_ADMINS, LS_ARGS(ls_int(*count)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    *count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    return LLMGR_OK;
}

llmgr_status lw_token_has_admin(struct lm_manager *manager, bool *has, struct llmgr_error *err)
{
    int64_t count = lb_now_ms(manager->host);

    llmgr_status status = ls_transact(manager->store, LS_READ_ONE, count_admins, &count, err);
    if (status == LLMGR_OK)
        *has = count != 0;
    return status;
}

struct loading {
    struct lm_manager *manager;
    const unsigned char *digest;
    struct lm_point known;  /* when reading began */
    bool stale;             /* where it was read that change is not there */
    struct lw_token *token; /* NULL: not known */
};

enum { TOKEN_TEXTS = 7 };

/* One block: the token and its texts. */
static struct lw_token *make_token(struct lm_manager *manager,
                                   const struct lb_str from[TOKEN_TEXTS])
{
    size_t size = sizeof(struct lw_token);

    for (size_t i = 0; i < TOKEN_TEXTS; i++)
        size += from[i].size;
    struct lw_token *token = lb_alloc(manager->host, size);
    if (token == NULL)
        return NULL;
    char *at = (char *)(token + 1);
    struct lr_allowed *allowed = &token->limits.allowed;
    struct lb_str *const to[TOKEN_TEXTS] = {
        &token->name,     &token->user,     &token->prefix,         &allowed->platforms,
        &allowed->models, &allowed->routes, &token->limits.networks};
    *token = (struct lw_token){.size = size};
    for (size_t i = 0; i < TOKEN_TEXTS; i++) {
        if (from[i].size != 0)
            memcpy(at, from[i].p, from[i].size);
        *to[i] = lb_str(at, from[i].size);
        at += from[i].size;
    }
    return token;
}

/* The index found it; that it is the same to the last byte is judged here, in constant time. */
static llmgr_status read_token(const struct ls_rows *rows, struct loading *run,
                               struct llmgr_error *err)
{
    struct lb_str digest = ls_column_blob(rows, 2);
    llmgr_token_kind kind;

    run->stale = ls_column_int(rows, 0) != run->known.mark;
    if (run->stale || ls_column_is_null(rows, 1))
        return LLMGR_OK;
    if (digest.size != LW_TOKEN_DIGEST_SIZE ||
        !lv_token_digest_equal((const unsigned char *)digest.p, run->digest))
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s holds a token that is not the one asked for; check it with "
                          "\"llmgr db check\""),
                       ls_place(run->manager->store));
    if (!kind_of(ls_column_text(rows, 3), &kind))
        return LLMGR_OK;
    const struct lb_str texts[TOKEN_TEXTS] = {ls_column_text(rows, 4), ls_column_text(rows, 5),
                                              ls_column_text(rows, 6), ls_column_text(rows, 8),
                                              ls_column_text(rows, 9), ls_column_text(rows, 10),
                                              ls_column_text(rows, 11)};
    struct lw_token *token = make_token(run->manager, texts);
    if (token == NULL)
        return lb_fail_memory(err);
    token->id = ls_column_int(rows, 1);
    token->kind = kind;
    token->known = true;
    token->limits.expires_at_ms = ls_column_int(rows, 7);
    token->is_limited = !lw_limits_are_none(&token->limits);
    token->used_hour = (uint32_t)(ls_column_int(rows, 12) / HOUR_MS);
    run->token = token;
    return LLMGR_OK;
}

static llmgr_status find_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct loading *run = context;
    struct ls_rows rows;

    llmgr_status status =
        ls_get(tx, LS_TOKEN_FIND,
               LS_ARGS(ls_blob(run->digest, LW_TOKEN_DIGEST_SIZE), ls_int(run->known.revision)),
               &rows, err);
    if (status != LLMGR_OK)
        return status;
    status = read_token(&rows, run, err);
    ls_rows_end(&rows);
    return status;
}

llmgr_status lw_token_load(struct lm_manager *manager,
                           const unsigned char digest[LW_TOKEN_DIGEST_SIZE],
                           struct lw_token **token, struct llmgr_error *err)
{
    struct loading run = {.manager = manager, .digest = digest};
    char name[LW_CHANGE_NAME_SIZE];
    uint64_t sequence = 0;

    llmgr_status status = lm_keep_fresh(manager, err);
    for (int tries = 0; status == LLMGR_OK; tries++) {
        sequence = lm_changes_sequence(&manager->changes);
        run.known = lm_known(manager);
        status = ls_transact(manager->store, LS_READ_SOON, find_row, &run, err);
        if (status != LLMGR_OK || !run.stale)
            break;
        status = lm_read_stale(manager, tries, err);
    }
    if (status == LLMGR_OK && run.token == NULL) {
        run.token = make_token(manager, (const struct lb_str[TOKEN_TEXTS]){{0}});
        if (run.token == NULL)
            status = lb_fail_memory(err);
    }
    if (status != LLMGR_OK)
        return status;
    memcpy(run.token->digest, digest, LW_TOKEN_DIGEST_SIZE);
    run.token->sequence = sequence;
    run.token->change = lm_user_hash(manager, lw_token_change_name(run.token->id, name));
    *token = run.token;
    return LLMGR_OK;
}

void lw_token_free(struct lm_manager *manager, struct lw_token *token)
{
    lb_free(manager->host, token);
}
