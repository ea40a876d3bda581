/* SPDX-License-Identifier: MIT */
#include "vault/master.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../unit.h"

#define GOOD_HEX "8f2a1c77d0e94b5566aa10fe3d9c2b7145e0b8a3f61d0c92e7743b58ac19d6f0"

static char directory[] = "/tmp/llmgr-master-XXXXXX";

static const char *in_directory(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static const char *put(const char *name, const char *text, mode_t mode)
{
    const char *path = in_directory(name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
    return path;
}

static void good_bytes(unsigned char *bytes)
{
    assert_int_equal(sodium_hex2bin(bytes, 32, GOOD_HEX, 64, NULL, NULL, NULL), 0);
}

static void hex_and_base64_are_the_same_key(void **state)
{
    (void)state;
    unsigned char want[32];
    char text[64];
    struct lv_master master;
    const int variants[] = {sodium_base64_VARIANT_ORIGINAL, sodium_base64_VARIANT_URLSAFE,
                            sodium_base64_VARIANT_ORIGINAL_NO_PADDING,
                            sodium_base64_VARIANT_URLSAFE_NO_PADDING};

    good_bytes(want);
    assert_int_equal(lv_master_from_text(LB_STR(GOOD_HEX), "x", &master, NULL), LLMGR_OK);
    assert_memory_equal(master.bytes, want, 32);
    assert_int_equal(lv_master_from_text(LB_STR(GOOD_HEX "\r\n"), "x", &master, NULL), LLMGR_OK);
    for (size_t i = 0; i < 4; i++) {
        sodium_bin2base64(text, sizeof text, want, 32, variants[i]);
        lv_master_clear(&master);
        assert_int_equal(lv_master_from_text(lb_cstr(text), "x", &master, NULL), LLMGR_OK);
        assert_memory_equal(master.bytes, want, 32);
    }
}

/* SECURITY S8: each refused, one line that names the source, never the value. */
static void bad_and_default_keys_are_refused_without_being_shown(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",
        "\n",
        "changeme",
        GOOD_HEX "\n\n",
        " " GOOD_HEX,
        GOOD_HEX "00",
        "8f2a1c77d0e94b5566aa10fe3d9c2b7145e0b8a3f61d0c92e7743b58ac19d6fg",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "deadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeefdeadbeef",
        "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
        "1234567890123456789012345678901234567890123456789012345678901234",
        LV_MASTER_EXAMPLE,
        "6368616e67656d65206368616e67656d65206368616e67656d65206368616e67", /* "changeme chan.." */
        "VGhpcy1pcy1hLXBhc3N3b3JkLW9mLTMyLWJ5dGVzISE", /* "This-is-a-password-of-32-bytes!!" */
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "jyocd9DpS1Vmqhpv49nCtxReC4o-YdDJLndDtYrBnW8/",
    };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct lv_master master = {{42}};
        struct llmgr_error err = {0};
        llmgr_status status =
            lv_master_from_text(lb_cstr(BAD[i]), "LLMGR_MASTER_KEY", &master, &err);
        if (status != LLMGR_ERR_VAULT)
            fail_msg("accepted: '%s'", BAD[i]);
        assert_int_equal(master.bytes[0], 42);
        assert_non_null(strstr(err.message, "LLMGR_MASTER_KEY"));
        assert_null(strchr(err.message, '\n'));
        if (strlen(BAD[i]) > 10)
            assert_null(strstr(err.message, BAD[i]));
    }
}

static void the_id_depends_on_the_key_alone(void **state)
{
    (void)state;
    struct lv_master a;
    struct lv_master b;
    char ids[3][LV_MASTER_ID_SIZE];

    lv_master_generate(&a);
    lv_master_generate(&b);
    lv_master_id(&a, ids[0]);
    lv_master_id(&a, ids[1]);
    lv_master_id(&b, ids[2]);
    assert_int_equal(strlen(ids[0]), 8);
    assert_string_equal(ids[0], ids[1]);
    assert_string_not_equal(ids[0], ids[2]);
}

