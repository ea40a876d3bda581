/* SPDX-License-Identifier: MIT */
/* OWN: may this caller reach what the request names? See own.h. */
#include "gateway/own.h"

#include <string.h>

#include "accounts/objects.h"
#include "dialect/batch_line.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "gateway/shown_ids.h"
#include "gateway/upload.h"
#include "gateway/work.h"
#include "http/url.h"
#include "manager/manager.h"

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

static llmgr_status no_such(struct llmgr_error *err, const char *kind, struct lb_str id)
{
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no %s '%.*s'"), kind,
                   (int)lb_utf8_cut(id, 100), id.p);
}

/* ---- Gathering what is named ----------------------------------------------------------------- */

struct gather {
    struct lg_request *request;
    const struct lg_native *row;
    struct lw_object *objects;
    size_t count;
    llmgr_status status;
    struct llmgr_error err;
};

static bool makes_batch(const struct lg_native *row)
{
    return row != NULL && row->kind == LD_REF_BATCH && row->kind_of_work == LG_NATIVE_MAKES;
}

static bool stop(struct gather *gather, llmgr_status status)
{
    gather->status = status;
    return false;
}

/* One object more; false: the request fails. */
static bool add(struct gather *gather, enum ld_ref_kind kind, struct lb_str id)
{
    struct lb_arena *arena = &gather->request->arena;
    const char *called = ld_ref_kind_name(kind);

    if (id.size == 0 || lg_id_is_signed(kind))
        return stop(gather, no_such(&gather->err, called, id));
    const bool for_batch = kind == LD_REF_FILE && makes_batch(gather->row);
    for (size_t i = gather->count; i > 0; i--) {
        struct lw_object *object = &gather->objects[i - 1];
        if (lb_str_eq(object->id, id) && object->exact == for_batch)
            return true;
    }
    if (gather->count == LG_OWN_IDS_MAX)
        return stop(gather, lb_fail(&gather->err, LLMGR_ERR_INVALID,
                                    N_("the request names more than %d things that are kept at "
                                       "the platform"),
                                    LG_OWN_IDS_MAX));
    if (gather->objects == NULL)
        gather->objects = lb_arena_calloc(arena, LG_OWN_IDS_MAX, sizeof *gather->objects);
    struct lb_str kept = lb_arena_str(arena, id);
    if (gather->objects == NULL || kept.p == NULL)
        return stop(gather, lb_fail_memory(&gather->err));
    gather->objects[gather->count++] =
        (struct lw_object){.id = kept,
                           .kind = for_batch ? LB_STR(LG_OWN_BATCH_FILE) : lb_cstr(called),
                           .exact = for_batch};
    return true;
}

/* Which of what is told is another's business: our own replacements, and what shown_ids.h opens. */
static bool passes_over(const struct gather *gather, const struct ld_ref *ref, bool is_body)
{
    const struct lg_ask *ask = gather->request->ask;

    if (!is_body)
        return false;
    return lg_id_is_signed(ref->kind) || (ask->kind == LG_ASK_JSON && ref->kind == LD_REF_MODEL &&
                                          ref->at.at == ask->peek.model_at.at + 1);
}

static bool add_json(struct gather *gather, struct lb_str text, bool is_body)
{
    struct ld_refs refs;
    struct ld_ref ref;

    ld_refs_start(&refs, text);
    while (ld_refs_next(&refs, &ref)) {
        if (passes_over(gather, &ref, is_body))
            continue;
        if (!add(gather, ref.kind, ref.id.p != NULL ? ref.id : lb_str("", 0)))
            return false;
    }
    if (refs.why == NULL)
        return true;
    return stop(gather, lb_fail(&gather->err, LLMGR_ERR_INVALID,
                                N_("the request body is not a JSON object (byte %zu: %s)"), refs.at,
                                refs.why));
}

static bool looks_like_json(struct lb_str text)
{
    static const struct lb_str MARK = {"\xef\xbb\xbf", 3};

    text = lb_str_sub(text, lb_str_starts(text, MARK) ? MARK.size : 0, text.size);
    for (size_t i = 0; i < text.size; i++) {
        if (text.p[i] == '{' || text.p[i] == '[')
            return true;
        if ((unsigned char)text.p[i] > ' ')
            return false;
    }
    return false;
}

