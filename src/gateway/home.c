/* SPDX-License-Identifier: MIT */
/* What a request names, and whether the target may be asked for it. See the header. */
#include "gateway/home.h"

#include <string.h>

#include "base/raw.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/walk.h"
#include "http/url.h"
#include "manager/manager.h"
#include "objects/id_path.h"
#include "objects/names.h"
#include "objects/native.h"

/* ---- What is named --------------------------------------------------------------------------- */

static bool is_kept(enum ld_ref_kind kind)
{
    return !lf_id_is_signed(kind) && kind != LD_REF_MODEL;
}

/* A signed id. One that says which account comes before one that does not. */
static bool note_shown(struct lg_request *request, struct lb_str shown)
{
    struct lg_home *home = request->home;
    struct lf_place place;

    if (!lf_id_place(shown, &place) ||
        (home->shown.size > 0 && (home->place.account_id != 0 || place.account_id == 0)))
        return true;
    home->place = place;
    home->shown = lb_arena_str(&request->arena, shown);
    return home->shown.p != NULL;
}

static bool note_kept(struct lg_request *request, enum ld_ref_kind kind, struct lb_str id)
{
    struct lg_home *home = request->home;

    if (home->kept.size > 0 || id.size == 0)
        return true;
    home->kind = ld_ref_kind_name(kind);
    home->kept = lb_arena_str(&request->arena, id);
    return home->kept.p != NULL;
}

static bool look_at_path(struct lg_request *request)
{
    LB_RAW char shown[LY_ROUTE_PATH_MAX];
    const struct lf_native *row;
    struct lb_str id;
    size_t size = 0;

    (void)lf_native_judge(request->method, request->match.rest, lb_str(NULL, 0), &row, &id);
    request->home->names = row != NULL && id.size > 0;
    if (row != NULL && id.size > 0 && is_kept(row->kind) && !note_kept(request, row->kind, id))
        return false;
    if (!lf_id_path(request->method, request->match.rest, &id) || id.p == NULL ||
        id.size > sizeof shown || !lh_percent_decode(id, shown, &size))
        return true;
    return note_shown(request, lb_str(shown, size));
}

static bool look_at_body(struct lg_request *request)
{
    LB_RAW struct ld_refs refs;
    struct ld_ref ref;
    bool fine = true;

    ld_refs_start(&refs, lb_buf_str(&request->body));
    while (fine && ld_refs_next(&refs, &ref)) {
        request->home->names = true;
        if (ref.id.p == NULL)
            continue;
        if (lf_id_is_signed(ref.kind))
            fine = note_shown(request, ref.id);
        else if (is_kept(ref.kind))
            fine = note_kept(request, ref.kind, ref.id);
    }
    request->home->names = request->home->names || refs.why != NULL;
    return fine;
}

enum lg_verdict lg_home_look(struct lg_request *request)
{
    const struct lg_ask *ask = request->ask;
    const bool names = ask != NULL && ask->kind == LG_ASK_JSON && (ask->peek.refs || ask->peek.ids);
    const bool is_native = lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE;

    if (request->home != NULL || !(names || is_native))
        return LG_NEXT;
    request->home = lb_arena_calloc(&request->arena, 1, sizeof *request->home);
    if (request->home == NULL || (is_native && !look_at_path(request)) ||
        (names && !look_at_body(request)))
        return lg_request_fail_memory(request);
    return LG_NEXT;
}

bool lg_home_waits(const struct lg_request *request)
{
    const struct lg_home *home = request->home;

    return home != NULL && home->shown.size == 0 && home->kept.size > 0 && !home->is_asked;
}

/* ---- Whether it may be asked for ------------------------------------------------------------- */

static bool is_signed_for(const struct lg_request *request, const struct lr_target *target)
{
    struct lf_id_holder holder;
    struct lb_str id;
    uint64_t account_id;

    lf_id_holder_set(&holder, target->user, target->platform_id, target->origin);
    return lf_id_open(request->worker->manager, &holder, request->home->shown, &id, &account_id);
}

bool lg_home_judge(struct lg_request *request, const struct lr_target *target)
{
    struct lg_home *home = request->home;

    if (home == NULL)
        return true;
    if (home->is_asked)
        return home->place.platform_id != 0 || !lr_target_is_borrowed(target);
    if (home->shown.size == 0 || home->is_judged)
        return true;
    home->is_judged = is_signed_for(request, target);
    if (home->is_judged || lr_target_is_borrowed(target))
        return home->is_judged;
    home->is_judged = true;
    home->place = (struct lf_place){0, 0};
    home->shown = lb_str(NULL, 0);
    return true;
}

enum lg_verdict lg_home_refuse_shown(struct lg_request *request)
{
    request->error_plain = true;
    return lg_request_fail(request, LLMGR_ERR_NOT_FOUND,
                           N_("there is no such response, item or chat completion of this user's "
                              "here"));
}

enum lg_verdict lg_home_refuse(struct lg_request *request)
{
    const struct lg_home *home = request->home;
    struct llmgr_error err = {0};

    if (home == NULL || !home->is_asked)
        return lg_home_refuse_shown(request);
    request->error_plain = true;
    (void)lf_no_such(&err, home->kind, home->kept);
    return lg_request_fail_with(request, &err);
}

enum lg_verdict lg_home_gone(struct lg_request *request, const struct lr_target *target)
{
    return lg_request_fail(request, LLMGR_ERR_NO_KEY,
                           N_("what the request names is kept by an account of platform '%.*s' of "
                              "which there is no key any more"),
                           (int)target->platform_name.size, target->platform_name.p);
}

enum lg_verdict lg_home_elsewhere(struct lg_request *request)
{
    const struct lr_target *target = &request->attempt->target;

    if (target->key_count <= 1)
        return lg_home_gone(request, target);
    request->error_plain = true;
    return lg_request_fail(request, LLMGR_ERR_INVALID,
                           N_("the request names things that different accounts of platform '%.*s' "
                              "keep, and only one can be asked"),
                           (int)target->platform_name.size, target->platform_name.p);
}

bool lg_home_is_noted(const struct lg_request *request)
{
    const struct lr_target *target = &request->attempt->target;

    return lr_target_is_borrowed(target) || target->key_count > 1 ||
           (request->walk != NULL && request->walk->way.walk.options.count > 1);
}
