/* SPDX-License-Identifier: MIT */
/* One request to an address that is no model's, such as the API of a running gateway. */
#ifndef LI_FETCH_H
#define LI_FETCH_H

#include "base/buf.h"
#include "llm/call.h"

enum { LI_FETCH_MS = 30000 }; /* how long all of it may take */

/*
 * Asks `path` (with its query) below the peer's address and waits for the whole answer. LLMGR_OK:
 * one came, of any HTTP status; its body is added to `body`, as far as that takes it. Errors as of
 * upstream/exchange.h; they quote no key.
 */
LLMGR_MUST_CHECK llmgr_status li_call_fetch(struct li_call *call, const struct li_peer *peer,
                                            struct lb_str method, struct lb_str path,
                                            int *http_status, struct lb_buf *body,
                                            struct llmgr_error *err);

#endif
