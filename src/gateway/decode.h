/* SPDX-License-Identifier: MIT */
/*
 * Requests that come compressed (Codex does it with zstd). What has to be read here, JSON and
 * forms, is decoded when all of it has come, on the thread pool, within `body_max` of what comes
 * out, and goes on plain; other bodies of native paths keep their coding and pass as they are.
 *
 *   MATCH  lg_decode_judge: is the coding one that is taken? Else 415, which names those that are
 *   READ   lg_decode_body, twice for a large one: how large is it; then, with memory for it, again
 */
#ifndef LG_DECODE_H
#define LG_DECODE_H

#include "gateway/request.h"

/* Has it a coding at all? */
bool lg_decode_is_coded(const struct lg_request *request);
/* NEXT, or FAIL. */
enum lg_verdict lg_decode_judge(struct lg_request *request);
/* 415: this body is to come as it is. */
enum lg_verdict lg_decode_refuse(struct lg_request *request);

/*
 * NEXT: request->body is plain. WAIT: READ is run again; when work is done, lg_decode_is_working
 * told before lg_work_finish that it was ours.
 */
enum lg_verdict lg_decode_body(struct lg_request *request);
bool lg_decode_is_working(const struct lg_request *request);

#endif
