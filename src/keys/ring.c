/* SPDX-License-Identifier: MIT */
/*
 * The data keys' life in the database, and the one place that says how a sealed column is bound.
 *
 * A data key is stored first and used later, and a record is only ever sealed with the key that
 * the database calls active in the sealing transaction. Writers are serialised, so after a key
 * was demoted no record can appear under it any more - which is what lets a rotation drop it. A
 * process that meets a record under a key it does not know reads the ring once more.
 */
#include "keys/ring.h"

#include "base/error.h"
#include "config/placeholder.h"
#include "keys/key_text.h"
#include "keys/ring_rows.h"
#include "store/store.h"

/* ---- Sealing and opening --------------------------------------------------------------------- */

static struct lv_binding bind(const struct lk_key_place *place)
{
    static const struct {
        const char *table;
        const char *column;
    } COLUMNS[] = {
        [LK_KEY_OF_PLATFORM] = {"llm_platforms", "api_key"},
        [LK_KEY_OF_USER] = {"llm_sys_platform_keys", "api_key"},
        [LK_KEY_OF_HEADERS] = {"llm_platforms", "header_values"},
        [LK_KEY_FURTHER] = {"llm_platform_keys", "api_key"},
        [LK_KEY_OF_ANSWER] = {"llm_answers", "answer"},
    };

    return (struct lv_binding){.table = COLUMNS[place->column].table,
                               .column = COLUMNS[place->column].column,
                               .tenant = place->owner,
                               .row = place->platform_id,
                               .origin = place->origin};
}

/* Reads the whole ring into the vault. */
static llmgr_status reload(const struct lb_host *host, struct lv_vault *vault, struct ls_tx *tx,
                           struct llmgr_error *err)
{
    struct lk_ring_list *list = lb_alloc(host, sizeof *list);
    if (list == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lk_ring_read(tx, list, err);
    if (status == LLMGR_OK)
        status = lk_ring_load(vault, list, err);
    lb_free(host, list);
    return status;
}

/* Makes the vault seal with the key that the database calls active; tx is a writing one. */
static llmgr_status follow_active(const struct lb_host *host, struct lv_vault *vault,
                                  struct ls_tx *tx, struct llmgr_error *err)
{
    uint32_t id;
    llmgr_status status = lk_ring_active(tx, LV_PURPOSE_SEAL, &id, err);
    if (status != LLMGR_OK)
        return status;
    if (id == 0)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the database has no data key to seal with; open it for writing once"));
    if (lv_ring_active(vault, LV_PURPOSE_SEAL) == id)
        return LLMGR_OK;
    if (!lv_ring_has(vault, id))
        status = reload(host, vault, tx, err);
    return status == LLMGR_OK ? lv_ring_activate(vault, id, err) : status;
}

static llmgr_status seal(const struct lb_host *host, struct lv_vault *vault, struct ls_tx *tx,
                         const struct lk_key_place *place, struct lb_str key, struct lb_buf *record,
                         struct llmgr_error *err)
{
    llmgr_status status = follow_active(host, vault, tx, err);
    if (status != LLMGR_OK)
        return status;
    const struct lv_binding binding = bind(place);
    return lv_seal(vault, &binding, key, record, err);
}

llmgr_status lk_key_seal(const struct lk_keys *keys, struct ls_tx *tx,
                         const struct lk_key_place *place, struct lb_str key, struct lb_buf *record,
                         struct llmgr_error *err)
{
    return seal(keys->host, keys->vault, tx, place, key, record, err);
}

struct reading {
    const struct lb_host *host;
    struct lv_vault *vault;
};

static llmgr_status reload_alone(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct reading *reading = context;
    return reload(reading->host, reading->vault, tx, err);
}

llmgr_status lk_key_open(const struct lk_keys *keys, struct ls_tx *tx,
                         const struct lk_key_place *place, struct lb_str record,
                         struct lv_secret *key, struct llmgr_error *err)
{
    struct lv_vault *vault = keys->vault;
    lv_secret_init(key);

