/* SPDX-License-Identifier: MIT */
/*
 * Room on the disk of a SQLite database for what must work when there is none: a file of blocks
 * beside it, "<database>.reserve", that is given up piece by piece. Private to store/.
 *
 *     opening         makes it; who closes makes it whole again
 *     LS_WRITE        begins only while it is whole, so that no ordinary change of any process uses
 *                     what was given up
 *     LS_REVOKE       that meets a full disk gives up a part under the lock for writing, is run
 *                     again, and takes back what is left
 */
#ifndef LS_RESERVE_H
#define LS_RESERVE_H

#include <stdbool.h>

struct ls_store;

enum {
    /*
     * A revocation writes some ten pages to the log, which a checkpoint gives back. What stays is
     * its row in llm_changes: the manager keeps 16 384 of them, of at most 300 bytes.
     */
    LS_RESERVE_SIZE = 8 << 20,
    LS_RESERVE_SHARE = 16, /* of a small file system one part in so many, but not less than */
    LS_RESERVE_LEAST = 256 << 10,
    LS_RESERVE_PART = 1 << 20, /* given up at first; all of it if that was not enough */
};

enum ls_reserve_state {
    LS_RESERVE_NONE,  /* nothing is kept: no file of ours, or a file system without the means */
    LS_RESERVE_SHORT, /* the disk is too full to make it whole */
    LS_RESERVE_WHOLE,
};

/* How much is kept where the database lies: before anything else. */
void ls_reserve_measure(struct ls_store *store);
/* Makes it, or makes it whole again. */
enum ls_reserve_state ls_reserve_fill(struct ls_store *store);
/* May an ordinary change begin? One stat() while the file is whole. */
bool ls_reserve_stands(struct ls_store *store);
/* Gives up a part, or what is there. False if there was nothing. */
bool ls_reserve_spend(struct ls_store *store, bool all);

#endif
