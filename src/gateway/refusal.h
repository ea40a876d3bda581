/* SPDX-License-Identifier: MIT */
/* What a platform says instead of an answer, before the caller hears it. */
#ifndef LG_REFUSAL_H
#define LG_REFUSAL_H

#include <stddef.h>

/*
 * Overwrites the key that was sent in what a platform says of it; also while a stream goes on.
 * `request` is a struct lg_request.
 */
void lg_refusal_mask(void *request, char *text, size_t size);

#endif
