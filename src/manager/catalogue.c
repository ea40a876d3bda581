/* SPDX-License-Identifier: MIT */
/*
 * Loading the catalogue, and finding in it. Rows are read in one transaction, in the order people
 * see; when it has ended, origins are computed and server keys tried. Ids are found by hash, names
 * by binary search in arrays of indexes that are sorted by name, then by order.
 */
#include "manager/catalogue.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/error.h"
#include "manager/handle.h"
#include "manager/manager.h"
#include "manager/platform_rules.h"
#include "manager/server_keys.h"
#include "manager/route_row.h"
#include "manager/route_targets.h"
#include "manager/rules.h"
#include "store/store.h"

/* Open addressing, at most half full; entries are indexes plus one. */
struct id_index {
    uint32_t *entries;
    uint32_t mask;
    unsigned shift; /* the hash's upper bits are the place */
};

struct lm_catalogue {
    const struct lb_host *host;
    atomic_uint holders;
    struct lm_point point;
    char identity[LM_IDENTITY_SIZE + 1];
    struct lm_platform *platforms;
    struct lm_model *models;
    uint32_t platform_count;
    uint32_t model_count;
    struct lm_alias *aliases;
    uint32_t alias_count;
    struct lm_route *routes;
    uint32_t route_count;
    uint32_t keyed; /* while reading: the platform whose further keys come */
    struct id_index platform_ids;
    struct id_index model_ids;
    struct id_index route_ids;
    struct id_index route_names; /* by the hash of the name */
    uint32_t *platforms_by_name;
    uint32_t *models_by_display;
    uint32_t *models_by_name;
    struct lb_arena memory; /* of all the above */
    struct lq_book *book;   /* the prices; NULL: there are none */
    const struct lm_lent *lent;
};

/* ---- Ids ------------------------------------------------------------------------------------- */

static uint32_t id_place(const struct id_index *index, int64_t id)
{
    return (uint32_t)(((uint64_t)id * UINT64_C(0x9e3779b97f4a7c15)) >> index->shift);
}

static bool id_index_init(struct id_index *index, struct lb_arena *arena, uint32_t count)
{
    unsigned bits = 3;

    while ((UINT32_C(1) << bits) < 2 * count)
        bits++;
    index->mask = (UINT32_C(1) << bits) - 1;
    index->shift = 64 - bits;
    index->entries = lb_arena_calloc(arena, (size_t)index->mask + 1, sizeof *index->entries);
    return index->entries != NULL;
}

static void id_index_add(struct id_index *index, int64_t id, uint32_t at)
{
    uint32_t place = id_place(index, id);

    while (index->entries[place] != 0)
        place = (place + 1) & index->mask;
    index->entries[place] = at + 1;
}

const struct lm_platform *lm_catalogue_platform(const struct lm_catalogue *catalogue, int64_t id)
{
    const struct id_index *index = &catalogue->platform_ids;

    for (uint32_t place = id_place(index, id); index->entries[place] != 0;
         place = (place + 1) & index->mask) {
        const struct lm_platform *platform = &catalogue->platforms[index->entries[place] - 1];
        if (platform->id == id)
            return platform;
    }
    return NULL;
}

