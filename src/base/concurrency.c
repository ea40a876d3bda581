/* SPDX-License-Identifier: MIT */
/* Counting without a lock; see the header for the layout and its honest limit. */
#include "base/concurrency.h"

#include <sodium.h>
#include <string.h>

enum {
    WINDOW = 16, /* slots a key may lie in */
    COUNT_BITS = 20,
};

static const uint64_t COUNT_MASK = (UINT64_C(1) << COUNT_BITS) - 1;

struct lb_gauge *lb_gauge_new(const struct lb_host *host)
{
    struct lb_gauge *gauge = lb_calloc(host, 1, sizeof *gauge);

    if (gauge != NULL)
        randombytes_buf(gauge->key, sizeof gauge->key);
    return gauge;
}

uint64_t lb_gauge_hash(const struct lb_gauge *gauge, char kind, struct lb_str key)
{
    unsigned char bytes[257] = {(unsigned char)kind};
    unsigned char out[crypto_shorthash_BYTES];
    uint64_t hash;
    size_t size = key.size < sizeof bytes - 1 ? key.size : sizeof bytes - 1;

    memcpy(bytes + 1, key.p, size);
    crypto_shorthash(out, bytes, size + 1, gauge->key);
    memcpy(&hash, out, sizeof hash);
    return (hash & ~COUNT_MASK) != 0 ? hash : ~COUNT_MASK;
}

static bool is_of(uint64_t word, uint64_t hash)
{
    return (word & COUNT_MASK) != 0 && (word & ~COUNT_MASK) == (hash & ~COUNT_MASK);
}

static _Atomic uint64_t *slot_of(struct lb_gauge *gauge, uint64_t hash, unsigned i)
{
    return &gauge->slots[((hash >> 32) + i) % LB_GAUGE_SLOTS];
}

/* One more in the key's own word, or in a free one. */
static bool add(struct lb_gauge *gauge, uint64_t hash, bool own)
{
    for (unsigned i = 0; i < WINDOW; i++) {
        _Atomic uint64_t *slot = slot_of(gauge, hash, i);
        uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);
        while (own ? is_of(word, hash) : word == 0) {
            uint64_t next = own ? word + 1 : (hash & ~COUNT_MASK) | 1;
            if ((next & COUNT_MASK) == 0)
                return false;
            if (atomic_compare_exchange_weak(slot, &word, next))
                return true;
        }
    }
    return false;
}

bool lb_gauge_enter(struct lb_gauge *gauge, uint64_t hash, unsigned limit)
{
    uint64_t there = 0;

    for (unsigned i = 0; i < WINDOW; i++) {
        uint64_t word = atomic_load_explicit(slot_of(gauge, hash, i), memory_order_relaxed);
        if (is_of(word, hash))
            there += word & COUNT_MASK;
    }
    if (limit != 0 && there >= limit)
        return false;
    if (!add(gauge, hash, true))
        (void)add(gauge, hash, false);
    return true;
}

void lb_gauge_leave(struct lb_gauge *gauge, uint64_t hash)
{
    for (unsigned i = 0; i < WINDOW; i++) {
        _Atomic uint64_t *slot = slot_of(gauge, hash, i);
        uint64_t word = atomic_load_explicit(slot, memory_order_relaxed);
        while (is_of(word, hash)) {
            uint64_t next = (word & COUNT_MASK) == 1 ? 0 : word - 1;
            if (atomic_compare_exchange_weak(slot, &word, next))
                return;
        }
    }
}
