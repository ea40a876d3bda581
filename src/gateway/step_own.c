/* SPDX-License-Identifier: MIT */
/* OWN: may this caller reach what the request names? See own.h. */
#include "gateway/own.h"

#include <string.h>

#include "base/magic.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/decode.h"
#include "gateway/home.h"
#include "gateway/upload.h"
#include "gateway/work.h"
#include "http/query.h"
#include "manager/manager.h"
#include "objects/names.h"

/* ---- Refusals -------------------------------------------------------------------------------- */

/* `text` names the path; the caller's own key opens all of them. */
static enum lg_verdict refuse_path(struct lg_request *request, const char *text)
{
    struct lb_str path = request->match.rest;

    request->error_plain = true;
    return lg_request_fail(request, LLMGR_ERR_NOT_FOUND,
                           N_("'%.*s' %s; to use it, store a key of your own for the platform"),
                           (int)lb_utf8_cut(path, 200), path.p, lb_tr(text));
}

/* ---- Whose is it? ---------------------------------------------------------------------------- */

enum { OWNERS_MAGIC = 0x6c676f77 };

/* Holds nothing of the request's, which goes on without it when the database does not answer. */
struct look_up {
    unsigned magic;
    struct lm_manager *manager;
    struct lf_asking asking; /* its text, as the ids, behind the objects */
    size_t count;
    bool elsewhere; /* the first that is missing is kept by another account */
    llmgr_status status;
    struct llmgr_error err;
    struct lf_object objects[];
};

static void look_up(void *context)
{
    struct look_up *look = LB_CAST(struct look_up, context, OWNERS_MAGIC);
    size_t missing = 0;

    look->status = lf_objects_owned(look->manager, &look->asking, look->objects, look->count,
                                    &missing, &look->elsewhere, &look->err);
    if (look->status == LLMGR_OK && missing < look->count && !look->elsewhere)
        look->status =
            lf_no_such(&look->err, look->objects[missing].kind.p, look->objects[missing].id);
}

static void drop_look_up(void *context)
{
    struct look_up *look = LB_CAST(struct look_up, context, OWNERS_MAGIC);

    look->magic = 0;
    lb_free(lm_host(look->manager), look);
}

static enum lg_verdict refuse_foreign(struct lg_request *request, const struct llmgr_error *err)
{
    request->error_plain = err->status == LLMGR_ERR_NOT_FOUND;
    return lg_request_fail_with(request, err);
}

static enum lg_verdict looked_up(struct lg_request *request, void *context, llmgr_status status)
{
    struct look_up *look = LB_CAST(struct look_up, context, OWNERS_MAGIC);

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (request->gone)
        return LG_DONE;
    if (look->status != LLMGR_OK)
        return refuse_foreign(request, &look->err);
    return look->elsewhere ? lg_home_elsewhere(request) : LG_NEXT;
}

static struct lb_str put_text(char **texts, struct lb_str text)
{
    char *to = *texts;

    *texts += text.size;
    return lb_str(text.size > 0 ? memcpy(to, text.p, text.size) : to, text.size);
}

static enum lg_verdict start_look_up(struct lg_request *request, const struct lf_names *names)
{
    struct lm_manager *manager = request->worker->manager;
    const struct lr_target *target = &request->attempt->target;
    size_t size = sizeof(struct look_up) + names->count * sizeof(struct lf_object);
    size_t texts_size = target->user.size;

    for (size_t i = 0; i < names->count; i++)
        texts_size += names->objects[i].id.size;
    struct look_up *look = lb_calloc(lm_host(manager), 1, size + texts_size);
    if (look == NULL)
        return lg_request_fail_memory(request);
    char *texts = (char *)look + size;
    look->magic = OWNERS_MAGIC;
    look->manager = manager;
    look->asking = lf_asking_of(target);
    look->asking.user = put_text(&texts, target->user);
    look->count = names->count;
    for (size_t i = 0; i < names->count; i++) {
        look->objects[i] = names->objects[i]; /* kinds are constants */
        look->objects[i].id = put_text(&texts, names->objects[i].id);
    }
    return lg_work_start_bounded(request, look_up, looked_up, drop_look_up, look);
}

/* ---- What does it name? ---------------------------------------------------------------------- */