    uint32_t id;
    if (lv_record_key_id(record, &id) && !lv_ring_has(vault, id)) {
        struct reading reading = {keys->host, vault};
        llmgr_status status =
            tx != NULL ? reload_alone(tx, &reading, err)
                       : ls_transact(keys->store, LS_READ_ONE, reload_alone, &reading, err);
        if (status != LLMGR_OK)
            return status;
    }
    const struct lv_binding binding = bind(place);
    return lv_open(vault, &binding, record, key, err);
}

llmgr_status lk_key_hold(const struct lk_keys *keys, const struct lk_key_place *place,
                         struct lb_str key, struct lb_arena *arena, struct lb_str *held,
                         struct llmgr_error *err)
{
    const struct lv_binding binding = bind(place);
    const size_t size = key.size + LV_HELD_OVERHEAD;
    char *record = lb_arena_bytes(arena, size);

    if (record == NULL)
        return lb_fail_memory(err);
    llmgr_status status = lv_hold(keys->vault, &binding, key, record, err);
    if (status == LLMGR_OK)
        *held = lb_str(record, size);
    return status;
}

llmgr_status lk_key_open_held(const struct lk_keys *keys, const struct lk_key_place *place,
                              struct lb_str held, struct lv_secret *key, struct llmgr_error *err)
{
    const struct lv_binding binding = bind(place);

    return lv_open_held(keys->vault, &binding, held, key, err);
}

llmgr_status lk_key_number(const struct lk_keys *keys, const struct lk_key_place *place,
                           struct lb_str clear, struct lk_pool_key *key, struct llmgr_error *err)
{
    unsigned char holder[LV_HOLDER_SIZE];

