/* SPDX-License-Identifier: MIT */
/*
 * A second reader of URLs, libcurl's: whoever reads a URL that we accept must find the same host in
 * it, or a check of ours could be about one host and a connection about another. We accept less
 * than libcurl does, so nothing is said of what we refuse.
 */
#ifndef FUZZ_URL_CURL_H
#define FUZZ_URL_CURL_H

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "http/url.h"

static bool curl_part_is(CURLU *curl, CURLUPart part, unsigned flags, struct lb_str wanted)
{
    char *text = NULL;
    bool is = curl_url_get(curl, part, &text, flags) == CURLUE_OK ? lb_str_eq(lb_cstr(text), wanted)
                                                                  : wanted.size == 0;

    curl_free(text);
    return is;
}

/* A part "0x": 0 by the WHATWG's rules and by ours, which refuse what is read both ways. */
static bool has_empty_hex(struct lb_str host)
{
    for (size_t at = 0; at + 1 < host.size; at++) {
        if ((at == 0 || host.p[at - 1] == '.') && host.p[at] == '0' &&
            (host.p[at + 1] | 0x20) == 'x' && (at + 2 == host.size || host.p[at + 2] == '.'))
            return true;
    }
    return false;
}

/* Addresses by their value, names without case. */
static bool curl_host_is(CURLU *curl, const struct lh_url *url)
{
    uint8_t address[16];
    char *text = NULL;
    bool is = false;

    if (curl_url_get(curl, CURLUPART_HOST, &text, 0) != CURLUE_OK)
        return false;
    struct lb_str host = lb_cstr(text);
    switch (url->kind) {
    case LH_HOST_NAME:
        is = lb_str_eq_nocase(host, url->host);
        break;
    case LH_HOST_IPV4:
    case LH_HOST_NUMERIC: /* libcurl writes those as four numbers, but that one as it stands */
        is = has_empty_hex(host) ||
             (inet_pton(AF_INET, text, address) == 1 && memcmp(address, url->address, 4) == 0);
        break;
    case LH_HOST_IPV6:
        if (host.size > 2 && text[0] == '[' && text[host.size - 1] == ']') {
            text[host.size - 1] = '\0';
            is = inet_pton(AF_INET6, text + 1, address) == 1 &&
                 memcmp(address, url->address, 16) == 0;
        }
        break;
    }
    curl_free(text);
    return is;
}

/* NULL: libcurl reads an accepted URL as we do; else what it reads otherwise. */
static const char *curl_differs(struct lb_str text, const struct lh_url *url)
{
    const struct lb_str nothing = {NULL, 0};
    const char *differs = NULL;
    char number[8];
    CURLU *curl = curl_url();
    char *copy = malloc(text.size + 1);

    if (curl == NULL || copy == NULL)
        abort();
    memcpy(copy, text.p, text.size);
    copy[text.size] = '\0';
    (void)snprintf(number, sizeof number, "%u", url->port);
    if (strlen(copy) != text.size)
        differs = "a NUL";
    else if (curl_url_set(curl, CURLUPART_URL, copy, CURLU_PATH_AS_IS) != CURLUE_OK)
        differs = "all of it";
    else if (!curl_part_is(curl, CURLUPART_SCHEME, 0, lb_cstr(url->https ? "https" : "http")))
        differs = "the scheme";
    else if (!curl_part_is(curl, CURLUPART_USER, 0, nothing) ||
             !curl_part_is(curl, CURLUPART_PASSWORD, 0, nothing))
        differs = "a user";
    else if (!curl_host_is(curl, url) || !curl_part_is(curl, CURLUPART_ZONEID, 0, nothing))
        differs = "the host";
    else if (!curl_part_is(curl, CURLUPART_PORT, CURLU_DEFAULT_PORT, lb_cstr(number)))
        differs = "the port";
    else if (!curl_part_is(curl, CURLUPART_PATH, 0, url->path.size != 0 ? url->path : LB_STR("/")))
        differs = "the path";
    else if (!curl_part_is(curl, CURLUPART_QUERY, 0, url->query) ||
             !curl_part_is(curl, CURLUPART_FRAGMENT, 0, nothing))
        differs = "the query";
    free(copy);
    curl_url_cleanup(curl);
    return differs;
}

#endif
