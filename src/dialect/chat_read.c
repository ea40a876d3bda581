/* SPDX-License-Identifier: MIT */
/* A whole chat answer, and the pieces that streams read in the same way. */
#include "dialect/answer.h"

#include "dialect/error_read.h"
#include "dialect/said.h"
#include "dialect/usage.h"

llmgr_status ld_answer_init(const struct lb_host *host, struct llmgr_answer *answer,
                            struct llmgr_error *err)
{
    struct ld_answer_memory *memory = lb_calloc(host, 1, sizeof *memory);

    if (memory == NULL)
        return lb_fail_memory(err);
    memory->host = *host;
    lb_arena_init(&memory->arena, &memory->host, NULL, 0, 4 * (size_t)LD_ANSWER_MAX);
    *answer = (struct llmgr_answer){.memory = memory};
    ld_usage_init(&answer->usage);
    return LLMGR_OK;
}

struct lb_arena *ld_answer_arena(const struct llmgr_answer *answer)
{
    struct ld_answer_memory *memory = answer->memory;

    return &memory->arena;
}

void ld_answer_clear(struct llmgr_answer *answer)
{
    struct ld_answer_memory *memory = answer->memory;

    if (memory != NULL) {
        struct lb_host host = memory->host;
        lb_arena_free(&memory->arena);
        lb_free(&host, memory);
    }
    *answer = (struct llmgr_answer){0};
    ld_usage_init(&answer->usage);
}

bool ld_content_text(const json_t *content, struct lb_buf *out)
{
    if (json_is_string(content)) {
        lb_buf_add(out, json_string_value(content), json_string_length(content));
        return true;
    }
    bool any = false;
    for (size_t i = 0; i < json_array_size(content); i++) {
        const json_t *part = json_array_get(content, i);
        if (json_is_object(part))
            part = json_object_get(part, "text");
        if (!json_is_string(part))
            continue;
        lb_buf_add(out, json_string_value(part), json_string_length(part));
        any = true;
    }
    return any;
}

struct lb_str ld_reasoning_of(const json_t *message)
{
    struct lb_str text = lj_json_str(message, "reasoning_content");

    return text.p != NULL ? text : lj_json_str(message, "reasoning");
}

struct lb_str ld_finish_of(const json_t *choice)
{
    struct lb_str finish = lj_json_str(choice, "finish_reason");
    bool none = finish.size == 0 || lb_str_eq_c(finish, "null");

    return none ? lb_str(NULL, 0) : finish;
}

/* Is it more than an empty value, or one that holds nothing but such? */
static bool says_something(const json_t *value, int depth)
{
    const char *name;
    json_t *member;

    if (json_is_object(value) || json_is_array(value)) {
        size_t i;
        if (depth == 0)
            return true;
        json_array_foreach(value, i, member)
        {
            if (says_something(member, depth - 1))
                return true;
        }
        json_object_foreach((json_t *)(uintptr_t)value, name, member)
        {
            if (says_something(member, depth - 1))
                return true;
        }
        return false;
    }
    return json_string_length(value) > 0 || json_is_true(value) || json_number_value(value) != 0;
}

/* MiniMax's: a status that is not 0. */
static bool is_refused(const json_t *base)
{
    return json_number_value(json_object_get(base, "status_code")) != 0;
}

/* What it says of itself beside an answer: whether it failed, and in words. */
struct complaint {
    bool accuses, fine; /* by a code or the like */
    bool tells;
};

static void take_code(struct complaint *complaint, const json_t *code)
{
    bool is_number = json_is_number(code);
    bool fine = is_number
                    ? ld_said_fine_number(json_number_value(code))
                    : ld_said_fine_word(lb_str(json_string_value(code), json_string_length(code)));

    if (!is_number && json_string_length(code) == 0)
        return;
    complaint->fine |= fine;
    complaint->accuses |= !fine;
}

static bool has_text(const json_t *root, const char *name)
{
    return lj_json_str(root, name).size > 0;
}

/* As the gateway's reader has it (sniff.h). */
static struct complaint complaint_of(const json_t *root)
{
    const json_t *success = json_object_get(root, "success");
    struct complaint complaint = {.fine = json_is_true(success)};

