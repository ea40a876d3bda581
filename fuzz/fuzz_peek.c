/* SPDX-License-Identifier: MIT */
/*
 * A request's body against jansson: what peek accepts and finds is what another parser accepts and
 * finds, and what it refuses as malformed no parser takes.
 */
#include "check.h"
#include "dialect/peek.h"
#include "json/write.h"

/* Does jansson refuse more than RFC 8259's grammar here: bytes, surrogates, NULs, magnitudes? */
static bool is_beyond_grammar(struct lb_str body, const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    return code == json_error_numeric_overflow || code == json_error_invalid_utf8 ||
           code == json_error_null_byte_in_key || !lb_utf8_valid(body) ||
           memmem(body.p, body.size, "\\ud", 3) != NULL ||
           memmem(body.p, body.size, "\\uD", 3) != NULL;
}

static bool is_true(const json_t *object, const char *name)
{
    return json_is_true(json_object_get(object, name));
}

static int64_t limit_of(const json_t *root)
{
    static const char *const NAMES[] = {"max_completion_tokens", "max_output_tokens", "max_tokens"};

    for (size_t i = 0; i < 3; i++) {
        const json_t *value = json_object_get(root, NAMES[i]);
        if (json_is_integer(value) && json_integer_value(value) >= 0)
            return json_integer_value(value);
    }
    return -1;
}

static void compare(const struct ld_peek *peek, struct lb_str body, const json_t *root)
{
    const json_t *options = json_object_get(root, "stream_options");
    struct lb_str model = lj_json_str(root, "model");

    FUZZ_CHECK(lb_str_eq(peek->model, model));
    FUZZ_CHECK(peek->stream == is_true(root, "stream"));
    FUZZ_CHECK(peek->include_usage == is_true(options, "include_usage"));
    FUZZ_CHECK(peek->options_object == json_is_object(options));
    FUZZ_CHECK(peek->max_tokens == limit_of(root));
    FUZZ_CHECK(peek->empty == (json_object_size(root) == 0));
    FUZZ_CHECK(body.p[peek->open] == '{' && body.p[peek->close] == '}');
    FUZZ_CHECK((peek->model_at.size > 0) == (json_object_get(root, "model") != NULL));
    FUZZ_CHECK((peek->options_at.size > 0) == (options != NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct lb_arena arena;
    struct ld_peek peek;
    struct llmgr_error err = {0};
    json_error_t why;

    /* A block of its own: a read beyond the end is seen. */
    char *text = malloc(size + (size == 0));
    FUZZ_CHECK(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    struct lb_str body = {text, size};
    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 1 << 20);
    llmgr_status status = ld_peek(body, &arena, &peek, &err);
    json_t *root = json_loadb(text, size, JSON_ALLOW_NUL, &why);
    if (status == LLMGR_OK && root != NULL)
        compare(&peek, body, root);
    else if (status == LLMGR_OK)
        FUZZ_CHECK(is_beyond_grammar(body, &why));
    else if (json_is_object(root) && memchr(text, 0, size) == NULL) /* jansson passes some NULs */
        FUZZ_CHECK(strstr(err.message, "not a JSON object") == NULL ||
                   strstr(err.message, "too deeply") != NULL);
    json_decref(root);
    lb_arena_free(&arena);
    free(text);
    return 0;
}
