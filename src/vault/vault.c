/* SPDX-License-Identifier: MIT */
/*
 * The ring: data keys in locked memory, written by few and read by many.
 *
 *     tags[slot]   generation | purpose | id      0: free or just being changed
 *     keys[slot]   four words, in sodium_malloc's memory, read-only between changes
 *
 * A reader finds the tag, copies the four words and looks at the tag again: unchanged means the
 * copy is whole (a sequence lock). So opening a key takes no lock and writes no shared memory, and
 * a key can be wiped at any time. The writers exclude each other with the mutex; it also guards
 * the master key, whose page is inaccessible except while something is wrapped or unwrapped.
 */
#include "vault/vault.h"

#include <assert.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <string.h>

#include "base/error.h"
#include "vault/ring.h"

enum {
    KEY_WORDS = LV_DATA_KEY_SIZE / 8,
    NONCE_SIZE = 24,
    TAG_SIZE = 16,
    HEAD_SIZE = 2 + NONCE_SIZE
};

static_assert(LV_WRAPPED_SIZE == HEAD_SIZE + LV_DATA_KEY_SIZE + TAG_SIZE, "wrapped key's parts");
static_assert(NONCE_SIZE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce");
static_assert(TAG_SIZE == crypto_aead_xchacha20poly1305_ietf_ABYTES, "tag");

struct lv_vault {
    const struct lb_host *host;
    pthread_mutex_t lock;     /* of everything that changes */
    struct lv_master *master; /* sodium_malloc, no access between uses */
    char master_id[LV_MASTER_ID_SIZE];
    struct lv_hold_key *hold; /* sodium_malloc, read-only */
    bool locked;
    bool stand_in;                       /* of the master key, before anybody else has the vault */
    uint32_t generation;                 /* 24 bits, counts changes of slots */
    _Atomic uint64_t (*keys)[KEY_WORDS]; /* sodium_malloc, read-only between changes */
    _Atomic uint64_t tags[LV_RING_MAX];
    _Atomic uint32_t used; /* slots that were ever taken: the readers' bound */
    _Atomic uint32_t active[LV_PURPOSE_COUNT];
};

static const char *const PURPOSES[] = {
#define PURPOSE_TEXT(name, text) text,
    LV_PURPOSE_MAP(PURPOSE_TEXT)
#undef PURPOSE_TEXT
};

static uint64_t make_tag(uint32_t generation, lv_purpose purpose, uint32_t id)
{
    return (uint64_t)generation << 40 | (uint64_t)purpose << 32 | id;
}

static uint32_t tag_id(uint64_t tag)
{
    return (uint32_t)tag;
}

static lv_purpose tag_purpose(uint64_t tag)
{
    return (lv_purpose)(tag >> 32 & 0xff);
}

void lv_put_u32(unsigned char *out, uint32_t value)
{
    out[0] = (unsigned char)(value >> 24);
    out[1] = (unsigned char)(value >> 16);
    out[2] = (unsigned char)(value >> 8);
    out[3] = (unsigned char)value;
}

uint32_t lv_get_u32(const unsigned char *in)
{
    return (uint32_t)in[0] << 24 | (uint32_t)in[1] << 16 | (uint32_t)in[2] << 8 | in[3];
}

const char *lv_purpose_text(lv_purpose purpose)
{
    return (unsigned)purpose < LV_PURPOSE_COUNT ? PURPOSES[purpose] : "unknown";
}

/* ---- Life ------------------------------------------------------------------------------------ */

static llmgr_status fail_protect(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_VAULT,
                   N_("the system refuses to protect the memory of the keys (mprotect)"));
}

/* sodium_malloc locks by itself but does not tell whether it could; asking again does. */
static bool lock_memory(struct lv_vault *vault)
{
    return sodium_mlock(vault->master, sizeof *vault->master) == 0 &&
           sodium_mlock(vault->keys, LV_RING_MAX * sizeof *vault->keys) == 0 &&
           lv_hold_key_lock(vault->hold);
}

