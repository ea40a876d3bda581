/* SPDX-License-Identifier: MIT */
/*
 * One 64-bit number from another, every bit of which depends on every bit: for tables, draws and
 * shares of what nobody outside can choose. No protection against who wants numbers to meet.
 */
#ifndef LB_MIX_H
#define LB_MIX_H

#include <stdint.h>

/* 2^64 divided by the golden ratio. */
static const uint64_t LB_GOLDEN = UINT64_C(0x9e3779b97f4a7c15);

/* A step of splitmix64 (Steele, Lea, Flood 2014). */
static inline uint64_t lb_mix(uint64_t x)
{
    x += LB_GOLDEN;
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* A fraction of 2^64 as a number below `limit`. */
static inline uint64_t lb_scale(uint64_t fraction, uint64_t limit)
{
    return (uint64_t)((unsigned __int128)fraction * limit >> 64);
}

#endif
