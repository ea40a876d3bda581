/* SPDX-License-Identifier: MIT */
/*
 * Two tables, one for what a platform answered and one for how an exchange ended, and the one rule
 * by which a request is sent again. See the header.
 */
#include "routing/verdict.h"

#include "dialect/reject.h"
#include "dialect/said.h"

/* What an HTTP status says; the first row that fits, ranges inclusive. */
static const struct {
    int from, to;
    enum lo_fault fault;
} BY_STATUS[] = {
    {200, 299, LO_FAULT_NONE},     {401, 401, LO_FAULT_KEY},   {407, 407, LO_FAULT_KEY},
    {408, 408, LO_FAULT_PLATFORM}, {429, 429, LO_FAULT_LIMIT}, {400, 499, LO_FAULT_REQUEST},
};

/* What is not here went wrong on our side. */
static const struct {
    llmgr_status ended;
    enum lo_fault fault;
} BY_END[] = {
    {LLMGR_ERR_CANCELLED, LO_FAULT_NONE},      {LLMGR_ERR_INVALID, LO_FAULT_REQUEST},
    {LLMGR_ERR_TOO_LARGE, LO_FAULT_REQUEST},   {LLMGR_ERR_ADDRESS, LO_FAULT_NETWORK},
    {LLMGR_ERR_UNREACHABLE, LO_FAULT_NETWORK}, {LLMGR_ERR_TLS, LO_FAULT_NETWORK},
    {LLMGR_ERR_TIMEOUT, LO_FAULT_NETWORK},     {LLMGR_ERR_CUT, LO_FAULT_NETWORK},
    {LLMGR_ERR_IO, LO_FAULT_NETWORK},          {LLMGR_ERR_PROTOCOL, LO_FAULT_PLATFORM},
    {LLMGR_ERR_UPSTREAM, LO_FAULT_PLATFORM},
};

/* A 403 is the key's only if it says so: it is said of regions, moderation and clients, too. */
static enum lo_fault by_status(const struct lo_outcome *outcome)
{
    const int http_status = outcome->http_status;

    if (http_status == 403 && ld_said_of_key(outcome->host, outcome->refusal))
        return LO_FAULT_KEY;
    for (size_t i = 0; i < sizeof BY_STATUS / sizeof BY_STATUS[0]; i++) {
        if (http_status >= BY_STATUS[i].from && http_status <= BY_STATUS[i].to)
            return BY_STATUS[i].fault;
    }
    return LO_FAULT_PLATFORM;
}

static enum lo_fault by_end(llmgr_status ended)
{
    for (size_t i = 0; i < sizeof BY_END / sizeof BY_END[0]; i++) {
        if (ended == BY_END[i].ended)
            return BY_END[i].fault;
    }
    return LO_FAULT_OWN;
}

/* The platform did nothing, and the caller knows of nothing yet. */
static bool may_follow(const struct lo_outcome *outcome)
{
    return outcome->attempt < LO_ATTEMPTS_MAX && !outcome->answer_has_begun;
}

struct lo_verdict lo_judge(const struct lo_outcome *outcome)
{
    struct lo_verdict verdict = {by_status(outcome), LO_NEXT_NOTHING};

    if (outcome->ended != LLMGR_OK) {
        verdict.fault = by_end(outcome->ended);
        return verdict;
    }
    if (!outcome->asked_usage || !ld_rejects_stream_options(outcome->http_status, outcome->refusal))
        return verdict;
    verdict.fault = LO_FAULT_OPTIONS;
    /* Of members that he gave them the caller is to hear what is wrong. */
    if (may_follow(outcome) && !outcome->options_have_more)
        verdict.next = LO_NEXT_WITHOUT_OPTIONS;
    return verdict;
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