llmgr_status lv_vault_new(const struct lb_host *host, const struct lv_master *master,
                          struct lv_vault **vault, struct llmgr_error *err)
{
    if (sodium_init() < 0)
        return lb_fail(err, LLMGR_ERR_VAULT, N_("libsodium cannot be initialised"));
    struct lv_vault *fresh = lb_calloc(host, 1, sizeof *fresh);
    if (fresh == NULL)
        return lb_fail_memory(err);
    fresh->host = host;
    if (pthread_mutex_init(&fresh->lock, NULL) != 0) {
        lb_free(host, fresh);
        return lb_fail_memory(err);
    }
    fresh->master = sodium_malloc(sizeof *fresh->master);
    fresh->keys = sodium_allocarray(LV_RING_MAX, sizeof *fresh->keys);
    fresh->hold = lv_hold_key_new();
    if (fresh->master == NULL || fresh->keys == NULL || fresh->hold == NULL) {
        lv_vault_free(fresh);
        return lb_fail_memory(err);
    }
    *fresh->master = *master;
    sodium_memzero(fresh->keys, LV_RING_MAX * sizeof *fresh->keys);
    lv_master_id(master, fresh->master_id);
    fresh->locked = lock_memory(fresh);
    if (sodium_mprotect_noaccess(fresh->master) != 0 ||
        sodium_mprotect_readonly(fresh->keys) != 0 || sodium_mprotect_readonly(fresh->hold) != 0) {
        lv_vault_free(fresh);
        return fail_protect(err);
    }
    if (!fresh->locked)
        lb_warn(host, "the keys in memory may be swapped to disk: raise RLIMIT_MEMLOCK "
                      "(ulimit -l, systemd LimitMEMLOCK=)");
    *vault = fresh;
    return LLMGR_OK;
}

void lv_vault_free(struct lv_vault *vault)
{
    if (vault == NULL)
        return;
    sodium_free(vault->master); /* makes it writable, wipes and unlocks it; NULL is fine */
    sodium_free(vault->keys);
    sodium_free(vault->hold);
    pthread_mutex_destroy(&vault->lock);
    lb_free(vault->host, vault);
}

void lv_vault_stand_in(struct lv_vault *vault)
{
    vault->stand_in = true;
}

const struct lv_hold_key *lv_vault_hold_key(const struct lv_vault *vault)
{
    return vault->hold;
}

bool lv_vault_locked(const struct lv_vault *vault)
{
    return vault->locked;
}

void lv_vault_master_id(struct lv_vault *vault, char *id)
{
    pthread_mutex_lock(&vault->lock);
    memcpy(id, vault->master_id, LV_MASTER_ID_SIZE);
    pthread_mutex_unlock(&vault->lock);
}

llmgr_status lv_vault_set_master(struct lv_vault *vault, const struct lv_master *master,
                                 struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    pthread_mutex_lock(&vault->lock);
    if (sodium_mprotect_readwrite(vault->master) == 0) {
        *vault->master = *master;
        lv_master_id(master, vault->master_id);
        sodium_mprotect_noaccess(vault->master);
    } else {
        status = fail_protect(err);
    }
    pthread_mutex_unlock(&vault->lock);
    return status;
}

/* ---- Wrapping -------------------------------------------------------------------------------- */

/* What a wrapped key is bound to: where it stands in the ring and under which master key. */
struct wrap_data {
    unsigned char bytes[10 + 2 + 4 + LV_PURPOSE_SIZE + LV_MASTER_ID_SIZE];
};

static void bind_row(const struct lv_ring_row *row, struct wrap_data *data)
{
    unsigned char *at = data->bytes;

    memset(data, 0, sizeof *data);
    memcpy(at, "llmgr ring", 10);
    at[10] = LV_FORMAT_VERSION;
    at[11] = LV_ALG_XCHACHA20_POLY1305;
    lv_put_u32(at + 12, row->id);
    memcpy(at + 16, row->purpose, strlen(row->purpose));
    memcpy(at + 16 + LV_PURPOSE_SIZE, row->master_id, strlen(row->master_id));
}

