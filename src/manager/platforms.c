/* SPDX-License-Identifier: MIT */
/*
 * What users change about platforms: their own, and their keys and hides of system platforms.
 *
 * Every operation has the same shape: the forms of its arguments are judged first (rules), then
 * one write transaction judges the rows (access, names and addresses already taken) and writes.
 * Writers are serialised, so what was judged still holds when it is written.
 */
#include "manager/platforms.h"

#include "base/error.h"
#include "keys/key_text.h"
#include "keys/ring.h"
#include "manager/access.h"
#include "manager/pool_rows.h"
#include "manager/rules.h"
#include "store/store.h"
#include "vault/vault.h"

enum { NORMAL_URL_MAX = 2 * LH_URL_MAX }; /* canonical addresses may be longer than as written */

/* One operation's arguments, handed through lm_write. */
struct change {
    struct lm_manager *manager;
    struct lb_str user;
    int64_t platform_id;
    struct lb_str name;
    struct lb_str base_url;
    struct lb_str api_key;
    char origin[LH_ORIGIN_SIZE]; /* of base_url */
    struct lb_buf normal;        /* base_url as it is compared */
    bool hide;
};

/* ---- Names and addresses already taken ------------------------------------------------------- */

static llmgr_status compare_address(const struct change *change, struct lb_str base_url, bool *same,
                                    struct llmgr_error *err)
{
    struct lh_url url;
    *same = false;
    if (change->normal.size == 0 || lh_url_parse(base_url, &url) != LH_URL_OK)
        return LLMGR_OK;
    struct lb_buf normal;
    lb_buf_init(&normal, lm_host(change->manager), NORMAL_URL_MAX);
    lh_url_normal(&url, &normal);
    bool failed = normal.failed != LLMGR_OK;
    *same = lb_str_eq(lb_buf_str(&normal), lb_buf_str(&change->normal));
    lb_buf_free(&normal);
    return failed ? lb_fail_memory(err) : LLMGR_OK;
}

static llmgr_status judge_system(const struct change *change, const struct ls_rows *rows,
                                 struct llmgr_error *err)
{
    struct lb_str name = ls_column_text(rows, 1);
    long long id = (long long)ls_column_int(rows, 0);
    if (change->name.size > 0 && lb_str_eq(name, change->name))
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("the name '%.*s' is that of system platform %lld; choose another name"),
                       (int)name.size, name.p, id);
    bool same;
    llmgr_status status = compare_address(change, ls_column_text(rows, 2), &same, err);
    if (status == LLMGR_OK && same)
        status = lb_fail(err, LLMGR_ERR_CONFLICT,
                         lm_options(change->manager)->for_callers
                             ? N_("this address is system platform %lld, '%.*s'; store a key of "
                                  "your own there: PUT /api/platforms/%lld/key")
                             : N_("this address is system platform %lld, '%.*s'; store a key of "
                                  "your own there: llmgr platform set-key %lld"),
                         id, (int)name.size, name.p, id);
    return status;
}

static llmgr_status judge_own(const struct change *change, const struct ls_rows *rows,
                              struct llmgr_error *err)
{
    struct lb_str name = ls_column_text(rows, 1);
    long long id = (long long)ls_column_int(rows, 0);
    if (id == change->platform_id)
        return LLMGR_OK;
    if (change->name.size > 0 && lb_str_eq(name, change->name))
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("you already have a platform named '%.*s' (%lld); choose another name"),
                       (int)name.size, name.p, id);
    bool same;
    llmgr_status status = compare_address(change, ls_column_text(rows, 2), &same, err);
    if (status == LLMGR_OK && same)
        status =
            lb_fail(err, LLMGR_ERR_CONFLICT,
                    N_("your platform %lld, '%.*s', already has this address; add models to it"),
                    id, (int)name.size, name.p);
    return status;
}

typedef llmgr_status (*judge_fn)(const struct change *change, const struct ls_rows *rows,
                                 struct llmgr_error *err);

