/* SPDX-License-Identifier: MIT */
/*
 * The build has the compiler zero each local variable before its use. That is a net under our
 * mistakes and costs next to nothing, but for arrays of kilobytes of which a request uses some
 * bytes: those are declared LB_RAW, where what is used of them is plainly written before.
 */
#ifndef LB_RAW_H
#define LB_RAW_H

#if defined(__has_attribute)
#if __has_attribute(uninitialized)
#define LB_RAW __attribute__((uninitialized))
#endif
#endif
#ifndef LB_RAW
#define LB_RAW
#endif

#endif
