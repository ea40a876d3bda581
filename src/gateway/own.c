/* SPDX-License-Identifier: MIT */
/*
 * The answer's side of OWN: what a platform says it has made, or deleted, is in the table before
 * the caller hears of it. See own.h.
 */
#include "gateway/own.h"

#include <string.h>

#include "base/magic.h"
#include "gateway/attempt.h"
#include "gateway/work.h"
#include "json/write.h"
#include "objects/names.h"
#include "objects/owners.h"

enum {
    NAMED_MAX = 32,     /* objects that one answer may tell of */
    NOTED_MAX = 4,      /* and of them, with the caller's own key, so many are noted, */
    NOTED_ID_MAX = 200, /* of so many bytes */
};

/* Members of an answer that name what has come of the caller's object. */
static const struct {
    const char *name;
    const char *kind;
} FRUITS[] = {
    {"output_file_id", "file"}, {"error_file_id", "file"}, {"output_file", "file"},
    {"error_file", "file"},     {"result_files", "file"},  {"fine_tuned_model", "model"},
};

enum { RECORD_MAGIC = 0x6c677265 };

struct record {
    unsigned magic;
    struct lg_request *request;
    enum lg_verdict (*done)(struct lg_request *request);
    struct lf_object objects[NAMED_MAX];
    size_t count;
    llmgr_status status;
    struct llmgr_error err;
};

bool lg_own_hold_head(struct lg_request *request)
{
    lb_buf_add_str(&request->own->head, lb_buf_str(&request->worker->out));
    request->own->status = request->status;
    request->status = 0; /* nothing has left: an error may still be told */
    return request->own->head.failed == LLMGR_OK;
}

bool lg_own_hold(struct lg_request *request, struct lb_str bytes)
{
    lb_buf_add_str(&request->own->held, bytes);
    return request->own->held.failed == LLMGR_OK;
}

void lg_own_free(struct lg_request *request)
{
    if (request->own == NULL)
        return;
    lb_buf_free(&request->own->head);
    lb_buf_free(&request->own->held);
}

/* ---- Reading the answer ---------------------------------------------------------------------- */

static llmgr_status note(struct record *record, const char *kind, const json_t *id,
                         struct llmgr_error *err)
{
    char number[24];
    struct lb_str text = {json_string_value(id), json_string_length(id)};

    if (json_is_integer(id)) {
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(id));
        text = lb_cstr(number);
    }
    if (text.size == 0)
        return LLMGR_OK;
    /* An own platform may say whatever its owner likes, and rows stay. */
    if (record->request->own->only_notes &&
        (record->count == NOTED_MAX || text.size > NOTED_ID_MAX))
        return LLMGR_OK;
    if (record->count == NAMED_MAX)
        return lb_fail(err, LLMGR_ERR_PROTOCOL,
                       N_("the platform's answer names more objects than can be recorded"));
    struct lb_str kept = lb_arena_str(&record->request->arena, text);
    if (kept.p == NULL)
        return lb_fail_memory(err);
    record->objects[record->count++] = (struct lf_object){.id = kept, .kind = lb_cstr(kind)};
    return LLMGR_OK;
}

/* What has come of it: also lists of ids. */
static llmgr_status note_fruits(struct record *record, const json_t *root, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < sizeof FRUITS / sizeof FRUITS[0] && status == LLMGR_OK; i++) {
        const json_t *value = json_object_get(root, FRUITS[i].name), *inner;
        size_t at;
        status = note(record, FRUITS[i].kind, value, err);
        json_array_foreach(value, at, inner)
        {
            if (status == LLMGR_OK)
                status = note(record, FRUITS[i].kind, inner, err);
        }
    }
    return status;
}

static llmgr_status read_answer(struct record *record, const json_t *root, struct llmgr_error *err)
{
    const struct lg_own *own = record->request->own;
    const char *kind = own->makes_batch_file ? LF_BATCH_FILE : ld_ref_kind_name(own->row->kind);

    if (own->row->kind_of_work == LF_NATIVE_MAKES) {
        llmgr_status status = note(record, kind, json_object_get(root, "id"), err);
        if (status == LLMGR_OK && record->count == 0)
            status = lb_fail(err, LLMGR_ERR_PROTOCOL,
                             N_("the platform's answer does not say what it has made; whose it is "
                                "cannot be recorded"));
        if (status != LLMGR_OK)
            return status;
    }
    return note_fruits(record, root, err);
}

/* A new object that nobody can be given: at least the log says which. */
static void tell_lost(const struct record *record)
{
    const struct lg_request *request = record->request;

    for (size_t i = 0; i < record->count; i++)
        lb_error(request->worker->host,
                 "%.*s: platform %lld: the %.*s '%.*s' is not recorded, and so is nobody's: %s",
                 (int)request->id.size, request->id.p,
                 (long long)request->attempt->target.platform_id, (int)record->objects[i].kind.size,
                 record->objects[i].kind.p, (int)record->objects[i].id.size,
                 record->objects[i].id.p, record->err.message);
}

static void work(void *context)
{
    struct record *record = LB_CAST(struct record, context, RECORD_MAGIC);
    const struct lg_request *request = record->request;
    const struct lg_own *own = request->own;
    const struct lr_target *target = &request->attempt->target;
    struct lm_manager *manager = request->worker->manager;
    json_t *root = lj_json_read(lb_buf_str(&own->held), NULL);

    if (own->row->kind_of_work == LF_NATIVE_ENDS) {
        if (!json_is_false(json_object_get(root, "deleted")))
            record->status =
                lf_object_forget(manager, target->platform_id, target->user, own->id, &record->err);
    } else {
        record->status = read_answer(record, root, &record->err);
        if (record->status == LLMGR_OK && record->count > 0)
            record->status =
                lf_objects_add(manager, target, record->objects, record->count, &record->err);
        if (record->status != LLMGR_OK && !own->only_notes)
            tell_lost(record);
    }
    if (own->only_notes) /* what cannot be noted is asked for as if it had never been seen */
        record->status = LLMGR_OK;
    json_decref(root);
}

static enum lg_verdict recorded(struct lg_request *request, void *context, llmgr_status status)
{
    struct record *record = LB_CAST(struct record, context, RECORD_MAGIC);

    if (status != LLMGR_OK)
        return lg_request_fail(request, status, N_("the server is closing"));
    if (request->gone)
        return LG_DONE;
    if (record->status == LLMGR_ERR_CONFLICT) /* not the caller's doing */
        record->err.status = LLMGR_ERR_PROTOCOL;
    if (record->status != LLMGR_OK)
        return lg_request_fail_with(request, &record->err);
    request->own->holds = false;
    request->status = request->own->status;
    return record->done(request);
}

enum lg_verdict lg_own_record(struct lg_request *request,
                              enum lg_verdict (*done)(struct lg_request *request))
{
    struct record *record = lb_arena_calloc(&request->arena, 1, sizeof *record);

    if (record == NULL)
        return lg_request_fail_memory(request);
    record->magic = RECORD_MAGIC;
    record->request = request;
    record->done = done;
    return lg_work_start(request, work, recorded, record);
}
