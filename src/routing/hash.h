/* SPDX-License-Identifier: MIT */
/* Users and conversations as cells and choices know them. */
#ifndef LO_HASH_H
#define LO_HASH_H

#include <stdint.h>

#include "base/str.h"

/* The same on every node; never 0. No secret: nobody gains by two that are taken for one. */
uint64_t lo_hash(struct lb_str text);

#endif
