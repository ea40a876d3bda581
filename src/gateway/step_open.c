/* SPDX-License-Identifier: MIT */
/*
 * OPEN: ids that were shown to a caller with a tail (signing.h, signed_id.h) and come back in a
 * path, a query or a JSON body:
 *
 *     GET /v1/responses/resp_68a1f0.Zm9v...7      {"previous_response_id":"resp_68a1f0.Zm9v...7"}
 *
 * With a key that is not the caller's own, each must be one that was signed for him, for the
 * platform and account the request goes to; then the platform gets its own id. Any other is
 * refused, be it foreign, forged, bare or unknown, and all alike. With his own key everything goes
 * as it came, but for what was signed for him when there were more targets or keys.
 */
#include "gateway/request.h"

#include <string.h>

#include "base/magic.h"
#include "base/raw.h"
#include "dialect/refs.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/home.h"
#include "gateway/passed.h"
#include "gateway/signing.h"
#include "gateway/work.h"
#include "http/query.h"
#include "http/url.h"
#include "objects/id_path.h"
#include "objects/signed_id.h"

enum {
    PATH_MAX_SIZE = 3 * LY_ROUTE_PATH_MAX, /* each byte escaped, its query apart */
    QUERY_MAX = 64 * 1024,
    AT_ONCE_MAX = 64 * 1024, /* bytes of a body that is looked through on the loop */
};

/* ---- Kinds ----------------------------------------------------------------------------------- */

/* Parameters of lists that name an item to go on from. */
static bool is_cursor(struct lb_str name)
{
    char plain[16];
    size_t size = 0;

    if (name.size > sizeof plain || !lh_percent_decode(name, plain, &size))
        return false;
    name = lb_str(plain, size);
    return lb_str_eq_c(name, "after") || lb_str_eq_c(name, "before");
}

/*
 * What a model calls its tool calls is no platform's to keep, but stands in the place of an item's
 * id in the output of some (local_shell_call_output).
 */
static bool is_call(const struct ld_ref *ref)
{
    return ref->kind == LD_REF_ITEM && lb_str_starts(ref->id, LB_STR("call_"));
}

/* ---- Opening --------------------------------------------------------------------------------- */

enum { OPENING_MAGIC = 0x6c676f70 };

struct opening {
    unsigned magic;
    struct lg_request *request;
    struct lf_id_holder holder;
    bool may_choose; /* what open_json is to look for */
    bool may_name;
    bool is_own;    /* the caller's own key: what is not ours goes as it came */
    bool fine;      /* nothing was refused */
    bool elsewhere; /* or only since another account keeps it */
    llmgr_status status;
    struct llmgr_error err;
};

/* The target's account has to be the one that keeps it. */
static bool open_id(struct opening *opening, struct lb_str shown, struct lb_str *id)
{
    const struct lr_target *target = &opening->request->attempt->target;
    uint64_t account_id;

    if (!lf_id_open(opening->request->worker->manager, &opening->holder, shown, id, &account_id))
        return false;
    opening->elsewhere = !lr_is_account(account_id, target->account_id, target->key_id);
    return !opening->elsewhere;
}

/* The item that the last id stood in; judged once, however many ids it has. */
struct item {
    size_t at; /* SIZE_MAX: it stood in none */
    bool is_whole;
};

/* All of the body before `from` has been written over. */
static void judge_item(struct item *item, struct lb_str body, size_t at, size_t from)
{
    if (at == item->at)
        return;
    item->at = at;
    item->is_whole = at != SIZE_MAX && at >= from && ld_item_is_whole(body, at);
}

/*
 * A client may name the items that it sends whole (Codex does). Such a name is nothing that the
 * platform keeps; so that it cannot be made to be, another one leaves, which is as long: it is
 * written into the body, of which all before `from` has been dealt with.
 */
static bool blind_item(const struct opening *opening, const struct ld_ref *ref, size_t from,
                       bool is_whole)
{
    struct lb_buf *body = &opening->request->body;
    struct lf_place place;

    if (ref->item_at == SIZE_MAX || ref->item_at < from || ref->at.size != ref->id.size ||
        lf_id_place(ref->id, &place) || !is_whole ||
        lg_request_endpoint(opening->request)->id != LD_ENDPOINT_RESPONSES)
        return false;
    return lf_id_blind(opening->request->worker->manager, &opening->holder, ref->id,
                       body->data + ref->at.at);
}

/* What could not be opened: may it stay as it is, or under another name? */
static bool keep_closed(const struct opening *opening, const struct ld_ref *ref, size_t from,
                        bool is_whole)
{
    if (opening->is_own)
        return !opening->elsewhere;
    return ref->id.p != NULL && blind_item(opening, ref, from, is_whole);
}

