/* SPDX-License-Identifier: MIT */
#include "config/placeholder.h"

#include <string.h>

#include "../unit.h"
#include "config/dotenv.h"

static struct lb_host host;

static const char *look_up(const char *name, void *context)
{
    (void)context;
    if (strcmp(name, "KEY") == 0)
        return "sk-123";
    if (strcmp(name, "_h2") == 0)
        return "example.com";
    if (strcmp(name, "SHAPED") == 0)
        return "{OTHER}";
    return strcmp(name, "EMPTY") == 0 ? "" : NULL;
}

static void expect(const char *text, const char *want, const char *names)
{
    struct lb_buf out;
    struct lb_buf wanted;
    bool present = false;

    lb_buf_init_secret(&out, &host, 1000);
    lb_buf_init(&wanted, &host, 1000);
    lb_buf_add_c(&out, "before:");
    assert_int_equal(lc_substitute(lb_cstr(text), look_up, NULL, &out, &present, &wanted, NULL),
                     LLMGR_OK);
    if (present != (want != NULL))
        fail_msg("'%s' is %s", text, present ? "present" : "absent");
    assert_string_equal(lb_buf_c(&out) + 7, want != NULL ? want : "");
    assert_string_equal(lb_buf_c(&wanted), names);
    lb_buf_free(&out);
    lb_buf_free(&wanted);
}

static void variables_are_filled_in(void **state)
{
    (void)state;
    expect("{KEY}", "sk-123", "KEY");
    expect("https://{_h2}/v1", "https://example.com/v1", "_h2");
    expect("{KEY}-{_h2}-{KEY}", "sk-123-example.com-sk-123", "KEY, _h2");
    expect("plain", "plain", "");
    expect("{SHAPED}", "{OTHER}", "SHAPED"); /* not filled in twice */
}

static void one_missing_variable_makes_the_whole_value_absent(void **state)
{
    (void)state;
    expect("{MISSING}", NULL, "MISSING");
    expect("{EMPTY}", NULL, "EMPTY");
    expect("{KEY}{MISSING}", NULL, "KEY, MISSING");
    expect("https://{MISSING}/{KEY}/v1", NULL, "MISSING, KEY");
    expect("", NULL, "");
}

static void other_braces_are_ordinary_text(void **state)
{
    (void)state;
    static const char *const SAME[] = {"{",      "}",          "{}",   "{1A}",
                                       "{A B}",  "{A-B}",      "{KEY", "KEY}",
                                       "{ KEY}", "{\"a\": 1}", "{{",   "{\xe5\x90\x8d}"};

    for (size_t i = 0; i < sizeof SAME / sizeof SAME[0]; i++)
        expect(SAME[i], SAME[i], "");
    expect("{{KEY}}", "{sk-123}", "KEY");
    expect("{{KEY", "{{KEY", "");
    expect("a{b{KEY}c}d", "a{bsk-123c}d", "KEY");
}

static void a_long_name_is_text_and_a_long_value_an_error(void **state)
{
    (void)state;
    char text[LC_PLACEHOLDER_NAME_MAX + 4] = "{";
    struct lb_buf out;
    bool present = true;

    memset(text + 1, 'A', LC_PLACEHOLDER_NAME_MAX + 1);
    text[LC_PLACEHOLDER_NAME_MAX + 2] = '}';
    expect(text, text, "");
    lb_buf_init(&out, &host, 3);
    assert_int_equal(lc_substitute(LB_STR("{KEY}"), look_up, NULL, &out, &present, NULL, NULL),
                     LLMGR_ERR_TOO_LARGE);
    assert_true(present);
    assert_int_equal(out.size, 0);
    lb_buf_free(&out);
    lb_buf_init(&out, &host, 100);
    assert_int_equal(lc_substitute(LB_STR("{KEY}"), NULL, NULL, &out, &present, NULL, NULL),
                     LLMGR_OK);
    assert_false(present);
    lb_buf_free(&out);
}

static void placeholders_are_recognised(void **state)
{
    (void)state;
    assert_true(lc_is_placeholder(LB_STR("{KEY}")));
    assert_true(lc_is_placeholder(LB_STR(" {your key here}\t")));
    assert_true(lc_is_placeholder(LB_STR("{}")));
    assert_false(lc_is_placeholder(LB_STR("{")));
    assert_false(lc_is_placeholder(LB_STR("")));
    assert_false(lc_is_placeholder(LB_STR("sk-{KEY}")));
}

static void the_process_hides_the_file(void **state)
{
    (void)state;
    struct lc_dotenv *dotenv = NULL;
    assert_int_equal(
        lc_dotenv_parse(&host, ".env", LB_STR("KEY=file\nEMPTY=file\nOWN=file\n"), &dotenv, NULL),
        LLMGR_OK);
    struct lc_env env = {look_up, NULL, dotenv};
    assert_string_equal(lc_env_get("KEY", &env), "sk-123");
    assert_string_equal(lc_env_get("EMPTY", &env), "");
    assert_string_equal(lc_env_get("OWN", &env), "file");
    assert_null(lc_env_get("NONE", &env));
    env.get = NULL;
    assert_string_equal(lc_env_get("KEY", &env), "file");
    env.dotenv = NULL;
    assert_null(lc_env_get("KEY", &env));
    lc_dotenv_free(dotenv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_filled_in),
        cmocka_unit_test(one_missing_variable_makes_the_whole_value_absent),
        cmocka_unit_test(other_braces_are_ordinary_text),
        cmocka_unit_test(a_long_name_is_text_and_a_long_value_an_error),
        cmocka_unit_test(placeholders_are_recognised),
        cmocka_unit_test(the_process_hides_the_file),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
