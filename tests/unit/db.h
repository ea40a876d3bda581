/* SPDX-License-Identifier: MIT */
/*
 * A fresh database per test, of the kind the environment asks for:
 *
 *   LLMGR_TEST_DB=sqlite (or unset)   a file in a folder of its own
 *   LLMGR_TEST_DB=postgres            a database of its own on the server LLMGR_TEST_POSTGRES
 *
 *   struct db db;
 *   db_setup(&db);                              makes room for it; nothing is opened yet
 *   struct ls_store *store = db_open(&db);      as often as wanted
 *   ls_close(store);
 *   db_teardown(&db);                           removes every trace
 *
 * Log lines of the store are kept in db.log. Failures end the test.
 */
#ifndef TESTS_DB_H
#define TESTS_DB_H

#include <dirent.h>
#include <libpq-fe.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/host.h"
#include "store/store.h"
#include "unit.h"

struct db {
    bool postgres;
    struct lb_host host;
    char dir[256];  /* a folder of the test's own, for either kind */
    char path[300]; /* SQLite: the file, inside dir */
    char name[64];  /* PostgreSQL: the database */
    char url[600];  /* for ls_open */
    char log[8192]; /* what the store logged, one event per line */
};

static inline void db_log(llmgr_log_level level, const char *text, void *context)
{
    struct db *db = context;
    size_t used = strlen(db->log);

    (void)level;
    snprintf(db->log + used, sizeof db->log - used, "%s\n", text);
}

/* How often a loop of kills goes round: as usual, or as LLMGR_TEST_ROUNDS says (make test-deep). */
static inline unsigned db_rounds(unsigned usual)
{
    const char *wanted = getenv("LLMGR_TEST_ROUNDS");
    unsigned long rounds = wanted != NULL ? strtoul(wanted, NULL, 10) : 0;

    return rounds != 0 ? (unsigned)rounds : usual;
}

static inline bool db_wants_postgres(void)
{
    const char *kind = getenv("LLMGR_TEST_DB");

    return kind != NULL && strcmp(kind, "postgres") == 0;
}

/* A case named sqlite_... is none of PostgreSQL's. */
static inline void db_choose_tests(void)
{
    if (db_wants_postgres())
        cmocka_set_skip_filter("sqlite_*");
}

/* Runs SQL outside the store; `url` NULL: on the server's own database. */
static inline void db_psql(const char *url, const char *sql)
{
    PGconn *pg = PQconnectdb(url != NULL ? url : getenv("LLMGR_TEST_POSTGRES"));
    PGresult *result = PQexec(pg, sql);
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        print_error("%s: %s\n", sql, PQerrorMessage(pg));
    PQclear(result);
    PQfinish(pg);
    assert_true(status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK);
}

/* The first value of the first row as a number. */
static inline int64_t db_psql_number(const char *url, const char *sql)
{
    PGconn *pg = PQconnectdb(url != NULL ? url : getenv("LLMGR_TEST_POSTGRES"));
    PGresult *result = PQexec(pg, sql);
    int64_t number = -1;

    if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0)
        number = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
    else
        print_error("%s: %s\n", sql, PQerrorMessage(pg));
    PQclear(result);
    PQfinish(pg);
    return number;
}

static inline void db_setup(struct db *db)
{
    static unsigned count;
    const char *tmp = getenv("TMPDIR");

    *db = (struct db){.postgres = db_wants_postgres()};
    lb_host_init(&db->host);
    db->host.log = db_log;
    db->host.log_context = db;
    db->host.log_level = LLMGR_LOG_INFO;
    snprintf(db->dir, sizeof db->dir, "%s/llmgr-test.XXXXXX", tmp != NULL ? tmp : "/tmp");
    assert_non_null(mkdtemp(db->dir));
    snprintf(db->path, sizeof db->path, "%s/test.db", db->dir);
    if (!db->postgres) {
        snprintf(db->url, sizeof db->url, "sqlite:%s", db->path);
        return;
    }
    const char *server = getenv("LLMGR_TEST_POSTGRES");
    if (server == NULL)
        fail_msg("%s", "LLMGR_TEST_POSTGRES is not set; run the test by tools/with-postgres");
    /* postgres:///NAME?rest: the same server, another database. */
    const char *rest = strchr(server, '?');
    snprintf(db->name, sizeof db->name, "t%ld_%u", (long)getpid(), ++count);
    snprintf(db->url, sizeof db->url, "postgres:///%s%s", db->name, rest != NULL ? rest : "");
    char sql[128];
    snprintf(sql, sizeof sql, "CREATE DATABASE %s TEMPLATE template0", db->name);
    db_psql(NULL, sql);
}

static inline void db_teardown(struct db *db)
{
    DIR *dir = opendir(db->dir);
    const struct dirent *entry;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        char path[600];
        snprintf(path, sizeof path, "%s/%s", db->dir, entry->d_name);
        if (entry->d_name[0] != '.')
            (void)remove(path);
    }
    if (dir != NULL)
        closedir(dir);
    (void)rmdir(db->dir);
    if (db->postgres) {
        char sql[128];
        snprintf(sql, sizeof sql, "DROP DATABASE IF EXISTS %s WITH (FORCE)", db->name);
        db_psql(NULL, sql);
    }
}

/* Opens with these options; .url is filled in. */
static inline struct ls_store *db_open_with(struct db *db, struct ls_options options)
{
    struct llmgr_error err = {0};
    struct ls_store *store = NULL;

    options.url = db->url;
    if (ls_open(&db->host, &options, &store, &err) != LLMGR_OK)
        fail_msg("ls_open: %s", err.message);
    return store;
}

static inline struct ls_store *db_open(struct db *db)
{
    return db_open_with(db, (struct ls_options){.pool_size = 4});
}

/* Runs SQL on the test's database beside the store, whichever kind: for planting. */
static inline void db_sql(struct db *db, const char *sql)
{
    sqlite3 *sqlite = NULL;

    if (db->postgres) {
        db_psql(db->url, sql);
        return;
    }
    assert_int_equal(sqlite3_open(db->path, &sqlite), SQLITE_OK);
    sqlite3_busy_timeout(sqlite, 5000);
    int rc = sqlite3_exec(sqlite, sql, NULL, NULL, NULL);
    if (rc != SQLITE_OK)
        print_error("%s: %s\n", sql, sqlite3_errmsg(sqlite));
    sqlite3_close(sqlite);
    assert_int_equal(rc, SQLITE_OK);
}

/* The first value of the first row as a number; -1 if there is none: for looking. */
static inline int64_t db_number(struct db *db, const char *sql)
{
    sqlite3 *sqlite = NULL;
    sqlite3_stmt *stmt = NULL;
    int64_t number = -1;

    if (db->postgres)
        return db_psql_number(db->url, sql);
    assert_int_equal(sqlite3_open(db->path, &sqlite), SQLITE_OK);
    sqlite3_busy_timeout(sqlite, 5000);
    if (sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL) != SQLITE_OK)
        print_error("%s: %s\n", sql, sqlite3_errmsg(sqlite));
    else if (sqlite3_step(stmt) == SQLITE_ROW)
        number = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(sqlite);
    return number;
}

#endif
