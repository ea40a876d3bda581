/* SPDX-License-Identifier: MIT */
/*
 * Resolve against the database it is built on. Six roads to the same answer, in turns, so that
 * what disturbs one disturbs all:
 *
 *   bare        one prepared three-table SQLite query, nothing else
 *   warm few    lr_resolve, 10^3 users in memory
 *   warm many   lr_resolve, all users in memory
 *   view few    lr_view_resolve as a worker of the gateway calls it: no lock, and a hint when the
 *   view many   user became known, some requests' steps earlier
 *   cold        lr_resolve, the user not in memory
 *   chase       no resolve: reads of memory as large as all cached users, each at a place that
 *               the one before told; what any table of that size costs on this machine
 *
 * Time is this thread's on a processor, so that others who use the machine do not count.
 *
 * USERS users have one choice and one own key; a quarter as many have a choice only, and use the
 * server key, which is the very look-up of the bare query. Users are drawn at random, uniformly.
 * Figures are medians over the rounds. Usage: resolve [USERS]
 */
#include <inttypes.h>
#include <malloc.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/host.h"
#include "keys/ring.h"
#include "library/open.h"
#include "manager/manager.h"
#include "resolve/resolve.h"
#include "store/store.h"
#include "vault/vault.h"

enum {
    USERS = 1000000,
    FEW = 1000,
    ROUNDS = 15,
    WARM_OPS = 200000,
    SLOW_OPS = 10000,
    PLATFORMS = 4,
    MODELS = 5,
    ID_SIZE = 13, /* "user-00000000" */
    PLAIN = 4,    /* one user in so many more has no own key */
    AHEAD = 4,    /* requests between a hint and its resolve */
    LINE = 64,    /* bytes of a cache line */
};

static uint64_t seed = 88172645463325252;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

/* Processor time of this thread. */
static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void check(llmgr_status status, const struct llmgr_error *err, const char *what)
{
    if (status == LLMGR_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, llmgr_status_name(status), err->message);
    exit(1);
}

static struct lb_str user_id(char *out, uint64_t number)
{
    memcpy(out, "user-", 5);
    for (int i = ID_SIZE - 1; i >= 5; i--, number /= 10)
        out[i] = (char)('0' + number % 10);
    return lb_str(out, ID_SIZE);
}

/* ---- Counting memory as the C library charges it --------------------------------------------- */

static _Atomic int64_t charged;

static int64_t charge(void *p)
{
    return p != NULL ? (int64_t)malloc_usable_size(p) + 8 : 0;
}

static void *count_alloc(size_t size, void *context)
{
    void *p = malloc(size);

    (void)context;
    charged += charge(p);
    return p;
}

static void *count_realloc(void *p, size_t size, void *context)
{
    (void)context;
    charged -= charge(p);
    p = realloc(p, size);
    charged += charge(p);
    return p;
}

static void count_free(void *p, void *context)
{
    (void)context;
    charged -= charge(p);
    free(p);
}

/* ---- The database ---------------------------------------------------------------------------- */

struct plant {
    struct lm_manager *manager;
    struct lb_host *host;
    uint64_t users;
};

static llmgr_status plant_key(struct plant *plant, struct ls_tx *tx,
                              const struct lk_key_place *place, struct lb_buf *record,
                              struct llmgr_error *err)
{
    char key[52];

    snprintf(key, sizeof key, "sk-%048" PRIu64, draw());
    lb_buf_reset(record);
    return lk_key_seal(lm_keys(plant->manager), tx, place, lb_str(key, 51), record, err);
}

