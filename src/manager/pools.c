/* SPDX-License-Identifier: MIT */
/*
 * A user's several keys for one platform: listing, adding, changing, deleting. Each change reads
 * the pool in its transaction, changes the list and writes the whole of it (pool_rows.h). Keys are
 * opened only to be compared or to make what people see of them.
 */
#include "manager/pools.h"

#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "keys/key_text.h"
#include "manager/access.h"
#include "manager/platform_rules.h"
#include "manager/pool_rows.h"
#include "store/store.h"
#include "vault/vault.h"

enum { POOL_MEMORY_MAX = 2 << 20 /* bytes of one pool's records and texts */ };

/* ---- Rules ----------------------------------------------------------------------------------- */

llmgr_status lm_rule_pool_key(int64_t weight, struct lb_str account, struct llmgr_error *err)
{
    if (weight < 1 || weight > LK_WEIGHT_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid weight %lld of a key: give a number from 1 to %d"),
                       (long long)weight, (int)LK_WEIGHT_MAX);
    if (account.size != 0 && !lb_utf8_name(account, LK_ACCOUNT_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid account of a key: give 1 to %d bytes of UTF-8 without control "
                          "characters"),
                       (int)LK_ACCOUNT_MAX);
    return LLMGR_OK;
}

/* ---- One operation --------------------------------------------------------------------------- */

struct change {
    struct lm_manager *manager;
    struct lm_actor actor;
    int64_t platform_id;
    struct lb_str key; /* a key itself (add), or what names one */
    int64_t weight;    /* add */
    struct lb_str account;
    struct lm_pool_edit edit;
    int64_t position; /* receives the key's place */
    struct lm_platform_row row;
    struct lm_pool pool;
    struct lb_arena arena;
};

/* Are the keys those of the platform itself? */
static bool is_own(const struct lm_platform_row *row)
{
    return !row->is_sys || row->is_made;
}

static llmgr_status read_pool(struct change *change, struct ls_tx *tx, struct llmgr_error *err)
{
    llmgr_status status = lm_access_platform(
        change->manager, tx, change->actor, change->platform_id, LM_ACCESS_KEYS, &change->row, err);
    if (status != LLMGR_OK)
        return status;
    change->pool.manager = change->manager;
    change->pool.place = (struct lk_key_place){
        .column = is_own(&change->row) ? LK_KEY_OF_PLATFORM : LK_KEY_OF_USER,
        .owner = change->actor.user,
        .platform_id = change->platform_id,
        .origin = lb_cstr(change->row.origin),
    };
    lb_arena_reset(&change->arena);
    return lm_pool_read(&change->pool, tx, &change->arena, err);
}

/* Notes where the key ends up that is `about`, as text or as record. */
static llmgr_status write_pool(struct change *change, struct ls_tx *tx, struct lb_str about,
                               struct llmgr_error *err)
{
    const struct lm_pool *pool = &change->pool;
    llmgr_status status = lm_pool_write(&change->pool, tx, err);

    for (size_t i = 0; about.p != NULL && i < pool->count; i++) {
        if (pool->items[i].clear.p == about.p || pool->items[i].record.p == about.p)
            change->position = (int64_t)i + 1;
    }
    /* A user's row about a system platform that holds neither key nor hide is no row. */
    if (status == LLMGR_OK && !is_own(&change->row))
        status =
            ls_exec(tx, LS_OWN_PRUNE,
                    LS_ARGS(ls_text(change->actor.user), ls_int(change->platform_id)), NULL, err);
    return status;
}

typedef llmgr_status (*run_fn)(struct lm_manager *manager, struct lb_str user, lm_change_fn step,
                               void *context, struct llmgr_error *err);

/* `run` is lm_write, or lm_revoke for what takes power away. */
static llmgr_status run_change(struct change *change, run_fn run, lm_change_fn step,
                               struct llmgr_error *err)
{
    lb_arena_init(&change->arena, lm_host(change->manager), NULL, 0, POOL_MEMORY_MAX);
    llmgr_status status = run(change->manager, lm_told(change->actor), step, change, err);
    lb_arena_free(&change->arena);
    return status;
}