/* Fills row->wrapped; id, purpose and master_id stand there already. */
static void wrap_key(struct lv_ring_row *row, const struct lv_master *master, const void *key)
{
    struct wrap_data data;

    bind_row(row, &data);
    row->wrapped[0] = LV_FORMAT_VERSION;
    row->wrapped[1] = LV_ALG_XCHACHA20_POLY1305;
    randombytes_buf(row->wrapped + 2, NONCE_SIZE);
    crypto_aead_xchacha20poly1305_ietf_encrypt(row->wrapped + HEAD_SIZE, NULL, key,
                                               LV_DATA_KEY_SIZE, data.bytes, sizeof data.bytes,
                                               NULL, row->wrapped + 2, master->bytes);
}

/* Needs the lock. `key` receives LV_DATA_KEY_SIZE bytes on success. */
static llmgr_status unwrap_key(struct lv_vault *vault, const struct lv_ring_row *row, void *key,
                               struct llmgr_error *err)
{
    struct wrap_data data;

    bool fits = strncmp(row->master_id, vault->master_id, LV_MASTER_ID_SIZE) == 0;
    if (!fits && vault->stand_in) /* its own id says nothing to anybody */
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the keys stored in this database need the master key %s, which was not "
                          "given"),
                       row->master_id);
    if (!fits)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the stored keys need the master key %s, but the one given is %s; give "
                          "the master key this database was made with"),
                       row->master_id, vault->master_id);
    if (row->wrapped[0] != LV_FORMAT_VERSION || row->wrapped[1] != LV_ALG_XCHACHA20_POLY1305)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the data key %lu is of an unknown format (%u.%u); was it written by a "
                          "newer version?"),
                       (unsigned long)row->id, row->wrapped[0], row->wrapped[1]);
    bind_row(row, &data);
    if (sodium_mprotect_readonly(vault->master) != 0)
        return fail_protect(err);
    int verdict = crypto_aead_xchacha20poly1305_ietf_decrypt(
        key, NULL, NULL, row->wrapped + HEAD_SIZE, LV_WRAPPED_SIZE - HEAD_SIZE, data.bytes,
        sizeof data.bytes, row->wrapped + 2, vault->master->bytes);
    sodium_mprotect_noaccess(vault->master);
    if (verdict != 0)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the data key %lu was changed or damaged in the database; restore "
                          "llm_data_keys from a backup"),
                       (unsigned long)row->id);
    return LLMGR_OK;
}

static bool find_purpose(const char *text, lv_purpose *purpose)
{
    for (unsigned i = 0; i < LV_PURPOSE_COUNT; i++) {
        if (strncmp(text, PURPOSES[i], LV_PURPOSE_SIZE) == 0) {
            *purpose = (lv_purpose)i;
            return true;
        }
    }
    return false;
}

static bool is_master_id(struct lb_str text)
{
    if (text.size != LV_MASTER_ID_SIZE - 1)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        if (strchr("0123456789abcdef", text.p[i]) == NULL || text.p[i] == '\0')
            return false;
    }
    return true;
}

llmgr_status lv_ring_row_set(struct lv_ring_row *row, int64_t id, struct lb_str purpose,
                             struct lb_str master_id, struct lb_str wrapped,
                             struct llmgr_error *err)
{
    struct lv_ring_row fresh = {.id = 0};

    if (id <= 0 || id > INT32_MAX || purpose.size == 0 || purpose.size >= LV_PURPOSE_SIZE ||
        memchr(purpose.p, '\0', purpose.size) != NULL || !is_master_id(master_id) ||
        wrapped.size != LV_WRAPPED_SIZE)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the data key %lld in the database is damaged; restore llm_data_keys "
                          "from a backup"),
                       (long long)id);
    fresh.id = (uint32_t)id;
    memcpy(fresh.purpose, purpose.p, purpose.size);
    memcpy(fresh.master_id, master_id.p, master_id.size);
    memcpy(fresh.wrapped, wrapped.p, wrapped.size);
    *row = fresh;
    return LLMGR_OK;
}

/* ---- The ring -------------------------------------------------------------------------------- */

