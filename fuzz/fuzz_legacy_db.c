/* SPDX-License-Identifier: MIT */
/*
 * Databases of the Python original as a stranger, a broken disk or its own looseness may leave
 * them, opened and migrated. The first byte says what the rest is:
 *
 *   even: the bytes of a SQLite file
 *   odd:  values for rows of the original's four tables, one byte or a text each (see value_of)
 *
 * Claims: an error says something; a database that was opened is sound, is ours and stays so when
 * it is opened again; rows as the original could have written them are always taken over, and none
 * of their keys is left in clear text in the file.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "check.h"
#include "store/store.h"

enum { FILE_MAX = 1 << 18, ROWS_MAX = 12 };

static const char DDL[] =
    "PRAGMA page_size = 1024; PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY;"
    "CREATE TABLE llm_platforms (id INTEGER NOT NULL, name VARCHAR(80) NOT NULL,"
    " user_id VARCHAR(80) NOT NULL, base_url VARCHAR(255) NOT NULL, api_key VARCHAR(512),"
    " is_sys INTEGER, hide INTEGER, PRIMARY KEY (id));"
    "CREATE TABLE llm_platform_models (id INTEGER NOT NULL, platform_id INTEGER NOT NULL,"
    " model_name VARCHAR(120) NOT NULL, display_name VARCHAR(120), extra_body JSON,"
    " PRIMARY KEY (id));"
    "CREATE TABLE llm_sys_platform_keys (id INTEGER NOT NULL, user_id VARCHAR(80) NOT NULL,"
    " platform_id INTEGER NOT NULL, api_key VARCHAR(512), hide INTEGER, PRIMARY KEY (id),"
    " UNIQUE (user_id, platform_id));"
    "CREATE TABLE user_ai_configs (id INTEGER NOT NULL, user_id VARCHAR(80) NOT NULL,"
    " selected_platform_id INTEGER, selected_model_id INTEGER, PRIMARY KEY (id),"
    " UNIQUE (user_id));";

/* What columns hold: i id or reference, t text, k key, f flag, j extra_body. */
static const struct {
    const char *insert;
    const char *columns;
} TABLES[] = {
    {"INSERT OR IGNORE INTO llm_platforms VALUES (?, ?, ?, ?, ?, ?, ?)", "ittukff"},
    {"INSERT OR IGNORE INTO llm_platform_models VALUES (?, ?, ?, ?, ?)", "iittj"},
    {"INSERT OR IGNORE INTO llm_sys_platform_keys VALUES (?, ?, ?, ?, ?)", "itikf"},
    {"INSERT OR IGNORE INTO user_ai_configs VALUES (?, ?, ?, ?)", "itii"},
};

static const char *const TEXTS[] = {
    "",  "-1", "x",       "x (1)", "x (2)", "x (2) (3)", "\xe9\xad\x94", "platform 3", "model 2",
    "0", "X",  "a\nb'\"", " ",     "null",  "1",
};
static const char *const OBJECTS[] = {"{}", "{\"a\":1}", "null", "[1]", "{not", "", "{\"a\":1}x"};

struct input {
    const uint8_t *at, *end;
};

static unsigned next(struct input *in)
{
    return in->at < in->end ? *in->at++ : 0;
}

/* Short values by number; from 0xf0 on as many bytes of the input as a text. */
static void bind_value(sqlite3_stmt *row, int column, char kind, struct input *in)
{
    static const char KEYS[][16] = {"sk-clear-1", "sk-clear-2", "", "sk-clear- 3"};
    unsigned byte = next(in);

    if (byte == 0xef) {
        sqlite3_bind_null(row, column);
    } else if (byte >= 0xf0 && kind != 'i' && kind != 'k' && kind != 'u') {
        int size = (int)(byte & 15) < in->end - in->at ? (int)(byte & 15) : (int)(in->end - in->at);
        if (memmem(in->at, (size_t)size, "sk-", 3) == NULL) /* or it would look like a key */
            sqlite3_bind_text(row, column, (const char *)in->at, size, SQLITE_TRANSIENT);
        in->at += size;
    } else if (kind == 'i' || kind == 'f') {
        sqlite3_bind_int64(row, column, kind == 'f' ? byte % 3 : byte % 8);
    } else if (kind == 'k') {
        sqlite3_bind_text(row, column, KEYS[byte % 4], -1, SQLITE_STATIC);
    } else if (kind == 'u') {
        sqlite3_bind_text(row, column, byte % 4 == 0 ? "" : "https://a.example/v1", -1,
                          SQLITE_STATIC);
    } else if (kind == 'j') {
        sqlite3_bind_text(row, column, OBJECTS[byte % 7], -1, SQLITE_STATIC);
    } else {
        sqlite3_bind_text(row, column, TEXTS[byte % 15], -1, SQLITE_STATIC);
    }
}

