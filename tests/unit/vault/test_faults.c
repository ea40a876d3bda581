/* SPDX-License-Identifier: MIT */
/* The vault when the system fails it: an error that says so, nothing half done, nothing left. */
#include "../unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sodium.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../fault.h"
#include "base/host.h"
#include "vault/master.h"
#include "vault/vault.h"

#define GOOD_HEX "8f2a1c77d0e94b5566aa10fe3d9c2b7145e0b8a3f61d0c92e7743b58ac19d6f0"

FAULT(ssize_t, read, -1, (int fd, void *bytes, size_t size), (fd, bytes, size))
FAULT_SYMBOL("read", ssize_t, __read_chk, -1, (int fd, void *bytes, size_t size, size_t room),
             (fd, bytes, size, room))
FAULT(ssize_t, write, -1, (int fd, const void *bytes, size_t size), (fd, bytes, size))
FAULT(int, fsync, -1, (int fd), (fd))
FAULT(int, fchmod, -1, (int fd, mode_t mode), (fd, mode))
FAULT(int, link, -1, (const char *from, const char *to), (from, to))
FAULT(int, mkdir, -1, (const char *path, mode_t mode), (path, mode))
FAULT_SYMBOL("fstat", int, fstat64, -1, (int fd, struct stat *about), (fd, about))
FAULT_SYMBOL("open", int, open64, -1, (const char *path, int flags, mode_t mode),
             (path, flags, mode))
FAULT(int, pipe2, -1, (int ends[2], int flags), (ends, flags))
FAULT(int, poll, -1, (struct pollfd * of, nfds_t count, int ms), (of, count, ms))
FAULT(pid_t, waitpid, -1, (pid_t pid, int *how, int flags), (pid, how, flags))
FAULT(int, posix_spawn_file_actions_init, fault.error, (posix_spawn_file_actions_t * a), (a))
FAULT(int, posix_spawn_file_actions_adddup2, fault.error,
      (posix_spawn_file_actions_t * a, int from, int to), (a, from, to))
FAULT(int, posix_spawn_file_actions_addopen, fault.error,
      (posix_spawn_file_actions_t * a, int fd, const char *path, int flags, mode_t mode),
      (a, fd, path, flags, mode))
FAULT(int, posix_spawnattr_init, fault.error, (posix_spawnattr_t * a), (a))
FAULT(int, posix_spawnattr_setflags, fault.error, (posix_spawnattr_t * a, short flags), (a, flags))
FAULT(int, posix_spawnattr_setpgroup, fault.error, (posix_spawnattr_t * a, pid_t group), (a, group))
FAULT(int, posix_spawnattr_setsigmask, fault.error, (posix_spawnattr_t * a, const sigset_t *set),
      (a, set))
FAULT(int, pthread_mutex_init, fault.error,
      (pthread_mutex_t * mutex, const pthread_mutexattr_t *attributes), (mutex, attributes))
FAULT(int, sodium_init, -1, (void), ())
FAULT(void *, sodium_malloc, NULL, (size_t size), (size))
FAULT(void *, sodium_allocarray, NULL, (size_t count, size_t size), (count, size))
FAULT(int, sodium_mlock, -1, (void *p, size_t size), (p, size))
FAULT(int, sodium_mprotect_noaccess, -1, (void *p), (p))
FAULT(int, sodium_mprotect_readonly, -1, (void *p), (p))
FAULT(int, sodium_mprotect_readwrite, -1, (void *p), (p))

FAULT(uid_t, geteuid, 12345, (void), ())
FAULT(int64_t, lb_monotonic_ms, INT64_MAX / 2, (void), ())

/* A close that fails has closed all the same. */
int __real_close(int fd);
int __wrap_close(int fd);

int __wrap_close(int fd)
{
    bool strikes = fault_strikes("close");
    int result = __real_close(fd);

    errno = strikes ? fault.error : errno;
    return strikes ? -1 : result;
}

