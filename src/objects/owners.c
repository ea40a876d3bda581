/* SPDX-License-Identifier: MIT */
/* One row per object in llm_objects. See the header. */
#include "objects/owners.h"

#include <string.h>

#include "base/error.h"
#include "manager/manager.h"
#include "objects/signed_id.h"
#include "resolve/resolve.h"
#include "store/store.h"
#include "vault/vault.h"

/* What cannot stand in a row is in none. */
static bool is_id(struct lb_str id)
{
    return id.size > 0 && id.size <= LF_OBJECT_ID_MAX && memchr(id.p, 0, id.size) == NULL &&
           lb_utf8_valid(id);
}

/* ---- Asking ---------------------------------------------------------------------------------- */

struct lf_asking lf_asking_of(const struct lr_target *target)
{
    return (struct lf_asking){target->user, target->platform_id, target->key_id,
                              target->account_id};
}

enum owned { OWNED_NOT, OWNED_ELSEWHERE, OWNED_HERE };

/* Is it theirs, and does this account keep it? What nobody is known to own is nobody's. */
static llmgr_status judge_owner(struct ls_tx *tx, const struct lf_asking *asking,
                                const struct lf_object *object, enum owned *owned,
                                struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;

    *owned = OWNED_NOT;
    if (!is_id(object->id))
        return LLMGR_OK;
    llmgr_status status =
        ls_find(tx, LS_OBJECT_OWNER, LS_ARGS(ls_int(asking->platform_id), ls_text(object->id)),
                &rows, &found, err);
    if (!found)
        return status;
    const uint64_t account = (uint64_t)ls_column_int(&rows, 2);
    if (lb_str_eq(ls_column_text(&rows, 0), asking->user) &&
        (!object->exact || lb_str_eq(ls_column_text(&rows, 1), object->kind)))
        *owned = lr_is_account(account, asking->account_id, asking->key_id) ? OWNED_HERE
                                                                            : OWNED_ELSEWHERE;
    ls_rows_end(&rows);
    return status;
}

llmgr_status lf_objects_owned(struct lm_manager *manager, const struct lf_asking *asking,
                              const struct lf_object *objects, size_t count, size_t *missing,
                              bool *elsewhere, struct llmgr_error *err)
{
    struct ls_tx *tx = NULL;
    enum owned owned = OWNED_HERE;
    size_t at = 0;

    llmgr_status status = ls_begin(lm_store(manager), LS_READ_SOON, &tx, err);
    if (status != LLMGR_OK)
        return status;
    while (at < count) {
        status = judge_owner(tx, asking, &objects[at], &owned, err);
        if (status != LLMGR_OK || owned != OWNED_HERE)
            break;
        at++;
    }
    ls_rollback(tx);
    if (status == LLMGR_OK) {
        *missing = at;
        *elsewhere = owned == OWNED_ELSEWHERE;
    }
    return status;
}

llmgr_status lf_object_place(struct lm_manager *manager, struct lb_str user, struct lb_str id,
                             struct lf_place *place, struct llmgr_error *err)
{
    struct ls_tx *tx = NULL;
    struct ls_rows rows;
    bool found = false;

    *place = (struct lf_place){0, 0};
    if (!is_id(id))
        return LLMGR_OK;
    llmgr_status status = ls_begin(lm_store(manager), LS_READ_SOON, &tx, err);
    if (status != LLMGR_OK)
        return status;
    status = ls_find(tx, LS_OBJECT_PLACE, LS_ARGS(ls_text(user), ls_text(id)), &rows, &found, err);
    if (found) {
        *place = (struct lf_place){ls_column_int(&rows, 0), (uint64_t)ls_column_int(&rows, 1)};
        ls_rows_end(&rows);
    }
    ls_rollback(tx);
    return status;
}

/* ---- Telling --------------------------------------------------------------------------------- */

struct adding {
    const struct lr_target *target;
    const struct lf_object *objects;
    size_t count;
    struct lb_str key; /* the fingerprint of the key it was made with */
    int64_t now;
};

static llmgr_status add_one(const struct adding *adding, struct ls_tx *tx,
                            const struct lf_object *object, struct llmgr_error *err)
{
    const struct lr_target *target = adding->target;
    const struct lf_asking asking = lf_asking_of(target);
    const int64_t account = (int64_t)lr_target_kept_by(target);
    enum owned owned = OWNED_NOT;

    if (!is_id(object->id))
        return lb_fail(err, LLMGR_ERR_PROTOCOL,
                       N_("the platform's answer names an object by an id that cannot be kept"));
    llmgr_status status =
        ls_exec(tx, LS_OBJECT_ADD,
                LS_ARGS(ls_int(target->platform_id), ls_text(object->id), ls_text(target->user),
                        ls_text(object->kind), ls_text(adding->key), ls_int(adding->now),
                        ls_int_or_null(account)),
                NULL, err);
    if (status != LLMGR_OK)
        return status;
    status = judge_owner(tx, &asking, object, &owned, err);
    if (status != LLMGR_OK)
        return status;
    return owned == OWNED_HERE
               ? LLMGR_OK
               : lb_fail(err, LLMGR_ERR_CONFLICT,
                         N_("the platform gave an object an id that is somebody else's"));
}

static llmgr_status add_all(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct adding *adding = context;
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < adding->count && status == LLMGR_OK; i++)
        status = add_one(adding, tx, &adding->objects[i], err);
    return status;
}

llmgr_status lf_objects_add(struct lm_manager *manager, const struct lr_target *target,
                            const struct lf_object *objects, size_t count, struct llmgr_error *err)
{
    char shown[LV_FINGERPRINT_SIZE] = "";
    struct adding adding = {
        .target = target, .objects = objects, .count = count, .now = lb_now_ms(lm_host(manager))};

    llmgr_status status = lr_target_fingerprint(manager, target, shown, err);
    if (status != LLMGR_OK)
        return status;
    adding.key = lb_cstr(shown);
    return ls_transact(lm_store(manager), LS_WRITE, add_all, &adding, err);
}

struct forgetting {
    int64_t platform_id;
    struct lb_str user, id;
};

static llmgr_status forget(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct forgetting *it = context;

    return ls_exec(tx, LS_OBJECT_FORGET,
                   LS_ARGS(ls_int(it->platform_id), ls_text(it->id), ls_text(it->user)), NULL, err);
}

llmgr_status lf_object_forget(struct lm_manager *manager, int64_t platform_id, struct lb_str user,
                              struct lb_str id, struct llmgr_error *err)
{
    struct forgetting it = {platform_id, user, id};

    return is_id(id) ? ls_transact(lm_store(manager), LS_WRITE, forget, &it, err) : LLMGR_OK;
}
