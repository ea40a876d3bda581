/* SPDX-License-Identifier: MIT */
/* What resolve yields, as walks and cells know it. */
#ifndef LO_TARGET_H
#define LO_TARGET_H

#include "resolve/resolve.h"
#include "routing/health.h"

/* `user`: lo_hash of who asks. */
struct lo_candidate lo_candidate_of(const struct lr_target *target, uint64_t user);

#endif
