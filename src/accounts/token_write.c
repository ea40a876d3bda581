/* SPDX-License-Identifier: MIT */
/*
 * Tokens issued, changed, revoked. Both of the latter are changes like any other (llm_changes),
 * announced under a name that no user can have, since a control character begins it; so they reach
 * the token caches of every process by the road that profiles use.
 */
#include <sodium.h>
#include <string.h>

#include "accounts/tokens.h"
#include "accounts/tokens_int.h"
#include "base/error.h"
#include "manager/access.h"
#include "manager/handle.h"
#include "store/store.h"
#include "vault/token.h"

/* Bytes for the texts of one token: its lists, as given, as stored and as they were. */
enum { TEXTS_MAX = 256 << 10 };

/* ---- What is asked for ----------------------------------------------------------------------- */

/* What is for people, of a new token and of a change. */
static llmgr_status check_words(const struct lw_token_spec *spec, struct llmgr_error *err)
{
    if (spec->name.size != 0 && !lb_utf8_name(spec->name, LW_TOKEN_NAME_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the token's name is not valid: up to %d bytes of UTF-8 without control "
                          "characters"),
                       (int)LW_TOKEN_NAME_MAX);
    if (spec->note.size != 0 && !lb_utf8_name(spec->note, LW_TOKEN_NOTE_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the note is not valid: up to %d bytes of UTF-8 without control "
                          "characters"),
                       (int)LW_TOKEN_NOTE_MAX);
    return LLMGR_OK;
}

static llmgr_status check_spec(const struct lw_token_spec *spec, struct llmgr_error *err)
{
    if (llmgr_token_kind_name(spec->kind) == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("there is no such kind of token"));
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
    llmgr_status status = check_words(spec, err);
    if (status != LLMGR_OK || spec->kind != LLMGR_TOKEN_USER)
        return status;
    return lm_check_user(spec->user, err);
}

static struct lb_str given_or(struct lb_str given, struct lb_str otherwise)
{
    return given.p != NULL ? given : otherwise;
}

/*
 * The limits that a token will have: what is given, of the rest what it had. They must lie within
 * those of whoever asks.
 */
static llmgr_status merge_limits(const struct lw_token_spec *spec, const struct lw_limits *had,
                                 int64_t now_ms, struct lb_arena *arena, struct lw_limits *made,
                                 struct llmgr_error *err)
{
    const struct lw_limits *given = &spec->limits;
    const bool has_end = given->expires_at_ms != LLMGR_UNSET;
    const struct lw_limits merged = {
        .expires_at_ms = has_end ? given->expires_at_ms : had->expires_at_ms,
        .allowed = {.platforms = given_or(given->allowed.platforms, had->allowed.platforms),
                    .models = given_or(given->allowed.models, had->allowed.models),
                    .routes = given_or(given->allowed.routes, had->allowed.routes)},
        .networks = given_or(given->networks, had->networks),
    };

    /* An end that is not given may have passed. */
    llmgr_status status = lw_limits_make(&merged, has_end ? now_ms : 0, arena, made, err);
    if (status != LLMGR_OK || spec->bound == NULL)
        return status;
    return lw_limits_within(made, spec->bound, err);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* For the texts of one token's limits. */
static void begin_texts(const struct lm_manager *manager, struct lb_arena *arena)
{
    lb_arena_init(arena, manager->host, NULL, 0, TEXTS_MAX);
}

struct changing {
    struct lm_manager *manager;
    const struct lw_token_spec *spec;
    struct lb_str user;
    int64_t id;
    int64_t now_ms;
};

/* What the token has by now; texts in `arena`. */
struct token_row {
    struct lw_limits limits;
    struct lb_str name, note;
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
};

static llmgr_status fail_no_token(int64_t id, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no token %lld"), (long long)id);
}

/* Columns that stand together in each statement, from `at` on. False: memory. */
static bool keep_limits(const struct ls_rows *rows, int at, struct lb_arena *arena,
                        struct lw_limits *limits)
{
    limits->expires_at_ms = ls_column_int(rows, at);
    limits->allowed.platforms = lb_arena_str(arena, ls_column_text(rows, at + 1));
    limits->allowed.models = lb_arena_str(arena, ls_column_text(rows, at + 2));
    limits->allowed.routes = lb_arena_str(arena, ls_column_text(rows, at + 3));
    limits->networks = lb_arena_str(arena, ls_column_text(rows, at + 4));
    return limits->allowed.platforms.p != NULL && limits->allowed.models.p != NULL &&
           limits->allowed.routes.p != NULL && limits->networks.p != NULL;
}

static llmgr_status keep_row(const struct ls_rows *rows, const struct changing *run,
                             struct lb_arena *arena, struct token_row *row, struct llmgr_error *err)
{
    struct lb_str digest = ls_column_blob(rows, 2);