    lv_holder(place->owner, place->platform_id, place->origin, holder);
    llmgr_status status = lv_number_for(keys->vault, holder, LV_STAND_IN_KEY, clear, &key->id, err);
    key->account_id = key->id;
    if (status == LLMGR_OK && key->account.size != 0)
        status = lv_number_for(keys->vault, holder, LV_STAND_IN_ACCOUNT, key->account,
                               &key->account_id, err);
    return status;
}

/* ---- Opening the ring ------------------------------------------------------------------------ */

/*
 * A ring that is gone while its records are there must not be replaced in silence. Not asked while
 * the Python original's database is migrated: it has no records yet, nor all columns for them.
 */
static llmgr_status refuse_orphans(struct ls_tx *tx, struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;
    llmgr_status status = ls_find(tx, LS_RING_COUNTS, NULL, 0, &rows, &found, err);
    if (!found)
        return status;
    ls_rows_end(&rows);
    return lb_fail(err, LLMGR_ERR_VAULT,
                   N_("the database holds sealed API keys but not the data keys that open them "
                      "(table llm_data_keys is empty); restore it from a backup"));
}

/* Stores an active key for each purpose that has none. */
static llmgr_status make_missing(const struct lb_host *host, struct lv_vault *vault,
                                 struct ls_tx *tx, struct llmgr_error *err)
{
    for (int purpose = 0; purpose < LV_PURPOSE_COUNT; purpose++) {
        uint32_t id;
        llmgr_status status = lk_ring_active(tx, (lv_purpose)purpose, &id, err);
        if (status == LLMGR_OK && id == 0)
            status = lk_ring_make(host, vault, tx, (lv_purpose)purpose, LK_RING_ACTIVE, &id, err);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

static llmgr_status make_ring(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct reading *reading = context;
    uint32_t id;
    llmgr_status status = lk_ring_active(tx, LV_PURPOSE_SEAL, &id, err);

    if (status == LLMGR_OK && id == 0)
        status = refuse_orphans(tx, err);
    return status == LLMGR_OK ? make_missing(reading->host, reading->vault, tx, err) : status;
}

static llmgr_status load_ring(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    const struct reading *reading = context;
    llmgr_status status = reload(reading->host, reading->vault, tx, err);
    for (int purpose = 0; status == LLMGR_OK && purpose < LV_PURPOSE_COUNT; purpose++) {
        uint32_t id;
        status = lk_ring_active(tx, (lv_purpose)purpose, &id, err);
        if (status == LLMGR_OK && id != 0)
            status = lv_ring_activate(reading->vault, id, err);
    }
    return status;
}

static bool is_complete(const struct lv_vault *vault)
{
    for (int purpose = 0; purpose < LV_PURPOSE_COUNT; purpose++)
        if (lv_ring_active(vault, (lv_purpose)purpose) == 0)
            return false;
    return true;
}

llmgr_status lk_ring_open(const struct lk_keys *keys, struct llmgr_error *err)
{
    struct reading reading = {keys->host, keys->vault};
    llmgr_status status = ls_transact(keys->store, LS_READ, load_ring, &reading, err);
    if (status != LLMGR_OK || is_complete(reading.vault) || keys->read_only)
        return status;
    status = ls_transact(keys->store, LS_WRITE, make_ring, &reading, err);
    if (status == LLMGR_OK)
        status = ls_transact(keys->store, LS_READ, load_ring, &reading, err);
    return status;
}

llmgr_status lk_ring_follow(const struct lk_keys *keys, struct llmgr_error *err)
{
    struct reading reading = {keys->host, keys->vault};

    return ls_transact(keys->store, LS_READ, load_ring, &reading, err);
}

/* ---- The Python original's clear keys -------------------------------------------------------- */

/* Why a clear-text key is not taken over; NULL: it is. English, for the log. */
static const char *reason_to_drop(struct lb_str key, struct lb_str base_url, bool is_server_key,
                                  char *origin)
{
    struct lh_url url;
    if (is_server_key)
        return "keys of system platforms come from the configuration";
    if (lc_is_placeholder(key))
        return "it is a placeholder";
    if (lk_rule_key(key, NULL) != LLMGR_OK)
        return "it is no possible key";
    if (lh_url_parse(base_url, &url) != LH_URL_OK)
        return "the platform's address is not valid";
    lh_url_origin(&url, origin);
    return NULL;
}

static llmgr_status is_system_platform(struct ls_tx *tx, int64_t id, bool *is_sys,
                                       struct llmgr_error *err)
{
    struct ls_rows rows;
    bool found = false;
    llmgr_status status = ls_find(tx, LS_PLATFORM_OWNER, LS_ARGS(ls_int(id)), &rows, &found, err);
    *is_sys = found && ls_column_int(&rows, 0) != 0;
    if (found)
        ls_rows_end(&rows);
    return status;
}

static llmgr_status store_legacy(struct ls_tx *tx, const struct ls_legacy_key *key,
                                 const struct lk_legacy *legacy, const char *origin,
                                 struct llmgr_error *err)
{
    const struct lk_key_place place = {.column = key->is_own ? LK_KEY_OF_USER : LK_KEY_OF_PLATFORM,
                                       .owner = key->user,
                                       .platform_id = key->platform_id,
                                       .origin = lb_cstr(origin)};
    struct lb_buf record;
    lb_buf_init(&record, legacy->host, LV_RECORD_MAX);
    llmgr_status status = make_missing(legacy->host, legacy->vault, tx, err);
    if (status == LLMGR_OK)
        status =
            seal(legacy->host, legacy->vault, tx, &place, lk_trim_key(key->api_key), &record, err);
    const struct ls_value sealed = ls_blob(record.data, record.size);
    if (status == LLMGR_OK && key->is_own)
        status = ls_exec(tx, LS_OWN_KEY_SET,
                         LS_ARGS(ls_text(key->user), ls_int(key->platform_id), sealed), NULL, err);
    else if (status == LLMGR_OK)
        status = ls_exec(tx, LS_PLATFORM_SET_KEY,
                         LS_ARGS(ls_int(key->platform_id), ls_text(key->user), sealed), NULL, err);
    lb_buf_free(&record);
    return status;
}

llmgr_status lk_ring_seal_legacy(struct ls_tx *tx, const struct ls_legacy_key *key, void *context,
                                 struct llmgr_error *err)
{
    const struct lk_legacy *legacy = context;

    bool is_sys = false;
    if (!key->is_own) {
        llmgr_status status = is_system_platform(tx, key->platform_id, &is_sys, err);
        if (status != LLMGR_OK)
            return status;
    }
    char origin[LH_ORIGIN_SIZE];
    const char *reason =
        reason_to_drop(lk_trim_key(key->api_key), key->base_url, is_sys && !key->is_own, origin);
    if (reason != NULL) {
        lb_warn(legacy->host, "migration: the API key %s platform %lld is not taken over: %s",
                key->is_own ? "a user stored for" : "of", (long long)key->platform_id, reason);
        return LLMGR_OK;
    }
    return store_legacy(tx, key, legacy, origin, err);
}
