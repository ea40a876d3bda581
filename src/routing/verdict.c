/* SPDX-License-Identifier: MIT */
/* Finds the reason in retry.def and says what its rule says. See the header. */
#include "routing/verdict.h"

#include "dialect/codes.h"
#include "dialect/reject.h"
#include "dialect/retry_after.h"
#include "dialect/said.h"

/* ---- The table ------------------------------------------------------------------------------- */

static const struct rule {
    const char *name;
    enum lo_fault fault;
    enum lo_next next;
    enum lo_cool cool;
    bool alike;
} RULES[LO_REASON_COUNT] = {
#define RULE(NAME, text, fault, next, cool, alike)                                                 \
    [LO_REASON_##NAME] = {(text), LO_FAULT_##fault, LO_NEXT_##next, LO_COOL_##cool, (alike) != 0},
#include "routing/retry.def"
};

enum where { CODE, FAMILY, WORDS, START, WHOLE, OF_KEY, MARKUP, ANY };

static const struct sign {
    int from, to;
    enum where where;
    struct lb_str text;
    enum lo_reason reason;
} SIGNS[] = {
#define SIGN(from, to, where, text, NAME)                                                          \
    {(from), (to), where, {(text), sizeof(text) - 1}, LO_REASON_##NAME},
#include "routing/retry.def"
};

/* What is not here went wrong on our side. */
static const struct {
    llmgr_status ended;
    enum lo_reason reason;
} ENDS[] = {
#define END(status, NAME) {(status), LO_REASON_##NAME},
#include "routing/retry.def"
};

/* ---- Reading it ------------------------------------------------------------------------------ */

static bool fits(const struct sign *sign, const struct lo_outcome *outcome,
                 const struct ld_codes *codes)
{
    switch (sign->where) {
    case CODE:
        return ld_codes_have(codes, sign->text);
    case FAMILY:
        return ld_codes_have_family(codes, sign->text);
    case WORDS:
        return ld_codes_say(codes, sign->text);
    case START:
        return ld_codes_start(codes, sign->text);
    case WHOLE:
        return ld_codes_are(codes, sign->text);
    case OF_KEY:
        return ld_said_of_key(outcome->host, outcome->refusal);
    case MARKUP:
        return codes->is_markup;
    case ANY:
        break;
    }
    return true;
}

static enum lo_reason by_sign(const struct lo_outcome *outcome, const struct ld_codes *codes)
{
    const int http_status = outcome->in_answer ? codes->http_status : outcome->http_status;
    const struct sign *sign = SIGNS;

    while (sign < SIGNS + sizeof SIGNS / sizeof *sign - 1 &&
           (http_status < sign->from || http_status > sign->to || !fits(sign, outcome, codes)))
        sign++; /* the last row is for whatever is left */
    return sign->reason;
}

/* Nothing of it was sent: then it was the way there that took too long. */
static enum lo_reason by_end(const struct lo_outcome *outcome)
{
    if (outcome->ended == LLMGR_ERR_TIMEOUT && outcome->is_unsent)
        return LO_REASON_UNREACHABLE;
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        if (outcome->ended == ENDS[i].ended)
            return ENDS[i].reason;
    }
    return LO_REASON_OWN;
}

static bool is_2xx(int http_status)
{
    return http_status >= 200 && http_status <= 299;
}

static enum lo_reason reason_of(const struct lo_outcome *outcome, const struct ld_codes *codes)
{
    if (outcome->ended != LLMGR_OK)
        return by_end(outcome);
    if (outcome->asked_usage && ld_rejects_stream_options(outcome->http_status, outcome->refusal))
        return LO_REASON_OPTIONS;
    if (!is_2xx(outcome->http_status) || outcome->in_answer)
        return by_sign(outcome, codes);
    return outcome->is_empty ? LO_REASON_EMPTY : LO_REASON_ANSWERED;
}

/* ---- What follows ---------------------------------------------------------------------------- */

static enum lo_next next_of(const struct lo_outcome *outcome, const struct rule *rule)
{
    const unsigned max = outcome->attempts_max != 0 ? outcome->attempts_max : LO_ATTEMPTS_MAX;

    if (outcome->attempt >= max || outcome->answer_has_begun)
        return LO_NEXT_NOTHING;
    /* Of members that he gave them the caller is to hear what is wrong. */
    if (rule->next == LO_NEXT_WITHOUT_OPTIONS)
        return outcome->options_have_more ? LO_NEXT_NOTHING : LO_NEXT_WITHOUT_OPTIONS;
    if (!outcome->may_move)
        return LO_NEXT_NOTHING;
    if (rule->fault == LO_FAULT_NETWORK && outcome->is_unsent && !outcome->has_repeated)
        return LO_NEXT_SAME;
    return rule->next;
}

static int64_t longer(int64_t head_ms, int64_t body_ms)
{
    int64_t ms = head_ms > body_ms ? head_ms : body_ms;

    if (ms <= 0)
        return -1;
    return ms < LD_RETRY_MAX_MS ? ms : LD_RETRY_MAX_MS;
}

struct lo_verdict lo_judge(const struct lo_outcome *outcome)
{
    struct ld_codes codes;

    ld_codes_read(outcome->host, outcome->refusal, &codes);
    const enum lo_reason reason = reason_of(outcome, &codes);
    const struct rule *rule = &RULES[reason];
    return (struct lo_verdict){
        .reason = reason,
        .fault = rule->fault,
        .next = next_of(outcome, rule),
        .cool =
            outcome->is_callers_limit && reason == LO_REASON_TIMEOUT ? LO_COOL_NONE : rule->cool,
        .http_status = outcome->http_status,
        .retry_after_ms = longer(outcome->retry_after_ms, codes.retry_after_ms),
        .alike = rule->alike ? (uint32_t)reason << 16 | (uint32_t)outcome->http_status : 0,
    };
}

enum lo_key_state lo_key_state_of(const struct lo_verdict *verdict)
{
    if (verdict->reason == LO_REASON_ANSWERED || verdict->fault == LO_FAULT_ACCOUNT)
        return LO_KEY_STATE_GOOD;
    return verdict->reason == LO_REASON_KEY ? LO_KEY_STATE_REFUSED : LO_KEY_STATE_UNKNOWN;
}

const char *lo_key_state_name(enum lo_key_state state)
{
    static const char *const NAMES[] = {
#define LO_KEY_STATE_NAME(NAME, number, text) [number] = (text),
        LO_KEY_STATE_MAP(LO_KEY_STATE_NAME)
#undef LO_KEY_STATE_NAME
    };

    return NAMES[state];
}

struct lo_verdict lo_judge_begun(const struct lb_host *host, int http_status, bool says_so)
{
    const struct lo_outcome outcome = {.host = host, .http_status = http_status, .in_answer = true};

    if (says_so)
        return lo_judge(&outcome);
    return (struct lo_verdict){.reason = LO_REASON_LEFT, .retry_after_ms = -1};
}

bool lo_may_teach(const struct lb_str *said, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (ld_mentions_stream_options(said[i]))
            return false;
    }
    return true;
}

const char *lo_fault_name(enum lo_fault fault)
{
    static const char *const NAMES[] = {
#define LO_FAULT_NAME(name, text) [LO_FAULT_##name] = (text),
        LO_FAULT_MAP(LO_FAULT_NAME)
#undef LO_FAULT_NAME
    };

    return NAMES[fault];
}

const char *lo_reason_name(enum lo_reason reason)
{
    return RULES[reason].name;
}