/* "a=b&c=d" of a query or a form in that shape. */
static bool add_pairs(struct gather *gather, struct lb_str pairs)
{
    struct ld_ref ref;

    while (pairs.size > 0) {
        size_t end = 0;
        while (end < pairs.size && pairs.p[end] != '&' && pairs.p[end] != ';')
            end++;
        struct lb_str pair = lb_str_sub(pairs, 0, end);
        pairs = lb_str_sub(pairs, end + 1, pairs.size);
        char *plain = lb_arena_bytes(&gather->request->arena, pair.size + 1);
        size_t cut = lb_str_find(pair, '='), name_size = 0, size = 0;
        if (plain == NULL)
            return stop(gather, lb_fail_memory(&gather->err));
        if (!lh_percent_decode(lb_str_sub(pair, 0, cut), plain, &name_size) ||
            !lh_percent_decode(lb_str_sub(pair, cut + 1, pair.size), plain + name_size, &size))
            return stop(gather, lb_fail(&gather->err, LLMGR_ERR_INVALID,
                                        N_("the path holds an invalid escape")));
        if (ld_ref_named(lb_str(plain, name_size), lb_str(plain + name_size, size), &ref) &&
            !add(gather, ref.kind, ref.id.p != NULL ? ref.id : lb_str("", 0)))
            return false;
    }
    return true;
}

/* ---- Forms and the lines of batch files ------------------------------------------------------ */

/* May a line of a batch, or a batch as a whole, ask for this? What leaves nothing behind. */
static bool is_work(const struct gather *gather, struct lb_str method, struct lb_str url)
{
    const struct lb_str v1 = LB_STR("/v1/");
    const struct lg_native *row;
    struct lb_str id;

    if (method.size > 0 && !lb_str_eq_c(method, "POST"))
        return false;
    if (lb_str_starts(url, v1))
        url = lb_str_sub(url, 3, url.size);
    for (unsigned i = 0; i < LD_ENDPOINT_COUNT; i++) {
        const struct lb_str path = ld_endpoint((enum ld_endpoint_id)i)->path;
        if (path.size > 0 && lb_str_eq(path, url))
            return true;
    }
    return lg_native_judge(LH_METHOD_POST, url, gather->request->attempt->target.native_paths, &row,
                           &id) == LG_NATIVE_OPEN &&
           (row == NULL || row->kind_of_work == LG_NATIVE_FREE);
}

/* `number`: of the line; 0: it is the request that makes a batch. */
static bool check_line(struct gather *gather, struct lb_str text, size_t number)
{
    struct ld_batch_line line;
    struct llmgr_error why = {0};
    struct lb_arena arena;
    char room[512];

    lb_arena_init(&arena, gather->request->worker->host, room, sizeof room, 1 << 16);
    llmgr_status status = ld_batch_line(text, &arena, &line, &why);
    lb_arena_free(&arena);
    if (status != LLMGR_OK)
        return stop(gather, lb_fail(&gather->err, LLMGR_ERR_INVALID,
                                    N_("line %zu of the batch: %s"), number, why.message));
    struct lb_str method = ld_batch_text(&line.method), url = ld_batch_text(&line.url);
    struct lb_str endpoint = ld_batch_text(&line.endpoint);
    if ((url.size > 0 || line.method.is_there) && !is_work(gather, method, url))
        endpoint = url;
    else if (endpoint.size == 0 || is_work(gather, lb_str("", 0), endpoint))
        return true;
    return stop(gather, lb_fail(&gather->err, LLMGR_ERR_NOT_FOUND,
                                N_("line %zu of the batch: '%.*s' is not served with the server's "
                                   "key"),
                                number, (int)lb_utf8_cut(endpoint, 100), endpoint.p));
}

/* Each line is a request; what is none would be read by the platform, and not by us. */
static bool add_lines(struct gather *gather, struct lb_str file)
{
    static const struct lb_str MARK = {"\xef\xbb\xbf", 3};
    size_t number = 0;

    file = lb_str_sub(file, lb_str_starts(file, MARK) ? MARK.size : 0, file.size);
    while (file.size > 0) {
        struct lb_str line = lb_str_sub(file, 0, lb_str_find(file, '\n'));
        file = lb_str_sub(file, line.size + 1, file.size);
        number++;
        while (line.size > 0 && (unsigned char)line.p[line.size - 1] <= ' ')
            line.size--;
        if (line.size > 0 && !(check_line(gather, line, number) && add_json(gather, line, false)))
            return false;
    }
    return true;
}

/* Does the form say that its file is for a batch? */
static bool is_for_batch(struct lb_str body, const struct ld_form *form)
{
    struct ld_form_walk walk;
    struct ld_form_field field;

    ld_form_walk_start(&walk, body, form);
    while (ld_form_walk_next(&walk, &field)) {
        if (lb_str_eq_nocase(field.name, LB_STR("purpose")) &&
            lb_str_eq_nocase(lb_str_trim(field.value), LB_STR("batch")))
            return true;
    }
    return false;
}

