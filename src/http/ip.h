/* SPDX-License-Identifier: MIT */
/* The texts of addresses, without the sockets' headers. Private to http/. */
#ifndef LH_IP_H
#define LH_IP_H

#include "base/str.h"

enum { LH_IP_TEXT_MAX = 45 }; /* of either kind, without a NUL */

/* Four decimal numbers up to 255 without leading zeros. */
bool lh_ipv4_parse(struct lb_str s, uint8_t address[4]);
/* RFC 4291 section 2.2, without a zone. */
bool lh_ipv6_parse(struct lb_str s, uint8_t address[16]);
/* Write the canonical text and return the byte behind it; no NUL. */
char *lh_ipv4_put(char *at, const uint8_t address[4]);
/* RFC 5952: lower-case, the longest run of zeros as "::", IPv4-mapped addresses with a dotted tail.
 */
char *lh_ipv6_put(char *at, const uint8_t address[16]);
/* Decimal digits. */
char *lh_decimal_put(char *at, unsigned value);

#endif
