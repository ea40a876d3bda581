/* SPDX-License-Identifier: MIT */
/* /api/models: the flat list a front end renders, and the models of private platforms. */
#include "documents/write.h"
#include "json/write.h"
#include "library/library.h"
#include "management/operation.h"
#include "management/operations.h"
#include "manager/manager.h"
#include "manager/models.h"

static int64_t id_at(const void *items, size_t i)
{
    return ((const struct llmgr_model *)items)[i].model_id;
}

static llmgr_status list(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_model_list models;
    struct lp_range range;

    llmgr_status status = la_models(api->manager, api->user, lp_api_allowed(api), &models, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_range(api, models.items, models.count, id_at, &range, err);
    if (status == LLMGR_OK)
        status = lp_api_page(
            api, lx_list_model(NULL, models.items + range.from, range.to - range.from), err);
    llmgr_model_list_clear(&models);
    return status;
}

/* The model as it is now. */
static llmgr_status show(struct lp_api *api, int64_t id, struct llmgr_error *err)
{
    struct llmgr_model_list models;

    llmgr_status status = la_models(api->manager, api->user, lp_api_allowed(api), &models, err);
    if (status != LLMGR_OK)
        return status;
    status = lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no model %lld"), (long long)id);
    for (size_t i = 0; i < models.count; i++) {
        if (models.items[i].model_id == id)
            status = lp_api_answer(api, lx_json_model(&models.items[i]), err);
    }
    llmgr_model_list_clear(&models);
    return status;
}

/* extra_body as the text that the manager takes: .p NULL if it is not there, "" for null. */
static llmgr_status take_extra(const struct lp_api *api, struct lb_buf *text, struct lb_str *extra,
                               struct llmgr_error *err)
{
    const json_t *value = json_object_get(api->body, "extra_body");

    *extra = lb_str(NULL, 0);
    if (json_is_null(value))
        *extra = LB_STR("");
    if (!json_is_object(value))
        return LLMGR_OK;
    lj_json_write(value, text);
    *extra = lb_buf_str(text);
    if (text->failed == LLMGR_ERR_TOO_LARGE)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("'extra_body' may have %d bytes"),
                       LM_EXTRA_BODY_MAX);
    return text->failed == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

/* LLMGR_UNSET if the member is not there; else it is one of the schema's choices. */
static int take_kind(const struct lp_api *api)
{
    const char *name = lp_api_text(api, "kind");
    llmgr_model_kind kind;

    return name != NULL && llmgr_model_kind_parse(name, &kind) ? (int)kind : LLMGR_UNSET;
}

/* LLMGR_UNSET if the member is not there, 0 for null. */
static int64_t take_tokens(const struct lp_api *api, const char *member)
{
    const json_t *value = json_object_get(api->body, member);

    return value == NULL ? LLMGR_UNSET : json_is_null(value) ? 0 : json_integer_value(value);
}

/* What the body says of a model; `text`, which the caller frees, holds the extra_body. */
static llmgr_status take_spec(const struct lp_api *api, struct lb_buf *text,
                              struct lm_model_spec *spec, struct llmgr_error *err)
{
    *spec = (struct lm_model_spec){
        .model_name = lb_cstr(lp_api_text(api, "model_name")),
        .display_name = lb_cstr(lp_api_text(api, "display_name")),
        .kind = take_kind(api),
        .context_tokens = take_tokens(api, "context_tokens"),
        .max_output_tokens = take_tokens(api, "max_output_tokens"),
    };
    return take_extra(api, text, &spec->extra_body, err);
}

static llmgr_status add(struct lp_api *api, struct llmgr_error *err)
{
    struct lm_model_spec spec;
    struct lb_buf text;
    int64_t platform_id, model_id;

    llmgr_status status = lp_api_id(api, 0, &platform_id, err);
    if (status != LLMGR_OK)
        return status;
    lb_buf_init(&text, api->call->arena->host, LM_EXTRA_BODY_MAX);
    status = take_spec(api, &text, &spec, err);
    if (status == LLMGR_OK)
        status = lm_model_add(api->core, lp_api_actor(api), platform_id, &spec, &model_id, err);
    lb_buf_free(&text);
    if (status != LLMGR_OK)
        return status;
    api->location = lb_arena_printf(api->call->arena, "/api/models/%lld", (long long)model_id);
    return show(api, model_id, err);
}

static llmgr_status get(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

static llmgr_status change(struct lp_api *api, struct llmgr_error *err)
{
    struct lm_model_spec spec;
    struct lb_buf text;
    int64_t id;
    bool hide;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status != LLMGR_OK)
        return status;
    lb_buf_init(&text, api->call->arena->host, LM_EXTRA_BODY_MAX);
    status = take_spec(api, &text, &spec, err);
    if (status == LLMGR_OK)
        status = lm_model_edit(api->core, lp_api_actor(api), id, &spec,
                               lp_api_flag(api, "model_hide", &hide), err);
    lb_buf_free(&text);
    return status == LLMGR_OK ? show(api, id, err) : status;
}

static llmgr_status drop(struct lp_api *api, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = lm_model_delete(api->core, lp_api_actor(api), id, err);
    return status;
}

LP_API_HANDLER(models_list, list)
LP_API_HANDLER(models_add, add)
LP_API_HANDLER(models_get, get)
LP_API_HANDLER(models_change, change)
LP_API_HANDLER(models_delete, drop)
