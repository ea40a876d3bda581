/* SPDX-License-Identifier: MIT */
/* The host part of targets, Host fields and URLs. Private to http/. */
#ifndef LH_HOST_H
#define LH_HOST_H

#include "base/str.h"

/* "name", "1.2.3.4" or "[::1]", each with an optional ":port"? */
bool lh_host_field_valid(struct lb_str s);
/* 1 to 5 digits that make 1 to 65535. */
bool lh_port_parse(struct lb_str s, uint16_t *port);
/* A character of a registered name as we accept it: LDH, the dot, and '_' of container names. */
bool lh_host_byte(char c);

#endif