static bool add_form(struct gather *gather, struct lb_str body, const struct ld_form *form)
{
    bool batch = is_for_batch(body, form);
    struct ld_form_walk walk;
    struct ld_form_field field;
    struct ld_ref ref;

    gather->request->own->makes_batch_file = batch;
    ld_form_walk_start(&walk, body, form);
    while (ld_form_walk_next(&walk, &field)) {
        if (batch && field.file && !add_lines(gather, field.value))
            return false;
        if (lb_str_eq_nocase(field.name, LB_STR("model")))
            continue; /* becomes the one that was resolved */
        if (ld_ref_named(field.name, field.value, &ref) &&
            !add(gather, ref.kind, ref.id.p != NULL ? ref.id : lb_str("", 0)))
            return false;
        if (!field.file && looks_like_json(field.value) && !add_json(gather, field.value, false))
            return false;
    }
    return true;
}

/* ---- The whole request ----------------------------------------------------------------------- */

static bool is_pairs(struct lb_str type)
{
    size_t end = lb_str_find(type, ';');

    return lb_str_eq_nocase(lb_str_trim(lb_str_sub(type, 0, end)),
                            LB_STR("application/x-www-form-urlencoded"));
}

static bool add_body(struct gather *gather)
{
    const struct lg_request *request = gather->request;
    const struct lg_ask *ask = request->ask;
    struct lb_str body = lb_buf_str(&request->body);

    if (ask == NULL)
        return true;
    if (ask->kind == LG_ASK_JSON)
        return (!makes_batch(gather->row) || check_line(gather, body, 0)) &&
               add_json(gather, body, true);
    if (ask->kind == LG_ASK_FORM)
        return add_form(gather, body, &ask->form);
    if (is_pairs(lh_head_get(request->head, LH_HEADER_CONTENT_TYPE)))
        return add_pairs(gather, body);
    return !looks_like_json(body) || add_json(gather, body, false);
}

static void gather_all(void *context)
{
    struct gather *gather = context;
    const struct lg_request *request = gather->request;
    const struct lg_own *own = request->own;
    bool native = lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE;

    if (own->id.size > 0 && !lg_id_is_signed(own->row->kind) &&
        !add(gather, own->row->kind, own->id))
        return;
    if (add_body(gather) && native)
        (void)add_pairs(gather, request->head->query);
}

/* ---- Whose is it? ---------------------------------------------------------------------------- */

/* Holds nothing of the request's, which goes on without it when the database does not answer. */
struct look_up {
    struct lm_manager *manager;
    int64_t platform_id;
    struct lb_str user; /* as the ids, behind the objects */
    size_t count;
    llmgr_status status;
    struct llmgr_error err;
    struct lw_object objects[];
};

static void look_up(void *context)
{
    struct look_up *look = context;
    size_t missing = 0;

    look->status = lw_objects_owned(look->manager, look->platform_id, look->user, look->objects,
                                    look->count, &missing, &look->err);
    if (look->status == LLMGR_OK && missing < look->count)
        look->status =
            no_such(&look->err, look->objects[missing].kind.p, look->objects[missing].id);
}

static void drop_look_up(void *context)
{
    struct look_up *look = context;

    lb_free(lm_host(look->manager), look);
}

static enum lg_verdict refuse(struct lg_request *request, const struct llmgr_error *err)
{
    request->error_plain = err->status == LLMGR_ERR_NOT_FOUND;
    return lg_request_fail_with(request, err);
}

static enum lg_verdict looked_up(struct lg_request *request, void *context, llmgr_status status)
{
    struct look_up *look = context;

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (request->gone)
        return LG_DONE;
    return look->status == LLMGR_OK ? LG_NEXT : refuse(request, &look->err);
}

static struct lb_str put(char **texts, struct lb_str text)
{
    char *to = *texts;

    *texts += text.size;
    return lb_str(text.size > 0 ? memcpy(to, text.p, text.size) : to, text.size);
}

static enum lg_verdict start_look_up(struct lg_request *request, const struct gather *gather)
{
    struct lm_manager *manager = request->worker->manager;
    const struct lr_target *target = &request->attempt->target;
    size_t size = sizeof(struct look_up) + gather->count * sizeof(struct lw_object);
    size_t texts_size = target->user.size;

    for (size_t i = 0; i < gather->count; i++)
        texts_size += gather->objects[i].id.size;
    struct look_up *look = lb_calloc(lm_host(manager), 1, size + texts_size);
    if (look == NULL)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    char *texts = (char *)look + size;
    look->manager = manager;
    look->platform_id = target->platform_id;
    look->user = put(&texts, target->user);
    look->count = gather->count;
    for (size_t i = 0; i < gather->count; i++) {
        look->objects[i] = gather->objects[i]; /* kinds are constants */
        look->objects[i].id = put(&texts, gather->objects[i].id);
    }
    return lg_work_start_bounded(request, look_up, looked_up, drop_look_up, look);
}

