/* SPDX-License-Identifier: MIT */
/* What each path answers, whole; streams stand in streams.c. */
#include "mock.h"

#include "json/write.h"

/* The text of the last message or prompt, in the dialects that have one. */
static struct lb_str last_said(const json_t *json)
{
    static const char *const LISTS[] = {"messages", "input"};

    for (size_t i = 0; i < 2; i++) {
        const json_t *list = json_object_get(json, LISTS[i]);
        if (json_is_string(list))
            return lb_str(json_string_value(list), json_string_length(list));
        size_t count = json_array_size(list);
        const json_t *last = count > 0 ? json_array_get(list, count - 1) : NULL;
        const json_t *content = json_object_get(last, "content");
        if (json_is_array(content))
            return lj_json_str(json_array_get(content, 0), "text");
        if (json_is_string(content))
            return lb_str(json_string_value(content), json_string_length(content));
    }
    return lj_json_str(json, "prompt");
}

void mock_say(const struct mock_request *request, struct lb_buf *text)
{
    const struct mock_how *how = &request->how;

    if (how->on[MOCK_ECHO]) {
        lb_buf_add_str(text, request->body);
    } else if (how->on[MOCK_BIGLINE]) {
        for (int64_t i = 0; i < how->n[MOCK_BIGLINE] / 16; i++)
            lb_buf_add_c(text, "sixteen bytes...");
    } else if (how->on[MOCK_CHUNKS]) {
        for (int64_t i = 0; i < how->n[MOCK_CHUNKS]; i++)
            lb_buf_add_c(text, "token ");
    } else {
        lb_buf_add_c(text, "Hello from mockllm! You said: ");
        lb_buf_add_str(text, last_said(request->json));
    }
}

/* ---- Refusals -------------------------------------------------------------------------------- */

