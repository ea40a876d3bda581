/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/models and /v1/models/{id}: what this caller can really call, from local state, in the
 * dialect of the caller.
 *
 * A model's id is a name that, sent as `model`, leads to that very model: its model_name if resolve
 * takes it for this one, else "platform/model_name", else "platform/display_name". Resolve itself
 * is asked, so that the list cannot promise what a request does not keep.
 */
#include "management/callable.h"

#include <stdlib.h>

#include "base/when.h"
#include "dialect/error_write.h"
#include "json/write.h"
#include "library/library.h"
#include "management/call.h"
#include "manager/manager.h"
#include "manager/models.h"
#include "resolve/resolve.h"

enum { SCRATCH_MAX = 1 << 20, NAME_ROOM = 512 };

struct listing {
    struct lp_call *call;
    struct lm_manager *core;
    struct lb_str user;
    struct llmgr_model_list models;
    struct lb_arena arena; /* of times and of resolves */
    const struct lm_model_time *times;
    size_t time_count;
    json_t *data;
};

/* ---- Names ----------------------------------------------------------------------------------- */

/* The model that a request of this name would reach; 0: none. */
static int64_t resolved(struct listing *listing, struct lb_str name)
{
    const struct lr_request request = {.user = listing->user, .model = name};
    char first[4096];
    struct lb_arena scratch;
    struct lr_target target;

    lb_arena_init(&scratch, listing->call->arena->host, first, sizeof first, SCRATCH_MAX);
    llmgr_status status = lr_resolve(listing->core, &request, &scratch, &target, NULL);
    lb_arena_free(&scratch);
    return status == LLMGR_OK ? target.model_id : 0;
}

/* The id under which the model is called, in `room`; empty if there is none. */
static struct lb_str name_of(struct listing *listing, const struct llmgr_model *model,
                             char room[NAME_ROOM])
{
    const char *const below[] = {model->model_name, model->display_name};
    struct lb_str name = lb_cstr(model->model_name);

    if (resolved(listing, name) == model->model_id)
        return name;
    for (size_t i = 0; i < 2; i++) {
        int size = snprintf(room, NAME_ROOM, "%s/%s", model->platform_name, below[i]);
        name = lb_str(room, size < NAME_ROOM ? (size_t)size : NAME_ROOM - 1);
        if (resolved(listing, name) == model->model_id)
            return name;
    }
    return lb_str("", 0);
}

static int compare_times(const void *key, const void *item)
{
    int64_t left = *(const int64_t *)key;
    int64_t right = ((const struct lm_model_time *)item)->model_id;

    return left < right ? -1 : left > right;
}

static int64_t made_at(const struct listing *listing, int64_t model_id)
{
    const struct lm_model_time *found = NULL;

    if (listing->time_count != 0)
        found = bsearch(&model_id, listing->times, listing->time_count, sizeof *listing->times,
                        compare_times);
    return found != NULL ? found->created_at : 0;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

/* `name` is what Open WebUI and others show. */
static json_t *openai_row(struct lb_str id, const struct llmgr_model *model, int64_t created)
{
    return json_pack("{s:s%,s:s,s:I,s:s,s:s,s:s}", "id", id.p, id.size, "object", "model",
                     "created", (json_int_t)created, "owned_by", model->platform_name, "name",
                     model->display_name, "display_name", model->display_name);
}

static json_t *anthropic_row(struct lb_str id, const struct llmgr_model *model, int64_t created)
{
    char text[LB_WHEN_TEXT];

    lb_when_print(created * 1000, LB_WHEN_TIME, text);
    return json_pack("{s:s,s:s%,s:s,s:s}", "type", "model", "id", id.p, id.size, "display_name",
                     model->display_name, "created_at", text);
}

static json_t *row_of(const struct listing *listing, struct lb_str id,
                      const struct llmgr_model *model)
{
    int64_t created = made_at(listing, model->model_id);

    return listing->call->anthropic ? anthropic_row(id, model, created)
                                    : openai_row(id, model, created);
}

/* May the caller see and call it? */
static bool is_callable(const struct llmgr_model *model)
{
    return !model->platform_hide && !model->model_hide && model->api_key_set;
}

static llmgr_status add_row(struct listing *listing, struct lb_str id,
                            const struct llmgr_model *model, struct llmgr_error *err)
{
    json_t *row = row_of(listing, id, model);

    if (row == NULL || json_array_append_new(listing->data, row) != 0)
        return lb_fail_memory(err);
    return LLMGR_OK;
}

static llmgr_status fill_all(struct listing *listing, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    char room[NAME_ROOM];

    for (size_t i = 0; i < listing->models.count && status == LLMGR_OK; i++) {
        const struct llmgr_model *model = &listing->models.items[i];
        struct lb_str id = is_callable(model) ? name_of(listing, model, room) : lb_str("", 0);
        if (id.size != 0)
            status = add_row(listing, id, model, err);
    }
    return status;
}

/* The one that a request would reach under this name. */
static llmgr_status fill_one(struct listing *listing, struct lb_str wanted, struct llmgr_error *err)
{
    int64_t model_id = resolved(listing, wanted);

    for (size_t i = 0; i < listing->models.count && model_id != 0; i++) {
        const struct llmgr_model *model = &listing->models.items[i];
        if (model->model_id == model_id && is_callable(model))
            return add_row(listing, wanted, model, err);
    }
    return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                   N_("there is no model '%.*s' that you can call; GET /v1/models lists them"),
                   (int)lb_utf8_cut(wanted, 200), wanted.p);
}