/* ---- What people see ------------------------------------------------------------------------- */

static llmgr_status show_opened(const struct lm_pool *pool, struct lb_str clear,
                                const struct lm_pool_item *item, struct lb_arena *arena,
                                struct llmgr_platform_key *shown, struct llmgr_error *err)
{
    struct lk_pool_key numbers = {.account = item->account};
    char print[LV_FINGERPRINT_SIZE];

    llmgr_status status = lv_fingerprint(lm_vault(pool->manager), clear, print, err);
    if (status == LLMGR_OK)
        status = lk_key_number(lm_keys(pool->manager), &pool->place, clear, &numbers, err);
    if (status != LLMGR_OK)
        return status;
    shown->usable = true;
    shown->fingerprint = lb_arena_strdup(arena, print);
    shown->health_id = lb_arena_printf(arena, "%016llx", (unsigned long long)numbers.id);
    return shown->fingerprint != NULL && shown->health_id != NULL ? LLMGR_OK : lb_fail_memory(err);
}

static bool keep(struct lb_arena *arena, struct lb_str text, const char **kept)
{
    if (text.size == 0)
        return true;
    *kept = lb_arena_str(arena, text).p;
    return *kept != NULL;
}

static llmgr_status show(const struct lm_pool *pool, struct ls_tx *tx, size_t at,
                         struct lb_arena *arena, struct llmgr_platform_key *shown,
                         struct llmgr_error *err)
{
    const struct lm_pool_item *item = &pool->items[at];
    const bool own = !lm_is_system_user(pool->place.owner) || pool->place.column == LK_KEY_OF_USER;
    struct llmgr_error why = {0};
    struct lv_secret key;

    *shown = (struct llmgr_platform_key){
        .position = (int64_t)at + 1, .weight = item->weight, .payer = own ? "user" : "system"};
    if (!keep(arena, item->account, &shown->account) ||
        !keep(arena, item->key_env, &shown->key_env))
        return lb_fail_memory(err);
    if (item->record.size == 0)
        return LLMGR_OK;
    llmgr_status status = lm_pool_open(pool, tx, item, &key, &why);
    if (status == LLMGR_OK)
        status = show_opened(pool, lv_secret_str(&key), item, arena, shown, &why);
    lv_secret_clear(&key);
    if (status == LLMGR_ERR_VAULT)
        return LLMGR_OK;
    if (status != LLMGR_OK && err != NULL)
        *err = why;
    return status;
}

struct listing {
    struct change change;
    struct lb_arena *arena; /* of the caller */
    struct llmgr_platform_key *items;
    size_t count;
};

static llmgr_status show_pool(struct listing *listing, struct ls_tx *tx, struct llmgr_error *err)
{
    const struct lm_pool *pool = &listing->change.pool;
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; status == LLMGR_OK && i < pool->count; i++)
        status = show(pool, tx, i, listing->arena, &listing->items[listing->count + i], err);
    if (status == LLMGR_OK)
        listing->count += pool->count;
    return status;
}

static llmgr_status list(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct listing *listing = context;
    struct change *change = &listing->change;

    listing->count = 0;
    listing->items = lb_arena_calloc(listing->arena, 2 * LK_POOL_MAX + 1, sizeof *listing->items);
    if (listing->items == NULL)
        return lb_fail_memory(err);
    llmgr_status status = read_pool(change, tx, err);
    if (status == LLMGR_OK)
        status = show_pool(listing, tx, err);
    if (status != LLMGR_OK || is_own(&change->row) || !change->actor.is_operator)
        return status;
    change->pool.place.column = LK_KEY_OF_PLATFORM;
    status = lm_pool_read(&change->pool, tx, &change->arena, err);
    return status == LLMGR_OK ? show_pool(listing, tx, err) : status;
}

