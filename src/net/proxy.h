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

struct ln_proxy_settings {
    const char *url;      /* see ln_proxy_new */
    const char *no_proxy; /* NULL: none */
    /* The variable that it was inherited from, made for every program; NULL: set for this one. */
    const char *url_from;
    const char *no_proxy_from;
};

/*
 * `url`: [http://][user:password@]host[:port][/], percent-escapes in the credentials, port 80 if
 * none. `no_proxy`: entries with commas, semicolons or blanks between them: "*" (everything), a
 * name
 * ("example.com" matches itself and what ends in ".example.com"; so does ".example.com"), an
 * address, a range in CIDR notation, a pattern ("192.168.*", "*-test.example.com"), "<local>"
 * (names without a dot); a name or address may carry ":port", and be written as a URL.
 *
 * What was set for this program and is not understood is ERR_CONFIG, without the credentials. What
 * was inherited fails nobody who does not need it: a bad URL the dials that would go through it
 * (ln_proxy_check), bad entries are left out, which is told once, when the list is first asked.
 */
LLMGR_MUST_CHECK llmgr_status ln_proxy_make(const struct lb_host *host,
                                            const struct ln_proxy_settings *settings,
                                            struct ln_proxy **proxy, struct llmgr_error *err);
/* The same of settings that nobody inherited. */
LLMGR_MUST_CHECK llmgr_status ln_proxy_new(const struct lb_host *host, const char *url,
                                           const char *no_proxy, struct ln_proxy **proxy,
                                           struct llmgr_error *err);
void ln_proxy_free(struct ln_proxy *proxy); /* wipes the credentials; NULL is fine */

/* Does a connection to host (no brackets) and port go through the proxy? NULL: false. */
bool ln_proxy_applies(const struct ln_proxy *proxy, struct lb_str host, uint16_t port);
/* ERR_CONFIG, naming the variable, if the proxy's URL cannot be used. */
LLMGR_MUST_CHECK llmgr_status ln_proxy_check(const struct ln_proxy *proxy, struct llmgr_error *err);
const char *ln_proxy_host(const struct ln_proxy *proxy);
uint16_t ln_proxy_port(const struct ln_proxy *proxy);

#endif
