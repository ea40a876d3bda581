/* SPDX-License-Identifier: MIT */
/*
 * Secrets at rest. A vault holds the master key and the data keys it unwrapped; with them it seals
 * values into records and opens them again. It knows no database: key-ring rows and records are
 * handed in and out as plain bytes.
 *
 *     master key --wraps--> data keys (rows of the ring) --seal--> records (api_key columns)
 *
 * A record is  ver(1) alg(1) dek_id(4, big endian) nonce(24) ciphertext tag(16)  and is bound, as
 * additional data of XChaCha20-Poly1305, to its table, column, tenant, row and origin: moved
 * anywhere else it does not open. That makes "a key is only usable for the address it was stored
 * with" a property of the cipher, not of a code path.
 *
 * Threads: lv_seal, lv_open, lv_fingerprint and the look-ups may run in any number of threads, and
 * beside the lv_ring_* functions, which serialise themselves. lv_vault_free must be alone.
 *
 * Memory: the master key is inaccessible between uses, the data keys are read-only; both are
 * locked (if RLIMIT_MEMLOCK allows), kept out of core dumps and wiped at the end. So is the key of
 * the process, under which keys in use are held (held.c).
 */
#ifndef LV_VAULT_H
#define LV_VAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/host.h"
#include "base/str.h"
#include "llmgr.h"
#include "vault/master.h"
#include "vault/secret.h"

struct lv_vault;

/* What a key of the ring is for: XX(name, text in the row). One key of each is active. */
#define LV_PURPOSE_MAP(XX)                                                                         \
    XX(SEAL, "seal")               /* seals and opens records */                                   \
    XX(FINGERPRINT, "fingerprint") /* keys what people see of keys, and, derived, signatures */

typedef enum lv_purpose {
#define LV_PURPOSE_ENUM(name, text) LV_PURPOSE_##name,
    LV_PURPOSE_MAP(LV_PURPOSE_ENUM)
#undef LV_PURPOSE_ENUM
        LV_PURPOSE_COUNT
} lv_purpose;

enum {
    LV_RING_MAX = 256,       /* data keys in memory at once */
    LV_WRAPPED_SIZE = 74,    /* ver(1) alg(1) nonce(24) ciphertext(32) tag(16) */
    LV_PURPOSE_SIZE = 16,    /* longest purpose and a NUL */
    LV_RECORD_OVERHEAD = 46, /* bytes a record is longer than its secret */
    LV_RECORD_MAX = LV_SECRET_MAX + LV_RECORD_OVERHEAD,
    LV_HELD_OVERHEAD = 29,    /* the same of a record that is held in memory */
    LV_FINGERPRINT_SIZE = 13, /* "key:1a2b3c4d" and a NUL */
    LV_BINDING_NAME_MAX = 64, /* bytes of a table's or column's name */
    LV_HOLDER_SIZE = 32,      /* bytes that stand for whose and where an id is */
    LV_SIGNATURE_SIZE = 15    /* bytes of an id's signature: 120 bits, 20 characters */
};

/* One data key as it is stored. Not secret: useless without the master key. */
struct lv_ring_row {
    uint32_t id;                       /* 1 to 2^31-1, random, never reused */
    char purpose[LV_PURPOSE_SIZE];     /* a text of LV_PURPOSE_MAP */
    char master_id[LV_MASTER_ID_SIZE]; /* the master key that wrapped it */
    unsigned char wrapped[LV_WRAPPED_SIZE];
};

/* Where a record lives. All borrowed. */
struct lv_binding {
    const char *table;
    const char *column;
    struct lb_str tenant; /* the owner's user id */
    int64_t row;
    struct lb_str origin; /* "scheme://host:port"; empty where there is none */
};

/* ---- Life ------------------------------------------------------------------------------------ */

