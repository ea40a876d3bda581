/* SPDX-License-Identifier: MIT */
/*
 * The data keys: loaded from and stored in llm_data_keys, rotated and rewrapped. Also the one
 * place that knows how each sealed column is bound, so that seal, open, rotate and check agree.
 */
#ifndef LK_RING_H
#define LK_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/str.h"
#include "llmgr.h"

struct ls_legacy_key;
struct ls_store;
struct ls_tx;
struct lv_master;
struct lv_secret;
struct lv_vault;
struct lb_buf;

/*
 * What stored keys need, lent by whoever opened the database. `announce` runs a change in a write
 * transaction of which everybody hears, so that they forget the sealed keys they remember.
 */
struct lk_keys {
    const struct lb_host *host;
    struct ls_store *store;
    struct lv_vault *vault;
    bool read_only;
    llmgr_status (*announce)(void *owner,
                             llmgr_status (*change)(struct ls_tx *tx, void *context,
                                                    struct llmgr_error *err),
                             void *context, struct llmgr_error *err);
    void *owner;
};

/* What became of a stored key when it was loaded. */
enum lk_key_state {
    LK_KEY_ABSENT = 0, /* nothing is stored */
    LK_KEY_USABLE,     /* it opened when it was loaded */
    LK_KEY_UNREADABLE  /* a placeholder, or sealed for another address or by a lost data key */
};

/* One key of a pool: those that one payer has for one platform, in order. */
struct lk_pool_key {
    struct lb_str record;  /* as the database has it; once taken, what lk_key_open_held opens */
    struct lb_str account; /* label of the account at the vendor; empty: none is named */
    uint64_t id;           /* of the usable key, see lv_number_for; 0: it cannot be used */
    uint64_t account_id;   /* by the label; without one the key is an account of its own */
    uint32_t weight;       /* 1 to LK_WEIGHT_MAX */
    enum lk_key_state state;
    bool is_further; /* its record stands in LK_KEY_FURTHER */
};

enum { LK_WEIGHT_MAX = 1000, LK_POOL_MAX = 200, LK_ACCOUNT_MAX = 60 /* bytes of a label */ };

/* What a row says, within the bounds. */
static inline uint32_t lk_weight(int64_t weight)
{
    return weight < 1 ? 1 : weight > LK_WEIGHT_MAX ? LK_WEIGHT_MAX : (uint32_t)weight;
}

enum lk_key_column {
    LK_KEY_OF_PLATFORM, /* llm_platforms.api_key: server key, or a private platform's own key */
    LK_KEY_OF_USER,     /* llm_sys_platform_keys.api_key: a user's key on a system platform */
    LK_KEY_OF_HEADERS,  /* llm_platforms.header_values: lines of config/fixed_headers.h */
    LK_KEY_FURTHER,     /* llm_platform_keys.api_key: one more beside either of these */
    LK_KEY_OF_ANSWER    /* llm_answers.answer, platform_id is its row; lasts a day, not resealed */
};

enum { LK_KEY_RESEALED = LK_KEY_OF_ANSWER }; /* columns before it are swept by rotations */

/* Where a sealed key stands; it opens there and nowhere else. Borrowed. */
struct lk_key_place {
    enum lk_key_column column;
    struct lb_str owner;  /* the row's user id; the system user for a server key */
    int64_t platform_id;  /* the platform's id in all columns but that of answers */
    struct lb_str origin; /* the platform's, as lh_url_origin writes it */
};

/*
 * Appends the sealed `key` to `record`. Sealing is part of a write transaction: the data key in
 * use is the one the database calls active in that very transaction, so a record can never be
 * sealed with a data key that another process has just retired.
 */
LLMGR_MUST_CHECK llmgr_status lk_key_seal(const struct lk_keys *keys, struct ls_tx *tx,
                                          const struct lk_key_place *place, struct lb_str key,
                                          struct lb_buf *record, struct llmgr_error *err);
