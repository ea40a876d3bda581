/* SPDX-License-Identifier: MIT */
/*
 * HTTPS_PROXY and NO_PROXY, parsed once. There is no standard for them; where implementations
 * differ we do as curl does, with ranges in addition (as Go has them).
 */
#include "net/proxy.h"

#include <sodium.h>
#include <stdatomic.h>

#include "base/error.h"
#include "net/addr.h"
#include "net/addr_range.h"
#include "net/policy.h"
#include "net/proxy_int.h"

enum {
    URL_MAX = 2048,
    CREDENTIALS_MAX = 1024,
    BYPASS_MAX = 4096,
    SHOWN_MAX = 100, /* bytes of an entry that errors quote */
    PORT_DEFAULT = 80,
};

enum bypass_kind { BYPASS_ALL, BYPASS_RANGE, BYPASS_NAME, BYPASS_PATTERN, BYPASS_LOCAL };

struct bypass {
    enum bypass_kind kind;
    uint16_t port; /* 0: any */
    struct ln_range range;
    struct lb_str name; /* or pattern: in proxy->no_proxy, without a leading dot */
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
    char *fault;         /* why the URL cannot be used, and whose it is; NULL: it can */
    char *left_out;      /* what is to be told of entries that were left out; NULL: nothing */
    atomic_bool is_told; /* it was */
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
    struct lb_str rest = lb_str_strip(lb_cstr(url));
    if (lb_str_eq_nocase(lb_str_sub(rest, 0, 7), LB_STR("http://")))
        rest = lb_str_sub(rest, 7, rest.size);
    else if (rest.size == 0 ||
             strstr(url, "://") != NULL) /* without a scheme it is http, as for curl */
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("the proxy's URL must look like http://[user:password@]host:port"));
    if (rest.size > URL_MAX)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("the proxy's URL is longer than %d bytes"),
                       (int)URL_MAX);
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

/* "http://name/path" is the name; the slash of a range stays. */
static struct lb_str strip_url(struct lb_str entry)
{
    for (size_t i = 0; i + 3 <= entry.size; i++) {
        if (memcmp(entry.p + i, "://", 3) == 0) {
            entry = lb_str_sub(entry, i + 3, entry.size);
            return lb_str_sub(entry, 0, lb_str_find(entry, '/'));
        }
    }
    return entry;
}

/* A network as its first numbers: "192.168." */
static bool is_prefix(struct lb_str name)
{
    bool dot = name.size > 1 && name.p[name.size - 1] == '.';

    for (size_t i = 0; dot && i < name.size; i++)
        dot = name.p[i] == '.' || (name.p[i] >= '0' && name.p[i] <= '9');
    return dot;
}

static bool is_pattern(struct lb_str name)
{
    for (size_t i = 0; i < name.size; i++) {
        char c = lb_ascii_lower(name.p[i]);
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || memchr("*.-_", c, 4) != NULL))
            return false;
    }
    return lb_str_find(name, '*') < name.size || is_prefix(name);
}

/* A name, a pattern or an address, without its port. */
static bool parse_name(struct lb_str name, struct bypass *bypass)
{
    struct sockaddr_storage addr;

    if (ln_range_parse(name, &bypass->range)) {
        bypass->kind = BYPASS_RANGE;
        return true;
    }
    if (lb_str_starts(name, LB_STR("*.")))
        name = lb_str_sub(name, 1, name.size);
    if (lb_str_starts(name, LB_STR(".")))
        name = lb_str_sub(name, 1, name.size);
    bypass->name = name;
    bypass->kind = is_pattern(name) ? BYPASS_PATTERN : BYPASS_NAME;
    return bypass->kind == BYPASS_PATTERN || ln_host_kind(name, &addr) == LN_HOST_NAME;
}

