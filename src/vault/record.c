/* SPDX-License-Identifier: MIT */
/*
 * Records: the only code that turns a secret into bytes for a database and back. What a record is
 * bound to is built in one place (bind), for sealing and opening alike:
 *
 *     "llmgr" ver alg dek_id table 0 column 0 tenant[16] row[16] H(origin)[32]
 *
 * XChaCha20-Poly1305 does not commit to its key, so a record's data key is chosen by its id, and
 * the id is bound too.
 */
#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "vault/ring.h"
#include "vault/vault.h"

enum {
    ID_AT = 2,
    NONCE_AT = 6,
    CIPHER_AT = 30,
    TAG_SIZE = crypto_aead_xchacha20poly1305_ietf_ABYTES,
    TENANT_SIZE = 16,
    ROW_SIZE = 16,
    ORIGIN_SIZE = 32,
    DATA_MAX = 5 + 1 + 1 + 4 + 2 * (LV_BINDING_NAME_MAX + 1) + TENANT_SIZE + ROW_SIZE + ORIGIN_SIZE
};

static_assert(LV_RECORD_OVERHEAD == CIPHER_AT + TAG_SIZE, "record's parts");

struct bound {
    unsigned char bytes[DATA_MAX];
    size_t size;
};

static void hash(unsigned char *out, size_t size, struct lb_str text)
{
    crypto_generichash(out, size, (const unsigned char *)text.p, text.size, NULL, 0);
}

static unsigned char *put_name(unsigned char *at, const char *name)
{
    size_t size = strlen(name) + 1;
    memcpy(at, name, size);
    return at + size;
}

static llmgr_status bind(const struct lv_binding *binding, uint32_t key_id, struct bound *bound,
                         struct llmgr_error *err)
{
    unsigned char *at = bound->bytes;
    uint64_t row = (uint64_t)binding->row;

    if (strlen(binding->table) > LV_BINDING_NAME_MAX ||
        strlen(binding->column) > LV_BINDING_NAME_MAX)
        return lb_fail(err, LLMGR_ERR_INTERNAL, N_("a sealed column's name is too long"));
    memcpy(at, "llmgr", 5);
    at += 5;
    *at++ = LV_FORMAT_VERSION;
    *at++ = LV_ALG_XCHACHA20_POLY1305;
    lv_put_u32(at, key_id);
    at = put_name(at + 4, binding->table);
    at = put_name(at, binding->column);
    hash(at, TENANT_SIZE, binding->tenant);
    at += TENANT_SIZE;
    memset(at, 0, 8);
    lv_put_u32(at + 8, (uint32_t)(row >> 32));
    lv_put_u32(at + 12, (uint32_t)row);
    at += ROW_SIZE;
    hash(at, ORIGIN_SIZE, binding->origin);
    bound->size = (size_t)(at + ORIGIN_SIZE - bound->bytes);
    return LLMGR_OK;
}

llmgr_status lv_seal(const struct lv_vault *vault, const struct lv_binding *binding,
                     struct lb_str secret, struct lb_buf *record, struct llmgr_error *err)
{
    unsigned char key[LV_DATA_KEY_SIZE];
    struct bound bound;
    uint32_t id = lv_ring_active(vault, LV_PURPOSE_SEAL);

    if (secret.size == 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("an empty key is no key and is not stored"));
    if (secret.size > LV_SECRET_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the key is longer than %d bytes"),
                       LV_SECRET_MAX);
    llmgr_status status = bind(binding, id, &bound, err);
    if (status != LLMGR_OK)
        return status;
    char *out = lb_buf_reserve(record, secret.size + LV_RECORD_OVERHEAD);
    if (out == NULL)
        return lb_fail(err, record->failed, N_("no room for a sealed key"));
    if (!lv_ring_get(vault, id, LV_PURPOSE_SEAL, key))
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("there is no active data key; 'llmgr key rotate' makes one"));
    unsigned char *at = (unsigned char *)out;
    at[0] = LV_FORMAT_VERSION;
    at[1] = LV_ALG_XCHACHA20_POLY1305;
    lv_put_u32(at + ID_AT, id);
    randombytes_buf(at + NONCE_AT, CIPHER_AT - NONCE_AT);
    crypto_aead_xchacha20poly1305_ietf_encrypt(at + CIPHER_AT, NULL,
                                               (const unsigned char *)secret.p, secret.size,
                                               bound.bytes, bound.size, NULL, at + NONCE_AT, key);
    sodium_memzero(key, sizeof key);
    lb_buf_grow(record, secret.size + LV_RECORD_OVERHEAD);
    return LLMGR_OK;
}

bool lv_record_key_id(struct lb_str record, uint32_t *id)
{
    if (record.size <= LV_RECORD_OVERHEAD || record.size > LV_RECORD_MAX)
        return false;
    const unsigned char *at = (const unsigned char *)record.p;
    uint32_t found = lv_get_u32(at + ID_AT);
    if (at[0] != LV_FORMAT_VERSION || at[1] != LV_ALG_XCHACHA20_POLY1305 || found == 0)
        return false;
    *id = found;
    return true;
}

llmgr_status lv_open(const struct lv_vault *vault, const struct lv_binding *binding,
                     struct lb_str record, struct lv_secret *secret, struct llmgr_error *err)
{
    unsigned char key[LV_DATA_KEY_SIZE];
    struct bound bound;
    uint32_t id;

    lv_secret_init(secret);
    if (!lv_record_key_id(record, &id))
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("a stored key (%s row %lld) is damaged or of an unknown format; store "
                          "it again"),
                       binding->table, (long long)binding->row);
    llmgr_status status = bind(binding, id, &bound, err);
    if (status != LLMGR_OK)
        return status;
    if (!lv_ring_get(vault, id, LV_PURPOSE_SEAL, key))
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("a stored key (%s row %lld) was sealed with the data key %lu, which this "
                          "database does not have; restore llm_data_keys or store the key again"),
                       binding->table, (long long)binding->row, (unsigned long)id);
    const unsigned char *at = (const unsigned char *)record.p;
    int verdict = crypto_aead_xchacha20poly1305_ietf_decrypt(
        (unsigned char *)secret->bytes, NULL, NULL, at + CIPHER_AT, record.size - CIPHER_AT,
        bound.bytes, bound.size, at + NONCE_AT, key);
    sodium_memzero(key, sizeof key);
    if (verdict != 0)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("a stored key (%s row %lld) was not sealed for this owner, row and "
                          "address, or was changed; store it again"),
                       binding->table, (long long)binding->row);
    secret->size = record.size - LV_RECORD_OVERHEAD;
    secret->bytes[secret->size] = '\0';
    return LLMGR_OK;
}

llmgr_status lv_fingerprint(const struct lv_vault *vault, struct lb_str secret, char *out,
                            struct llmgr_error *err)
{
    unsigned char key[LV_DATA_KEY_SIZE];
    unsigned char digest[crypto_generichash_BYTES_MIN];

    if (!lv_ring_get(vault, lv_ring_active(vault, LV_PURPOSE_FINGERPRINT), LV_PURPOSE_FINGERPRINT,
                     key))
        return lb_fail(err, LLMGR_ERR_VAULT, N_("there is no active fingerprint key"));
    crypto_generichash(digest, sizeof digest, (const unsigned char *)secret.p, secret.size, key,
                       sizeof key);
    sodium_memzero(key, sizeof key);
    memcpy(out, "key:", 4);
    sodium_bin2hex(out + 4, LV_FINGERPRINT_SIZE - 4, digest, 4);
    return LLMGR_OK;
}
