/* SPDX-License-Identifier: MIT */
/*
 * The address rules against an oracle written in another way: numeric comparisons instead of the
 * table of ranges. The first byte says what the rest is.
 *
 *   even: 16 bytes of an IPv6 address, or 4 of an IPv4 address, to be connected to
 *   odd:  the text of a URL's host, to be stored
 *
 * Claims: what the oracle calls inner is never allowed; what it calls public is; a text that the
 * system's own inet_pton or inet_aton takes for an inner address is never allowed.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "net/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void claim(bool holds)
{
    if (!holds)
        abort();
}

static bool inner4(uint32_t a)
{
    uint32_t b = a >> 24;
    uint32_t c = a >> 16 & 0xff;
    uint32_t d = a >> 8 & 0xff;
    if (b == 0 || b == 10 || b == 127 || b >= 224)
        return true;
    if ((b == 100 && c >= 64 && c <= 127) || (b == 169 && c == 254) || (b == 192 && c == 168))
        return true;
    if ((b == 172 && c >= 16 && c <= 31) || (b == 198 && (c == 18 || c == 19)))
        return true;
    if (b == 192 && ((c == 0 && (d == 0 || d == 2)) || (c == 88 && d == 99)))
        return true;
    if (b == 192 && ((c == 31 && d == 196) || (c == 52 && d == 193) || (c == 175 && d == 48)))
        return true;
    return (b == 198 && c == 51 && d == 100) || (b == 203 && c == 0 && d == 113) ||
           a == 0xa83f8110; /* 168.63.129.16 */
}

static uint32_t word(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool inner6(const uint8_t b[16])
{
    uint32_t w0 = word(b);
    uint32_t w1 = word(b + 4);
    if (w0 == 0 && w1 == 0 && word(b + 8) == 0xffff)
        return inner4(word(b + 12));
    if (w0 >> 29 != 1) /* 2000::/3 */
        return true;
    if ((word(b + 8) & 0xfcffffff) == 0x5efe && inner4(word(b + 12))) /* ISATAP */
        return true;
    if (w0 >> 9 == 0x20010000u >> 9 || w0 == 0x20010db8 || w0 >> 16 == 0x2002)
        return true;
    return w0 >> 12 == 0x3fff0 || (w0 == 0x2620004f && w1 >> 16 == 0x8000);
}

static bool inner(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET)
        return inner4(ntohl(((const struct sockaddr_in *)(const void *)addr)->sin_addr.s_addr));
    return inner6(((const struct sockaddr_in6 *)(const void *)addr)->sin6_addr.s6_addr);
}

static void judge_bytes(const struct ln_policy *policy, const uint8_t *data, size_t size)
{
    struct sockaddr_storage addr = {0};
    if (size >= 16) {
        struct sockaddr_in6 in = {.sin6_family = AF_INET6, .sin6_port = htons(443)};
        memcpy(&in.sin6_addr, data, 16);
        memcpy(&addr, &in, sizeof(in));
    } else if (size >= 4) {
        struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(443)};
        memcpy(&in.sin_addr, data, 4);
        memcpy(&addr, &in, sizeof(in));
    } else {
        return;
    }
    llmgr_status status =
        ln_policy_judge_addr(policy, LN_CLASS_PRIVATE, (const struct sockaddr *)&addr, NULL);
    claim((status == LLMGR_ERR_ADDRESS) == inner(&addr));
}

static void judge_text(const struct ln_policy *policy, const uint8_t *data, size_t size)
{
    char text[256];
    if (size >= sizeof(text))
        return;
    memcpy(text, data, size);
    text[size] = '\0';
    struct llmgr_error err = {0};
    llmgr_status status = ln_policy_judge_url_host(policy, LN_CLASS_PRIVATE, LB_STR("https"),
                                                   lb_str(text, size), 443, &err);
    claim(status == LLMGR_OK || err.message[0] != '\0');
    if (status != LLMGR_OK)
        return;
    claim(strlen(text) == size && size != 0 && text[size - 1] != '.');
    if (text[0] == '[')
        text[--size] = '\0';
    struct sockaddr_storage addr = {.ss_family = AF_INET6};
    struct in_addr loose;
    uint8_t bytes[16];
    if (inet_pton(AF_INET6, text[0] == '[' ? text + 1 : text, bytes) == 1)
        claim(!inner6(bytes));
    else if (inet_pton(AF_INET, text, bytes) == 1)
        claim(!inner4(word(bytes)));
    else /* a name: nothing that a resolver takes for a number */
        claim(inet_aton(text, &loose) == 0 && strchr(text, '.') != NULL &&
              ln_host_kind(lb_cstr(text), &addr) == LN_HOST_NAME);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_host host;
    struct ln_policy *policy = NULL;
    if (size == 0)
        return 0;
    lb_host_init(&host);
    claim(ln_policy_new(&host, NULL, &policy, NULL) == LLMGR_OK);
    if (data[0] % 2 == 0)
        judge_bytes(policy, data + 1, size - 1);
    else
        judge_text(policy, data + 1, size - 1);
    ln_policy_free(policy);
    return 0;
}