llmgr_status lm_pool_list(struct lm_manager *manager, struct lm_actor actor, int64_t platform_id,
                          struct lb_arena *arena, struct llmgr_platform_key **items, size_t *count,
                          struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status != LLMGR_OK)
        return status;
    struct listing listing = {
        .change = {.manager = manager, .actor = actor, .platform_id = platform_id}, .arena = arena};
    lb_arena_init(&listing.change.arena, lm_host(manager), NULL, 0, POOL_MEMORY_MAX);
    status = ls_transact(lm_store(manager), LS_READ, list, &listing, err);
    lb_arena_free(&listing.change.arena);
    if (status != LLMGR_OK)
        return status;
    *items = listing.items;
    *count = listing.count;
    return LLMGR_OK;
}

/* ---- Add ------------------------------------------------------------------------------------- */

static llmgr_status judge_count(const struct change *change, struct ls_tx *tx,
                                struct llmgr_error *err)
{
    struct ls_rows rows;

    if (change->pool.count >= LK_POOL_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("there are %zu keys for this platform, which is the limit; delete one "
                          "first"),
                       change->pool.count);
    if (change->row.is_made) /* the server's are not the system user's own */
        return lm_rule_system_keys(tx, err);
    llmgr_status status =
        ls_get(tx, LS_KEYS_OWN_COUNT, LS_ARGS(ls_text(change->actor.user)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    const int64_t count = ls_column_int(&rows, 0);
    ls_rows_end(&rows);
    if (count >= LM_KEYS_PER_USER)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("you have %lld keys for all platforms, which is the limit; delete one "
                          "first"),
                       (long long)count);
    return LLMGR_OK;
}

/* One that does not open cannot be the same. */
static llmgr_status judge_new(const struct change *change, struct ls_tx *tx,
                              struct llmgr_error *err)
{
    const struct lm_pool *pool = &change->pool;

    llmgr_status status = judge_count(change, tx, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < pool->count; i++) {
        struct llmgr_error ignored = {0};
        struct lv_secret key;
        bool same = lm_pool_open(pool, tx, &pool->items[i], &key, &ignored) == LLMGR_OK &&
                    key.size == change->key.size &&
                    sodium_memcmp(key.bytes, change->key.p, key.size) == 0;
        lv_secret_clear(&key);
        if (same)
            return lb_fail(err, LLMGR_ERR_CONFLICT,
                           N_("this key is stored for the platform already, in place %zu"), i + 1);
    }
    return LLMGR_OK;
}

static llmgr_status add(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct lm_pool *pool = &change->pool;

    llmgr_status status = read_pool(change, tx, err);
    if (status == LLMGR_OK && change->row.origin[0] == '\0')
        status = lm_fail_no_address(&change->row, err);
    if (status == LLMGR_OK)
        status = judge_new(change, tx, err);
    if (status != LLMGR_OK)
        return status;
    pool->items[pool->count++] = (struct lm_pool_item){
        .clear = change->key, .weight = (uint32_t)change->weight, .account = change->account};
    return write_pool(change, tx, change->key, err);
}

llmgr_status lm_pool_add(struct lm_manager *manager, struct lm_actor actor, int64_t platform_id,
                         struct lb_str api_key, int64_t weight, struct lb_str account,
                         int64_t *position, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK)
        status = lk_rule_key(api_key, err);
    if (status == LLMGR_OK)
        status = lm_rule_pool_key(weight, account, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {.manager = manager,
                            .actor = actor,
                            .platform_id = platform_id,
                            .key = api_key,
                            .weight = weight,
                            .account = account};
    status = run_change(&change, lm_write, add, err);
    if (status == LLMGR_OK && position != NULL)
        *position = change.position;
    return status;
}

/* ---- Finding one ----------------------------------------------------------------------------- */

static bool has_fingerprint(const struct change *change, struct ls_tx *tx, size_t at)
{
    struct llmgr_error ignored = {0};
    char print[LV_FINGERPRINT_SIZE];
    struct lv_secret key;

    bool same =
        lm_pool_open(&change->pool, tx, &change->pool.items[at], &key, &ignored) == LLMGR_OK &&
        lv_fingerprint(lm_vault(change->manager), lv_secret_str(&key), print, &ignored) ==
            LLMGR_OK &&
        lb_str_eq_c(change->key, print);
    lv_secret_clear(&key);
    return same;
}

/* By its place, or by its fingerprint, which only one may have. */
static llmgr_status find(const struct change *change, struct ls_tx *tx, size_t *at,
                         struct llmgr_error *err)
{
    const size_t count = change->pool.count;
    uint64_t place;
    size_t found = count;

