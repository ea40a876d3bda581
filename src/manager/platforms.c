/* SPDX-License-Identifier: MIT */
/*
 * What users change about platforms: their own, and their keys and hides of system platforms. The
 * operator changes system platforms that calls have made as a user does his own: the operator's key
 * of one is the server's.
 *
 * Every operation has the same shape: the forms of its arguments are judged first (rules), then
 * one write transaction judges the rows (access, names and addresses already taken) and writes.
 * Writers are serialised, so what was judged still holds when it is written.
 */
#include "manager/platforms.h"

#include "base/error.h"
#include "config/protocol.h"
#include "keys/key_text.h"
#include "keys/ring.h"
#include "manager/access.h"
#include "manager/pool_rows.h"
#include "manager/platform_rules.h"
#include "manager/rules.h"
#include "manager/taken.h"
#include "store/store.h"
#include "vault/vault.h"

/* One operation's arguments, handed through lm_write. */
struct change {
    struct lm_manager *manager;
    struct lm_actor actor;
    int64_t platform_id;
    struct lb_str name;
    struct lb_str base_url;
    struct lb_str api_key;
    struct lm_platform_words words; /* as they are stored */
    char origin[LH_ORIGIN_SIZE];    /* of base_url */
    struct lb_buf normal;           /* base_url as it is compared */
    bool hide;
    bool is_sys; /* the platform is or will be a system platform */
};

static llmgr_status judge_taken(const struct change *change, struct ls_tx *tx, size_t *own_count,
                                struct llmgr_error *err)
{
    const struct lm_claim claim = {.manager = change->manager,
                                   .user = change->actor.user,
                                   .platform_id = change->platform_id,
                                   .name = change->name,
                                   .normal = lb_buf_str(&change->normal),
                                   .is_sys = change->is_sys};

    return lm_taken(&claim, tx, own_count, err);
}

/* ---- Sealing --------------------------------------------------------------------------------- */

/* Where this user's first key for a platform stands: in its own column, if it `is_own`. */
static struct lk_key_place place_of(const struct change *change, bool is_own, int64_t platform_id,
                                    const char *origin)
{
    return (struct lk_key_place){.column = is_own ? LK_KEY_OF_PLATFORM : LK_KEY_OF_USER,
                                 .owner = change->actor.user,
                                 .platform_id = platform_id,
                                 .origin = lb_cstr(origin)};
}

/* Stores the change's key as the only one of a platform of one's own. */
static llmgr_status seal_own(const struct change *change, struct ls_tx *tx, int64_t platform_id,
                             const char *origin, struct llmgr_error *err)
{
    const struct lk_key_place place = place_of(change, true, platform_id, origin);

    return lm_pool_set_only(change->manager, tx, &place, change->api_key, err);
}

/* ---- Add ------------------------------------------------------------------------------------- */

/* Names and addresses of others, and the number there may be. */
static llmgr_status judge_room(const struct change *change, struct ls_tx *tx,
                               struct llmgr_error *err)
{
    size_t own_count = 0;

    llmgr_status status = judge_taken(change, tx, &own_count, err);
    if (status == LLMGR_OK && change->is_sys)
        return lm_rule_system_room(tx, 1, 0, err);
    if (status == LLMGR_OK && own_count >= LM_PLATFORMS_PER_USER)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("you have %zu platforms, which is the limit; delete one first"),
                       own_count);
    return status;
}

static llmgr_status insert(const struct change *change, struct ls_tx *tx, int64_t *id,
                           struct llmgr_error *err)
{
    const struct lm_platform_words *words = &change->words;

    if (!change->is_sys)
        return ls_insert(
            tx, LS_PLATFORM_ADD,
            LS_ARGS(ls_text(change->actor.user), ls_text(change->name), ls_text(change->base_url)),
            id, err);
    return ls_insert(
        tx, LS_SYNC_PLATFORM_ADD,
        LS_ARGS(ls_cstr(LLMGR_SYSTEM_USER), ls_text(change->name), ls_text(change->base_url),
                words->protocol.size > 0 ? ls_text(words->protocol) : ls_cstr(LC_PROTOCOL_DEFAULT),
                ls_int(LM_MADE_POSITION), ls_null(), ls_text_or_null(words->native_paths),
                ls_text_or_null(words->headers), ls_null(), ls_cstr(LM_MANAGED_DATABASE)),
        id, err);
}

