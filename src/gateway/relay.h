/* SPDX-License-Identifier: MIT */
/*
 * RELAY: the platform's answer on its way to the client.
 *
 *   exchange --head--> [2xx: our head | else: collected] --payload--> filter --> signing --> client
 *        ^                                                               (or none)         |
 *        +------------------ pause while more than LG_OUT_HIGH wait <----------------------+
 *
 * Slices of one read leave in one write, together with the head if it came in the same read. The
 * last of them leave in FINISH, behind the attempt's record.
 */
#ifndef LG_RELAY_H
#define LG_RELAY_H

#include "gateway/request.h"
#include "upstream/exchange.h"

extern const struct lu_face lg_relay_face;

/* SEND: the exchange has started. */
void lg_relay_start(struct lg_request *request);
/* FINISH: the last bytes of an answer that is all here, its end with them if it is complete. */
void lg_relay_last(struct lg_request *request);
/* FINISH: do the bytes that have left end where an event of ours may follow? */
bool lg_relay_at_boundary(const struct lg_request *request);

#endif