static const struct error_row {
    int status;
    const char *type, *code, *message;
} ERROR_ROWS[] = {
    {400, "invalid_request_error", "invalid_value", "mock: the request is wrong"},
    {401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided: "},
    {403, "permission_error", "forbidden", "mock: this key may not do that"},
    {404, "invalid_request_error", "model_not_found", "mock: the model does not exist"},
    {429, "rate_limit_error", "rate_limit_exceeded", "mock: too many requests"},
    {500, "server_error", "internal_error", "mock: internal error"},
};

static void refuse(const struct mock_request *request, struct mock_answer *answer, int status)
{
    const struct error_row *row = &ERROR_ROWS[sizeof ERROR_ROWS / sizeof ERROR_ROWS[0] - 1];
    struct lb_buf text;

    for (size_t i = 0; i < sizeof ERROR_ROWS / sizeof ERROR_ROWS[0]; i++) {
        if (ERROR_ROWS[i].status == status)
            row = &ERROR_ROWS[i];
    }
    answer->status = status;
    answer->is_stream = false;
    lb_buf_reset(&answer->body);
    lb_buf_reset(&answer->marks);
    if (status == 429)
        lb_buf_add_c(&answer->fields, "Retry-After: 7\r\n");
    lb_buf_init(&text, answer->body.host, 8192);
    lb_buf_add_c(&text, row->message);
    if (status == 401)
        lb_buf_add_str(&text, request->key);
    struct lb_buf *out = &answer->body;
    if (request->how.on[MOCK_HTML]) {
        answer->type = "text/html";
        lb_buf_addf(out, "<html><head><title>%d mock gateway</title></head><body><h1>bad</h1>",
                    status);
    } else if (request->how.on[MOCK_PLAIN]) {
        answer->type = "text/plain";
        lb_buf_add_str(out, lb_buf_str(&text));
    } else if (request->how.on[MOCK_DETAIL]) {
        lb_buf_add_c(out, "{\"detail\":[{\"loc\":[\"body\"],\"msg\":");
        lj_json_write_str(lb_buf_str(&text), out);
        lb_buf_add_c(out, "}]}");
    } else {
        lb_buf_add_c(out, "{\"error\":{\"message\":");
        lj_json_write_str(lb_buf_str(&text), out);
        lb_buf_addf(out, ",\"type\":\"%s\",\"param\":null,\"code\":\"%s\"}}", row->type, row->code);
    }
    lb_buf_free(&text);
}

/* ---- Paths ----------------------------------------------------------------------------------- */

static void answer_models(const struct mock_request *request, struct mock_answer *answer)
{
    const char *mode = request->options->models_mode;
    struct lb_str names = lb_cstr(request->options->models);
    struct lb_buf *out = &answer->body;
    const char *separator = "";
    uint64_t status;

    if (names.size == 0)
        names = LB_STR("mock-model");
    if (mode != NULL && strcmp(mode, "v1only") == 0 &&
        !lb_str_ends(request->head->path, LB_STR("/v1/models"))) {
        refuse(request, answer, 404);
        return;
    }
    if (mode != NULL && lb_str_to_u64(lb_cstr(mode), &status)) {
        refuse(request, answer, (int)status);
        return;
    }
    if (mode != NULL && strcmp(mode, "nolist") == 0) {
        lb_buf_add_c(out, "{\"object\":\"list\"}");
        return;
    }
    if (mode != NULL && strcmp(mode, "html") == 0) {
        answer->type = "text/html";
        lb_buf_add_c(out, "<html><body>Welcome</body></html>");
        return;
    }
    lb_buf_add_c(out, "{\"object\":\"list\",\"data\":[");
    while (names.size > 0) {
        size_t end = lb_str_find(names, ',');
        struct lb_str name = lb_str_trim(lb_str_sub(names, 0, end));
        size_t type = lb_str_find(name, '=');
        lb_buf_addf(out, "%s{\"id\":", separator);
        lj_json_write_str(lb_str_sub(name, 0, type), out);
        if (type < name.size) {
            lb_buf_add_c(out, ",\"type\":");
            lj_json_write_str(lb_str_sub(name, type + 1, name.size), out);
        }
        lb_buf_add_c(out, ",\"object\":\"model\",\"created\":1700000000,\"owned_by\":\"mockllm\"}");
        names = lb_str_sub(names, end + 1, names.size);
        separator = ",";
    }
    lb_buf_add_c(out, "]}");
}

static void answer_embeddings(const struct mock_request *request, struct mock_answer *answer)
{
    const json_t *input = json_object_get(request->json, "input");
    struct lb_str format = lj_json_str(request->json, "encoding_format");
    /* 1, 0.5, -0.5, 0.25 as little-endian floats. */
    const char *vector =
        lb_str_eq_c(format, "base64") ? "\"AACAPwAAAD8AAAC/AACAPg==\"" : "[1.0,0.5,-0.5,0.25]";
    /* A list of token numbers is one input, a list of anything else is many. */
    size_t count = json_is_array(input) && !json_is_integer(json_array_get(input, 0))
                       ? json_array_size(input)
                       : 1;

    lb_buf_add_c(&answer->body, "{\"object\":\"list\",\"data\":[");
    for (size_t i = 0; i < count; i++)
        lb_buf_addf(&answer->body, "%s{\"object\":\"embedding\",\"index\":%zu,\"embedding\":%s}",
                    i > 0 ? "," : "", i, vector);
    lb_buf_add_c(&answer->body, "],\"model\":\"mock-model\",\"usage\":{\"prompt_tokens\":5,"
                                "\"total_tokens\":5}}");
}

/* Completions, responses, messages: JSON around the one text. */
static void answer_text(const struct mock_request *request, struct mock_answer *answer,
                        const char *before, const char *after)
{
    struct lb_buf text;

    lb_buf_init(&text, answer->body.host, answer->body.limit);
    mock_say(request, &text);
    if (json_is_true(json_object_get(request->json, "stream")) && !request->how.on[MOCK_WHOLE]) {
        mock_other_stream(request, answer, lb_buf_c(&text));
    } else {
        lb_buf_add_c(&answer->body, before);
        lj_json_write_str(lb_buf_str(&text), &answer->body);
        lb_buf_add_c(&answer->body, after);
    }
    lb_buf_free(&text);
}

#define COMPLETION_BEFORE                                                                          \
    "{\"id\":\"cmpl-mock-0001\",\"object\":\"text_completion\",\"created\":1700000000,"            \
    "\"model\":\"mock-model\",\"choices\":[{\"index\":0,\"logprobs\":null,\"finish_reason\":"      \
    "\"stop\",\"text\":"
#define COMPLETION_AFTER                                                                           \
    "}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":7,\"total_tokens\":12}}"
#define MESSAGES_BEFORE(why)                                                                       \
    "{\"id\":\"msg_mock_0001\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"             \
    "\"mock-model\",\"stop_reason\":\"" why "\",\"stop_sequence\":null,\"usage\":{"                \
    "\"input_tokens\":9,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":2,"          \
    "\"output_tokens\":7},\"content\":["
#define MESSAGES_TOOLS                                                                             \
    MESSAGES_BEFORE("tool_use") MOCK_TOOL_USE_1(MOCK_TOOL_INPUT_1) "," MOCK_TOOL_USE_2 "]}"
#define RESPONSES_BEFORE                                                                           \
    "{\"id\":\"resp_mock_0001\",\"object\":\"response\",\"created_at\":1700000000,\"status\":"     \
    "\"completed\",\"model\":\"mock-model\",\"usage\":{\"input_tokens\":9,"                        \
    "\"input_tokens_details\":{\"cached_tokens\":2},\"output_tokens\":7,"                          \
    "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":16},\"output\":[{"        \
    "\"id\":\"msg_mock_1\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\","  \
    "\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":"