static llmgr_status add_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    int64_t id;

    change->platform_id = 0;
    llmgr_status status = judge_room(change, tx, err);
    if (status == LLMGR_OK)
        status = insert(change, tx, &id, err);
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
    const struct ln_policy *policy = lm_options(change->manager)->policy;
    llmgr_status status = change->is_sys ? lm_rule_system_url(policy, change->base_url, &url, err)
                                         : lm_rule_private_url(policy, change->base_url, &url, err);
    if (status != LLMGR_OK)
        return status;
    lh_url_origin(&url, change->origin);
    lh_url_normal(&url, &change->normal);
    return change->normal.failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

/* All but the rights, the name and the words is judged here. */
static llmgr_status add(struct change *change, int64_t *platform_id, struct llmgr_error *err)
{
    llmgr_status status = change->api_key.size > 0 ? lk_rule_key(change->api_key, err) : LLMGR_OK;

    if (status != LLMGR_OK)
        return status;
    lb_buf_init(&change->normal, lm_host(change->manager), LM_NORMAL_URL_MAX);
    status = take_url(change, err);
    if (status == LLMGR_OK)
        status = lm_write(change->manager, lm_told(change->actor), add_row, change, err);
    lb_buf_free(&change->normal);
    if (status == LLMGR_OK)
        *platform_id = change->platform_id;
    return status;
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
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager,
                            .actor = {.user = user},
                            .name = name,
                            .base_url = base_url,
                            .api_key = api_key};
    return add(&change, platform_id, err);
}

llmgr_status lm_system_platform_add(struct lm_manager *manager, struct lm_actor actor,
                                    const struct lm_platform_edit *wanted, int64_t *platform_id,
                                    struct llmgr_error *err)
{
    struct change change = {.manager = manager,
                            .actor = actor,
                            .name = wanted->name,
                            .base_url = wanted->base_url,
                            .api_key = wanted->api_key,
                            .words = wanted->words,
                            .is_sys = true};
    struct lm_word_buffers buffers;

    llmgr_status status = lm_access_operator(actor, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(wanted->name, LM_NAME_PLATFORM, err);
    if (status != LLMGR_OK)
        return status;
    lm_word_buffers_init(&buffers, lm_host(manager));
    status = lm_rule_platform_words(&change.words, &buffers, err);
    if (status == LLMGR_OK)
        status = add(&change, platform_id, err);
    lm_word_buffers_free(&buffers);
    return status;
}

/* ---- Rename, move, delete -------------------------------------------------------------------- */

/* May the platform be changed? Notes what kind it is; *row is as it was. */
static llmgr_status find_own(struct change *change, struct ls_tx *tx, struct lm_platform_row *row,
                             struct llmgr_error *err)
{
    llmgr_status status = lm_access_platform(change->manager, tx, change->actor,
                                             change->platform_id, LM_ACCESS_CHANGE, row, err);
    if (status == LLMGR_OK)
        change->is_sys = row->is_sys;
    return status;
}

/* May it also have the new name or address? */
static llmgr_status admit_change(struct change *change, struct ls_tx *tx,
                                 struct lm_platform_row *row, struct llmgr_error *err)
{
    llmgr_status status = find_own(change, tx, row, err);
    return status == LLMGR_OK ? judge_taken(change, tx, NULL, err) : status;
}

static llmgr_status rename_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = admit_change(change, tx, &row, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_PLATFORM_RENAME,
                         LS_ARGS(ls_int(change->platform_id), ls_text(change->actor.user),
                                 ls_text(change->name)),
                         NULL, err);
    return status;
}