enum { GATHER_MAGIC = 0x6c676761 };

struct gather {
    unsigned magic;
    struct lf_naming from;
    struct lf_names names;
    llmgr_status status;
    struct llmgr_error err;
};

static void gather_all(void *context)
{
    struct gather *gather = LB_CAST(struct gather, context, GATHER_MAGIC);

    gather->status = lf_names_find(&gather->from, &gather->names, &gather->err);
}

static enum lg_verdict names_gathered(struct lg_request *request, void *context,
                                      llmgr_status status)
{
    const struct gather *gather = LB_CAST(struct gather, context, GATHER_MAGIC);

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (request->gone || request->cut)
        return LG_DONE;
    if (gather->status != LLMGR_OK)
        return refuse_foreign(request, &gather->err);
    request->own->makes_batch_file = gather->names.batch_file;
    return gather->names.count > 0 ? start_look_up(request, &gather->names) : LG_NEXT;
}

static bool is_pairs(struct lb_str type)
{
    size_t end = lb_str_find(type, ';');

    return lb_str_eq_nocase(lb_str_trim(lb_str_sub(type, 0, end)),
                            LB_STR("application/x-www-form-urlencoded"));
}

static enum lf_body_kind body_kind(const struct lg_request *request)
{
    const struct lg_ask *ask = request->ask;

    if (ask == NULL)
        return LF_BODY_NONE;
    if (ask->kind != LG_ASK_OPAQUE)
        return ask->kind == LG_ASK_JSON ? LF_BODY_JSON : LF_BODY_FORM;
    return is_pairs(lh_head_get(request->head, LH_HEADER_CONTENT_TYPE)) ? LF_BODY_PAIRS
                                                                        : LF_BODY_OTHER;
}

/* A short body is looked through at once; a long one beside the loop. */
static enum lg_verdict start_gathering(struct lg_request *request)
{
    struct gather *gather = lb_arena_calloc(&request->arena, 1, sizeof *gather);
    const bool native = lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE;

    if (gather == NULL)
        return lg_request_fail_memory(request);
    gather->magic = GATHER_MAGIC;
    gather->from = (struct lf_naming){
        .host = request->worker->host,
        .arena = &request->arena,
        .row = request->own->row,
        .path_id = request->own->id,
        .opened = request->attempt->target.native_paths,
        .query = native ? request->head->query : lb_str(NULL, 0),
        .kind = body_kind(request),
        .body = lb_buf_str(&request->body),
    };
    if (gather->from.kind == LF_BODY_JSON)
        gather->from.model_at = request->ask->peek.model_at.at;
    if (gather->from.kind == LF_BODY_FORM)
        gather->from.form = &request->ask->form;
    if (request->body.size > LG_OWN_LOOK_MAX)
        return lg_work_start(request, gather_all, names_gathered, gather);
    gather_all(gather);
    return names_gathered(request, gather, LLMGR_OK);
}

/* ---- What it has for a body ------------------------------------------------------------------ */

/* May the body name anything? Told by the look that READ took. */
static bool may_name(const struct lg_request *request)
{
    const struct lg_ask *ask = request->ask;

    if (ask == NULL)
        return false;
    return ask->kind == LG_ASK_JSON ? ask->peek.refs : true;
}

/* Media that are no text in which anything could be named. */
static bool is_opaque_type(struct lb_str type)
{
    static const char *const STARTS[] = {"audio/", "image/", "video/", "text/plain"};

    for (size_t i = 0; i < sizeof STARTS / sizeof STARTS[0]; i++) {
        struct lb_str start = lb_cstr(STARTS[i]);
        if (type.size >= start.size && lb_str_eq_nocase(lb_str_sub(type, 0, start.size), start))
            return true;
    }
    size_t end = lb_str_find(type, ';');
    return lb_str_eq_nocase(lb_str_trim(lb_str_sub(type, 0, end)),
                            LB_STR("application/octet-stream"));
}

static bool is_json(const struct lg_request *request)
{
    return request->ask != NULL && request->ask->kind == LG_ASK_JSON;
}

static enum lg_verdict refuse_type(struct lg_request *request)
{
    request->error_http = 415;
    return lg_request_fail(request, LLMGR_ERR_INVALID,
                           N_("with the server's key a body is JSON, a form, audio, an image, a "
                              "video or bytes (application/octet-stream)"));
}