static bool parse_bypass(struct lb_str entry, struct bypass *bypass)
{
    struct lb_str name = {0};

    *bypass = (struct bypass){.kind = BYPASS_ALL};
    if (lb_str_eq_c(entry, "*"))
        return true;
    if (lb_str_eq_nocase(entry, LB_STR("<local>"))) {
        bypass->kind = BYPASS_LOCAL;
        return true;
    }
    /* A bare IPv6 address has colons of its own: try the whole as an address or range first. */
    if (ln_range_parse(entry, &bypass->range)) {
        bypass->kind = BYPASS_RANGE;
        return true;
    }
    return split_port(strip_url(entry), &name, &bypass->port) && parse_name(name, bypass);
}

static llmgr_status fail_entry(struct lb_str entry, struct llmgr_error *err)
{
    struct lb_str shown = lb_str_sub(entry, 0, SHOWN_MAX);

    shown.size = lb_utf8_cut(shown, SHOWN_MAX);
    /* In front of an '@' there may be a password. */
    if (!lb_utf8_name(shown, SHOWN_MAX) || lb_str_find(entry, '@') < entry.size)
        shown = LB_STR("?");
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("\"%.*s\" in the list of hosts without proxy is no name, address or range"),
                   (int)shown.size, shown.p);
}

/* Takes what it understands; `err` tells the first entry that it does not. */
static llmgr_status take_bypasses(struct ln_proxy *proxy, struct llmgr_error *err)
{
    static const char BETWEEN[] = ",;| \t\r\n";
    llmgr_status status = LLMGR_OK;

    for (const char *at = proxy->no_proxy; *at != '\0';) {
        size_t size = strcspn(at, BETWEEN);
        if (size != 0 && proxy->bypass_count == BYPASS_MAX)
            return status != LLMGR_OK
                       ? status
                       : lb_fail(err, LLMGR_ERR_CONFIG,
                                 N_("the list of hosts without proxy has over %d entries"),
                                 (int)BYPASS_MAX);
        if (size != 0 && parse_bypass(lb_str(at, size), &proxy->bypasses[proxy->bypass_count]))
            proxy->bypass_count++;
        else if (size != 0 && status == LLMGR_OK)
            status = fail_entry(lb_str(at, size), err);
        at += size;
        at += strspn(at, BETWEEN);
    }
    return status;
}

static llmgr_status set_no_proxy(struct ln_proxy *proxy, const char *text, struct llmgr_error *err)
{
    size_t most = 1;

    for (const char *at = text; *at != '\0' && most < BYPASS_MAX; at++)
        most += strchr(",;| \t\r\n", *at) != NULL;
    proxy->no_proxy = lb_strdup(proxy->host, text);
    proxy->bypasses = lb_calloc(proxy->host, most, sizeof(*proxy->bypasses));
    if (proxy->no_proxy == NULL || proxy->bypasses == NULL)
        return lb_fail_memory(err);
    return take_bypasses(proxy, err);
}

/* ---- Whose settings they are ----------------------------------------------------------------- */

/* "NAME: what is wrong". */
static llmgr_status fail_named(const char *name, const struct llmgr_error *why,
                               struct llmgr_error *err)
{
    if (why->status == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    return lb_fail(err, LLMGR_ERR_CONFIG, "%s: %s", name, why->message);
}

/* What was inherited is kept as a text for those who need it: *kept. */
static llmgr_status settle(const struct ln_proxy *proxy, llmgr_status status, const char *from,
                           const char *name, const struct llmgr_error *why, char **kept,
                           struct llmgr_error *err)
{
    struct llmgr_error text = {0};

