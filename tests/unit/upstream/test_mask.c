/* SPDX-License-Identifier: MIT */
/* A key that a platform quotes, in the forms it may take. */
#include "upstream/mask.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"

static struct lb_host host;

#define KEY "sk-live/A_9z+0123456789"

static void masked(const char *text, const char *expected)
{
    char copy[512];

    snprintf(copy, sizeof copy, "%s", text);
    lu_mask_key(&host, LB_STR(KEY), copy, strlen(copy));
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
        lu_mask_key(&host, LB_STR(KEY), copy, strlen(copy));
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
    lu_mask_key(&host, LB_STR("k1"), text, strlen(text));
    assert_string_equal(text, "** k **");
    lu_mask_key(&host, LB_STR(""), text, strlen(text));
    assert_string_equal(text, "** k **");
}

static void stars(const char *text, size_t at_most)
{
    char copy[1024];
    size_t left = 0;

    snprintf(copy, sizeof copy, "%s", text);
    lu_mask_key(&host, LB_STR(KEY), copy, strlen(copy));
    for (const char *c = copy; *c != '\0'; c++)
        left += (*c >= '0' && *c <= '8') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
    if (left > at_most)
        fail_msg("%s", copy);
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
/* Writes each byte of the key by `format`. */
static const char *each(const char *format, char *out, size_t room)
{
    size_t size = 0;

    for (const char *c = KEY; *c != '\0'; c++)
        size += (size_t)snprintf(out + size, room - size, format, (unsigned char)*c);
    return out;
}
#pragma GCC diagnostic pop

static void layers_of_escapes_do_not_hide_it(void **state)
{
    static const char *const FORMATS[] = {
        "\\u%04x", "\\\\u%04X", "\\\\\\\\u%04x", "\\x%02x",    "\\U%08x",   "\\u{%x}",
        "\\%03o",  "%%%02x",    "%%25%02X",      "%%2525%02x", "%%u%04x",   "&#%d;",
        "&#%d",    "&#x%x;",    "&amp;#%d;",     "&#37;%02x",  "%%5Cu%04x", "\\u0025%02x",
    };
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++)
        stars(each(FORMATS[i], text, sizeof text), 0);
    stars(each("\\u%04x\\u0000", text, sizeof text), 5); /* the last zero is none of its */
    stars("SK-LIVE/a_9Z+0123456789", 0);
    stars("sk-live/A&lowbar;9z&plus;0123456789", 0);
    stars("sk&hyphen;live&sol;A_9z&#43;0123456789", 0);
}

static void numbers_do_not_hide_it_whatever_stands_between(void **state)
{
    static const char *const FORMATS[] = {"%02x ",    "%02X:",   "%02x-",  "0x%02x, ",
                                          "'%02x', ", "\\x%02x", "%02x\n", "%02x%%20"};
    char text[1024];

    (void)state;
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++) {
        /* "0x" and "%20" stay */
        size_t most =
            strchr(FORMATS[i], '0') == FORMATS[i] || i == 7 ? 3 * strlen(KEY) : strlen(KEY);
        stars(each(FORMATS[i], text, sizeof text), most);
    }
    masked("[115, 107, 45, 108, 105, 118, 101, 47]", "[999, 999, 99, 999, 999, 999, 999, 99]");
    masked("1115, 107, 45, 108, 105, 118, 101, 47", "1115, 107, 45, 108, 105, 118, 101, 47");
    masked("115107451081051181014765", "115107451081051181014765");
    masked("[\"73\",\"6b\",\"2d\",\"6c\",\"69\",\"76\",\"65\",\"2f\"]",
           "[\"**\",\"**\",\"**\",\"**\",\"**\",\"**\",\"**\",\"**\"]");
}

static void a_key_that_looks_escaped_itself_is_found(void **state)
{
    static const struct {
        const char *key, *text, *expected;
    } CASES[] = {
        {"sk-a%41&amp;b\\c", "sk-a%41&amp;b\\c.", "***************."},
        {"sk-a%41&=?b", "\"sk-a%41\\u0026=?b\"", "\"****************\""},
        {"sk-a%41&=?b", "sk-a%2541%26%3D%3Fb.", "*******************."},
        {"sk-a%41&=?b", "sk-a%41&amp;=?b.", "***************."},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char copy[64];
        snprintf(copy, sizeof copy, "%s", CASES[i].text);
        lu_mask_key(&host, lb_cstr(CASES[i].key), copy, strlen(copy));
        assert_string_equal(copy, CASES[i].expected);
    }
}

static void what_follows_the_start_of_a_key_goes_with_it(void **state)
{
    (void)state;
    masked("sk-live/A_9zzz%2b98 and", "******************* and");
    masked("sk-live/\\\"", "********\\\""); /* the escape of a quote stays one */
    masked("c2stbGl2ZS9B\nXzl6KzAxMjM0NTY3ODk=", "************\n*******************=");
}

static void *nothing(size_t size, void *context)
{
    (void)size;
    (void)context;
    return NULL;
}

static void short_of_memory_nothing_is_shown(void **state)
{
    struct lb_host poor = host;
    char text[] = "bad key " KEY;

    (void)state;
    poor.memory.alloc = nothing;
    lu_mask_key(&poor, LB_STR(KEY), text, strlen(text));
    for (const char *c = text; *c != '\0'; c++)
        assert_int_equal(*c, '*');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_and_its_beginning_are_masked),
        cmocka_unit_test(escapes_do_not_hide_it),
        cmocka_unit_test(hexadecimal_does_not_hide_it),
        cmocka_unit_test(base64_does_not_hide_it_at_any_alignment),
        cmocka_unit_test(a_short_key_is_masked_whole_only),
        cmocka_unit_test(layers_of_escapes_do_not_hide_it),
        cmocka_unit_test(numbers_do_not_hide_it_whatever_stands_between),
        cmocka_unit_test(a_key_that_looks_escaped_itself_is_found),
        cmocka_unit_test(what_follows_the_start_of_a_key_goes_with_it),
        cmocka_unit_test(short_of_memory_nothing_is_shown),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
