/* SPDX-License-Identifier: MIT */
/* What is surely meant otherwise, and what only looks like it. */
#include "config/meant.h"

#include <string.h>

#include "../unit.h"

static void forms_of_other_programs_are_known_by_their_variables(void **state)
{
    static const char *const FORMS[][2] = {
        {"${OPENAI_API_KEY}", "OPENAI_API_KEY"},
        {"  ${OPENAI_API_KEY} ", "OPENAI_API_KEY"},
        {"${OPENAI_API_KEY:-none}", "OPENAI_API_KEY"},
        {"${OPENAI_API_KEY-none}", "OPENAI_API_KEY"},
        {"${env:OPENAI_API_KEY}", "OPENAI_API_KEY"},
        {"https://${HOST}:8080/v1", "HOST"},
        {"Bearer ${key}", "key"},
        {"$OPENAI_API_KEY", "OPENAI_API_KEY"},
        {"https://$HOST/v1", "HOST"},
        {"https://$HOST:8080", "HOST"},
        {"sqlite:$HOME/llmgr.db", "HOME"},
        {"%OPENAI_API_KEY%", "OPENAI_API_KEY"},
        {"os.environ/OPENAI_API_KEY", "OPENAI_API_KEY"},
        {"os.environ['OPENAI_API_KEY']", "OPENAI_API_KEY"},
        {"os.environ.get(\"OPENAI_API_KEY\")", "OPENAI_API_KEY"},
        {"os.getenv('OPENAI_API_KEY', '')", "OPENAI_API_KEY"},
        {"process.env.OPENAI_API_KEY", "OPENAI_API_KEY"},
        {"env:OPENAI_API_KEY", "OPENAI_API_KEY"},
        {"env.OPENAI_API_KEY", "OPENAI_API_KEY"},
        {"{env:OPENAI_API_KEY}", "OPENAI_API_KEY"},
        {"$env:OPENAI_API_KEY", "OPENAI_API_KEY"},
        {"{{ OPENAI_API_KEY }}", "OPENAI_API_KEY"},
        {"{{.Env.OPENAI_API_KEY}}", "OPENAI_API_KEY"},
        {"${{ secrets.OPENAI_API_KEY }}", "OPENAI_API_KEY"},
        {"${}", ""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++) {
        struct lb_str name;
        if (!lc_meant_variable(lb_cstr(FORMS[i][0]), &name))
            fail_msg("%s", FORMS[i][0]);
        if (!lb_str_eq_c(name, FORMS[i][1]))
            fail_msg("%s gives '%.*s'", FORMS[i][0], (int)name.size, name.p);
    }
}

static void what_may_be_a_value_is_one(void **state)
{
    static const char *const VALUES[] = {
        "",
        "{NAME}",
        "https://{HOST}/v1",
        "sk-abc$DEF",
        "pa$$word",
        "$5",
        "$a",
        "$ABC def",
        "a%20b%",
        "%",
        "%A%",
        "environment",
        "os",
        "sk-{x}",
        "https://host/v1?a=$b",
        "http://u:$PASSWORD@proxy",
        "sk-$X",
        "100%",
        "{env}",
        "[::1]:8080",
        "$",
        "{",
        "$(command)",
    };
    (void)state;

    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        struct lb_str name;
        if (lc_meant_variable(lb_cstr(VALUES[i]), &name))
            fail_msg("%s", VALUES[i]);
    }
}

static void our_own_form_is_known_as_a_whole(void **state)
{
    struct lb_str name;
    (void)state;

    assert_true(lc_meant_placeholder(LB_STR(" {NAME_1} "), &name));
    assert_true(lb_str_eq_c(name, "NAME_1"));
    assert_false(lc_meant_placeholder(LB_STR("{}"), &name));
    assert_false(lc_meant_placeholder(LB_STR("{1A}"), &name));
    assert_false(lc_meant_placeholder(LB_STR("a{NAME}"), &name));
    assert_false(lc_meant_placeholder(LB_STR("{A}{B}"), &name));
    assert_false(lc_meant_placeholder(LB_STR("{\"a\": 1}"), &name));
}

static void an_endpoint_is_no_base(void **state)
{
    static const char *const URLS[][2] = {
        {"https://host/v1/chat/completions", "https://host/v1"},
        {"https://host/v1/chat/completions/", "https://host/v1"},
        {"https://host/v1/chat/completions?api-version=1", "https://host/v1"},
        {"https://host/api/paas/v4/chat/completions", "https://host/api/paas/v4"},
        {"https://host/Chat/Completions", "https://host"},
        {"https://{HOST}/chat/completions", "https://{HOST}"},
        {"https://host/v1/messages", "https://host/v1"},
        {"https://host/v1/messages/count_tokens", "https://host/v1"},
        {"https://host/v1/responses", "https://host/v1"},
        {"https://host/v1/embeddings", "https://host/v1"},
        {"https://host/v1/models", "https://host/v1"},
        {"https://host/v1/completions", "https://host/v1"},
        {"https://host/v1/rerank", "https://host/v1"},
        {"https://host/v1", ""},
        {"https://host", ""},
        {"https://host/models", ""},
        {"https://host/proxy/messages", ""},
        {"https://host/openai/deployments/gpt/completions", ""},
        {"https://chat/completions-gateway/v1", ""},
        {"/chat/completions", ""},
        {"", ""},
    };
    (void)state;

    for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++) {
        size_t size = lc_meant_base_url(lb_cstr(URLS[i][0]));
        if (!lb_str_eq_c(lb_str(URLS[i][0], size), URLS[i][1]))
            fail_msg("%s: %zu", URLS[i][0], size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forms_of_other_programs_are_known_by_their_variables),
        cmocka_unit_test(what_may_be_a_value_is_one),
        cmocka_unit_test(our_own_form_is_known_as_a_whole),
        cmocka_unit_test(an_endpoint_is_no_base),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
