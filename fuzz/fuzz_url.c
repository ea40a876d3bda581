/* SPDX-License-Identifier: MIT */
/*
 * URLs: the normal form is a URL and its own normal form, joining gives a URL of the same origin,
 * and libcurl reads what we accept as we do.
 */
#include "check.h"
#include "http/url.h"
#include "url_curl.h"

static struct lh_url parse_again(const struct lb_buf *text)
{
    struct lh_url url;

    FUZZ_CHECK(text->failed == LLMGR_OK);
    FUZZ_CHECK(lh_url_parse(lb_buf_str(text), &url) == LH_URL_OK);
    return url;
}

static void check_same_origin(const struct lh_url *a, const struct lh_url *b)
{
    char one[LH_ORIGIN_SIZE];
    char two[LH_ORIGIN_SIZE];

    FUZZ_CHECK(lh_url_origin(a, one) == strlen(one));
    FUZZ_CHECK(lh_url_origin(b, two) == strlen(two));
    FUZZ_CHECK(strcmp(one, two) == 0);
}

static void check_normal(const struct lh_url *url, const struct lb_host *host)
{
    struct lb_buf once;
    struct lb_buf twice;

    lb_buf_init(&once, host, 2 * LH_URL_MAX);
    lb_buf_init(&twice, host, 2 * LH_URL_MAX);
    lh_url_normal(url, &once);
    /* A host at its longest may grow by canonical form; only then may the form be over-long. */
    if (once.size <= LH_URL_MAX) {
        struct lh_url again = parse_again(&once);
        check_same_origin(url, &again);
        lh_url_normal(&again, &twice);
        FUZZ_CHECK(lb_str_eq(lb_buf_str(&once), lb_buf_str(&twice)));
    }
    lb_buf_free(&once);
    lb_buf_free(&twice);
}

static void check_join(const struct lh_url *url, const struct lb_host *host)
{
    struct lb_buf joined;

    lb_buf_init(&joined, host, 2 * LH_URL_MAX);
    lh_url_join(url, LB_STR("/chat/completions"), &joined);
    if (joined.size <= LH_URL_MAX) {
        struct lh_url again = parse_again(&joined);
        check_same_origin(url, &again);
        FUZZ_CHECK(lb_str_ends(again.path, LB_STR("/chat/completions")));
        FUZZ_CHECK(lb_str_eq(again.query, url->query));
    }
    lb_buf_free(&joined);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct lb_str text = lb_str((const char *)data, size);
    struct lh_url url;
    struct llmgr_error err = {0};

    lb_host_init(&host);
    enum lh_url_error error = lh_url_parse(text, &url);
    if (error != LH_URL_OK) {
        FUZZ_CHECK(lh_url_fail(&err, error, text) == LLMGR_ERR_INVALID);
        FUZZ_CHECK(lb_utf8_valid(lb_cstr(err.message)));
        return 0;
    }
    check_normal(&url, &host);
    check_join(&url, &host);
    const char *differs = curl_differs(text, &url);
    if (differs != NULL)
        fprintf(stderr, "libcurl reads otherwise: %s\n", differs);
    FUZZ_CHECK(differs == NULL);
    return 0;
}