llmgr_status lm_platform_rename(struct lm_manager *manager, struct lm_actor actor,
                                int64_t platform_id, struct lb_str name, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK)
        status = lm_rule_name(name, LM_NAME_PLATFORM, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {
        .manager = manager, .actor = actor, .platform_id = platform_id, .name = name};
    return lm_write(manager, lm_told(actor), rename_row, &change, err);
}

static llmgr_status move_origin(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = admit_change(change, tx, &row, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_PLATFORM_SET_URL,
                         LS_ARGS(ls_int(change->platform_id), ls_text(change->actor.user),
                                 ls_text(change->base_url)),
                         NULL, err);
    if (status != LLMGR_OK)
        return status;

    /* Key and header fields belong to the old origin; they would not open any more. */
    bool moved = strcmp(change->origin, row.origin) != 0;
    if (moved)
        status = ls_exec(tx, LS_PLATFORM_SET_HEADERS,
                         LS_ARGS(ls_int(change->platform_id), ls_text(change->actor.user),
                                 ls_null(), ls_null(), ls_int(0)),
                         NULL, err);
    if (status == LLMGR_OK && change->api_key.size > 0)
        return seal_own(change, tx, change->platform_id, change->origin, err);
    if (status != LLMGR_OK || !moved)
        return status;
    const struct lk_key_place place = place_of(change, true, change->platform_id, "");
    return lm_pool_clear(&place, tx, err);
}

/*
 * Without this a move by somebody who may not move anything would first be told about the address.
 */
static llmgr_status judge_change(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct lm_platform_row row;
    return find_own(context, tx, &row, err);
}

llmgr_status lm_platform_set_url(struct lm_manager *manager, struct lm_actor actor,
                                 int64_t platform_id, struct lb_str base_url, struct lb_str api_key,
                                 struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK && api_key.size > 0)
        status = lk_rule_key(api_key, err);
    if (status != LLMGR_OK)
        return status;

    struct change change = {.manager = manager,
                            .actor = actor,
                            .platform_id = platform_id,
                            .base_url = base_url,
                            .api_key = api_key};
    lb_buf_init(&change.normal, lm_host(manager), LM_NORMAL_URL_MAX);
    status = ls_transact(lm_store(manager), LS_READ_ONE, judge_change, &change, err);
    if (status == LLMGR_OK)
        status = take_url(&change, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, lm_told(actor), move_origin, &change, err);
    lb_buf_free(&change.normal);
    return status;
}

static llmgr_status delete_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    llmgr_status status = judge_change(tx, context, err);
    if (status == LLMGR_OK)
        status =
            ls_exec(tx, LS_PLATFORM_DELETE,
                    LS_ARGS(ls_int(change->platform_id), ls_text(change->actor.user)), NULL, err);
    return status;
}

llmgr_status lm_platform_delete(struct lm_manager *manager, struct lm_actor actor,
                                int64_t platform_id, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager, .actor = actor, .platform_id = platform_id};
    return lm_revoke(manager, lm_told(actor), delete_row, &change, err);
}

/* ---- Hide, and own keys: system platforms too ------------------------------------------------ */

/* A user's row about a system platform that holds neither key nor hide is no row. */
static llmgr_status prune_objects(const struct change *change, struct ls_tx *tx,
                                  struct llmgr_error *err)
{
    return ls_exec(tx, LS_OWN_PRUNE,
                   LS_ARGS(ls_text(change->actor.user), ls_int(change->platform_id)), NULL, err);
}

static llmgr_status hide_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = lm_access_platform(change->manager, tx, change->actor,
                                             change->platform_id, LM_ACCESS_SEE, &row, err);
    if (status != LLMGR_OK)
        return status;
    if (!row.is_sys)
        return ls_exec(
            tx, LS_PLATFORM_SET_HIDE,
            LS_ARGS(ls_int(change->platform_id), ls_text(change->actor.user), ls_int(change->hide)),
            NULL, err);
    status = ls_exec(
        tx, LS_OWN_HIDE_SET,
        LS_ARGS(ls_text(change->actor.user), ls_int(change->platform_id), ls_int(change->hide)),
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
        .manager = manager, .actor = {.user = user}, .platform_id = platform_id, .hide = hide};
    return lm_write(manager, user, hide_row, &change, err);
}

