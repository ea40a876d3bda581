/* SPDX-License-Identifier: MIT */
/*
 * How many of something are there at once, per key, over all workers and without a lock: requests
 * of a user or a token, connections of an address. One word per key, half hash and half count;
 * a count of 0 frees the word. The table does not grow: where a key finds no room it is not
 * limited, so the caller's total must be limited elsewhere.
 *
 * Two workers that count the same new key at the same moment may give it two words; the sum over
 * both is what is compared, so a limit can be passed by at most the number of workers.
 */
#ifndef LG_CONCURRENCY_H
#define LG_CONCURRENCY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"

enum { LG_GAUGE_SLOTS = 65536, LG_GAUGE_KEY = 16 };

struct lg_gauge {
    unsigned char key[LG_GAUGE_KEY]; /* of the hash, so that outside keys cannot be made to meet */
    _Atomic uint64_t slots[LG_GAUGE_SLOTS];
};

struct lg_gauge *lg_gauge_new(const struct lb_host *host); /* NULL: memory; freed with lb_free */
/* The key's hash, never 0; `kind` keeps namespaces apart. */
uint64_t lg_gauge_hash(const struct lg_gauge *gauge, char kind, struct lb_str key);
/* Counts one in unless `limit` are there. A true is undone by one lg_gauge_leave. */
bool lg_gauge_enter(struct lg_gauge *gauge, uint64_t hash, unsigned limit);
void lg_gauge_leave(struct lg_gauge *gauge, uint64_t hash);

#endif
