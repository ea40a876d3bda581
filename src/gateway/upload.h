/* SPDX-License-Identifier: MIT */
/*
 * A body that is passed on while it comes, without being held: that of a native path whose model
 * X-LLMGR-Model names. How large it may be is a limit of its own (upload_max).
 *
 *   client --> decoder --> [form: its model replaced] --> exchange
 *      ^                                                     |
 *      +---- not read while more than the exchange likes ----+
 *
 * JSON is not passed on so: a model in it must be the one that was resolved, so it is read whole.
 * A platform that answers before the body is complete is heard: a refusal ends the body at once, an
 * answer goes out while the body goes on; the client's connection closes behind either.
 */
#ifndef LG_UPLOAD_H
#define LG_UPLOAD_H

#include "gateway/request.h"

struct lu_request;

/* The route and the head are known: is its body one of those? */
bool lg_upload_suits(const struct lg_request *request);
/* READ: enough of the body to tell that it is no JSON in disguise; WAIT for more. */
enum lg_verdict lg_upload_look(struct lg_request *request);
/*
 * OWN: nothing has gone yet, and all of it must be seen before anything goes. As READ: WAIT for
 * more, and its limit (body_max) holds. What the body says of a model has no say any more.
 */
enum lg_verdict lg_upload_whole(struct lg_request *request);
/* PREPARE: where the model is known. */
LLMGR_MUST_CHECK llmgr_status lg_upload_open(struct lg_request *request, struct llmgr_error *err);
/* SEND: how the body is framed for the platform. */
void lg_upload_frame(const struct lg_request *request, struct lu_request *sent);
/* The exchange takes (more of) it. */
void lg_upload_room(struct lg_request *request);
/* RELAY: passes on what has come. A failure stands in request->error then. */
void lg_upload_feed(struct lg_request *request);
/* FINISH: gives back what it holds. */
void lg_upload_free(struct lg_request *request);

/* The client may wait for a word before it sends its body: gives it, once. */
void lg_send_continue(struct lg_request *request);

#endif