static void a_private_file_is_read(void **state)
{
    (void)state;
    struct lv_master master;
    unsigned char want[32];

    good_bytes(want);
    assert_int_equal(lv_master_from_file(put("good", GOOD_HEX "\n", 0600), &master, NULL),
                     LLMGR_OK);
    assert_memory_equal(master.bytes, want, 32);
    assert_int_equal(lv_master_from_file(put("good", GOOD_HEX, 0400), &master, NULL), LLMGR_OK);
}

static void expect_file(const char *path, llmgr_status want, const char *hint)
{
    struct lv_master master = {{42}};
    struct llmgr_error err = {0};

    assert_int_equal(lv_master_from_file(path, &master, &err), want);
    assert_int_equal(master.bytes[0], 42);
    assert_non_null(strstr(err.message, path));
    if (strstr(err.message, hint) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, hint);
    assert_null(strstr(err.message, GOOD_HEX));
}

static void a_file_that_others_could_use_is_refused(void **state)
{
    (void)state;
    static const mode_t MODES[] = {0640, 0604, 0660, 0644, 0610, 0601, 0602, 0666, 0777};

    for (size_t i = 0; i < sizeof MODES / sizeof MODES[0]; i++)
        expect_file(put("open", GOOD_HEX, MODES[i]), LLMGR_ERR_VAULT, "chmod 600");
    if (geteuid() == 0) {
        const char *path = put("foreign", GOOD_HEX, 0600);
        assert_int_equal(chown(path, 12345, (gid_t)-1), 0);
        expect_file(path, LLMGR_ERR_VAULT, "chown");
    }
}

static void what_is_no_plain_file_is_refused_without_hanging(void **state)
{
    (void)state;

    expect_file(in_directory("absent"), LLMGR_ERR_NOT_FOUND, "llmgr init");
    expect_file(directory, LLMGR_ERR_VAULT, "regular file");
    expect_file("/dev/zero", LLMGR_ERR_VAULT, "regular file");
    assert_int_equal(symlink("circle", in_directory("circle")), 0);
    expect_file(in_directory("circle"), LLMGR_ERR_VAULT, "circle");
    assert_int_equal(mkfifo(in_directory("fifo"), 0600), 0);
    expect_file(in_directory("fifo"), LLMGR_ERR_VAULT, "regular file");
    char *large = malloc(100001);
    memset(large, 'a', 100000);
    large[100000] = '\0';
    expect_file(put("large", large, 0600), LLMGR_ERR_VAULT, "too large");
    free(large);
    expect_file(put("empty", "", 0600), LLMGR_ERR_VAULT, "empty");
}