static enum lg_verdict gathered(struct lg_request *request, void *context, llmgr_status status)
{
    const struct gather *gather = context;

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (request->gone || request->cut)
        return LG_DONE;
    if (gather->status != LLMGR_OK)
        return refuse(request, &gather->err);
    return gather->count > 0 ? start_look_up(request, gather) : LG_NEXT;
}

/* A short body is looked through at once; a long one beside the loop. */
static enum lg_verdict start_gathering(struct lg_request *request)
{
    struct gather *gather = lb_arena_calloc(&request->arena, 1, sizeof *gather);

    if (gather == NULL)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    gather->request = request;
    gather->row = request->own->row;
    if (request->body.size > LG_OWN_LOOK_MAX)
        return lg_work_start(request, gather_all, gathered, gather);
    gather_all(gather);
    return gathered(request, gather, LLMGR_OK);
}

/* ---- The step -------------------------------------------------------------------------------- */

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

static enum lg_verdict judge(struct lg_request *request)
{
    struct lg_own *own = request->own;

    switch (lg_native_judge(request->method, request->match.rest,
                            request->attempt->target.native_paths, &own->row, &own->id)) {
    case LG_NATIVE_OPEN:
        break;
    case LG_NATIVE_CLOSED:
        return refuse_path(request, N_("is never reached with the server's key"));
    case LG_NATIVE_UNKNOWN:
    default:
        return refuse_path(
            request,
            N_("is not served with the server's key, unless the operator opens it (native_paths)"));
    }
    if (own->row == NULL)
        return LG_NEXT;
    if (own->id.size > 0) { /* the head may move, and the answer asks for it again */
        own->id = lb_arena_str(&request->arena, own->id);
        if (own->id.p == NULL)
            return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    }
    if (own->row->kind_of_work == LG_NATIVE_ALL)
        return refuse_path(
            request,
            N_("would list what belongs to all who use the server's key; ask for one by its id"));
    own->holds = own->row->kind_of_work == LG_NATIVE_MAKES ||
                 own->row->kind_of_work == LG_NATIVE_TELLS ||
                 own->row->kind_of_work == LG_NATIVE_ENDS;
    return LG_NEXT;
}

static enum lg_verdict make(struct lg_request *request)
{
    request->own = lb_arena_calloc(&request->arena, 1, sizeof *request->own);
    if (request->own == NULL)
        return lg_request_fail(request, LLMGR_ERR_NO_MEMORY, N_("out of memory"));
    lb_buf_init(&request->own->head, request->worker->host, LG_OWN_HELD_MAX);
    lb_buf_init(&request->own->held, request->worker->host, LG_OWN_HELD_MAX);
    return LG_NEXT;
}

/* Must all of the body be here before any of it goes? Else it may be passed on as it comes. */
static bool wants_whole(const struct lg_request *request)
{
    const struct lg_own *own = request->own;

    if (!request->streams_body)
        return request->body_open; /* it has begun to be read */
    if (own->row != NULL && own->row->kind_of_work != LG_NATIVE_FREE)
        return true;
    return is_pairs(lh_head_get(request->head, LH_HEADER_CONTENT_TYPE)) ||
           (request->body.size > 0 && memchr("[\xef", request->body.data[0], 2) != NULL);
}

static enum lg_verdict native(struct lg_request *request)
{
    const struct lg_own *own = request->own;
    enum lg_verdict verdict = LG_NEXT;

    if (wants_whole(request))
        verdict = lg_upload_whole(request);
    if (verdict != LG_NEXT)
        return verdict;
    if (!type_suits(request) || (makes_batch(own->row) && !is_json(request)))
        return refuse_type(request);
    bool named = own->id.size > 0 || request->head->query.size > 0 || may_name(request) ||
                 (own->row != NULL && own->row->kind == LD_REF_BATCH);
    return named ? start_gathering(request) : LG_NEXT;
}

enum lg_verdict lg_step_own(struct lg_request *request)
{
    enum lg_verdict verdict = LG_NEXT;

    if (lg_work_is_done(request))
        return lg_work_finish(request);
    if (request->attempt->is_repeat || !lr_target_is_borrowed(&request->attempt->target))
        return LG_NEXT;
    bool is_native = lg_request_endpoint(request)->id == LD_ENDPOINT_NATIVE;
    if (!is_native && !may_name(request))
        return LG_NEXT;
    if (request->own == NULL) {
        verdict = make(request);
        if (verdict == LG_NEXT && is_native)
            verdict = judge(request);
    }
    if (verdict != LG_NEXT)
        return verdict;
    return is_native ? native(request) : start_gathering(request);
}
