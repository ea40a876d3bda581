/* SPDX-License-Identifier: MIT */
/*
 * Names to addresses, off the loop. Only the dialer uses this. A look-up cannot be interrupted
 * once the system's resolver works on it; abandoning it leaves it to end by itself, heard by
 * nobody. libuv lets look-ups take half of its threads, so hanging ones do not stop other work.
 */
#ifndef LN_RESOLVE_H
#define LN_RESOLVE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/host.h"
#include "net/dial.h"

/* `count` 0: there is no such name, `why` (a system text, never NULL) says what was heard. */
typedef void (*ln_resolved_fn)(void *context, const struct sockaddr_storage *addrs, size_t count,
                               const char *why);

/*
 * `done` runs once, later or (with a `resolver` that answers at once) inside this call, unless the
 * answer is abandoned first. `absolute`: the name is complete, no search domain is tried.
 */
LLMGR_MUST_CHECK llmgr_status ln_resolve(struct ln_loop *loop, const struct ln_resolver *resolver,
                                         const char *name, bool absolute, ln_resolved_fn done,
                                         void *context, struct ln_answer **answer,
                                         struct llmgr_error *err);
void ln_resolve_abandon(struct ln_answer *answer);

#endif
