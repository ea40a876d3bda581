/* SPDX-License-Identifier: MIT */
/*
 * Making, changing and deleting routes. A route is looked up by (id, user), so a foreign row and an
 * absent one give the same answer; the operator's are seen by everybody and changed by the operator
 * alone, save those that llmgr.yaml manages, which are changed there.
 */
#include "manager/routes.h"

#include "base/error.h"
#include "manager/access.h"
#include "manager/route_row.h"
#include "manager/rules.h"
#include "store/store.h"

enum {
    SCRATCH_MAX = 1 << 20,       /* bytes of the targets of one route while they are judged */
    TARGETS_JSON_MAX = 1 << 20,  /* bytes of the column */
    SHOWN_NAME_MAX = LM_SLOT_MAX /* bytes of a name in a message */
};

#define SHOW(s) (int)lb_utf8_cut((s), SHOWN_NAME_MAX), (s).p

struct change {
    struct lm_manager *manager;
    struct lm_actor actor;
    struct lb_str owner; /* of the row: the same, or the system user */
    bool is_sys;         /* the row is the operator's */
    int64_t id;          /* 0: a new one */
    const struct lm_route_spec *spec;
    size_t target_count;
    struct lb_buf targets; /* the column */
    const bool *hide;
};

/* ---- What stands against it ------------------------------------------------------------------ */

llmgr_status lm_route_by_name(struct ls_tx *tx, bool is_sys, struct lb_str user, struct lb_str name,
                              int64_t *id, struct llmgr_error *err)
{
    struct lb_str owner = is_sys ? LB_STR(LLMGR_SYSTEM_USER) : user;
    struct ls_rows rows;
    bool found = false;

    *id = 0;
    llmgr_status status =
        ls_find(tx, LS_ROUTE_BY_NAME, LS_ARGS(ls_int(is_sys), ls_text(owner), ls_text(name)), &rows,
                &found, err);
    if (!found)
        return status;
    *id = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    return LLMGR_OK;
}

/* Is there a route of this name, of that owner and other than ours? */
static llmgr_status is_taken(const struct change *change, struct ls_tx *tx, bool is_sys,
                             bool *taken, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lm_route_by_name(tx, is_sys, change->owner, change->spec->name, &id, err);
    *taken = id != 0 && id != change->id;
    return status;
}

static llmgr_status judge_slot(const struct change *change, struct ls_tx *tx,
                               struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;

    llmgr_status status =
        ls_find(tx, LS_SELECTION_HAS, LS_ARGS(ls_text(change->owner), ls_text(change->spec->name)),
                &rows, &found, err);
    if (!found)
        return status;
    ls_rows_end(&rows);
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("invalid route name: '%.*s' is a slot that is in use, and slots are asked "
                      "first; take another name"),
                   SHOW(change->spec->name));
}

static llmgr_status judge_name(const struct change *change, struct ls_tx *tx,
                               struct llmgr_error *err)
{
    struct lb_str name = change->spec->name;
    bool taken = false;
    llmgr_status status = LLMGR_OK;

    if (name.p == NULL)
        return LLMGR_OK;
    if (!change->is_sys)
        status = is_taken(change, tx, false, &taken, err);
    if (status == LLMGR_OK && taken)
        return lb_fail(err, LLMGR_ERR_CONFLICT, N_("you have a route '%.*s' already"), SHOW(name));
    if (status == LLMGR_OK)
        status = is_taken(change, tx, true, &taken, err);
    if (status == LLMGR_OK && taken)
        return lb_fail(err, LLMGR_ERR_CONFLICT,
                       N_("there is a system route '%.*s' already; take another name"), SHOW(name));
    return status == LLMGR_OK ? judge_slot(change, tx, err) : status;
}

/* One route or some targets more, if this is that, must fit. */
static llmgr_status judge_room(const struct change *change, struct ls_tx *tx,
                               struct llmgr_error *err)
{
    const int64_t routes_max = change->is_sys ? LM_CATALOGUE_ROUTES_MAX : LLMGR_ROUTES_PER_USER;
    const int64_t targets_max =
        change->is_sys ? LM_CATALOGUE_TARGETS_MAX : LLMGR_ROUTE_ALL_TARGETS_MAX;
    struct ls_rows rows;

