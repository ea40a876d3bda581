/* SPDX-License-Identifier: MIT */
/*
 * The operator's forward proxy (HTTPS_PROXY) and the hosts that go without it (NO_PROXY). Plain
 * http proxies only, asked with CONNECT; credentials by Basic. Immutable once made.
 */
#ifndef LN_PROXY_H
#define LN_PROXY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"

struct ln_proxy;

/*
 * `url`: http://[user:password@]host[:port][/], percent-escapes in the credentials, port 80 if
 * none. `no_proxy` (may be NULL): comma- or space-separated entries: "*" (everything), a name
 * ("example.com" matches itself and what ends in ".example.com"; so does ".example.com"), an
 * address, or a range in CIDR notation; a name or address may carry ":port". ERR_CONFIG says what
 * is wrong, without the credentials.
 */
LLMGR_MUST_CHECK llmgr_status ln_proxy_new(const struct lb_host *host, const char *url,
                                           const char *no_proxy, struct ln_proxy **proxy,
                                           struct llmgr_error *err);
void ln_proxy_free(struct ln_proxy *proxy); /* wipes the credentials; NULL is fine */

/* Does a connection to host (no brackets) and port go through the proxy? NULL: false. */
bool ln_proxy_applies(const struct ln_proxy *proxy, struct lb_str host, uint16_t port);
const char *ln_proxy_host(const struct ln_proxy *proxy);
uint16_t ln_proxy_port(const struct ln_proxy *proxy);

#endif