static llmgr_status plant_all(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct plant *plant = context;
    struct lb_buf record;
    int64_t platforms[PLATFORMS];
    int64_t models[PLATFORMS][MODELS];
    char origins[PLATFORMS][64];
    char text[64];
    char id[ID_SIZE];
    llmgr_status status = LLMGR_OK;

    lb_buf_init(&record, plant->host, 8192);
    for (int p = 0; status == LLMGR_OK && p < PLATFORMS; p++) {
        char name[32];
        snprintf(name, sizeof name, "Platform %d", p);
        snprintf(text, sizeof text, "https://api%d.example.com/v1", p);
        snprintf(origins[p], sizeof origins[p], "https://api%d.example.com:443", p);
        status = ls_insert(tx, LS_SYNC_PLATFORM_ADD,
                           LS_ARGS(ls_cstr(LLMGR_SYSTEM_USER), ls_cstr(name), ls_cstr(text),
                                   ls_cstr("openai"), ls_int(p), ls_cstr("EXAMPLE_API_KEY"),
                                   ls_null(), ls_null(), ls_null(), ls_cstr("file")),
                           &platforms[p], err);
        struct lk_key_place place = {LK_KEY_OF_PLATFORM, LB_STR(LLMGR_SYSTEM_USER), platforms[p],
                                     lb_cstr(origins[p])};
        if (status == LLMGR_OK)
            status = plant_key(plant, tx, &place, &record, err);
        if (status == LLMGR_OK)
            status = ls_exec(tx, LS_PLATFORM_SET_KEY,
                             LS_ARGS(ls_int(platforms[p]), ls_cstr(LLMGR_SYSTEM_USER),
                                     ls_blob(record.data, record.size)),
                             NULL, err);
        for (int m = 0; status == LLMGR_OK && m < MODELS; m++) {
            snprintf(text, sizeof text, "model-%d-%d", p, m);
            status =
                ls_insert(tx, LS_MODEL_ADD,
                          LS_ARGS(ls_int(platforms[p]), ls_cstr(text), ls_cstr(text), ls_null(),
                                  ls_int(m), ls_null(), ls_cstr("file"), ls_int(0), ls_int(0)),
                          &models[p][m], err);
        }
    }
    for (uint64_t u = 0; status == LLMGR_OK && u < plant->users + plant->users / PLAIN; u++) {
        struct lb_str user = user_id(id, u);
        uint64_t p = draw() % PLATFORMS;
        struct lk_key_place place = {LK_KEY_OF_USER, user, platforms[p], lb_cstr(origins[p])};
        if (u < plant->users)
            status = plant_key(plant, tx, &place, &record, err);
        if (status == LLMGR_OK && u < plant->users)
            status = ls_exec(
                tx, LS_OWN_KEY_SET,
                LS_ARGS(ls_text(user), ls_int(platforms[p]), ls_blob(record.data, record.size)),
                NULL, err);
        if (status == LLMGR_OK)
            status = ls_exec(tx, LS_SELECTION_SET,
                             LS_ARGS(ls_text(user), ls_cstr(LLMGR_SLOT_MAIN), ls_int(platforms[p]),
                                     ls_int(models[p][draw() % MODELS])),
                             NULL, err);
    }
    lb_buf_free(&record);
    return status;
}

static struct lm_manager *open_manager(struct lb_host *host, const char *path,
                                       const struct lv_master *master, size_t cache_size)
{
    struct ls_options options = {.url = path, .pool_size = 2};
    struct lm_options wanted = {
        .mode = LLMGR_MODE_CUSTOM, .auto_key = true, .cache_size = cache_size};
    struct ls_store *store = NULL;
    struct lv_vault *vault = NULL;
    struct lm_manager *manager = NULL;
    struct llmgr_error err = {0};

    check(ls_open(host, &options, &store, &err), &err, "open the database");
    check(lv_vault_new(host, master, &vault, &err), &err, "open the vault");
    check(la_manager_open(host, &wanted, store, vault, &manager, &err), &err, "open the manager");
    return manager;
}

/* ---- The roads ------------------------------------------------------------------------------- */

/* Users from `from` on, `users` of them. */
static double run_resolve(struct lm_manager *manager, uint64_t from, uint64_t users, int ops)
{
    char first[4096];
    char id[ID_SIZE];
    struct lb_arena arena;
    struct lr_target target;
    struct llmgr_error err = {0};
    struct lb_host host;

    lb_host_init(&host);
    lb_arena_init(&arena, &host, first, sizeof first, 1 << 20);
    int64_t start = now_ns();
    for (int i = 0; i < ops; i++) {
        struct lr_request request = {.user = user_id(id, from + draw() % users)};
        check(lr_resolve(manager, &request, &arena, &target, &err), &err, "resolve");
        lb_arena_reset(&arena);
    }
    return (double)(now_ns() - start) / ops;
}

static double run_view(struct lr_view *view, uint64_t users, int ops)
{
    char first[4096];
    char ids[AHEAD][ID_SIZE];
    struct lb_arena arena;
    struct lr_target target;
    struct llmgr_error err = {0};
    struct lb_host host;
    enum lr_view_result result = LR_VIEW_DONE;

    lb_host_init(&host);
    lb_arena_init(&arena, &host, first, sizeof first, 1 << 20);
    for (int i = 0; i < AHEAD; i++)
        user_id(ids[i], draw() % users);
    int64_t start = now_ns();
    for (int i = 0; i < ops; i++) {
        char *id = ids[i % AHEAD];
        struct lr_request request = {.user = lb_str(id, ID_SIZE)};
        lr_view_refresh(view);
        check(lr_view_resolve(view, &request, &arena, &target, &result, &err), &err, "view");
        if (result != LR_VIEW_DONE)
            exit(1);
        lb_arena_reset(&arena);
        lr_view_hint(view, user_id(id, draw() % users));
    }
    return (double)(now_ns() - start) / ops;
}

