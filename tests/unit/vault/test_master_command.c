/* SPDX-License-Identifier: MIT */
#include "vault/master.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"
#include "base/host.h"

#define GOOD_HEX "8f2a1c77d0e94b5566aa10fe3d9c2b7145e0b8a3f61d0c92e7743b58ac19d6f0"

static llmgr_status run_shell(const char *script, struct lv_master *master, struct llmgr_error *err)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    return lv_master_from_command(argv, master, err);
}

static void expect(const char *script, llmgr_status want, const char *hint)
{
    struct lv_master master = {{42}};
    struct llmgr_error err = {0};

    assert_int_equal(run_shell(script, &master, &err), want);
    assert_int_equal(master.bytes[0], 42);
    if (strstr(err.message, hint) == NULL)
        fail_msg("'%s' does not say '%s'", err.message, hint);
    assert_null(strstr(err.message, GOOD_HEX)); /* arguments are not shown */
}

static void the_output_is_the_key(void **state)
{
    (void)state;
    struct lv_master master;
    const char *const plain[] = {"echo", GOOD_HEX, NULL};

    assert_int_equal(lv_master_from_command(plain, &master, NULL), LLMGR_OK);
    assert_int_equal(master.bytes[0], 0x8f);
    assert_int_equal(run_shell("printf " GOOD_HEX, &master, NULL), LLMGR_OK);
}

static void arguments_reach_the_program_without_a_shell(void **state)
{
    (void)state;
    struct lv_master master;
    struct llmgr_error err = {0};
    const char *const argv[] = {"echo", "$(echo " GOOD_HEX ")", NULL};

    assert_int_equal(lv_master_from_command(argv, &master, &err), LLMGR_ERR_VAULT);
}

static void its_input_is_empty_and_its_signals_are_default(void **state)
{
    (void)state;
    struct lv_master master;

    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(run_shell("cat; printf " GOOD_HEX, &master, NULL), LLMGR_OK);
    expect("kill -PIPE $$; printf " GOOD_HEX, LLMGR_ERR_VAULT, "signal 13");
}

static void a_failing_program_is_refused_even_if_it_printed_a_key(void **state)
{
    (void)state;
    const char *const absent[] = {"/nonexistent/llmgr-key", NULL};
    const char *const none[] = {NULL};
    struct lv_master master = {{42}};
    struct llmgr_error err = {0};

    expect("printf " GOOD_HEX "; exit 3", LLMGR_ERR_VAULT, "exit code 3");
    expect("kill -9 $$", LLMGR_ERR_VAULT, "signal 9");
    expect("true", LLMGR_ERR_VAULT, "empty");
    expect("echo changeme", LLMGR_ERR_VAULT, "wrong size");
    assert_int_equal(lv_master_from_command(absent, &master, &err), LLMGR_ERR_VAULT);
    assert_non_null(strstr(err.message, "/nonexistent/llmgr-key"));
    assert_int_equal(lv_master_from_command(none, &master, &err), LLMGR_ERR_INVALID);
}

/* At its size, not at the ten seconds, whose words are others. */
static void endless_output_is_cut_at_once(void **state)
{
    (void)state;
    expect("yes " GOOD_HEX, LLMGR_ERR_VAULT, "4096 bytes");
}

/* Gone, or a zombie that nobody reaped yet. */
static bool is_dead(long pid)
{
    char path[64];
    char line[256] = "";

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return true;
    bool gone = fgets(line, sizeof line, file) == NULL;
    fclose(file);
    return gone || strstr(line, ") Z ") != NULL || strstr(line, ") X ") != NULL;
}

/* A signal takes effect when its process next runs: on a busy machine that is not at once. */
static bool dies_within(long pid, int seconds)
{
    int64_t end = lb_monotonic_ms() + seconds * INT64_C(1000);

    while (!is_dead(pid)) {
        if (lb_monotonic_ms() > end)
            return false;
        usleep(1000);
    }
    return true;
}

/* Takes the whole ten seconds, once; the grandchild would live for three hundred. */
static void an_overrun_kills_the_whole_group(void **state)
{
    (void)state;
    char marker[] = "/tmp/llmgr-pid-XXXXXX";
    char script[200];
    long pid = 0;

    close(mkstemp(marker));
    snprintf(script, sizeof script, "sleep 300 & echo $! > %s; exec >&-; wait", marker);
    int64_t start = lb_monotonic_ms();
    expect(script, LLMGR_ERR_VAULT, "10 seconds");
    int64_t took = lb_monotonic_ms() - start;
    assert_in_range(took, 9900, 200000);
    FILE *file = fopen(marker, "r");
    assert_int_equal(fscanf(file, "%ld", &pid), 1);
    fclose(file);
    unlink(marker);
    assert_true(dies_within(pid, 60));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_output_is_the_key),
        cmocka_unit_test(arguments_reach_the_program_without_a_shell),
        cmocka_unit_test(its_input_is_empty_and_its_signals_are_default),
        cmocka_unit_test(a_failing_program_is_refused_even_if_it_printed_a_key),
        cmocka_unit_test(endless_output_is_cut_at_once),
        cmocka_unit_test(an_overrun_kills_the_whole_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
