/* SPDX-License-Identifier: MIT */
/*
 * The usage ledger, from the worker's append to the rows in the database.
 *
 *   append      processor time of one admit and append, in the worker's thread
 *   rows/s      ROWS records appended at once, until the last is committed, by how many users they
 *               are spread over (each user, hour and model is one row of the roll-up)
 *   rows/s with another index: the same while llm_usage has an index by (user, time), or a unique
 *               one by (request id, attempt): why it has none
 *   token       a warm look-up in a worker's token cache
 *
 * On a SQLite file of its own, or on the PostgreSQL that LLMGR_TEST_POSTGRES names (which it
 * fills). Usage: ledger [ROWS]
 */
#include <inttypes.h>
#include <libpq-fe.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "accounts/tokens.h"
#include "base/host.h"
#include "ledger/ledger.h"
#include "library/open.h"
#include "manager/manager.h"
#include "store/store.h"
#include "vault/vault.h"

enum { ROWS = 300000, ROUNDS = 3, FEW = 1000, MANY = 1000000, TOKENS = 1000, LOOKUPS = 2000000 };

static uint64_t seed = 88172645463325252;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    return seed ^= seed << 17;
}

static void check(llmgr_status status, const struct llmgr_error *err, const char *what)
{
    if (status == LLMGR_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, llmgr_status_name(status), err->message);
    exit(1);
}

static double seconds(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *figures)
{
    qsort(figures, ROUNDS, sizeof *figures, ascending);
    return figures[ROUNDS / 2];
}

/* ---- The database ---------------------------------------------------------------------------- */

struct place {
    bool postgres;
    char url[600];
    char path[300];
    char dir[256];
};

static void sql(const struct place *place, const char *text)
{
    if (place->postgres) {
        PGconn *pg = PQconnectdb(place->url);
        PGresult *result = PQexec(pg, text);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            fprintf(stderr, "%s: %s", text, PQerrorMessage(pg));
        PQclear(result);
        PQfinish(pg);
        return;
    }
    sqlite3 *db = NULL;
    if (sqlite3_open(place->path, &db) != SQLITE_OK ||
        sqlite3_exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
        fprintf(stderr, "%s: %s\n", text, sqlite3_errmsg(db));
    sqlite3_close(db);
}

static struct lm_manager *open_manager(const struct lb_host *host, const struct place *place,
                                       const struct lv_master *master)
{
    struct ls_options options = {.url = place->url, .pool_size = 4};
    struct lm_options wanted = {.mode = LLMGR_MODE_CUSTOM, .auto_key = true, .poll_ms = 60000};
    struct ls_store *store = NULL;
    struct lv_vault *vault = NULL;
    struct lm_manager *manager = NULL;
    struct llmgr_error err = {0};

    check(ls_open(host, &options, &store, &err), &err, "open the database");
    check(lv_vault_new(host, master, &vault, &err), &err, "open the vault");
    check(la_manager_open(host, &wanted, store, vault, &manager, &err), &err, "open the manager");
    return manager;
}

/* ---- Appending and writing ------------------------------------------------------------------- */

struct figures {
    double append_ns;
    double rows_per_s;
};

static struct figures run(struct lm_manager *manager, const struct place *place, int rows,
                          uint64_t users)
{
    char dir[300], id[40], user[32];
    struct llmgr_error err = {0};
    struct ll_ledger *ledger = NULL;
    struct ll_journal *journal = NULL;
    struct ll_usage usage;
    double spent = 0;

    snprintf(dir, sizeof dir, "%s/journal", place->dir);
    const struct ll_ledger_options options = {.journal_dir = dir};
    check(ll_ledger_open(manager, &options, &ledger, &err), &err, "open the ledger");
    check(ll_journal_open(ledger, &journal, &err), &err, "open the journal");
    ll_usage_init(&usage);
    usage.platform_id = 1;
    usage.platform_name = LB_STR("ModelScope");
    usage.model_name = LB_STR("Qwen/Qwen3-235B-A22B-Instruct-2507");
    usage.slot = LB_STR("main");
    usage.endpoint = LB_STR("chat/completions");
    usage.payer = LM_PAYER_SYSTEM;
    usage.prompt_tokens = 1200;
    usage.completion_tokens = 345;
    usage.provenance = LLMGR_PROVENANCE_REPORTED;
    usage.upstream_status = 200;
    usage.latency_ms = 2100;
    usage.first_byte_ms = 300;
    usage.bytes_in = 5000;
    usage.bytes_out = 2000;
    double begun = seconds(CLOCK_MONOTONIC);
    for (int i = 0; i < rows; i++) {
        int size = snprintf(id, sizeof id, "%016" PRIx64 "%016" PRIx64, draw(), draw());
        usage.request_id = lb_str(id, (size_t)size);
        size = snprintf(user, sizeof user, "user-%08" PRIu64, draw() % users);
        usage.user = lb_str(user, (size_t)size);
        usage.model_id = 1 + (int64_t)(draw() % 4);
        double before = seconds(CLOCK_THREAD_CPUTIME_ID);
        while (!ll_journal_admit(journal)) {
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            before = seconds(CLOCK_THREAD_CPUTIME_ID);
        }
        check(ll_journal_append(journal, &usage, &err), &err, "append");
        spent += seconds(CLOCK_THREAD_CPUTIME_ID) - before;
    }
    check(ll_ledger_flush(ledger, 600000, &err), &err, "flush");
    double took = seconds(CLOCK_MONOTONIC) - begun;
    ll_journal_close(journal);
    check(ll_ledger_close(ledger, 10000, &err), &err, "close");
    return (struct figures){spent / rows * 1e9, rows / took};
}

/* What the two readings of the clock around each append cost by themselves. */
static double clock_ns(void)
{
    enum { TIMES = 100000 };
    double spent = 0;

    for (int i = 0; i < TIMES; i++) {
        double before = seconds(CLOCK_THREAD_CPUTIME_ID);
        spent += seconds(CLOCK_THREAD_CPUTIME_ID) - before;
    }
    return spent / TIMES * 1e9;
}

static void compare(struct lm_manager *manager, const struct place *place, int rows)
{
    static const struct {
        const char *name;
        uint64_t users;
        const char *before;
        const char *after;
    } CASES[] = {
        {"1 000 users", FEW, NULL, NULL},
        {"1 000 000 users", MANY, NULL, NULL},
        {"1 000 000, index (user, time)", MANY,
         "CREATE INDEX bench_user ON llm_usage (user_id, created_at)", "DROP INDEX bench_user"},
        {"1 000 000, unique (request, attempt)", MANY,
         "CREATE UNIQUE INDEX bench_request ON llm_usage (request_id, attempt)",
         "DROP INDEX bench_request"},
    };
    enum { CASE_COUNT = sizeof CASES / sizeof CASES[0] };
    double rates[CASE_COUNT][ROUNDS], appends[ROUNDS];
    double overhead = clock_ns();

    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < CASE_COUNT; i++) {
            if (CASES[i].before != NULL)
                sql(place, CASES[i].before);
            struct figures figures = run(manager, place, rows, CASES[i].users);
            rates[i][round] = figures.rows_per_s;
            if (i == 0)
                appends[round] = figures.append_ns - overhead;
            if (CASES[i].after != NULL)
                sql(place, CASES[i].after);
        }
    }
    printf("  append                                %8.0f ns\n", median(appends));
    for (int i = 0; i < CASE_COUNT; i++)
        printf("  %-36s  %8.0f rows/s\n", CASES[i].name, median(rates[i]));
}