static void write_rows(const char *path, struct input *in)
{
    sqlite3 *db;

    FUZZ_CHECK(sqlite3_open(path, &db) == SQLITE_OK);
    FUZZ_CHECK(sqlite3_exec(db, DDL, NULL, NULL, NULL) == SQLITE_OK);
    for (int count = 0; count < ROWS_MAX && in->at < in->end; count++) {
        size_t table = next(in) % 4;
        sqlite3_stmt *row;
        FUZZ_CHECK(sqlite3_prepare_v2(db, TABLES[table].insert, -1, &row, NULL) == SQLITE_OK);
        for (int i = 0; TABLES[table].columns[i] != '\0'; i++)
            bind_value(row, i + 1, TABLES[table].columns[i], in);
        (void)sqlite3_step(row);
        sqlite3_finalize(row);
    }
    FUZZ_CHECK(sqlite3_close(db) == SQLITE_OK);
}

static void write_file(const char *path, struct input *in)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t size = (size_t)(in->end - in->at);

    FUZZ_CHECK(fd >= 0 && write(fd, in->at, size) == (ssize_t)size);
    close(fd);
}

/* A stand-in for the vault. */
static llmgr_status seal(struct ls_tx *tx, const struct ls_legacy_key *key, void *context,
                         struct llmgr_error *err)
{
    FUZZ_CHECK(key->api_key.size > 0);
    *(int *)context += 1;
    return ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("sealed"), ls_cstr("yes")), NULL, err);
}

static bool file_holds(const char *path, const char *text)
{
    static char bytes[4 * FILE_MAX];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t size = read(fd, bytes, sizeof bytes);
    close(fd);
    return size > 0 && memmem(bytes, (size_t)size, text, strlen(text)) != NULL;
}

static void check_sound(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *check;

    FUZZ_CHECK(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK);
    FUZZ_CHECK(sqlite3_prepare_v2(db, "PRAGMA integrity_check(1)", -1, &check, NULL) == SQLITE_OK);
    FUZZ_CHECK(sqlite3_step(check) == SQLITE_ROW &&
               strcmp((const char *)sqlite3_column_text(check, 0), "ok") == 0);
    sqlite3_finalize(check);
    sqlite3_close(db);
}

static void migrate(const char *path, bool must)
{
    struct lb_host host;
    struct ls_store *store = NULL;
    struct llmgr_error err = {0};
    int64_t version = 0, latest = ls_schema_latest();
    int sealed = 0;
    struct ls_options options = {.url = path,
                                 .pool_size = 1,
                                 .no_backup = true,
                                 .on_legacy = seal,
                                 .legacy_context = &sealed};

    lb_host_init(&host);
    llmgr_status status = ls_open(&host, &options, &store, &err);
    FUZZ_CHECK((status == LLMGR_OK) == (err.message[0] == '\0'));
    if (status != LLMGR_OK) {
        if (must)
            fprintf(stderr, "%s\n", err.message);
        FUZZ_CHECK(!must && store == NULL);
        return;
    }
    if (ls_schema_version(store, &version, NULL) == LLMGR_OK)
        FUZZ_CHECK(version == latest);
    else
        FUZZ_CHECK(!must);
    ls_close(store);
    if (!must)
        return;
    char wal[128];
    (void)snprintf(wal, sizeof wal, "%s-wal", path);
    FUZZ_CHECK(!file_holds(path, "sk-clear-") && !file_holds(wal, "sk-clear-"));
    check_sound(path);
    options.on_legacy = NULL;
    FUZZ_CHECK(ls_open(&host, &options, &store, &err) == LLMGR_OK);
    ls_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const ENDS[] = {"", "-wal", "-shm", "-journal", ".reserve"};
    struct input in = {data + 1, data + size};
    char path[64], file[80];

    if (size == 0 || size > FILE_MAX)
        return 0;
    const char *room = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(path, sizeof path, "%s/llmgr-fuzz-%ld.db", room, (long)getpid());
    bool rows = data[0] % 2 != 0;
    if (rows)
        write_rows(path, &in);
    else
        write_file(path, &in);
    migrate(path, rows);
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        (void)snprintf(file, sizeof file, "%s%s", path, ENDS[i]);
        (void)unlink(file);
    }
    return 0;
}
