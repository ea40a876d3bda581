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

static void the_shapes_that_platforms_use_are_read(void **state)
{
    /* Each lists "m/1" and "m-2". */
    static const char *const BODIES[] = {
        "{\"object\":\"list\",\"data\":[{\"id\":\"m/1\"},{\"id\":\"m-2\"}]}",
        /* Together, GitHub's catalogue: the list alone, a name for people beside the id */
        "[{\"id\":\"m/1\",\"name\":\"One\"},{\"id\":\"m-2\",\"name\":\"Two\"}]",
        "\xef\xbb\xbf [ {\"id\":\"m/1\"}, {\"id\":\"m-2\"} ]\n",
        /* Cohere, Google */
        "{\"models\":[{\"name\":\"m/1\",\"endpoints\":[]},{\"name\":\"m-2\"}],\"next\":null}",
        /* Ollama: a name for people, and the model */
        "{\"models\":[{\"name\":\"One\",\"model\":\"m/1\"},{\"model\":\"m-2\"}]}",
        /* xAI */
        "{\"models\":[{\"id\":\"m/1\",\"version\":\"1\"},{\"id\":\"m-2\"}]}",
        /* Cloudflare: an id of the row, and the model's name */
        "{\"success\":true,\"result\":[{\"id\":\"429b\",\"name\":\"m/1\"},"
        "{\"id\":\"5a1c\",\"name\":\"m-2\"}],\"result_info\":{}}",
        /* DeepInfra, watsonx, Bedrock */
        "[{\"model_name\":\"m/1\",\"type\":\"text\"},{\"model_name\":\"m-2\"}]",
        "{\"resources\":[{\"model_id\":\"m/1\"},{\"model_id\":\"m-2\"}],\"limit\":2}",
        "{\"modelSummaries\":[{\"modelId\":\"m/1\",\"modelName\":\"One\"},"
        "{\"modelId\":\"m-2\"}]}",
        /* names alone */
        "[\"m/1\",\"m-2\"]",
        "{\"data\":[\"m/1\",\"m-2\"]}",
        "{\"models\":[\"m/1\",\"m-2\"]}",
        "{\"model_names\":[\"m/1\",\"m-2\"]}",
        /* wrapped once more */
        "{\"code\":0,\"data\":{\"data\":[{\"id\":\"m/1\"},{\"id\":\"m-2\"}]}}",
        "{\"output\":{\"total\":2,\"models\":[{\"model\":\"m/1\",\"name\":\"One\"},"
        "{\"model\":\"m-2\"}]}}",
        /* beside a list of something else */
        "{\"data\":[{\"id\":\"m/1\"},{\"id\":\"m-2\"}],\"models\":[\"x\"],\"errors\":[]}",
    };
    (void)state;

    for (size_t i = 0; i < sizeof BODIES / sizeof BODIES[0]; i++) {
        struct llmgr_probe probe = {0};
        struct llmgr_error err = {0};
        if (ld_models_read(&host, lb_cstr(BODIES[i]), &probe, &err) != LLMGR_OK)
            fail_msg("%s: %s", BODIES[i], err.message);
        if (probe.count != 2 || strcmp(probe.models[0].id, "m/1") != 0 ||
            strcmp(probe.models[1].id, "m-2") != 0)
            fail_msg("%s: %zu", BODIES[i], probe.count);
        assert_int_equal(probe.models[0].raw[0], '{'); /* also of a name alone */
        ld_probe_clear(&probe);
    }
}

static void an_entry_that_is_a_name_alone_is_an_object_too(void **state)
{
    struct llmgr_probe probe = {0};
    (void)state;

    assert_int_equal(ld_models_read(&host, LB_STR("[\"a\\\"b\"]"), &probe, NULL), LLMGR_OK);
    assert_string_equal(probe.models[0].id, "a\"b");
    assert_string_equal(probe.models[0].raw, "{\"id\":\"a\\\"b\"}");
    ld_probe_clear(&probe);
    assert_int_equal(ld_models_read(&host, LB_STR("[]"), &probe, NULL), LLMGR_OK);
    assert_int_equal(probe.count, 0);
    ld_probe_clear(&probe);
}

static void what_is_no_list_is_said_to_be_none(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",
                                        "<html>",
                                        "{}",
                                        "[1]",
                                        "{\"data\":null}",
                                        "{\"data\":{\"id\":\"a\"}}",
                                        "null",
                                        "{\"data\":\"a\"}",
                                        "{\"object\":\"list\"}",
                                        "[[\"a\"]]",
                                        "[{\"x\":\"a\"}]",
                                        "{\"models\":[1]}",
                                        "{\"error\":{\"message\":\"no\"}}",
                                        "{\"detail\":[{\"name\":\"loc\"}]}",
                                        "{\"errors\":[\"no\"]}",
                                        "\"a\"",
                                        "{\"data\":{\"data\":{\"data\":[\"a\"]}}}"};

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
        cmocka_unit_test(the_shapes_that_platforms_use_are_read),
        cmocka_unit_test(an_entry_that_is_a_name_alone_is_an_object_too),
        cmocka_unit_test(what_is_no_list_is_said_to_be_none),
        cmocka_unit_test(a_list_beyond_its_bounds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
