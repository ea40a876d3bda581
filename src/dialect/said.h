/* SPDX-License-Identifier: MIT */
/*
 * What a platform says instead of an answer, as JSON, in whatever wrapping: whole or cut off where
 * nobody looks further, as the first event of a stream (LiteLLM), behind a byte order mark. And
 * what of it matters: whether the API key is meant.
 */
#ifndef LD_SAID_H
#define LD_SAID_H

#include <jansson.h>
#include <stdbool.h>

#include "base/buf.h"

/* Where JSON begins in it; p NULL: there is none. */
struct lb_str ld_said_text(struct lb_str body);
/* A tree for json_decref; NULL: there is no JSON in it. */
json_t *ld_said_json(const struct lb_host *host, struct lb_str body);

/* Where code, type and param stand: the member `error`, the first of a list, or the root itself. */
const json_t *ld_said_error(const json_t *root);

/* Is this code, as a word or as a number, one of success? An empty one is no failure's either. */
bool ld_said_fine_word(struct lb_str code);
bool ld_said_fine_number(double code);

/*
 * Is this refusal with status 403 about the API key? Platforms say 403 of much else: what
 * moderation or a region forbids, which clients they serve, what an account may use. Only words
 * about the key count.
 */
bool ld_said_of_key(const struct lb_host *host, struct lb_str body);

#endif