/* As Kubernetes mounts a secret: key -> ..data/key, ..data -> ..2026_11/. */
static void a_link_is_followed_and_its_target_judged(void **state)
{
    (void)state;
    struct lv_master master;
    static const struct {
        mode_t mode;
        const char *refused;
    } CASES[] = {{0400, NULL}, {0600, NULL}, {0644, "chmod 600"}, {0666, "chmod 600"}};

    assert_int_equal(mkdir(in_directory("..2026"), 0755), 0);
    assert_int_equal(symlink("..2026", in_directory("..data")), 0);
    assert_int_equal(symlink("..data/key", in_directory("key")), 0);
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        (void)unlink(in_directory("..2026/key"));
        put("..2026/key", GOOD_HEX, CASES[i].mode);
        if (CASES[i].refused != NULL)
            expect_file(in_directory("key"), LLMGR_ERR_VAULT, CASES[i].refused);
        else
            assert_int_equal(lv_master_from_file(in_directory("key"), &master, NULL), LLMGR_OK);
    }
    (void)unlink(in_directory("..2026/key"));
    expect_file(in_directory("key"), LLMGR_ERR_NOT_FOUND, "llmgr init");
    assert_int_equal(mkfifo(in_directory("..2026/key"), 0600), 0);
    expect_file(in_directory("key"), LLMGR_ERR_VAULT, "regular file");
    (void)unlink(in_directory("..2026/key"));
    if (geteuid() == 0) {
        assert_int_equal(chown(put("..2026/key", GOOD_HEX, 0600), 12345, (gid_t)-1), 0);
        expect_file(in_directory("key"), LLMGR_ERR_VAULT, "chown");
        (void)unlink(in_directory("..2026/key"));
    }
    /* The folder of the target is looked at, and that of the name. */
    put("..2026/key", GOOD_HEX, 0600);
    assert_int_equal(chmod(in_directory("..2026"), 0777), 0);
    expect_file(in_directory("key"), LLMGR_ERR_VAULT, "chmod o-w");
    assert_int_equal(chmod(in_directory("..2026"), 01777), 0);
    assert_int_equal(lv_master_from_file(in_directory("key"), &master, NULL), LLMGR_OK);
    assert_int_equal(chmod(in_directory("..2026"), 0755), 0);
    assert_int_equal(chmod(directory, 0777), 0);
    expect_file(in_directory("key"), LLMGR_ERR_VAULT, "chmod o-w");
    assert_int_equal(lv_master_from_credential(directory, "key", &master, NULL), LLMGR_ERR_VAULT);
    assert_int_equal(chmod(directory, 0700), 0);
    assert_int_equal(unlink(in_directory("key")), 0);
    assert_int_equal(unlink(in_directory("..data")), 0);
    assert_int_equal(unlink(in_directory("..2026/key")), 0);
    assert_int_equal(rmdir(in_directory("..2026")), 0);
}

/* A key that root keeps for a group, as a secret of a pod or a file of a package. */
static void roots_file_may_be_readable_for_a_group(void **state)
{
    (void)state;
    int outcome = 0;
    struct lv_master master;

    if (geteuid() != 0)
        return;
    assert_int_equal(chmod(directory, 0755), 0);
    const char *path = put("roots", GOOD_HEX, 0440);
    assert_int_equal(chown(path, 0, 23456), 0);
    expect_file(path, LLMGR_ERR_VAULT, "chmod 600");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (setgroups(0, NULL) != 0 || setgid(23456) != 0 || setuid(12345) != 0)
            _exit(3);
        _exit(lv_master_from_file(path, &master, NULL) == LLMGR_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &outcome, 0), child);
    assert_int_equal(outcome, 0);
    /* But that group may not write it, nor others read it. */
    static const mode_t BAD[] = {0460, 0444, 0620, 0450};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        assert_int_equal(chmod(path, BAD[i]), 0);
        child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            if (setgroups(0, NULL) != 0 || setgid(23456) != 0 || setuid(12345) != 0)
                _exit(3);
            _exit(lv_master_from_file(path, &master, NULL) == LLMGR_ERR_VAULT ? 0 : 1);
        }
        assert_int_equal(waitpid(child, &outcome, 0), child);
        assert_int_equal(outcome, 0);
    }
    assert_int_equal(chmod(directory, 0700), 0);
}

static void a_credential_may_be_group_readable_but_not_more(void **state)
{
    (void)state;
    struct lv_master master;
    static const mode_t BAD[] = {0600, 0444, 0460, 0404, 0540};

    put("llmgr-master-key", GOOD_HEX, 0400);
    assert_int_equal(lv_master_from_credential(directory, "llmgr-master-key", &master, NULL),
                     LLMGR_OK);
    put("llmgr-master-key", GOOD_HEX, 0440);
    assert_int_equal(lv_master_from_credential(directory, "llmgr-master-key", &master, NULL),
                     LLMGR_OK);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        put("llmgr-master-key", GOOD_HEX, BAD[i]);
        assert_int_equal(lv_master_from_credential(directory, "llmgr-master-key", &master, NULL),
                         LLMGR_ERR_VAULT);
    }
    assert_int_equal(lv_master_from_credential(directory, "absent", &master, NULL),
                     LLMGR_ERR_NOT_FOUND);
    assert_int_equal(lv_master_from_credential(directory, "../x", &master, NULL),
                     LLMGR_ERR_INVALID);
    assert_int_equal(lv_master_from_credential(directory, "", &master, NULL), LLMGR_ERR_INVALID);
}