static struct lr_view *fill_view(struct lm_manager *manager, uint64_t users, size_t cache_size)
{
    char id[ID_SIZE];
    struct lr_view *view = NULL;
    struct lr_profile *profile = NULL;
    struct llmgr_error err = {0};

    check(lr_view_new(manager, cache_size, &view, &err), &err, "view");
    for (uint64_t u = 0; u < users; u++) {
        check(lr_profile_load(manager, user_id(id, u), &profile, &err), &err, "load");
        lr_view_put(view, profile);
    }
    return view;
}

static double run_bare(sqlite3_stmt *stmt, uint64_t from, uint64_t users, int ops)
{
    char id[ID_SIZE];
    size_t seen = 0;
    int64_t start = now_ns();

    for (int i = 0; i < ops; i++) {
        user_id(id, from + draw() % users);
        sqlite3_bind_text(stmt, 1, id, ID_SIZE, SQLITE_STATIC);
        if (sqlite3_step(stmt) != SQLITE_ROW)
            exit(1);
        for (int column = 0; column < 6; column++)
            seen += sqlite3_column_bytes(stmt, column) != 0;
        sqlite3_reset(stmt);
    }
    if (seen == 0)
        exit(1);
    return (double)(now_ns() - start) / ops;
}

/* ---- What memory costs ----------------------------------------------------------------------- */

struct chase {
    struct {
        alignas(LINE) uint32_t next;
    } * lines;
    uint32_t count;
    uint32_t at;
};

/* One ring through all lines in random order (Sattolo). */
static void make_chase(struct chase *chase, size_t bytes)
{
    chase->count = (uint32_t)(bytes / LINE);
    chase->at = 0;
    chase->lines = aligned_alloc(LINE, (size_t)chase->count * LINE);
    if (chase->lines == NULL)
        exit(1);
    for (uint32_t i = 0; i < chase->count; i++)
        chase->lines[i].next = i;
    for (uint32_t i = chase->count - 1; i > 0; i--) {
        uint32_t other = (uint32_t)(draw() % i), next = chase->lines[i].next;
        chase->lines[i].next = chase->lines[other].next;
        chase->lines[other].next = next;
    }
}

static double run_chase(struct chase *chase, int ops)
{
    uint32_t at = chase->at;
    int64_t start = now_ns();

    for (int i = 0; i < ops; i++)
        at = chase->lines[at].next;
    double took = (double)(now_ns() - start) / ops;
    chase->at = at;
    return took;
}

/* ---- Comparing ------------------------------------------------------------------------------- */

/* Every user once, so that all are in memory; returns bytes per user. */
static double warm_up(struct lm_manager *manager, uint64_t users)
{
    char first[4096];
    char id[ID_SIZE];
    struct lb_arena arena;
    struct lr_target target;
    struct llmgr_error err = {0};
    struct lb_host host;
    int64_t before = charged;

    lb_host_init(&host);
    lb_arena_init(&arena, &host, first, sizeof first, 1 << 20);
    for (uint64_t u = 0; u < users; u++) {
        struct lr_request request = {.user = user_id(id, u)};
        check(lr_resolve(manager, &request, &arena, &target, &err), &err, "warm up");
        lb_arena_reset(&arena);
    }
    return (double)(charged - before) / (double)users;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;

    return left < right ? -1 : left > right;
}

static double median(double *values)
{
    qsort(values, ROUNDS, sizeof *values, compare);
    return values[ROUNDS / 2];
}

static double median_ratio(const double *above, const double *below)
{
    double ratios[ROUNDS];

    for (int i = 0; i < ROUNDS; i++)
        ratios[i] = above[i] / below[i];
    return median(ratios);
}

static const char bare_sql[] =
    "SELECT p.id, p.base_url, p.api_key, m.model_name, m.display_name, m.extra_body"
    " FROM user_ai_configs c JOIN llm_platforms p ON p.id = c.selected_platform_id"
    " JOIN llm_platform_models m ON m.id = c.selected_model_id"
    " WHERE c.user_id = ?1 AND c.slot = 'main'";