struct judging {
    const struct change *change;
    judge_fn judge;
    size_t seen;
};

static llmgr_status judge_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct judging *judging = context;

    judging->seen++;
    return judging->judge(judging->change, row, err);
}

/* Runs `judge` over the statement's rows; *count (may be NULL) receives how many there are. */
static llmgr_status judge_rows(const struct change *change, struct ls_tx *tx,
                               enum ls_statement statement, const struct ls_value *values,
                               size_t value_count, judge_fn judge, size_t *count,
                               struct llmgr_error *err)
{
    struct judging judging = {.change = change, .judge = judge};
    llmgr_status status = ls_each(tx, statement, values, value_count, judge_row, &judging, err);
    if (status == LLMGR_OK && count != NULL)
        *count = judging.seen;
    return status;
}

/* ERR_CONFLICT if the name or address of `change` (each may be empty) is taken. */
static llmgr_status judge_taken(const struct change *change, struct ls_tx *tx, size_t *own_count,
                                struct llmgr_error *err)
{
    llmgr_status status =
        judge_rows(change, tx, LS_PLATFORM_SYS_NAMES, NULL, 0, judge_system, NULL, err);
    if (status == LLMGR_OK)
        status = judge_rows(change, tx, LS_PLATFORM_OWN_NAMES, LS_ARGS(ls_text(change->user)),
                            judge_own, own_count, err);
    return status;
}

/* ---- Sealing --------------------------------------------------------------------------------- */

/* Where this user's first key for a platform stands. */
static struct lk_key_place place_of(const struct change *change, bool is_sys, int64_t platform_id,
                                    const char *origin)
{
    return (struct lk_key_place){.column = is_sys ? LK_KEY_OF_USER : LK_KEY_OF_PLATFORM,
                                 .owner = change->user,
                                 .platform_id = platform_id,
                                 .origin = lb_cstr(origin)};
}

/* Stores the change's key as the only one of a private platform. */
static llmgr_status seal_own(const struct change *change, struct ls_tx *tx, int64_t platform_id,
                             const char *origin, struct llmgr_error *err)
{
    const struct lk_key_place place = place_of(change, false, platform_id, origin);

    return lm_pool_set_only(change->manager, tx, &place, change->api_key, err);
}

/* ---- Add ------------------------------------------------------------------------------------- */

static llmgr_status add_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    change->platform_id = 0;
    size_t own_count = 0;
    llmgr_status status = judge_taken(change, tx, &own_count, err);
    if (status != LLMGR_OK)
        return status;
    if (own_count >= LM_PLATFORMS_PER_USER)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("you have %zu platforms, which is the limit; delete one first"),
                       own_count);
    int64_t id;
    status = ls_insert(
        tx, LS_PLATFORM_ADD,
        LS_ARGS(ls_text(change->user), ls_text(change->name), ls_text(change->base_url)), &id, err);
    if (status == LLMGR_OK && change->api_key.size > 0)
        status = seal_own(change, tx, id, change->origin, err);
    if (status == LLMGR_OK)
        change->platform_id = id;
    return status;
}