    if (run->user.size != 0 && !lb_str_eq(ls_column_text(rows, 0), run->user))
        return fail_no_token(run->id, err);
    if (!ls_column_is_null(rows, 1))
        return lb_fail(err, LLMGR_ERR_CONFLICT, N_("token %lld is revoked for ever"),
                       (long long)run->id);
    if (digest.size != sizeof row->digest)
        return lb_fail(err, LLMGR_ERR_DATABASE,
                       N_("%s holds a token that is not the one asked for; check it with "
                          "\"llmgr db check\""),
                       ls_place(run->manager->store));
    memcpy(row->digest, digest.p, sizeof row->digest);
    row->name = lb_arena_str(arena, ls_column_text(rows, 3));
    row->note = lb_arena_str(arena, ls_column_text(rows, 9));
    return keep_limits(rows, 4, arena, &row->limits) && row->name.p != NULL && row->note.p != NULL
               ? LLMGR_OK
               : lb_fail_memory(err);
}

static llmgr_status find_changed(struct ls_tx *tx, const struct changing *run,
                                 struct lb_arena *arena, struct token_row *row,
                                 struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;

    llmgr_status status = ls_find(tx, LS_TOKEN_ROW, LS_ARGS(ls_int(run->id)), &rows, &found, err);
    if (status != LLMGR_OK)
        return status;
    if (!found)
        return fail_no_token(run->id, err);
    status = keep_row(&rows, run, arena, row, err);
    ls_rows_end(&rows);
    return status;
}

/*
 * What is made or changed must lie within the token of whoever asks as it is now: it may have been
 * narrowed or revoked since his request began.
 */
static llmgr_status judge_maker(struct ls_tx *tx, struct lm_manager *manager, int64_t maker_id,
                                const struct lw_limits *made, struct llmgr_error *err)
{
    const struct changing maker = {.manager = manager, .id = maker_id};
    struct lb_arena arena;
    struct token_row row;

    if (maker_id == 0)
        return LLMGR_OK;
    begin_texts(manager, &arena);
    llmgr_status status = find_changed(tx, &maker, &arena, &row, err);
    if (status == LLMGR_OK)
        status = lw_limits_within(made, &row.limits, err);
    lb_arena_free(&arena);
    return status;
}

/* ---- Issuing --------------------------------------------------------------------------------- */

struct issue {
    struct lm_manager *manager;
    const struct lw_token_spec *spec;
    struct lw_limits limits; /* as they are stored */
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    int64_t now_ms;
    int64_t id;
};

/*
 * In which column the digest of a token with these limits stands. The release before knows one of
 * them; what it finds there of a token with limits is nobody's: `unused` is filled.
 */
struct digests {
    struct ls_value plain, limited;
    unsigned char unused[LW_TOKEN_DIGEST_SIZE];
};

static void place_digest(const unsigned char *digest, const struct lw_limits *limits,
                         struct digests *digests)
{
    if (lw_limits_are_none(limits)) {
        digests->plain = ls_blob(digest, LW_TOKEN_DIGEST_SIZE);
        digests->limited = ls_null();
        return;
    }
    randombytes_buf(digests->unused, sizeof digests->unused);
    digests->plain = ls_blob(digests->unused, sizeof digests->unused);
    digests->limited = ls_blob(digest, LW_TOKEN_DIGEST_SIZE);
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
    const struct lw_limits *limits = &issue->limits;
    struct digests digests;
    status = judge_maker(tx, issue->manager, spec->maker_id, limits, err);
    if (status != LLMGR_OK)
        return status;
    place_digest(issue->digest, limits, &digests);
    return ls_insert(
        tx, LS_TOKEN_ADD,
        LS_ARGS(digests.plain, digests.limited, ls_cstr(llmgr_token_kind_name(spec->kind)),
                ls_text(spec->name), ls_text(spec->user), ls_text(spec->prefix),
                ls_int(issue->now_ms), ls_int_or_null(limits->expires_at_ms),
                ls_text_or_null(limits->allowed.platforms), ls_text_or_null(limits->allowed.models),
                ls_text_or_null(limits->allowed.routes), ls_text_or_null(limits->networks),
                ls_text_or_null(spec->note)),
        &issue->id, err);
}

static llmgr_status issue_within(struct lm_manager *manager, struct issue *run,
                                 struct lb_arena *arena, char *token, struct llmgr_error *err)
{
    static const struct lw_limits NONE = {0};
    const struct lw_token_spec *spec = run->spec;
    char made[LV_TOKEN_SIZE + 1];

