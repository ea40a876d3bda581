/* SPDX-License-Identifier: MIT */
/*
 * A streamed chat answer: each event becomes one chunk for the caller and is added to a sum, from
 * which the whole answer can be made at any moment, also of a stream that was cut or cancelled.
 * All the text together is capped; the parsed event lives until the next one.
 */
#include "dialect/answer.h"

#include "dialect/error_read.h"
#include "dialect/usage.h"

enum { NAME_MAX_SIZE = 1024 }; /* bytes of an id, a model's or function's name, a finish reason */

/* One tool call as far as its fragments came. */
struct tool {
    int64_t index;
    struct lb_buf id;
    struct lb_buf name;
    struct lb_buf arguments;
};

struct ld_chat_stream {
    const struct lb_host *host;
    size_t total; /* bytes of text and arguments so far, at most LD_ANSWER_MAX */
    bool done;    /* [DONE] came */
    struct lb_buf content, reasoning, finish_reason, model, id;
    bool has_content, has_reasoning;
    struct tool *tools;
    size_t tool_count, tool_room;
    struct llmgr_usage usage;

    /* Of the current event. */
    json_t *root;
    struct lb_buf parts; /* content that came as parts */
    struct llmgr_tool_call *calls;
    size_t call_room;
    struct llmgr_usage chunk_usage;
};

llmgr_status ld_chat_stream_new(const struct lb_host *host, struct ld_chat_stream **stream,
                                struct llmgr_error *err)
{
    struct ld_chat_stream *made = lb_calloc(host, 1, sizeof *made);

    if (made == NULL)
        return lb_fail_memory(err);
    made->host = host;
    lb_buf_init(&made->content, host, LD_ANSWER_MAX);
    lb_buf_init(&made->reasoning, host, LD_ANSWER_MAX);
    lb_buf_init(&made->parts, host, LD_ANSWER_MAX);
    lb_buf_init(&made->finish_reason, host, NAME_MAX_SIZE);
    lb_buf_init(&made->model, host, NAME_MAX_SIZE);
    lb_buf_init(&made->id, host, NAME_MAX_SIZE);
    ld_usage_init(&made->usage);
    *stream = made;
    return LLMGR_OK;
}

void ld_chat_stream_free(struct ld_chat_stream *stream)
{
    if (stream == NULL)
        return;
    for (size_t i = 0; i < stream->tool_count; i++) {
        lb_buf_free(&stream->tools[i].id);
        lb_buf_free(&stream->tools[i].name);
        lb_buf_free(&stream->tools[i].arguments);
    }
    lb_free(stream->host, stream->tools);
    lb_free(stream->host, stream->calls);
    lb_buf_free(&stream->content);
    lb_buf_free(&stream->reasoning);
    lb_buf_free(&stream->parts);
    lb_buf_free(&stream->finish_reason);
    lb_buf_free(&stream->model);
    lb_buf_free(&stream->id);
    json_decref(stream->root);
    lb_free(stream->host, stream);
}

/* ---- Adding up ------------------------------------------------------------------------------- */

static llmgr_status add_text(struct ld_chat_stream *stream, struct lb_buf *sum, struct lb_str text)
{
    if (text.size > LD_ANSWER_MAX - stream->total)
        return LLMGR_ERR_TOO_LARGE;
    stream->total += text.size;
    lb_buf_add_str(sum, text);
    return sum->failed;
}

/* Names are taken once, the first time they are not empty; an over-long one is cut. */
static llmgr_status take_name(struct lb_buf *name, struct lb_str text)
{
    if (name->size > 0 || text.size == 0)
        return LLMGR_OK;
    lb_buf_add(name, text.p, lb_utf8_cut(text, NAME_MAX_SIZE));
    return name->failed;
}

static struct tool *find_tool(struct ld_chat_stream *stream, int64_t index)
{
    for (size_t i = 0; i < stream->tool_count; i++) {
        if (stream->tools[i].index == index)
            return &stream->tools[i];
    }
    return NULL;
}

/*
 * Which call a delta without an index goes on with: one with a new id begins the next call, any
 * other belongs to the last.
 */
static int64_t guess_index(const struct ld_chat_stream *stream, struct lb_str id)
{
    if (stream->tool_count == 0)
        return 0;
    const struct tool *last = &stream->tools[stream->tool_count - 1];
    if (id.size == 0 || lb_str_eq(id, lb_buf_str(&last->id)))
        return last->index;
    return last->index < INT64_MAX ? last->index + 1 : last->index;
}

