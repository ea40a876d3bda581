/* SPDX-License-Identifier: MIT */
/*
 * A spliced body against the same edit of a jansson tree. Input: a byte of flags, the body, 0xff,
 * the extra_body, 0xff, the model's name. The rest of a form's input is a multipart body.
 */
#include "check.h"
#include "dialect/form.h"
#include "json/write.h"

struct input {
    struct ld_edit edit;
    struct lb_str body;
};

static struct lb_str next_field(struct lb_str *rest)
{
    size_t end = lb_str_find(*rest, '\xff');
    struct lb_str field = lb_str_sub(*rest, 0, end);

    *rest = lb_str_sub(*rest, end + 1, rest->size);
    return field;
}

static json_t *parse(struct lb_str text)
{
    return json_loadb(text.p != NULL ? text.p : "", text.size,
                      JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
}

static bool is_protected(const char *name)
{
    return strcasecmp(name, "model") == 0 || strcasecmp(name, "stream") == 0 ||
           strcasecmp(name, "messages") == 0 || strcasecmp(name, "input") == 0 ||
           strcasecmp(name, "prompt") == 0;
}

/* The same edit, on a tree. */
static void edit_tree(json_t *root, json_t *extra, const struct ld_edit *edit, bool stream)
{
    const char *name;
    json_t *value;

    json_object_foreach(extra, name, value)
    {
        if (!is_protected(name) && strcasecmp(name, "stream_options") != 0)
            json_object_set(root, name, value);
    }
    value = json_object_get(extra, "stream_options");
    if (edit->drop_stream_options) {
        json_object_del(root, "stream_options");
    } else if (value != NULL && (stream || edit->ask_usage)) {
        json_object_set_new(root, "stream_options", json_deep_copy(value));
    }
    if (edit->ask_usage && !edit->drop_stream_options) {
        json_t *options = json_object_get(root, "stream_options");
        if (!json_is_object(options)) {
            json_object_set_new(root, "stream_options", json_object());
            options = json_object_get(root, "stream_options");
        }
        json_object_set_new(options, "include_usage", json_true());
    }
    if (edit->model.size > 0)
        json_object_set_new(root, "model", json_stringn(edit->model.p, edit->model.size));
}

static char *concat(const struct ld_slices *out)
{
    char *text = malloc((size_t)out->size + 1);
    size_t at = 0;

    FUZZ_CHECK(text != NULL && out->count <= LD_SLICES_MAX);
    for (size_t i = 0; i < out->count; i++) {
        memcpy(text + at, out->slice[i].p, out->slice[i].size);
        at += out->slice[i].size;
    }
    FUZZ_CHECK(at == out->size);
    return text;
}

static void check_json(const struct input *in, struct lb_arena *arena)
{
    struct ld_peek peek, again;
    struct ld_slices out;

    if (ld_peek(in->body, arena, &peek, NULL) != LLMGR_OK ||
        ld_splice(in->body, &peek, &in->edit, arena, &out, NULL) != LLMGR_OK)
        return;
    char *text = concat(&out);
    struct lb_str result = {text, (size_t)out.size};
    json_t *root = parse(in->body);
    json_t *extra = parse(in->edit.extra_body);
    if (root != NULL && (extra != NULL || in->edit.extra_body.size == 0)) {
        edit_tree(root, extra, &in->edit, peek.stream);
        json_t *got = parse(result);
        FUZZ_CHECK(got != NULL && json_equal(got, root));
        json_decref(got);
        FUZZ_CHECK(in->edit.extra_body.size > 0 || /* which may break a rule of its own */
                   ld_peek(result, arena, &again, NULL) == LLMGR_OK ||
                   json_object_size(root) > LD_MEMBERS_MAX);
    }
    json_decref(root);
    json_decref(extra);
    free(text);
}

static void check_form(const struct input *in, struct lb_arena *arena)
{
    static const struct lb_str TYPE = {"multipart/form-data; boundary=\"b-1\"", 35};
    struct ld_form form, again;
    struct ld_slices out;

    if (ld_form_peek(in->body, TYPE, &form, NULL) != LLMGR_OK ||
        ld_form_splice(in->body, &form, in->edit.model, arena, &out, NULL) != LLMGR_OK)
        return;
    char *text = concat(&out);
    struct lb_str result = {text, (size_t)out.size};
    llmgr_status status = ld_form_peek(result, TYPE, &again, NULL);
    bool clash = memmem(in->edit.model.p, in->edit.model.size, "--b-1", 5) != NULL;
    FUZZ_CHECK(clash || status == LLMGR_OK || form.model.p == NULL);
    if (status == LLMGR_OK) {
        FUZZ_CHECK(lb_str_eq(again.model, in->edit.model));
        FUZZ_CHECK(again.stream == form.stream);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct lb_arena arena;
    struct input in = {0};

    if (size == 0)
        return 0;
    struct lb_str rest = {(const char *)data + 1, size - 1};
    in.body = next_field(&rest);
    in.edit.extra_body = next_field(&rest);
    if (lb_utf8_name(rest, LD_MODEL_NAME_MAX))
        in.edit.model = rest;
    in.edit.ask_usage = (data[0] & 1) != 0;
    in.edit.drop_stream_options = (data[0] & 2) != 0;
    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 16 << 20);
    if ((data[0] & 4) != 0)
        check_form(&in, &arena);
    else
        check_json(&in, &arena);
    lb_arena_free(&arena);
    return 0;
}
