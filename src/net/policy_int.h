/* SPDX-License-Identifier: MIT */
/* The judgement itself, for the dialer. */
#ifndef LN_POLICY_INT_H
#define LN_POLICY_INT_H

#include "net/policy.h"

/* NULL if this class may connect there; else what the address is, as a msgid. */
const char *ln_policy_refusal(const struct ln_policy *policy, enum ln_class klass,
                              const struct sockaddr *addr);

#endif
