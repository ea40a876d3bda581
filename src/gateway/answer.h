/* SPDX-License-Identifier: MIT */
/*
 * Answers of our own and the heads of relayed ones. Every head is written here, into the worker's
 * buffer, so every answer has its date, its x-request-id and the framing its client understands.
 */
#ifndef LG_ANSWER_H
#define LG_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"
#include "dialect/error_write.h"

struct lg_client;
struct lg_request;

/* Something came that is no request: says why, and closes politely. */
void lg_answer_refuse(struct lg_client *client, int status, const char *text);

/* May pages of other sites read the answers to their requests (CORS)? */
bool lg_answer_to_pages(const struct lg_request *request);

/* Begins a head in worker->out: status line and what every answer has. */
struct lb_buf *lg_answer_head(struct lg_request *request, int status);
/* Ends it with its framing; `length` < 0: chunked, or until the close for HTTP/1.0. */
void lg_answer_head_end(struct lg_request *request, int64_t length);

/* The head that was begun has not left, and will not: another may be written. */
void lg_answer_take_back(struct lg_request *request);

/*
 * What the head says of trying again: `wait_ms` is how long (-1: unsaid), unless a route knows
 * better.
 */
void lg_answer_retry(struct lg_request *request, enum ld_retry retry, int64_t wait_ms);

/* A whole answer: head begun by lg_answer_head, `body` and its type. */
void lg_answer_whole(struct lg_request *request, struct lb_str type, struct lb_str body);
/* request->error in the endpoint's dialect. */
void lg_answer_error(struct lg_request *request);
/*
 * After the head was sent. On a stream that stands between two events, request->error is told by
 * the endpoint's error event, and if it comes in chunks it has its end: who reads that may ask on
 * the same connection. All else is closed without the answer's proper end.
 */
void lg_answer_cut(struct lg_request *request, bool event);

#endif