/*
 * In place: what is opened is never longer than what was shown. The walk is always ahead of what is
 * written.
 */
static bool open_body(struct opening *opening)
{
    struct lb_buf *body = &opening->request->body;
    size_t from = 0, to = 0;
    struct item item = {.at = SIZE_MAX};
    struct ld_refs refs;
    struct ld_ref ref;
    struct lb_str id;

    ld_refs_start(&refs, lb_buf_str(body));
    while (ld_refs_next(&refs, &ref)) {
        if (!lf_id_is_signed(ref.kind))
            continue;
        judge_item(&item, lb_buf_str(body), ref.item_at, from);
        if (ref.id.p != NULL && is_call(&ref) && (ref.item_at == SIZE_MAX || item.is_whole))
            continue;
        if (ref.id.p == NULL || !open_id(opening, ref.id, &id)) {
            if (!keep_closed(opening, &ref, from, item.is_whole))
                return false;
            continue;
        }
        memmove(body->data + to, body->data + from, ref.at.at - from);
        to += ref.at.at - from;
        memmove(body->data + to, id.p, id.size);
        to += id.size;
        from = ref.at.at + ref.at.size;
    }
    if (refs.why != NULL && !opening->is_own)
        return false;
    memmove(body->data + to, body->data + from, body->size - from);
    lb_buf_cut(body, to + body->size - from);
    return true;
}

/* The body has changed: what was seen of it stands elsewhere now. */
static llmgr_status look_again(struct lg_request *request, struct llmgr_error *err)
{
    struct ld_peek *peek = &request->ask->peek;
    const bool named_there = request->model.p != NULL && request->model.p == peek->model.p;

    llmgr_status status = ld_peek(lb_buf_str(&request->body), &request->arena, peek, err);
    if (status == LLMGR_OK && named_there)
        request->model = peek->model;
    return status;
}

static bool open_segment(struct opening *opening, struct lb_str raw, struct lb_buf *out)
{
    char shown[LY_ROUTE_PATH_MAX];
    size_t size = 0;
    struct lb_str id;

    if (raw.size <= sizeof shown && lh_percent_decode(raw, shown, &size) &&
        open_id(opening, lb_str(shown, size), &id)) {
        lh_percent_encode(id, out);
        return true;
    }
    lb_buf_add_str(out, raw);
    return opening->is_own && !opening->elsewhere;
}

static bool open_path(struct opening *opening, struct lb_buf *out)
{
    const struct lg_request *request = opening->request;
    const struct lb_str rest = request->match.rest;
    struct lb_str id;

    if (!lf_id_path(request->method, rest, &id)) {
        lb_buf_add_str(out, rest);
        return opening->is_own;
    }
    if (id.p == NULL) {
        lb_buf_add_str(out, rest);
        return true;
    }
    const size_t before = (size_t)(id.p - rest.p);
    lb_buf_add_str(out, lb_str_sub(rest, 0, before));
    if (!open_segment(opening, id, out))
        return false;
    lb_buf_add_str(out, lb_str_sub(rest, before + id.size, rest.size));
    return true;
}

static bool open_query(struct opening *opening, struct lb_buf *out)
{
    struct lb_str query = opening->request->head->query, pair;
    char before = '?';

    while (lh_query_next(&query, &pair)) {
        struct lb_str name = lb_str_sub(pair, 0, lb_str_find(pair, '='));
        struct lb_str value = lb_str_sub(pair, name.size + 1, pair.size);
        if (lh_query_is(pair, LG_QUERY_TOKEN))
            continue;
        lb_buf_add_byte(out, before);
        before = '&';
        if (is_cursor(name)) {
            lb_buf_add_str(out, lb_str_sub(pair, 0, name.size + 1));
            if (value.size > 0 && !open_segment(opening, value, out))
                return false;
        } else {
            lb_buf_add_str(out, pair);
        }
    }
    return true;
}

static enum lg_verdict refuse(const struct opening *opening)
{
    return opening->elsewhere ? lg_home_elsewhere(opening->request)
                              : lg_home_refuse_shown(opening->request);
}

/* Path and query, in the arena. */
static enum lg_verdict open_target(struct opening *opening)
{
    struct lg_request *request = opening->request;
    struct lb_buf out;

