/* SPDX-License-Identifier: MIT */
/*
 * What a request names and a platform keeps lies with one account there: a response that another
 * goes on from, a file, a batch, reasoning that only its maker can read. Its home is where the
 * request has to go, and nowhere else:
 *
 *   a signed id says so itself (signed_id.h)      GET /v1/responses/resp_1.Zm9v...7~AbCd...
 *   of all else the table does (owners.h)         {"model":"smart", ... "file_id":"file-1"}
 *
 * TARGET asks for it where there is a choice: on a native path whose model nobody names, of a
 * route, and of a platform with several keys. The first thing that is named decides; that all
 * others lie there too is seen to by OWN and OPEN.
 */
#ifndef LG_HOME_H
#define LG_HOME_H

#include "gateway/request.h"
#include "objects/signed_id.h"

struct lr_target;

struct lg_home {
    struct lf_place place; /* platform 0: nothing is named, or nobody knows where it is */
    struct lb_str shown;   /* the signed id that says so, yet to be judged; empty: none */
    struct lb_str kept;    /* else the first thing that is named; empty: none */
    const char *kind;      /* of that, for people */
    bool names;            /* it names something that is kept, or that cannot be looked into */
    bool is_asked;         /* the table was asked for it */
    bool is_judged;        /* `shown` was signed for this caller, or is nothing to us */
};

/*
 * What does it name? Looked at once; request->home stays NULL if nothing can be named. FAIL:
 * memory.
 */
enum lg_verdict lg_home_look(struct lg_request *request);
/* Has the table to be asked before it is known where that is? */
bool lg_home_waits(const struct lg_request *request);
/* As far as it is known. */
static inline struct lf_place lg_home_place(const struct lg_request *request)
{
    return request->home != NULL ? request->home->place : (struct lf_place){0, 0};
}
static inline bool lg_home_names(const struct lg_request *request)
{
    return request->home != NULL && request->home->names;
}
/* TARGET: asks it, off the loop; then `go_on` is called. */
enum lg_verdict lg_home_ask(struct lg_request *request,
                            enum lg_verdict (*go_on)(struct lg_request *request));

/*
 * Is it this caller's, as far as the target's platform can tell? With his own key what was not
 * signed for him is the platform's affair, and has no home here. False: there is no such thing.
 */
bool lg_home_judge(struct lg_request *request, const struct lr_target *target);
/* FAIL: there is none, in words that tell nothing else; of what has a signed id, and of any. */
enum lg_verdict lg_home_refuse_shown(struct lg_request *request);
enum lg_verdict lg_home_refuse(struct lg_request *request);
/* FAIL: it is this caller's, and no key is left of the account that keeps it. */
enum lg_verdict lg_home_gone(struct lg_request *request, const struct lr_target *target);
/* FAIL: what it names lies with more than one account, or the one that does has no key here. */
enum lg_verdict lg_home_elsewhere(struct lg_request *request);

/*
 * May what the platform keeps of the answer be asked for at another account the next time, or in
 * another's name? Then it is noted whose it is and which account keeps it.
 */
bool lg_home_is_noted(const struct lg_request *request);

#endif