    if (lb_str_to_u64(change->key, &place)) {
        found = place >= 1 && place <= count ? (size_t)place - 1 : count;
    } else {
        for (size_t i = 0; i < count; i++) {
            if (!has_fingerprint(change, tx, i))
                continue;
            if (found != count)
                return lb_fail(err, LLMGR_ERR_CONFLICT,
                               N_("two of your keys are shown alike; name one by its place"));
            found = i;
        }
    }
    if (found == count)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("you have no such key for platform %lld; name one as the list does, by "
                          "its place or its fingerprint"),
                       (long long)change->platform_id);
    *at = found;
    return LLMGR_OK;
}

static llmgr_status read_and_find(struct change *change, struct ls_tx *tx, size_t *at,
                                  struct llmgr_error *err)
{
    llmgr_status status = read_pool(change, tx, err);

    return status == LLMGR_OK ? find(change, tx, at, err) : status;
}

/* ---- Change, delete -------------------------------------------------------------------------- */

static void move(struct lm_pool *pool, size_t from, size_t to)
{
    const struct lm_pool_item item = pool->items[from];

    for (; from < to; from++)
        pool->items[from] = pool->items[from + 1];
    for (; from > to; from--)
        pool->items[from] = pool->items[from - 1];
    pool->items[to] = item;
}

static llmgr_status alter(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct lm_pool *pool = &change->pool;
    size_t at;

    llmgr_status status = read_and_find(change, tx, &at, err);
    if (status != LLMGR_OK)
        return status;
    const struct lm_pool_edit *edit = &change->edit;
    const int64_t to = edit->position != NULL ? *edit->position : (int64_t)at + 1;
    if (to < 1 || to > (int64_t)pool->count)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid position %lld: give a number from 1 to %zu, as many keys as "
                          "there are"),
                       (long long)to, pool->count);
    if (edit->weight != NULL)
        pool->items[at].weight = (uint32_t)*edit->weight;
    if (edit->account.p != NULL)
        pool->items[at].account = edit->account;
    const struct lb_str record = pool->items[at].record;
    move(pool, at, (size_t)to - 1);
    return write_pool(change, tx, record, err);
}

llmgr_status lm_pool_change(struct lm_manager *manager, struct lm_actor actor, int64_t platform_id,
                            struct lb_str key, const struct lm_pool_edit *edit, int64_t *position,
                            struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status == LLMGR_OK && edit->position == NULL && edit->weight == NULL &&
        edit->account.p == NULL)
        status = lb_fail(err, LLMGR_ERR_INVALID, N_("nothing to change: give at least one member"));
    if (status == LLMGR_OK)
        status = lm_rule_pool_key(edit->weight != NULL ? *edit->weight : 1, edit->account, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {
        .manager = manager, .actor = actor, .platform_id = platform_id, .key = key, .edit = *edit};
    status = run_change(&change, lm_write, alter, err);
    if (status == LLMGR_OK && position != NULL)
        *position = change.position;
    return status;
}

static llmgr_status drop(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct change *change = context;
    struct lm_pool *pool = &change->pool;
    size_t at;

    llmgr_status status = read_and_find(change, tx, &at, err);
    if (status != LLMGR_OK)
        return status;
    move(pool, at, pool->count - 1);
    pool->count--;
    return write_pool(change, tx, (struct lb_str){0}, err);
}

llmgr_status lm_pool_delete(struct lm_manager *manager, struct lm_actor actor, int64_t platform_id,
                            struct lb_str key, struct llmgr_error *err)
{
    llmgr_status status = lm_access_user(manager, &actor.user, err);
    if (status != LLMGR_OK)
        return status;
    struct change change = {
        .manager = manager, .actor = actor, .platform_id = platform_id, .key = key};
    return run_change(&change, lm_revoke, drop, err);
}
