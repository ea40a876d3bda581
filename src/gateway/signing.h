/* SPDX-License-Identifier: MIT */
/*
 * Answers that name what the platform keeps for this one request: a stored response, its items, a
 * stored chat. With a key that is not the caller's, their ids leave signed for him (signed_id.h)
 * and come back from him alone (step_open.c). With his own key nothing changes, unless there is
 * another target or key to which he might come back with them (home.h).
 */
#ifndef LG_SIGNING_H
#define LG_SIGNING_H

#include "dialect/signer.h"
#include "gateway/request.h"

struct lg_signing;

/* For PREPARE, once the target is known: is the answer's kind one that has ids, and which? */
bool lg_signing_suits(const struct lg_request *request, enum ld_signed_family *family);

/* For the answer to the attempt under way. NULL: memory. */
struct lg_signing *lg_signing_new(const struct lg_request *request, enum ld_signed_family family,
                                  bool stream);
void lg_signing_free(struct lg_signing *signing); /* NULL is fine */

/* As ld_signer_feed. Not while it waits: what was handed out is written over. */
size_t lg_signing_feed(struct lg_signing *signing, struct lb_str in, struct ld_signer_out *out);
/* Have tails been handed out since lg_signing_left? They live until the next feed. */
bool lg_signing_waits(const struct lg_signing *signing);
void lg_signing_left(struct lg_signing *signing);

#endif
