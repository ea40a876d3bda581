/* SPDX-License-Identifier: MIT */
/* Walks in few words, at one moment of the clock. */
#ifndef TESTS_ROUTING_WALKS_H
#define TESTS_ROUTING_WALKS_H

#include "routing/pick.h"

#include "cells.h"

enum { NOW = 1000000 };

static inline struct lo_walk_options options_of(uint32_t count, llmgr_pick pick)
{
    return (struct lo_walk_options){.count = count, .pick = pick, .attempts = 3, .noise = 42};
}

static inline struct lo_walk begun(const struct lo_walk_options *options)
{
    struct lo_walk walk;

    lo_walk_begin(&walk, options);
    return walk;
}

static inline uint32_t next_of(struct lo_walk *walk)
{
    uint32_t index = UINT32_MAX;

    return lo_walk_next(walk, NOW, &index) ? index : UINT32_MAX;
}

static inline struct lo_verdict verdict_of(enum lo_next next)
{
    return (struct lo_verdict){.reason = LO_REASON_OVERLOAD, .fault = LO_FAULT_MODEL, .next = next};
}

static inline void try_and_fail(struct lo_walk *walk, struct lo_candidate candidate,
                                enum lo_next next)
{
    struct lo_verdict verdict = verdict_of(next);

    assert_false(lo_walk_excludes(walk, &candidate));
    lo_walk_try(walk, &candidate);
    lo_walk_failed(walk, &verdict);
}

#endif
