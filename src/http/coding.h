/* SPDX-License-Identifier: MIT */
/*
 * Content codings (RFC 9110 section 8.4.1): which one a message has, and its bytes without. Bytes
 * in, bytes out, in pieces of any size; what is small and becomes large is the caller's matter, who
 * says how many bytes he wants.
 *
 *     while ((result = lh_decode(decoder, &in, out, sizeof out, &size)) != LH_FAILED) {
 *         ... out[0 .. size) ...
 *         if (size < sizeof out && in.size == 0)
 *             break;                              all that the input holds is out
 *     }
 *     at the input's end: complete, if lh_decoder_ended(decoder)
 *
 * gzip (also several members), deflate (with zlib's frame or without, as servers do both), br (RFC
 * 7932), zstd (several frames; windows of at most 8 MiB, as RFC 9659 has it).
 */
#ifndef LH_CODING_H
#define LH_CODING_H

#include "base/host.h"
#include "http/head.h"

enum lh_coding {
    LH_CODING_NONE, /* no field, or identity */
    LH_CODING_GZIP,
    LH_CODING_DEFLATE,
    LH_CODING_ZSTD,
    LH_CODING_BROTLI,
    LH_CODING_OTHER /* one that is not decoded, or several */
};

#define LH_CODINGS_TAKEN "gzip, deflate, br, zstd" /* as Accept-Encoding writes them */

enum lh_coding lh_coding_of(const struct lh_head *head);

struct lh_decoder;

/*
 * How far back zstd and brotli may point, as a power of two: that much memory is taken. zstd names
 * its window and is refused at once; brotli's grows with the text, and is refused once that is
 * larger than this and the window as well.
 */
enum {
    LH_WINDOW_ASKED = 23,   /* of a request: 8 MiB, RFC 9659 section 3; callers take turns */
    LH_WINDOW_UNASKED = 20, /* of an answer that nobody asked to be coded: each may hold as much */
};

/* Any but NONE and OTHER. NULL: memory. What it held of the text is wiped when it is freed. */
struct lh_decoder *lh_decoder_new(const struct lb_host *host, enum lh_coding coding,
                                  int window_log);
void lh_decoder_free(struct lh_decoder *decoder); /* NULL is fine */

/*
 * Advances *in behind what was taken and writes at most `size` bytes. LH_DONE: the coding has
 * ended, what follows is none of it and is taken without a meaning.
 */
enum lh_result lh_decode(struct lh_decoder *decoder, struct lb_str *in, char *out, size_t size,
                         size_t *written);
/* May the input end here? Also true of no input at all. */
bool lh_decoder_ended(const struct lh_decoder *decoder);

#endif
