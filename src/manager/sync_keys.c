/* SPDX-License-Identifier: MIT */
/*
 * A platform's server keys in a sync: judged as the environment filled them, compared with the pool
 * that the database has, and written whole if anything of it differs. A key whose variable is
 * missing stands in the pool without a record, so that people see what it waits for.
 */
#include "manager/sync_keys.h"

#include "base/error.h"
#include "config/placeholder.h"
#include "keys/key_text.h"
#include "manager/pools.h"

_Static_assert((int)LC_KEYS_MAX == (int)LK_POOL_MAX, "a pool of the file is one of the database");

enum { VARIABLES_MAX = 64 << 10 /* bytes of the names of all variables of a platform's keys */ };

/* ---- What the file wants --------------------------------------------------------------------- */

/* Without an address there is nothing a key could be bound to. */
static llmgr_status judge_key(const struct lm_default_key *from, bool has_address,
                              struct lm_pool_item *to, struct llmgr_error *err)
{
    struct lb_str key = lk_trim_key(lb_cstr(from->value));

    *to = (struct lm_pool_item){.key_env = lb_cstr(from->env), .account = lb_cstr(from->account)};
    llmgr_status status = lm_rule_pool_key(from->weight, to->account, err);
    if (status != LLMGR_OK)
        return status;
    to->weight = (uint32_t)from->weight;
    if (key.size == 0 || !has_address || lc_is_placeholder(key))
        return LLMGR_OK;
    status = lk_rule_key(key, err);
    if (status == LLMGR_OK)
        to->clear = key;
    return status;
}

/* Two variables may hold one key; counted twice it would be limited twice as soon. */
static llmgr_status judge_twice(const struct lm_default_platform *from, size_t at,
                                struct llmgr_error *err)
{
    const struct lb_str key = lk_trim_key(lb_cstr(from->keys[at].value));

    for (size_t i = 0; key.size != 0 && i < at; i++) {
        if (lb_str_eq(lk_trim_key(lb_cstr(from->keys[i].value)), key))
            return lb_fail(err, LLMGR_ERR_CONFIG,
                           N_("keys %zu and %zu in 'api_keys' are the same; keep one of them"),
                           i + 1, at + 1);
    }
    return LLMGR_OK;
}

static llmgr_status judge_place(const struct lm_default_platform *from, size_t at,
                                struct lm_sync_entry *entry, struct llmgr_error *err)
{
    struct lm_pool_item *item = &entry->keys[entry->key_count];
    struct llmgr_error inner = {0};

    llmgr_status status = judge_key(&from->keys[at], entry->base_url.size != 0, item, &inner);
    if (status != LLMGR_OK && from->key_count > 1)
        return lb_fail(err, status, N_("key %zu in 'api_keys': %s"), at + 1, inner.message);
    if (status != LLMGR_OK) {
        *err = inner;
        return status;
    }
    if (item->clear.size != 0 || item->key_env.size != 0)
        entry->key_count++;
    return judge_twice(from, at, err);
}

/* "A, B": the variables of all keys, or of those alone that are missing. */
static llmgr_status list_variables(const struct lb_host *host, struct lb_arena *arena,
                                   const struct lm_sync_entry *entry, bool missing,
                                   struct lb_str *list, struct llmgr_error *err)
{
    struct lb_buf names;

    lb_buf_init(&names, host, VARIABLES_MAX);
    for (size_t i = 0; i < entry->key_count; i++) {
        const struct lm_pool_item *item = &entry->keys[i];
        if (item->key_env.size == 0 || (missing && item->clear.size != 0))
            continue;
        if (names.size != 0)
            lb_buf_add_c(&names, ", ");
        lb_buf_add_str(&names, item->key_env);
    }
    llmgr_status status = names.failed;
    if (status == LLMGR_ERR_TOO_LARGE)
        (void)lb_fail(err, status, N_("the names of the variables of its keys are too long"));
    *list = (struct lb_str){0};
    if (status == LLMGR_OK && names.size != 0) {
        *list = lb_arena_str(arena, lb_buf_str(&names));
        status = list->p != NULL ? LLMGR_OK : LLMGR_ERR_NO_MEMORY;
    }
    lb_buf_free(&names);
    return status == LLMGR_ERR_NO_MEMORY ? lb_fail_memory(err) : status;
}

