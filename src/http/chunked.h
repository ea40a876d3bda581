/* SPDX-License-Identifier: MIT */
/*
 * The chunked transfer coding (RFC 9112 section 7.1). The decoder hands out slices of the bytes it
 * is fed; it keeps no bytes itself, so it may be fed in any pieces. Strict: hexadecimal digits,
 * CRLF, nothing else; extensions and trailers are checked and dropped, both capped. Of the blanks
 * that section 7.1.1 tolerates, those between the size and the first ';' are refused.
 */
#ifndef LH_CHUNKED_H
#define LH_CHUNKED_H

#include "base/str.h"
#include "http/error.h"

struct lh_chunked {
    enum lh_error error; /* valid after LH_FAILED */
    uint8_t state;       /* private, as all below */
    uint8_t digits;      /* of the size being read */
    uint64_t left;       /* payload bytes left in this chunk */
    size_t extension;    /* bytes of extensions so far, in the whole body */
    size_t trailer;      /* bytes of trailers so far */
};

enum {
    LH_CHUNK_EXTENSION_MAX = 4096, /* in the whole body */
    LH_CHUNK_TRAILER_MAX = 8192,
    LH_CHUNK_HEAD_MAX = 18 /* 16 digits and CRLF */
};

void lh_chunked_init(struct lh_chunked *chunked);

/*
 * Takes bytes until a run of payload is found or the bytes end. *used tells how many were taken,
 * *payload (empty if there is none yet) points into `data`. LH_MORE: call again, with the bytes
 * behind *used if there are any. LH_DONE: the body ended at *used, *payload is empty.
 */
enum lh_result lh_chunked_next(struct lh_chunked *chunked, const char *data, size_t size,
                               size_t *used, struct lb_str *payload);

/* Encoding: head, `size` bytes (at least 1), tail; and at last the end. */
#define LH_CHUNK_TAIL "\r\n"
#define LH_CHUNK_END "0\r\n\r\n"
/* Writes "1f\r\n" and returns its size; no NUL. */
size_t lh_chunk_head(char out[LH_CHUNK_HEAD_MAX], uint64_t size);

#endif
