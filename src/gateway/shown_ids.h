/* SPDX-License-Identifier: MIT */
/*
 * Ids that were shown to a caller with a tail (signing.h, signed_id.h) and come back in a path, a
 * query or a JSON body:
 *
 *     GET /v1/responses/resp_68a1f0.Zm9v...7      {"previous_response_id":"resp_68a1f0.Zm9v...7"}
 *
 * With a key that is not the caller's own, each must be one that was signed for him, for the
 * platform the request goes to; then the platform gets its own id. Any other is refused, be it
 * foreign, forged, bare or unknown, and all alike. With his own key everything goes as it came.
 */
#ifndef LG_SHOWN_IDS_H
#define LG_SHOWN_IDS_H

#include "gateway/request.h"

/* For READ, of a request that names no model: the platform its ids say they are of; 0: none. */
int64_t lg_shown_platform(const struct lg_request *request);
/* FAIL: there is no such thing, as far as this caller is concerned. */
enum lg_verdict lg_shown_refuse(struct lg_request *request);

#endif
