/* SPDX-License-Identifier: MIT */
/* Each function is one schema of schemas.def, member by member; a test holds them to it. */
#include "documents/write.h"

bool lx_append(json_t *list, json_t *row)
{
    return row != NULL && json_array_append_new(list, row) == 0;
}

json_t *lx_json_platform(const struct llmgr_platform *platform)
{
    json_t *until = platform->no_stream_options_until_ms != 0
                        ? json_integer((json_int_t)platform->no_stream_options_until_ms)
                        : json_null();

    return json_pack("{s:I,s:s,s:b,s:b,s:s,s:s,s:b,s:s?,s:s?,s:o,s:s?}", "platform_id",
                     (json_int_t)platform->platform_id, "platform_name", platform->platform_name,
                     "platform_is_sys", platform->platform_is_sys, "platform_hide",
                     platform->platform_hide, "base_url", platform->base_url, "protocol",
                     platform->protocol, "api_key_set", platform->api_key_set, "key_fingerprint",
                     platform->key_fingerprint, "payer", platform->payer,
                     "no_stream_options_until_ms", until, "native_paths", platform->native_paths);
}

json_t *lx_json_model(const struct llmgr_model *model)
{
    json_t *extra =
        model->extra_body != NULL ? json_loads(model->extra_body, 0, NULL) : json_null();

    return json_pack("{s:I,s:s,s:b,s:b,s:s,s:b,s:I,s:s,s:s,s:b,s:o}", "platform_id",
                     (json_int_t)model->platform_id, "platform_name", model->platform_name,
                     "platform_is_sys", model->platform_is_sys, "platform_hide",
                     model->platform_hide, "base_url", model->base_url, "api_key_set",
                     model->api_key_set, "model_id", (json_int_t)model->model_id, "model_name",
                     model->model_name, "display_name", model->display_name, "model_hide",
                     model->model_hide, "extra_body", extra);
}

json_t *lx_json_selection(const struct llmgr_selection *selection)
{
    return json_pack(
        "{s:s,s:s,s:I,s:b,s:s,s:s,s:I,s:s,s:b,s:b,s:b}", "slot", selection->slot, "platform",
        selection->platform, "platform_id", (json_int_t)selection->platform_id, "platform_is_sys",
        selection->platform_is_sys, "base_url", selection->base_url, "model_display_name",
        selection->model_display_name, "model_id", (json_int_t)selection->model_id, "model_name",
        selection->model_name, "api_key_set", selection->api_key_set, "is_default",
        selection->is_default, "repaired", selection->repaired);
}

static json_t *candidate_json(const struct llmgr_candidate *candidate)
{
    return json_pack("{s:I,s:s,s:b,s:s,s:I,s:s?,s:s?,s:b,s:b,s:s,s:s,s:s?,s:s?}", "platform_id",
                     (json_int_t)candidate->platform_id, "platform_name", candidate->platform_name,
                     "platform_is_sys", candidate->platform_is_sys, "base_url", candidate->base_url,
                     "model_id", (json_int_t)candidate->model_id, "model_name",
                     candidate->model_name, "display_name", candidate->display_name, "kept",
                     candidate->kept, "chosen", candidate->chosen, "reason", candidate->reason,
                     "text", candidate->text, "key_fingerprint", candidate->key_fingerprint,
                     "payer", candidate->payer);
}

/* Gives the list back, or drops it when a row did not fit. */
static json_t *whole(json_t *list, bool good)
{
    if (good)
        return list;
    json_decref(list);
    return NULL;
}

json_t *lx_json_explanation(const struct llmgr_explanation *explanation)
{
    json_t *list = json_array();
    bool good = true;

    for (size_t i = 0; i < explanation->count && good; i++)
        good = lx_append(list, candidate_json(&explanation->items[i]));
    list = whole(list, good);
    if (list == NULL)
        return NULL;
    return json_pack("{s:o,s:s,s:s}", "candidates", list, "status",
                     llmgr_status_name(explanation->status), "message", explanation->message);
}

static json_t *probed_json(const struct llmgr_probe_model *model)
{
    return json_pack("{s:s,s:o}", "id", model->id, "raw",
                     json_loads(model->raw, JSON_DECODE_ANY, NULL));
}

