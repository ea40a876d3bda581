/* SPDX-License-Identifier: MIT */
/*
 * An upstream's refusal, in whatever shape it comes, turned into a status and a text for people.
 * One table says what each HTTP status means to us. The body is untrusted: what is shown of it is
 * valid UTF-8 without control characters, capped, and never markup.
 */
#ifndef LD_ERROR_READ_H
#define LD_ERROR_READ_H

#include <jansson.h>

#include "base/buf.h"

enum { LD_SHOWN_MAX = 300 }; /* bytes of an upstream's text that an error message shows */

/* What came instead of an answer. */
struct ld_refusal {
    const struct lb_host *host;
    int http_status;
    struct lb_str body;     /* as received, possibly cut */
    bool silent;            /* show nothing of it */
    int64_t retry_after_ms; /* -1: not said */
    /* For the text; may be empty. */
    struct lb_str platform;
    struct lb_str model;
};

/* ERR_KEY_REFUSED, ERR_RATE_LIMITED, ERR_TIMEOUT or ERR_UPSTREAM; LLMGR_OK for 2xx. */
llmgr_status ld_status_of_http(int http_status);
/* The same by what the platform says, too: a 403 is ERR_KEY_REFUSED only if it is about the key. */
llmgr_status ld_status_of_refusal(const struct lb_host *host, int http_status, struct lb_str body);

/* Fills err (may be NULL) with status, text, upstream_status and retry_after_ms. */
llmgr_status ld_fail_http(struct llmgr_error *err, const struct ld_refusal *refusal);

/*
 * The telling text of an error body: error.message (OpenAI, Anthropic), error as a string,
 * message, detail (also as FastAPI's list), also where the body was cut or is an event (said.h);
 * plain text; for HTML its title. Cleaned and cut to `max` bytes; empty if there is nothing to
 * tell.
 */
void ld_error_text(struct lb_str body, size_t max, struct lb_buf *text);
/* The same where its tree is there already (said.h; NULL: it holds no JSON). */
void ld_error_text_of(const json_t *root, struct lb_str body, size_t max, struct lb_buf *text);
/* Valid UTF-8 in, one line without control characters out, at most `max` bytes of it. */
void ld_clean_text(struct lb_str raw, size_t max, struct lb_buf *text);

#endif
