/* SPDX-License-Identifier: MIT */
/* How a count that nobody told us stands in the database, in rows and in sums: null, never 0. */
#ifndef LL_KNOWN_H
#define LL_KNOWN_H

#include "ledger/ledger.h"
#include "store/store.h"

static inline struct ls_value ll_known(int64_t count)
{
    return count != LL_UNKNOWN ? ls_int(count) : ls_null();
}

#endif