/* The slot that holds `id`, or LV_RING_MAX. */
static uint32_t find_slot(const struct lv_vault *vault, uint32_t id)
{
    uint32_t used = atomic_load_explicit(&vault->used, memory_order_acquire);

    for (uint32_t slot = 0; slot < used; slot++) {
        if (tag_id(atomic_load_explicit(&vault->tags[slot], memory_order_acquire)) == id)
            return slot;
    }
    return LV_RING_MAX;
}

bool lv_ring_get(const struct lv_vault *vault, uint32_t id, lv_purpose purpose, void *key)
{
    uint64_t words[KEY_WORDS];
    uint64_t tag;
    uint32_t slot;

    do {
        slot = id != 0 ? find_slot(vault, id) : LV_RING_MAX;
        if (slot == LV_RING_MAX)
            return false;
        tag = atomic_load_explicit(&vault->tags[slot], memory_order_acquire);
        for (size_t i = 0; i < KEY_WORDS; i++)
            words[i] = atomic_load_explicit(&vault->keys[slot][i], memory_order_acquire);
        /* Acquire above, release in set_slot: a changed word implies that the new tag is seen. */
    } while (tag_id(tag) != id ||
             atomic_load_explicit(&vault->tags[slot], memory_order_relaxed) != tag);
    bool fits = tag_purpose(tag) == purpose;
    if (fits)
        memcpy(key, words, sizeof words);
    sodium_memzero(words, sizeof words);
    return fits;
}

/* Needs the lock and writable keys. */
static void set_slot(struct lv_vault *vault, uint32_t slot, const void *key, uint64_t tag)
{
    uint64_t words[KEY_WORDS] = {0};

    if (key != NULL)
        memcpy(words, key, sizeof words);
    atomic_store_explicit(&vault->tags[slot], 0, memory_order_relaxed);
    for (size_t i = 0; i < KEY_WORDS; i++)
        atomic_store_explicit(&vault->keys[slot][i], words[i], memory_order_release);
    atomic_store_explicit(&vault->tags[slot], tag, memory_order_release);
    sodium_memzero(words, sizeof words);
}

/* A free slot below `used`, or the next one; LV_RING_MAX if all are taken. Needs the lock. */
static uint32_t free_slot(struct lv_vault *vault)
{
    uint32_t used = atomic_load_explicit(&vault->used, memory_order_relaxed);

    for (uint32_t slot = 0; slot < used; slot++) {
        if (atomic_load_explicit(&vault->tags[slot], memory_order_relaxed) == 0)
            return slot;
    }
    return used;
}

/* Needs the lock. */
static llmgr_status add_key(struct lv_vault *vault, uint32_t id, lv_purpose purpose,
                            const void *key, struct llmgr_error *err)
{
    uint32_t slot = free_slot(vault);

    if (slot == LV_RING_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("more than %d data keys; finish the rotation with 'llmgr key rotate'"),
                       LV_RING_MAX);
    if (sodium_mprotect_readwrite(vault->keys) != 0)
        return fail_protect(err);
    vault->generation = (vault->generation + 1) & 0xffffff;
    set_slot(vault, slot, key, make_tag(vault->generation, purpose, id));
    sodium_mprotect_readonly(vault->keys);
    if (slot == atomic_load_explicit(&vault->used, memory_order_relaxed))
        atomic_store_explicit(&vault->used, slot + 1, memory_order_release);
    return LLMGR_OK;
}

llmgr_status lv_ring_create(struct lv_vault *vault, lv_purpose purpose, struct lv_ring_row *row,
                            struct llmgr_error *err)
{
    struct lv_ring_row fresh = {.id = 0};
    unsigned char key[LV_DATA_KEY_SIZE];
    llmgr_status status = LLMGR_OK;

    do {
        fresh.id = randombytes_uniform(INT32_MAX) + 1;
    } while (lv_ring_has(vault, fresh.id));
    memcpy(fresh.purpose, PURPOSES[purpose], strlen(PURPOSES[purpose]));
    randombytes_buf(key, sizeof key);
    pthread_mutex_lock(&vault->lock);
    memcpy(fresh.master_id, vault->master_id, sizeof fresh.master_id);
    if (sodium_mprotect_readonly(vault->master) == 0) {
        wrap_key(&fresh, vault->master, key);
        sodium_mprotect_noaccess(vault->master);
    } else {
        status = fail_protect(err);
    }
    pthread_mutex_unlock(&vault->lock);
    sodium_memzero(key, sizeof key);
    if (status == LLMGR_OK)
        *row = fresh;
    return status;
}

