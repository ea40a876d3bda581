/* SPDX-License-Identifier: MIT */
/* A key that a platform quotes, in the forms it may take. */
#include "upstream/mask.h"

#include <stdio.h>

#include "../unit.h"

#define KEY "sk-live/A_9z+0123456789"

static void masked(const char *text, const char *expected)
{
    char copy[512];

    snprintf(copy, sizeof copy, "%s", text);
    lu_mask_key(LB_STR(KEY), copy, strlen(copy));
    assert_string_equal(copy, expected);
}

static void the_key_and_its_beginning_are_masked(void **state)
{
    (void)state;
    masked("Incorrect key: " KEY ".", "Incorrect key: ***********************.");
    masked("sk-live/...", "********...");
    masked("sk-liv...", "sk-liv...");
    masked(KEY KEY, "**********************************************");
    masked("sk-live", "sk-live");
    masked("", "");
}

static void escapes_do_not_hide_it(void **state)
{
    (void)state;
    masked("key=sk-live%2FA_9z%2B0123456789&x", "key=***************************&x");
    masked("%73%6b%2d%6C%69%76%65%2f!", "************************!");
    masked("\"sk-live\\/A_9z\\u002b0123456789\"", "\"*****************************\"");
    masked("100% of \\", "100% of \\");
    masked("%", "%");
}

static void hexadecimal_does_not_hide_it(void **state)
{
    (void)state;
    masked("736b2d6c6976652f41!", "******************!");
    masked("736B2D6C6976652F41!", "******************!");
    masked("736b2d6c697665", "736b2d6c697665");
}

static void base64_does_not_hide_it_at_any_alignment(void **state)
{
    static const struct {
        const char *text, *left;
    } CASES[] = {
        {"c2stbGl2ZS9BXzl6KzAxMjM0NTY3ODk=", "="},       /* KEY */
        {"OnNrLWxpdmUvQV85eiswMTIzNDU2Nzg5", "On"},      /* :KEY */
        {"YTpzay1saXZlL0FfOXorMDEyMzQ1Njc4OQ==", "YTp"}, /* a:KEY */
        {"dXM6c2stbGl2ZS9BXzl6KzAxMjM0NTY3ODk", "dXM6"}, /* us:KEY */
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char copy[64];
        snprintf(copy, sizeof copy, "%s", CASES[i].text);
        lu_mask_key(LB_STR(KEY), copy, strlen(copy));
        size_t stars = 0;
        for (const char *c = copy; *c != '\0'; c++)
            stars += *c == '*';
        if (stars < 29)
            fail_msg("%s", copy);
        assert_int_equal(strncmp(copy, CASES[i].left, i == 0 ? 0 : strlen(CASES[i].left)), 0);
    }
}

static void a_short_key_is_masked_whole_only(void **state)
{
    char text[] = "k1 k k1";

    (void)state;
    lu_mask_key(LB_STR("k1"), text, strlen(text));
    assert_string_equal(text, "** k **");
    lu_mask_key(LB_STR(""), text, strlen(text));
    assert_string_equal(text, "** k **");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_and_its_beginning_are_masked),
        cmocka_unit_test(escapes_do_not_hide_it),
        cmocka_unit_test(hexadecimal_does_not_hide_it),
        cmocka_unit_test(base64_does_not_hide_it_at_any_alignment),
        cmocka_unit_test(a_short_key_is_masked_whole_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
