/* SPDX-License-Identifier: MIT */
/*
 * The master key from a program of the operator's choice (a password manager, a cloud's secret
 * store). The program is started without a shell, in a process group of its own, so that all it
 * started can be killed with it; it gets ten seconds and four kilobytes.
 */
#include "vault/master.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/host.h"

enum { WAIT_STEP_MS = 5 };

extern char **environ;

struct run {
    const char *name; /* argv[0], all that errors show: arguments may be secret */
    pid_t pid;
    int out; /* our end of the program's stdout */
    int64_t deadline_ms;
    size_t size;
    char text[LV_MASTER_COMMAND_OUTPUT_MAX + 1];
};

/* Default signals, nothing blocked, a process group of its own: not what the host happens to have.
 */
static int set_attributes(posix_spawnattr_t *attributes)
{
    sigset_t none;
    sigset_t all;

    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    int error = posix_spawnattr_setflags(
        attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (error == 0)
        error = posix_spawnattr_setpgroup(attributes, 0);
    if (error == 0)
        error = posix_spawnattr_setsigmask(attributes, &none);
    return error != 0 ? error : posix_spawnattr_setsigdefault(attributes, &all);
}

static int start(struct run *run, const char *const *argv)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    char *const *args;
    int ends[2];

    memcpy(&args, &argv, sizeof args); /* exec's prototype lacks a const that its text promises */
    if (pipe2(ends, O_CLOEXEC) != 0)
        return errno;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        goto out_pipe;
    error = posix_spawnattr_init(&attributes);
    if (error != 0)
        goto out_actions;
    error = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    if (error == 0)
        error = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (error == 0)
        error = set_attributes(&attributes);
    if (error == 0)
        error = posix_spawnp(&run->pid, argv[0], &actions, &attributes, args, environ);
    posix_spawnattr_destroy(&attributes);
out_actions:
    posix_spawn_file_actions_destroy(&actions);
out_pipe:
    close(ends[1]);
    if (error != 0)
        close(ends[0]);
    else
        run->out = ends[0];
    return error;
}

static llmgr_status fail_time(const struct run *run, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_VAULT,
                   N_("the master key command '%s' took longer than %d seconds and was killed"),
                   run->name, LV_MASTER_COMMAND_MS / 1000);
}

/* Until the program closes its output, or one of the bounds is passed. */
static llmgr_status read_output(struct run *run, struct llmgr_error *err)
{
    for (;;) {
        int64_t left_ms = run->deadline_ms - lb_monotonic_ms();
        struct pollfd wait = {.fd = run->out, .events = POLLIN};
        int ready = left_ms > 0 ? poll(&wait, 1, (int)left_ms) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return fail_time(run, err);
        ssize_t got =
            ready < 0 ? -1 : read(run->out, run->text + run->size, sizeof run->text - run->size);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lb_fail(err, LLMGR_ERR_VAULT,
                           N_("cannot read from the master key command '%s': %s"), run->name,
                           strerror(errno));
        if (got == 0)
            return LLMGR_OK;
        run->size += (size_t)got;
        if (run->size > LV_MASTER_COMMAND_OUTPUT_MAX)
            return lb_fail(err, LLMGR_ERR_VAULT,
                           N_("the master key command '%s' printed more than %d bytes and was "
                              "killed; it must print the key alone"),
                           run->name, LV_MASTER_COMMAND_OUTPUT_MAX);
    }
}

/* A program may close its output and go on: the deadline holds for its end too. */
static llmgr_status await_end(struct run *run, struct llmgr_error *err)
{
    const struct timespec step = {.tv_nsec = WAIT_STEP_MS * 1000000L};
    int ended = 0;

    for (;;) {
        pid_t pid = waitpid(run->pid, &ended, WNOHANG);
        if (pid == run->pid)
            break;
        if (pid < 0 && errno != EINTR) {
            run->pid = 0;
            return lb_fail(err, LLMGR_ERR_VAULT,
                           N_("cannot learn how the master key command '%s' ended (%s); does the "
                              "program that runs llmgr ignore SIGCHLD?"),
                           run->name, strerror(errno));
        }
        if (lb_monotonic_ms() >= run->deadline_ms)
            return fail_time(run, err);
        nanosleep(&step, NULL);
    }
    run->pid = 0;
    if (WIFEXITED(ended) && WEXITSTATUS(ended) == 0)
        return LLMGR_OK;
    if (WIFEXITED(ended))
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the master key command '%s' failed with exit code %d; its own message "
                          "stands above"),
                       run->name, WEXITSTATUS(ended));
    return lb_fail(err, LLMGR_ERR_VAULT, N_("the master key command '%s' was ended by signal %d"),
                   run->name, WTERMSIG(ended));
}

/* Kills what still runs; a reaped program's group id may belong to somebody else by now. */
static void stop(struct run *run)
{
    if (run->pid <= 0)
        return;
    kill(-run->pid, SIGKILL);
    while (waitpid(run->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    run->pid = 0;
}

llmgr_status lv_master_from_command(const char *const *argv, struct lv_master *master,
                                    struct llmgr_error *err)
{
    struct run run;

    if (argv[0] == NULL || argv[0][0] == '\0')
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("master_key_command is empty; name a program and its arguments"));
    run.name = argv[0];
    run.size = 0;
    run.deadline_ms = lb_monotonic_ms() + LV_MASTER_COMMAND_MS;
    int error = start(&run, argv);
    if (error != 0)
        return lb_fail(err, LLMGR_ERR_VAULT, N_("cannot start the master key command '%s': %s"),
                       argv[0], strerror(error));
    llmgr_status status = read_output(&run, err);
    if (status == LLMGR_OK)
        status = await_end(&run, err);
    if (status == LLMGR_OK)
        status = lv_master_from_text(lb_str(run.text, run.size), argv[0], master, err);
    stop(&run);
    close(run.out);
    sodium_memzero(run.text, run.size);
    return status;
}