/* What is freed so is wiped. */
static int wiped;
void __real_sodium_free(void *p);
void __wrap_sodium_free(void *p);

void __wrap_sodium_free(void *p)
{
    wiped += p != NULL;
    __real_sodium_free(p);
}

static char directory[] = "/tmp/llmgr-faults-XXXXXX";
static char key_path[128];

/* Entries of a directory, "." and ".." too. */
static int entries(const char *path)
{
    int count = 0;
    DIR *dir = opendir(path);

    assert_non_null(dir);
    while (readdir(dir) != NULL)
        count++;
    closedir(dir);
    return count;
}

/* ---- The key's file -------------------------------------------------------------------------- */

static void a_file_that_cannot_be_read_is_an_error_and_an_interruption_is_none(void **state)
{
    (void)state;
    static const char *const CALLS[] = {"open", "fstat", "read"};
    struct lv_master written, master = {{42}};
    struct llmgr_error err = {0};

    lv_master_generate(&written);
    assert_int_equal(lv_master_store_file(key_path, &written, NULL), LLMGR_OK);
    int open_files = entries("/proc/self/fd");
    for (size_t i = 0; i < 3; i++) {
        fault_arm(CALLS[i], 0, EIO);
        assert_int_equal(lv_master_from_file(key_path, &master, &err), LLMGR_ERR_VAULT);
        assert_true(fault_disarm());
        assert_non_null(strstr(err.message, key_path));
        assert_non_null(strstr(err.message, strerror(EIO)));
        assert_int_equal(master.bytes[0], 42);
    }
    fault_arm("read", 0, EINTR);
    assert_int_equal(lv_master_from_file(key_path, &master, NULL), LLMGR_OK);
    assert_true(fault_disarm());
    assert_memory_equal(&master, &written, sizeof master);
    assert_int_equal(entries("/proc/self/fd"), open_files);
    lv_master_take_back(key_path);
}

static void store(const char *call, long nth, int error, llmgr_status want, bool stays)
{
    struct lv_master written, master;
    struct llmgr_error err = {0};
    int open_files = entries("/proc/self/fd");

    lv_master_generate(&written);
    fault_arm(call, nth, error);
    llmgr_status status = lv_master_store_file(key_path, &written, &err);
    if (!fault_disarm())
        fail_msg("%s was not called", call);
    if (status != want)
        fail_msg("%s, %s: %s", call, strerror(error), llmgr_status_name(status));
    assert_int_equal(err.message[0] != '\0', want != LLMGR_OK);
    assert_int_equal(entries("/proc/self/fd"), open_files);
    assert_int_equal(lv_master_from_file(key_path, &master, NULL),
                     stays ? LLMGR_OK : LLMGR_ERR_NOT_FOUND);
    if (stays)
        assert_memory_equal(&master, &written, sizeof master);
    lv_master_take_back(key_path);
    assert_int_equal(entries(directory), 2); /* no half of a file under another name */
}

static void a_file_is_written_whole_or_not_at_all(void **state)
{
    (void)state;
    store("open", 0, ENOSPC, LLMGR_ERR_VAULT, false);
    store("fchmod", 0, EPERM, LLMGR_ERR_VAULT, false);
    store("write", 0, ENOSPC, LLMGR_ERR_VAULT, false);
    store("write", 0, EINTR, LLMGR_OK, true);
    store("fsync", 0, EIO, LLMGR_ERR_VAULT, false);
    store("link", 0, EMLINK, LLMGR_ERR_VAULT, false);
    store("close", 0, EIO, LLMGR_ERR_VAULT, false);
    store("mkdir", 0, EACCES, LLMGR_OK, true); /* what it says of a directory that exists */
}

static void a_name_that_may_not_survive_a_power_loss_is_an_error(void **state)
{
    (void)state;
    store("fsync", 1, EIO, LLMGR_ERR_VAULT, true);
    store("open", 1, EMFILE, LLMGR_ERR_VAULT, true);
    store("fsync", 1, EINVAL, LLMGR_OK, true); /* this file system has no directories to sync */
}

