/* SPDX-License-Identifier: MIT */
/* See the header. What has an id that says its platform itself is followed by shown_ids.h. */
#include "gateway/follow.h"

#include <string.h>

#include "base/magic.h"
#include "gateway/ask.h"
#include "gateway/work.h"
#include "manager/manager.h"
#include "objects/id_path.h"
#include "objects/native.h"
#include "objects/owners.h"

enum { FOLLOW_MAGIC = 0x6c67666f };

/* Holds nothing of the request's, which may go on without it. */
struct follow {
    unsigned magic;
    struct lm_manager *manager;
    enum lg_verdict (*go_on)(struct lg_request *request);
    struct lb_str user, id; /* behind the struct */
    int64_t platform_id;
    llmgr_status status;
    struct llmgr_error err;
};

static bool is_kept(enum ld_ref_kind kind)
{
    return !lf_id_is_signed(kind) && kind != LD_REF_MODEL;
}

/* The first thing that is named, in the arena; p NULL: nothing. */
static struct lb_str named(struct lg_request *request)
{
    const struct lg_ask *ask = request->ask;
    const struct lf_native *row;
    struct lb_str id;
    struct ld_refs refs;
    struct ld_ref ref;

    (void)lf_native_judge(request->method, request->match.rest, lb_str(NULL, 0), &row, &id);
    if (row != NULL && id.size > 0)
        return is_kept(row->kind) ? lb_arena_str(&request->arena, id) : lb_str(NULL, 0);
    if (ask == NULL || ask->kind != LG_ASK_JSON || !ask->peek.refs)
        return lb_str(NULL, 0);
    ld_refs_start(&refs, lb_buf_str(&request->body));
    while (ld_refs_next(&refs, &ref)) {
        if (is_kept(ref.kind) && ref.id.size > 0)
            return lb_arena_str(&request->arena, ref.id);
    }
    return lb_str(NULL, 0);
}

bool lg_follow_suits(const struct lg_request *request)
{
    return lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE && request->model.size == 0 &&
           request->platform_id == 0 && !request->followed;
}

static void look_up(void *context)
{
    struct follow *follow = LB_CAST(struct follow, context, FOLLOW_MAGIC);

    follow->status = lf_object_platform(follow->manager, follow->user, follow->id,
                                        &follow->platform_id, &follow->err);
}

static void drop_follow(void *context)
{
    struct follow *follow = LB_CAST(struct follow, context, FOLLOW_MAGIC);

    follow->magic = 0;
    lb_free(lm_host(follow->manager), follow);
}

static enum lg_verdict looked_up(struct lg_request *request, void *context, llmgr_status status)
{
    const struct follow *follow = LB_CAST(struct follow, context, FOLLOW_MAGIC);

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (follow->status != LLMGR_OK)
        return lg_request_fail_with(request, &follow->err);
    if (request->gone || request->cut)
        return LG_DONE;
    request->platform_id = follow->platform_id;
    return follow->go_on(request);
}

enum lg_verdict lg_follow(struct lg_request *request,
                          enum lg_verdict (*go_on)(struct lg_request *request))
{
    struct lb_str id = named(request);

    request->followed = true;
    if (id.p == NULL)
        return go_on(request);
    struct lm_manager *manager = request->worker->manager;
    struct lb_str user = lm_effective_user(manager, request->caller.user);
    struct follow *follow = lb_calloc(lm_host(manager), 1, sizeof *follow + user.size + id.size);
    if (follow == NULL)
        return lg_request_fail_memory(request);
    char *texts = (char *)(follow + 1);
    follow->magic = FOLLOW_MAGIC;
    follow->manager = manager;
    follow->go_on = go_on;
    follow->user = lb_str(memcpy(texts, user.p, user.size), user.size);
    follow->id = lb_str(memcpy(texts + user.size, id.p, id.size), id.size);
    return lg_work_start_bounded(request, look_up, looked_up, drop_follow, follow);
}
