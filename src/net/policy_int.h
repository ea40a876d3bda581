/* SPDX-License-Identifier: MIT */
/* The judgement itself, for the dialer. */
#ifndef LN_POLICY_INT_H
#define LN_POLICY_INT_H

#include "net/policy.h"

/* NULL if this class may connect there; else what the address is, as a msgid. */
const char *ln_policy_refusal(const struct ln_policy *policy, enum ln_class klass,
                              const struct sockaddr *addr);

/*
 * Both ends of a connection that was just made: has it come to a listener of ours on all addresses,
 * by an address that this machine did not have when the policy was made?
 */
bool ln_policy_leads_here(const struct ln_policy *policy, const struct sockaddr *local,
                          const struct sockaddr *peer);

#endif
