/* SPDX-License-Identifier: MIT */
/*
 * What nodes on one database tell one another of what is broken: a key that is refused, an account
 * without money or that is to be let alone for so long (struct lo_shared_cell), as rows of
 * llm_cells. A node writes what changed in its cells, merged with what stands there, and takes over
 * what others wrote.
 *
 *     cells of this node --changes--> merge in one transaction --> llm_cells --> cells of all nodes
 *
 * All of it is blocking and for a thread of its own: no request waits for it, and none fails with
 * it. A database that says nothing is given up after LS_SOON_MS; what was not written is still to
 * be written. Whether there is anything to read is known from the poll for changes.
 */
#ifndef LZ_CELLS_H
#define LZ_CELLS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "llmgr.h"

struct lm_manager;
struct lo_health;

enum {
    LZ_CELLS_MAX = 4096,    /* rows, as many as a node has cells */
    LZ_CELLS_PER_USER = 64, /* of what is one user's alone */
};

struct lz_cells {
    struct lm_manager *manager;
    struct lo_health *health;
    uint64_t written;   /* changes of the cells of here up to this one are in the table */
    int64_t read;       /* revision of the table up to which it is known here; -1: nothing is */
    uint64_t history;   /* of the database, in which the two hold */
    int64_t polled;     /* newest revision of the table at the last look */
    int64_t rest_until; /* monotonic: the database failed, and is let alone; 0: it did not */

    _Atomic uint64_t told; /* rows that were written; any thread may read these */
    _Atomic uint64_t heard;
    _Atomic uint64_t failures;
};

/* Nothing is read yet. Both outlive it. */
void lz_cells_init(struct lz_cells *cells, struct lm_manager *manager, struct lo_health *health);
/*
 * Writes what changed here, and reads what changed elsewhere, if anything did: three loads if not.
 * The first time it reads all that stands there. If the database fails, it says so in *err, and the
 * next calls of a second do nothing.
 */
void lz_cells_exchange(struct lz_cells *cells, struct llmgr_error *err);
/* Has the last exchange with the database failed? */
bool lz_cells_rest(const struct lz_cells *cells);

#endif