/* Copies `master` (the caller still clears its own). `host` must outlive the vault. */
LLMGR_MUST_CHECK llmgr_status lv_vault_new(const struct lb_host *host,
                                           const struct lv_master *master, struct lv_vault **vault,
                                           struct llmgr_error *err);
void lv_vault_free(struct lv_vault *vault); /* wipes all keys; NULL is fine */
/* The master key was made in the place of one that is not there: nothing stored needs it. */
void lv_vault_stand_in(struct lv_vault *vault);
/* False if the system refused to lock the keys into memory (a warning was logged). */
bool lv_vault_locked(const struct lv_vault *vault);
/* The id of the master key in use; `id` receives LV_MASTER_ID_SIZE bytes. */
void lv_vault_master_id(struct lv_vault *vault, char *id);
/* From now on data keys are wrapped and unwrapped by `master`; the loaded ones stay. */
LLMGR_MUST_CHECK llmgr_status lv_vault_set_master(struct lv_vault *vault,
                                                  const struct lv_master *master,
                                                  struct llmgr_error *err);

/* ---- The ring -------------------------------------------------------------------------------- */

/* The text stored for a purpose, static. */
const char *lv_purpose_text(lv_purpose purpose);
/*
 * Fills a row from a database's columns, checking every size; LLMGR_ERR_VAULT if they cannot be
 * a row of ours. Whether the key opens is lv_ring_load's question.
 */
LLMGR_MUST_CHECK llmgr_status lv_ring_row_set(struct lv_ring_row *row, int64_t id,
                                              struct lb_str purpose, struct lb_str master_id,
                                              struct lb_str wrapped, struct llmgr_error *err);

/*
 * Makes a new random data key, wrapped by the master key, with an id that is not in the ring. The
 * vault does not keep it: store the row, then lv_ring_load it, then (once every node has it)
 * lv_ring_activate it.
 */
LLMGR_MUST_CHECK llmgr_status lv_ring_create(struct lv_vault *vault, lv_purpose purpose,
                                             struct lv_ring_row *row, struct llmgr_error *err);
/*
 * Unwraps a row into the ring; loading one that is there already is fine. LLMGR_ERR_VAULT if the
 * row was wrapped by another master key (the message names the ids wanted and given), was
 * tampered with, or has an unknown purpose; LLMGR_ERR_TOO_LARGE if the ring is full.
 */
LLMGR_MUST_CHECK llmgr_status lv_ring_load(struct lv_vault *vault, const struct lv_ring_row *row,
                                           struct llmgr_error *err);
/*
 * The same data key wrapped by `new_master`, for a rotation of the master key. `row` must be one
 * that the vault's own master key opens; *rewrapped may be `row` itself.
 */
LLMGR_MUST_CHECK llmgr_status lv_ring_rewrap(struct lv_vault *vault, const struct lv_ring_row *row,
                                             const struct lv_master *new_master,
                                             struct lv_ring_row *rewrapped,
                                             struct llmgr_error *err);
/* From now on its purpose uses this key. LLMGR_ERR_NOT_FOUND if it is not loaded. */
LLMGR_MUST_CHECK llmgr_status lv_ring_activate(struct lv_vault *vault, uint32_t id,
                                               struct llmgr_error *err);
/* Wipes a key; if it was active, nothing is until the next lv_ring_activate. Absent is fine. */
void lv_ring_forget(struct lv_vault *vault, uint32_t id);
bool lv_ring_has(const struct lv_vault *vault, uint32_t id);
/* The ids of all loaded keys, in no order; returns how many. */
size_t lv_ring_ids(const struct lv_vault *vault, uint32_t ids[LV_RING_MAX]);
/* The active key's id, or 0. */
uint32_t lv_ring_active(const struct lv_vault *vault, lv_purpose purpose);

/* ---- Records --------------------------------------------------------------------------------- */

/*
 * Appends the sealed `secret` (1 to LV_SECRET_MAX bytes) to `record`. LLMGR_ERR_INVALID for an
 * empty one, LLMGR_ERR_TOO_LARGE for a longer one, LLMGR_ERR_VAULT if no sealing key is active.
 */