    llmgr_status status = ls_get(
        tx, LS_ROUTE_COUNT,
        LS_ARGS(ls_int(change->is_sys), ls_text(change->owner), ls_int(change->id)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    const int64_t routes = ls_column_int(&rows, 0);
    const int64_t targets = ls_column_int(&rows, 1);
    ls_rows_end(&rows);
    if (change->id == 0 && routes >= routes_max)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("there are %lld routes, which is the limit; delete one first"),
                       (long long)routes);
    if (targets + (int64_t)change->target_count > targets_max)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("with this one the routes would have %lld targets; all together may have "
                          "%lld"),
                       (long long)(targets + (int64_t)change->target_count),
                       (long long)targets_max);
    return LLMGR_OK;
}

/* ---- Adding ---------------------------------------------------------------------------------- */

static const char *pick_of(const struct lm_route_spec *spec)
{
    return spec->pick != LLMGR_UNSET ? llmgr_pick_name((llmgr_pick)spec->pick) : NULL;
}

static const char *sticky_of(const struct lm_route_spec *spec)
{
    return spec->sticky != LLMGR_UNSET ? llmgr_sticky_name((llmgr_sticky)spec->sticky) : NULL;
}

static const char *exhausted_of(const struct lm_route_spec *spec)
{
    return spec->on_exhausted != LLMGR_UNSET
               ? llmgr_exhausted_name((llmgr_exhausted)spec->on_exhausted)
               : NULL;
}

static struct ls_value int_if_set(int64_t value)
{
    return value != LLMGR_UNSET ? ls_int(value) : ls_null();
}

llmgr_status lm_route_insert(struct ls_tx *tx, const struct lm_route_spec *spec, bool is_sys,
                             struct lb_str owner, const char *managed, struct lb_str targets,
                             int64_t *id, struct llmgr_error *err)
{
    const char *pick = pick_of(spec), *sticky = sticky_of(spec), *exhausted = exhausted_of(spec);

    return ls_insert(
        tx, LS_ROUTE_ADD,
        LS_ARGS(
            ls_int(is_sys), ls_text(owner), ls_cstr(managed), ls_text(spec->name),
            ls_text_or_null(spec->display_name),
            ls_cstr(pick != NULL ? pick : llmgr_pick_name((llmgr_pick)0)),
            ls_cstr(sticky != NULL ? sticky : llmgr_sticky_name((llmgr_sticky)0)),
            ls_cstr(exhausted != NULL ? exhausted : llmgr_exhausted_name((llmgr_exhausted)0)),
            ls_int(spec->attempts != LLMGR_UNSET ? spec->attempts : LLMGR_ROUTE_ATTEMPTS),
            ls_int(spec->deadline_ms != LLMGR_UNSET ? spec->deadline_ms : LLMGR_ROUTE_DEADLINE_MS),
            ls_text(targets), ls_int((int64_t)spec->target_count)),
        id, err);
}

llmgr_status lm_route_update(struct ls_tx *tx, int64_t id, const struct lm_route_spec *spec,
                             struct lb_str targets, struct llmgr_error *err)
{
    const bool has_targets = spec->targets != NULL;

    return ls_exec(tx, LS_ROUTE_SET,
                   LS_ARGS(ls_int(id), ls_text_if_given(spec->name),
                           ls_text_if_given(spec->display_name), ls_cstr(pick_of(spec)),
                           ls_cstr(sticky_of(spec)), ls_cstr(exhausted_of(spec)),
                           int_if_set(spec->attempts), int_if_set(spec->deadline_ms),
                           has_targets ? ls_text(targets) : ls_null(),
                           has_targets ? ls_int((int64_t)spec->target_count) : ls_null()),
                   NULL, err);
}

