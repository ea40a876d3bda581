/* SPDX-License-Identifier: MIT */
/*
 * The address rules. An address of class PRIVATE passes if none of these says no, in this order:
 *
 *   our own end points           never, and those that are this gateway not for class SYSTEM either
 *   NEVER rows of net/deny.def   never
 *   the operator's allow list    passes this address, at any port
 *   CLOSED rows, IPv6 outside 2000::/3, ports not on the list
 *
 * and if it carries IPv4 addresses inside (NAT64, 6to4, Teredo, ISATAP, IPv4-translated and
 * -compatible), each of those passes too. Class SYSTEM is the operator's word and passes, but for
 * this gateway itself.
 */
#include "net/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <uv.h>

#include "base/error.h"
#include "net/addr.h"
#include "net/addr_range.h"
#include "net/policy_int.h"

enum rule { NEVER, CLOSED };

struct deny {
    enum rule rule;
    const char *range;
    const char *what;
};

static const struct deny DENY[] = {
#define LN_RANGE(rule, range, what) {rule, range, what},
#include "net/deny.def"
};

static const struct {
    const char *name;
    const char *what;
} SUFFIXES[] = {
#define LN_SUFFIX(name, what) {name, what},
#include "net/deny.def"
};

enum {
    DENY_COUNT = sizeof(DENY) / sizeof(DENY[0]),
    SUFFIX_COUNT = sizeof(SUFFIXES) / sizeof(SUFFIXES[0]),
    LIST_MAX = 4096, /* entries of any list the operator gives */
};

struct own {
    struct ln_addr16 addr;
    uint16_t port; /* 0: every port */
    bool self;
};

struct own_name {
    char *name;
    uint16_t port; /* as above; for class SYSTEM only */
    bool self;
};

struct ln_policy {
    const struct lb_host *host;
    struct ln_range deny[DENY_COUNT]; /* DENY, parsed */
    struct ln_range *allow;
    size_t allow_count;
    struct own *own;
    size_t own_count;
    struct own_name *own_names;
    size_t own_name_count;
    uint16_t *ports;
    size_t port_count;
    bool allow_http;
    bool own_anywhere; /* a listener on all addresses: those of 127/8 are ours too */
};

static const char OURS[] = N_("an address of this service itself");
static const char REMEDY[] =
    N_("%s is %s: private platforms need a public https address; the operator may allow more");

/* ---- Making one ------------------------------------------------------------------------------ */

static llmgr_status add_own(struct ln_policy *policy, const struct ln_addr16 *addr,
                            const struct ln_endpoint *endpoint)
{
    struct own *more =
        lb_realloc_array(policy->host, policy->own, policy->own_count + 1, sizeof(*more));
    if (more == NULL)
        return LLMGR_ERR_NO_MEMORY;
    policy->own = more;
    policy->own[policy->own_count++] = (struct own){*addr, endpoint->port, endpoint->self};
    return LLMGR_OK;
}

/* Every address of this machine's interfaces; of those it gets later see ln_policy_leads_here. */
static llmgr_status add_interfaces(struct ln_policy *policy, const struct ln_endpoint *endpoint)
{
    uv_interface_address_t *list = NULL;
    int count = 0;
    if (uv_interface_addresses(&list, &count) != 0)
        return LLMGR_OK; /* not told: the deny table and loopback still hold */
    llmgr_status status = LLMGR_OK;
    for (int i = 0; i < count && status == LLMGR_OK; i++) {
        struct ln_addr16 addr;
        struct sockaddr_storage storage = {0};
        memcpy(&storage, &list[i].address, sizeof(list[i].address));
        if (ln_addr16_of((struct sockaddr *)&storage, &addr))
            status = add_own(policy, &addr, endpoint);
    }
    uv_free_interface_addresses(list, count);
    return status;
}

static llmgr_status add_own_name(struct ln_policy *policy, const struct ln_endpoint *endpoint)
{
    struct own_name *more = lb_realloc_array(policy->host, policy->own_names,
                                             policy->own_name_count + 1, sizeof(*more));
    if (more == NULL)
        return LLMGR_ERR_NO_MEMORY;
    policy->own_names = more;
    char *copy = lb_strdup(policy->host, endpoint->host);
    if (copy == NULL)
        return LLMGR_ERR_NO_MEMORY;
    policy->own_names[policy->own_name_count++] =
        (struct own_name){copy, endpoint->port, endpoint->self};
    return LLMGR_OK;
}