static void the_first_run_makes_a_private_file_and_the_second_reads_it(void **state)
{
    (void)state;
    struct lv_master first;
    struct lv_master second;
    struct stat about;
    bool created = false;
    char path[300];

    snprintf(path, sizeof path, "%s/a/b/master.key", directory);
    mode_t old = umask(0);
    assert_int_equal(lv_master_create_file(path, &first, &created, NULL), LLMGR_OK);
    umask(old);
    assert_true(created);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(about.st_nlink, 1);
    assert_int_equal(stat(in_directory("a/b"), &about), 0);
    assert_int_equal(about.st_mode & 07777, 0700);
    assert_int_equal(lv_master_create_file(path, &second, &created, NULL), LLMGR_OK);
    assert_false(created);
    assert_memory_equal(&first, &second, sizeof first);
}

static void an_existing_file_is_never_overwritten(void **state)
{
    (void)state;
    struct lv_master master;
    struct llmgr_error err = {0};
    bool created = true;
    char text[8] = {0};

    const char *path = put("broken", "rubbish", 0600);
    assert_int_equal(lv_master_create_file(path, &master, &created, &err), LLMGR_ERR_VAULT);
    lv_master_generate(&master);
    assert_int_equal(lv_master_store_file(path, &master, &err), LLMGR_ERR_CONFLICT);
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, text, sizeof text), 7);
    close(fd);
    assert_string_equal(text, "rubbish");
    /* A dangling link is something too. */
    assert_int_equal(symlink("nowhere", in_directory("dangling")), 0);
    assert_int_equal(lv_master_store_file(in_directory("dangling"), &master, &err),
                     LLMGR_ERR_CONFLICT);
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    struct lv_master master = {{42}};
    struct llmgr_error err = {0};

    put("plain", "x", 0600);
    assert_int_equal(lv_master_create_file(in_directory("plain/key"), &master, NULL, &err),
                     LLMGR_ERR_VAULT);
    assert_non_null(strstr(err.message, "plain/key"));
    assert_int_equal(master.bytes[0], 42);
    assert_int_equal(lv_master_create_file("", &master, NULL, &err), LLMGR_ERR_INVALID);
}

static void *create_one(void *master)
{
    char path[300];
    snprintf(path, sizeof path, "%s/race.key", directory);
    return (void *)(intptr_t)lv_master_create_file(path, master, NULL, NULL);
}

static void racing_creators_end_with_one_key(void **state)
{
    (void)state;
    pthread_t threads[8];
    struct lv_master masters[8];

    for (int round = 0; round < 20; round++) {
        unlink(in_directory("race.key"));
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, create_one, &masters[i]), 0);
        for (size_t i = 0; i < 8; i++) {
            void *status;
            pthread_join(threads[i], &status);
            assert_null(status);
            assert_memory_equal(&masters[i], &masters[0], sizeof masters[0]);
        }
    }
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL || sodium_init() < 0;
}

static int tear_down(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_and_base64_are_the_same_key),
        cmocka_unit_test(bad_and_default_keys_are_refused_without_being_shown),
        cmocka_unit_test(the_id_depends_on_the_key_alone),
        cmocka_unit_test(a_private_file_is_read),
        cmocka_unit_test(a_file_that_others_could_use_is_refused),
        cmocka_unit_test(what_is_no_plain_file_is_refused_without_hanging),
        cmocka_unit_test(a_link_is_followed_and_its_target_judged),
        cmocka_unit_test(roots_file_may_be_readable_for_a_group),
        cmocka_unit_test(a_credential_may_be_group_readable_but_not_more),
        cmocka_unit_test(the_first_run_makes_a_private_file_and_the_second_reads_it),
        cmocka_unit_test(an_existing_file_is_never_overwritten),
        cmocka_unit_test(a_place_that_cannot_be_written_is_named),
        cmocka_unit_test(racing_creators_end_with_one_key),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