    if (status == LLMGR_OK)
        return LLMGR_OK;
    status = fail_named(from != NULL ? from : name, why, &text);
    if (from == NULL || status == LLMGR_ERR_NO_MEMORY) {
        if (err != NULL)
            *err = text;
        return status;
    }
    *kept = lb_strdup(proxy->host, text.message);
    return *kept != NULL ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status ln_proxy_make(const struct lb_host *host, const struct ln_proxy_settings *settings,
                           struct ln_proxy **out, struct llmgr_error *err)
{
    struct llmgr_error why = {0};
    struct ln_proxy *proxy = lb_calloc(host, 1, sizeof(*proxy));
    if (proxy == NULL)
        return lb_fail_memory(err);
    proxy->host = host;
    llmgr_status status = set_url(proxy, settings->url, &why);
    status = settle(proxy, status, settings->url_from, "https_proxy", &why, &proxy->fault, err);
    if (status == LLMGR_OK && settings->no_proxy != NULL) {
        status = set_no_proxy(proxy, settings->no_proxy, &why);
        status =
            settle(proxy, status, settings->no_proxy_from, "no_proxy", &why, &proxy->left_out, err);
    }
    if (status != LLMGR_OK) {
        ln_proxy_free(proxy);
        return status;
    }
    *out = proxy;
    return LLMGR_OK;
}

llmgr_status ln_proxy_new(const struct lb_host *host, const char *url, const char *no_proxy,
                          struct ln_proxy **out, struct llmgr_error *err)
{
    const struct ln_proxy_settings settings = {.url = url, .no_proxy = no_proxy};

    return ln_proxy_make(host, &settings, out, err);
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
    lb_free(proxy->host, proxy->fault);
    lb_free(proxy->host, proxy->left_out);
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

/* '*' stands for any number of bytes; a pattern that ends in a dot for all that begins so. */
static bool pattern_matches(struct lb_str host, struct lb_str pattern)
{
    size_t at = 0, star = pattern.size, mark = 0;

    for (size_t i = 0; i < host.size;) {
        if (at < pattern.size && pattern.p[at] == '*') {
            star = at++;
            mark = i;
        } else if (at < pattern.size &&
                   lb_ascii_lower(pattern.p[at]) == lb_ascii_lower(host.p[i])) {
            at++;
            i++;
        } else if (at == pattern.size && is_prefix(pattern)) {
            return true;
        } else if (star < pattern.size) {
            at = star + 1;
            i = ++mark;
        } else {
            return false;
        }
    }
    while (at < pattern.size && pattern.p[at] == '*')
        at++;
    return at == pattern.size;
}

/* What is asked for: a name, or an address that is written as one. */
struct asked {
    struct lb_str host;
    struct ln_addr16 addr;
    bool literal; /* addr is set */
};

static bool bypasses(const struct bypass *bypass, const struct asked *asked)
{
    switch (bypass->kind) {
    case BYPASS_RANGE:
        return asked->literal && ln_range_holds(&bypass->range, &asked->addr);
    case BYPASS_NAME:
        return !asked->literal && name_matches(asked->host, bypass->name);
    case BYPASS_PATTERN:
        return pattern_matches(asked->host, bypass->name);
    case BYPASS_LOCAL:
        return !asked->literal && lb_str_find(asked->host, '.') == asked->host.size;
    case BYPASS_ALL:
        break;
    }
    return true;
}

static void tell_left_out(const struct ln_proxy *proxy)
{
    struct ln_proxy *own = (struct ln_proxy *)(uintptr_t)proxy;

    if (proxy->left_out != NULL && !atomic_exchange(&own->is_told, true))
        lb_warn(proxy->host, "%s; it is left out", proxy->left_out);
}

bool ln_proxy_applies(const struct ln_proxy *proxy, struct lb_str host, uint16_t port)
{
    if (proxy == NULL)
        return false;
    tell_left_out(proxy);
    struct sockaddr_storage storage;
    struct asked asked = {.host = host};
    enum ln_host_kind kind = ln_host_kind(host, &storage);
    asked.literal = (kind == LN_HOST_IPV4 || kind == LN_HOST_IPV6) &&
                    ln_addr16_of((const struct sockaddr *)&storage, &asked.addr);
    for (size_t i = 0; i < proxy->bypass_count; i++) {
        const struct bypass *bypass = &proxy->bypasses[i];
        if ((bypass->port == 0 || bypass->port == port) && bypasses(bypass, &asked))
            return false;
    }
    return true;
}

llmgr_status ln_proxy_check(const struct ln_proxy *proxy, struct llmgr_error *err)
{
    if (proxy == NULL || proxy->fault == NULL)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFIG, "%s", proxy->fault);
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