/* Judges `base_url` and notes its origin and normal form; lb_buf_free(&change->normal) after. */
static llmgr_status take_url(struct change *change, struct llmgr_error *err)
{
    struct lh_url url;
    llmgr_status status =
        lm_rule_private_url(lm_options(change->manager)->policy, change->base_url, &url, err);
    if (status != LLMGR_OK)
        return status;
    lh_url_origin(&url, change->origin);
    lh_url_normal(&url, &change->normal);
    return change->normal.failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status lm_platform_add(struct lm_manager *manager, struct lb_str user, struct lb_str name,
                             struct lb_str base_url, struct lb_str api_key, int64_t *platform_id,
                             struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status == LLMGR_OK)
        status = lm_access_create(manager, user, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(name, LM_NAME_PLATFORM, err);
    if (status == LLMGR_OK && api_key.size > 0)
        status = lk_rule_key(api_key, err);
    if (status != LLMGR_OK)
        return status;

    struct change change = {
        .manager = manager, .user = user, .name = name, .base_url = base_url, .api_key = api_key};
    lb_buf_init(&change.normal, lm_host(manager), NORMAL_URL_MAX);
    status = take_url(&change, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, user, add_row, &change, err);
    lb_buf_free(&change.normal);
    if (status == LLMGR_OK)
        *platform_id = change.platform_id;
    return status;
}

/* ---- Rename, move, delete -------------------------------------------------------------------- */

/* May its owner have the new name or address? *row is as it was. */
static llmgr_status admit_change(const struct change *change, struct ls_tx *tx,
                                 struct lm_platform_row *row, struct llmgr_error *err)
{
    llmgr_status status = lm_access_platform(change->manager, tx, change->user, change->platform_id,
                                             LM_ACCESS_CHANGE, row, err);
    return status == LLMGR_OK ? judge_taken(change, tx, NULL, err) : status;
}

static llmgr_status rename_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = admit_change(change, tx, &row, err);
    if (status == LLMGR_OK)
        status = ls_exec(
            tx, LS_PLATFORM_RENAME,
            LS_ARGS(ls_int(change->platform_id), ls_text(change->user), ls_text(change->name)),
            NULL, err);
    return status;
}

llmgr_status lm_platform_rename(struct lm_manager *manager, struct lb_str user, int64_t platform_id,
                                struct lb_str name, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(name, LM_NAME_PLATFORM, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {
        .manager = manager, .user = user, .platform_id = platform_id, .name = name};
    return lm_write(manager, user, rename_row, &change, err);
}

static llmgr_status move_origin(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = admit_change(change, tx, &row, err);
    if (status == LLMGR_OK)
        status = ls_exec(
            tx, LS_PLATFORM_SET_URL,
            LS_ARGS(ls_int(change->platform_id), ls_text(change->user), ls_text(change->base_url)),
            NULL, err);
    if (status != LLMGR_OK)
        return status;

    /* Key and header fields belong to the old origin; they would not open any more. */
    bool moved = strcmp(change->origin, row.origin) != 0;
    if (moved)
        status = ls_exec(tx, LS_PLATFORM_SET_HEADERS,
                         LS_ARGS(ls_int(change->platform_id), ls_text(change->user), ls_null(),
                                 ls_null(), ls_int(0)),
                         NULL, err);
    if (status == LLMGR_OK && change->api_key.size > 0)
        return seal_own(change, tx, change->platform_id, change->origin, err);
    if (status != LLMGR_OK || !moved)
        return status;
    const struct lk_key_place place = place_of(change, false, change->platform_id, "");
    return lm_pool_clear(&place, tx, err);
}

/*
 * Without this a move by somebody who may not move anything would first be told about the address.
 */
static llmgr_status judge_change(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    struct lm_platform_row row;
    return lm_access_platform(change->manager, tx, change->user, change->platform_id,
                              LM_ACCESS_CHANGE, &row, err);
}

llmgr_status lm_platform_set_url(struct lm_manager *manager, struct lb_str user,
                                 int64_t platform_id, struct lb_str base_url, struct lb_str api_key,
                                 struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status == LLMGR_OK && api_key.size > 0)
        status = lk_rule_key(api_key, err);
    if (status != LLMGR_OK)
        return status;

    struct change change = {.manager = manager,
                            .user = user,
                            .platform_id = platform_id,
                            .base_url = base_url,
                            .api_key = api_key};
    lb_buf_init(&change.normal, lm_host(manager), NORMAL_URL_MAX);
    status = ls_transact(lm_store(manager), LS_READ_ONE, judge_change, &change, err);
    if (status == LLMGR_OK)
        status = take_url(&change, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, user, move_origin, &change, err);
    lb_buf_free(&change.normal);
    return status;
}

