/* SPDX-License-Identifier: MIT */
#include "base/error.h"

#include <string.h>

#include "../unit.h"
#include "base/str.h"

static void every_status_has_a_name_a_text_and_codes(void **state)
{
    (void)state;
#define CHECK(name, number, http, exit_code, text)                                                 \
    assert_string_equal(llmgr_status_name(LLMGR_##name), #name);                                   \
    assert_int_equal(llmgr_status_http(LLMGR_##name), http);                                       \
    assert_int_equal(llmgr_status_exit(LLMGR_##name), exit_code);                                  \
    assert_string_equal(llmgr_status_text(LLMGR_##name), text);
    LLMGR_STATUS_MAP(CHECK)
    assert_string_equal(llmgr_status_name((llmgr_status)9999), "ERR_UNKNOWN");
    assert_int_equal(llmgr_status_exit((llmgr_status)9999), 1);
}

static void a_long_message_is_cut_at_a_character(void **state)
{
    (void)state;
    struct llmgr_error err = {0};
    char text[1000] = "";

    for (int i = 0; i < 300; i++)
        strcat(text, "魔");
    assert_int_equal(lb_fail(&err, LLMGR_ERR_INVALID, "x%s", text), LLMGR_ERR_INVALID);
    assert_int_equal(err.status, LLMGR_ERR_INVALID);
    assert_true(lb_utf8_valid(lb_cstr(err.message)));
    assert_int_equal(strlen(err.message), 511);
    assert_int_equal(lb_fail(NULL, LLMGR_ERR_IO, "x"), LLMGR_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_status_has_a_name_a_text_and_codes),
        cmocka_unit_test(a_long_message_is_cut_at_a_character),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