llmgr_status ln_policy_shut(struct ln_policy *policy, const struct ln_endpoint *endpoint,
                            struct llmgr_error *err)
{
    struct sockaddr_storage storage;
    struct ln_addr16 addr;
    llmgr_status status;
    switch (ln_host_kind(lb_cstr(endpoint->host), &storage)) {
    case LN_HOST_IPV4:
    case LN_HOST_IPV6:
        break;
    case LN_HOST_NAME:
        status = add_own_name(policy, endpoint);
        return status == LLMGR_OK ? status : lb_fail_memory(err);
    default:
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s is neither an address nor a host name"),
                       endpoint->host != NULL ? endpoint->host : "(null)");
    }
    static const struct ln_range none4 = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}}, 128};
    static const struct ln_range none6 = {{{0}}, 128};
    (void)ln_addr16_of((struct sockaddr *)&storage, &addr); /* of these two kinds it is one */
    if (ln_range_holds(&none4, &addr) || ln_range_holds(&none6, &addr)) {
        policy->own_anywhere = true;
        status = add_interfaces(policy, endpoint);
        if (status == LLMGR_OK)
            status = add_own(policy, &none6.base, endpoint);
    } else {
        status = add_own(policy, &addr, endpoint);
    }
    return status == LLMGR_OK ? status : lb_fail_memory(err);
}

static llmgr_status add_lists(struct ln_policy *policy, const struct ln_policy_options *options,
                              struct llmgr_error *err)
{
    static const uint16_t secure[] = {443, 80};
    const uint16_t *ports = options->ports;
    size_t port_count = options->port_count;
    if (port_count == 0) {
        ports = secure;
        port_count = options->allow_http ? 2 : 1;
    }
    if (options->allow_count > LIST_MAX || port_count > LIST_MAX || options->own_count > LIST_MAX)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("a list of the address rules has over %d entries"),
                       LIST_MAX);
    policy->allow = lb_calloc(policy->host, options->allow_count + 1, sizeof(*policy->allow));
    policy->ports = lb_memdup(policy->host, ports, port_count * sizeof(*ports));
    if (policy->allow == NULL || policy->ports == NULL)
        return lb_fail_memory(err);
    policy->port_count = port_count;
    policy->allow_http = options->allow_http;
    for (size_t i = 0; i < options->allow_count; i++) {
        if (!ln_range_parse(lb_cstr(options->allow[i]), &policy->allow[i]))
            return lb_fail(err, LLMGR_ERR_CONFIG,
                           N_("%s is no address range; write it like 10.1.0.0/16 or fd00::/8"),
                           options->allow[i] != NULL ? options->allow[i] : "(null)");
        policy->allow_count++;
    }
    for (size_t i = 0; i < options->own_count; i++) {
        llmgr_status status = ln_policy_shut(policy, &options->own[i], err);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

llmgr_status ln_policy_new(const struct lb_host *host, const struct ln_policy_options *options,
                           struct ln_policy **out, struct llmgr_error *err)
{
    static const struct ln_policy_options defaults = {0};
    struct ln_policy *policy = lb_calloc(host, 1, sizeof(*policy));
    if (policy == NULL)
        return lb_fail_memory(err);
    policy->host = host;
    for (size_t i = 0; i < DENY_COUNT; i++) {
        if (!ln_range_parse(lb_cstr(DENY[i].range), &policy->deny[i])) {
            ln_policy_free(policy);
            return lb_fail(err, LLMGR_ERR_INTERNAL,
                           N_("the table of closed addresses is damaged: %s"), DENY[i].range);
        }
    }
    llmgr_status status = add_lists(policy, options != NULL ? options : &defaults, err);
    if (status != LLMGR_OK) {
        ln_policy_free(policy);
        return status;
    }
    *out = policy;
    return LLMGR_OK;
}

void ln_policy_free(struct ln_policy *policy)
{
    if (policy == NULL)
        return;
    for (size_t i = 0; i < policy->own_name_count; i++)
        lb_free(policy->host, policy->own_names[i].name);
    lb_free(policy->host, policy->own_names);
    lb_free(policy->host, policy->own);
    lb_free(policy->host, policy->allow);
    lb_free(policy->host, policy->ports);
    lb_free(policy->host, policy);
}

/* ---- Addresses ------------------------------------------------------------------------------- */

static bool port_is_open(const struct ln_policy *policy, uint16_t port)
{
    for (size_t i = 0; i < policy->port_count; i++) {
        if (policy->ports[i] == port || policy->ports[i] == 0)
            return true;
    }
    return false;
}

static const struct ln_addr16 ANYWHERE6 = {{0}};

/* Of class SYSTEM only this gateway itself is ours. */
static bool is_own(const struct ln_policy *policy, enum ln_class klass,
                   const struct ln_addr16 *addr, uint16_t port)
{
    static const struct ln_range loopback4 = {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 127}},
                                              104};
    static const struct ln_addr16 loopback6 = {{[15] = 1}};
    static const struct ln_addr16 anywhere4 = {{[10] = 0xff, [11] = 0xff}};
    bool loopback = ln_range_holds(&loopback4, addr) || ln_addr16_eq(addr, &loopback6);
    /* Who connects to no address in particular reaches this machine. */
    bool anywhere = ln_addr16_eq(addr, &ANYWHERE6) || ln_addr16_eq(addr, &anywhere4);
    for (size_t i = 0; i < policy->own_count; i++) {
        const struct own *own = &policy->own[i];
        if ((own->port != 0 && own->port != port) || (klass == LN_CLASS_SYSTEM && !own->self))
            continue;
        if (ln_addr16_eq(&own->addr, addr) || anywhere)
            return true;
        if (policy->own_anywhere && loopback && ln_addr16_eq(&own->addr, &ANYWHERE6))
            return true;
    }
    return false;
}