static llmgr_status clear_key(const struct change *change, struct ls_tx *tx, bool is_own,
                              struct llmgr_error *err)
{
    const struct lk_key_place place = place_of(change, is_own, change->platform_id, "");

    llmgr_status status = lm_pool_clear(&place, tx, err);
    return status == LLMGR_OK && !is_own ? prune_objects(change, tx, err) : status;
}

static llmgr_status set_key(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = lm_access_platform(change->manager, tx, change->actor,
                                             change->platform_id, LM_ACCESS_KEYS, &row, err);
    if (status != LLMGR_OK)
        return status;
    const bool is_own = !row.is_sys || row.is_made;
    if (change->api_key.size == 0)
        return clear_key(change, tx, is_own, err);
    if (row.origin[0] == '\0')
        return lm_fail_no_address(&row, err);
    const struct lk_key_place place = place_of(change, is_own, change->platform_id, row.origin);
    return lm_pool_set_only(change->manager, tx, &place, change->api_key, err);
}

/* A key that goes, or makes way for another, takes power away; a first key gives some. */
static llmgr_status write_key(struct change *change, struct llmgr_error *err)
{
    bool takes = false;
    llmgr_status status =
        lm_access_has_key(change->manager, change->actor.user, change->platform_id, &takes, err);
    if (status != LLMGR_OK)
        return status;
    /* What stands in a system platform is not looked at: without a new key it can only leave. */
    takes = takes || change->api_key.size == 0;
    return takes ? lm_revoke(change->manager, lm_told(change->actor), set_key, change, err)
                 : lm_write(change->manager, lm_told(change->actor), set_key, change, err);
}

llmgr_status lm_platform_set_key(struct lm_manager *manager, struct lm_actor actor,
                                 int64_t platform_id, struct lb_str api_key,
                                 struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK && api_key.size > 0)
        status = lk_rule_key(api_key, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {
        .manager = manager, .actor = actor, .platform_id = platform_id, .api_key = api_key};
    return write_key(&change, err);
}

/* ---- Asking for usage again ------------------------------------------------------------------ */

/* A system platform is everybody's: only who answers for it may say that it changed its mind. */
static llmgr_status forget_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct change *change = context;
    struct lm_platform_row row;
    llmgr_status status = lm_access_platform(change->manager, tx, change->actor,
                                             change->platform_id, LM_ACCESS_SEE, &row, err);
    if (status == LLMGR_OK && row.is_sys && !change->actor.is_operator)
        status =
            lb_fail(err, LLMGR_ERR_FORBIDDEN,
                    N_("whether a system platform is asked for usage is the administrator's to "
                       "say; without that it is asked again a day after it refused"));
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_PLATFORM_NO_STREAM_OPTIONS,
                         LS_ARGS(ls_int(change->platform_id), ls_int(0)), NULL, err);
    return status;
}

/* Who has to hear of a change: the operator changes what is everybody's. */
static struct lb_str told_verdict(const struct change *change, bool ask_usage)
{
    return ask_usage ? lm_told(change->actor) : change->actor.user;
}

llmgr_status lm_platform_ask_usage(struct lm_manager *manager, struct lm_actor actor,
                                   int64_t platform_id, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager, .actor = actor, .platform_id = platform_id};
    return lm_write(manager, told_verdict(&change, true), forget_row, &change, err);
}

/* ---- All of it at once ----------------------------------------------------------------------- */

struct edit {
    struct change change;
    bool rename;
    bool move;
    bool hide;
    bool ask_usage;
    bool say; /* words */
};

/* What only system platforms have. */
static llmgr_status say_words(struct change *change, struct ls_tx *tx, struct llmgr_error *err)
{
    const struct lm_platform_words *words = &change->words;
    struct lm_platform_row row;

    llmgr_status status = find_own(change, tx, &row, err);
    if (status == LLMGR_OK && !row.is_sys)
        return lm_fail_words(err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_SYSTEM_PLATFORM_SET,
                         LS_ARGS(ls_int(change->platform_id), ls_text_if_given(words->protocol),
                                 ls_text_if_given(words->native_paths),
                                 ls_text_if_given(words->headers)),
                         NULL, err);
    /* What was learnt of it in another protocol says nothing of this one. */
    if (status == LLMGR_OK && words->protocol.p != NULL)
        status = ls_exec(tx, LS_PLATFORM_NO_STREAM_OPTIONS,
                         LS_ARGS(ls_int(change->platform_id), ls_int(0)), NULL, err);
    return status;
}

