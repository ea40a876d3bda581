/* SPDX-License-Identifier: MIT */
/*
 * Streams: chat in all its shapes, and simple ones of completions, responses and messages. An
 * answer is a list of events; how they are paced, cut or framed is the server's matter.
 */
#include "mock.h"

#define ID "chatcmpl-mock-0001"
#define CREATED 1700000000

enum { PIECE = 6 /* characters per piece of content */ };

void mock_event(const struct mock_request *request, struct mock_answer *answer, const char *type,
                struct lb_str data)
{
    const struct mock_how *how = &request->how;
    const char *end = how->on[MOCK_CRLF] ? "\r\n" : how->on[MOCK_CR] ? "\r" : "\n";
    struct lb_buf *out = &answer->body;

    if (how->on[MOCK_COMMENTS] && out->size == 0)
        lb_buf_add_c(out, "\xef\xbb\xbf");
    if (how->on[MOCK_COMMENTS])
        lb_buf_addf(out, ": keepalive%s%s", end, end);
    if (how->on[MOCK_IDS])
        lb_buf_addf(out, "id: %zu%s", answer->marks.size / sizeof out->size, end);
    if (type != NULL)
        lb_buf_addf(out, "event: %s%s", type, end);
    lb_buf_add_c(out, "data: ");
    lb_buf_add_str(out, data);
    lb_buf_add_c(out, end);
    lb_buf_add_c(out, end);
    lb_buf_add(&answer->marks, &out->size, sizeof out->size);
}

static struct lb_str model_of(const struct mock_request *request)
{
    struct lb_str model = lj_json_str(request->json, "model");

    return model.size > 0 ? model : LB_STR("mock-model");
}

/* The next piece of a text that is handed out a few characters at a time. */
static struct lb_str next_piece(struct lb_str *text)
{
    size_t size = 0;

    for (int i = 0; i < PIECE && size < text->size; i++) {
        uint32_t code_point;
        size_t used = lb_utf8_decode(lb_str_sub(*text, size, text->size), &code_point);
        size += used > 0 ? used : 1;
    }
    struct lb_str piece = lb_str_sub(*text, 0, size);
    *text = lb_str_sub(*text, size, text->size);
    return piece;
}

/* ---- Chat ------------------------------------------------------------------------------------ */

static void add_usage(const struct mock_request *request, struct lb_buf *out, size_t pieces)
{
    size_t prompt = 3 + request->body.size / 4;
    size_t reasoning = request->how.on[MOCK_REASONING] ? 4 : 0;

    lb_buf_addf(out,
                "{\"prompt_tokens\":%zu,\"completion_tokens\":%zu,\"total_tokens\":%zu,"
                "\"prompt_tokens_details\":{\"cached_tokens\":2},"
                "\"completion_tokens_details\":{\"reasoning_tokens\":%zu}}",
                prompt, pieces, prompt + pieces, reasoning);
}

