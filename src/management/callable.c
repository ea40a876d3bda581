/* SPDX-License-Identifier: MIT */
/*
 * GET /v1/models and /v1/models/{id}: what this caller can really call, from local state, in the
 * dialect of the caller.
 *
 * A model's id is a name that, sent as `model`, leads to that very model: its model_name if resolve
 * takes it for this one, else "platform/model_name", else "platform/display_name". Resolve itself
 * is asked, so that the list cannot promise what a request does not keep. A route's id is its name.
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
    struct llmgr_route_list routes;
    struct lb_arena arena; /* of times and of resolves */
    const struct lm_model_time *times;
    size_t time_count;
    json_t *data;
};

/* ---- Names ----------------------------------------------------------------------------------- */

/* What a request would reach: a model, and the route that it asked, if any; 0: none. */
struct reached {
    int64_t model_id;
    int64_t route_id;
};

static struct reached resolved(struct listing *listing, struct lb_str name)
{
    const struct lr_request request = {
        .user = listing->user, .model = name, .allowed = lp_caller_allowed(listing->call->caller)};
    char first[4096];
    struct lb_arena scratch;
    struct lr_target target;

    lb_arena_init(&scratch, listing->call->arena->host, first, sizeof first, SCRATCH_MAX);
    llmgr_status status = lr_resolve(listing->core, &request, &scratch, &target, NULL);
    lb_arena_free(&scratch);
    return status == LLMGR_OK ? (struct reached){target.model_id, target.route_id}
                              : (struct reached){0};
}

/* Does a request of this name reach this very model, and not by way of a route? */
static bool leads_to(struct listing *listing, struct lb_str name, const struct llmgr_model *model)
{
    const struct reached reached = resolved(listing, name);

    return reached.route_id == 0 && reached.model_id == model->model_id;
}