/* Is it a body that we can look into, or one in which nothing can be? */
static bool type_suits(const struct lg_request *request)
{
    struct lb_str type = lh_head_get(request->head, LH_HEADER_CONTENT_TYPE);
    const struct lg_ask *ask = request->ask;

    if (request->streams_body ? ld_is_form(type) : ask == NULL || ask->kind != LG_ASK_OPAQUE)
        return true;
    return is_opaque_type(type) || is_pairs(type);
}

/* What the answer says is recorded before it leaves. */
static enum lg_verdict keep_row(struct lg_request *request)
{
    struct lg_own *own = request->own;
    const enum lf_native_class work = own->row->kind_of_work;

    if (own->id.size > 0) { /* the head may move, and the answer asks for it again */
        own->id = lb_arena_str(&request->arena, own->id);
        if (own->id.p == NULL)
            return lg_request_fail_memory(request);
    }
    own->holds = work == LF_NATIVE_MAKES || work == LF_NATIVE_TELLS || work == LF_NATIVE_ENDS;
    return LG_NEXT;
}

static enum lg_verdict judge_owner(struct lg_request *request)
{
    struct lg_own *own = request->own;

    switch (lf_native_judge(request->method, request->match.rest,
                            request->attempt->target.native_paths, &own->row, &own->id)) {
    case LF_NATIVE_OPEN:
        break;
    case LF_NATIVE_CLOSED:
        return refuse_path(request, N_("is never reached with the server's key"));
    case LF_NATIVE_UNKNOWN:
    default:
        return refuse_path(
            request,
            N_("is not served with the server's key, unless the operator opens it (native_paths)"));
    }
    if (own->row == NULL)
        return LG_NEXT;
    if (own->row->kind_of_work == LF_NATIVE_ALL)
        return refuse_path(
            request,
            N_("would list what belongs to all who use the server's key; ask for one by its id"));
    return keep_row(request);
}

static enum lg_verdict make_own(struct lg_request *request)
{
    request->own = lb_arena_calloc(&request->arena, 1, sizeof *request->own);
    if (request->own == NULL)
        return lg_request_fail_memory(request);
    lb_buf_init(&request->own->head, request->worker->host, LG_OWN_HELD_MAX);
    lb_buf_init(&request->own->held, request->worker->host, LG_OWN_HELD_MAX);
    return LG_NEXT;
}

/* With the caller's own key: what comes of it is noted, and nothing else happens. */
static enum lg_verdict note_only(struct lg_request *request)
{
    struct lg_own *own;

    if (request->own != NULL || lg_request_endpoint(request)->id != LD_ENDPOINT_NATIVE ||
        !lg_home_is_noted(request))
        return LG_NEXT;
    if (make_own(request) != LG_NEXT)
        return LG_FAIL;
    own = request->own;
    own->only_notes = true;
    (void)lf_native_judge(request->method, request->match.rest, lb_str(NULL, 0), &own->row,
                          &own->id);
    return own->row != NULL ? keep_row(request) : LG_NEXT;
}

/* Must all of the body be here before any of it goes? Else it may be passed on as it comes. */
static bool wants_whole(const struct lg_request *request)
{
    const struct lg_own *own = request->own;

    if (!request->streams_body)
        return request->body_open; /* it has begun to be read */
    if (own->row != NULL && own->row->kind_of_work != LF_NATIVE_FREE)
        return true;
    return is_pairs(lh_head_get(request->head, LH_HEADER_CONTENT_TYPE)) ||
           (request->body.size > 0 && memchr("[\xef", request->body.data[0], 2) != NULL);
}

/* READ has decoded what it knows to be JSON or a form; of anything else, who knows what it holds?
 */
static bool is_hidden(const struct lg_request *request)
{
    return lg_decode_is_coded(request) &&
           (request->ask == NULL || request->streams_body || request->ask->kind == LG_ASK_OPAQUE);
}

/* All of it that has to be here is. */
static enum lg_verdict look_into(struct lg_request *request)
{
    const struct lg_own *own = request->own;

