/* SPDX-License-Identifier: MIT */
/* What a thread wishes of the scheduler, as the kernel tells it again. */
#include "../unit.h"

#include <pthread.h>
#include <sched.h>
#include <sys/utsname.h>
#include <time.h>

#include "base/thread.h"

static unsigned sleeps;

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)left;
    assert_true(time->tv_sec == 0 && time->tv_nsec == 1);
    sleeps++;
    return 0;
}

#ifdef __linux__
#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { STEP = 5, TURN_NS = 100000, POLICY_UNKNOWN = -1 /* a sandbox forbids to look */ };

struct seen {
    int nice, policy;
    uint64_t turn_ns;
};

/* sched_setattr(2), its first version. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

/* Of the calling thread. */
static struct seen look(void)
{
    struct attributes now = {0};
    if (syscall(SYS_sched_getattr, 0, &now, sizeof(now), 0) != 0)
        return (struct seen){.policy = POLICY_UNKNOWN};
    return (struct seen){.nice = now.nice, .policy = (int)now.policy, .turn_ns = now.runtime_ns};
}

/* Under an ordinary policy, and no sandbox forbids to ask for what is there already. */
static bool wishes_are_heard(void)
{
    struct seen now = look();
    struct attributes same = {.size = sizeof(same), .nice = now.nice, .runtime_ns = now.turn_ns};
    return now.policy == SCHED_OTHER && syscall(SYS_sched_setattr, 0, &same, 0) == 0;
}

static void *in_background(void *out)
{
    lb_thread_background();
    *(struct seen *)out = look();
    return NULL;
}

static void *far_in_background(void *out)
{
    for (int i = 0; i < 9; i++)
        lb_thread_background();
    *(struct seen *)out = look();
    return NULL;
}

static void *promptly(void *out)
{
    lb_thread_prompt();
    *(struct seen *)out = look();
    return NULL;
}

/* A policy that the host chose: nothing of it is ours. */
static void *under_batch(void *out)
{
    const struct sched_param none = {.sched_priority = 0};
    if (sched_setscheduler(0, SCHED_BATCH, &none) != 0)
        return NULL;
    lb_thread_background();
    lb_thread_prompt();
    *(struct seen *)out = look();
    return NULL;
}

static struct seen run(void *(*body)(void *))
{
    struct seen seen = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, body, &seen), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    return seen;
}

/* 6.12 was the first whose threads may choose the length of their turns. */
static bool turns_can_be_chosen(void)
{
    struct utsname name;
    char *rest = NULL;
    assert_int_equal(uname(&name), 0);
    long major = strtol(name.release, &rest, 10);
    long minor = *rest == '.' ? strtol(rest + 1, NULL, 10) : 0;
    return major > 6 || (major == 6 && minor >= 12);
}

static int further(int nice, int steps)
{
    return nice + steps * STEP < 19 ? nice + steps * STEP : 19;
}

/* Where wishes are not heard, nothing changes. */
static void a_background_thread_gives_way_alone(void **state)
{
    (void)state;
    struct seen before = look();
    bool heard = wishes_are_heard();
    assert_int_equal(run(in_background).nice, further(before.nice, heard ? 1 : 0));
    assert_int_equal(run(far_in_background).nice, further(before.nice, heard ? 9 : 0));
    assert_int_equal(look().nice, before.nice);
}

static void a_prompt_thread_takes_short_turns(void **state)
{
    (void)state;
    struct seen before = look();
    struct seen seen = run(promptly);
    if (wishes_are_heard() && turns_can_be_chosen())
        assert_int_equal(seen.turn_ns, TURN_NS);
    assert_int_equal(seen.nice, before.nice);
    assert_true(look().turn_ns == before.turn_ns);
}

static void a_hosts_own_policy_is_left_alone(void **state)
{
    (void)state;
    struct seen before = look();
    struct seen seen = run(under_batch);
    assert_int_equal(seen.policy, SCHED_BATCH);
    assert_int_equal(seen.nice, before.nice);
    assert_true(seen.turn_ns == before.turn_ns || seen.turn_ns != TURN_NS);
}

static void a_rest_comes_after_each_so_many(void **state)
{
    (void)state;
    for (size_t done = 0; done < 32; done++)
        lb_thread_rest(done, 32);
    assert_int_equal(sleeps, 0);
    for (size_t done = 32; done < 97; done++)
        lb_thread_rest(done, 32);
    assert_int_equal(sleeps, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_background_thread_gives_way_alone),
        cmocka_unit_test(a_prompt_thread_takes_short_turns),
        cmocka_unit_test(a_hosts_own_policy_is_left_alone),
        cmocka_unit_test(a_rest_comes_after_each_so_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void wishes_are_harmless(void **state)
{
    (void)state;
    lb_thread_background();
    lb_thread_prompt();
    lb_thread_rest(32, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(wishes_are_harmless)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
