/* SPDX-License-Identifier: MIT */
/*
 * What one attempt at a platform came to: why it failed, whose fault that is, what may be tried
 * next and what is cooled. Pure functions of what came back, asked by the gateway's relay and by
 * the library's LLM, so that the two cannot disagree. The rules are one table, retry.def.
 *
 *     attempt ends --> outcome --> lo_judge --> reason --> fault, next, cool, alike
 *        ^                                                  |      |     |
 *        +-- another candidate (pick.h), or the same -------+------+     +--> cells (health.h)
 *
 * Nothing is tried again once a byte of an answer has reached the caller.
 */
#ifndef LO_VERDICT_H
#define LO_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "llmgr.h"

enum { LO_ATTEMPTS_MAX = 2 }; /* of one request that has a single candidate */

/* Whose fault it was: XX(NAME, name in logs and metrics) */
#define LO_FAULT_MAP(XX)                                                                           \
    XX(NONE, "none")         /* an answer came, or the caller has left */                          \
    XX(REQUEST, "request")   /* it would be refused again, and elsewhere */                        \
    XX(OPTIONS, "options")   /* the stream_options that went along are not known there */          \
    XX(CONTEXT, "context")   /* it is too long for this model */                                   \
    XX(KEY, "key")           /* the platform refuses it */                                         \
    XX(ACCOUNT, "account")   /* too much for now, or no money: of all its keys */                  \
    XX(MODEL, "model")       /* the model at this platform fails, or is not there */               \
    XX(PLATFORM, "platform") /* it answers what is none */                                         \
    XX(NETWORK, "network")   /* between us and the platform */                                     \
    XX(OWN, "own")           /* something is missing here */

enum lo_fault {
#define LO_FAULT_ENUM(name, text) LO_FAULT_##name,
    LO_FAULT_MAP(LO_FAULT_ENUM)
#undef LO_FAULT_ENUM
};

/* What may be tried next; each "other" says what must differ from what has failed. */
enum lo_next {
    LO_NEXT_NOTHING,         /* the caller hears of it */
    LO_NEXT_WITHOUT_OPTIONS, /* once more at the same platform, without stream_options */
    LO_NEXT_SAME,            /* the same candidate once more: provably nothing of it was sent */
    LO_NEXT_OTHER_KEY,       /* of the same platform, or elsewhere */
    LO_NEXT_OTHER_ACCOUNT,
    LO_NEXT_OTHER_MODEL, /* another model, or another platform */
    LO_NEXT_OTHER_PLATFORM,
    LO_NEXT_LARGER_CONTEXT /* a model that says that more fits into it than this one says */
};

/* What it does to the cell of what failed (health.h). */
enum lo_cool {
    LO_COOL_NONE,
    LO_COOL_COUNT,   /* counts towards a rate; Retry-After is a floor once that is reached */
    LO_COOL_UNTIL,   /* at once: until Retry-After, else as long as the streak says */
    LO_COOL_MISSING, /* at once, for minutes, if it is known to have answered before */
    LO_COOL_HARD     /* at once, 30 min doubling to 24 h; a probe of our own ends it */
};

/* Why: rows RULE of retry.def. */
enum lo_reason {
#define RULE(NAME, text, fault, next, cool, alike) LO_REASON_##NAME,
#include "routing/retry.def"
    LO_REASON_COUNT
};

struct lo_outcome {
    const struct lb_host *host;
    llmgr_status ended;     /* of the exchange: OK, or why there is no whole answer */
    int http_status;        /* the platform's; 0: none came */
    struct lb_str refusal;  /* the body that came with an error's status, or the error that came
                               within an answer, as far as it is here */
    unsigned attempt;       /* which of the request's this was, from 1 */
    bool is_empty;          /* an answer of 2xx ended before any content */
    bool answer_has_begun;  /* the caller has some of it */
    bool asked_usage;       /* stream_options went along */
    bool options_have_more; /* with members that the caller gave them, and that we never ask for */

    /* Of a request with more than one candidate; all 0 otherwise. */
    unsigned attempts_max;  /* of the whole request; 0: LO_ATTEMPTS_MAX */
    bool may_move;          /* other candidates may follow */
    bool in_answer;         /* `refusal` came within an answer of 2xx */
    bool is_callers_limit;  /* of time: what it ran into was set by the caller */
    bool is_unsent;         /* provably no byte of the request has reached the platform */
    bool has_repeated;      /* there was a repetition after LO_NEXT_SAME in this request */
    int64_t retry_after_ms; /* as the head says (dialect/retry_after.h); not above 0: unsaid */
};

struct lo_verdict {
    enum lo_reason reason;
    enum lo_fault fault;
    enum lo_next next;
    enum lo_cool cool;
    int http_status;        /* the outcome's */
    int64_t retry_after_ms; /* of head or body, at most 24 h; -1: unsaid */
    uint32_t alike;         /* not 0: equal at two platforms, it is the request's fault */
};

/* What an attempt says of the key that was shown: XX(NAME, number, "name") */
#define LO_KEY_STATE_MAP(XX) XX(UNKNOWN, 0, "unknown") XX(GOOD, 1, "good") XX(REFUSED, 2, "refused")

enum lo_key_state {
#define LO_KEY_STATE_ENUM(NAME, number, text) LO_KEY_STATE_##NAME = number,
    LO_KEY_STATE_MAP(LO_KEY_STATE_ENUM)
#undef LO_KEY_STATE_ENUM
};

/* As people are told it: good only if the platform has shown that it knows the key. */
enum lo_key_state lo_key_state_of(const struct lo_verdict *verdict);
const char *lo_key_state_name(enum lo_key_state state);

struct lo_verdict lo_judge(const struct lo_outcome *outcome);
/*
 * The same of an answer that broke off, or (`says_so`) said that it has failed, behind its first
 * content: nothing follows. What only broke off may have done so on our side.
 */
struct lo_verdict lo_judge_begun(const struct lb_host *host, int http_status, bool says_so);

/*
 * The platform refused stream_options, and without them it answered: may that be remembered for
 * other callers? Not if one of `said`, all that the caller and the model's own members brought
 * along, names them: then the refusal may have meant, or quoted, that.
 */
bool lo_may_teach(const struct lb_str *said, size_t count);

const char *lo_fault_name(enum lo_fault fault);
/* "limit", "billing": for explain, health and metrics. */
const char *lo_reason_name(enum lo_reason reason);

#endif