static llmgr_status delete_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    llmgr_status status = judge_change(tx, context, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_PLATFORM_DELETE,
                         LS_ARGS(ls_int(change->platform_id), ls_text(change->user)), NULL, err);
    return status;
}

llmgr_status lm_platform_delete(struct lm_manager *manager, struct lb_str user, int64_t platform_id,
                                struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager, .user = user, .platform_id = platform_id};
    return lm_revoke(manager, user, delete_row, &change, err);
}

/* ---- Hide, and own keys: system platforms too ------------------------------------------------ */

/* A user's row about a system platform that holds neither key nor hide is no row. */
static llmgr_status prune_objects(const struct change *change, struct ls_tx *tx,
                                  struct llmgr_error *err)
{
    return ls_exec(tx, LS_OWN_PRUNE, LS_ARGS(ls_text(change->user), ls_int(change->platform_id)),
                   NULL, err);
}

static llmgr_status hide_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = lm_access_platform(change->manager, tx, change->user, change->platform_id,
                                             LM_ACCESS_SEE, &row, err);
    if (status != LLMGR_OK)
        return status;
    if (!row.is_sys)
        return ls_exec(
            tx, LS_PLATFORM_SET_HIDE,
            LS_ARGS(ls_int(change->platform_id), ls_text(change->user), ls_int(change->hide)), NULL,
            err);
    status =
        ls_exec(tx, LS_OWN_HIDE_SET,
                LS_ARGS(ls_text(change->user), ls_int(change->platform_id), ls_int(change->hide)),
                NULL, err);
    return status == LLMGR_OK && !change->hide ? prune_objects(change, tx, err) : status;
}

llmgr_status lm_platform_hide(struct lm_manager *manager, struct lb_str user, int64_t platform_id,
                              bool hide, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {
        .manager = manager, .user = user, .platform_id = platform_id, .hide = hide};
    return lm_write(manager, user, hide_row, &change, err);
}

static llmgr_status clear_key(const struct change *change, struct ls_tx *tx, bool is_sys,
                              struct llmgr_error *err)
{
    const struct lk_key_place place = place_of(change, is_sys, change->platform_id, "");

    llmgr_status status = lm_pool_clear(&place, tx, err);
    return status == LLMGR_OK && is_sys ? prune_objects(change, tx, err) : status;
}

static llmgr_status set_key(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = lm_access_platform(change->manager, tx, change->user, change->platform_id,
                                             LM_ACCESS_SEE, &row, err);
    if (status != LLMGR_OK)
        return status;
    if (change->api_key.size == 0)
        return clear_key(change, tx, row.is_sys, err);
    if (row.origin[0] == '\0')
        return lm_fail_no_address(&row, err);
    const struct lk_key_place place = place_of(change, row.is_sys, change->platform_id, row.origin);
    return lm_pool_set_only(change->manager, tx, &place, change->api_key, err);
}

/* A key that goes, or makes way for another, takes power away; a first key gives some. */
static llmgr_status write_key(struct change *change, struct llmgr_error *err)
{
    bool takes = false;
    llmgr_status status =
        lm_access_has_key(change->manager, change->user, change->platform_id, &takes, err);
    if (status != LLMGR_OK)
        return status;
    return takes ? lm_revoke(change->manager, change->user, set_key, change, err)
                 : lm_write(change->manager, change->user, set_key, change, err);
}

llmgr_status lm_platform_set_key(struct lm_manager *manager, struct lb_str user,
                                 int64_t platform_id, struct lb_str api_key,
                                 struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status == LLMGR_OK && api_key.size > 0)
        status = lk_rule_key(api_key, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {
        .manager = manager, .user = user, .platform_id = platform_id, .api_key = api_key};
    return write_key(&change, err);
}

/* ---- Asking for usage again ------------------------------------------------------------------ */