bool ln_policy_leads_here(const struct ln_policy *policy, const struct sockaddr *local,
                          const struct sockaddr *peer)
{
    struct ln_addr16 from, to;
    uint16_t port = ln_addr_port(peer);
    if (policy == NULL || !policy->own_anywhere || !ln_addr16_of(local, &from) ||
        !ln_addr16_of(peer, &to) || !ln_addr16_eq(&from, &to))
        return false;
    for (size_t i = 0; i < policy->own_count; i++) {
        const struct own *own = &policy->own[i];
        if (own->self && own->port == port && ln_addr16_eq(&own->addr, &ANYWHERE6))
            return true;
    }
    return false;
}

/* One address by itself: NULL, or what it is that makes it refused. */
static const char *judge_one(const struct ln_policy *policy, const struct ln_addr16 *addr,
                             uint16_t port)
{
    static const struct ln_range global6 = {{{0x20}}, 3};
    if (is_own(policy, LN_CLASS_PRIVATE, addr, port))
        return OURS;
    const char *closed = NULL;
    for (size_t i = 0; i < DENY_COUNT; i++) {
        if (!ln_range_holds(&policy->deny[i], addr))
            continue;
        if (DENY[i].rule == NEVER)
            return DENY[i].what;
        if (closed == NULL)
            closed = DENY[i].what;
    }
    for (size_t i = 0; i < policy->allow_count; i++) {
        if (ln_range_names(&policy->allow[i], addr))
            return NULL;
    }
    if (closed == NULL && !ln_addr16_is_v4(addr) && !ln_range_holds(&global6, addr))
        closed = N_("not a public address");
    if (closed == NULL && !port_is_open(policy, port))
        closed = N_("at a port that is not open for private platforms");
    return closed;
}

/*
 * Where an IPv6 address carries an IPv4 one, to which a relay, a translator or a tunnel of this
 * machine's would deliver: `at` in bytes, `mask` inverts it. Prefixes of an operator's own (6rd,
 * NAT64) cannot be known here.
 */
