/* SPDX-License-Identifier: MIT */
/*
 * Durations in nanoseconds, kept in 2048 steps per power of two: percentiles are exact to 0.05 %,
 * whatever the number of samples.
 */
#ifndef BENCH_HISTOGRAM_H
#define BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum { HISTOGRAM_STEPS = 2048, HISTOGRAM_POWERS = 32 };

struct histogram {
    uint64_t counts[HISTOGRAM_POWERS * HISTOGRAM_STEPS];
    uint64_t count;
    uint64_t max_ns;
};

static inline void histogram_add(struct histogram *h, uint64_t ns)
{
    uint64_t scaled = ns;
    size_t power = 0;

    while (scaled >= 2 * HISTOGRAM_STEPS && power < HISTOGRAM_POWERS - 2) {
        scaled >>= 1;
        power++;
    }
    if (scaled >= 2 * HISTOGRAM_STEPS)
        scaled = 2 * HISTOGRAM_STEPS - 1;
    h->counts[power * HISTOGRAM_STEPS + scaled]++;
    h->count++;
    if (ns > h->max_ns)
        h->max_ns = ns;
}

/* The value below which `share` (0 to 1) of the samples lie; 0 without samples. */
static inline double histogram_us(const struct histogram *h, double share)
{
    uint64_t wanted = (uint64_t)(share * (double)h->count), seen = 0;

    for (size_t i = 0; i < HISTOGRAM_POWERS * HISTOGRAM_STEPS && h->count > 0; i++) {
        seen += h->counts[i];
        if (seen <= wanted)
            continue;
        size_t power = i < 2 * HISTOGRAM_STEPS ? 0 : i / HISTOGRAM_STEPS - 1;
        uint64_t step = i - power * HISTOGRAM_STEPS;
        return (double)(step << power) / 1000.0;
    }
    return (double)h->max_ns / 1000.0;
}

#endif