    take_code(&complaint, json_object_get(root, "error_code"));
    complaint.tells = complaint.accuses || has_text(root, "message") || has_text(root, "msg") ||
                      has_text(root, "detail") || has_text(root, "error_message");
    take_code(&complaint, json_object_get(root, "code"));
    complaint.accuses |= json_is_false(success) || has_text(root, "error_message");
    return complaint;
}

/* A failure's code with its text, where there is no answer. */
static bool is_accusation(const json_t *root)
{
    const struct complaint complaint = complaint_of(root);

    return complaint.accuses && complaint.tells && !has_text(root, "type") &&
           !json_is_object(json_array_get(json_object_get(root, "choices"), 0)) &&
           !json_is_object(json_object_get(root, "usage"));
}

/* What is a whole answer and holds none says it by a text alone, too. */
static bool is_complaint(const json_t *root)
{
    const struct complaint complaint = complaint_of(root);

    return complaint.accuses || (complaint.tells && !complaint.fine);
}

/*
 * The error of an answer, or of its first choice; an object "error" is one itself. NULL: none.
 * *holder: what it stands in.
 */
static const json_t *find_error(const json_t *root, const json_t **holder)
{
    enum { DEPTH = 2 }; /* as the gateway's reader looks (sniff.c) */
    static const char *const NAMES[] = {"error", "errors", "ErrorMsg"};

    *holder = root;
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (says_something(json_object_get(root, NAMES[i]), DEPTH))
            return json_object_get(root, NAMES[i]);
    }
    if (is_refused(json_object_get(root, "base_resp")))
        return json_object_get(root, "base_resp");
    if (lb_str_eq_c(lj_json_str(root, "object"), "error") || is_accusation(root))
        return root;
    *holder = json_array_get(json_object_get(root, "choices"), 0);
    const json_t *error = json_object_get(*holder, "error");
    return says_something(error, DEPTH) ? error : NULL;
}

/* Fills err from an error, and from the words of what it stands in. */
static void tell_error(const struct lb_host *host, const json_t *error, const json_t *holder,
                       struct llmgr_error *err)
{
    llmgr_status status = LLMGR_ERR_UPSTREAM;
    struct lb_buf json, text;

    int64_t code = lj_json_int(error, "code", lj_json_int(error, "status", 0));
    if (code >= 400 && code <= 599)
        status = ld_status_of_http((int)code);
    else if (lb_str_eq(lj_json_str(error, "code"), LB_STR("rate_limit_exceeded")))
        status = LLMGR_ERR_RATE_LIMITED;
    else
        code = 0;
    lb_buf_init(&json, host, 1 << 20);
    lb_buf_init(&text, host, LD_SHOWN_MAX + 16);
    lj_json_write(holder, &json);
    if (json.failed == LLMGR_OK)
        ld_error_text(lb_buf_str(&json), LD_SHOWN_MAX, &text);
    if (code == 403)
        status = ld_status_of_refusal(host, 403, lb_buf_str(&json));
    lb_fail(err, status, N_("the platform reports an error in its answer: %s"),
            text.size > 0 ? lb_buf_c(&text) : "?");
    err->upstream_status = (int)code;
    lb_buf_free(&json);
    lb_buf_free(&text);
}

bool ld_error_of(const struct lb_host *host, const json_t *root, struct llmgr_error *err)
{
    const json_t *holder, *error = find_error(root, &holder);

    if (error != NULL)
        tell_error(host, error, holder, err);
    return error != NULL;
}

/* The string as a C string in the answer's arena, or NULL for an empty slice without p. */
static llmgr_status keep(struct lb_arena *arena, struct lb_str text, const char **kept)
{
    *kept = NULL;
    if (text.p == NULL)
        return LLMGR_OK;
    *kept = lb_arena_str(arena, text).p;
    return *kept != NULL ? LLMGR_OK : LLMGR_ERR_NO_MEMORY;
}

