/* SPDX-License-Identifier: MIT */
#include "dialect/models.h"

#include "../unit.h"
#include "base/buf.h"

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

static void a_list_beyond_its_bounds_is_refused(void **state)
{
    (void)state;
    struct llmgr_probe probe = {0};
    struct llmgr_error err = {0};
    struct lb_buf body;

    lb_buf_init(&body, &host, LD_MODELS_BODY_MAX + 64);
    lb_buf_add_c(&body, "{\"data\":[0");
    for (int i = 0; i < LD_MODELS_MAX; i++)
        lb_buf_add_c(&body, ",0");
    lb_buf_add_c(&body, "]}");
    assert_int_equal(ld_models_read(&host, lb_buf_str(&body), &probe, &err), LLMGR_ERR_PROTOCOL);
    assert_non_null(strstr(err.message, "100000 entries"));
    while (body.size <= LD_MODELS_BODY_MAX)
        lb_buf_add_byte(&body, ' ');
    assert_int_equal(ld_models_read(&host, lb_buf_str(&body), &probe, &err), LLMGR_ERR_PROTOCOL);
    assert_non_null(strstr(err.message, "bytes"));
    assert_null(probe.memory);
    lb_buf_free(&body);
}

int main(void)
{
    lb_host_init(&host);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_with_an_id_are_listed_and_others_skipped),
        cmocka_unit_test(what_is_no_list_is_said_to_be_none),
        cmocka_unit_test(a_list_beyond_its_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