static void answer_messages(const struct mock_request *request, struct mock_answer *answer)
{
    if (request->how.on[MOCK_TOOLS] && !json_is_true(json_object_get(request->json, "stream")))
        lb_buf_add_c(&answer->body, MESSAGES_TOOLS);
    else
        answer_text(request, answer,
                    MESSAGES_BEFORE("end_turn") "{\"type\":\"text\",\"text\":", "}]}");
}

static void answer_other(const struct mock_request *request, struct mock_answer *answer)
{
    lb_buf_add_c(&answer->body, "{\"object\":\"mock.echo\",\"method\":");
    lj_json_write_str(request->head->method_name, &answer->body);
    lb_buf_add_c(&answer->body, ",\"path\":");
    lj_json_write_str(request->head->target, &answer->body);
    lb_buf_addf(&answer->body, ",\"body_size\":%zu,\"body\":", request->body.size);
    if (request->json != NULL)
        lb_buf_add_str(&answer->body, request->body);
    else
        lb_buf_add_c(&answer->body, "null");
    lb_buf_add_byte(&answer->body, '}');
}

static void answer_path(const struct mock_request *request, struct mock_answer *answer)
{
    struct lb_str path = request->head->path;

    if (mock_kept(request, answer))
        return;
    if (lb_str_ends(path, LB_STR("/chat/completions")))
        mock_chat(request, answer);
    else if (lb_str_ends(path, LB_STR("/models")))
        answer_models(request, answer);
    else if (lb_str_ends(path, LB_STR("/embeddings")))
        answer_embeddings(request, answer);
    else if (lb_str_ends(path, LB_STR("/messages/count_tokens")))
        lb_buf_add_c(&answer->body, "{\"input_tokens\":9}");
    else if (lb_str_ends(path, LB_STR("/completions")))
        answer_text(request, answer, COMPLETION_BEFORE, COMPLETION_AFTER);
    else if (lb_str_ends(path, LB_STR("/messages")))
        answer_messages(request, answer);
    else if (lb_str_ends(path, LB_STR("/responses")))
        answer_text(request, answer, RESPONSES_BEFORE, "}]}]}");
    else
        answer_other(request, answer);
}

void mock_answer(const struct mock_request *request, struct mock_answer *answer)
{
    const struct mock_how *how = &request->how;
    const char *wanted = request->options->require_key;
    bool sent_options = json_object_get(request->json, "stream_options") != NULL;
    struct lb_buf said;

    answer->status = 200;
    answer->type = "application/json";
    if (wanted != NULL && !lb_str_eq_c(request->key, wanted)) {
        refuse(request, answer, 401);
    } else if (how->on[MOCK_STATUS]) {
        refuse(request, answer, (int)how->n[MOCK_STATUS]);
    } else if (how->on[MOCK_REDIRECT]) {
        answer->status = 302;
        lb_buf_add_c(&answer->fields, "Location: https://elsewhere.example/v1\r\n");
    } else if (how->on[MOCK_QUOTE] && (how->n[MOCK_QUOTE] == 0 || sent_options)) {
        answer->status = 400;
        lb_buf_add_c(&answer->body, "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\","
                                    "\"x\"],\"msg\":");
        lb_buf_init(&said, answer->body.host, 1 << 20);
        lb_buf_add_c(&said, "Field required in ");
        lb_buf_add_str(&said, request->body);
        lj_json_write_str(lb_buf_str(&said), &answer->body);
        lb_buf_free(&said);
        lb_buf_add_c(&answer->body, ",\"input\":");
        lb_buf_add_str(&answer->body, request->body);
        lb_buf_add_c(&answer->body, "}]}");
    } else if (how->on[MOCK_NO_STREAM_OPTIONS] &&
               (how->n[MOCK_NO_STREAM_OPTIONS] != 0 || sent_options)) {
        answer->status = 400;
        lb_buf_add_c(&answer->body, "{\"error\":{\"message\":\"Unrecognized request argument "
                                    "supplied: stream_options\",\"type\":\"invalid_request_error\","
                                    "\"param\":\"stream_options\",\"code\":null}}");
    } else if (how->on[MOCK_ERROR_200]) {
        lb_buf_add_c(&answer->body, "{\"error\":{\"message\":\"mock error with status 200\","
                                    "\"code\":429}}");
    } else if (!how->on[MOCK_EMPTY]) {
        answer_path(request, answer);
    }
    if (answer->is_stream)
        answer->type = how->on[MOCK_PLAIN] ? "text/plain" : "text/event-stream";
    for (int64_t i = 0; how->on[MOCK_HEADERFLOOD] && i < how->n[MOCK_HEADERFLOOD]; i++)
        lb_buf_addf(&answer->fields, "X-Flood-%lld: 0123456789012345678901234567890123456789\r\n",
                    (long long)i);
    if (how->on[MOCK_GZIP])
        lb_buf_add_c(&answer->fields, "Content-Encoding: gzip\r\n");
}