    lb_buf_init(&out, request->worker->host, PATH_MAX_SIZE + QUERY_MAX);
    const bool fine = open_path(opening, &out) && open_query(opening, &out);
    request->match.rest = fine && out.failed == LLMGR_OK
                              ? lb_arena_str(&request->arena, lb_buf_str(&out))
                              : lb_str(NULL, 0);
    lb_buf_free(&out);
    if (!fine)
        return refuse(opening);
    request->has_query = true;
    return request->match.rest.p != NULL ? LG_NEXT : lg_request_fail_memory(request);
}

/*
 * Is the answer kept, under an id that may be the caller's choice? It could be one that another
 * has, and would be signed for this one.
 */
static bool may_choose(const struct lg_request *request)
{
    enum ld_signed_family family;

    return lg_signing_suits(request, &family);
}

/* Is it a native path of ours, or one to items of a conversation? */
static bool has_place(const struct lg_request *request)
{
    struct lb_str id;

    return lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE &&
           (lf_id_path_is_ours(request->match.rest) ||
            lf_id_path(request->method, request->match.rest, &id));
}

/* What is not read may name what it likes, in an encoding of its choice. */
static bool is_unread(const struct lg_request *request)
{
    const struct lg_ask *ask = request->ask;

    return request->streams_body || (ask != NULL && ask->kind != LG_ASK_JSON);
}

static enum lg_verdict ids_opened(struct lg_request *request, void *context, llmgr_status status)
{
    struct opening *opening = LB_CAST(struct opening, context, OPENING_MAGIC);

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (request->gone || request->cut)
        return LG_DONE;
    if (!opening->fine)
        return refuse(opening);
    if (opening->status != LLMGR_OK)
        return lg_request_fail_with(request, &opening->err);
    return has_place(request) ? open_target(opening) : LG_NEXT;
}

/* The part that may take long; on any thread. */
static void open_json(void *context)
{
    struct opening *opening = LB_CAST(struct opening, context, OPENING_MAGIC);
    struct lg_request *request = opening->request;

    opening->fine = !(opening->may_choose && ld_refs_choose(lb_buf_str(&request->body)));
    if (!opening->fine || !opening->may_name)
        return;
    opening->fine = open_body(opening);
    if (opening->fine)
        opening->status = look_again(request, &opening->err);
}

static enum lg_verdict start_opening(struct lg_request *request, bool choose, bool name)
{
    const struct lr_target *target = &request->attempt->target;
    struct opening opening = {.magic = OPENING_MAGIC,
                              .request = request,
                              .may_choose = choose,
                              .may_name = name,
                              .is_own = !lr_target_is_borrowed(target),
                              .fine = true};

    lf_id_holder_set(&opening.holder, target->user, target->platform_id, target->origin);
    if (request->body.size <= AT_ONCE_MAX) {
        open_json(&opening);
        return ids_opened(request, &opening, LLMGR_OK);
    }
    struct opening *kept = lb_arena_alloc(&request->arena, sizeof *kept);
    if (kept == NULL)
        return lg_request_fail_memory(request);
    *kept = opening;
    return lg_work_start(request, open_json, ids_opened, kept);
}

/* Is there anything in it that was signed for who brings his own key? */
static enum lg_verdict look_for_signed(struct lg_request *request, bool name, bool placed,
                                       bool *is_there)
{
    *is_there = false;
    if (!name && !placed)
        return LG_NEXT;
    if (lg_home_look(request) != LG_NEXT)
        return LG_FAIL;
    (void)lg_home_judge(request, &request->attempt->target);
    *is_there = request->home != NULL && request->home->shown.size > 0;
    return LG_NEXT;
}

enum lg_verdict lg_step_open(struct lg_request *request)
{
    const struct lg_ask *ask = request->ask;

    if (lg_work_is_done(request))
        return lg_work_finish(request);
    const bool is_own = !lr_target_is_borrowed(&request->attempt->target);
    /* What was named is open by now; of chosen ids each target has a say. */
    const bool again = request->attempt->is_repeat;
    const bool placed = !again && has_place(request),
               is_json = ask != NULL && ask->kind == LG_ASK_JSON;
    const bool name = !again && is_json && (ask->peek.refs || ask->peek.ids);
    if (is_own) {
        bool is_there;
        enum lg_verdict verdict = look_for_signed(request, name, placed, &is_there);
        return verdict == LG_NEXT && is_there ? start_opening(request, false, name) : verdict;
    }
    if (placed && is_unread(request))
        return lg_request_fail(request, LLMGR_ERR_INVALID, N_("a body on this path must be JSON"));
    const bool choose = is_json && may_choose(request);
    /* Most that come name nothing: for them nothing is hashed or walked. */
    return choose || name || placed ? start_opening(request, choose, name) : LG_NEXT;
}