static llmgr_status new_tool(struct ld_chat_stream *stream, int64_t index, struct tool **tool)
{
    if (stream->tool_count == LD_TOOL_CALLS_MAX)
        return LLMGR_ERR_TOO_LARGE;
    if (stream->tool_count == stream->tool_room) {
        size_t room = stream->tool_room > 0 ? 2 * stream->tool_room : 4;
        struct tool *grown =
            lb_realloc_array(stream->host, stream->tools, room, sizeof *stream->tools);
        if (grown == NULL)
            return LLMGR_ERR_NO_MEMORY;
        stream->tools = grown;
        stream->tool_room = room;
    }
    *tool = &stream->tools[stream->tool_count++];
    (*tool)->index = index;
    lb_buf_init(&(*tool)->id, stream->host, NAME_MAX_SIZE);
    lb_buf_init(&(*tool)->name, stream->host, NAME_MAX_SIZE);
    lb_buf_init(&(*tool)->arguments, stream->host, LD_ANSWER_MAX);
    return LLMGR_OK;
}

static llmgr_status add_tool_delta(struct ld_chat_stream *stream, const json_t *entry,
                                   struct llmgr_tool_call *call)
{
    const json_t *function = json_object_get(entry, "function");
    struct lb_str id = lj_json_str(entry, "id");
    struct lb_str name = lj_json_str(function, "name");
    struct lb_str arguments = lj_json_str(function, "arguments");
    llmgr_status status = LLMGR_OK;

    int64_t index = lj_json_int(entry, "index", -1);
    if (index < 0)
        index = guess_index(stream, id);
    struct tool *tool = find_tool(stream, index);
    if (tool == NULL)
        status = new_tool(stream, index, &tool);
    if (status != LLMGR_OK)
        return status;
    *call = (struct llmgr_tool_call){
        .index = index,
        .id = tool->id.size == 0 && id.size > 0 ? id.p : NULL,
        .name = tool->name.size == 0 && name.size > 0 ? name.p : NULL,
        .arguments = arguments.p,
    };
    status = take_name(&tool->id, id);
    if (status == LLMGR_OK)
        status = take_name(&tool->name, name);
    if (status == LLMGR_OK)
        status = add_text(stream, &tool->arguments, arguments);
    return status;
}

static llmgr_status add_tool_deltas(struct ld_chat_stream *stream, const json_t *list,
                                    struct llmgr_chunk *chunk)
{
    size_t total = json_array_size(list);
    llmgr_status status = LLMGR_OK;

    if (total > LD_TOOL_CALLS_MAX)
        return LLMGR_ERR_TOO_LARGE;
    if (total > stream->call_room) {
        struct llmgr_tool_call *grown =
            lb_realloc_array(stream->host, stream->calls, total, sizeof *stream->calls);
        if (grown == NULL)
            return LLMGR_ERR_NO_MEMORY;
        stream->calls = grown;
        stream->call_room = total;
    }
    for (size_t i = 0; i < total && status == LLMGR_OK; i++)
        status = add_tool_delta(stream, json_array_get(list, i), &stream->calls[i]);
    chunk->tool_calls = total > 0 ? stream->calls : NULL;
    chunk->tool_call_count = total;
    return status;
}

/* Content that is one string is handed out where it stands, parts are joined first. */
static struct lb_str content_of(struct ld_chat_stream *stream, const json_t *content)
{
    if (json_is_string(content))
        return lb_str(json_string_value(content), json_string_length(content));
    lb_buf_reset(&stream->parts);
    if (!ld_content_text(content, &stream->parts))
        return lb_str(NULL, 0);
    return lb_str(lb_buf_c(&stream->parts), stream->parts.size);
}

static llmgr_status add_choice(struct ld_chat_stream *stream, const json_t *choice,
                               struct llmgr_chunk *chunk)
{
    const json_t *delta = json_object_get(choice, "delta");
    struct lb_str content, reasoning, finish = ld_finish_of(choice);

    /* Some platforms put the last piece into a "message", as in a whole answer. */
    if (!json_is_object(delta))
        delta = json_object_get(choice, "message");
    content = content_of(stream, json_object_get(delta, "content"));
    reasoning = ld_reasoning_of(delta);
    if (stream->parts.failed != LLMGR_OK)
        return stream->parts.failed;
    chunk->content = content.p;
    chunk->content_size = content.size;
    chunk->reasoning_content = reasoning.p;
    chunk->reasoning_content_size = reasoning.size;
    chunk->finish_reason = finish.p;
    stream->has_content |= content.p != NULL;
    stream->has_reasoning |= reasoning.p != NULL;
    llmgr_status status = add_text(stream, &stream->content, content);
    if (status == LLMGR_OK)
        status = add_text(stream, &stream->reasoning, reasoning);
    if (status == LLMGR_OK)
        status = take_name(&stream->finish_reason, finish);
    if (status == LLMGR_OK)
        status = add_tool_deltas(stream, json_object_get(delta, "tool_calls"), chunk);
    return status;
}

/* ---- Events ---------------------------------------------------------------------------------- */