/* A chunk with this delta (JSON) and finish reason (NULL: null). */
static void chunk(const struct mock_request *request, struct mock_answer *answer, const char *delta,
                  const char *finish)
{
    struct lb_buf data;

    lb_buf_init(&data, answer->body.host, answer->body.limit);
    lb_buf_add_c(&data, "{\"id\":\"" ID "\",\"object\":\"chat.completion.chunk\",\"created\":");
    lb_buf_addf(&data, "%d,\"model\":", CREATED);
    lj_json_write_str(model_of(request), &data);
    lb_buf_addf(&data, ",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":", delta);
    if (finish != NULL)
        lj_json_write_str(lb_cstr(finish), &data);
    else
        lb_buf_add_c(&data, "null");
    lb_buf_add_c(&data, "}]}");
    mock_event(request, answer, NULL, lb_buf_str(&data));
    lb_buf_free(&data);
}

static void text_chunk(const struct mock_request *request, struct mock_answer *answer,
                       const char *member, struct lb_str text)
{
    struct lb_buf delta;

    lb_buf_init(&delta, answer->body.host, answer->body.limit);
    lb_buf_addf(&delta, "{\"%s\":", member);
    lj_json_write_str(text, &delta);
    lb_buf_add_byte(&delta, '}');
    chunk(request, answer, lb_buf_c(&delta), NULL);
    lb_buf_free(&delta);
}

#define TOOL_1 "{\"index\":0,\"id\":\"call_mock_1\",\"type\":\"function\",\"function\":"
#define TOOL_2 "{\"index\":1,\"id\":\"call_mock_2\",\"type\":\"function\",\"function\":"

static void tool_chunks(const struct mock_request *request, struct mock_answer *answer)
{
    static const char *const DELTAS[] = {
        "{\"tool_calls\":[" TOOL_1 "{\"name\":\"get_weather\",\"arguments\":\"\"}}]}",
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"city\\\":\"}}]}",
        "{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"\\\"Paris\\\"}\"}}]}",
        "{\"tool_calls\":[" TOOL_2 "{\"name\":\"get_time\",\"arguments\":\"{}\"}}]}",
    };

    for (size_t i = 0; i < sizeof DELTAS / sizeof DELTAS[0]; i++)
        chunk(request, answer, DELTAS[i], NULL);
}

static bool wants_usage(const struct mock_request *request)
{
    const json_t *options = json_object_get(request->json, "stream_options");

    return json_is_true(json_object_get(options, "include_usage")) &&
           !request->how.on[MOCK_NO_USAGE];
}

static void usage_chunk(const struct mock_request *request, struct mock_answer *answer,
                        size_t pieces)
{
    struct lb_buf data;

    lb_buf_init(&data, answer->body.host, 4096);
    lb_buf_addf(&data,
                "{\"id\":\"" ID "\",\"object\":\"chat.completion.chunk\",\"created\":%d,\"model\":",
                CREATED);
    lj_json_write_str(model_of(request), &data);
    lb_buf_add_c(&data, ",\"choices\":[],\"usage\":");
    add_usage(request, &data, pieces);
    lb_buf_add_byte(&data, '}');
    mock_event(request, answer, NULL, lb_buf_str(&data));
    lb_buf_free(&data);
}

static size_t content_chunks(const struct mock_request *request, struct mock_answer *answer,
                             struct lb_str text)
{
    const struct mock_how *how = &request->how;
    size_t pieces = 0;

    while (text.size > 0) {
        struct lb_str piece = how->on[MOCK_BIGLINE] ? text : next_piece(&text);
        text_chunk(request, answer, "content", piece);
        if (how->on[MOCK_BIGLINE])
            text.size = 0;
        if (++pieces == 2 && how->on[MOCK_BADJSON])
            mock_event(request, answer, NULL,
                       LB_STR("{\"choices\":[{\"delta\":{\"content\":\"bro"));
        if (pieces == 2 && how->on[MOCK_ERROR_EVENT])
            mock_event(request, answer, NULL,
                       LB_STR("{\"error\":{\"message\":\"mock error in the middle\",\"type\":"
                              "\"server_error\",\"code\":null}}"));
        if (pieces == 2 && (how->on[MOCK_ERROR_EVENT] || how->on[MOCK_BADJSON]))
            return pieces;
    }
    return pieces;
}

#define SOUND "{\"id\":\"audio_mock_1\",\"expires_at\":1700003600,\"data\":\"UklGRg==\"}"

static void chat_stream(const struct mock_request *request, struct mock_answer *answer,
                        struct lb_str text)
{
    const struct mock_how *how = &request->how;
    size_t pieces = 4;

    chunk(request, answer, "{\"role\":\"assistant\",\"content\":\"\"}", NULL);
    if (how->on[MOCK_REASONING]) {
        text_chunk(request, answer, "reasoning_content", LB_STR("The user said "));
        text_chunk(request, answer, "reasoning_content", LB_STR("something."));
    }
    if (how->on[MOCK_TOOLS])
        tool_chunks(request, answer);
    else
        pieces = content_chunks(request, answer, text);
    if (json_is_object(json_object_get(request->json, "audio")))
        chunk(request, answer, "{\"audio\":" SOUND "}", NULL);
    if (how->on[MOCK_ERROR_EVENT] || how->on[MOCK_BADJSON] || how->on[MOCK_NO_FINISH])
        return;
    chunk(request, answer, "{}", how->on[MOCK_TOOLS] ? "tool_calls" : "stop");
    if (wants_usage(request))
        usage_chunk(request, answer, pieces);
    if (!how->on[MOCK_NO_DONE])
        mock_event(request, answer, NULL, LB_STR("[DONE]"));
}

static void chat_whole(const struct mock_request *request, struct mock_answer *answer,
                       struct lb_str text)
{
    const struct mock_how *how = &request->how;
    struct lb_buf *out = &answer->body;
    size_t pieces = (text.size + PIECE - 1) / PIECE;

    lb_buf_addf(out, "{\"id\":\"" ID "\",\"object\":\"chat.completion\",\"created\":%d,\"model\":",
                CREATED);
    lj_json_write_str(model_of(request), out);
    lb_buf_add_c(out, ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",");
    if (how->on[MOCK_REASONING])
        lb_buf_add_c(out, "\"reasoning_content\":\"The user said something.\",");
    lb_buf_add_c(out, "\"content\":");
    if (how->on[MOCK_TOOLS]) {
        lb_buf_add_c(out, "null,\"tool_calls\":[" TOOL_1 "{\"name\":\"get_weather\",\"arguments\":"
                          "\"{\\\"city\\\":\\\"Paris\\\"}\"}}," TOOL_2
                          "{\"name\":\"get_time\",\"arguments\":\"{}\"}}]");
    } else {
        lj_json_write_str(text, out);
    }
    if (json_is_object(json_object_get(request->json, "audio")))
        lb_buf_add_c(out, ",\"audio\":" SOUND);
    lb_buf_addf(out, "},\"logprobs\":null,\"finish_reason\":\"%s\"}]",
                how->on[MOCK_TOOLS] ? "tool_calls" : "stop");
    if (!how->on[MOCK_NO_USAGE]) {
        lb_buf_add_c(out, ",\"usage\":");
        add_usage(request, out, pieces);
    }
    if (!how->on[MOCK_BADJSON])
        lb_buf_add_byte(out, '}');
}

void mock_chat(const struct mock_request *request, struct mock_answer *answer)
{
    struct lb_buf text;

    lb_buf_init(&text, answer->body.host, answer->body.limit);
    mock_say(request, &text);
    answer->is_stream =
        json_is_true(json_object_get(request->json, "stream")) && !request->how.on[MOCK_WHOLE];
    if (answer->is_stream)
        chat_stream(request, answer, lb_buf_str(&text));
    else
        chat_whole(request, answer, lb_buf_str(&text));
    lb_buf_free(&text);
}

/* ---- The other dialects ---------------------------------------------------------------------- */

/* An event whose data is JSON text with one string put in. */
static void event_with(const struct mock_request *request, struct mock_answer *answer,
                       const char *type, const char *before, struct lb_str text, const char *after)
{
    struct lb_buf data;

    lb_buf_init(&data, answer->body.host, answer->body.limit);
    lb_buf_add_c(&data, before);
    lj_json_write_str(text, &data);
    lb_buf_add_c(&data, after);
    mock_event(request, answer, type, lb_buf_str(&data));
    lb_buf_free(&data);
}

/* A block of content in its dialect: `start`, the pieces of `text` as deltas of `kind`, its end. */
static void content_block(const struct mock_request *request, struct mock_answer *answer, int index,
                          const char *start, const char *kind, struct lb_str text)
{
    char line[256];

    snprintf(line, sizeof line,
             "{\"type\":\"content_block_start\",\"index\":%d,\"content_block\":%s}", index, start);
    mock_event(request, answer, "content_block_start", lb_cstr(line));
    snprintf(line, sizeof line,
             "{\"type\":\"content_block_delta\",\"index\":%d,\"delta\":{%s:", index, kind);
    while (text.size > 0)
        event_with(request, answer, "content_block_delta", line, next_piece(&text), "}}");
    snprintf(line, sizeof line, "{\"type\":\"content_block_stop\",\"index\":%d}", index);
    mock_event(request, answer, "content_block_stop", lb_cstr(line));
}

static void messages_stream(const struct mock_request *request, struct mock_answer *answer,
                            struct lb_str text)
{
    const bool tools = request->how.on[MOCK_TOOLS];

    event_with(request, answer, "message_start",
               "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_mock_0001\",\"type\":"
               "\"message\",\"role\":\"assistant\",\"content\":[],\"model\":",
               model_of(request),
               ",\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":9,"
               "\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":2,"
               "\"output_tokens\":1}}}");
    if (tools) {
        const char *kind = "\"type\":\"input_json_delta\",\"partial_json\"";
        content_block(request, answer, 0, MOCK_TOOL_USE_1("{}"), kind, LB_STR(MOCK_TOOL_INPUT_1));
        content_block(request, answer, 1, MOCK_TOOL_USE_2, kind, LB_STR("{}"));
    } else {
        content_block(request, answer, 0, "{\"type\":\"text\",\"text\":\"\"}",
                      "\"type\":\"text_delta\",\"text\"", text);
    }
    if (request->how.on[MOCK_ERROR_EVENT]) {
        mock_event(request, answer, "error",
                   LB_STR("{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\","
                          "\"message\":\"mock error in the middle\"}}"));
        return;
    }
    event_with(request, answer, "message_delta",
               "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":",
               tools ? LB_STR("tool_use") : LB_STR("end_turn"),
               ",\"stop_sequence\":null},\"usage\":{\"output_tokens\":7}}");
    mock_event(request, answer, "message_stop", LB_STR("{\"type\":\"message_stop\"}"));
}

#define RESPONSE_HEAD                                                                              \
    "\"response\":{\"id\":\"resp_mock_0001\",\"object\":\"response\",\"created_at\":1700000000,"   \
    "\"model\":\"mock-model\",\"status\":"
#define RESPONSE_USAGE                                                                             \
    "\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":2},"                \
    "\"output_tokens\":7,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":16}"

