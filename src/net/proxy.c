/* SPDX-License-Identifier: MIT */
/*
 * HTTPS_PROXY and NO_PROXY, parsed once. There is no standard for them; where implementations
 * differ we do as curl does, with ranges in addition (as Go has them).
 */
#include "net/proxy.h"

#include <sodium.h>

#include "base/error.h"
#include "net/addr.h"
#include "net/addr_range.h"
#include "net/policy.h"
#include "net/proxy_int.h"

enum {
    URL_MAX = 2048,
    CREDENTIALS_MAX = 1024,
    BYPASS_MAX = 256,
    PORT_DEFAULT = 80,
};

struct bypass {
    bool everything;
    bool is_range;
    uint16_t port; /* 0: any */
    struct ln_range range;
    struct lb_str name; /* in proxy->no_proxy, without a leading dot */
};

struct ln_proxy {
    const struct lb_host *host;
    char *name;
    uint16_t port;
    char *authorization;
    size_t authorization_size; /* bytes allocated, to wipe */
    char *no_proxy;
    struct bypass *bypasses;
    size_t bypass_count;
};

/* ---- The URL --------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    char lower = lb_ascii_lower(c);
    if (c >= '0' && c <= '9')
        return c - '0';
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/* "user:password" with its percent-escapes undone; false if one is broken. */
static bool unescape(struct lb_str in, unsigned char *out, size_t *size)
{
    *size = 0;
    for (size_t i = 0; i < in.size; i++) {
        int c = (unsigned char)in.p[i];
        if (c == '%') {
            if (in.size - i < 3 || hex_value(in.p[i + 1]) < 0 || hex_value(in.p[i + 2]) < 0)
                return false;
            c = hex_value(in.p[i + 1]) * 16 + hex_value(in.p[i + 2]);
            i += 2;
        }
        out[(*size)++] = (unsigned char)c;
    }
    return true;
}

static llmgr_status set_credentials(struct ln_proxy *proxy, struct lb_str userinfo,
                                    struct llmgr_error *err)
{
    static const char BASIC[] = "Basic ";
    unsigned char plain[CREDENTIALS_MAX];
    size_t size = 0;
    if (userinfo.size > CREDENTIALS_MAX || !unescape(userinfo, plain, &size))
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("the credentials in the proxy's URL are over-long or badly escaped"));
    proxy->authorization_size =
        sizeof(BASIC) + sodium_base64_encoded_len(size, sodium_base64_VARIANT_ORIGINAL);
    proxy->authorization = lb_alloc(proxy->host, proxy->authorization_size);
    if (proxy->authorization != NULL) {
        memcpy(proxy->authorization, BASIC, sizeof(BASIC) - 1);
        (void)sodium_bin2base64(proxy->authorization + sizeof(BASIC) - 1,
                                proxy->authorization_size - sizeof(BASIC) + 1, plain, size,
                                sodium_base64_VARIANT_ORIGINAL);
    }
    sodium_memzero(plain, sizeof(plain));
    return proxy->authorization != NULL ? LLMGR_OK : lb_fail_memory(err);
}

/* Splits "host:port", "[v6]:port", "host"; *port stays as it is if there is none. */
static bool split_port(struct lb_str text, struct lb_str *name, uint16_t *port)
{
    size_t colon;
    if (text.size != 0 && text.p[0] == '[') {
        size_t close = lb_str_find(text, ']');
        if (close == text.size)
            return false;
        *name = lb_str_sub(text, 1, close);
        colon = close + 1;
        if (colon < text.size && text.p[colon] != ':')
            return false;
    } else {
        colon = lb_str_find(text, ':');
        *name = lb_str_sub(text, 0, colon);
    }
    if (colon >= text.size)
        return true;
    uint64_t number;
    if (!lb_str_to_u64(lb_str_sub(text, colon + 1, text.size), &number) || number == 0 ||
        number > 65535)
        return false;
    *port = (uint16_t)number;
    return true;
}

static llmgr_status set_url(struct ln_proxy *proxy, const char *url, struct llmgr_error *err)
{
    struct lb_str rest = lb_cstr(url);
    if (rest.size > URL_MAX || !lb_str_eq_nocase(lb_str_sub(rest, 0, 7), LB_STR("http://")))
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("the proxy's URL must look like http://[user:password@]host:port"));
    rest = lb_str_sub(rest, 7, rest.size);
    size_t end = lb_str_find(rest, '/');
    if (end + 1 < rest.size)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("the proxy's URL must have no path"));
    rest = lb_str_sub(rest, 0, end);
    size_t at = rest.size; /* the last @, as a password may hold one */
    while (at != 0 && rest.p[at - 1] != '@')
        at--;
    struct lb_str name = {0};
    struct sockaddr_storage addr;
    proxy->port = PORT_DEFAULT;
    bool split = split_port(lb_str_sub(rest, at, rest.size), &name, &proxy->port);
    enum ln_host_kind kind = split ? ln_host_kind(name, &addr) : LN_HOST_INVALID;
    if (kind == LN_HOST_INVALID || kind == LN_HOST_NUMERIC)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("the proxy's URL has no valid host and port"));
    proxy->name = lb_strndup(proxy->host, name.p, name.size);
    if (proxy->name == NULL)
        return lb_fail_memory(err);
    return at != 0 ? set_credentials(proxy, lb_str_sub(rest, 0, at - 1), err) : LLMGR_OK;
}