static void a_file_system_without_links_still_never_overwrites(void **state)
{
    (void)state;
    static const int ERRORS[] = {EPERM, EOPNOTSUPP, ENOSYS};

    for (size_t i = 0; i < 3; i++)
        store("link", 0, ERRORS[i], LLMGR_OK, true);
    store("link", 0, EEXIST, LLMGR_ERR_CONFLICT, false);
}

static void a_directory_that_cannot_be_made_is_an_error(void **state)
{
    (void)state;
    struct lv_master master;
    struct llmgr_error err = {0};
    char path[200];

    lv_master_generate(&master);
    snprintf(path, sizeof path, "%s/new/master.key", directory);
    fault_arm("mkdir", 2, ENOSPC); /* /tmp, ours, new */
    assert_int_equal(lv_master_store_file(path, &master, &err), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_non_null(strstr(err.message, strerror(ENOSPC)));
    assert_int_equal(lv_master_store_file(key_path, &master, NULL), LLMGR_OK);
    snprintf(path, sizeof path, "%s/x", key_path); /* a file stands where a directory should */
    fault_arm("mkdir", 2, EROFS);
    assert_int_equal(lv_master_store_file(path, &master, &err), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_non_null(strstr(err.message, strerror(EROFS)));
    lv_master_take_back(key_path);
}

static void a_name_without_a_directory_is_one_here(void **state)
{
    (void)state;
    struct lv_master written, master;
    char before[1024];

    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(directory), 0);
    lv_master_generate(&written);
    assert_int_equal(lv_master_store_file("here.key", &written, NULL), LLMGR_OK);
    assert_int_equal(lv_master_from_file("here.key", &master, NULL), LLMGR_OK);
    assert_memory_equal(&master, &written, sizeof master);
    /* Roots's file may be read by the user it was made for, one of a third user may not. */
    if (geteuid() == 0) {
        fault_arm("geteuid", 0, 0);
        assert_int_equal(lv_master_from_file("here.key", &master, NULL), LLMGR_OK);
        assert_true(fault_disarm());
    }
    lv_master_take_back("here.key");
    assert_int_equal(chdir(before), 0);
}

static void a_path_has_a_ceiling(void **state)
{
    (void)state;
    static char path[5000];
    struct lv_master master;

    memset(path, 'p', sizeof path - 1);
    lv_master_generate(&master);
    assert_int_equal(lv_master_store_file(path, &master, NULL), LLMGR_ERR_INVALID);
    assert_int_equal(lv_master_from_credential(path, "name", &master, NULL), LLMGR_ERR_INVALID);
    assert_int_equal(lv_master_from_credential(directory, "a/b", &master, NULL), LLMGR_ERR_INVALID);
}

static void a_creator_that_comes_second_takes_the_firsts_key(void **state)
{
    (void)state;
    struct lv_master first, second = {{42}};
    bool created = true;
    struct llmgr_error err = {0};

    assert_int_equal(lv_master_create_file(key_path, &first, NULL, NULL), LLMGR_OK);
    fault_arm("open", 0, ENOENT); /* looked for before the first had made it */
    assert_int_equal(lv_master_create_file(key_path, &second, &created, &err), LLMGR_OK);
    assert_true(fault_disarm());
    assert_false(created);
    assert_memory_equal(&second, &first, sizeof first);
    lv_master_take_back(key_path);
    /* The first took its file back in between: an error, not a key that is nowhere. */
    fault_arm("link", 0, EEXIST);
    assert_int_equal(lv_master_create_file(key_path, &second, &created, &err), LLMGR_ERR_NOT_FOUND);
    assert_true(fault_disarm());
    assert_memory_equal(&second, &first, sizeof first);
}

/* ---- The key's program ----------------------------------------------------------------------- */

static void want_run(const char *call, long nth, int error, llmgr_status want)
{
    static const char *const ARGV[] = {"echo", GOOD_HEX, NULL};
    struct lv_master master = {{42}};
    struct llmgr_error err = {0};
    int open_files = entries("/proc/self/fd");

    fault_arm(call, nth, error);
    llmgr_status status = lv_master_from_command(ARGV, &master, &err);
    if (!fault_disarm())
        fail_msg("%s was not called", call);
    if (status != want)
        fail_msg("%s, %s: %s", call, strerror(error), err.message);
    assert_int_equal(master.bytes[0], want == LLMGR_OK ? 0x8f : 42);
    if (want != LLMGR_OK && strstr(err.message, strerror(error)) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, strerror(error));
    assert_int_equal(entries("/proc/self/fd"), open_files);
    while (waitpid(-1, NULL, 0) > 0) /* one that could not be waited for */
        assert_string_equal(call, "waitpid");
}

static void a_program_that_cannot_be_started_leaves_nothing_open(void **state)
{
    (void)state;
    want_run("pipe2", 0, EMFILE, LLMGR_ERR_VAULT);
    want_run("posix_spawn_file_actions_init", 0, ENOMEM, LLMGR_ERR_VAULT);
    want_run("posix_spawnattr_init", 0, ENOMEM, LLMGR_ERR_VAULT);
    want_run("posix_spawn_file_actions_adddup2", 0, ENOMEM, LLMGR_ERR_VAULT);
    want_run("posix_spawn_file_actions_addopen", 0, ENOMEM, LLMGR_ERR_VAULT);
    want_run("posix_spawnattr_setflags", 0, EINVAL, LLMGR_ERR_VAULT);
    want_run("posix_spawnattr_setpgroup", 0, EINVAL, LLMGR_ERR_VAULT);
    want_run("posix_spawnattr_setsigmask", 0, EINVAL, LLMGR_ERR_VAULT);
}

static void a_program_that_cannot_be_heard_is_an_error_and_an_interruption_is_none(void **state)
{
    (void)state;
    want_run("poll", 0, EINTR, LLMGR_OK);
    want_run("poll", 0, ENOMEM, LLMGR_ERR_VAULT);
    want_run("read", 0, EINTR, LLMGR_OK);
    want_run("read", 0, EIO, LLMGR_ERR_VAULT);
    want_run("waitpid", 0, EINTR, LLMGR_OK);
    want_run("waitpid", 0, ECHILD, LLMGR_ERR_VAULT);
}

static void a_kill_that_is_interrupted_still_waits_for_its_end(void **state)
{
    (void)state;
    static const char *const ARGV[] = {"yes", GOOD_HEX, NULL};
    struct lv_master master;

    fault_arm("waitpid", 0, EINTR);
    assert_int_equal(lv_master_from_command(ARGV, &master, NULL), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_int_equal(waitpid(-1, NULL, 0), -1);
    fault_arm("waitpid", 0, ECHILD); /* somebody else waits for our children */
    assert_int_equal(lv_master_from_command(ARGV, &master, NULL), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_true(waitpid(-1, NULL, 0) > 0);
}

static llmgr_status run_shell(const char *script, struct llmgr_error *err)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    struct lv_master master;

    return lv_master_from_command(argv, &master, err);
}

/* The clock leaps: while it prints nothing, and after it closed its output. */
static void the_time_is_up_for_a_program_that_goes_on_in_either_way(void **state)
{
    (void)state;
    struct llmgr_error err = {0};

    fault_arm("lb_monotonic_ms", 1, 0);
    assert_int_equal(run_shell("exec sleep 300", &err), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_non_null(strstr(err.message, "took longer"));
    err.message[0] = '\0';
    fault_arm("lb_monotonic_ms", 2, 0); /* one for the end of its output, one for its end */
    assert_int_equal(run_shell("exec sleep 300 >&-", &err), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_non_null(strstr(err.message, "took longer"));
    assert_int_equal(waitpid(-1, NULL, 0), -1); /* killed and reaped */
    assert_int_equal(run_shell("exit 0", &err), LLMGR_ERR_VAULT);
    const char *const unnamed[] = {"", NULL};
    struct lv_master master;
    assert_int_equal(lv_master_from_command(unnamed, &master, &err), LLMGR_ERR_INVALID);
}

/* ---- The keys in memory ---------------------------------------------------------------------- */

static struct lb_host host;
static long held;
static char warning[256];

static void *count_alloc(size_t size, void *context)
{
    (void)context;
    held++;
    return malloc(size);
}

static void *count_realloc(void *p, size_t size, void *context)
{
    (void)context;
    return realloc(p, size);
}

static void count_free(void *p, void *context)
{
    (void)context;
    held--;
    free(p);
}

static void keep_warning(llmgr_log_level level, const char *line, void *context)
{
    (void)context;
    assert_int_equal(level, LLMGR_LOG_WARN);
    snprintf(warning, sizeof warning, "%s", line);
}

static void a_vault_that_cannot_be_made_leaves_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *call;
        long nth;
        llmgr_status status;
    } CALLS[] = {
        {"sodium_init", 0, LLMGR_ERR_VAULT},
        {"pthread_mutex_init", 0, LLMGR_ERR_NO_MEMORY},
        {"sodium_malloc", 0, LLMGR_ERR_NO_MEMORY},
        {"sodium_malloc", 1, LLMGR_ERR_NO_MEMORY},
        {"sodium_allocarray", 0, LLMGR_ERR_NO_MEMORY},
        {"sodium_mprotect_noaccess", 0, LLMGR_ERR_VAULT},
        {"sodium_mprotect_readonly", 0, LLMGR_ERR_VAULT},
        {"sodium_mprotect_readonly", 1, LLMGR_ERR_VAULT},
    };
    struct lv_master master;

    lv_master_generate(&master);
    for (size_t i = 0; i < sizeof CALLS / sizeof CALLS[0]; i++) {
        struct lv_vault *vault = NULL;
        struct llmgr_error err = {0};
        fault_arm(CALLS[i].call, CALLS[i].nth, ENOMEM);
        assert_int_equal(lv_vault_new(&host, &master, &vault, &err), CALLS[i].status);
        assert_true(fault_disarm());
        assert_null(vault);
        assert_true(err.message[0] != '\0');
        assert_int_equal(held, 0);
    }
}

static void a_vault_that_is_freed_wipes_master_ring_and_the_process_key(void **state)
{
    (void)state;
    struct lv_master master;
    struct lv_vault *vault;

    lv_master_generate(&master);
    assert_int_equal(lv_vault_new(&host, &master, &vault, NULL), LLMGR_OK);
    wiped = 0;
    lv_vault_free(vault);
    assert_int_equal(wiped, 3);
}

static void keys_that_may_be_swapped_out_are_warned_of(void **state)
{
    (void)state;
    struct lv_master master;
    struct lv_vault *vault;

    lv_master_generate(&master);
    for (long nth = 0; nth < 3; nth++) {
        warning[0] = '\0';
        fault_arm("sodium_mlock", nth, ENOMEM);
        assert_int_equal(lv_vault_new(&host, &master, &vault, NULL), LLMGR_OK);
        assert_true(fault_disarm());
        assert_false(lv_vault_locked(vault));
        assert_non_null(strstr(warning, "RLIMIT_MEMLOCK"));
        lv_vault_free(vault);
    }
}

static void memory_that_cannot_be_unprotected_changes_nothing(void **state)
{
    (void)state;
    struct lv_master master, other;
    struct lv_ring_row row, fresh = {.id = 7};
    struct lv_vault *vault;
    struct llmgr_error err = {0};

    lv_master_generate(&master);
    lv_master_generate(&other);
    assert_int_equal(lv_vault_new(&host, &master, &vault, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_create(vault, LV_PURPOSE_SEAL, &row, NULL), LLMGR_OK);
    fault_arm("sodium_mprotect_readonly", 0, ENOMEM);
    assert_int_equal(lv_ring_create(vault, LV_PURPOSE_SEAL, &fresh, &err), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_int_equal(fresh.id, 7);
    assert_non_null(strstr(err.message, "mprotect"));
    fault_arm("sodium_mprotect_readonly", 0, ENOMEM);
    assert_int_equal(lv_ring_load(vault, &row, &err), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    fault_arm("sodium_mprotect_readwrite", 0, ENOMEM);
    assert_int_equal(lv_ring_load(vault, &row, &err), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_false(lv_ring_has(vault, row.id));
    fault_arm("sodium_mprotect_readwrite", 0, ENOMEM);
    assert_int_equal(lv_vault_set_master(vault, &other, &err), LLMGR_ERR_VAULT);
    assert_true(fault_disarm());
    assert_int_equal(lv_ring_load(vault, &row, NULL), LLMGR_OK); /* under the old master key */
    lv_vault_free(vault);
}

static void a_key_that_cannot_be_wiped_is_at_least_not_found(void **state)
{
    (void)state;
    struct lv_master master;
    struct lv_ring_row row;
    struct lv_vault *vault;

    lv_master_generate(&master);
    assert_int_equal(lv_vault_new(&host, &master, &vault, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_create(vault, LV_PURPOSE_SEAL, &row, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(vault, &row, NULL), LLMGR_OK);
    fault_arm("sodium_mprotect_readwrite", 0, ENOMEM);
    lv_ring_forget(vault, row.id);
    assert_true(fault_disarm());
    assert_false(lv_ring_has(vault, row.id));
    assert_int_equal(lv_ring_load(vault, &row, NULL), LLMGR_OK); /* its slot is free again */
    lv_vault_free(vault);
}

static int set_up(void **state)
{
    (void)state;
    lb_host_init(&host);
    host.memory = (struct llmgr_allocator){count_alloc, count_realloc, count_free, NULL};
    host.log = keep_warning;
    host.log_level = LLMGR_LOG_WARN;
    if (mkdtemp(directory) == NULL)
        return 1;
    snprintf(key_path, sizeof key_path, "%s/master.key", directory);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(held, 0);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_cannot_be_read_is_an_error_and_an_interruption_is_none),
        cmocka_unit_test(a_file_is_written_whole_or_not_at_all),
        cmocka_unit_test(a_name_that_may_not_survive_a_power_loss_is_an_error),
        cmocka_unit_test(a_file_system_without_links_still_never_overwrites),
        cmocka_unit_test(a_directory_that_cannot_be_made_is_an_error),
        cmocka_unit_test(a_name_without_a_directory_is_one_here),
        cmocka_unit_test(a_path_has_a_ceiling),
        cmocka_unit_test(a_creator_that_comes_second_takes_the_firsts_key),
        cmocka_unit_test(a_program_that_cannot_be_started_leaves_nothing_open),
        cmocka_unit_test(a_program_that_cannot_be_heard_is_an_error_and_an_interruption_is_none),
        cmocka_unit_test(a_kill_that_is_interrupted_still_waits_for_its_end),
        cmocka_unit_test(the_time_is_up_for_a_program_that_goes_on_in_either_way),
        cmocka_unit_test(a_vault_that_cannot_be_made_leaves_nothing),
        cmocka_unit_test(a_vault_that_is_freed_wipes_master_ring_and_the_process_key),
        cmocka_unit_test(keys_that_may_be_swapped_out_are_warned_of),
        cmocka_unit_test(memory_that_cannot_be_unprotected_changes_nothing),
        cmocka_unit_test(a_key_that_cannot_be_wiped_is_at_least_not_found),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