llmgr_status lm_sync_keys_judge(const struct lb_host *host, struct lb_arena *arena,
                                const struct lm_default_platform *from, struct lm_sync_entry *entry,
                                struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    entry->keys = lb_arena_calloc(arena, from->key_count + 1, sizeof *entry->keys);
    if (entry->keys == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; status == LLMGR_OK && i < from->key_count; i++)
        status = judge_place(from, i, entry, err);
    if (status == LLMGR_OK)
        status = list_variables(host, arena, entry, false, &entry->key_env, err);
    if (status == LLMGR_OK && from->key_count > 1 && entry->base_url.size != 0)
        status = list_variables(host, arena, entry, true, &entry->missing_keys, err);
    return status;
}

/* ---- What differs ---------------------------------------------------------------------------- */

static void want_pool(const struct lm_sync_plan *plan, const struct lm_sync_entry *entry,
                      int64_t platform_id, struct lm_pool *pool)
{
    *pool = (struct lm_pool){.manager = plan->manager,
                             .place = {.column = LK_KEY_OF_PLATFORM,
                                       .owner = LB_STR(LLMGR_SYSTEM_USER),
                                       .platform_id = platform_id,
                                       .origin = lb_cstr(entry->origin)},
                             .count = entry->key_count};
    for (size_t i = 0; i < entry->key_count; i++)
        pool->items[i] = entry->keys[i];
}

static const struct lm_pool_item *item_at(const struct lm_pool *pool, size_t at)
{
    static const struct lm_pool_item NONE = {.weight = 1};

    return at < pool->count ? &pool->items[at] : &NONE;
}

/* A lone key's variable is the platform's, which is compared with the rest of its row. */
static llmgr_status compare_item(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                 const struct lm_sync_entry *entry,
                                 const struct lm_pool_item *wanted,
                                 const struct lm_pool_item *stored, bool lone, bool *differs,
                                 struct llmgr_error *err)
{
    *differs = wanted->weight != stored->weight || !lb_str_eq(wanted->account, stored->account) ||
               (!lone && !lb_str_eq(wanted->key_env, stored->key_env));
    if (*differs)
        return LLMGR_OK;
    return lm_sync_compare_sealed(plan, tx, entry,
                                  stored->is_further ? LK_KEY_FURTHER : LK_KEY_OF_PLATFORM,
                                  wanted->clear, stored->record, differs, err);
}

llmgr_status lm_sync_keys_compare(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                  const struct lm_sync_entry *entry, struct lb_arena *arena,
                                  unsigned *diff, struct llmgr_error *err)
{
    struct lm_pool wanted, stored = {.manager = plan->manager};
    bool differs = false;

    *diff = 0;
    want_pool(plan, entry, entry->row->id, &wanted);
    lm_pool_lead(&wanted, tx);
    stored.place = wanted.place;
    llmgr_status status = lm_pool_read(&stored, tx, arena, err);
    const size_t most = wanted.count > stored.count ? wanted.count : stored.count;
    for (size_t i = 0; status == LLMGR_OK && !differs && i < most; i++)
        status = compare_item(plan, tx, entry, item_at(&wanted, i), item_at(&stored, i), most == 1,
                              &differs, err);
    if (differs)
        *diff = most == 1 ? LM_DIFF_BIT(API_KEY) : LM_DIFF_BIT(API_KEYS);
    return status;
}

llmgr_status lm_sync_keys_write(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                const struct lm_sync_entry *entry, int64_t platform_id,
                                struct llmgr_error *err)
{
    struct lm_pool pool;

    want_pool(plan, entry, platform_id, &pool);
    return lm_pool_write(&pool, tx, err);
}
