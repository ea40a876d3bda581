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
 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "vault/ring.h"

enum {
    HOLDER_VERSION = 1,
    SUBKEY = 1, /* of the fingerprint key; further uses take further numbers */
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

llmgr_status lv_sign(const struct lv_vault *vault, const unsigned char holder[LV_HOLDER_SIZE],
                     struct lb_str id, unsigned char signature[LV_SIGNATURE_SIZE],
                     struct llmgr_error *err)
{
    static const char CONTEXT[crypto_kdf_CONTEXTBYTES] = {'l', 'l', 'm', 'g', 'r', ' ', 'I', 'D'};
    unsigned char root[LV_DATA_KEY_SIZE], key[crypto_generichash_KEYBYTES];
    unsigned char digest[crypto_generichash_BYTES_MIN];
    crypto_generichash_state state;

    static_assert(LV_SIGNATURE_SIZE <= sizeof digest, "a signature is part of the digest");
    if (!lv_ring_get(vault, lv_ring_active(vault, LV_PURPOSE_FINGERPRINT), LV_PURPOSE_FINGERPRINT,
                     root))
        return lb_fail(err, LLMGR_ERR_VAULT, N_("there is no active fingerprint key"));
    crypto_kdf_derive_from_key(key, sizeof key, SUBKEY, CONTEXT, root);
    crypto_generichash_init(&state, key, sizeof key, sizeof digest);
    crypto_generichash_update(&state, holder, LV_HOLDER_SIZE);
    crypto_generichash_update(&state, (const unsigned char *)id.p, id.size);
    crypto_generichash_final(&state, digest, sizeof digest);
    memcpy(signature, digest, LV_SIGNATURE_SIZE);
    sodium_memzero(root, sizeof root);
    sodium_memzero(key, sizeof key);
    sodium_memzero(&state, sizeof state);
    return LLMGR_OK;
}

bool lv_same_signature(const unsigned char a[LV_SIGNATURE_SIZE],
                       const unsigned char b[LV_SIGNATURE_SIZE])
{
    return sodium_memcmp(a, b, LV_SIGNATURE_SIZE) == 0;
}
