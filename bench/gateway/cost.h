/* SPDX-License-Identifier: MIT */
/* What processes have used so far, as Linux counts it: nanoseconds on a CPU, bytes of own memory.
 */
#ifndef BENCH_COST_H
#define BENCH_COST_H

#include <stddef.h>
#include <stdint.h>

/* All threads of these processes, from schedstat; threads that ended are missing. */
uint64_t cost_cpu_ns(const int *pids, size_t count);
/* Anonymous resident memory: heap and stacks, not the program's file pages. */
uint64_t cost_memory(const int *pids, size_t count);

#endif