static llmgr_status fail_text(llmgr_status status, struct llmgr_error *err)
{
    if (status == LLMGR_ERR_TOO_LARGE)
        return lb_fail(err, LLMGR_ERR_PROTOCOL,
                       N_("the platform's stream holds more than %d bytes or %d tool calls"),
                       LD_ANSWER_MAX, LD_TOOL_CALLS_MAX);
    return status == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status read_chunk(struct ld_chat_stream *stream, struct lb_str data,
                               struct llmgr_chunk *chunk)
{
    const json_t *root = stream->root;
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    llmgr_status status = LLMGR_OK;

    /* Of several choices the sum follows the first; chunk->json has them all. */
    if (json_is_object(choice) && lj_json_int(choice, "index", 0) == 0)
        status = add_choice(stream, choice, chunk);
    if (status == LLMGR_OK)
        status = take_name(&stream->model, lj_json_str(root, "model"));
    if (status == LLMGR_OK)
        status = take_name(&stream->id, lj_json_str(root, "id"));
    ld_usage_init(&stream->chunk_usage);
    if (ld_usage_read_answer(&stream->chunk_usage, data))
        chunk->usage = &stream->chunk_usage;
    (void)ld_usage_read_answer(&stream->usage, data);
    return status;
}

llmgr_status ld_chat_stream_event(struct ld_chat_stream *stream, const struct lh_sse_event *event,
                                  struct llmgr_chunk *chunk, enum ld_event *kind,
                                  struct llmgr_error *err)
{
    struct lb_str data = lb_str_trim(event->data);
    struct llmgr_chunk read = {.json = data.p, .json_size = data.size};
    struct llmgr_error why = {0};
    bool short_of_memory = false;

    *kind = LD_EVENT_NONE;
    if (!event->has_data || data.size == 0 || stream->done)
        return LLMGR_OK;
    if (lb_str_eq(data, LB_STR("[DONE]"))) {
        stream->done = true;
        *kind = LD_EVENT_DONE;
        return LLMGR_OK;
    }
    json_decref(stream->root);
    stream->root = lj_json_read(data, &short_of_memory);
    if (stream->root == NULL && short_of_memory)
        return lb_fail_memory(err);
    if (!json_is_object(stream->root))
        return lb_fail(err, LLMGR_ERR_PROTOCOL,
                       N_("the platform's stream holds an event that is not a JSON object"));
    if (ld_error_of(stream->host, stream->root, &why)) {
        if (err != NULL)
            *err = why;
        return why.status;
    }
    llmgr_status status = fail_text(read_chunk(stream, data, &read), err);
    if (status != LLMGR_OK)
        return status;
    *chunk = read;
    *kind = LD_EVENT_CHUNK;
    return LLMGR_OK;
}

llmgr_status ld_chat_stream_finish(const struct ld_chat_stream *stream, struct llmgr_error *err)
{
    if (stream->done || stream->finish_reason.size > 0)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CUT,
                   N_("the platform's stream ended early, without a finish reason and [DONE]"));
}

/* ---- The sum --------------------------------------------------------------------------------- */

static bool copy_text(struct lb_arena *arena, const struct lb_buf *from, bool there,
                      const char **to)
{
    *to = there ? lb_arena_str(arena, lb_str(lb_buf_c(from), from->size)).p : NULL;
    return !there || *to != NULL;
}

static bool copy_tools(const struct ld_chat_stream *stream, struct lb_arena *arena,
                       struct llmgr_answer *answer)
{
    if (stream->tool_count == 0)
        return true;
    answer->tool_calls = lb_arena_calloc(arena, stream->tool_count, sizeof *answer->tool_calls);
    if (answer->tool_calls == NULL)
        return false;
    for (size_t i = 0; i < stream->tool_count; i++) {
        const struct tool *tool = &stream->tools[i];
        struct llmgr_tool_call *call = &answer->tool_calls[i];
        call->index = tool->index;
        if (!copy_text(arena, &tool->id, tool->id.size > 0, &call->id) ||
            !copy_text(arena, &tool->name, tool->name.size > 0, &call->name) ||
            !copy_text(arena, &tool->arguments, true, &call->arguments))
            return false;
    }
    answer->tool_call_count = stream->tool_count;
    return true;
}

llmgr_status ld_chat_stream_answer(const struct ld_chat_stream *stream, struct llmgr_answer *answer,
                                   struct llmgr_error *err)
{
    struct llmgr_answer sum;

    llmgr_status status = ld_answer_init(stream->host, &sum, err);
    if (status != LLMGR_OK)
        return status;
    struct lb_arena *arena = ld_answer_arena(&sum);
    if (!copy_text(arena, &stream->content, stream->has_content, &sum.content) ||
        !copy_text(arena, &stream->reasoning, stream->has_reasoning, &sum.reasoning_content) ||
        !copy_text(arena, &stream->finish_reason, stream->finish_reason.size > 0,
                   &sum.finish_reason) ||
        !copy_text(arena, &stream->model, stream->model.size > 0, &sum.model) ||
        !copy_text(arena, &stream->id, stream->id.size > 0, &sum.id) ||
        !copy_tools(stream, arena, &sum)) {
        ld_answer_clear(&sum);
        return lb_fail_memory(err);
    }
    sum.usage = stream->usage;
    *answer = sum;
    return LLMGR_OK;
}
