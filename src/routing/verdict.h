/* SPDX-License-Identifier: MIT */
/*
 * What one attempt at a platform came to: whose fault it was, and whether another may follow. Pure
 * functions of what came back, asked by the gateway's relay and by the library's LLM, so that the
 * two cannot disagree.
 *
 *     attempt ends --> outcome --> lo_judge --> fault, next --> the caller hears of it
 *        ^                                           |
 *        +------ the same without stream_options <---+
 *
 * Nothing is tried again once a byte of an answer has reached the caller.
 */
#ifndef LO_VERDICT_H
#define LO_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"
#include "llmgr.h"

enum { LO_ATTEMPTS_MAX = 2 }; /* of one request */

/* XX(NAME, name in logs) */
#define LO_FAULT_MAP(XX)                                                                           \
    XX(NONE, "none")         /* an answer came, or the caller has left */                          \
    XX(REQUEST, "request")   /* it would be refused again */                                       \
    XX(OPTIONS, "options")   /* the stream_options that went along are not known there */          \
    XX(KEY, "key")           /* the platform refuses it */                                         \
    XX(LIMIT, "limit")       /* too much, for now */                                               \
    XX(PLATFORM, "platform") /* it failed, or answers what is none */                              \
    XX(NETWORK, "network")   /* between us and the platform */                                     \
    XX(OWN, "own")           /* something is missing here */

enum lo_fault {
#define LO_FAULT_ENUM(name, text) LO_FAULT_##name,
    LO_FAULT_MAP(LO_FAULT_ENUM)
#undef LO_FAULT_ENUM
};

enum lo_next {
    LO_NEXT_NOTHING,        /* the caller hears of it */
    LO_NEXT_WITHOUT_OPTIONS /* once more at the same platform, without stream_options */
};

struct lo_outcome {
    const struct lb_host *host;
    llmgr_status ended;     /* of the exchange: OK, or why there is no whole answer */
    int http_status;        /* the platform's; 0: none came */
    struct lb_str refusal;  /* the body that came with an error's status, as far as it is here */
    unsigned attempt;       /* which of the request's this was, from 1 */
    bool answer_has_begun;  /* the caller has some of it */
    bool asked_usage;       /* stream_options went along */
    bool options_have_more; /* with members that the caller gave them, and that we never ask for */
};

struct lo_verdict {
    enum lo_fault fault;
    enum lo_next next;
};

struct lo_verdict lo_judge(const struct lo_outcome *outcome);

/*
 * The platform refused stream_options, and without them it answered: may that be remembered for
 * other callers? Not if one of `said`, all that the caller and the model's own members brought
 * along, names them: then the refusal may have meant, or quoted, that.
 */
bool lo_may_teach(const struct lb_str *said, size_t count);

const char *lo_fault_name(enum lo_fault fault);

#endif