/* ---- Answers --------------------------------------------------------------------------------- */

static void write_failure(struct lp_call *call, llmgr_status status, const struct llmgr_error *err)
{
    struct ld_problem problem;

    ld_problem_of(status, &problem);
    problem.message = lb_cstr(err->message);
    problem.request_id = call->request_id;
    call->status = problem.http_status;
    lb_buf_reset(&call->out);
    ld_error_body(call->anthropic ? LD_SHAPE_ANTHROPIC : LD_SHAPE_OPENAI, &problem, &call->out);
}

/* Takes over `data`. */
static json_t *envelope(const struct lp_call *call, json_t *data)
{
    size_t count = json_array_size(data);

    if (!call->anthropic)
        return json_pack("{s:s,s:o}", "object", "list", "data", data);
    const json_t *first = json_object_get(json_array_get(data, 0), "id");
    const json_t *last = json_object_get(json_array_get(data, count - 1), "id");
    return json_pack("{s:o,s:b,s:s?,s:s?}", "data", data, "has_more", false, "first_id",
                     json_string_value(first), "last_id", json_string_value(last));
}

static llmgr_status open_listing(struct listing *listing, struct llmgr_error *err)
{
    struct lm_model_time *times = NULL;

    llmgr_status status =
        llmgr_models(listing->call->manager, listing->user.p, &listing->models, err);
    if (status == LLMGR_OK)
        status = lr_model_times(listing->core, listing->user, &listing->arena, &times,
                                &listing->time_count, err);
    listing->times = times;
    listing->data = json_array();
    if (status == LLMGR_OK && listing->data == NULL)
        status = lb_fail_memory(err);
    return status;
}

static llmgr_status answer(struct listing *listing, struct lb_str wanted, struct llmgr_error *err)
{
    struct lp_call *call = listing->call;
    json_t *document;

    llmgr_status status = open_listing(listing, err);
    if (status == LLMGR_OK)
        status = wanted.size != 0 ? fill_one(listing, wanted, err) : fill_all(listing, err);
    if (status != LLMGR_OK)
        return status;
    if (wanted.size != 0) {
        document = json_incref(json_array_get(listing->data, 0));
    } else {
        document = envelope(call, listing->data);
        listing->data = NULL;
    }
    if (document == NULL)
        return lb_fail_memory(err);
    lj_json_write(document, &call->out);
    json_decref(document);
    return call->out.failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

static void run(struct lp_call *call, struct lb_str wanted)
{
    struct lb_str user = call->caller->user;
    struct llmgr_error err = {0};
    struct listing listing = {
        .call = call,
        .core = call->manager->manager,
        .user = user.size != 0 ? user : LB_STR(LLMGR_SYSTEM_USER),
    };

    lb_arena_init(&listing.arena, call->arena->host, NULL, 0, LA_RESULT_MAX);
    llmgr_status status = answer(&listing, wanted, &err);
    if (status != LLMGR_OK)
        write_failure(call, status, &err);
    llmgr_model_list_clear(&listing.models);
    lb_arena_free(&listing.arena);
    json_decref(listing.data);
}

void lp_run_callable_list(struct lp_call *call)
{
    run(call, lb_str("", 0));
}

void lp_run_callable_get(struct lp_call *call)
{
    run(call, call->params[0]);
}
