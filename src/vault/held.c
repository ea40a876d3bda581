/* SPDX-License-Identifier: MIT */
/*
 * Held records: how a key that is in use waits in memory. A stored record is made to last, and to
 * open it takes two ciphers and two hashes; a gateway opens a key for each request. So whoever
 * loads a stored record opens it once and holds the key under a key of this process, which nobody
 * else has and which dies with the vault:
 *
 *     mark(1) nonce(12) ciphertext tag(16)
 *
 * where the mark is no version of stored records, so that neither is taken for the other. It is
 * bound as additional data to the same place as the stored record, but written out, not hashed:
 *
 *     table 0 column 0 row(8) size of tenant(4) tenant origin
 *
 * The cipher is AES-256-GCM where the processor has it, else ChaCha20-Poly1305. Nonces are random,
 * so that processes that were forked never share one; with 2^32 records held by one process two
 * are alike with a probability of 2^-33 (NIST SP 800-38D, 8.3 allows that many).
 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "base/raw.h"
#include "vault/ring.h"

enum {
    HELD_MARK = 0x68, /* never to become a LV_FORMAT_VERSION */
    NONCE_SIZE = crypto_aead_aes256gcm_NPUBBYTES,
    TAG_SIZE = crypto_aead_aes256gcm_ABYTES,
    PLACE_MAX = 1024, /* bytes of a place: names, a user's ID, an origin */
};

static_assert(LV_HELD_OVERHEAD == 1 + NONCE_SIZE + TAG_SIZE, "held record's parts");
static_assert((int)HELD_MARK != (int)LV_FORMAT_VERSION, "held records are not stored ones");
static_assert(NONCE_SIZE == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "nonce of either");
static_assert(TAG_SIZE == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag of either");

/* sodium_malloc's memory, read-only once it is made. */
struct lv_hold_key {
    union {
        crypto_aead_aes256gcm_state aes; /* the expanded key */
        unsigned char chacha[crypto_aead_chacha20poly1305_ietf_KEYBYTES];
    };
    bool has_aes;
    unsigned char padding[15]; /* sodium_malloc aligns the end; the state wants 16 bytes */
};

static_assert(sizeof(struct lv_hold_key) % 16 == 0, "aligned like its end");

struct lv_hold_key *lv_hold_key_new(void)
{
    unsigned char bytes[crypto_aead_aes256gcm_KEYBYTES];
    struct lv_hold_key *key = sodium_malloc(sizeof *key);

    if (key == NULL)
        return NULL;
    randombytes_buf(bytes, sizeof bytes);
    key->has_aes = crypto_aead_aes256gcm_is_available() != 0;
    if (key->has_aes)
        crypto_aead_aes256gcm_beforenm(&key->aes, bytes);
    else
        memcpy(key->chacha, bytes, sizeof bytes);
    sodium_memzero(bytes, sizeof bytes);
    return key;
}

bool lv_hold_key_lock(struct lv_hold_key *key)
{
    return sodium_mlock(key, sizeof *key) == 0;
}

/* ---- The place ------------------------------------------------------------------------------- */

struct place {
    size_t size;
    unsigned char bytes[PLACE_MAX];
};

static unsigned char *put(unsigned char *at, const void *bytes, size_t size)
{
    if (size != 0)
        memcpy(at, bytes, size);
    return at + size;
}

/* False if it is longer than any place there is. */
static bool write_place(const struct lv_binding *binding, struct place *place)
{
    const size_t table = strlen(binding->table) + 1, column = strlen(binding->column) + 1;
    const uint64_t row = (uint64_t)binding->row;
    unsigned char *at = place->bytes;

    if (table > LV_BINDING_NAME_MAX + 1 || column > LV_BINDING_NAME_MAX + 1 ||
        binding->tenant.size > PLACE_MAX / 2 || binding->origin.size > PLACE_MAX / 2 ||
        table + column + 12 + binding->tenant.size + binding->origin.size > PLACE_MAX)
        return false;
    at = put(at, binding->table, table);
    at = put(at, binding->column, column);
    lv_put_u32(at, (uint32_t)(row >> 32));
    lv_put_u32(at + 4, (uint32_t)row);
    lv_put_u32(at + 8, (uint32_t)binding->tenant.size);
    at = put(at + 12, binding->tenant.p, binding->tenant.size);
    at = put(at, binding->origin.p, binding->origin.size);
    place->size = (size_t)(at - place->bytes);
    return true;
}

static llmgr_status fail_place(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_INTERNAL, N_("a key's place in the database is too long"));
}

/* ---- Holding and opening --------------------------------------------------------------------- */

llmgr_status lv_hold(const struct lv_vault *vault, const struct lv_binding *binding,
                     struct lb_str secret, void *record, struct llmgr_error *err)
{
    LB_RAW struct place place;
    const struct lv_hold_key *key = lv_vault_hold_key(vault);
    const unsigned char *clear = (const unsigned char *)secret.p;
    unsigned char *mark = record, *nonce = mark + 1, *cipher = nonce + NONCE_SIZE;

    if (secret.size > LV_SECRET_MAX || !write_place(binding, &place))
        return fail_place(err);
    *mark = HELD_MARK;
    randombytes_buf(nonce, NONCE_SIZE);
    if (key->has_aes)
        crypto_aead_aes256gcm_encrypt_afternm(cipher, NULL, clear, secret.size, place.bytes,
                                              place.size, NULL, nonce, &key->aes);
    else
        crypto_aead_chacha20poly1305_ietf_encrypt(cipher, NULL, clear, secret.size, place.bytes,
                                                  place.size, NULL, nonce, key->chacha);
    return LLMGR_OK;
}

llmgr_status lv_open_held(const struct lv_vault *vault, const struct lv_binding *binding,
                          struct lb_str record, struct lv_secret *secret, struct llmgr_error *err)
{
    LB_RAW struct place place;
    const struct lv_hold_key *key = lv_vault_hold_key(vault);
    const unsigned char *mark = (const unsigned char *)record.p;
    unsigned char *clear = (unsigned char *)secret->bytes;
    int verdict = -1;

    lv_secret_init(secret);
    if (!write_place(binding, &place))
        return fail_place(err);
    if (record.size > LV_HELD_OVERHEAD && record.size - LV_HELD_OVERHEAD <= LV_SECRET_MAX &&
        *mark == HELD_MARK) {
        const unsigned char *nonce = mark + 1, *cipher = nonce + NONCE_SIZE;
        const size_t size = record.size - 1 - NONCE_SIZE;
        verdict =
            key->has_aes
                ? crypto_aead_aes256gcm_decrypt_afternm(clear, NULL, NULL, cipher, size,
                                                        place.bytes, place.size, nonce, &key->aes)
                : crypto_aead_chacha20poly1305_ietf_decrypt(
                      clear, NULL, NULL, cipher, size, place.bytes, place.size, nonce, key->chacha);
    }
    if (verdict != 0)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("a key in memory (%s row %lld) was not held for this owner, row and "
                          "address, or was changed; ask again"),
                       binding->table, (long long)binding->row);
    secret->size = record.size - LV_HELD_OVERHEAD;
    secret->bytes[secret->size] = '\0';
    return LLMGR_OK;
}
