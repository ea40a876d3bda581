/* SPDX-License-Identifier: MIT */
/*
 * A management request: the first byte chooses the schema, a line is the query, the rest the body.
 * What is accepted has only members of its schema, and values that a handler can use unchecked.
 */
#include <stdlib.h>

#include "base/when.h"
#include "check.h"
#include "documents/read.h"
#include "management/schema.h"

static void check_body(enum lx_schema_id id, struct lb_str text)
{
    const struct lx_schema schema = lx_schema(id);
    json_t *body = NULL;
    size_t known = 0;

    if (lx_schema_read(id, text, &body, NULL) != LLMGR_OK)
        return;
    for (size_t i = 0; i < schema.count; i++) {
        const json_t *value = json_object_get(body, schema.members[i].name);
        known += value != NULL;
        FUZZ_CHECK(value != NULL || !schema.members[i].required);
        if (json_is_string(value))
            FUZZ_CHECK(lb_utf8_valid(lb_cstr(json_string_value(value))));
    }
    FUZZ_CHECK(known == json_object_size(body));
    lx_schema_wipe(id, body);
    json_decref(body);
}

static void check_query(const struct lb_host *host, struct lb_str query)
{
    struct lb_str values[LP_QUERY_COUNT] = {{0}};
    struct lb_arena arena;
    int64_t ms;

    lb_arena_init(&arena, host, NULL, 0, 1 << 20);
    if (lp_queries_read(query, UINT32_MAX, &arena, values, NULL) == LLMGR_OK) {
        for (size_t i = 0; i < LP_QUERY_COUNT; i++)
            FUZZ_CHECK(values[i].p == NULL || (values[i].size > 0 && lb_utf8_valid(values[i])));
    }
    if (lb_when_parse(query, INT64_C(1767225600000), &ms))
        FUZZ_CHECK(ms >= 0);
    lb_arena_free(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_str text = lb_str((const char *)data, size);
    struct lb_host host;

    if (size == 0)
        return 0;
    lb_host_init(&host);
    size_t line = lb_str_find(text, '\n');
    check_query(&host, lb_str_sub(text, 1, line));
    check_body((enum lx_schema_id)(1 + data[0] % (LX_SCHEMA_COUNT - 1)),
               lb_str_sub(text, line + 1, size));
    return 0;
}