static llmgr_status add_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    int64_t id;

    change->id = 0; /* of an earlier try */
    llmgr_status status = judge_name(change, tx, err);
    if (status == LLMGR_OK)
        status = judge_room(change, tx, err);
    if (status == LLMGR_OK)
        status = lm_route_insert(tx, change->spec, change->is_sys, change->owner, "database",
                                 lb_buf_str(&change->targets), &id, err);
    if (status == LLMGR_OK)
        change->id = id;
    return status;
}

/* Fills the column; the judging before it refuses what does not fit. */
static llmgr_status take_targets(struct change *change, struct llmgr_error *err)
{
    const struct lb_host *host = lm_host(change->manager);
    struct lm_route_target *targets;
    struct lb_arena scratch;

    lb_arena_init(&scratch, host, NULL, 0, SCRATCH_MAX);
    llmgr_status status = lm_rule_route(change->spec, &scratch, &targets, err);
    if (status == LLMGR_OK && targets != NULL) {
        change->target_count = change->spec->target_count;
        lm_route_targets_write(targets, change->target_count, &change->targets);
        if (change->targets.failed != LLMGR_OK)
            status = lb_fail_memory(err);
    }
    lb_arena_free(&scratch);
    return status;
}

/* May this user have routes of his own? */
static llmgr_status judge_owner(const struct change *change, struct llmgr_error *err)
{
    const bool is_system = lm_is_system_user(change->actor.user);

    if (change->is_sys)
        return change->actor.is_operator
                   ? LLMGR_OK
                   : lb_fail(err, LLMGR_ERR_FORBIDDEN, N_("system routes are the operator's"));
    if (!is_system)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_MODE,
                   lm_options(change->manager)->for_callers
                       ? N_("the system user has no routes of its own; name a user with ?user=, or "
                            "make a system route with \"is_sys\": true")
                       : N_("the system user has no routes of its own; name a user (-u), or make a "
                            "system route with --system"));
}

/* Whom a change of the row concerns: the empty slice is everybody. */
static struct lb_str told(const struct change *change)
{
    return change->is_sys ? lb_str(NULL, 0) : change->actor.user;
}

llmgr_status lm_route_add(struct lm_manager *manager, struct lm_actor actor, bool is_sys,
                          const struct lm_route_spec *spec, int64_t *id, struct llmgr_error *err)
{
    struct change change = {.manager = manager, .is_sys = is_sys, .spec = spec};

    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status != LLMGR_OK)
        return status;
    change.actor = actor;
    change.owner = is_sys ? LB_STR(LLMGR_SYSTEM_USER) : actor.user;
    status = judge_owner(&change, err);
    if (status == LLMGR_OK && (spec->name.p == NULL || spec->targets == NULL))
        status = lb_fail(err, LLMGR_ERR_INVALID,
                         N_("a route needs a name and at least one target PLATFORM/MODEL"));
    if (status != LLMGR_OK)
        return status;
    lb_buf_init(&change.targets, lm_host(manager), TARGETS_JSON_MAX);
    status = take_targets(&change, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, told(&change), add_row, &change, err);
    lb_buf_free(&change.targets);
    if (status == LLMGR_OK && id != NULL)
        *id = change.id;
    return status;
}

/* ---- Changing -------------------------------------------------------------------------------- */

struct row {
    bool is_sys;
    bool in_file;
    size_t name_size;
    char name[LM_SLOT_MAX]; /* for messages */
};

static llmgr_status find(const struct change *change, struct ls_tx *tx, struct row *row,
                         struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;

    llmgr_status status =
        ls_find(tx, LS_ROUTE_FIND, LS_ARGS(ls_int(change->id), ls_text(change->actor.user)), &rows,
                &found, err);
    if (status != LLMGR_OK)
        return status;
    if (!found)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no route %lld"),
                       (long long)change->id);
    struct lb_str name = ls_column_text(&rows, 2);
    *row = (struct row){.is_sys = ls_column_int(&rows, 0) != 0,
                        .in_file = lb_str_eq_c(ls_column_text(&rows, 1), "file"),
                        .name_size = lb_utf8_cut(name, LM_SLOT_MAX)};
    if (row->name_size != 0)
        memcpy(row->name, name.p, row->name_size);
    ls_rows_end(&rows);
    return LLMGR_OK;
}

