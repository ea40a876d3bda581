/* SPDX-License-Identifier: MIT */
/*
 * The manager's inside, for this folder and the reading side (resolve).
 *
 *     lm_write, lm_poll --> changes (counter, ring) --> views, each catching up before it answers
 *                       \-> catalogue (swapped whole)
 *
 * A database can go back in time: a standby that lacked the last commits leads, a dump or an older
 * file is put in place. So we keep in mind the newest change we know (struct lm_point), and each
 * statement that reads what will be remembered reads that change's mark along. If it is not there,
 * or if the database is another one, a new history begins (poll.c): all is void, and read anew.
 *
 * Nobody reaches into a view from outside: a writer only notes what changed. A profile that was
 * being read from the database meanwhile is recognised by its sequence and not kept.
 */
#ifndef LM_HANDLE_H
#define LM_HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "manager/catalogue.h"
#include "manager/changes.h"
#include "manager/manager.h"

struct lr_shards;

enum {
    LM_HASH_KEY_SIZE = 16,
    LM_POLL_MS = 500,           /* default of lm_options.poll_ms */
    LM_CACHE_SIZE = 16 << 20,   /* default of lm_options.cache_size */
    LM_POLL_CHANGES_MAX = 512,  /* more in one poll: everything is dropped */
    LM_CHANGES_EVERY = 1024,    /* revisions between two prunings of llm_changes */
    LM_CHANGES_LISTED = 16384,  /* revisions that stay listed */
    LM_IDENTITY_SIZE = 64,      /* of a database, at most */
    LM_SCRATCH_SIZE = 4096,     /* first block of a scratch arena, on the stack */
    LM_SCRATCH_MAX = 128 << 20, /* one user's rows in memory, at most */
};

/* A change in the database's history. */
struct lm_point {
    int64_t revision;
    int64_t mark; /* random; 0: written by a release without marks; -1: there is no such change */
};

struct lm_manager {
    const struct lb_host *host;
    struct lm_options options;
    struct ls_store *store;
    struct lv_vault *vault;
    struct lk_keys keys; /* of the three above */
    const struct lm_lent *lent;
    unsigned char hash_key[LM_HASH_KEY_SIZE];

    struct lm_changes changes;
    struct lm_catalogue *catalogue;     /* guarded by changes.lock, as the next three */
    struct lm_point known;              /* changes up to here are known */
    _Atomic uint64_t history;           /* histories begun, after the first */
    _Atomic uint64_t catalogue_history; /* the one the catalogue was read in; else all is void */
    atomic_bool catalogue_stale;        /* it is not the database's: nothing may be answered */

    pthread_mutex_t poll_lock;
    char identity[LM_IDENTITY_SIZE + 1]; /* guarded by poll_lock: the database's */
    int64_t again_ms; /* guarded by poll_lock: when all is read once more; 0: never */
    int64_t again_step_ms;
    _Atomic int64_t polled_ms;     /* coarse clock at the last good poll */
    int64_t poll_failed_ms;        /* guarded by poll_lock: the last failed one; 0: none */
    struct llmgr_error poll_error; /* and what it said */

    _Atomic int64_t cells; /* newest revision of llm_cells at the last poll; 0: none */

    struct lr_shards *shards; /* the resolver's; library/open.c has them made */
};

/* SipHash of the id under a random key of this process; never LM_CHANGE_ALL. */
uint64_t lm_user_hash(const struct lm_manager *manager, struct lb_str user);

/* The catalogue of now, held for the caller; *sequence (may be NULL) is read before it. */
struct lm_catalogue *lm_catalogue_now(struct lm_manager *manager, uint64_t *sequence);
/* The newest change that is known. Who remembers what he reads takes a sequence before it. */
struct lm_point lm_known(struct lm_manager *manager);
/*
 * Makes `fresh` the catalogue if it is no older one, and drops what was remembered. False if it was
 * read in a history that has ended, or while all is void (`begins`: it is what ends that).
 */
bool lm_catalogue_swap(struct lm_manager *manager, struct lm_catalogue *fresh, uint64_t history,
                       bool begins);
/*
 * A statement did not find the known change: its connection leads to an older state, or a new
 * history has begun. Gives up the connections and looks for changes, after which the caller may
 * read again; the second time it fails.
 */
llmgr_status lm_fail_older(const struct ls_store *store, struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_read_stale(struct lm_manager *manager, int tries,
                                            struct llmgr_error *err);
/* Loads the catalogue anew and drops what was remembered. */
LLMGR_MUST_CHECK llmgr_status lm_catalogue_reload(struct lm_manager *manager,
                                                  struct llmgr_error *err);
/*
 * Before an answer from memory: polls if it is time, so that what another process changed longer
 * than twice poll_ms ago is known, or else the database's error is the answer.
 */
LLMGR_MUST_CHECK llmgr_status lm_keep_fresh(struct lm_manager *manager, struct llmgr_error *err);

#endif
