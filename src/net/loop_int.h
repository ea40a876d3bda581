/* SPDX-License-Identifier: MIT */
/* The inside of a loop, for the files of net/ alone. */
#ifndef LN_LOOP_INT_H
#define LN_LOOP_INT_H

#include <stdatomic.h>

#include "base/magic.h"
#include "net/loop.h"

enum {
    LN_LOOP_MAGIC = 0x4c4f4f50,
    LN_WHEEL_BITS = 6, /* slots per level: 64, one bit each in a word */
    LN_WHEEL_SLOTS = 1 << LN_WHEEL_BITS,
    LN_WHEEL_LEVELS = 6,         /* 64^6 ms: more than the longest delay */
    LN_SCRATCH_SIZE = 16 * 1024, /* one TLS record's worth of bytes to write */
};

/* Hashed hierarchical timing wheel (Varghese and Lauck 1987), one millisecond per finest slot. */
struct ln_wheel {
    int64_t now;                    /* every timer due up to here has fired */
    int64_t alarm;                  /* when the one uv_timer is set to fire; INT64_MAX: it is not */
    size_t count;                   /* running timers */
    uint64_t used[LN_WHEEL_LEVELS]; /* bit n: slot n is not empty */
    struct lb_list slots[LN_WHEEL_LEVELS][LN_WHEEL_SLOTS];
};

/* What hangs on a loop, in the order in which it ends with it. */
enum ln_member { LN_MEMBER_LISTENER, LN_MEMBER_DIAL, LN_MEMBER_CONN, LN_MEMBERS };

struct ln_members {
    struct lb_list list;
    void (*close)(struct lb_list *node); /* may remove the node, and free what it is part of */
};

struct ln_loop {
    unsigned magic;
    const struct lb_host *host;
    uv_loop_t uv;
    uv_async_t wake;  /* posts and stop */
    uv_timer_t alarm; /* the wheel's next duty */
    uv_check_t check; /* runs the defers after the sockets */
    uv_idle_t idle;   /* started while a defer waits, so that the loop does not sleep */
    uv_mutex_t lock;  /* guards posts and their `waiting` */
    struct ln_post *posts;
    struct ln_post **posts_end;
    atomic_bool stop;
    bool turning;       /* inside a turn: the clock stands still */
    int64_t asked_ms;   /* sockets were asked at this time or later, and what was there was taken */
    bool dying;         /* ln_loop_free has begun: nothing new is started */
    uv_poll_t widest;   /* closed at once, see ln_spare_watchers */
    bool threads_spare; /* ln_spare_threads has found them once */
    unsigned spin_us;
    unsigned busy; /* socket events and posts of this turn */
    unsigned accepted, accepted_max;
    void (*released)(struct ln_loop *loop); /* the listeners': an accepted connection is gone */
    struct ln_wheel wheel;
    struct lb_list defers;
    struct ln_members members[LN_MEMBERS];
    struct lb_list leaving; /* members that were closed with the loop and are not gone yet */
    char *read_buffer;      /* LN_READ_SIZE bytes, for the length of one `data` call */
    char *scratch;          /* LN_SCRATCH_SIZE bytes to gather small slices in */
};

/* From now until the node is removed the loop closes it when it ends. */
static inline void ln_loop_join(struct ln_loop *loop, enum ln_member kind, struct lb_list *node,
                                void (*close)(struct lb_list *node))
{
    loop->members[kind].close = close;
    lb_list_add_tail(&loop->members[kind].list, node);
}

/*
 * Whether libuv will find what it aborts without (net/spare.c): 0 or one of its errors. Of
 * descriptors the highest that is free now; a table is asked for to hold `fd`, at least WATCHED.
 */
int ln_spare_descriptors(void);
int ln_spare_table(const struct ln_loop *loop, int fd);
int ln_spare_threads(struct ln_loop *loop);
int ln_spare_watchers(struct ln_loop *loop);

void ln_wheel_init(struct ln_loop *loop);
void ln_wheel_alarm(uv_timer_t *alarm); /* the uv_timer's callback */

#endif