static void measure(struct lb_host *host, const char *path, const struct lv_master *master,
                    uint64_t users)
{
    double bare[ROUNDS], few[ROUNDS], many[ROUNDS], cold[ROUNDS];
    double view_few[ROUNDS], view_many[ROUNDS], bare_own[ROUNDS], cold_own[ROUNDS];
    double read[ROUNDS], more[ROUNDS];
    struct chase chase;
    struct lm_manager *with_few = open_manager(host, path, master, 64 << 20);
    struct lm_manager *with_many = open_manager(host, path, master, (size_t)1 << 30);
    struct lm_manager *with_none = open_manager(host, path, master, 1);
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;

    if (sqlite3_open_v2(path + strlen("sqlite:"), &db, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX,
                        NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, bare_sql, -1, &stmt, NULL) != SQLITE_OK)
        exit(1);
    warm_up(with_few, FEW);
    double bytes = warm_up(with_many, users);
    struct lr_view *few_view = fill_view(with_none, FEW, 64 << 20);
    struct lr_view *many_view = fill_view(with_none, users, (size_t)1 << 30);
    uint64_t plain = users / PLAIN;
    make_chase(&chase, (size_t)(bytes * (double)users));
    run_bare(stmt, 0, users, SLOW_OPS);
    for (int i = 0; i < ROUNDS; i++) {
        bare[i] = run_bare(stmt, users, plain, SLOW_OPS);
        cold[i] = run_resolve(with_none, users, plain, SLOW_OPS);
        few[i] = run_resolve(with_few, 0, FEW, WARM_OPS);
        many[i] = run_resolve(with_many, 0, users, WARM_OPS);
        view_few[i] = run_view(few_view, FEW, WARM_OPS);
        view_many[i] = run_view(many_view, users, WARM_OPS);
        read[i] = run_chase(&chase, WARM_OPS);
        more[i] = many[i] - few[i];
        bare_own[i] = run_bare(stmt, 0, users, SLOW_OPS);
        cold_own[i] = run_resolve(with_none, 0, users, SLOW_OPS);
    }
    /* The ratios first: a median sorts its rounds. */
    double ratio[] = {median_ratio(bare, few),      median_ratio(bare, many),
                      median_ratio(bare, view_few), median_ratio(bare, view_many),
                      median_ratio(cold, bare),     median_ratio(cold_own, bare_own)};
    double reads = median_ratio(more, read);
    double slower = (median_ratio(many, few) - 1) * 100;
    double view_slower = (median_ratio(view_many, view_few) - 1) * 100;
    printf("resolve: %" PRIu64 " users, %d rounds in turns, SQLite %s\n", users, ROUNDS,
           sqlite3_libversion());
    printf("  bare three-table query     %7.0f ns\n", median(bare));
    printf("  warm, %7d users        %7.0f ns  %6.1f times as fast\n", FEW, median(few), ratio[0]);
    printf("  warm, %7" PRIu64 " users        %7.0f ns  %6.1f times as fast, %+.0f %%\n", users,
           median(many), ratio[1], slower);
    printf("    which is, by one random read of that much memory (%.0f ns), %.1f reads more\n",
           median(read), reads);
    printf("  view, %7d users        %7.0f ns  %6.1f times as fast\n", FEW, median(view_few),
           ratio[2]);
    printf("  view, %7" PRIu64 " users        %7.0f ns  %6.1f times as fast, %+.0f %%\n", users,
           median(view_many), ratio[3], view_slower);
    printf("  cold, server key           %7.0f ns  %6.2f times the bare query\n", median(cold),
           ratio[4]);
    printf("  cold, own key              %7.0f ns  %6.2f times the bare query\n", median(cold_own),
           ratio[5]);
    printf("  memory per cached user     %7.0f bytes\n", bytes);
    if (chase.at >= chase.count) /* never; but the compiler may not think that nobody asks */
        exit(1);
    free(chase.lines);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    lr_view_free(few_view);
    lr_view_free(many_view);
    la_manager_close(with_few);
    la_manager_close(with_many);
    la_manager_close(with_none);
}

int main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    uint64_t users = argc > 1 ? strtoull(argv[1], NULL, 10) : USERS;
    char dir[200];
    char path[300];
    struct lv_master master;
    struct lb_host host;
    struct llmgr_error err = {0};

    if (users < FEW || sodium_init() < 0)
        return 2;
    lb_host_init(&host);
    host.memory = (struct llmgr_allocator){count_alloc, count_realloc, count_free, NULL};
    snprintf(dir, sizeof dir, "%s/llmgr-bench.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(dir) == NULL)
        return 1;
    snprintf(path, sizeof path, "sqlite:%s/bench.db", dir);
    lv_master_generate(&master);
    struct lm_manager *manager = open_manager(&host, path, &master, 0);
    struct plant plant = {.manager = manager, .host = &host, .users = users};
    check(lm_write(manager, (struct lb_str){0}, plant_all, &plant, &err), &err, "plant");
    la_manager_close(manager);
    measure(&host, path, &master, users);
    for (int i = 0; i < 3; i++) {
        static const char *const tails[] = {"", "-wal", "-shm"};
        char file[400];
        snprintf(file, sizeof file, "%s%s", path + strlen("sqlite:"), tails[i]);
        (void)unlink(file);
    }
    return rmdir(dir) == 0 ? 0 : 1;
}
