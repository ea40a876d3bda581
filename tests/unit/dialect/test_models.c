/* SPDX-License-Identifier: MIT */
#include "dialect/models.h"

#include "../unit.h"

static struct lb_host host;

static void entries_with_an_id_are_listed_and_others_skipped(void **state)
{
    (void)state;
    struct llmgr_probe probe = {0};
    struct llmgr_error err = {0};

    assert_int_equal(
        ld_models_read(&host,
                       LB_STR("{\"data\":[{\"id\":\"a/b:1\",\"x\":1},{\"name\":\"n\"},7,{\"id\":7},"
                              "{\"id\":\"\"},{\"id\":\"z\\u0000\"},{\"id\":\"\\u4f60\"}]}"),
                       &probe, &err),
        LLMGR_OK);
    assert_int_equal(probe.count, 2);
    assert_string_equal(probe.models[0].id, "a/b:1");
    assert_string_equal(probe.models[0].raw, "{\"id\":\"a/b:1\",\"x\":1}");
    assert_string_equal(probe.models[1].id, "\xe4\xbd\xa0");
    ld_probe_clear(&probe);
    ld_probe_clear(&probe);
    assert_int_equal(ld_models_read(&host, LB_STR("{\"data\":[]}"), &probe, &err), LLMGR_OK);
    assert_int_equal(probe.count, 0);
    ld_probe_clear(&probe);
}

static void what_is_no_list_is_said_to_be_none(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",     "<html>",           "{}",
                                        "[1]",  "{\"data\":null}",  "{\"data\":{\"id\":\"a\"}}",
                                        "null", "{\"data\":\"a\"}", "{\"object\":\"list\"}"};

    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct llmgr_probe probe = {0};
        struct llmgr_error err = {0};
        assert_int_equal(ld_models_read(&host, lb_cstr(TEXTS[i]), &probe, &err), LLMGR_ERR_NO_LIST);
        assert_null(probe.memory);
    }
}

int main(void)
{
    lb_host_init(&host);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_with_an_id_are_listed_and_others_skipped),
        cmocka_unit_test(what_is_no_list_is_said_to_be_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
