/* SPDX-License-Identifier: MIT */
/* URLs against tests/vectors/url.txt, and what is built from them. */
#include "http/url.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"

enum { LINE_SIZE = 1024, WORDS = 5 };

static const char *const kinds[] = {"NAME", "IPV4", "IPV6", "NUMERIC"};

static struct lb_host host;

/* Cuts the line into at most WORDS words; the missing ones are empty. */
static void split(char *line, char *words[WORDS])
{
    static char nothing[1];

    for (int i = 0; i < WORDS; i++) {
        words[i] = *line != '\0' ? line : nothing;
        line += strcspn(line, " \n");
        if (*line != '\0')
            *line++ = '\0';
    }
}

/* Replaces \xNN and \- in place; other backslashes stay. Returns the size. */
static size_t unescape(char *text)
{
    size_t size = 0;

    for (size_t i = 0; text[i] != '\0'; i++) {
        unsigned byte;
        if (strcmp(text + i, "\\-") == 0)
            break;
        if (text[i] == '\\' && text[i + 1] == 'x' && sscanf(text + i + 2, "%2x", &byte) == 1) {
            text[size++] = (char)byte;
            i += 3;
            continue;
        }
        text[size++] = text[i];
    }
    return size;
}

static void check_forms(const struct lh_url *url, const char *shown, char *words[WORDS])
{
    char origin[LH_ORIGIN_SIZE];
    struct lb_buf normal;

    lb_buf_init(&normal, &host, 4096);
    lh_url_normal(url, &normal);
    size_t size = lh_url_origin(url, origin);
    assert_int_equal(size, strlen(origin));
    if (strcmp(kinds[url->kind], words[2]) != 0 || strcmp(origin, words[3]) != 0 ||
        strcmp(lb_buf_c(&normal), words[4]) != 0)
        fail_msg("%s: %s %s %s", shown, kinds[url->kind], origin, lb_buf_c(&normal));
    lb_buf_free(&normal);
}

static void check_line(char *line)
{
    char *words[WORDS];
    char shown[LINE_SIZE];
    struct lh_url url;

    split(line, words);
    snprintf(shown, sizeof(shown), "%s", words[1]);
    size_t size = unescape(words[1]);
    /* A block of exactly this size, so that a sanitizer sees a read beyond it. */
    char *block = malloc(size != 0 ? size : 1);
    assert_non_null(block);
    memcpy(block, words[1], size);
    enum lh_url_error error = lh_url_parse(lb_str(block, size), &url);
    if (strcmp(lh_url_error_name(error), words[0]) != 0)
        fail_msg("%s: %s instead of %s", shown, lh_url_error_name(error), words[0]);
    if (error == LH_URL_OK)
        check_forms(&url, shown, words);
    free(block);
}

static void every_vector_gets_its_verdict(void **state)
{
    (void)state;
    char path[4096];
    char line[LINE_SIZE];
    size_t count = 0;
    const char *folder = getenv("LLMGR_TEST_VECTORS");

    snprintf(path, sizeof(path), "%s/url.txt", folder != NULL ? folder : "tests/vectors");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot read %s", path);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (line[0] == '#' || line[0] == '\n')
            continue;
        check_line(line);
        count++;
    }
    fclose(file);
    assert_true(count > 200);
}

static struct lh_url parsed(const char *text)
{
    struct lh_url url = {0};

    assert_int_equal(lh_url_parse(lb_cstr(text), &url), LH_URL_OK);
    return url;
}

static void the_length_is_limited(void **state)
{
    (void)state;
    char text[LH_URL_MAX + 2] = "https://a/";
    struct lh_url url;

    memset(text + 10, 'b', LH_URL_MAX + 1 - 10);
    assert_int_equal(lh_url_parse(lb_str(text, LH_URL_MAX), &url), LH_URL_OK);
    assert_int_equal(lh_url_parse(lb_str(text, LH_URL_MAX + 1), &url), LH_URL_LONG);
}

static void the_longest_host_fits_the_origin(void **state)
{
    (void)state;
    char text[300] = "https://";
    char origin[LH_ORIGIN_SIZE];

    for (int i = 0; i < LH_HOST_MAX; i++)
        text[8 + i] = i % 50 == 49 ? '.' : 'A';
    strcat(text, ":65535");
    struct lh_url url = parsed(text);
    assert_int_equal(lh_url_origin(&url, origin), strlen(text));
    struct lh_url longer;
    memmove(text + 9, text + 8, strlen(text + 8) + 1);
    assert_int_equal(lh_url_parse(lb_cstr(text), &longer), LH_URL_HOST);
}

static void the_parts_are_slices_of_the_text(void **state)
{
    (void)state;
    const char *text = "https://[::1]:8443/v1/?x=1";
    struct lh_url url = parsed(text);

    assert_true(url.https && url.port_given && url.port == 8443);
    assert_true(lb_str_eq_c(url.host, "::1") && url.host.p == text + 9);
    assert_true(lb_str_eq_c(url.path, "/v1/"));
    assert_true(lb_str_eq_c(url.query, "x=1"));
    assert_int_equal(url.address[15], 1);
}