/* A system platform is everybody's: only who answers for it may say that it changed its mind. */
static llmgr_status forget_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = lm_access_platform(change->manager, tx, change->user, change->platform_id,
                                             LM_ACCESS_SEE, &row, err);
    if (status == LLMGR_OK && row.is_sys && !lm_is_system_user(change->user))
        status =
            lb_fail(err, LLMGR_ERR_FORBIDDEN,
                    N_("whether a system platform is asked for usage is the administrator's to "
                       "say; without that it is asked again a day after it refused"));
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_PLATFORM_NO_STREAM_OPTIONS,
                         LS_ARGS(ls_int(change->platform_id), ls_int(0)), NULL, err);
    return status;
}

/* Who has to hear of a change: the system user changes what is everybody's. */
static struct lb_str told_verdict(const struct change *change, bool ask_usage)
{
    return ask_usage && lm_is_system_user(change->user) ? lb_str(NULL, 0) : change->user;
}

llmgr_status lm_platform_ask_usage(struct lm_manager *manager, struct lb_str user,
                                   int64_t platform_id, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager, .user = user, .platform_id = platform_id};
    return lm_write(manager, told_verdict(&change, true), forget_row, &change, err);
}

/* ---- All of it at once ----------------------------------------------------------------------- */

struct edit {
    struct change change;
    bool rename;
    bool move;
    bool hide;
    bool ask_usage;
};

static llmgr_status edit_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct edit *edit = context;
    llmgr_status status = LLMGR_OK;

    if (edit->rename)
        status = rename_row(tx, &edit->change, err);
    if (status == LLMGR_OK && edit->move)
        status = move_origin(tx, &edit->change, err);
    if (status == LLMGR_OK && edit->hide)
        status = hide_row(tx, &edit->change, err);
    if (status == LLMGR_OK && edit->ask_usage)
        status = forget_row(tx, &edit->change, err);
    return status;
}

llmgr_status lm_platform_edit(struct lm_manager *manager, struct lb_str user, int64_t platform_id,
                              const struct lm_platform_edit *wanted, struct llmgr_error *err)
{
    struct edit edit = {.change = {.manager = manager,
                                   .platform_id = platform_id,
                                   .name = wanted->name,
                                   .base_url = wanted->base_url,
                                   .api_key = wanted->api_key,
                                   .hide = wanted->hide != NULL && *wanted->hide},
                        .rename = wanted->name.p != NULL,
                        .move = wanted->base_url.p != NULL,
                        .hide = wanted->hide != NULL,
                        .ask_usage = wanted->ask_usage};
    llmgr_status status = lm_access_user(manager, &user, err);
    if (status == LLMGR_OK && !edit.rename && !edit.move && !edit.hide && !edit.ask_usage)
        status = lb_fail(err, LLMGR_ERR_INVALID, N_("nothing to change: give at least one member"));
    if (status == LLMGR_OK && wanted->api_key.p != NULL && !edit.move)
        status =
            lb_fail(err, LLMGR_ERR_INVALID, N_("a key alone is not changed here: PUT it to …/key"));
    edit.change.user = user;
    if (status == LLMGR_OK && (edit.rename || edit.move))
        status = ls_transact(lm_store(manager), LS_READ_ONE, judge_change, &edit.change, err);
    if (status == LLMGR_OK && edit.rename)
        status = lm_rule_name(wanted->name, LM_NAME_PLATFORM, err);
    if (status == LLMGR_OK && wanted->api_key.size > 0)
        status = lk_rule_key(wanted->api_key, err);
    if (status != LLMGR_OK)
        return status;
    lb_buf_init(&edit.change.normal, lm_host(manager), NORMAL_URL_MAX);
    if (edit.move)
        status = take_url(&edit.change, err);
    if (status == LLMGR_OK)
        status =
            lm_write(manager, told_verdict(&edit.change, edit.ask_usage), edit_row, &edit, err);
    lb_buf_free(&edit.change.normal);
    return status;
}