static llmgr_status read_tool_calls(const json_t *list, struct llmgr_answer *answer)
{
    struct lb_arena *arena = ld_answer_arena(answer);
    size_t total = json_array_size(list);
    llmgr_status status = LLMGR_OK;

    if (total > LD_TOOL_CALLS_MAX)
        return LLMGR_ERR_TOO_LARGE;
    if (total == 0)
        return LLMGR_OK;
    answer->tool_calls = lb_arena_calloc(arena, total, sizeof *answer->tool_calls);
    if (answer->tool_calls == NULL)
        return LLMGR_ERR_NO_MEMORY;
    for (size_t i = 0; i < total && status == LLMGR_OK; i++) {
        const json_t *entry = json_array_get(list, i);
        const json_t *function = json_object_get(entry, "function");
        struct llmgr_tool_call *call = &answer->tool_calls[i];
        call->index = lj_json_int(entry, "index", (int64_t)i);
        status = keep(arena, lj_json_str(entry, "id"), &call->id);
        if (status == LLMGR_OK)
            status = keep(arena, lj_json_str(function, "name"), &call->name);
        if (status == LLMGR_OK)
            status = keep(arena, lj_json_str(function, "arguments"), &call->arguments);
    }
    answer->tool_call_count = total;
    return status;
}

static llmgr_status read_message(const struct lb_host *host, const json_t *message,
                                 struct llmgr_answer *answer)
{
    struct lb_arena *arena = ld_answer_arena(answer);
    struct lb_buf content;

    lb_buf_init(&content, host, LD_ANSWER_MAX);
    bool any = ld_content_text(json_object_get(message, "content"), &content);
    llmgr_status status = content.failed;
    if (status == LLMGR_OK && any)
        status = keep(arena, lb_str(lb_buf_c(&content), content.size), &answer->content);
    lb_buf_free(&content);
    if (status == LLMGR_OK)
        status = keep(arena, ld_reasoning_of(message), &answer->reasoning_content);
    if (status == LLMGR_OK)
        status = read_tool_calls(json_object_get(message, "tool_calls"), answer);
    return status;
}

static llmgr_status read_root(const struct lb_host *host, const json_t *root, struct lb_str body,
                              struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct lb_arena *arena = ld_answer_arena(answer);
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);

    if (ld_error_of(host, root, err))
        return err->status;
    if (!json_is_object(choice) && is_complaint(root)) {
        tell_error(host, root, root, err);
        return err->status;
    }
    if (!json_is_object(choice))
        return lb_fail(err, LLMGR_ERR_PROTOCOL,
                       N_("the platform's answer holds no \"choices\"; is its base URL that of an "
                          "OpenAI-compatible service?"));
    llmgr_status status = read_message(host, json_object_get(choice, "message"), answer);
    if (status == LLMGR_OK)
        status = keep(arena, ld_finish_of(choice), &answer->finish_reason);
    if (status == LLMGR_OK)
        status = keep(arena, lj_json_str(root, "model"), &answer->model);
    if (status == LLMGR_OK)
        status = keep(arena, lj_json_str(root, "id"), &answer->id);
    (void)ld_usage_read_answer(&answer->usage, body);
    if (status == LLMGR_ERR_TOO_LARGE)
        return lb_fail(err, LLMGR_ERR_PROTOCOL, N_("the platform's answer holds too much"));
    return status == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status ld_chat_read(const struct lb_host *host, struct lb_str body,
                          struct llmgr_answer *answer, struct llmgr_error *err)
{
    struct llmgr_answer read;
    struct llmgr_error why = {0};
    bool short_of_memory = false;

    if (body.size > LD_ANSWER_MAX)
        return lb_fail(err, LLMGR_ERR_PROTOCOL, N_("the platform's answer is larger than %d bytes"),
                       LD_ANSWER_MAX);
    json_t *root = lj_json_read(body, &short_of_memory);
    if (root == NULL && short_of_memory)
        return lb_fail_memory(err);
    const json_t *first = json_array_get(root, 0); /* Gemini lists its errors */
    if (!json_is_object(root) && !(json_is_object(first) && ld_error_of(host, first, &why))) {
        json_decref(root);
        return lb_fail(err, LLMGR_ERR_PROTOCOL,
                       N_("the platform's answer is not a JSON object; is its base URL that of an "
                          "OpenAI-compatible service?"));
    }
    llmgr_status status = why.status;
    if (status == LLMGR_OK)
        status = ld_answer_init(host, &read, &why);
    if (status == LLMGR_OK) {
        status = read_root(host, root, body, &read, &why);
        if (status == LLMGR_OK && keep(ld_answer_arena(&read), body, &read.json) != LLMGR_OK)
            status = lb_fail_memory(&why);
        if (status == LLMGR_OK)
            *answer = read;
        else
            ld_answer_clear(&read);
    }
    json_decref(root);
    if (status != LLMGR_OK && err != NULL)
        *err = why;
    return status;
}
