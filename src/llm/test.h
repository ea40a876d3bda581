/* SPDX-License-Identifier: MIT */
/*
 * The test of a key: the cheapest real request, a chat of one token, and what came of it. What is
 * asked for its own sake (the operator's probes of refused keys, a user's test of his) asks so.
 */
#ifndef LI_TEST_H
#define LI_TEST_H

#include "llm/call.h"
#include "routing/verdict.h"

struct li_test {
    struct lo_verdict verdict; /* reason ANSWERED: all is well */
    struct llmgr_error error;  /* of anything else: what a person is told; quotes no key */
    int64_t time_ms;           /* when it began, since 1970 */
    int64_t first_byte_ms;     /* from then to the answer's head; -1: none came */
    int64_t latency_ms;        /* from then to its end */
    int64_t bytes_in;          /* of the request's body */
    int64_t bytes_out;         /* of the answer's */
    struct llmgr_usage usage;  /* as the answer told; -1: unsaid */
};

/*
 * Asks the peer's model, once, within LI_TEST_MS and the call's own limits. LLMGR_OK: it was asked,
 * whatever came; else nobody was (ERR_CANCELLED, ERR_NO_MEMORY, ERR_INVALID: the call is busy).
 * `show_body`: the error may quote the answer (for administrators only). Never repeats.
 */
enum { LI_TEST_MS = 20000 };
LLMGR_MUST_CHECK llmgr_status li_call_test(struct li_call *call, const struct li_peer *peer,
                                           bool show_body, struct li_test *test,
                                           struct llmgr_error *err);

#endif