const struct lm_model *lm_catalogue_model(const struct lm_catalogue *catalogue, int64_t id)
{
    const struct id_index *index = &catalogue->model_ids;

    for (uint32_t place = id_place(index, id); index->entries[place] != 0;
         place = (place + 1) & index->mask) {
        const struct lm_model *model = &catalogue->models[index->entries[place] - 1];
        if (model->id == id)
            return model;
    }
    return NULL;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

/* FNV-1a. Only the operator's names stand in the index, so nobody else can make them collide. */
static int64_t name_hash(struct lb_str name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (size_t i = 0; i < name.size; i++)
        hash = (hash ^ (unsigned char)name.p[i]) * UINT64_C(0x100000001b3);
    return (int64_t)hash;
}

const struct lm_route *lm_catalogue_route(const struct lm_catalogue *catalogue, int64_t id)
{
    const struct id_index *index = &catalogue->route_ids;

    for (uint32_t place = id_place(index, id); index->entries[place] != 0;
         place = (place + 1) & index->mask) {
        const struct lm_route *route = &catalogue->routes[index->entries[place] - 1];
        if (route->id == id)
            return route;
    }
    return NULL;
}

const struct lm_route *lm_catalogue_route_named(const struct lm_catalogue *catalogue,
                                                struct lb_str name)
{
    const struct id_index *index = &catalogue->route_names;

    if (catalogue->route_count == 0)
        return NULL;
    for (uint32_t place = id_place(index, name_hash(name)); index->entries[place] != 0;
         place = (place + 1) & index->mask) {
        const struct lm_route *route = &catalogue->routes[index->entries[place] - 1];
        if (lb_str_eq(route->name, name))
            return route;
    }
    return NULL;
}

/* ---- Names ----------------------------------------------------------------------------------- */

struct named {
    struct lb_str name;
    uint32_t at;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *left = a;
    const struct named *right = b;
    int order = lb_str_cmp(left->name, right->name);

    if (order != 0)
        return order;
    return left->at < right->at ? -1 : left->at > right->at;
}

/* Sorts `named` and keeps the indexes in the catalogue's memory; NULL when memory is short. */
static uint32_t *sort_named(struct lb_arena *arena, struct named *named, uint32_t count)
{
    uint32_t *sorted = lb_arena_calloc(arena, (size_t)count + 1, sizeof *sorted);

    if (sorted == NULL)
        return NULL;
    qsort(named, count, sizeof *named, compare_named);
    for (uint32_t i = 0; i < count; i++)
        sorted[i] = named[i].at;
    return sorted;
}

static bool index_names(struct lm_catalogue *catalogue)
{
    uint32_t most = catalogue->model_count > catalogue->platform_count ? catalogue->model_count
                                                                       : catalogue->platform_count;
    struct named *named = lb_calloc(catalogue->host, (size_t)most + 1, sizeof *named);

    if (named == NULL)
        return false;
    for (uint32_t i = 0; i < catalogue->platform_count; i++)
        named[i] = (struct named){catalogue->platforms[i].name, i};
    catalogue->platforms_by_name = sort_named(&catalogue->memory, named, catalogue->platform_count);
    for (uint32_t i = 0; i < catalogue->model_count; i++)
        named[i] = (struct named){catalogue->models[i].display_name, i};
    catalogue->models_by_display = sort_named(&catalogue->memory, named, catalogue->model_count);
    for (uint32_t i = 0; i < catalogue->model_count; i++)
        named[i] = (struct named){catalogue->models[i].model_name, i};
    catalogue->models_by_name = sort_named(&catalogue->memory, named, catalogue->model_count);
    lb_free(catalogue->host, named);
    return catalogue->platforms_by_name != NULL && catalogue->models_by_display != NULL &&
           catalogue->models_by_name != NULL;
}

enum by { BY_PLATFORM, BY_DISPLAY, BY_MODEL };

static struct lb_str name_at(const struct lm_catalogue *catalogue, enum by by, uint32_t at)
{
    if (by == BY_PLATFORM)
        return catalogue->platforms[at].name;
    return by == BY_DISPLAY ? catalogue->models[at].display_name : catalogue->models[at].model_name;
}

/* The run of indexes in `sorted` whose name is `name`. */
static const uint32_t *find_named(const struct lm_catalogue *catalogue, enum by by,
                                  const uint32_t *sorted, uint32_t size, struct lb_str name,
                                  size_t *count)
{
    uint32_t low = 0;
    uint32_t high = size;

    *count = 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (lb_str_cmp(name_at(catalogue, by, sorted[middle]), name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (high = low; high < size && lb_str_eq(name_at(catalogue, by, sorted[high]), name); high++)
        *count += 1;
    return *count != 0 ? sorted + low : NULL;
}

const struct lm_platform *lm_catalogue_platform_named(const struct lm_catalogue *catalogue,
                                                      struct lb_str name)
{
    size_t count;
    const uint32_t *at = find_named(catalogue, BY_PLATFORM, catalogue->platforms_by_name,
                                    catalogue->platform_count, name, &count);

    return at != NULL ? &catalogue->platforms[*at] : NULL;
}

const uint32_t *lm_catalogue_displayed(const struct lm_catalogue *catalogue, struct lb_str name,
                                       size_t *count)
{
    return find_named(catalogue, BY_DISPLAY, catalogue->models_by_display, catalogue->model_count,
                      name, count);
}

const uint32_t *lm_catalogue_named(const struct lm_catalogue *catalogue, struct lb_str name,
                                   size_t *count)
{
    return find_named(catalogue, BY_MODEL, catalogue->models_by_name, catalogue->model_count, name,
                      count);
}

/* ---- Reading --------------------------------------------------------------------------------- */

/* Copies a column; false when memory is short. A null stays NULL. */
static bool keep_column(struct lb_arena *arena, struct lb_str column, struct lb_str *kept)
{
    *kept = (struct lb_str){0};
    if (column.p == NULL)
        return true;
    *kept = lb_arena_str(arena, column);
    return kept->p != NULL;
}

/* Makes room for one more of `*items` at powers of two; false when memory is short. */
static bool make_room(const struct lb_host *host, void *items, size_t item_size, uint32_t count)
{
    void **array = items;

    if (count != 0 && (count < 16 || (count & (count - 1)) != 0))
        return true;
    void *more = lb_realloc_array(host, *array, count != 0 ? (size_t)count * 2 : 16, item_size);
    if (more == NULL)
        return false;
    *array = more;
    return true;
}

static bool add_platform(struct lm_catalogue *catalogue, const struct ls_rows *rows)
{
    struct lb_arena *arena = &catalogue->memory;
    struct lm_platform platform = {.id = ls_column_int(rows, 0), .is_sys = true};
    struct lk_pool_key key = {.weight = 1}; /* in the platform's own column */
    void *items = catalogue->platforms;

    platform.no_stream_options = ls_column_int(rows, 6);
    platform.in_file = lb_str_eq_c(ls_column_text(rows, 12), LM_MANAGED_FILE);
    if (!keep_column(arena, ls_column_text(rows, 1), &platform.name) ||
        !keep_column(arena, ls_column_text(rows, 2), &platform.base_url) ||
        !keep_column(arena, ls_column_blob(rows, 3), &key.record) ||
        !lm_server_key_add(arena, &platform, &key) ||
        !keep_column(arena, ls_column_text(rows, 4), &platform.protocol) ||
        !keep_column(arena, ls_column_text(rows, 5), &platform.key_env) ||
        !keep_column(arena, ls_column_text(rows, 7), &platform.native_paths) ||
        !keep_column(arena, ls_column_text(rows, 8), &platform.headers) ||
        !keep_column(arena, ls_column_text(rows, 9), &platform.fixed_headers) ||
        !keep_column(arena, ls_column_text(rows, 10), &platform.missing_headers) ||
        !keep_column(arena, ls_column_blob(rows, 11), &platform.header_values))
        return false;
    if (!make_room(catalogue->host, &items, sizeof platform, catalogue->platform_count))
        return false;
    catalogue->platforms = items;
    catalogue->platforms[catalogue->platform_count++] = platform;
    return true;
}

/* Models come in the order of their platforms, so the platform reached only moves forward. */
static bool add_model(struct lm_catalogue *catalogue, const struct ls_rows *rows)
{
    struct lb_arena *arena = &catalogue->memory;
    struct lm_model model = {.id = ls_column_int(rows, 0),
                             .kind = lm_model_kind_of(ls_column_text(rows, 5)),
                             .in_file = lb_str_eq_c(ls_column_text(rows, 6), LM_MANAGED_FILE),
                             .context_tokens = lm_model_tokens_of(ls_column_int(rows, 7)),
                             .max_output_tokens = lm_model_tokens_of(ls_column_int(rows, 8))};
    int64_t platform_id = ls_column_int(rows, 1);
    void *items = catalogue->models;

    if (catalogue->model_count != 0)
        model.platform = catalogue->models[catalogue->model_count - 1].platform;
    while (model.platform < catalogue->platform_count &&
           catalogue->platforms[model.platform].id != platform_id)
        model.platform++;
    if (model.platform == catalogue->platform_count)
        return true;
    if (!keep_column(arena, ls_column_text(rows, 2), &model.model_name) ||
        !keep_column(arena, ls_column_text(rows, 3), &model.display_name) ||
        !keep_column(arena, ls_column_text(rows, 4), &model.extra_body))
        return false;
    if (!make_room(catalogue->host, &items, sizeof model, catalogue->model_count))
        return false;
    catalogue->models = items;
    struct lm_platform *platform = &catalogue->platforms[model.platform];
    if (platform->model_count++ == 0)
        platform->first_model = catalogue->model_count;
    catalogue->models[catalogue->model_count++] = model;
    return true;
}

/* As add_model: keys come in the order of their platforms, those of one by position. */
static bool add_key(struct lm_catalogue *catalogue, const struct ls_rows *rows)
{
    struct lb_arena *arena = &catalogue->memory;
    const int64_t platform_id = ls_column_int(rows, 0), weight = ls_column_int(rows, 3);
    struct lk_pool_key key = {.weight = lk_weight(weight), .is_further = true};

    while (catalogue->keyed < catalogue->platform_count &&
           catalogue->platforms[catalogue->keyed].id != platform_id)
        catalogue->keyed++;
    if (catalogue->keyed == catalogue->platform_count)
        return true;
    struct lm_platform *platform = &catalogue->platforms[catalogue->keyed];
    if (!keep_column(arena, ls_column_blob(rows, 2), &key.record) ||
        !keep_column(arena, ls_column_text(rows, 4), &key.account))
        return false;
    if (ls_column_int(rows, 1) != 0)
        return lm_server_key_add(arena, platform, &key);
    if (platform->key_count != 0) {
        platform->keys[0].weight = key.weight;
        platform->keys[0].account = key.account;
    }
    return true;
}

static bool add_alias(struct lm_catalogue *catalogue, const struct ls_rows *rows)
{
    struct lm_alias *alias = &catalogue->aliases[catalogue->alias_count];

    if (!keep_column(&catalogue->memory, ls_column_text(rows, 0), &alias->name) ||
        !keep_column(&catalogue->memory, ls_column_text(rows, 1), &alias->target))
        return false;
    catalogue->alias_count++;
    return true;
}

static bool add_route(struct lm_catalogue *catalogue, const struct ls_rows *rows)
{
    if (!lm_route_take(rows, &catalogue->memory, &catalogue->routes[catalogue->route_count]))
        return false;
    catalogue->route_count++;
    return true;
}

/* One table being read. */
struct reading {
    struct lm_catalogue *catalogue;
    bool (*add)(struct lm_catalogue *, const struct ls_rows *);
    int64_t left; /* rows that may still be taken */
};

static llmgr_status take_row(const struct ls_rows *row, void *context, struct llmgr_error *err)
{
    struct reading *reading = context;

    if (reading->left-- == 0)
        return lb_fail(
            err, LLMGR_ERR_TOO_LARGE,
            N_("the database holds more system platforms, models, keys, aliases or routes than the "
               "%d, %d, %d, %d and %d that fit in memory"),
            LM_CATALOGUE_PLATFORMS_MAX, LM_CATALOGUE_MODELS_MAX, LM_CATALOGUE_KEYS_MAX,
            LM_CATALOGUE_ALIASES_MAX, LM_CATALOGUE_ROUTES_MAX);
    return reading->add(reading->catalogue, row) ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status lm_fail_older(const struct ls_store *store, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_DATABASE_BUSY,
                   N_("%s shows an older state than it did before; it is read anew, try again in a "
                      "moment"),
                   ls_place(store));
}

/* Where the database is; its past must hold the change that is known. */
static llmgr_status read_point(struct lm_catalogue *catalogue, struct ls_tx *tx,
                               const struct lm_point *must, struct llmgr_error *err)
{
    struct ls_rows rows;
    const int64_t revision = must != NULL ? must->revision : 0;

    llmgr_status status = ls_get(tx, LS_HISTORY_POINT, LS_ARGS(ls_int(revision)), &rows, err);
    if (status != LLMGR_OK)
        return status;
    struct lb_str identity = ls_column_text(&rows, 3);
    catalogue->point = (struct lm_point){ls_column_int(&rows, 0), ls_column_int(&rows, 1)};
    bool there = must == NULL || ls_column_int(&rows, 2) == must->mark;
    snprintf(catalogue->identity, sizeof catalogue->identity, "%.*s", (int)identity.size,
             identity.p != NULL ? identity.p : "");
    ls_rows_end(&rows);
    if (there)
        return LLMGR_OK;
    return lm_fail_older(ls_tx_store(tx), err);
}

/* In the order in which one kind of row refers to another. */
static const struct {
    enum ls_statement statement;
    int64_t limit;
    bool (*add)(struct lm_catalogue *, const struct ls_rows *);
} TABLES[] = {
    {LS_CATALOGUE_PLATFORMS, LM_CATALOGUE_PLATFORMS_MAX, add_platform},
    {LS_CATALOGUE_MODELS, LM_CATALOGUE_MODELS_MAX, add_model},
    {LS_CATALOGUE_KEYS, LM_CATALOGUE_KEYS_MAX, add_key},
    {LS_CATALOGUE_ALIASES, LM_CATALOGUE_ALIASES_MAX, add_alias},
    {LS_CATALOGUE_ROUTES, LM_CATALOGUE_ROUTES_MAX, add_route},
};

static llmgr_status read_all(struct lm_catalogue *catalogue, struct ls_tx *tx,
                             const struct lm_point *must, struct llmgr_error *err)
{
    catalogue->aliases =
        lb_arena_calloc(&catalogue->memory, LM_CATALOGUE_ALIASES_MAX, sizeof *catalogue->aliases);
    catalogue->routes =
        lb_arena_calloc(&catalogue->memory, LM_CATALOGUE_ROUTES_MAX, sizeof *catalogue->routes);
    if (catalogue->aliases == NULL || catalogue->routes == NULL)
        return lb_fail_memory(err);
    llmgr_status status = read_point(catalogue, tx, must, err);
    for (size_t i = 0; status == LLMGR_OK && i < sizeof TABLES / sizeof TABLES[0]; i++) {
        struct reading reading = {catalogue, TABLES[i].add, TABLES[i].limit};
        status = ls_each(tx, TABLES[i].statement, LS_ARGS(ls_int(TABLES[i].limit + 1)), take_row,
                         &reading, err);
    }
    return status;
}

/* What is not in the rows: origins, usable keys, indexes. No transaction is open. */
static llmgr_status complete_catalogue(struct lm_manager *manager, struct lm_catalogue *catalogue,
                                       struct llmgr_error *err)
{
    if (!id_index_init(&catalogue->platform_ids, &catalogue->memory, catalogue->platform_count) ||
        !id_index_init(&catalogue->model_ids, &catalogue->memory, catalogue->model_count) ||
        !id_index_init(&catalogue->route_ids, &catalogue->memory, catalogue->route_count) ||
        !id_index_init(&catalogue->route_names, &catalogue->memory, catalogue->route_count))
        return lb_fail_memory(err);
    for (uint32_t i = 0; i < catalogue->platform_count; i++) {
        struct lm_platform *platform = &catalogue->platforms[i];
        id_index_add(&catalogue->platform_ids, platform->id, i);
        llmgr_status status = manager->lent->judge(&manager->keys, LB_STR(LLMGR_SYSTEM_USER),
                                                   &catalogue->memory, platform, err);
        if (status != LLMGR_OK)
            return status;
    }
    for (uint32_t i = 0; i < catalogue->model_count; i++)
        id_index_add(&catalogue->model_ids, catalogue->models[i].id, i);
    for (uint32_t i = 0; i < catalogue->route_count; i++) {
        id_index_add(&catalogue->route_ids, catalogue->routes[i].id, i);
        id_index_add(&catalogue->route_names, name_hash(catalogue->routes[i].name), i);
    }
    if (!index_names(catalogue))
        return lb_fail_memory(err);
    for (uint32_t i = 0; i < catalogue->route_count; i++)
        lm_route_find_targets(catalogue, &catalogue->routes[i]);
    return LLMGR_OK;
}

llmgr_status lm_catalogue_load(struct lm_manager *manager, const struct lm_point *must,
                               struct lm_catalogue **out, struct llmgr_error *err)
{
    struct lm_catalogue *catalogue = lb_calloc(manager->host, 1, sizeof *catalogue);
    struct ls_tx *tx;

    if (catalogue == NULL)
        return lb_fail_memory(err);
    catalogue->host = manager->host;
    catalogue->lent = manager->lent;
    atomic_init(&catalogue->holders, 1);
    lb_arena_init(&catalogue->memory, manager->host, NULL, 0, LM_CATALOGUE_BYTES_MAX);
    llmgr_status status = ls_begin(manager->store, LS_READ, &tx, err);
    if (status == LLMGR_OK) {
        status = read_all(catalogue, tx, must, err);
        if (status == LLMGR_OK)
            status = manager->lent->read_book(manager->host, tx, lb_now_ms(manager->host),
                                              &catalogue->book, err);
        ls_rollback(tx);
    }
    if (status == LLMGR_OK)
        status = complete_catalogue(manager, catalogue, err);
    if (status != LLMGR_OK) {
        lm_catalogue_drop(catalogue);
        return status;
    }
    *out = catalogue;
    return LLMGR_OK;
}

/* ---- Life and plain reading ------------------------------------------------------------------ */

void lm_catalogue_hold(struct lm_catalogue *catalogue)
{
    atomic_fetch_add_explicit(&catalogue->holders, 1, memory_order_relaxed);
}

void lm_catalogue_drop(struct lm_catalogue *catalogue)
{
    if (catalogue == NULL ||
        atomic_fetch_sub_explicit(&catalogue->holders, 1, memory_order_acq_rel) != 1)
        return;
    catalogue->lent->drop_book(catalogue->book);
    lb_free(catalogue->host, catalogue->platforms);
    lb_free(catalogue->host, catalogue->models);
    lb_arena_free(&catalogue->memory);
    lb_free(catalogue->host, catalogue);
}

struct lm_point lm_catalogue_point(const struct lm_catalogue *catalogue)
{
    return catalogue->point;
}

struct lq_book *lm_catalogue_book(const struct lm_catalogue *catalogue)
{
    return catalogue->book;
}

int64_t lm_catalogue_revision(const struct lm_catalogue *catalogue)
{
    return catalogue->point.revision;
}

const char *lm_catalogue_identity(const struct lm_catalogue *catalogue)
{
    return catalogue->identity;
}

const struct lm_platform *lm_catalogue_platforms(const struct lm_catalogue *catalogue,
                                                 uint32_t *count)
{
    *count = catalogue->platform_count;
    return catalogue->platforms;
}

const struct lm_model *lm_catalogue_models(const struct lm_catalogue *catalogue, uint32_t *count)
{
    *count = catalogue->model_count;
    return catalogue->models;
}

const struct lm_alias *lm_catalogue_aliases(const struct lm_catalogue *catalogue, uint32_t *count)
{
    *count = catalogue->alias_count;
    return catalogue->aliases;
}

const struct lm_route *lm_catalogue_routes(const struct lm_catalogue *catalogue, uint32_t *count)
{
    *count = catalogue->route_count;
    return catalogue->routes;
}
