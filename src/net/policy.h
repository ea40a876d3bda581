/* SPDX-License-Identifier: MIT */
/*
 * The address rules (egress policy): where may a connection go, on whose word?
 *
 * LN_CLASS_SYSTEM   the operator's word (system platforms): any address but this gateway's own,
 * http or https. LN_CLASS_PRIVATE  a user's word (private platforms): https to public unicast
 * addresses, and what the operator opened. Some addresses stay shut whatever the operator opens:
 * link-local, cloud metadata, multicast, unspecified and reserved ones, our own listeners, the
 * database.
 *
 * An address is judged twice. When it is stored: ln_policy_judge_url_host, which touches no
 * network (a literal is judged in full, a name by its form). When it is connected to: the dialer
 * judges every address the name resolved to (ln_policy_judge_addr) and connects only if all pass.
 * The table of shut ranges is net/deny.def. A policy does not change once more than one thread has
 * it: then any of them may read it.
 */
#ifndef LN_POLICY_H
#define LN_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/host.h"
#include "base/str.h"

enum ln_class { LN_CLASS_SYSTEM = 0, LN_CLASS_PRIVATE = 1 };

/* One of our own end points: never reachable for class PRIVATE, nor for SYSTEM if it is `self`. */
struct ln_endpoint {
    /* A literal address ("0.0.0.0" and "::" stand for every address of this machine), or a host
     * name. Names are shut by name, for class PRIVATE at every port: what they lead to is added
     * beside them, unless others may share it. */
    const char *host;
    uint16_t port; /* 0: every port */
    bool self;     /* where this gateway is reached: a platform there would be a circle */
};

struct ln_policy_options {
    /* What the operator opens for class PRIVATE: "10.1.0.0/16", "fd00::/8", "192.0.2.7". */
    const char *const *allow;
    size_t allow_count;
    bool allow_http; /* class PRIVATE may use http as well */
    /* Ports for class PRIVATE at public addresses; none: 443 (and 80 with allow_http). An entry 0
     * opens every port. At addresses that `allow` opens, every port is open. */
    const uint16_t *ports;
    size_t port_count;
    const struct ln_endpoint *own; /* listeners, database */
    size_t own_count;
};

struct ln_policy;

/* `options` may be NULL: the defaults. ERR_CONFIG names an entry that is no address or range. */
LLMGR_MUST_CHECK llmgr_status ln_policy_new(const struct lb_host *host,
                                            const struct ln_policy_options *options,
                                            struct ln_policy **policy, struct llmgr_error *err);
void ln_policy_free(struct ln_policy *policy); /* NULL is fine */
/* One more end point of ours. Before other threads have the policy. */
LLMGR_MUST_CHECK llmgr_status ln_policy_shut(struct ln_policy *policy,
                                             const struct ln_endpoint *endpoint,
                                             struct llmgr_error *err);

/*
 * May this class connect there (address and port)? ERR_ADDRESS if not. IPv4-mapped, NAT64, 6to4,
 * Teredo, ISATAP, IPv4-translated and -compatible forms are judged by the inner addresses too.
 */
LLMGR_MUST_CHECK llmgr_status ln_policy_judge_addr(const struct ln_policy *policy,
                                                   enum ln_class klass, const struct sockaddr *addr,
                                                   struct llmgr_error *err);
/*
 * May this class store a URL with this origin? `scheme` is "http" or "https" (any case), `host` as
 * in the URL (an IPv6 literal with or without brackets), `port` explicit. ERR_ADDRESS if not;
 * ERR_INVALID if it is no host at all. Numeric forms other than four plain decimal numbers
 * (127.1, 0x7f000001, 2130706433, 0251.0376.0251.0376) are refused for both classes.
 */
LLMGR_MUST_CHECK llmgr_status ln_policy_judge_url_host(const struct ln_policy *policy,
                                                       enum ln_class klass, struct lb_str scheme,
                                                       struct lb_str host, unsigned port,
                                                       struct llmgr_error *err);

enum ln_host_kind {
    LN_HOST_INVALID = 0, /* no host: empty, over-long, a bad byte or label */
    LN_HOST_NAME,        /* a DNS name */
    LN_HOST_IPV4,        /* four decimal numbers, none with a leading zero */
    LN_HOST_IPV6,        /* with or without brackets; no zone */
    LN_HOST_NUMERIC,     /* a number that resolvers would take for an address: refused */
};

/* What a host of a URL is; fills *addr (port 0) for the two literals. Touches no network. */
enum ln_host_kind ln_host_kind(struct lb_str host, struct sockaddr_storage *addr);

#endif