llmgr_status lv_ring_load(struct lv_vault *vault, const struct lv_ring_row *row,
                          struct llmgr_error *err)
{
    unsigned char key[LV_DATA_KEY_SIZE];
    lv_purpose purpose;

    if (row->id == 0 || !find_purpose(row->purpose, &purpose))
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the data key %lu has the unknown purpose '%.15s'; was it written by a "
                          "newer version?"),
                       (unsigned long)row->id, row->purpose);
    pthread_mutex_lock(&vault->lock);
    llmgr_status status = unwrap_key(vault, row, key, err);
    if (status == LLMGR_OK && find_slot(vault, row->id) == LV_RING_MAX)
        status = add_key(vault, row->id, purpose, key, err);
    pthread_mutex_unlock(&vault->lock);
    sodium_memzero(key, sizeof key);
    return status;
}

llmgr_status lv_ring_rewrap(struct lv_vault *vault, const struct lv_ring_row *row,
                            const struct lv_master *new_master, struct lv_ring_row *rewrapped,
                            struct llmgr_error *err)
{
    struct lv_ring_row fresh = *row;
    unsigned char key[LV_DATA_KEY_SIZE];

    pthread_mutex_lock(&vault->lock);
    llmgr_status status = unwrap_key(vault, row, key, err);
    pthread_mutex_unlock(&vault->lock);
    if (status == LLMGR_OK) {
        lv_master_id(new_master, fresh.master_id);
        wrap_key(&fresh, new_master, key);
        *rewrapped = fresh;
    }
    sodium_memzero(key, sizeof key);
    return status;
}

llmgr_status lv_ring_activate(struct lv_vault *vault, uint32_t id, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    pthread_mutex_lock(&vault->lock);
    uint32_t slot = id != 0 ? find_slot(vault, id) : LV_RING_MAX;
    if (slot != LV_RING_MAX)
        atomic_store(&vault->active[tag_purpose(atomic_load(&vault->tags[slot]))], id);
    else
        status = lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("the data key %lu is not loaded"),
                         (unsigned long)id);
    pthread_mutex_unlock(&vault->lock);
    return status;
}

void lv_ring_forget(struct lv_vault *vault, uint32_t id)
{
    pthread_mutex_lock(&vault->lock);
    uint32_t slot = id != 0 ? find_slot(vault, id) : LV_RING_MAX;
    if (slot != LV_RING_MAX) {
        for (unsigned i = 0; i < LV_PURPOSE_COUNT; i++) {
            if (atomic_load(&vault->active[i]) == id)
                atomic_store(&vault->active[i], 0);
        }
        /* Without write access the key stays in memory until the end, but nobody finds it. */
        if (sodium_mprotect_readwrite(vault->keys) == 0) {
            set_slot(vault, slot, NULL, 0);
            sodium_mprotect_readonly(vault->keys);
        } else {
            atomic_store(&vault->tags[slot], 0);
        }
    }
    pthread_mutex_unlock(&vault->lock);
}

bool lv_ring_has(const struct lv_vault *vault, uint32_t id)
{
    return id != 0 && find_slot(vault, id) != LV_RING_MAX;
}

size_t lv_ring_ids(const struct lv_vault *vault, uint32_t ids[LV_RING_MAX])
{
    size_t count = 0;

    for (uint32_t slot = 0; slot < LV_RING_MAX; slot++) {
        uint64_t tag = atomic_load(&vault->tags[slot]);
        if (tag != 0)
            ids[count++] = tag_id(tag);
    }
    return count;
}

uint32_t lv_ring_active(const struct lv_vault *vault, lv_purpose purpose)
{
    return atomic_load_explicit(&vault->active[purpose], memory_order_acquire);
}