static const struct carrier {
    struct ln_range range;
    uint8_t at;
    uint8_t mask;
} CARRIERS[] = {
    {{{{0, 0x64, 0xff, 0x9b}}, 96}, 12, 0},      /* NAT64, RFC 6052 */
    {{{{[8] = 0xff, [9] = 0xff}}, 96}, 12, 0},   /* IPv4-translated, RFC 2765 */
    {{{{0}}, 96}, 12, 0},                        /* IPv4-compatible, RFC 4291 2.5.5.1 */
    {{{{0x20, 0x02}}, 16}, 2, 0},                /* 6to4, RFC 3056 */
    {{{{0x20, 0x01, 0, 0}}, 32}, 4, 0},          /* Teredo's server, RFC 4380 */
    {{{{0x20, 0x01, 0, 0}}, 32}, 12, UINT8_MAX}, /* and its client */
};

enum { CARRIER_COUNT = sizeof(CARRIERS) / sizeof(CARRIERS[0]), INNER_MAX = CARRIER_COUNT + 1 };

/* ISATAP (RFC 5214 section 6.1): the interface ID is [0-3]00:5efe:a.b.c.d, below any prefix. */
static bool is_isatap(const struct ln_addr16 *addr)
{
    const uint8_t *b = addr->b;
    return (b[8] & 0xfc) == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe;
}

/* The IPv4 addresses that an IPv6 address carries; returns how many. */
static size_t inner_addresses(const struct ln_addr16 *addr, struct ln_addr16 inner[INNER_MAX])
{
    static const struct ln_range short_ones = {{{0}}, 120}; /* ::1 and ::, which have own rows */
    size_t count = 0;
    if (ln_addr16_is_v4(addr) || ln_range_holds(&short_ones, addr))
        return 0;
    for (size_t i = 0; i <= CARRIER_COUNT; i++) {
        static const struct carrier isatap = {.at = 12};
        const struct carrier *carrier = i < CARRIER_COUNT ? &CARRIERS[i] : &isatap;
        if (i < CARRIER_COUNT ? !ln_range_holds(&carrier->range, addr) : !is_isatap(addr))
            continue;
        inner[count] = (struct ln_addr16){{[10] = 0xff, [11] = 0xff}};
        for (size_t j = 0; j < 4; j++)
            inner[count].b[12 + j] = addr->b[carrier->at + j] ^ carrier->mask;
        count++;
    }
    return count;
}

const char *ln_policy_refusal(const struct ln_policy *policy, enum ln_class klass,
                              const struct sockaddr *addr)
{
    struct ln_addr16 whole;
    uint16_t port = ln_addr_port(addr);
    bool known = ln_addr16_of(addr, &whole);
    if (klass == LN_CLASS_SYSTEM)
        return policy != NULL && known && is_own(policy, klass, &whole, port) ? OURS : NULL;
    if (!known)
        return N_("not an internet address");
    const char *what = judge_one(policy, &whole, port);
    struct ln_addr16 inner[INNER_MAX];
    size_t count = inner_addresses(&whole, inner);
    for (size_t i = 0; i < count && what == NULL; i++)
        what = judge_one(policy, &inner[i], port);
    return what;
}

/* What is ours no operator can open. */
static llmgr_status refuse_address(struct llmgr_error *err, const char *shown, const char *what)
{
    if (what == OURS)
        return lb_fail(err, LLMGR_ERR_ADDRESS, N_("%s is %s: no platform can be there"), shown,
                       lb_tr(what));
    return lb_fail(err, LLMGR_ERR_ADDRESS, REMEDY, shown, lb_tr(what));
}

llmgr_status ln_policy_judge_addr(const struct ln_policy *policy, enum ln_class klass,
                                  const struct sockaddr *addr, struct llmgr_error *err)
{
    const char *what = ln_policy_refusal(policy, klass, addr);
    if (what == NULL)
        return LLMGR_OK;
    char text[80];
    return refuse_address(err, ln_addr_text(addr, text, sizeof(text)), what);
}

/* ---- Hosts of URLs --------------------------------------------------------------------------- */

static bool is_below(struct lb_str name, struct lb_str suffix)
{
    if (name.size < suffix.size)
        return false;
    struct lb_str tail = lb_str_sub(name, name.size - suffix.size, name.size);
    return lb_str_eq_nocase(tail, suffix) &&
           (tail.size == name.size || name.p[name.size - suffix.size - 1] == '.');
}

