/* SPDX-License-Identifier: MIT */
/* The room that is kept on a full disk, when it cannot be made or made whole. */
#include "store/reserve.h"

#include <errno.h>

#include "../db.h"

static struct db db;
static int no_room; /* what posix_fallocate says; 0: it does its work */

int __real_posix_fallocate64(int fd, off_t at, off_t size);
int __wrap_posix_fallocate64(int fd, off_t at, off_t size);
int __wrap_posix_fallocate64(int fd, off_t at, off_t size)
{
    return no_room != 0 ? no_room : __real_posix_fallocate64(fd, at, size);
}

static int setup(void **state)
{
    (void)state;
    no_room = 0;
    db_setup(&db);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    db_teardown(&db);
    return 0;
}

static void path_of(char path[400])
{
    snprintf(path, 400, "%s.reserve", db.path);
}

static off_t reserve_size(void)
{
    char path[400];
    struct stat about;

    path_of(path);
    return stat(path, &about) == 0 ? about.st_size : -1;
}

static llmgr_status put_meta(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    return ls_exec(tx, LS_META_SET, LS_ARGS(ls_cstr("a"), ls_cstr(context)), NULL, err);
}

static llmgr_status put(struct ls_store *store, enum ls_mode mode, struct llmgr_error *err)
{
    char value[] = "1";

    return ls_transact(store, mode, put_meta, value, err);
}

static void nothing_is_added_while_the_reserve_is_not_whole(void **state)
{
    struct llmgr_error err = {0};
    char path[400];
    struct ls_tx *tx = NULL;
    (void)state;

    struct ls_store *store = db_open(&db);
    struct ls_store *other = db_open(&db);
    path_of(path);
    assert_int_equal(truncate(path, LS_RESERVE_SIZE / 2), 0);
    no_room = ENOSPC;
    assert_int_equal(put(store, LS_WRITE, &err), LLMGR_ERR_DATABASE_FULL);
    assert_non_null(strstr(err.message, "free disk space"));
    assert_int_equal(put(other, LS_WRITE, &err), LLMGR_ERR_DATABASE_FULL);
    assert_int_equal(reserve_size(), LS_RESERVE_SIZE / 2);
    assert_int_equal(put(other, LS_REVOKE, &err), LLMGR_OK);
    assert_int_equal(ls_begin(store, LS_READ, &tx, &err), LLMGR_OK);
    ls_rollback(tx);
    /* A database can be opened all the same, and says so. */
    db.log[0] = '\0';
    ls_close(db_open(&db));
    assert_non_null(strstr(db.log, "nothing is added"));
    no_room = 0;
    assert_int_equal(put(store, LS_WRITE, &err), LLMGR_OK);
    assert_int_equal(reserve_size(), LS_RESERVE_SIZE);
    ls_close(other);
    ls_close(store);
}

static void who_removes_it_in_need_is_understood(void **state)
{
    struct llmgr_error err = {0};
    char path[400];
    (void)state;

    struct ls_store *store = db_open(&db);
    path_of(path);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(put(store, LS_REVOKE, &err), LLMGR_OK);
    no_room = EDQUOT;
    assert_int_equal(put(store, LS_WRITE, &err), LLMGR_ERR_DATABASE_FULL);
    assert_int_equal(put(store, LS_REVOKE, &err), LLMGR_OK);
    no_room = 0;
    ls_close(store);
    assert_int_equal(reserve_size(), LS_RESERVE_SIZE);
}

static void a_file_system_that_can_keep_none_is_used_all_the_same(void **state)
{
    struct llmgr_error err = {0};
    (void)state;

    no_room = EOPNOTSUPP;
    struct ls_store *store = db_open(&db);
    assert_int_equal(put(store, LS_WRITE, &err), LLMGR_OK);
    assert_int_equal(put(store, LS_REVOKE, &err), LLMGR_OK);
    ls_close(store);
}

static void who_only_reads_makes_none(void **state)
{
    char path[400];
    (void)state;

    ls_close(db_open(&db));
    path_of(path);
    assert_int_equal(unlink(path), 0);
    ls_close(db_open_with(&db, (struct ls_options){.read_only = true}));
    assert_int_equal(reserve_size(), -1);
}

static void it_is_private(void **state)
{
    struct stat about;
    char path[400];
    (void)state;

    mode_t old = umask(0);
    ls_close(db_open(&db));
    umask(old);
    path_of(path);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
}

#define FRESH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FRESH(nothing_is_added_while_the_reserve_is_not_whole),
        FRESH(who_removes_it_in_need_is_understood),
        FRESH(a_file_system_that_can_keep_none_is_used_all_the_same),
        FRESH(who_only_reads_makes_none),
        FRESH(it_is_private),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
