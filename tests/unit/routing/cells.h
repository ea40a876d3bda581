/* SPDX-License-Identifier: MIT */
/* A table of cells with a simulated clock, and the ends of attempts in few words. */
#ifndef TESTS_ROUTING_CELLS_H
#define TESTS_ROUTING_CELLS_H

#include "routing/health.h"

#include "base/host.h"

#include "../unit.h"

/* In the middle of all noise: no jitter but that of floors, 5 %. */
#define NO_NOISE (UINT64_C(1) << 63)

static struct lb_host host;

static inline struct lo_health *new_health(uint32_t cells, bool probes_itself)
{
    const struct lo_health_options options = {
        .cells = cells, .probes_itself = probes_itself, .probe_ms = 60000};
    struct lo_health *health = lo_health_new(&host, &options);

    assert_non_null(health);
    return health;
}

/* A shared candidate, asked for by a user. */
static inline struct lo_candidate candidate_of(int64_t platform, uint64_t key, uint64_t user)
{
    return (struct lo_candidate){.platform_id = platform,
                                 .model_id = 7,
                                 .account_id = key + 1000,
                                 .key_id = key,
                                 .user = user << 40};
}

static inline struct lo_verdict fault(enum lo_reason reason, enum lo_fault fault, enum lo_cool cool,
                                      int64_t retry_after_ms)
{
    return (struct lo_verdict){
        .reason = reason, .fault = fault, .cool = cool, .retry_after_ms = retry_after_ms};
}

#define ANSWERED fault(LO_REASON_ANSWERED, LO_FAULT_NONE, LO_COOL_NONE, -1)
#define FAILED fault(LO_REASON_FAILED, LO_FAULT_MODEL, LO_COOL_COUNT, -1)
#define DOWN fault(LO_REASON_UNREACHABLE, LO_FAULT_NETWORK, LO_COOL_COUNT, -1)
#define LIMITED(ms) fault(LO_REASON_LIMIT, LO_FAULT_ACCOUNT, LO_COOL_UNTIL, (ms))
#define KEY_REFUSED fault(LO_REASON_KEY, LO_FAULT_KEY, LO_COOL_HARD, -1)
#define NO_MONEY fault(LO_REASON_BILLING, LO_FAULT_ACCOUNT, LO_COOL_HARD, -1)
#define NO_MODEL fault(LO_REASON_UNKNOWN_MODEL, LO_FAULT_MODEL, LO_COOL_MISSING, -1)
#define HAS_LEFT fault(LO_REASON_LEFT, LO_FAULT_NONE, LO_COOL_NONE, -1)

static inline void end_with(struct lo_health *health, const struct lo_candidate *candidate,
                            const struct lo_pass *pass, struct lo_verdict verdict, int64_t now)
{
    const struct lo_end end = {.candidate = candidate,
                               .pass = pass,
                               .verdict = verdict,
                               .first_byte_ms = 100,
                               .now_ms = now,
                               .noise = NO_NOISE};

    lo_health_end(health, &end);
}

/* A whole attempt at one moment; false: it was not let through. */
static inline bool attempt(struct lo_health *health, struct lo_candidate candidate,
                           struct lo_verdict verdict, int64_t now)
{
    struct lo_pass pass;

    if (!lo_health_enter(health, &candidate, now, &pass, NULL))
        return false;
    end_with(health, &candidate, &pass, verdict, now);
    return true;
}

/* Until when it is passed over; 0: it is not. */
static inline int64_t shut_until(const struct lo_health *health, struct lo_candidate candidate,
                                 int64_t now)
{
    struct lo_cooled why;

    return lo_health_look(health, &candidate, now, &why) ? 0 : why.until_ms;
}

/* It fails until it is cooled softly. */
static inline void cool_softly(struct lo_health *health, struct lo_candidate candidate, int64_t now)
{
    for (unsigned i = 0; i < LO_RATE_MIN; i++)
        assert_true(attempt(health, candidate, FAILED, now));
}

#endif
