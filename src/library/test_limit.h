/* SPDX-License-Identifier: MIT */
/*
 * How often a user may have keys tested, and how many tests are under way at once: each keeps a
 * thread busy and asks a platform for nobody's sake. Of a process; any thread; the clock is passed
 * in.
 */
#ifndef LA_TEST_LIMIT_H
#define LA_TEST_LIMIT_H

#include <stdint.h>

#include "base/host.h"

enum {
    LA_TESTS_A_MINUTE = 10, /* of a user */
    LA_TESTS_AT_ONCE = 2,   /* of all */
    LA_TEST_BUSY_MS = 5000, /* when to come again, if others are in the way */
};

struct la_test_limit;

struct la_test_limit *la_test_limit_new(const struct lb_host *host);              /* NULL: memory */
void la_test_limit_free(const struct lb_host *host, struct la_test_limit *limit); /* NULL: fine */

/*
 * 0: the test may begin, and la_test_leave is due; else how many ms to wait. A user has one at a
 * time. `user`: a hash.
 */
int64_t la_test_enter(struct la_test_limit *limit, uint64_t user, int64_t now_ms);
void la_test_leave(struct la_test_limit *limit, uint64_t user);

#endif