    llmgr_status status = merge_limits(spec, spec->bound != NULL ? spec->bound : &NONE, run->now_ms,
                                       arena, &run->limits, err);
    if (status != LLMGR_OK)
        return status;
    lv_token_new(made);
    lv_token_digest(lb_str(made, LV_TOKEN_SIZE), run->digest);
    /* Nobody can have asked for it yet, so whom the change concerns matters to no cache. */
    status = lm_write(manager, LB_STR("\x01tokens"), issue_row, run, err);
    if (status == LLMGR_OK)
        memcpy(token, made, sizeof made);
    sodium_memzero(made, sizeof made);
    return status;
}

llmgr_status lw_token_create(struct lm_manager *manager, const struct lw_token_spec *spec,
                             char *token, int64_t *token_id, struct llmgr_error *err)
{
    struct issue run = {.manager = manager, .spec = spec, .now_ms = lb_now_ms(manager->host)};
    struct lb_arena arena;

    llmgr_status status = check_spec(spec, err);
    if (status != LLMGR_OK)
        return status;
    begin_texts(manager, &arena);
    status = issue_within(manager, &run, &arena, token, err);
    lb_arena_free(&arena);
    if (status == LLMGR_OK)
        *token_id = run.id;
    return status;
}

/* ---- Changing -------------------------------------------------------------------------------- */

static llmgr_status write_changed(struct ls_tx *tx, const struct changing *run,
                                  struct lb_arena *arena, struct llmgr_error *err)
{
    const struct lw_token_spec *spec = run->spec;
    struct token_row row;
    struct lw_limits limits;
    struct digests digests;

    llmgr_status status = find_changed(tx, run, arena, &row, err);
    if (status == LLMGR_OK && spec->bound != NULL) /* a token that could do more is not his */
        status = lw_limits_within(&row.limits, spec->bound, err);
    if (status == LLMGR_OK)
        status = merge_limits(spec, &row.limits, run->now_ms, arena, &limits, err);
    if (status == LLMGR_OK)
        status = judge_maker(tx, run->manager, spec->maker_id, &limits, err);
    if (status != LLMGR_OK)
        return status;
    place_digest(row.digest, &limits, &digests);
    return ls_exec(
        tx, LS_TOKEN_CHANGE,
        LS_ARGS(ls_int(run->id), digests.plain, digests.limited,
                ls_text(given_or(spec->name, row.name)), ls_int_or_null(limits.expires_at_ms),
                ls_text_or_null(limits.allowed.platforms), ls_text_or_null(limits.allowed.models),
                ls_text_or_null(limits.allowed.routes), ls_text_or_null(limits.networks),
                ls_text_or_null(given_or(spec->note, row.note))),
        NULL, err);
}

static llmgr_status change_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct changing *run = context;
    struct lb_arena arena;

    begin_texts(run->manager, &arena);
    llmgr_status status = write_changed(tx, run, &arena, err);
    lb_arena_free(&arena);
    return status;
}

static bool takes_away(const struct lw_token_spec *spec)
{
    const struct lw_limits *limits = &spec->limits;

    return limits->expires_at_ms > 0 || limits->networks.size != 0 ||
           limits->allowed.platforms.size != 0 || limits->allowed.models.size != 0 ||
           limits->allowed.routes.size != 0;
}

llmgr_status lw_token_change(struct lm_manager *manager, struct lb_str user, int64_t token_id,
                             const struct lw_token_spec *spec, struct llmgr_error *err)
{
    struct changing run = {.manager = manager,
                           .spec = spec,
                           .user = user,
                           .id = token_id,
                           .now_ms = lb_now_ms(manager->host)};
    char name[LW_CHANGE_NAME_SIZE];

    llmgr_status status = check_words(spec, err);
    if (status != LLMGR_OK)
        return status;
    /* What takes away is as urgent as a revocation: it may use what a full disk keeps for those. */
    return (takes_away(spec) ? lm_revoke : lm_write)(manager, lw_token_change_name(token_id, name),
                                                     change_row, &run, err);
}

/* ---- Revoking -------------------------------------------------------------------------------- */

struct revocation {
    struct lm_manager *manager;
    const struct lw_limits *bound;
    struct lb_str user;
    int64_t id;
    int64_t now_ms;
};

/* A token that could do more than whoever asks is not his to end; one that has ended is no matter.
 */
static llmgr_status judge_revocation(struct ls_tx *tx, const struct revocation *run,
                                     struct llmgr_error *err)
{
    const struct changing ended = {.manager = run->manager, .user = run->user, .id = run->id};
    struct lb_arena arena;
    struct token_row row;

    if (run->bound == NULL)
        return LLMGR_OK;
    begin_texts(run->manager, &arena);
    llmgr_status status = find_changed(tx, &ended, &arena, &row, err);
    if (status == LLMGR_OK)
        status = lw_limits_within(&row.limits, run->bound, err);
    lb_arena_free(&arena);
    return status == LLMGR_ERR_CONFLICT ? LLMGR_OK : status;
}

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
        return fail_no_token(run->id, err);
    status = judge_revocation(tx, run, err);
    if (status != LLMGR_OK)
        return status;
    return ls_exec(tx, LS_TOKEN_REVOKE, LS_ARGS(ls_int(run->id), ls_int(run->now_ms)), NULL, err);
}

llmgr_status lw_token_revoke(struct lm_manager *manager, struct lb_str user, int64_t token_id,
                             const struct lw_limits *bound, struct llmgr_error *err)
{
    struct revocation run = {.manager = manager,
                             .bound = bound,
                             .user = user,
                             .id = token_id,
                             .now_ms = lb_now_ms(manager->host)};
    char name[LW_CHANGE_NAME_SIZE];

    return lm_revoke(manager, lw_token_change_name(token_id, name), revoke_row, &run, err);
}
