/* SPDX-License-Identifier: MIT */
/*
 * What a platform says instead of an answer: what it means for the attempt, what the caller hears
 * of it, and what is remembered of it for others.
 */
#ifndef LG_REFUSAL_H
#define LG_REFUSAL_H

#include <stdbool.h>
#include <stddef.h>

#include "gateway/request.h"

/*
 * Overwrites the key that was sent in what a platform says of it; also while a stream goes on.
 * `request` is a struct lg_request.
 */
void lg_refusal_mask(void *request, char *text, size_t size);

/* RELAY: a whole answer came where events had begun: the error that is told in its place. */
void lg_refusal_astray(struct lg_request *request);
/* RELAY: all of it is here. Does another attempt follow? If not, in whose words is it told? */
enum lg_verdict lg_refusal_judge(struct lg_request *request);
/* What the caller is to hear of it, if nothing better comes: request->error, or the words are. */
void lg_refusal_words(struct lg_request *request);
/* FINISH: the platform's own words, in the endpoint's shape, are the answer; or request->error. */
void lg_refusal_tell(struct lg_request *request);

/* FINISH: has the answer shown that stream_options were what the platform refused before? */
bool lg_refusal_teaches(const struct lg_request *request);
/* Remembers that, off the loop: WAIT, or it could not begin. */
enum lg_verdict lg_refusal_learn(struct lg_request *request);

#endif