#define RESPONSE_ITEM                                                                              \
    "{\"id\":\"msg_mock_1\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\"," \
    "\"content\":[{\"type\":\"output_text\",\"annotations\":[],\"text\":"

/* An event of a Responses stream: its type and number, then `text` between `before` and `after`. */
static void response_event(const struct mock_request *request, struct mock_answer *answer,
                           const char *type, const char *before, struct lb_str text,
                           const char *after)
{
    struct lb_buf head;

    lb_buf_init(&head, answer->body.host, 4096);
    /* Events before this one are counted by their marks. */
    lb_buf_addf(&head, "{\"type\":\"%s\",\"sequence_number\":%zu,%s", type,
                answer->marks.size / sizeof answer->body.size, before);
    event_with(request, answer, type, lb_buf_c(&head), text, after);
    lb_buf_free(&head);
}

/* What Codex, openai's SDKs and Vercel's read: each part is opened, grows, and is closed whole. */
static void responses_stream(const struct mock_request *request, struct mock_answer *answer,
                             struct lb_str text)
{
#define AT_ITEM "\"item_id\":\"msg_mock_1\",\"output_index\":0,\"content_index\":0,"
    struct lb_str rest = text;

    response_event(request, answer, "response.created", RESPONSE_HEAD, LB_STR("in_progress"),
                   ",\"output\":[]}}");
    response_event(request, answer, "response.in_progress", RESPONSE_HEAD, LB_STR("in_progress"),
                   ",\"output\":[]}}");
    response_event(
        request, answer, "response.output_item.added",
        "\"output_index\":0,\"item\":{\"id\":\"msg_mock_1\",\"type\":\"message\",\"role\":"
        "\"assistant\",\"content\":[],\"status\":",
        LB_STR("in_progress"), "}}");
    response_event(request, answer, "response.content_part.added",
                   AT_ITEM "\"part\":{\"type\":\"output_text\",\"annotations\":[],\"text\":",
                   LB_STR(""), "}}");
    while (rest.size > 0)
        response_event(request, answer, "response.output_text.delta",
                       AT_ITEM "\"delta\":", next_piece(&rest), "}");
    response_event(request, answer, "response.output_text.done", AT_ITEM "\"text\":", text, "}");
    response_event(request, answer, "response.content_part.done",
                   AT_ITEM "\"part\":{\"type\":\"output_text\",\"annotations\":[],\"text\":", text,
                   "}}");
    response_event(request, answer, "response.output_item.done",
                   "\"output_index\":0,\"item\":" RESPONSE_ITEM, text, "}]}}");
    response_event(request, answer, "response.completed",
                   RESPONSE_HEAD "\"completed\"," RESPONSE_USAGE ",\"output\":[" RESPONSE_ITEM,
                   text, "}]}]}}");
#undef AT_ITEM
}