/* A name by its form: NULL, or what it is that makes it refused for class PRIVATE. */
static const char *judge_name(const struct ln_policy *policy, struct lb_str name)
{
    if (name.p[name.size - 1] == '.')
        return N_("a name with a final dot");
    for (size_t i = 0; i < SUFFIX_COUNT; i++) {
        if (is_below(name, lb_cstr(SUFFIXES[i].name)))
            return SUFFIXES[i].what;
    }
    if (lb_str_find(name, '.') == name.size)
        return N_("a name without a domain");
    for (size_t i = 0; i < policy->own_name_count; i++) {
        if (lb_str_eq_nocase(name, lb_cstr(policy->own_names[i].name)))
            return OURS;
    }
    return NULL;
}

/* The operator's word: anything but this gateway. Other ports of its name may be other servers. */
static const char *judge_system(const struct ln_policy *policy, enum ln_host_kind kind,
                                struct lb_str host, struct sockaddr_storage *addr, uint16_t port)
{
    if (policy == NULL)
        return NULL;
    if (kind != LN_HOST_NAME) {
        ln_addr_set_port(addr, port);
        return ln_policy_refusal(policy, LN_CLASS_SYSTEM, (const struct sockaddr *)addr);
    }
    if (host.p[host.size - 1] == '.')
        host.size--;
    for (size_t i = 0; i < policy->own_name_count; i++) {
        const struct own_name *own = &policy->own_names[i];
        if (own->self && (own->port == 0 || own->port == port) &&
            lb_str_eq_nocase(host, lb_cstr(own->name)))
            return OURS;
    }
    return NULL;
}

static const char *judge_private(const struct ln_policy *policy, enum ln_host_kind kind,
                                 struct lb_str host, struct sockaddr_storage *addr, bool secure,
                                 uint16_t port)
{
    if (!secure && !policy->allow_http)
        return N_("not reached by https");
    if (kind != LN_HOST_NAME) {
        ln_addr_set_port(addr, port);
        return ln_policy_refusal(policy, LN_CLASS_PRIVATE, (const struct sockaddr *)addr);
    }
    /* A name may lead to an allowed range, where every port is open: then the dial judges it. */
    if (policy->allow_count == 0 && !port_is_open(policy, port))
        return N_("at a port that is not open for private platforms");
    return judge_name(policy, host);
}

/* Outside bytes, fit for a message: as far as they fit, without control characters. */
static void show_host(struct lb_str host, char *shown, size_t size)
{
    bool utf8 = lb_utf8_valid(host);
    size_t count = lb_utf8_cut(host, size - 1);
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)host.p[i];
        shown[i] = c < 0x20 || c == 0x7f || (c >= 0x80 && !utf8) ? '?' : host.p[i];
    }
    shown[count] = '\0';
}

llmgr_status ln_policy_judge_url_host(const struct ln_policy *policy, enum ln_class klass,
                                      struct lb_str scheme, struct lb_str host, unsigned port,
                                      struct llmgr_error *err)
{
    char shown[96];
    show_host(host, shown, sizeof(shown));
    bool secure = lb_str_eq_nocase(scheme, LB_STR("https"));
    if (!secure && !lb_str_eq_nocase(scheme, LB_STR("http")))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the scheme of an address is http or https"));
    if (port == 0 || port > 65535)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the port of %s is not between 1 and 65535"),
                       shown);
    struct sockaddr_storage addr;
    enum ln_host_kind kind = ln_host_kind(host, &addr);
    if (kind == LN_HOST_INVALID)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("\"%s\" is no host name and no address"), shown);
    if (kind == LN_HOST_NUMERIC)
        return lb_fail(err, LLMGR_ERR_ADDRESS,
                       N_("%s is an unusual form of an address; write four decimal numbers, like "
                          "192.0.2.7"),
                       shown);
    const char *what = klass == LN_CLASS_SYSTEM
                           ? judge_system(policy, kind, host, &addr, (uint16_t)port)
                           : judge_private(policy, kind, host, &addr, secure, (uint16_t)port);
    return what == NULL ? LLMGR_OK : refuse_address(err, shown, what);
}
