/* SPDX-License-Identifier: MIT */
/* A ledger on a fresh database, its journals beside it, and short forms of what tests do with it.
 */
#ifndef TESTS_LEDGER_LEDGER_FIXTURE_H
#define TESTS_LEDGER_LEDGER_FIXTURE_H

#include "ledger/ledger.h"
#include "ledger/rows.h"

#include "../manager/fixture.h"

enum { FLUSH_MS = 60000 };

struct entries {
    struct fixture w;
    char dir[300]; /* of the journals */
    struct ll_ledger_options options;
    struct ll_ledger *ledger;
};

static inline void entries_setup(struct entries *b)
{
    *b = (struct entries){.ledger = NULL};
    fixture_setup(&b->w);
    snprintf(b->dir, sizeof b->dir, "%s/journal", b->w.db.dir);
    b->options = (struct ll_ledger_options){.journal_dir = b->dir, .segment_size = 64 << 10};
}

static inline void entries_open(struct entries *b)
{
    if (ll_ledger_open(b->w.manager, &b->options, &b->ledger, &b->w.err) != LLMGR_OK)
        fail_msg("ll_ledger_open: %s", b->w.err.message);
}

static inline struct ll_journal *entries_journal(struct entries *b)
{
    struct ll_journal *journal = NULL;

    if (ll_journal_open(b->ledger, &journal, &b->w.err) != LLMGR_OK)
        fail_msg("ll_journal_open: %s", b->w.err.message);
    return journal;
}

static inline void entries_flush(struct entries *b)
{
    if (ll_ledger_flush(b->ledger, FLUSH_MS, &b->w.err) != LLMGR_OK)
        fail_msg("ll_ledger_flush: %s", b->w.err.message);
}

static inline void entries_close(struct entries *b)
{
    if (ll_ledger_close(b->ledger, FLUSH_MS, &b->w.err) != LLMGR_OK)
        fail_msg("ll_ledger_close: %s", b->w.err.message);
    b->ledger = NULL;
}

/* Files of the journals' directory whose name contains `part`; optionally the path of one. */
static inline int entries_files(const struct entries *b, const char *part, char *path, size_t size)
{
    DIR *dir = opendir(b->dir);
    const struct dirent *entry;
    int count = 0;

    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.' || strstr(entry->d_name, part) == NULL)
            continue;
        count++;
        if (path != NULL)
            snprintf(path, size, "%s/%s", b->dir, entry->d_name);
    }
    if (dir != NULL)
        closedir(dir);
    return count;
}

static inline void entries_teardown(struct entries *b)
{
    char path[700];

    while (entries_files(b, "", path, sizeof path) != 0)
        (void)unlink(path);
    (void)rmdir(b->dir);
    fixture_teardown(&b->w);
}

/* An attempt of alice's, all of it known; `id` is borrowed. */
static inline struct ll_usage attempt(const char *id)
{
    struct ll_usage usage;

    ll_usage_init(&usage);
    usage.request_id = lb_cstr(id);
    usage.user = LB_STR("alice");
    usage.platform_id = 3;
    usage.platform_name = LB_STR("Mock");
    usage.model_id = 7;
    usage.model_name = LB_STR("mock-1");
    usage.slot = LB_STR("main");
    usage.endpoint = LB_STR("chat/completions");
    usage.payer = LM_PAYER_SYSTEM;
    usage.prompt_tokens = 100;
    usage.completion_tokens = 20;
    usage.cached_tokens = 10;
    usage.reasoning_tokens = 5;
    usage.provenance = LLMGR_PROVENANCE_REPORTED;
    usage.upstream_status = 200;
    usage.latency_ms = 1234;
    usage.first_byte_ms = 321;
    usage.bytes_in = 1000;
    usage.bytes_out = 2000;
    return usage;
}

static inline llmgr_status try_append(struct ll_journal *journal, const char *id,
                                      struct llmgr_error *err)
{
    struct ll_usage usage = attempt(id);

    if (!ll_journal_admit(journal))
        return LLMGR_ERR_DATABASE_FULL;
    return ll_journal_append(journal, &usage, err);
}

static inline void append(struct entries *b, struct ll_journal *journal, const char *id)
{
    if (try_append(journal, id, &b->w.err) != LLMGR_OK)
        fail_msg("append: %s", b->w.err.message);
}

static inline int64_t entries_number(struct entries *b, const char *sql)
{
    return db_number(&b->w.db, sql);
}

#define ROWS "SELECT COUNT(*) FROM llm_usage"
#define DISTINCT_ROWS "SELECT COUNT(DISTINCT request_id) FROM llm_usage"
#define SUMMED "SELECT COALESCE(SUM(attempts), 0) FROM llm_usage_sums"

/* Of cmocka: the state of each test is the one pair of entries. */
static inline int entries_begin(void **state)
{
    static struct entries entries;

    entries_setup(&entries);
    *state = &entries;
    return 0;
}

static inline int entries_end(void **state)
{
    entries_teardown(*state);
    return 0;
}

static inline void append_many(struct entries *b, struct ll_journal *journal, const char *prefix,
                               int count)
{
    char id[64];

    for (int i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%s-%d", prefix, i);
        append(b, journal, id);
    }
}

/* The same numbers in every run. */
static inline int draw(int below)
{
    static uint64_t seed = 42;

    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (int)(seed % (uint64_t)below);
}

static inline int64_t count_or_not(int below)
{
    return draw(4) == 0 ? (int64_t)LL_UNKNOWN : draw(below);
}

#endif
