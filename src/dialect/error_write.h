/* SPDX-License-Identifier: MIT */
/*
 * Errors as the caller of an endpoint expects them: bodies, mid-stream events, and what the
 * answer's head should say about trying again. One table (shape.c) for our own failures, one for
 * HTTP statuses that come from a platform.
 */
#ifndef LD_ERROR_WRITE_H
#define LD_ERROR_WRITE_H

#include "base/buf.h"
#include "dialect/endpoint.h"

/* What the head says about trying again: the header x-should-retry. */
enum ld_retry {
    LD_RETRY_UNSAID, /* no header: the SDK's own rule for the status holds */
    LD_RETRY_NO,     /* x-should-retry: false */
    LD_RETRY_YES     /* x-should-retry: true */
};

struct ld_problem {
    int http_status;
    enum ld_retry retry;
    bool retry_after;    /* a Retry-After belongs into the head */
    struct lb_str type;  /* empty: by http_status and shape */
    struct lb_str code;  /* OpenAI's; empty: null */
    struct lb_str param; /* empty: null */
    struct lb_str message;
    struct lb_str request_id; /* Anthropic's bodies hold it */
    uint64_t sequence;        /* of an event of Responses: how many came before it */
};

/* The row of a failure of ours; message, param and request_id are left empty. */
void ld_problem_of(llmgr_status status, struct ld_problem *problem);
/* The row of an HTTP status. */
void ld_problem_of_http(int http_status, struct ld_problem *problem);

/* Appends the body. Texts that are no UTF-8 are mended. */
void ld_error_body(enum ld_shape shape, const struct ld_problem *problem, struct lb_buf *out);
/* Appends an event, with its empty line, that tells of a failure after the head was sent. */
void ld_error_event(enum ld_shape shape, const struct ld_problem *problem, struct lb_buf *out);

/* As the row of http_status, but NO if the body says that the account is out of credit. */
enum ld_retry ld_retry_of(int http_status, struct lb_str body);
/* Is a platform's error body one of this shape? Then it is relayed as it came. */
bool ld_error_fits(enum ld_shape shape, struct lb_str body);
/*
 * Appends a platform's error in the shape of the endpoint: its message, code and param are kept
 * where it has any, cleaned and cut.
 */
void ld_error_reshape(enum ld_shape shape, int http_status, struct lb_str body,
                      struct lb_str request_id, struct lb_buf *out);

#endif