static void a_failed_parse_leaves_the_result_alone(void **state)
{
    (void)state;
    struct lh_url url = {.port = 7};

    assert_int_equal(lh_url_parse(LB_STR("https://a/.."), &url), LH_URL_PATH_DOTS);
    assert_int_equal(url.port, 7);
    assert_false(url.https);
}

static void joining_appends_to_the_base_as_written(void **state)
{
    (void)state;
    static const struct {
        const char *base;
        const char *path;
        const char *joined;
    } rows[] = {
        {"https://a/v1", "/chat/completions", "https://a/v1/chat/completions"},
        {"https://a/v1/", "/chat/completions", "https://a/v1/chat/completions"},
        {"https://a/v1//", "/models", "https://a/v1/models"},
        {"https://a", "/models", "https://a/models"},
        {"https://a/", "models", "https://a/models"},
        {"https://A:443//x//v4", "/models", "https://a//x//v4/models"},
        {"http://[::1]:8080", "/models", "http://[::1]:8080/models"},
        {"https://a/v1?api-version=1", "/models", "https://a/v1/models?api-version=1"},
        {"https://a/v1?x=1", "/models?y=2", "https://a/v1/models?y=2&x=1"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct lb_buf out;
        struct lh_url base = parsed(rows[i].base);
        lb_buf_init(&out, &host, 4096);
        lh_url_join(&base, lb_cstr(rows[i].path), &out);
        assert_string_equal(lb_buf_c(&out), rows[i].joined);
        lb_buf_reset(&out);
        lh_url_join_target(&base, lb_cstr(rows[i].path), &out);
        assert_true(lb_str_ends(lb_cstr(rows[i].joined), lb_buf_str(&out)));
        assert_int_equal(out.data[0], '/');
        lb_buf_free(&out);
    }
}

static void the_authority_drops_the_usual_port(void **state)
{
    (void)state;
    char out[LH_ORIGIN_SIZE];
    struct lh_url url = parsed("https://A.b:443/");

    assert_int_equal(lh_url_authority(&url, out), 3);
    assert_string_equal(out, "a.b");
    url = parsed("http://[::1]:443/");
    lh_url_authority(&url, out);
    assert_string_equal(out, "[::1]:443");
    assert_int_equal(lh_url_host(&url, out), 5);
    assert_string_equal(out, "[::1]");
}

static void the_error_names_the_url_but_never_a_password(void **state)
{
    (void)state;
    struct llmgr_error err = {0};

    assert_int_equal(lh_url_fail(&err, LH_URL_FRAGMENT, LB_STR("https://a#b")), LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "\"https://a#b\""));
    assert_non_null(strstr(err.message, "leave '#'"));
    assert_int_equal(lh_url_fail(&err, LH_URL_USERINFO, LB_STR("https://u:secret@a")),
                     LLMGR_ERR_INVALID);
    assert_null(strstr(err.message, "secret"));
    lh_url_fail(&err, LH_URL_FRAGMENT, LB_STR("https://u:secret@a#b"));
    assert_null(strstr(err.message, "secret"));
    lh_url_fail(&err, LH_URL_SPACE, LB_STR("https://\x1b[2J"));
    assert_null(strchr(err.message, '\x1b'));
}

static void percent_encoding_goes_both_ways(void **state)
{
    (void)state;
    char out[64];
    size_t size;
    struct lb_buf coded;

    assert_true(lh_percent_decode(LB_STR("a%2Fb%3ac+%25"), out, &size));
    assert_true(lb_str_eq_c(lb_str(out, size), "a/b:c+%"));
    assert_false(lh_percent_decode(LB_STR("a%"), out, &size));
    assert_false(lh_percent_decode(LB_STR("a%2"), out, &size));
    assert_false(lh_percent_decode(LB_STR("%2x"), out, &size));
    assert_false(lh_percent_decode(LB_STR("%00"), out, &size));
    lb_buf_init(&coded, &host, 64);
    lh_percent_encode(LB_STR("a/b:c d\xff~._-Z9"), &coded);
    assert_string_equal(lb_buf_c(&coded), "a%2Fb%3Ac%20d%FF~._-Z9");
    lb_buf_free(&coded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_vector_gets_its_verdict),
        cmocka_unit_test(the_length_is_limited),
        cmocka_unit_test(the_longest_host_fits_the_origin),
        cmocka_unit_test(the_parts_are_slices_of_the_text),
        cmocka_unit_test(a_failed_parse_leaves_the_result_alone),
        cmocka_unit_test(joining_appends_to_the_base_as_written),
        cmocka_unit_test(the_authority_drops_the_usual_port),
        cmocka_unit_test(the_error_names_the_url_but_never_a_password),
        cmocka_unit_test(percent_encoding_goes_both_ways),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
