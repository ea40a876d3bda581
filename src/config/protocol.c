/* SPDX-License-Identifier: MIT */
/* The protocols that a platform may speak; see protocols.def. */
#include "config/protocol.h"

bool lc_protocol_is(struct lb_str text)
{
    static const char *const PROTOCOLS[] = {
#define XX(name, protocol, dialect, line) protocol,
#include "config/protocols.def"
#undef XX
    };

    for (size_t i = 0; i < sizeof PROTOCOLS / sizeof *PROTOCOLS; i++) {
        if (lb_str_eq_c(text, PROTOCOLS[i]))
            return true;
    }
    return false;
}