/* The route, as one that may be changed by who acts. */
static llmgr_status find_own(struct change *change, struct ls_tx *tx, struct llmgr_error *err)
{
    struct row row;

    llmgr_status status = find(change, tx, &row, err);
    if (status != LLMGR_OK)
        return status;
    change->is_sys = row.is_sys;
    change->owner = row.is_sys ? LB_STR(LLMGR_SYSTEM_USER) : change->actor.user;
    if (row.is_sys && !change->actor.is_operator)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("the route '%.*s' is the operator's; you can hide it, or make one of "
                          "your own"),
                       (int)row.name_size, row.name);
    if (row.in_file)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       lm_options(change->manager)->for_callers
                           ? N_("the route '%.*s' is managed by the server's configuration file, "
                                "and changed there")
                           : N_("the route '%.*s' is managed by llmgr.yaml: change it there and "
                                "run `llmgr sync`"),
                       (int)row.name_size, row.name);
    return LLMGR_OK;
}

static llmgr_status hide_row(const struct change *change, struct ls_tx *tx, struct llmgr_error *err)
{
    struct row row;

    llmgr_status status = find(change, tx, &row, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, *change->hide ? LS_ROUTE_HIDE : LS_ROUTE_SHOW,
                         LS_ARGS(ls_text(change->actor.user), ls_int(change->id)), NULL, err);
    return status;
}

static llmgr_status change_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    llmgr_status status = LLMGR_OK;

    if (change->spec != NULL) {
        status = find_own(change, tx, err);
        if (status == LLMGR_OK)
            status = judge_name(change, tx, err);
        if (status == LLMGR_OK && change->spec->targets != NULL)
            status = judge_room(change, tx, err);
        if (status == LLMGR_OK)
            status =
                lm_route_update(tx, change->id, change->spec, lb_buf_str(&change->targets), err);
    }
    return status == LLMGR_OK && change->hide != NULL ? hide_row(change, tx, err) : status;
}

/*
 * The catalogue is everybody's: what an operator changes, everybody has to hear of, also if it
 * turns out to be nothing of the catalogue.
 */
static struct lb_str told_change(const struct change *change)
{
    return change->spec != NULL ? lm_told(change->actor) : change->actor.user;
}

static bool says_nothing(const struct lm_route_spec *spec)
{
    return spec->name.p == NULL && spec->display_name.p == NULL && spec->targets == NULL &&
           spec->pick == LLMGR_UNSET && spec->sticky == LLMGR_UNSET &&
           spec->on_exhausted == LLMGR_UNSET && spec->attempts == LLMGR_UNSET &&
           spec->deadline_ms == LLMGR_UNSET;
}

llmgr_status lm_route_change(struct lm_manager *manager, struct lm_actor actor, int64_t id,
                             const struct lm_route_spec *spec, const bool *hide,
                             struct llmgr_error *err)
{
    struct change change = {.manager = manager, .id = id, .spec = spec, .hide = hide};

    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status != LLMGR_OK)
        return status;
    change.actor = actor;
    if (spec != NULL && says_nothing(spec))
        change.spec = NULL;
    if (change.spec == NULL && hide == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("nothing to change: give at least one member"));
    lb_buf_init(&change.targets, lm_host(manager), TARGETS_JSON_MAX);
    if (change.spec != NULL)
        status = take_targets(&change, err);
    if (status == LLMGR_OK)
        status = lm_write(manager, told_change(&change), change_row, &change, err);
    lb_buf_free(&change.targets);
    return status;
}

/* ---- Deleting -------------------------------------------------------------------------------- */

static llmgr_status delete_row(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;

    llmgr_status status = find_own(change, tx, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_ROUTE_DELETE, LS_ARGS(ls_int(change->id)), NULL, err);
    return status;
}

llmgr_status lm_route_delete(struct lm_manager *manager, struct lm_actor actor, int64_t id,
                             struct llmgr_error *err)
{
    struct change change = {.manager = manager, .id = id};

    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status != LLMGR_OK)
        return status;
    change.actor = actor;
    return lm_revoke(manager, lm_told(actor), delete_row, &change, err);
}
