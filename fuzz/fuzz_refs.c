/* SPDX-License-Identifier: MIT */
/*
 * What a body names against jansson's tree: each file_id and each member of file_ids that another
 * parser finds outside of what is the caller's own data is told, and where one is told the quick
 * look said so.
 */
#include "check.h"
#include "dialect/refs.h"
#include "json/write.h"

static bool is_told(struct lb_str text, struct lb_str id)
{
    struct ld_refs refs;
    struct ld_ref ref;

    ld_refs_start(&refs, text);
    while (ld_refs_next(&refs, &ref)) {
        if (ref.kind == LD_REF_FILE && (ref.id.p == NULL || lb_str_eq(ref.id, id)))
            return true;
    }
    return false;
}

static void check_value(struct lb_str text, const json_t *value)
{
    const json_t *inner;
    size_t i;

    if (json_is_string(value) && json_string_length(value) > 0)
        FUZZ_CHECK(is_told(text, lb_str(json_string_value(value), json_string_length(value))));
    json_array_foreach(value, i, inner) check_value(text, inner);
}

/* `input` is left out altogether: where it is the caller's own depends on where it stands. */
static void check_all(struct lb_str text, json_t *value)
{
    const char *name;
    json_t *inner;
    size_t i;

    json_object_foreach(value, name, inner)
    {
        if (strcmp(name, "file_id") == 0 || strcmp(name, "file_ids") == 0)
            check_value(text, inner);
        if (strcmp(name, "metadata") != 0 && strcmp(name, "input") != 0)
            check_all(text, inner);
    }
    json_array_foreach(value, i, inner) check_all(text, inner);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct lb_arena arena;
    struct ld_peek peek;
    struct ld_refs refs;
    struct ld_ref ref;

    char *copy = malloc(size + (size == 0)); /* a block of its own: a read beyond it is seen */
    FUZZ_CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    struct lb_str text = {copy, size};
    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 1 << 20);
    llmgr_status status = ld_peek(text, &arena, &peek, NULL);
    ld_refs_start(&refs, text);
    while (ld_refs_next(&refs, &ref)) {
        FUZZ_CHECK(ref.at.size > 0 && ref.at.at + ref.at.size <= size);
        FUZZ_CHECK(ref.id.p == NULL || ref.id.size <= LD_REF_ID_MAX);
        if (status == LLMGR_OK && ref.at.at != peek.model_at.at + 1)
            FUZZ_CHECK(peek.refs || (ref.kind == LD_REF_ITEM && peek.ids));
    }
    FUZZ_CHECK(refs.why == NULL || status != LLMGR_OK);
    json_t *root = status == LLMGR_OK ? json_loadb(copy, size, JSON_ALLOW_NUL, NULL) : NULL;
    if (root != NULL)
        check_all(text, root);
    json_decref(root);
    lb_arena_free(&arena);
    free(copy);
    return 0;
}
