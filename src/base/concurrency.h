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
#ifndef LB_CONCURRENCY_H
#define LB_CONCURRENCY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"

enum { LB_GAUGE_SLOTS = 65536, LB_GAUGE_KEY = 16 };

struct lb_gauge {
    unsigned char key[LB_GAUGE_KEY]; /* of the hash, so that outside keys cannot be made to meet */
    _Atomic uint64_t slots[LB_GAUGE_SLOTS];
};

struct lb_gauge *lb_gauge_new(const struct lb_host *host); /* NULL: memory; freed with lb_free */
/* The key's hash, never 0; `kind` keeps namespaces apart. */
uint64_t lb_gauge_hash(const struct lb_gauge *gauge, char kind, struct lb_str key);
/* Counts one in unless `limit` are there. A true is undone by one lb_gauge_leave. */
bool lb_gauge_enter(struct lb_gauge *gauge, uint64_t hash, unsigned limit);
void lb_gauge_leave(struct lb_gauge *gauge, uint64_t hash);

#endif
