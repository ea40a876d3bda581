/* SPDX-License-Identifier: MIT */
/*
 * What a platform keeps for one request, and hands out by its id: stored responses with their
 * items, stored chats with their messages. Nothing is really kept: any id is there that is made
 * like one of ours ("resp_mock", "chatcmpl-mock"); all others are 404, as at a platform.
 */
#include "mock.h"

#include "json/write.h"

static const struct place {
    const char *root;
    const char *prefix; /* of its ids */
    const char *list;   /* below an id: what it consists of */
    const char *object;
} PLACES[] = {
    {"/responses/", "resp_mock", "/input_items", "response"},
    {"/chat/completions/", "chatcmpl-mock", "/messages", "chat.completion"},
};

static void write_id(struct lb_buf *out, const char *name, struct lb_str id)
{
    lb_buf_addf(out, "\"%s\":", name);
    lj_json_write_str(id, out);
}

static void answer_one(const struct mock_request *request, const struct place *place,
                       struct lb_str id, struct lb_buf *out)
{
    lb_buf_add_byte(out, '{');
    write_id(out, "id", id);
    if (request->head->method == LH_METHOD_DELETE) {
        lb_buf_addf(out, ",\"object\":\"%s.deleted\",\"deleted\":true}", place->object);
        return;
    }
    lb_buf_addf(
        out, ",\"object\":\"%s\",\"created_at\":1700000000,\"metadata\":{\"id\":", place->object);
    lj_json_write_str(id, out);
    lb_buf_add_c(out, "},\"previous_response_id\":null,\"output\":[{\"id\":\"msg_mock_1\",\"type\":"
                      "\"message\",\"role\":\"assistant\",\"content\":[]}]}");
}

static void answer_list(struct lb_str id, struct lb_buf *out)
{
    char item[300];

    lb_buf_add_c(out, "{\"object\":\"list\",\"data\":[");
    for (int i = 0; i < 6; i++) {
        snprintf(item, sizeof item, "%.*s-%d", (int)(id.size < 200 ? id.size : 200), id.p, i);
        lb_buf_add_c(out, i > 0 ? ",{" : "{");
        write_id(out, "id", lb_cstr(item));
        lb_buf_add_c(out, ",\"role\":\"user\",\"content\":\"kept\"}");
    }
    lb_buf_add_c(out, "],");
    snprintf(item, sizeof item, "%.*s-0", (int)(id.size < 200 ? id.size : 200), id.p);
    write_id(out, "first_id", lb_cstr(item));
    lb_buf_add_byte(out, ',');
    snprintf(item, sizeof item, "%.*s-5", (int)(id.size < 200 ? id.size : 200), id.p);
    write_id(out, "last_id", lb_cstr(item));
    lb_buf_add_c(out, ",\"has_more\":false}");
}

static void answer_unknown(struct lb_str id, struct mock_answer *answer)
{
    struct lb_buf text;

    lb_buf_init(&text, answer->body.host, 8192);
    lb_buf_addf(&text, "mock: '%.*s' is not kept here", (int)id.size, id.p);
    answer->status = 404;
    lb_buf_add_c(&answer->body, "{\"error\":{\"message\":");
    lj_json_write_str(lb_buf_str(&text), &answer->body);
    lb_buf_add_c(&answer->body,
                 ",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}");
    lb_buf_free(&text);
}

/* What is made by a POST to the collection; always the same one. */
static bool answer_made(const struct mock_request *request, struct mock_answer *answer)
{
    static const char *const MADE[][2] = {
        {"/conversations", "conv_mock_1"}, {"/files", "file-mock_1"},
        {"/batches", "batch_mock_1"},      {"/vector_stores", "vs_mock_1"},
        {"/containers", "cntr_mock_1"},    {"/fine_tuning/jobs", "ftjob-mock_1"},
    };

    for (size_t i = 0; i < sizeof MADE / sizeof MADE[0]; i++) {
        if (request->head->method != LH_METHOD_POST ||
            !lb_str_ends(request->head->path, lb_cstr(MADE[i][0])) ||
            memmem(request->head->path.p, request->head->path.size, "_mock_1/", 8) != NULL)
            continue;
        lb_buf_add_byte(&answer->body, '{');
        write_id(&answer->body, "id", lb_cstr(MADE[i][1]));
        lb_buf_add_byte(&answer->body, '}');
        return true;
    }
    return false;
}

/* Any conversation is kept, with its items. */
static bool answer_items(const struct mock_request *request, struct mock_answer *answer)
{
    const struct lb_str path = request->head->path;
    const char *at = memmem(path.p, path.size, "/items", 6);
    struct lb_str item;

    if (memmem(path.p, path.size, "/conversations/", 15) == NULL || at == NULL)
        return false;
    item = lb_str_sub(path, (size_t)(at - path.p) + 7, path.size);
    if (item.size == 0) {
        answer_list(LB_STR("msg_mock"), &answer->body);
    } else if (request->head->method == LH_METHOD_DELETE) {
        lb_buf_add_c(&answer->body, "{\"id\":\"conv_mock_1\",\"object\":\"conversation\"}");
    } else {
        lb_buf_add_byte(&answer->body, '{');
        write_id(&answer->body, "id", item);
        lb_buf_add_c(&answer->body, ",\"type\":\"message\"}");
    }
    return true;
}

/* What follows `root` in the path, wherever that stands; p NULL: it does not. */
static struct lb_str below(struct lb_str path, const char *root)
{
    const char *at = memmem(path.p, path.size, root, strlen(root));

    return at != NULL ? lb_str_sub(path, (size_t)(at - path.p) + strlen(root), path.size)
                      : lb_str(NULL, 0);
}

bool mock_kept(const struct mock_request *request, struct mock_answer *answer)
{
    if (answer_made(request, answer) || answer_items(request, answer))
        return true;
    for (size_t i = 0; i < sizeof PLACES / sizeof PLACES[0]; i++) {
        struct lb_str rest = below(request->head->path, PLACES[i].root);
        struct lb_str id = lb_str_sub(rest, 0, lb_str_find(rest, '/'));
        struct lb_str tail = lb_str_sub(rest, id.size, rest.size);
        if (rest.size == 0 || lb_str_eq_c(rest, "input_tokens") || lb_str_eq_c(rest, "compact"))
            continue;
        if (lb_str_starts(id, lb_cstr(PLACES[i].prefix)) && memchr(id.p, '.', id.size) == NULL) {
            if (lb_str_eq_c(tail, PLACES[i].list))
                answer_list(id, &answer->body);
            else
                answer_one(request, &PLACES[i], id, &answer->body);
        } else {
            answer_unknown(id, answer);
        }
        return true;
    }
    return false;
}
