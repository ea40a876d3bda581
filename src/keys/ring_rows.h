/* SPDX-License-Identifier: MIT */
/* The rows behind the ring: llm_data_keys, and the sealed columns page by page. For ring*.c. */
#ifndef LK_RING_ROWS_H
#define LK_RING_ROWS_H

#include "http/url.h"
#include "keys/ring.h"
#include "store/store.h"
#include "vault/vault.h"

/* What a data key's row is waiting for; the text stands in llm_data_keys.state. */
#define LK_RING_STORED "stored"     /* kept, not used yet: every process can learn of it */
#define LK_RING_ACTIVE "active"     /* seals; one per purpose */
#define LK_RING_RETIRING "retiring" /* only opens; dropped when it seals nothing any more */

struct lk_ring_key {
    struct lv_ring_row row;
    char state[12];
    int64_t created_at_ms;
};

struct lk_ring_list {
    size_t count;
    struct lk_ring_key items[LV_RING_MAX]; /* oldest first */
};

/* All rows; ERR_TOO_LARGE if there are more than a vault can hold. */
LLMGR_MUST_CHECK llmgr_status lk_ring_read(struct ls_tx *tx, struct lk_ring_list *list,
                                           struct llmgr_error *err);
/*
 * Unwraps all of them into the vault, as many as it has not got. Activates nothing. A full vault
 * forgets the keys that are not in the list any more.
 */
LLMGR_MUST_CHECK llmgr_status lk_ring_load(struct lv_vault *vault, const struct lk_ring_list *list,
                                           struct llmgr_error *err);
/* A new data key in the database; the vault learns it with the next lk_ring_load. */
LLMGR_MUST_CHECK llmgr_status lk_ring_make(const struct lb_host *host, struct lv_vault *vault,
                                           struct ls_tx *tx, lv_purpose purpose, const char *state,
                                           uint32_t *id, struct llmgr_error *err);
/* The id of the active key in the database; 0: none. */
LLMGR_MUST_CHECK llmgr_status lk_ring_active(struct ls_tx *tx, lv_purpose purpose, uint32_t *id,
                                             struct llmgr_error *err);

/* One sealed column. */
struct lk_sealed_row {
    int64_t id; /* of the row, for the next page and for resealing */
    struct lb_str owner;
    int64_t platform_id;
    char origin[LH_ORIGIN_SIZE]; /* empty: the platform has no address */
    struct lb_str record;
};

/* The statements that go through a column which rotations sweep, and reseal one record of it. */
struct lk_sealed_column {
    enum ls_statement records;
    enum ls_statement reseal;
};
const struct lk_sealed_column *lk_sealed_column(enum lk_key_column column);

/* At most `max` rows of `column` after row `after`, in the order of their ids, in `arena`. */
LLMGR_MUST_CHECK llmgr_status lk_sealed_page(struct ls_tx *tx, enum lk_key_column column,
                                             int64_t after, size_t max, struct lb_arena *arena,
                                             struct lk_sealed_row **rows, size_t *count,
                                             struct llmgr_error *err);
/* Where a row's key stands. Borrows from `row`. */
struct lk_key_place lk_sealed_place(enum lk_key_column column, const struct lk_sealed_row *row);

#endif