    if (!type_suits(request) || (lf_native_makes_batch(own->row) && !is_json(request)))
        return refuse_type(request);
    bool named = own->id.size > 0 || request->head->query.size > 0 || may_name(request) ||
                 (own->row != NULL && own->row->kind == LD_REF_BATCH);
    return named ? start_gathering(request) : LG_NEXT;
}

static enum lg_verdict judge_native(struct lg_request *request)
{
    struct lg_own *own = request->own;

    if (is_hidden(request))
        return lg_decode_refuse(request);
    own->reads = own->reads || wants_whole(request);
    if (own->reads) {
        enum lg_verdict verdict = lg_upload_whole(request);
        if (verdict != LG_NEXT)
            return verdict;
        own->reads = false;
    }
    return look_into(request);
}

/* What was read on a thread has still to be looked into; whose it is was the last question. */
static enum lg_verdict finish_work(struct lg_request *request)
{
    struct lg_own *own = request->own;
    bool reads = own != NULL && own->reads;
    enum lg_verdict verdict = lg_work_finish(request);

    if (verdict != LG_NEXT || !reads)
        return verdict;
    own->reads = false;
    return look_into(request);
}

/* ---- Callers limited in models --------------------------------------------------------------- */

/* Does it only read or take away, or work with the one model that was resolved? */
static bool names_one_model(const struct lg_request *request, const struct lf_native *row)
{
    const struct lg_ask *ask = request->ask;
    const bool has_body = ask != NULL || request->streams_body;

    if (request->method != LH_METHOD_POST)
        return request->method == LH_METHOD_GET || request->method == LH_METHOD_HEAD ||
               request->method == LH_METHOD_DELETE;
    if (row->kind_of_work != LF_NATIVE_FREE)
        return row->kind == LD_REF_FILE || row->kind == LD_REF_UPLOAD;
    /* Into anything else we do not look, but the platform may. */
    return !has_body ||
           (request->streams_body ? ld_is_form(lh_head_get(request->head, LH_HEADER_CONTENT_TYPE))
                                  : ask->kind != LG_ASK_OPAQUE);
}

/* A lenient platform takes it from there, and before the one in the body, which alone we write. */
static bool query_names_model(const struct lg_request *request)
{
    struct lb_str query = request->head->query, member;

    while (lh_query_next(&query, &member)) {
        if (lh_query_is(member, LB_STR("model")) || lb_str_find(member, ';') < member.size)
            return true;
    }
    return false;
}

/*
 * With native paths a request can name other models than the one that was resolved: in the lines of
 * a batch, in a job, in the path, in the query. What is not known to name one only is not there for
 * a caller who may use some models, whosever key it is.
 */
static enum lg_verdict judge_limited(struct lg_request *request)
{
    const struct lr_allowed *allowed = lp_caller_allowed(&request->caller);
    const struct lf_native *row = NULL;
    struct lb_str id;

    if (allowed == NULL || allowed->models.size == 0 ||
        lg_request_endpoint(request)->id != LD_ENDPOINT_NATIVE)
        return LG_NEXT;
    (void)lf_native_judge(request->method, request->match.rest, lb_str(NULL, 0), &row, &id);
    if (row != NULL && !query_names_model(request) && names_one_model(request, row))
        return LG_NEXT;
    request->error_plain = true;
    return lg_request_fail(request, LLMGR_ERR_NOT_FOUND,
                           N_("'%.*s' is not served to a token that is limited to some models"),
                           (int)lb_utf8_cut(request->match.rest, 200), request->match.rest.p);
}

/* ---- The step -------------------------------------------------------------------------------- */

enum lg_verdict lg_step_own(struct lg_request *request)
{
    enum lg_verdict verdict = LG_NEXT;

    if (lg_work_is_done(request))
        return finish_work(request);
    if (request->attempt->is_repeat)
        return LG_NEXT;
    verdict = judge_limited(request);
    if (verdict != LG_NEXT)
        return verdict;
    if (!lr_target_is_borrowed(&request->attempt->target))
        return note_only(request);
    bool is_native = lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE;
    if (!is_native && !may_name(request))
        return LG_NEXT;
    if (request->own == NULL) {
        verdict = make_own(request);
        if (verdict == LG_NEXT && is_native)
            verdict = judge_owner(request);
    }
    if (verdict != LG_NEXT)
        return verdict;
    return is_native ? judge_native(request) : start_gathering(request);
}
