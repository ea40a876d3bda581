/* SPDX-License-Identifier: MIT */
/* A journal that a killed process left. */
#ifndef LEDGER_ORPHAN_H
#define LEDGER_ORPHAN_H

#include <signal.h>
#include <sys/wait.h>

#include "ledger_fixture.h"
#include "ledger/segment.h"

/* Leaves a journal with "first", which the database has, and `count` records that it has not. */
static inline void leave_orphan(struct entries *b, int count)
{
    int status = 0;

    fixture_close(&b->w);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        b->options.flush_ms = 600000;
        fixture_open(&b->w);
        entries_open(b);
        struct ll_journal *journal = entries_journal(b);
        append(b, journal, "first");
        entries_flush(b);
        /* Whoever holds the writers' lock keeps what follows out of the database. */
        struct ls_tx *tx = NULL;
        assert_int_equal(ls_begin(lm_store(b->w.manager), LS_WRITE, &tx, NULL), LLMGR_OK);
        append_many(b, journal, "o", count);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    fixture_open(&b->w);
}

/* The orphan with records in it: the largest offset with a byte that is not zero. */
static inline void find_used(const struct entries *b, char *path, size_t size, long *used)
{
    DIR *dir = opendir(b->dir);
    const struct dirent *entry;

    *used = 0;
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL) {
        static char bytes[64 << 10];
        char name[700];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", b->dir, entry->d_name);
        FILE *file = fopen(name, "rb");
        assert_non_null(file);
        long at = (long)fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        while (at > 0 && bytes[at - 1] == 0)
            at--;
        if (at > *used) {
            *used = at;
            snprintf(path, size, "%s", name);
        }
    }
    closedir(dir);
}

#endif
