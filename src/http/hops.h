/* SPDX-License-Identifier: MIT */
/*
 * The way that a request came, as its head tells it: CDN-Loop (RFC 8586), in which each hop that
 * passes a request on leaves its name, and Forwarded (RFC 7239) or X-Forwarded-For, in which each
 * proxy leaves the address that it was called from. All of it is the sender's word: whoever uses it
 * says first whom it believes.
 */
#ifndef LH_HOPS_H
#define LH_HOPS_H

#include "http/head.h"

enum {
    LH_LOOP_MAX = 8,     /* hops of a request: with so many behind it, it goes no further */
    LH_LOOP_SIZE = 1024, /* bytes of all CDN-Loop fields of a head */
    LH_NODES_MAX = 32,   /* proxies that are looked back over */
};

struct lh_loop {
    unsigned count; /* names that stand there */
    bool met;       /* one of them is ours */
    size_t size;    /* bytes that lh_loop_write writes; without any field: of `name` */
};

/* False: the fields are malformed, or longer than LH_LOOP_SIZE. `name` is a token of ours. */
bool lh_loop_read(const struct lh_head *head, struct lb_str name, struct lh_loop *loop);
/* All that came, in order, and `name` behind it; no NUL. */
void lh_loop_write(const struct lh_head *head, struct lb_str name, char *out);

/*
 * What the fields of that name (FORWARDED or X_FORWARDED_FOR) say of whom each proxy was called by,
 * the last proxy's word first: "192.0.2.7", "[2001:db8::1]:4711", "unknown". Stops where a field is
 * malformed or an element names nobody. Returns the count.
 */
size_t lh_nodes_read(const struct lh_head *head, enum lh_header name,
                     struct lb_str nodes[LH_NODES_MAX]);

#endif