json_t *lx_json_probe(const struct llmgr_probe *probe)
{
    json_t *list = json_array();
    bool good = true;

    for (size_t i = 0; i < probe->count && good; i++)
        good = lx_append(list, probed_json(&probe->models[i]));
    list = whole(list, good);
    return list != NULL ? json_pack("{s:o}", "data", list) : NULL;
}

json_t *lx_json_token(const struct llmgr_token *token)
{
    return json_pack("{s:I,s:s,s:s,s:s?,s:s?,s:I,s:b,s:o}", "token_id", (json_int_t)token->token_id,
                     "kind", llmgr_token_kind_name(token->kind), "name", token->name, "user",
                     token->user, "prefix", token->prefix, "created_at_ms",
                     (json_int_t)token->created_at_ms, "revoked", token->revoked, "revoked_at_ms",
                     token->revoked ? json_integer((json_int_t)token->revoked_at_ms) : json_null());
}

static json_t *known(int64_t count)
{
    return count >= 0 ? json_integer((json_int_t)count) : json_null();
}

/* False when memory is short. */
static bool add(json_t *object, const char *name, json_t *value)
{
    return value != NULL && json_object_set_new(object, name, value) == 0;
}

json_t *lx_json_sum(const struct llmgr_usage_sum *sum)
{
    json_t *json = json_pack("{s:s,s:s}", "key", sum->key, "name", sum->name);
    bool good = json != NULL;

#define LL_TALLY(name, counts) good = good && add(json, #name, json_integer((json_int_t)sum->name));
#define LL_PAID(name) LL_TALLY(name, )
#define LL_SUMMED(name) good = good && add(json, #name, known(sum->name));
#include "ledger/usage.def"
    return whole(json, good);
}

static json_t *change_json(const struct llmgr_change *change)
{
    static const char *const ACTIONS[] = {
        [LLMGR_CHANGE_ADD] = "add",
        [LLMGR_CHANGE_UPDATE] = "update",
        [LLMGR_CHANGE_REMOVE] = "remove",
    };

    return json_pack("{s:s,s:s,s:s?,s:s?}", "action", ACTIONS[change->action], "platform_name",
                     change->platform_name, "display_name", change->display_name, "detail",
                     change->detail);
}

json_t *lx_json_sync(const struct llmgr_sync_report *report, bool dry_run)
{
    json_t *list = json_array();
    bool good = true;

    for (size_t i = 0; i < report->count && good; i++)
        good = lx_append(list, change_json(&report->changes[i]));
    list = whole(list, good);
    return list != NULL ? json_pack("{s:b,s:o}", "dry_run", dry_run, "changes", list) : NULL;
}

json_t *lx_json_db(const struct llmgr_db_report *report)
{
    return json_pack("{s:s,s:s,s:s,s:s?,s:I,s:o,s:I,s:I,s:I,s:I}", "database", report->database,
                     "kind", report->kind, "version", report->version, "warning", report->warning,
                     "schema_version", (json_int_t)report->schema_version, "size",
                     known(report->size), "platforms", (json_int_t)report->platforms, "models",
                     (json_int_t)report->models, "users", (json_int_t)report->users,
                     "unreadable_keys", (json_int_t)report->unreadable_keys);
}

static json_t *data_key_json(const struct llmgr_data_key *key)
{
    return json_pack("{s:I,s:b,s:I,s:I}", "id", (json_int_t)key->id, "active", key->active,
                     "records", (json_int_t)key->records, "created_at_ms",
                     (json_int_t)key->created_at_ms);
}

json_t *lx_json_keys(const struct llmgr_key_report *report)
{
    json_t *list = json_array();
    bool good = true;

    for (size_t i = 0; i < report->count && good; i++)
        good = lx_append(list, data_key_json(&report->keys[i]));
    list = whole(list, good);
    if (list == NULL)
        return NULL;
    return json_pack("{s:s,s:o,s:I,s:I}", "master_id", report->master_id, "keys", list, "rotated",
                     (json_int_t)report->rotated, "retired", (json_int_t)report->retired);
}
