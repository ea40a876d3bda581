/* SPDX-License-Identifier: MIT */
/*
 * Signatures of ids that leave the house and come back: whoever shows one has got it from us. The
 * key is derived from the ring's fingerprint key, so it is random, the same for all processes of a
 * database from its first start on, in every backup, rewrapped with the master key, and untouched
 * by rotations of the data key. A purpose of its own in the ring would be one that the release
 * before does not know, and refuses to start with.
 *
 *     key of signatures = BLAKE2b(fingerprint key, "llmgr ID", 1)         libsodium's crypto_kdf
 *     signature         = BLAKE2b(key of signatures, holder[32] id)       cut to 15 bytes
 *     holder            = BLAKE2b(version size of owner[4] owner platform[8] origin)
 *
 * Numbers that stand for a key or an account come the same way, from a subkey of their own:
 *
 *     number            = BLAKE2b(key of numbers, holder[32] kind text)   cut to 8 bytes
 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "vault/ring.h"

enum {
    HOLDER_VERSION = 1,
    DIGEST_SIZE = crypto_generichash_BYTES_MIN,
    /* Subkeys of the fingerprint key; further uses take further numbers. */
    SUBKEY_SIGN = 1,
    SUBKEY_NUMBER = 2,
};

static_assert((int)LV_DATA_KEY_SIZE == (int)crypto_kdf_KEYBYTES, "the fingerprint key derives");
static_assert((int)LV_HOLDER_SIZE == (int)crypto_generichash_BYTES, "holder");

void lv_holder(struct lb_str owner, int64_t platform, struct lb_str origin,
               unsigned char holder[LV_HOLDER_SIZE])
{
    unsigned char front[1 + 4], middle[8];
    const uint64_t number = (uint64_t)platform;
    crypto_generichash_state state;

    front[0] = HOLDER_VERSION;
    lv_put_u32(front + 1, (uint32_t)owner.size);
    lv_put_u32(middle, (uint32_t)(number >> 32));
    lv_put_u32(middle + 4, (uint32_t)number);
    crypto_generichash_init(&state, NULL, 0, LV_HOLDER_SIZE);
    crypto_generichash_update(&state, front, sizeof front);
    crypto_generichash_update(&state, (const unsigned char *)owner.p, owner.size);
    crypto_generichash_update(&state, middle, sizeof middle);
    crypto_generichash_update(&state, (const unsigned char *)origin.p, origin.size);
    crypto_generichash_final(&state, holder, LV_HOLDER_SIZE);
}

/* BLAKE2b(subkey, holder before text). */
static llmgr_status digest_under(const struct lv_vault *vault, uint64_t subkey,
                                 const unsigned char holder[LV_HOLDER_SIZE], struct lb_str before,
                                 struct lb_str text, unsigned char digest[DIGEST_SIZE],
                                 struct llmgr_error *err)
{
    static const char CONTEXT[crypto_kdf_CONTEXTBYTES] = {'l', 'l', 'm', 'g', 'r', ' ', 'I', 'D'};
    unsigned char root[LV_DATA_KEY_SIZE], key[crypto_generichash_KEYBYTES];
    crypto_generichash_state state;

    if (!lv_ring_get(vault, lv_ring_active(vault, LV_PURPOSE_FINGERPRINT), LV_PURPOSE_FINGERPRINT,
                     root))
        return lb_fail(err, LLMGR_ERR_VAULT, N_("there is no active fingerprint key"));
    crypto_kdf_derive_from_key(key, sizeof key, subkey, CONTEXT, root);
    crypto_generichash_init(&state, key, sizeof key, DIGEST_SIZE);
    crypto_generichash_update(&state, holder, LV_HOLDER_SIZE);
    crypto_generichash_update(&state, (const unsigned char *)before.p, before.size);
    crypto_generichash_update(&state, (const unsigned char *)text.p, text.size);
    crypto_generichash_final(&state, digest, DIGEST_SIZE);
    sodium_memzero(root, sizeof root);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&state, sizeof state);
    return LLMGR_OK;
}

llmgr_status lv_sign(const struct lv_vault *vault, const unsigned char holder[LV_HOLDER_SIZE],
                     struct lb_str id, unsigned char signature[LV_SIGNATURE_SIZE],
                     struct llmgr_error *err)
{
    unsigned char digest[DIGEST_SIZE];

    static_assert((int)LV_SIGNATURE_SIZE <= (int)DIGEST_SIZE, "part of the digest");
    llmgr_status status = digest_under(vault, SUBKEY_SIGN, holder, LB_STR(""), id, digest, err);
    if (status == LLMGR_OK)
        memcpy(signature, digest, LV_SIGNATURE_SIZE);
    return status;
}

llmgr_status lv_number_for(const struct lv_vault *vault, const unsigned char holder[LV_HOLDER_SIZE],
                           enum lv_stand_in kind, struct lb_str text, uint64_t *number,
                           struct llmgr_error *err)
{
    const char before = (char)kind;
    unsigned char digest[DIGEST_SIZE];
    uint64_t made = 0;

    llmgr_status status =
        digest_under(vault, SUBKEY_NUMBER, holder, lb_str(&before, 1), text, digest, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < sizeof made; i++)
        made = made << 8 | digest[i];
    *number = made != 0 ? made : 1;
    return LLMGR_OK;
}

bool lv_same_signature(const unsigned char a[LV_SIGNATURE_SIZE],
                       const unsigned char b[LV_SIGNATURE_SIZE])
{
    return sodium_memcmp(a, b, LV_SIGNATURE_SIZE) == 0;
}