/* ---- Tokens ---------------------------------------------------------------------------------- */

static void look_up(struct lm_manager *manager)
{
    static char texts[TOKENS][LLMGR_TOKEN_ROOM];
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    const struct lw_token_spec spec = {.kind = LLMGR_TOKEN_USER, .user = LB_STR("bench")};
    struct lw_token_cache *cache = NULL;
    struct llmgr_error err = {0};
    int64_t id;

    check(lw_token_cache_new(manager, 0, &cache, &err), &err, "make the token cache");
    for (int i = 0; i < TOKENS; i++) {
        struct lw_token *token = NULL;
        check(lw_token_create(manager, &spec, texts[i], &id, &err), &err, "make a token");
        (void)lw_token_digest(lb_cstr(texts[i]), digest);
        check(lw_token_load(manager, digest, &token, &err), &err, "load a token");
        lw_token_cache_put(cache, token);
    }
    check(lm_poll(manager, &err), &err, "poll");
    double begun = seconds(CLOCK_THREAD_CPUTIME_ID);
    int found = 0;
    for (int i = 0; i < LOOKUPS; i++) {
        struct lw_token *token = NULL;
        const char *text = texts[draw() % TOKENS];
        found += lw_token_cache_find(cache, lb_cstr(text), digest, &token) == LW_TOKEN_FOUND;
    }
    double took = seconds(CLOCK_THREAD_CPUTIME_ID) - begun;
    printf("  token, warm                           %8.0f ns (%d of %d found)\n",
           took / LOOKUPS * 1e9, found, LOOKUPS);
    lw_token_cache_free(cache);
}

int main(int argc, char **argv)
{
    int rows = argc > 1 ? atoi(argv[1]) : ROWS;
    const char *tmp = getenv("TMPDIR");
    const char *server = getenv("LLMGR_TEST_POSTGRES");
    struct place place = {.postgres = server != NULL};
    struct lv_master master;
    struct lb_host host;

    if (rows < 1 || sodium_init() < 0)
        return 2;
    lb_host_init(&host);
    snprintf(place.dir, sizeof place.dir, "%s/llmgr-bench.XXXXXX", tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(place.dir) == NULL)
        return 1;
    snprintf(place.path, sizeof place.path, "%s/bench.db", place.dir);
    snprintf(place.url, sizeof place.url, "%s%s",
             place.postgres ? "" : "sqlite:", place.postgres ? server : place.path);
    lv_master_generate(&master);
    struct lm_manager *manager = open_manager(&host, &place, &master);
    printf("ledger: %d rows, %d rounds in turns, %s\n", rows, (int)ROUNDS,
           place.postgres ? "PostgreSQL" : "SQLite " SQLITE_VERSION);
    compare(manager, &place, rows);
    look_up(manager);
    la_manager_close(manager);
    char path[300];
    snprintf(path, sizeof path, "%s/journal", place.dir);
    (void)rmdir(path);
    (void)unlink(place.path);
    (void)rmdir(place.dir);
    return 0;
}
