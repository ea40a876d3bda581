/* SPDX-License-Identifier: MIT */
/*
 * A request that names a route, or a model whose platform has several keys for it: from one of its
 * targets to the next, until one answers, none is left, or an answer has begun to reach the caller
 * (window.h). What is chosen and what a failure means is decided by routing/ alone; here it gets
 * targets, keys, time and the cells.
 *
 *   TARGET --pick, resolve, cells--> attempt --> ... RELAY judges --> SETTLE --next--> attempt
 *             ^ passed over: no model or key, another payer, another dialect, cooled  |
 *             +-----------------------------------------------------------------------+
 *
 * The payer of the first target that can serve is that of all attempts. A request that names what
 * an account keeps goes to its keys and nowhere else (home.h). If no attempt is left, the caller
 * hears of the first that failed, unless the last one has shown that the request itself is at
 * fault.
 *
 * It lies in the arena, and is over when an answer begins to leave.
 */
#ifndef LG_WALK_H
#define LG_WALK_H

#include "dialect/error_write.h"
#include "gateway/attempt.h"
#include "gateway/request.h"
#include "resolve/route.h"
#include "routing/way.h"

struct lu_timeouts;

/* A target that is ready to be asked. */
struct lg_found {
    struct lr_target target;
    struct lo_entry entry;
};

struct lg_walk {
    int64_t route_id;             /* 0: it is a pool of keys */
    const struct lm_route *route; /* in the turn in which the walk begins; later NULL */
    llmgr_exhausted on_exhausted;
    uint64_t user;           /* hash; not 0 */
    bool was_home;           /* a target is, or may be, at the platform that keeps what is named */
    uint32_t pending;        /* target that waits for the profile; */
    bool is_pending;         /* there is one */
    bool has_own_limits;     /* the route is the caller's, and so are its times */
    bool is_over;            /* no attempt follows: what is told is the walk's to say */
    struct lg_found *found;  /* what follows the attempt under way; NULL: nothing, or pending */
    struct lg_attempt *told; /* the first that failed; NULL: none has, or it is under way */
    struct llmgr_error *told_error; /* NULL: the platform's own words will do */
    struct llmgr_error *missing;    /* why the first target that was passed over has none */
    struct lo_way way;              /* the last member: most of it is never touched */
};

static inline int64_t lg_walk_now(const struct lg_request *request)
{
    return ln_loop_now(request->worker->loop);
}

/* ---- Choosing: walk.c ------------------------------------------------------------------------ */

/*
 * TARGET: the request names this route (NULL: a model with a pool of keys), and its home is known.
 * FAIL: memory.
 */
enum lg_verdict lg_walk_begin(struct lg_request *request, const struct lm_route *route);
/* TARGET: the attempt gets its target. *miss: the user's rows have to be read first. */
enum lg_verdict lg_walk_target(struct lg_request *request, bool *miss);

/* REFUSED: the request fails, whatever the other targets are. */
enum lg_seek { LG_SEEK_FOUND, LG_SEEK_NONE, LG_SEEK_MISS, LG_SEEK_REFUSED };
/* The next target that may be asked; for lg_walk_take, or else lo_way_leave. */
enum lg_seek lg_walk_seek(struct lg_request *request, struct lg_found *found);
/* The attempt under way asks it. */
void lg_walk_take(struct lg_request *request, const struct lg_found *found);

/* ---- Ending: walk_end.c ---------------------------------------------------------------------- */

/* SEND: its limits. */
void lg_walk_limit(const struct lg_request *request, struct lu_timeouts *timeouts);
/* How long a stream's first content may take from now. */
int64_t lg_walk_content_ms(const struct lg_request *request);

/* RELAY: what failed goes into the verdict, and what follows is looked for. */
void lg_walk_outcome(const struct lg_request *request, struct lo_outcome *outcome);
void lg_walk_judge(struct lg_request *request, struct lo_verdict *verdict);
/* SETTLE: the attempt has ended, as the cells will know; once. */
void lg_walk_end(struct lg_request *request);
/* SETTLE: the next attempt opens, with its target or (platform_id 0) for TARGET. False: memory. */
bool lg_walk_next(struct lg_request *request);
/* SETTLE: none follows: which one the caller hears of. */
void lg_walk_tell(struct lg_request *request);
/* An answer has begun to leave, or the request is over. Without a walk nothing happens. */
void lg_walk_close(struct lg_request *request);

enum {
    LG_RETRY_MIN_MS = 1000,     /* what a caller waits at least, if waiting may help */
    LG_RETRY_MAX_MS = 60 * 1000 /* and what SDKs wait at most: they would come again sooner */
};

/* FINISH: what a caller should do, if a walk is over and knows; else nothing is changed. */
static inline void lg_walk_know_retry(const struct lg_request *request, enum ld_retry *retry,
                                      int64_t *wait_ms)
{
    const struct lg_walk *walk = request->walk;

    if (walk == NULL || !walk->is_over)
        return;
    const int64_t soonest = lo_way_soonest(&walk->way);
    const bool helps =
        request->attempt->fault != LO_FAULT_REQUEST && (soonest != 0 || walk->way.is_soft);
    const int64_t wait = soonest != 0 ? soonest - lg_walk_now(request) : 0;
    *retry = helps && wait <= LG_RETRY_MAX_MS ? LD_RETRY_YES : LD_RETRY_NO;
    *wait_ms = !helps ? -1 : wait > LG_RETRY_MIN_MS ? wait : LG_RETRY_MIN_MS;
}

#endif
