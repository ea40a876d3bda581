/* SPDX-License-Identifier: MIT */
/* The rows of schemas.def agree with each other and with llmgr.h. */
#include <string.h>

#include "../unit.h"
#include "documents/write.h"

static void members_stand_behind_their_schema_once_each(void **state)
{
    (void)state;

    for (int id = 1; id < LX_SCHEMA_COUNT; id++) {
        const struct lx_schema schema = lx_schema((enum lx_schema_id)id);
        assert_true(schema.count > 0);
        for (size_t i = 0; i < schema.count; i++) {
            if (schema.members[i].owner != (enum lx_schema_id)id)
                fail_msg("%s stands behind %s", schema.members[i].name, schema.name);
            for (size_t k = 0; k < i; k++)
                assert_string_not_equal(schema.members[k].name, schema.members[i].name);
        }
    }
    assert_int_equal(lx_schema(LX_SCHEMA_NONE).count, 0);
    assert_int_equal(lx_schema(LX_SCHEMA_COUNT).count, 0);
}

static void names_of_schemas_and_of_their_choices_differ(void **state)
{
    (void)state;

    for (int id = 1; id < LX_SCHEMA_COUNT; id++) {
        const struct lx_schema schema = lx_schema((enum lx_schema_id)id);
        for (int k = 1; k < id; k++)
            assert_string_not_equal(lx_schema((enum lx_schema_id)k).name, schema.name);
        for (size_t i = 0; i < schema.count; i++) {
            bool chosen = schema.members[i].type == LX_TYPE_CHOICE ||
                          schema.members[i].type == LX_TYPE_CHOICE_OR_NULL ||
                          schema.members[i].type == LX_TYPE_KIND ||
                          schema.members[i].type == LX_TYPE_RATES;
            assert_true(chosen == (schema.members[i].choices != NULL));
        }
    }
}

static void a_document_lies_within_its_structure(void **state)
{
    (void)state;

    for (int id = 1; id < LX_SCHEMA_COUNT; id++) {
        const struct lx_schema schema = lx_schema((enum lx_schema_id)id);
        for (size_t i = 0; i < schema.count && schema.size != 0; i++) {
            assert_true(schema.members[i].place < schema.size);
            assert_true(schema.members[i].required);
            for (size_t k = 0; k < i; k++)
                assert_true(schema.members[k].place != schema.members[i].place);
        }
    }
}

/* A KIND is looked up by its number, so the maps must count from 0 without a gap. */
static void the_choices_of_llmgr_h_stand_at_their_numbers(void **state)
{
    size_t size;
    (void)state;

#define ROW(NAME, number, text)                                                                    \
    assert_memory_equal(lx_choice(names, number, &size), text, sizeof text - 1);                   \
    assert_int_equal(size, sizeof text - 1);                                                       \
    count++;
#define EACH(MAP)                                                                                  \
    {                                                                                              \
        const char *names = LB_NAMES(MAP);                                                         \
        unsigned count = 0;                                                                        \
        MAP(ROW)                                                                                   \
        assert_null(lx_choice(names, count, &size));                                               \
    }
    EACH(LLMGR_TOKEN_KIND_MAP)
    EACH(LLMGR_MODE_MAP)
    EACH(LLMGR_SYNC_MAP)
    EACH(LLMGR_CHANGE_MAP)
    EACH(LLMGR_USAGE_BY_MAP)
    EACH(LLMGR_PICK_MAP)
    EACH(LLMGR_STICKY_MAP)
    EACH(LLMGR_EXHAUSTED_MAP)
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_stand_behind_their_schema_once_each),
        cmocka_unit_test(names_of_schemas_and_of_their_choices_differ),
        cmocka_unit_test(a_document_lies_within_its_structure),
        cmocka_unit_test(the_choices_of_llmgr_h_stand_at_their_numbers),
    };

    return cmocka_run_group_tests_name("documents/schema", tests, NULL, NULL);
}
