/* SPDX-License-Identifier: MIT */
/* The two wishes are told to Linux by sched_setattr(2); a rest is the least sleep it has. */
#include "base/thread.h"

#include <stdint.h>

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#endif

enum {
    BACKGROUND_NICE = 5, /* of what its host gave it; each step is a fifth less */
    NICE_MAX = 19,
    PROMPT_TURN_NS = 100000, /* the least that the kernel takes */
};

#ifdef __linux__

/* sched_setattr(2), its first version; glibc has a name for it since 2.41 only. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns; /* for SCHED_OTHER: the length of a turn, 0 for the kernel's own */
    uint64_t deadline_ns;
    uint64_t period_ns;
};

static void wish(int nicer, uint64_t turn_ns)
{
    struct attributes now = {0};

    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != SCHED_OTHER)
        return;
    const struct attributes wanted = {
        .size = sizeof wanted,
        .policy = SCHED_OTHER,
        .nice = now.nice + nicer < NICE_MAX ? now.nice + nicer : NICE_MAX,
        .runtime_ns = turn_ns,
    };
    (void)syscall(SYS_sched_setattr, 0, &wanted, 0);
}

void lb_thread_rest(size_t done, size_t every)
{
    const struct timespec moment = {.tv_nsec = 1};

    if (done != 0 && done % every == 0)
        (void)nanosleep(&moment, NULL);
}

#else

static void wish(int nicer, uint64_t turn_ns)
{
    (void)nicer;
    (void)turn_ns;
}

void lb_thread_rest(size_t done, size_t every)
{
    (void)done;
    (void)every;
}

#endif

void lb_thread_background(void)
{
    wish(BACKGROUND_NICE, 0);
}

void lb_thread_prompt(void)
{
    wish(0, PROMPT_TURN_NS);
}
