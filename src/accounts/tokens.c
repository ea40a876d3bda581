/* SPDX-License-Identifier: MIT */
/*
 * Tokens in the database: issued, listed, revoked, read. A revocation is a change like any other
 * (llm_changes), announced under a name that no user can have, since a control character begins
 * it; so it reaches the token caches of every process by the road that profiles use.
 */
#include "accounts/tokens.h"

#include <sodium.h>
#include <stdio.h>

#include "base/error.h"
#include "manager/access.h"
#include "manager/handle.h"
#include "resolve/scene.h"
#include "store/store.h"
#include "vault/token.h"

_Static_assert((int)LW_TOKEN_DIGEST_SIZE == (int)LV_TOKEN_DIGEST_SIZE, "the vault's digest");

enum { CHANGE_NAME_SIZE = 32, LIST_MAX = 1000 };

static struct lb_str change_name(int64_t token_id, char text[CHANGE_NAME_SIZE])
{
    snprintf(text, CHANGE_NAME_SIZE, "\x01token:%lld", (long long)token_id);
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

/* ---- Issuing --------------------------------------------------------------------------------- */

struct issue {
    const struct lw_token_spec *spec;
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    int64_t now_ms;
    int64_t id;
};

static llmgr_status check_spec(const struct lw_token_spec *spec, struct llmgr_error *err)
{
    if (llmgr_token_kind_name(spec->kind) == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("there is no such kind of token"));
    if (spec->name.size != 0 && !lb_utf8_name(spec->name, LW_TOKEN_NAME_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the token's name is not valid: up to %d bytes of UTF-8 without control "
                          "characters"),
                       (int)LW_TOKEN_NAME_MAX);
    if (spec->prefix.size != 0 && spec->kind != LLMGR_TOKEN_APP)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("only an application's token (kind app) can have a prefix"));
    if (spec->prefix.size != 0 && !lb_utf8_name(spec->prefix, LW_TOKEN_PREFIX_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the prefix is not valid: up to %d bytes of UTF-8 without control "
                          "characters"),
                       (int)LW_TOKEN_PREFIX_MAX);
    if (spec->kind != LLMGR_TOKEN_USER && spec->user.size != 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("only a user's token (kind user) belongs to a user"));
    return spec->kind == LLMGR_TOKEN_USER ? lm_check_user(spec->user, err) : LLMGR_OK;
}

static llmgr_status issue_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct issue *issue = context;
    const struct lw_token_spec *spec = issue->spec;
    struct ls_rows rows;

    llmgr_status status = ls_get(tx, LS_TOKEN_COUNT, LS_ARGS(ls_text(spec->user)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    int64_t count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    if (count >= LW_TOKENS_PER_USER)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("there are %d tokens already; revoke some that are not used"),
                       (int)LW_TOKENS_PER_USER);
    return ls_insert(tx, LS_TOKEN_ADD,
                     LS_ARGS(ls_blob(issue->digest, sizeof issue->digest),
                             ls_cstr(llmgr_token_kind_name(spec->kind)), ls_text(spec->name),
                             ls_text(spec->user), ls_text(spec->prefix), ls_int(issue->now_ms)),
                     &issue->id, err);
}

