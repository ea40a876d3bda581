/* SPDX-License-Identifier: MIT */
/*
 * OWN: with a key that is not the caller's own the platform takes all callers for one, so it is
 * decided here what each may reach (native.def) and whose the things are that a request names
 * (objects/names.h, objects/owners.h). With one's own key nothing of this happens; only where there
 * is more than one, or a route, it is noted which account keeps what was made (home.h).
 *
 *   ADMIT --> OWN: path allowed? --> ids of path, query, body --> all the caller's? --> OPEN
 *                                                                  (SQL, off the loop)
 *   RELAY: an answer that makes something, names new files of it, or ends it is held until the
 *          table says so, and only then goes to the client.
 *
 * What is not the caller's and what does not exist are one and the same: 404.
 */
#ifndef LG_OWN_H
#define LG_OWN_H

#include "gateway/request.h"
#include "objects/native.h"

enum {
    LG_OWN_HELD_MAX = 1 << 20,  /* bytes of an answer that is held */
    LG_OWN_LOOK_MAX = 64 << 10, /* of a body that is looked through on the loop */
};

struct lg_own {
    const struct lf_native *row; /* NULL: an endpoint of routes.def, or opened by the operator */
    struct lb_str id;            /* of the path's object; empty: it has none */
    bool makes_batch_file;       /* a file for a batch is sent, and its lines are fine */
    bool reads;                  /* the rest of the body, which was to be passed on as it comes */
    bool only_notes;             /* the key is the caller's: nothing is asked or refused */
    bool holds;                  /* the answer waits until it has been recorded */
    int status;                  /* HTTP, of what is held */
    struct lb_buf head, held;    /* our head, the platform's body */
};

/* RELAY: does the answer wait? Then its head, and each piece of its body; false: it is too long. */
static inline bool lg_own_holds(const struct lg_own *own)
{
    return own != NULL && own->holds;
}
bool lg_own_hold_head(struct lg_request *request);
bool lg_own_hold(struct lg_request *request, struct lb_str bytes);
/* RELAY, when all of it is there: records what it says; `done` then goes on, on the loop. */
enum lg_verdict lg_own_record(struct lg_request *request,
                              enum lg_verdict (*done)(struct lg_request *request));
/* Gives back what it holds. NULL is fine. */
void lg_own_free(struct lg_request *request);

#endif
