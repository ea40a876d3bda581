/* SPDX-License-Identifier: MIT */
/*
 * The body of a chat request. Members are laid over each other in a JSON object, whose last word
 * wins, and then the ones that must not be replaced are laid on top.
 */
#include "dialect/chat.h"

#include <math.h>
#include <stdio.h>

#include "json/write.h"

/* Takes `value`; false (and *status set) if there is no value or no memory for it. */
static bool set(json_t *object, const char *name, json_t *value, llmgr_status *status)
{
    if (json_object_set_new(object, name, value) == 0)
        return true;
    *status = LLMGR_ERR_NO_MEMORY;
    return false;
}

static llmgr_status read_string(const char *text, const char *what, json_t **value,
                                struct llmgr_error *err)
{
    if (!lb_utf8_valid(lb_cstr(text)))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("%s is not valid UTF-8"), what);
    *value = json_string(text);
    return *value != NULL ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status build_message(const struct llmgr_message *from, size_t index, json_t **message,
                                  struct llmgr_error *err)
{
    json_t *extra = NULL, *role = NULL, *content = NULL;
    char what[64];
    llmgr_status status = LLMGR_OK;

    if (from->role == NULL || from->role[0] == '\0')
        return lb_fail(err, LLMGR_ERR_INVALID, N_("message %zu has no role"), index + 1);
    json_t *built = json_object();
    if (built == NULL)
        return lb_fail_memory(err);
    snprintf(what, sizeof what, "message %zu", index + 1);
    status = read_string(from->role, what, &role, err);
    if (status == LLMGR_OK && from->content != NULL)
        status = read_string(from->content, what, &content, err);
    if (status == LLMGR_OK && from->extra_json != NULL) {
        snprintf(what, sizeof what, "extra_json of message %zu", index + 1);
        status = lj_json_object(lb_cstr(from->extra_json), what, &extra, err);
    }
    if (status == LLMGR_OK) {
        set(built, "role", json_incref(role), &status);
        set(built, "content", content != NULL ? json_incref(content) : json_null(), &status);
        if (extra != NULL && json_object_update(built, extra) != 0)
            status = LLMGR_ERR_NO_MEMORY;
        /* What was given as an argument is not replaced by what was given as extra. */
        set(built, "role", json_incref(role), &status);
        if (content != NULL)
            set(built, "content", json_incref(content), &status);
        if (status != LLMGR_OK)
            lb_fail_memory(err);
    }
    json_decref(role);
    json_decref(content);
    json_decref(extra);
    if (status == LLMGR_OK)
        *message = built;
    else
        json_decref(built);
    return status;
}

static llmgr_status build_messages(const struct llmgr_request *request, json_t **messages,
                                   struct llmgr_error *err)
{
    if (request->message_count == 0 || request->messages == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the request holds no messages"));
    json_t *list = json_array();
    if (list == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < request->message_count; i++) {
        json_t *message = NULL;
        llmgr_status status = build_message(&request->messages[i], i, &message, err);
        if (status == LLMGR_OK && json_array_append_new(list, message) != 0)
            status = lb_fail_memory(err);
        if (status != LLMGR_OK) {
            json_decref(list);
            return status;
        }
    }
    *messages = list;
    return LLMGR_OK;
}

static llmgr_status add_tools(json_t *root, const char *text, struct llmgr_error *err)
{
    bool short_of_memory;
    llmgr_status status = LLMGR_OK;
    json_t *tools = lj_json_read(lb_cstr(text), &short_of_memory);

    if (tools == NULL && short_of_memory)
        return lb_fail_memory(err);
    if (!json_is_array(tools)) {
        json_decref(tools);
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("tools_json must be a JSON array of tools such as [{\"type\": "
                          "\"function\", …}]"));
    }
    if (!set(root, "tools", tools, &status))
        return lb_fail_memory(err);
    return LLMGR_OK;
}

static llmgr_status overlay(json_t *root, struct lb_str text, const char *what,
                            struct llmgr_error *err)
{
    json_t *object = NULL;

    if (text.size == 0)
        return LLMGR_OK;
    llmgr_status status = lj_json_object(text, what, &object, err);
    if (status != LLMGR_OK)
        return status;
    int failed = json_object_update(root, object);
    json_decref(object);
    return failed ? lb_fail_memory(err) : LLMGR_OK;
}

/* stream_options as we need it: asking for usage, or away. */
static void set_stream_options(json_t *root, bool include_usage, llmgr_status *status)
{
    json_t *options = json_object_get(root, "stream_options");

    if (!include_usage) {
        json_object_del(root, "stream_options");
        return;
    }
    if (!json_is_object(options)) {
        options = json_object();
        if (!set(root, "stream_options", options, status))
            return;
    }
    set(options, "include_usage", json_true(), status);
}

static llmgr_status add_own_members(json_t *root, const struct llmgr_request *request,
                                    struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    if (!isfinite(request->temperature))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the temperature is not a finite number"));
    if (request->temperature >= 0)
        set(root, "temperature", json_real(request->temperature), &status);
    if (request->max_tokens != LLMGR_UNSET) {
        if (request->max_tokens < 1)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("max_tokens must be at least 1"));
        set(root, "max_tokens", json_integer(request->max_tokens), &status);
    }
    if (status != LLMGR_OK)
        return lb_fail_memory(err);
    return request->tools_json != NULL ? add_tools(root, request->tools_json, err) : LLMGR_OK;
}

/* Reserves the places of the members that people look for first, so that they come first. */
static llmgr_status start(json_t *root, const struct ld_chat_options *options, json_t *messages,
                          struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    set(root, "model", json_stringn(options->model_name.p, options->model_name.size), &status);
    set(root, "messages", json_incref(messages), &status);
    if (options->stream)
        set(root, "stream", json_true(), &status);
    else
        json_object_del(root, "stream");
    return status == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status ld_chat_build(const struct llmgr_request *request,
                           const struct ld_chat_options *options, struct lb_buf *out,
                           struct llmgr_error *err)
{
    json_t *messages = NULL;

    if (request->size < sizeof *request)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the request was not initialised; call llmgr_request_init first"));
    if (!lb_utf8_valid(options->model_name) || options->model_name.size == 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the model's name is empty or not UTF-8"));
    json_t *root = json_object();
    if (root == NULL)
        return lb_fail_memory(err);
    llmgr_status status = build_messages(request, &messages, err);
    if (status == LLMGR_OK)
        status = start(root, options, messages, err);
    if (status == LLMGR_OK)
        status = add_own_members(root, request, err);
    if (status == LLMGR_OK)
        status = overlay(root, lb_cstr(request->extra_json), "extra_json", err);
    if (status == LLMGR_OK)
        status = overlay(root, options->extra_body, "the model's extra_body", err);
    if (status == LLMGR_OK)
        status = start(root, options, messages, err);
    if (status == LLMGR_OK) {
        set_stream_options(root, options->stream && options->include_usage, &status);
        if (status != LLMGR_OK)
            lb_fail_memory(err);
    }
    if (status == LLMGR_OK) {
        lj_json_write(root, out);
        if (out->failed == LLMGR_ERR_TOO_LARGE)
            status = lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the request is larger than %zu bytes"),
                             out->limit);
        else if (out->failed != LLMGR_OK)
            status = lb_fail_memory(err);
    }
    json_decref(messages);
    json_decref(root);
    return status;
}