/* ---- NO_PROXY -------------------------------------------------------------------------------- */

static bool parse_bypass(struct lb_str entry, struct bypass *bypass)
{
    *bypass = (struct bypass){0};
    if (lb_str_eq_c(entry, "*")) {
        bypass->everything = true;
        return true;
    }
    /* A bare IPv6 address has colons of its own: try the whole as an address or range first. */
    if (ln_range_parse(entry, &bypass->range)) {
        bypass->is_range = true;
        return true;
    }
    struct lb_str name = {0};
    if (!split_port(entry, &name, &bypass->port))
        return false;
    if (ln_range_parse(name, &bypass->range)) {
        bypass->is_range = true;
        return true;
    }
    if (lb_str_starts(name, LB_STR("*.")))
        name = lb_str_sub(name, 1, name.size);
    if (lb_str_starts(name, LB_STR(".")))
        name = lb_str_sub(name, 1, name.size);
    bypass->name = name;
    struct sockaddr_storage addr;
    return ln_host_kind(name, &addr) == LN_HOST_NAME;
}

static llmgr_status set_no_proxy(struct ln_proxy *proxy, const char *text, struct llmgr_error *err)
{
    proxy->no_proxy = lb_strdup(proxy->host, text);
    proxy->bypasses = lb_calloc(proxy->host, BYPASS_MAX, sizeof(*proxy->bypasses));
    if (proxy->no_proxy == NULL || proxy->bypasses == NULL)
        return lb_fail_memory(err);
    for (const char *at = proxy->no_proxy; *at != '\0';) {
        size_t size = strcspn(at, ", \t");
        if (size != 0 && proxy->bypass_count == BYPASS_MAX)
            return lb_fail(err, LLMGR_ERR_CONFIG,
                           N_("the list of hosts without proxy has over %d entries"), BYPASS_MAX);
        if (size != 0 && !parse_bypass(lb_str(at, size), &proxy->bypasses[proxy->bypass_count++]))
            return lb_fail(err, LLMGR_ERR_CONFIG,
                           N_("\"%.*s\" in the list of hosts without proxy is no name, address or "
                              "range"),
                           (int)(size < 100 ? size : 100), at);
        at += size;
        at += strspn(at, ", \t");
    }
    return LLMGR_OK;
}

llmgr_status ln_proxy_new(const struct lb_host *host, const char *url, const char *no_proxy,
                          struct ln_proxy **out, struct llmgr_error *err)
{
    struct ln_proxy *proxy = lb_calloc(host, 1, sizeof(*proxy));
    if (proxy == NULL)
        return lb_fail_memory(err);
    proxy->host = host;
    llmgr_status status = set_url(proxy, url, err);
    if (status == LLMGR_OK && no_proxy != NULL)
        status = set_no_proxy(proxy, no_proxy, err);
    if (status != LLMGR_OK) {
        ln_proxy_free(proxy);
        return status;
    }
    *out = proxy;
    return LLMGR_OK;
}

void ln_proxy_free(struct ln_proxy *proxy)
{
    if (proxy == NULL)
        return;
    if (proxy->authorization != NULL)
        lb_free_secret(proxy->host, proxy->authorization, proxy->authorization_size);
    lb_free(proxy->host, proxy->name);
    lb_free(proxy->host, proxy->no_proxy);
    lb_free(proxy->host, proxy->bypasses);
    lb_free(proxy->host, proxy);
}

/* ---- Questions ------------------------------------------------------------------------------- */

static bool name_matches(struct lb_str host, struct lb_str name)
{
    if (host.size != 0 && host.p[host.size - 1] == '.')
        host.size--;
    if (host.size < name.size)
        return false;
    size_t above = host.size - name.size;
    return lb_str_eq_nocase(lb_str_sub(host, above, host.size), name) &&
           (above == 0 || host.p[above - 1] == '.');
}

bool ln_proxy_applies(const struct ln_proxy *proxy, struct lb_str host, uint16_t port)
{
    if (proxy == NULL)
        return false;
    struct sockaddr_storage storage;
    struct ln_addr16 addr;
    enum ln_host_kind kind = ln_host_kind(host, &storage);
    bool literal = (kind == LN_HOST_IPV4 || kind == LN_HOST_IPV6) &&
                   ln_addr16_of((const struct sockaddr *)&storage, &addr);
    for (size_t i = 0; i < proxy->bypass_count; i++) {
        const struct bypass *bypass = &proxy->bypasses[i];
        if (bypass->port != 0 && bypass->port != port)
            continue;
        if (bypass->everything)
            return false;
        if (bypass->is_range ? literal && ln_range_holds(&bypass->range, &addr)
                             : !literal && name_matches(host, bypass->name))
            return false;
    }
    return true;
}

const char *ln_proxy_host(const struct ln_proxy *proxy)
{
    return proxy->name;
}

uint16_t ln_proxy_port(const struct ln_proxy *proxy)
{
    return proxy->port;
}

const char *ln_proxy_authorization(const struct ln_proxy *proxy)
{
    return proxy->authorization;
}