static void completions_stream(const struct mock_request *request, struct mock_answer *answer,
                               struct lb_str text)
{
    while (text.size > 0)
        event_with(request, answer, NULL,
                   "{\"id\":\"cmpl-mock-0001\",\"object\":\"text_completion\",\"created\":"
                   "1700000000,\"model\":\"mock-model\",\"choices\":[{\"index\":0,\"text\":",
                   next_piece(&text), ",\"finish_reason\":null}]}");
    mock_event(request, answer, NULL,
               LB_STR("{\"id\":\"cmpl-mock-0001\",\"object\":\"text_completion\",\"created\":"
                      "1700000000,\"model\":\"mock-model\",\"choices\":[{\"index\":0,\"text\":\"\","
                      "\"finish_reason\":\"stop\"}]}"));
    if (wants_usage(request))
        usage_chunk(request, answer, 7);
    mock_event(request, answer, NULL, LB_STR("[DONE]"));
}

void mock_other_stream(const struct mock_request *request, struct mock_answer *answer,
                       const char *text)
{
    struct lb_str path = request->head->path;

    answer->is_stream = true;
    if (lb_str_ends(path, LB_STR("/messages")))
        messages_stream(request, answer, lb_cstr(text));
    else if (lb_str_ends(path, LB_STR("/responses")))
        responses_stream(request, answer, lb_cstr(text));
    else
        completions_stream(request, answer, lb_cstr(text));
}
