/* SPDX-License-Identifier: MIT */
/*
 * Chat completions (OpenAI's dialect) for the library's own calls: build a request body, read a
 * whole answer, read and sum up a stream. Bytes in, structs out: no sockets, no clock.
 *
 *   llmgr_request --ld_chat_build--> body
 *   body of the answer --ld_chat_read--> llmgr_answer
 *   SSE data --ld_chat_stream_event--> llmgr_chunk (per event), and at the end
 *            --ld_chat_stream_finish, ld_chat_stream_answer--> verdict, llmgr_answer
 *
 * Reading is tolerant of what real platforms do: members missing or null, content as a string or
 * as parts, `reasoning_content` or `reasoning`, tool-call deltas without an index.
 */
#ifndef LD_CHAT_H
#define LD_CHAT_H

#include "base/arena.h"
#include "base/buf.h"
#include "http/sse.h"
#include "llmgr.h"

enum {
    LD_ANSWER_MAX = 64 * 1024 * 1024,  /* bytes of a whole answer, or of all chunks' text */
    LD_REQUEST_MAX = 64 * 1024 * 1024, /* bytes of a request built here */
    LD_TOOL_CALLS_MAX = 256,           /* tool calls of one answer */
};

struct ld_chat_options {
    struct lb_str model_name;
    struct lb_str extra_body; /* the model's JSON object; its members win. Empty: none */
    bool stream;
    bool include_usage; /* stream_options.include_usage; only with `stream` */
};

/*
 * Appends the body. In rising precedence: the request's own members, its extra_json, the model's
 * extra_body; but model, stream and the messages are never replaced, and with include_usage
 * neither is stream_options.include_usage. ERR_INVALID names a part that is no JSON of its kind.
 */
LLMGR_MUST_CHECK llmgr_status ld_chat_build(const struct llmgr_request *request,
                                            const struct ld_chat_options *options,
                                            struct lb_buf *out, struct llmgr_error *err);

/*
 * Reads a whole answer; end it with ld_answer_clear. ERR_PROTOCOL: no JSON, or no choices.
 * ERR_UPSTREAM: a 200 that holds an error object.
 */
LLMGR_MUST_CHECK llmgr_status ld_chat_read(const struct lb_host *host, struct lb_str body,
                                           struct llmgr_answer *answer, struct llmgr_error *err);
/* Frees what an answer of this module holds and empties it. An empty answer is fine. */
void ld_answer_clear(struct llmgr_answer *answer);

/* ---- Streams --------------------------------------------------------------------------------- */

struct ld_chat_stream;

/* What an event of the stream was. */
enum ld_event {
    LD_EVENT_NONE,  /* a comment, a keep-alive, something to skip */
    LD_EVENT_CHUNK, /* *chunk is filled */
    LD_EVENT_DONE   /* [DONE] */
};

LLMGR_MUST_CHECK llmgr_status ld_chat_stream_new(const struct lb_host *host,
                                                 struct ld_chat_stream **stream,
                                                 struct llmgr_error *err);
void ld_chat_stream_free(struct ld_chat_stream *stream);

/*
 * Reads one event. The chunk's pointers live until the next call. Errors end the stream:
 * ERR_UPSTREAM for an error event, ERR_RATE_LIMITED if it says so, ERR_PROTOCOL for what is no
 * JSON or too much.
 */
LLMGR_MUST_CHECK llmgr_status ld_chat_stream_event(struct ld_chat_stream *stream,
                                                   const struct lh_sse_event *event,
                                                   struct llmgr_chunk *chunk, enum ld_event *kind,
                                                   struct llmgr_error *err);
/* The connection's orderly end: fine after [DONE] or a finish_reason, else ERR_CUT. */
LLMGR_MUST_CHECK llmgr_status ld_chat_stream_finish(const struct ld_chat_stream *stream,
                                                    struct llmgr_error *err);
/* The sum of all chunks so far; end it with ld_answer_clear. The stream stays usable. */
LLMGR_MUST_CHECK llmgr_status ld_chat_stream_answer(const struct ld_chat_stream *stream,
                                                    struct llmgr_answer *answer,
                                                    struct llmgr_error *err);

#endif