LLMGR_MUST_CHECK llmgr_status lv_seal(const struct lv_vault *vault,
                                      const struct lv_binding *binding, struct lb_str secret,
                                      struct lb_buf *record, struct llmgr_error *err);
/*
 * Opens a record. *secret is initialised here and holds the value on success; on failure it is
 * empty. LLMGR_ERR_VAULT, with distinct texts, if the record is malformed, if its data key is not
 * in the ring, or if it is not the one sealed for this place (or was changed).
 */
LLMGR_MUST_CHECK llmgr_status lv_open(const struct lv_vault *vault,
                                      const struct lv_binding *binding, struct lb_str record,
                                      struct lv_secret *secret, struct llmgr_error *err);
/*
 * The same for a key in memory: `record` receives secret.size + LV_HELD_OVERHEAD bytes, which only
 * lv_open_held of this very vault opens, and only for this binding. It costs a tenth of lv_open,
 * and is never stored: lv_open does not open it. LLMGR_ERR_INTERNAL if the secret or the binding is
 * longer than there are.
 */
LLMGR_MUST_CHECK llmgr_status lv_hold(const struct lv_vault *vault,
                                      const struct lv_binding *binding, struct lb_str secret,
                                      void *record, struct llmgr_error *err);
/* Like lv_open; LLMGR_ERR_VAULT if the record was not held by this vault for this binding. */
LLMGR_MUST_CHECK llmgr_status lv_open_held(const struct lv_vault *vault,
                                           const struct lv_binding *binding, struct lb_str record,
                                           struct lv_secret *secret, struct llmgr_error *err);
/* The data key a record was sealed with; false if the record is malformed. */
bool lv_record_key_id(struct lb_str record, uint32_t *id);

/*
 * What people see of a key: "key:" and 8 hex digits of a keyed digest. `out` receives
 * LV_FINGERPRINT_SIZE bytes. LLMGR_ERR_VAULT if no fingerprint key is active.
 */
LLMGR_MUST_CHECK llmgr_status lv_fingerprint(const struct lv_vault *vault, struct lb_str secret,
                                             char *out, struct llmgr_error *err);

/*
 * What stands for a key, or for the account that several are of, where the thing itself may not:
 * in cells of health, on every node the same, for as long as there is the database. `kind` keeps
 * the two apart; `text` is the key, or the account's label. Never 0. LLMGR_ERR_VAULT if no
 * fingerprint key is active.
 */
enum lv_stand_in { LV_STAND_IN_KEY = 1, LV_STAND_IN_ACCOUNT = 2 };
LLMGR_MUST_CHECK llmgr_status lv_number_for(const struct lv_vault *vault,
                                            const unsigned char holder[LV_HOLDER_SIZE],
                                            enum lv_stand_in kind, struct lb_str text,
                                            uint64_t *number, struct llmgr_error *err);

/* ---- Signatures ------------------------------------------------------------------------------ */

/* Whose ids of which platform, at which origin: a digest, no secret. */
void lv_holder(struct lb_str owner, int64_t platform, struct lb_str origin,
               unsigned char holder[LV_HOLDER_SIZE]);
/*
 * Signs an id for its holder. The same in every process of a database, for as long as there is the
 * database. LLMGR_ERR_VAULT if no fingerprint key is active.
 */
LLMGR_MUST_CHECK llmgr_status lv_sign(const struct lv_vault *vault,
                                      const unsigned char holder[LV_HOLDER_SIZE], struct lb_str id,
                                      unsigned char signature[LV_SIGNATURE_SIZE],
                                      struct llmgr_error *err);
/* In constant time. */
bool lv_same_signature(const unsigned char a[LV_SIGNATURE_SIZE],
                       const unsigned char b[LV_SIGNATURE_SIZE]);

#endif