static llmgr_status edit_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct edit *edit = context;
    llmgr_status status = LLMGR_OK;

    if (edit->rename)
        status = rename_row(tx, &edit->change, err);
    if (status == LLMGR_OK && edit->move)
        status = move_origin(tx, &edit->change, err);
    if (status == LLMGR_OK && edit->say)
        status = say_words(&edit->change, tx, err);
    if (status == LLMGR_OK && edit->hide)
        status = hide_row(tx, &edit->change, err);
    if (status == LLMGR_OK && edit->ask_usage)
        status = forget_row(tx, &edit->change, err);
    return status;
}

/* Who has to hear of it. */
static struct lb_str told_edit(const struct edit *edit)
{
    const bool changes = edit->rename || edit->move || edit->say;

    return changes ? lm_told(edit->change.actor) : told_verdict(&edit->change, edit->ask_usage);
}

/* All that can be judged without the row, once it is known that the row may be changed. */
static llmgr_status judge_edit(struct edit *edit, struct lm_word_buffers *buffers,
                               struct llmgr_error *err)
{
    struct change *change = &edit->change;
    llmgr_status status = LLMGR_OK;

    if (edit->rename || edit->move || edit->say)
        status = ls_transact(lm_store(change->manager), LS_READ_ONE, judge_change, change, err);
    if (status == LLMGR_OK && edit->rename)
        status = lm_rule_name(change->name, LM_NAME_PLATFORM, err);
    if (status == LLMGR_OK && change->api_key.size > 0)
        status = lk_rule_key(change->api_key, err);
    if (status == LLMGR_OK)
        status = lm_rule_platform_words(&change->words, buffers, err);
    return status == LLMGR_OK && edit->move ? take_url(change, err) : status;
}

llmgr_status lm_platform_edit(struct lm_manager *manager, struct lm_actor actor,
                              int64_t platform_id, const struct lm_platform_edit *wanted,
                              struct llmgr_error *err)
{
    struct edit edit = {.change = {.manager = manager,
                                   .platform_id = platform_id,
                                   .name = wanted->name,
                                   .base_url = wanted->base_url,
                                   .api_key = wanted->api_key,
                                   .words = wanted->words,
                                   .hide = wanted->hide != NULL && *wanted->hide},
                        .rename = wanted->name.p != NULL,
                        .move = wanted->base_url.p != NULL,
                        .hide = wanted->hide != NULL,
                        .ask_usage = wanted->ask_usage,
                        .say = lm_words_are_given(&wanted->words)};
    struct lm_word_buffers buffers;

    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK && wanted->api_key.p != NULL && !edit.move)
        status = lb_fail(
            err, LLMGR_ERR_INVALID,
            lm_options(manager)->for_callers
                ? N_("a key alone is not changed here: PUT it to …/key")
                : N_("a key alone is not changed here: store it with `llmgr platform set-key`"));
    if (status == LLMGR_OK && !edit.rename && !edit.move && !edit.hide && !edit.ask_usage &&
        !edit.say)
        status = lb_fail(err, LLMGR_ERR_INVALID, N_("nothing to change: give at least one member"));
    if (status != LLMGR_OK)
        return status;
    edit.change.actor = actor;
    lb_buf_init(&edit.change.normal, lm_host(manager), LM_NORMAL_URL_MAX);
    lm_word_buffers_init(&buffers, lm_host(manager));
    status = judge_edit(&edit, &buffers, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, told_edit(&edit), edit_row, &edit, err);
    lm_word_buffers_free(&buffers);
    lb_buf_free(&edit.change.normal);
    return status;
}
