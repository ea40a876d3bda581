/* SPDX-License-Identifier: MIT */
/*
 * How the calling thread shares a processor. The first two are wishes to the system's scheduler:
 * one that does not know them, or forbids them, changes nothing, and nothing else depends on them.
 * A thread that its host runs under a policy of its own (real time, batch, idle) is left alone.
 * Threads that are started later by such a thread share its wish.
 */
#ifndef LB_THREAD_H
#define LB_THREAD_H

#include <stddef.h>

/*
 * It works for nobody who waits: where a processor is scarce, others go first. The wish is mild,
 * a third of an equal's share, so that the work gets done on a machine without any rest too.
 */
void lb_thread_background(void);

/*
 * It answers others: it would rather run often and shortly than long, and so need not wait for
 * the end of another thread's longer turn (Linux since 6.12).
 */
void lb_thread_prompt(void);

/*
 * In the middle of a background thread's long work, with the count of pieces done so far: after
 * each `every` of them, some 100 to 200 us of work, whoever waits for the processor has it for a
 * moment (Linux: 50 us; elsewhere there is no rest, for the least sleep may be long). The wish
 * alone is not enough: a thread that slept long is owed a long turn.
 */
void lb_thread_rest(size_t done, size_t every);

/*
 * Long work that may be interrupted calls it between two of its `of` pieces, when `done` of them
 * are: whether the thread rests there is its owner's business, who says so with lb_thread_rest.
 * Where one is taken it may be NULL: the work goes on without a rest.
 */
typedef void (*lb_rest_fn)(size_t done, size_t of);

#endif
