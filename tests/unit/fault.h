/* SPDX-License-Identifier: MIT */
/*
 * The system's failures, one at a time. A program whose row in `wrapped` (tests/unit/meson.build)
 * names functions is linked with --wrap for each: the sources' calls come to __wrap_NAME here, and
 * the one that is to fail does; all others are the system's.
 */
#ifndef TESTS_FAULT_H
#define TESTS_FAULT_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static struct {
    const char *name; /* whose call fails; NULL: nobody's */
    long left;        /* calls that still succeed before it */
    int error;        /* its errno, or what it returns */
    bool struck;
} fault;

/* The nth call (0: the next) of `name` from now on fails, once. */
static void fault_arm(const char *name, long nth, int error)
{
    fault.name = name;
    fault.left = nth;
    fault.error = error;
    fault.struck = false;
}

/* True if the fault was met since it was armed; nothing fails any more. */
static bool fault_disarm(void)
{
    fault.name = NULL;
    return fault.struck;
}

static bool fault_strikes(const char *name)
{
    if (fault.name == NULL || strcmp(fault.name, name) != 0 || fault.left-- != 0)
        return false;
    fault.struck = true;
    errno = fault.error;
    return true;
}

/* `symbol` is what the compiler calls; `name` is what the test says. */
#define FAULT_SYMBOL(name, type, symbol, failed, parameters, arguments)                            \
    type __real_##symbol parameters;                                                               \
    type __wrap_##symbol parameters;                                                               \
    type __wrap_##symbol parameters                                                                \
    {                                                                                              \
        return fault_strikes(name) ? (failed) : __real_##symbol arguments;                         \
    }
#define FAULT(type, name, failed, parameters, arguments)                                           \
    FAULT_SYMBOL(#name, type, name, failed, parameters, arguments)

#endif
