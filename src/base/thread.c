/* SPDX-License-Identifier: MIT */
/* The two wishes are told to Linux by sched_setattr(2); a rest is the least sleep it has. */
#include "base/thread.h"

#ifdef __linux__
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    BACKGROUND_NICE = 5, /* of what its host gave it; each step is a fifth less */
    NICE_MAX = 19,
    PROMPT_TURN_NS = 100000, /* the least that the kernel takes */
};

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

static bool get_ordinary(struct attributes *now)
{
    return syscall(SYS_sched_getattr, 0, now, sizeof *now, 0) == 0 && now->policy == SCHED_OTHER;
}

static void set(struct attributes *wish)
{
    wish->size = sizeof *wish;
    wish->flags = 0;
    (void)syscall(SYS_sched_setattr, 0, wish, 0);
}

void lb_thread_background(void)
{
    struct attributes wish = {0};

    if (!get_ordinary(&wish))
        return;
    wish.runtime_ns = 0;
    wish.nice = wish.nice + BACKGROUND_NICE < NICE_MAX ? wish.nice + BACKGROUND_NICE : NICE_MAX;
    set(&wish);
}

void lb_thread_prompt(void)
{
    struct attributes wish = {0};

    if (!get_ordinary(&wish))
        return;
    wish.runtime_ns = PROMPT_TURN_NS;
    set(&wish);
}

void lb_thread_rest(size_t done, size_t every)
{
    const struct timespec moment = {.tv_nsec = 1};

    if (done != 0 && done % every == 0)
        (void)nanosleep(&moment, NULL);
}

#else

void lb_thread_background(void) {}

void lb_thread_prompt(void) {}

#endif
