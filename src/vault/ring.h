/* SPDX-License-Identifier: MIT */
/* Between the files of the vault only: how a record's code gets at its key. */
#ifndef LV_RING_H
#define LV_RING_H

#include "vault/vault.h"

enum { LV_DATA_KEY_SIZE = 32 };

/* Versions and algorithms of records and wrapped keys. */
enum {
    LV_FORMAT_VERSION = 1,
    LV_ALG_XCHACHA20_POLY1305 = 1 /* IETF variant, 192-bit random nonce, 128-bit tag */
};

/*
 * Copies the data key `id`, if the ring has it for `purpose`, to `key` (LV_DATA_KEY_SIZE bytes,
 * wiped by the caller). Never blocks.
 */
bool lv_ring_get(const struct lv_vault *vault, uint32_t id, lv_purpose purpose, void *key);

/*
 * The key of this process, under which keys are held in memory (held.c): random, never stored, in
 * sodium_malloc's memory, which is freed with sodium_free. NULL: no memory. False: not locked.
 */
struct lv_hold_key;
struct lv_hold_key *lv_hold_key_new(void);
bool lv_hold_key_lock(struct lv_hold_key *key);
const struct lv_hold_key *lv_vault_hold_key(const struct lv_vault *vault);

void lv_put_u32(unsigned char *out, uint32_t value); /* big endian */
uint32_t lv_get_u32(const unsigned char *in);

#endif