/* The id under which the model is called, in `room`; empty if there is none. */
static struct lb_str name_of(struct listing *listing, const struct llmgr_model *model,
                             char room[NAME_ROOM])
{
    const char *const below[] = {model->model_name, model->display_name};
    struct lb_str name = lb_cstr(model->model_name);

    if (leads_to(listing, name, model))
        return name;
    for (size_t i = 0; i < 2; i++) {
        int size = snprintf(room, NAME_ROOM, "%s/%s", model->platform_name, below[i]);
        name = lb_str(room, size < NAME_ROOM ? (size_t)size : NAME_ROOM - 1);
        if (leads_to(listing, name, model))
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

/* What is shown of a model or route. */
struct shown {
    struct lb_str id;
    const char *display_name;
    const char *owner;
    int64_t created;  /* seconds since 1970 */
    const char *kind; /* NULL: unknown */
    int64_t context;  /* tokens; 0: not known; also below */
    int64_t max_output;
};

/* The tokens that fit into a model, under the names that programs read. */
static const char *const CONTEXT_NAMES[] = {
    "context_length", /* OpenRouter, Together, Fireworks, Moonshot */
    "context_window", /* Groq, Vercel's AI Gateway, Requesty */
    "max_model_len",  /* vLLM, SGLang */
};
/* And those of one answer. */
static const char *const OUTPUT_NAMES[] = {
    "max_output_tokens",     /* LiteLLM, Requesty, Novita */
    "max_completion_tokens", /* Groq */
};
/* Anthropic's own: https://platform.claude.com/docs/en/api/models/list */
static const char *const ANTHROPIC_CONTEXT_NAMES[] = {"max_input_tokens"};
static const char *const ANTHROPIC_OUTPUT_NAMES[] = {"max_tokens"};

/* Adds them to the row, unless they are not known; false: memory is short. */
static bool add_tokens(json_t *row, const char *const *names, size_t count, int64_t tokens)
{
    for (size_t i = 0; i < count && tokens != 0; i++) {
        if (json_object_set_new(row, names[i], json_integer(tokens)) != 0)
            return false;
    }
    return true;
}
#define ADD_TOKENS(row, names, tokens)                                                             \
    add_tokens((row), (names), sizeof(names) / sizeof((names)[0]), (tokens))

/*
 * `name` is what Open WebUI and others show. The kind stands in `type`, as Together, Vercel's
 * gateway and LM Studio have it; what is of no known kind has no such member.
 */
static json_t *openai_row(const struct shown *shown)
{
    json_t *row =
        json_pack("{s:s%,s:s,s:I,s:s,s:s,s:s,s:s*}", "id", shown->id.p, shown->id.size, "object",
                  "model", "created", (json_int_t)shown->created, "owned_by", shown->owner, "name",
                  shown->display_name, "display_name", shown->display_name, "type", shown->kind);

    if (ADD_TOKENS(row, CONTEXT_NAMES, shown->context) &&
        ADD_TOKENS(row, OUTPUT_NAMES, shown->max_output))
        return row;
    json_decref(row);
    return NULL;
}

static json_t *anthropic_row(const struct shown *shown)
{
    char text[LB_WHEN_TEXT];

    lb_when_print(shown->created * 1000, LB_WHEN_TIME, text);
    json_t *row =
        json_pack("{s:s,s:s%,s:s,s:s}", "type", "model", "id", shown->id.p, shown->id.size,
                  "display_name", shown->display_name, "created_at", text);

    if (ADD_TOKENS(row, ANTHROPIC_CONTEXT_NAMES, shown->context) &&
        ADD_TOKENS(row, ANTHROPIC_OUTPUT_NAMES, shown->max_output))
        return row;
    json_decref(row);
    return NULL;
}

/* May the caller see and call it? */
static bool is_callable(const struct llmgr_model *model)
{
    return !model->platform_hide && !model->model_hide && model->api_key_set;
}

/* Likewise a route, one of whose targets is there with a key. */
static bool is_callable_route(const struct llmgr_route *route)
{
    return !route->route_hide && route->api_key_set;
}

static llmgr_status add_row(struct listing *listing, const struct shown *shown,
                            struct llmgr_error *err)
{
    json_t *row = listing->call->anthropic ? anthropic_row(shown) : openai_row(shown);

    if (row == NULL || json_array_append_new(listing->data, row) != 0)
        return lb_fail_memory(err);
    return LLMGR_OK;
}

static llmgr_status add_model(struct listing *listing, struct lb_str id,
                              const struct llmgr_model *model, struct llmgr_error *err)
{
    const char *kind =
        model->kind != LLMGR_MODEL_UNKNOWN ? llmgr_model_kind_name(model->kind) : NULL;
    const struct shown shown = {.id = id,
                                .display_name = model->display_name,
                                .owner = model->platform_name,
                                .created = made_at(listing, model->model_id),
                                .kind = kind,
                                .context = model->context_tokens,
                                .max_output = model->max_output_tokens};

    return add_row(listing, &shown, err);
}

static llmgr_status add_route(struct listing *listing, struct lb_str id,
                              const struct llmgr_route *route, struct llmgr_error *err)
{
    const struct shown shown = {.id = id,
                                .display_name = route->display_name,
                                .owner = "llmgr",
                                .created = route->created_at_ms / 1000};

    return add_row(listing, &shown, err);
}

/* Those that a request of their name reaches: a slot of that name would come before. */
static llmgr_status fill_routes(struct listing *listing, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; i < listing->routes.count && status == LLMGR_OK; i++) {
        const struct llmgr_route *route = &listing->routes.items[i];
        struct lb_str id = lb_cstr(route->name);
        if (is_callable_route(route) && resolved(listing, id).route_id == route->route_id)
            status = add_route(listing, id, route, err);
    }
    return status;
}

static llmgr_status fill_all(struct listing *listing, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    char room[NAME_ROOM];

    for (size_t i = 0; i < listing->models.count && status == LLMGR_OK; i++) {
        const struct llmgr_model *model = &listing->models.items[i];
        struct lb_str id = is_callable(model) ? name_of(listing, model, room) : lb_str("", 0);
        if (id.size != 0)
            status = add_model(listing, id, model, err);
    }
    return status == LLMGR_OK ? fill_routes(listing, err) : status;
}

/* The one that a request would reach under this name. */
static llmgr_status fill_one(struct listing *listing, struct lb_str wanted, struct llmgr_error *err)
{
    const struct reached reached = resolved(listing, wanted);

    for (size_t i = 0; i < listing->routes.count && reached.route_id != 0; i++) {
        const struct llmgr_route *route = &listing->routes.items[i];
        if (route->route_id == reached.route_id && is_callable_route(route))
            return add_route(listing, wanted, route, err);
    }
    for (size_t i = 0; i < listing->models.count && reached.model_id != 0; i++) {
        const struct llmgr_model *model = &listing->models.items[i];
        if (reached.route_id == 0 && model->model_id == reached.model_id && is_callable(model))
            return add_model(listing, wanted, model, err);
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
    const struct lr_allowed *allowed = lp_caller_allowed(listing->call->caller);
    struct lm_model_time *times = NULL;

    llmgr_status status =
        la_models(listing->call->manager, listing->user.p, allowed, &listing->models, err);
    if (status == LLMGR_OK)
        status = la_routes(listing->call->manager, listing->user.p, allowed, &listing->routes, err);
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
    llmgr_route_list_clear(&listing.routes);
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
