/* SPDX-License-Identifier: MIT */
/*
 * URLs read by two: what we accept of tests/vectors/url.txt, and of those lines with every byte
 * changed into whatever means something in a URL, libcurl reads as we do.
 */
#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"

#include "../../../fuzz/url_curl.h"

enum { LINE_SIZE = 1024 };

static size_t accepted;

static void read_by_both(struct lb_str text)
{
    struct lh_url url;

    if (lh_url_parse(text, &url) != LH_URL_OK)
        return;
    accepted++;
    const char *differs = curl_differs(text, &url);
    if (differs != NULL)
        fail_msg("%.*s: libcurl reads otherwise: %s", (int)text.size, text.p, differs);
}

/* The URL of a line "VERDICT URL ...", with \xNN decoded; its size, or 0. */
static size_t url_of(const char *line, char *url)
{
    const char *at = strchr(line, ' ');
    size_t size = 0;
    unsigned byte;

    if (line[0] == '#' || at == NULL || strcmp(at, " \\-\n") == 0)
        return 0;
    for (at++; *at != '\0' && *at != ' ' && *at != '\n'; at++) {
        if (sscanf(at, "\\x%2x", &byte) == 1) {
            url[size++] = (char)byte;
            at += 3;
        } else {
            url[size++] = *at;
        }
    }
    return size;
}

static void change_each_byte(char *url, size_t size)
{
    static const char MEANS[] = ":/?#[]@!$&'()*+,;=%.-_~0x1aA \\\t\xff\xe3";

    for (size_t at = 0; at < size; at++) {
        char kept = url[at];
        for (size_t i = 0; i < sizeof MEANS; i++) { /* NUL too */
            url[at] = MEANS[i];
            read_by_both(lb_str(url, size));
        }
        url[at] = kept;
        char rest[LINE_SIZE];
        memcpy(rest, url + at + 1, size - at - 1);
        memcpy(url + at, rest, size - at - 1);
        read_by_both(lb_str(url, size - 1));
        memmove(url + at + 1, rest, size - at - 1);
        url[at] = kept;
    }
}

static void what_we_accept_libcurl_reads_as_we_do(void **state)
{
    (void)state;
    char path[4096], line[LINE_SIZE], url[LINE_SIZE];
    const char *folder = getenv("LLMGR_TEST_VECTORS");

    snprintf(path, sizeof path, "%s/url.txt", folder != NULL ? folder : "tests/vectors");
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("cannot read %s", path);
    while (fgets(line, sizeof line, file) != NULL) {
        size_t size = url_of(line, url);
        if (size == 0)
            continue;
        read_by_both(lb_str(url, size));
        change_each_byte(url, size);
    }
    fclose(file);
    assert_true(accepted > 5000);
}

static void a_part_that_is_read_otherwise_is_noticed(void **state)
{
    (void)state;
    const struct lb_str text = LB_STR("https://api.example.com:8443/v1?a=b");
    struct lh_url good, url;

    assert_int_equal(lh_url_parse(text, &good), LH_URL_OK);
    assert_null(curl_differs(text, &good));
    url = good;
    url.https = false;
    assert_string_equal(curl_differs(text, &url), "the scheme");
    url = good;
    url.host = lb_str_sub(url.host, 1, url.host.size);
    assert_string_equal(curl_differs(text, &url), "the host");
    url = good;
    url.port = 443;
    assert_string_equal(curl_differs(text, &url), "the port");
    url = good;
    url.path = LB_STR("/v2");
    assert_string_equal(curl_differs(text, &url), "the path");
    url = good;
    url.query = LB_STR("");
    assert_string_equal(curl_differs(text, &url), "the query");
    assert_string_equal(curl_differs(LB_STR("https://u@api.example.com:8443/v1?a=b"), &good),
                        "a user");
    assert_string_equal(curl_differs(LB_STR("nonsense://"), &good), "all of it");
    assert_int_equal(lh_url_parse(LB_STR("https://[::1]/"), &url), LH_URL_OK);
    url.address[15] ^= 1;
    assert_string_equal(curl_differs(LB_STR("https://[::1]/"), &url), "the host");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_we_accept_libcurl_reads_as_we_do),
        cmocka_unit_test(a_part_that_is_read_otherwise_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