/*
 * Opens a record. If its data key is not loaded (another process rotated), the ring is read anew
 * once: in `tx` if one is given, else in a transaction of its own. LLMGR_ERR_VAULT if the record
 * does not open for this place. *key is initialised here, whatever is returned.
 */
LLMGR_MUST_CHECK llmgr_status lk_key_open(const struct lk_keys *keys, struct ls_tx *tx,
                                          const struct lk_key_place *place, struct lb_str record,
                                          struct lv_secret *key, struct llmgr_error *err);

/*
 * A key in memory: held under the key of this process, bound to the same place as its record. In
 * `arena`; LLMGR_ERR_NO_MEMORY if that has no room.
 */
LLMGR_MUST_CHECK llmgr_status lk_key_hold(const struct lk_keys *keys,
                                          const struct lk_key_place *place, struct lb_str key,
                                          struct lb_arena *arena, struct lb_str *held,
                                          struct llmgr_error *err);
/* Opens what lk_key_hold made, for the same place; LLMGR_ERR_VAULT for any other, or a record. */
LLMGR_MUST_CHECK llmgr_status lk_key_open_held(const struct lk_keys *keys,
                                               const struct lk_key_place *place, struct lb_str held,
                                               struct lv_secret *key, struct llmgr_error *err);

/* The numbers of a key whose account is filled in, from the key in clear. ERR_VAULT. */
LLMGR_MUST_CHECK llmgr_status lk_key_number(const struct lk_keys *keys,
                                            const struct lk_key_place *place, struct lb_str clear,
                                            struct lk_pool_key *key, struct llmgr_error *err);

/*
 * Called by lm_open: loads the ring, or makes the first keys in a new database (of two processes
 * that open it at once, one makes them and both load them). A database opened for reading that has
 * no ring yet is left without one.
 */
LLMGR_MUST_CHECK llmgr_status lk_ring_open(const struct lk_keys *keys, struct llmgr_error *err);
/* Loads the ring as it is now; makes no keys, for the database may just be being restored. */
LLMGR_MUST_CHECK llmgr_status lk_ring_follow(const struct lk_keys *keys, struct llmgr_error *err);

/*
 * For ls_options.on_legacy: seals a clear-text key of the Python original's database and stores it
 * in the migrating transaction, making the ring there if need be. `context` is a struct
 * lk_legacy. Dropped, with a line in the log: placeholders, keys of the original's system
 * platforms (they come from the configuration), and what cannot be a key or has no address.
 */
struct lk_legacy {
    const struct lb_host *host;
    struct lv_vault *vault; /* the one that lm_open will get */
};
LLMGR_MUST_CHECK llmgr_status lk_ring_seal_legacy(struct ls_tx *tx, const struct ls_legacy_key *key,
                                                  void *context, struct llmgr_error *err);

/* The report's arrays and texts live in `arena`. */
LLMGR_MUST_CHECK llmgr_status lk_ring_status(const struct lk_keys *keys, struct lb_arena *arena,
                                             struct llmgr_key_report *report,
                                             struct llmgr_error *err);
/*
 * See llmgr_key_rotate. Records that do not open (their platform moved to another address) stay as
 * they are, are counted in the log, and keep their data key from being dropped.
 */
LLMGR_MUST_CHECK llmgr_status lk_ring_rotate(const struct lk_keys *keys, bool dry_run,
                                             struct lb_arena *arena,
                                             struct llmgr_key_report *report,
                                             struct llmgr_error *err);
/*
 * Wraps the whole ring with `master` in one transaction, and makes it this vault's master key. The
 * caller has stored `master` durably before.
 */
LLMGR_MUST_CHECK llmgr_status lk_ring_rewrap(const struct lk_keys *keys,
                                             const struct lv_master *master,
                                             struct llmgr_error *err);
/* Opens every sealed key; counts those that do not open for their row and address. */
LLMGR_MUST_CHECK llmgr_status lk_ring_check(const struct lk_keys *keys, int64_t *unreadable,
                                            struct llmgr_error *err);

#endif