llmgr_status lw_token_create(struct lm_manager *manager, const struct lw_token_spec *spec,
                             char *token, int64_t *token_id, struct llmgr_error *err)
{
    struct issue run = {.spec = spec, .now_ms = lb_now_ms(manager->host)};
    char made[LV_TOKEN_SIZE + 1];

    llmgr_status status = check_spec(spec, err);
    if (status != LLMGR_OK)
        return status;
    lv_token_new(made);
    lv_token_digest(lb_str(made, LV_TOKEN_SIZE), run.digest);
    /* Nobody can have asked for it yet, so whom the change concerns matters to no cache. */
    status = lm_write(manager, LB_STR("\x01tokens"), issue_row, &run, err);
    if (status == LLMGR_OK) {
        memcpy(token, made, sizeof made);
        *token_id = run.id;
    }
    sodium_memzero(made, sizeof made);
    return status;
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

static bool read_item(const struct ls_rows *rows, struct lb_arena *arena, struct llmgr_token *item)
{
    struct lb_str user = ls_column_text(rows, 3);
    struct lb_str prefix = ls_column_text(rows, 4);

    *item = (struct llmgr_token){
        .token_id = ls_column_int(rows, 0),
        .name = lr_keep_text(arena, ls_column_text(rows, 2)),
        .user = user.size != 0 ? lr_keep_text(arena, user) : NULL,
        .prefix = prefix.size != 0 ? lr_keep_text(arena, prefix) : NULL,
        .created_at_ms = ls_column_int(rows, 5),
        .revoked = !ls_column_is_null(rows, 6),
        .revoked_at_ms = ls_column_int(rows, 6),
    };
    /* A kind that a newer program brought: least surprising is the least powerful. */
    if (!kind_of(ls_column_text(rows, 1), &item->kind))
        item->kind = LLMGR_TOKEN_USER;
    return item->name != NULL && (user.size == 0 || item->user != NULL) &&
           (prefix.size == 0 || item->prefix != NULL);
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

/* ---- Revoking -------------------------------------------------------------------------------- */

struct revocation {
    struct lb_str user;
    int64_t id;
    int64_t now_ms;
};

static llmgr_status revoke_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct revocation *run = context;
    struct ls_rows rows;
    bool found = false;

    llmgr_status status = ls_find(tx, LS_TOKEN_OWNER, LS_ARGS(ls_int(run->id)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    bool theirs = found && (run->user.size == 0 || lb_str_eq(ls_column_text(&rows, 0), run->user));
    if (found)
        ls_rows_end(&rows);
    if (!theirs)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no token %lld"), (long long)run->id);
    return ls_exec(tx, LS_TOKEN_REVOKE, LS_ARGS(ls_int(run->id), ls_int(run->now_ms)), NULL, err);
}

llmgr_status lw_token_revoke(struct lm_manager *manager, struct lb_str user, int64_t token_id,
                             struct llmgr_error *err)
{
    struct revocation run = {.user = user, .id = token_id, .now_ms = lb_now_ms(manager->host)};
    char name[CHANGE_NAME_SIZE];

    return lm_revoke(manager, change_name(token_id, name), revoke_row, &run, err);
}

/* ---- Reading --------------------------------------------------------------------------------- */

static llmgr_status count_admins(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct ls_rows rows;

    llmgr_status status = ls_get(tx, LS_TOKEN_ADMINS, NULL, 0, &rows, err);
    if (status != LLMGR_OK)
        return status;
    *(int64_t *)context = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    return LLMGR_OK;
}

llmgr_status lw_token_has_admin(struct lm_manager *manager, bool *has, struct llmgr_error *err)
{
    int64_t count = 0;

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

/* One block: the token and its three texts. */
static struct lw_token *make_token(struct lm_manager *manager, struct lb_str name,
                                   struct lb_str user, struct lb_str prefix)
{
    struct lw_token *token =
        lb_alloc(manager->host, sizeof *token + name.size + user.size + prefix.size);

    if (token == NULL)
        return NULL;
    char *at = (char *)(token + 1);
    struct lb_str *const to[] = {&token->name, &token->user, &token->prefix};
    const struct lb_str from[] = {name, user, prefix};
    *token = (struct lw_token){.id = 0};
    for (size_t i = 0; i < 3; i++) {
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
    run->token = make_token(run->manager, ls_column_text(rows, 4), ls_column_text(rows, 5),
                            ls_column_text(rows, 6));
    if (run->token == NULL)
        return lb_fail_memory(err);
    run->token->id = ls_column_int(rows, 1);
    run->token->kind = kind;
    run->token->known = true;
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
    char name[CHANGE_NAME_SIZE];
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
        run.token = make_token(manager, LB_STR(""), LB_STR(""), LB_STR(""));
        if (run.token == NULL)
            status = lb_fail_memory(err);
    }
    if (status != LLMGR_OK)
        return status;
    memcpy(run.token->digest, digest, LW_TOKEN_DIGEST_SIZE);
    run.token->sequence = sequence;
    run.token->change = lm_user_hash(manager, change_name(run.token->id, name));
    *token = run.token;
    return LLMGR_OK;
}

void lw_token_free(struct lm_manager *manager, struct lw_token *token)
{
    lb_free(manager->host, token);
}
