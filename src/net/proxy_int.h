/* SPDX-License-Identifier: MIT */
/* The inside of a proxy, for the dialer. */
#ifndef LN_PROXY_INT_H
#define LN_PROXY_INT_H

#include "net/proxy.h"

/* The value of Proxy-Authorization ("Basic …"), or NULL. A secret; borrowed. */
const char *ln_proxy_authorization(const struct ln_proxy *proxy);

#endif
