/* SPDX-License-Identifier: MIT */
/*
 * One request's way: a table of small steps, driven by lg_request_run. A step returns
 *
 *   NEXT  go on with the next step          WAIT  something will call lg_request_run again
 *   FAIL  request->error says why: an error answer in the endpoint's dialect, then SETTLE
 *   DONE  the answer is complete (or the client gone): SETTLE, then FINISH
 *
 * Only move() in request.c changes request->step, and traces it at level debug.
 *
 * Memory: the head lies in the worker's scratch or in the read buffer as long as everything
 * happens within one turn; lg_request_keep copies it when a step has to wait. The body lies in one
 * buffer of its own that is given back as soon as the platform answers. What remains while a
 * stream idles is this struct and its first arena block.
 */
#ifndef LG_REQUEST_H
#define LG_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "gateway/call.h"
#include "gateway/route.h"
#include "gateway/worker.h"
#include "http/body.h"
#include "manager/resolve.h"
#include "upstream/exchange.h"

struct lg_client;

/* XX(NAME, function) in the order of the way. */
#define LG_STEP_MAP(XX)                                                                            \
    XX(ACCEPT, accept)     /* head -> id, sanity */                                                \
    XX(MATCH, match)       /* method + path -> route; CORS preflight, own answers without token */ \
    XX(IDENTIFY, identify) /* token -> caller, scope */                                            \
    XX(READ, read)         /* body up to its cap; peek */                                          \
    XX(HANDLE, handle)     /* our own routes: the handler's answer; relayed ones pass */           \
    XX(TARGET, target)     /* resolve: platform, model, key, payer */                              \
    XX(ADMIT, admit)       /* may this payer spend? */                                             \
    XX(CONNECT, connect)   /* what is sent: splice, fields */                                      \
    XX(SEND, send)         /* the exchange starts, streamed bodies are fed */                      \
    XX(RELAY, relay)       /* platform -> taps -> client */                                        \
    XX(SETTLE, settle)     /* one usage record per attempt; a retry goes back to CONNECT */        \
    XX(FINISH, finish)     /* access log, metrics, keep-alive or close */

enum lg_step {
#define LG_STEP_ENUM(name, function) LG_STEP_##name,
    LG_STEP_MAP(LG_STEP_ENUM)
#undef LG_STEP_ENUM
        LG_STEP_COUNT
};

enum lg_verdict { LG_NEXT, LG_WAIT, LG_FAIL, LG_DONE };

/* How an attempt ended, in the ledger's words. */
enum lg_end {
    LG_END_NONE,
    LG_END_COMPLETED,
    LG_END_UPSTREAM_ERROR,
    LG_END_UPSTREAM_CUT,
    LG_END_CLIENT_GONE,
    LG_END_LIMIT_CUT
};

#endif
