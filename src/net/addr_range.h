/* SPDX-License-Identifier: MIT */
/*
 * Addresses and ranges in one form: 16 bytes, IPv4 as ::ffff:a.b.c.d. So an IPv4 address and its
 * IPv4-mapped twin are the same thing here, as they are to the kernel.
 */
#ifndef LN_ADDR_RANGE_H
#define LN_ADDR_RANGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/str.h"

struct ln_addr16 {
    uint8_t b[16];
};

struct ln_range {
    struct ln_addr16 base;
    unsigned bits; /* 0 to 128, counted in the 16-byte form */
};

/* False for another family than IPv4 and IPv6. */
bool ln_addr16_of(const struct sockaddr *addr, struct ln_addr16 *out);
void ln_addr16_to(const struct ln_addr16 *addr, struct sockaddr_storage *out); /* port 0 */
bool ln_addr16_is_v4(const struct ln_addr16 *addr);
bool ln_addr16_eq(const struct ln_addr16 *a, const struct ln_addr16 *b);
/* "10.0.0.0/8", "fd00::/8", or a single address; host bits may be set. */
bool ln_range_parse(struct lb_str text, struct ln_range *range);
/* The same as its writer meant it: ::/0 and its like are of IPv6, and hold no IPv4 address. */
bool ln_range_names(const struct ln_range *range, const struct ln_addr16 *addr);
bool ln_range_holds(const struct ln_range *range, const struct ln_addr16 *addr);

#endif
