/* SPDX-License-Identifier: MIT */
/*
 * What can be wrong with bytes from the wire: one table for heads, bodies and event streams. The
 * status is what a server answers before it closes; a client reports the text as a protocol error.
 */
#ifndef LH_ERROR_H
#define LH_ERROR_H

#include "base/error.h"

/* XX(name, http_status, text): the text completes the sentence "the message is refused: ...". */
#define LH_ERROR_MAP(XX)                                                                           \
    XX(OK, 200, N_("no error"))                                                                    \
    XX(BARE_CR, 400, N_("a CR without LF"))                                                        \
    XX(BARE_LF, 400, N_("an LF without CR"))                                                       \
    XX(CONTROL, 400, N_("a control character in the head"))                                        \
    XX(METHOD, 400, N_("an invalid method"))                                                       \
    XX(REQUEST_LINE, 400, N_("a malformed request line"))                                          \
    XX(TARGET, 400, N_("an invalid request target"))                                               \
    XX(TARGET_LONG, 414, N_("the request line is too long"))                                       \
    XX(VERSION_UNKNOWN, 505, N_("an HTTP version other than 1.0 and 1.1"))                         \
    XX(STATUS_LINE, 502, N_("a malformed status line"))                                            \
    XX(STATUS, 502, N_("a status code below 100"))                                                 \
    XX(SWITCH, 502, N_("a protocol switch nobody asked for"))                                      \
    XX(FOLD, 400, N_("a folded header field"))                                                     \
    XX(FIELD_NAME, 400, N_("an invalid header field name"))                                        \
    XX(FIELD_SPACE, 400, N_("white space before the colon of a header field"))                     \
    XX(FIELD_COLON, 400, N_("a header field without a colon"))                                     \
    XX(FIELD_TWICE, 400, N_("a header field twice that may stand only once"))                      \
    XX(FIELDS, 431, N_("too many header fields"))                                                  \
    XX(HEAD_LONG, 431, N_("the head is too long"))                                                 \
    XX(HOST_MISSING, 400, N_("no Host header field"))                                              \
    XX(HOST_TWICE, 400, N_("more than one Host header field"))                                     \
    XX(HOST, 400, N_("an invalid Host header field"))                                              \
    XX(LENGTH, 400, N_("an invalid Content-Length"))                                               \
    XX(LENGTH_TWICE, 400, N_("more than one Content-Length"))                                      \
    XX(CODING, 400, N_("a Transfer-Encoding other than chunked"))                                  \
    XX(CODING_TWICE, 400, N_("more than one Transfer-Encoding"))                                   \
    XX(CODING_1_0, 400, N_("a Transfer-Encoding in HTTP/1.0"))                                     \
    XX(CODING_LENGTH, 400, N_("Transfer-Encoding together with Content-Length"))                   \
    XX(EXPECT, 417, N_("an expectation other than 100-continue"))                                  \
    XX(CHUNK_SIZE, 400, N_("an invalid chunk size"))                                               \
    XX(CHUNK_LONG, 400, N_("a chunk size that is too large"))                                      \
    XX(CHUNK_EXTENSION, 400, N_("an invalid or over-long chunk extension"))                        \
    XX(CHUNK_END, 400, N_("a chunk that does not end with CRLF"))                                  \
    XX(CODED, 400, N_("compressed data that is broken or cut off"))                                \
    XX(TRAILER, 400, N_("an invalid trailer field"))                                               \
    XX(TRAILER_LONG, 431, N_("the trailer is too long"))                                           \
    XX(EVENT_LONG, 502, N_("an event that is too long"))                                           \
    XX(NO_MEMORY, 503, N_("out of memory"))

enum lh_error {
#define LH_ERROR_ENUM(name, http, text) LH_ERR_##name,
    LH_ERROR_MAP(LH_ERROR_ENUM)
#undef LH_ERROR_ENUM
};

/* What a parser says about the bytes it was fed. */
enum lh_result {
    LH_MORE,  /* all bytes were taken or seen, the thing is not complete */
    LH_DONE,  /* one whole thing stands in the result */
    LH_FAILED /* .error tells why; sticks */
};

const char *lh_error_name(enum lh_error error); /* "BARE_CR"; for tests and traces */
const char *lh_error_text(enum lh_error error); /* an msgid, see lb_tr */
int lh_error_http(enum lh_error error);

#endif
