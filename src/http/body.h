/* SPDX-License-Identifier: MIT */
/*
 * A message body, however it is framed: feed bytes, get payload slices and the end. Limits on the
 * payload are the caller's matter: it counts what it gets.
 */
#ifndef LH_BODY_H
#define LH_BODY_H

#include "http/chunked.h"
#include "http/head.h"

struct lh_body {
    enum lh_body_kind kind;
    bool done;
    uint64_t left; /* LH_BODY_LENGTH: payload bytes still to come */
    struct lh_chunked chunked;
};

/* The body that the parsed `head` announces. */
void lh_body_init(struct lh_body *body, const struct lh_head *head);

/*
 * As lh_chunked_next. With LH_DONE *payload may hold the last bytes; what stands behind *used
 * belongs to the next message. A body of kind NONE is done at once, with no bytes at all.
 */
enum lh_result lh_body_next(struct lh_body *body, const char *data, size_t size, size_t *used,
                            struct lb_str *payload);

/* Is the end of the connection here the proper end of the body? Otherwise it was cut. */
bool lh_body_eof_is_end(const struct lh_body *body);
/* Why lh_body_next failed. */
enum lh_error lh_body_error(const struct lh_body *body);

#endif
