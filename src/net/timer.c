/* SPDX-License-Identifier: MIT */
/*
 * Timers: a timing wheel with six levels of 64 slots, driven by a single uv_timer. A timer due
 * within 64 ms lies in the slot of its millisecond; later ones lie in coarser slots and are dealt
 * to finer ones when their slot's time begins. One word of bits per level tells in a few
 * instructions when the wheel has to turn next, so an idle loop sleeps for as long as it can.
 *
 * Stopping a timer leaves the uv_timer alone: it may ring for nothing once, and sets itself anew.
 * That makes the usual life of a timeout (start, stop, start, ... and never fire) two list
 * operations each.
 *
 * A process that was stopped, or had no processor for a while, finds both: limits that are over,
 * and what they waited for, which came in time. So timers that are late wait until the sockets were
 * asked after their time.
 */
#include "net/loop.h"

#include "net/loop_int.h"

enum {
    SLOT_NONE = 0xffff,
    LATE_MS = 10, /* longer than turns usually take */
};

static const int64_t DELAY_MAX = (int64_t)30 * 24 * 3600 * 1000;

static int64_t now_of(const struct ln_loop *loop)
{
    return (int64_t)uv_now(&loop->uv);
}

static unsigned slot_at(int64_t time, unsigned level)
{
    return (unsigned)(time >> (LN_WHEEL_BITS * level)) & (LN_WHEEL_SLOTS - 1);
}

void ln_wheel_init(struct ln_loop *loop)
{
    struct ln_wheel *wheel = &loop->wheel;
    wheel->now = now_of(loop);
    wheel->alarm = INT64_MAX;
    for (unsigned level = 0; level < LN_WHEEL_LEVELS; level++) {
        for (unsigned slot = 0; slot < LN_WHEEL_SLOTS; slot++)
            lb_list_init(&wheel->slots[level][slot]);
    }
}

/* Puts a timer (due at wheel->now or later) in its slot; returns when that slot begins. */
static int64_t place(struct ln_wheel *wheel, struct ln_timer *timer)
{
    int64_t delta = timer->due - wheel->now;
    unsigned level = 0;
    while (level + 1 < LN_WHEEL_LEVELS && delta >> (LN_WHEEL_BITS * (level + 1)) != 0)
        level++;
    unsigned slot = slot_at(timer->due, level);
    lb_list_add_tail(&wheel->slots[level][slot], &timer->node);
    wheel->used[level] |= UINT64_C(1) << slot;
    timer->slot = (uint16_t)(level * LN_WHEEL_SLOTS + slot);
    unsigned shift = LN_WHEEL_BITS * level;
    return timer->due >> shift << shift;
}

/* When the wheel has to turn next: the nearest beginning of a slot in use. */
static int64_t next_turn(const struct ln_wheel *wheel)
{
    int64_t next = INT64_MAX;
    for (unsigned level = 0; level < LN_WHEEL_LEVELS; level++) {
        uint64_t used = wheel->used[level];
        if (used == 0)
            continue;
        /* Rotated so that bit 0 is the slot after the present one: slots lie 1 to 64 ahead. */
        unsigned from = (slot_at(wheel->now, level) + 1) & (LN_WHEEL_SLOTS - 1);
        uint64_t ahead = from == 0 ? used : used >> from | used << (LN_WHEEL_SLOTS - from);
        unsigned shift = LN_WHEEL_BITS * level;
        int64_t at = ((wheel->now >> shift) + __builtin_ctzll(ahead) + 1) << shift;
        if (at < next)
            next = at;
    }
    return next;
}

/* Moves a slot's timers to `list` (initialised). */
static void empty_slot(struct ln_wheel *wheel, unsigned level, struct lb_list *list)
{
    unsigned slot = slot_at(wheel->now, level);
    struct lb_list *from = &wheel->slots[level][slot];
    wheel->used[level] &= ~(UINT64_C(1) << slot);
    while (!lb_list_empty(from)) {
        struct lb_list *node = from->next;
        lb_list_remove(node);
        lb_list_add_tail(list, node);
        LB_CONTAINER(node, struct ln_timer, node)->slot = SLOT_NONE;
    }
}

/* The wheel stands at the beginning of some slot: deal the coarse ones, fire the finest. */
static void turn(struct ln_wheel *wheel)
{
    struct lb_list list;
    for (unsigned level = LN_WHEEL_LEVELS - 1; level > 0; level--) {
        int64_t mask = ((int64_t)1 << (LN_WHEEL_BITS * level)) - 1;
        if ((wheel->now & mask) != 0)
            continue;
        lb_list_init(&list);
        empty_slot(wheel, level, &list);
        while (!lb_list_empty(&list)) {
            struct lb_list *node = list.next;
            lb_list_remove(node);
            (void)place(wheel, LB_CONTAINER(node, struct ln_timer, node));
        }
    }
    lb_list_init(&list);
    empty_slot(wheel, 0, &list);
    while (!lb_list_empty(&list)) {
        struct ln_timer *timer = LB_CONTAINER(list.next, struct ln_timer, node);
        lb_list_remove(&timer->node);
        timer->loop = NULL;
        wheel->count--;
        timer->fire(timer->context);
    }
}

static void set_alarm(struct ln_loop *loop, int64_t at)
{
    int64_t now = now_of(loop);
    loop->wheel.alarm = at;
    /* Cannot fail: the handle is not closing and has a callback. */
    (void)uv_timer_start(&loop->alarm, ln_wheel_alarm, at > now ? (uint64_t)(at - now) : 0, 0);
}

static bool may_fire(const struct ln_loop *loop, int64_t at, int64_t now)
{
    return now - at <= LATE_MS || at <= loop->asked_ms;
}

void ln_wheel_alarm(uv_timer_t *alarm)
{
    struct ln_loop *loop = LB_CAST(struct ln_loop, alarm->data, LN_LOOP_MAGIC);
    struct ln_wheel *wheel = &loop->wheel;
    int64_t now = now_of(loop), at;
    /* Until it is set anew below: what callbacks start must not set it each for itself. */
    wheel->alarm = INT64_MIN;
    while ((at = next_turn(wheel)) <= now && may_fire(loop, at, now)) {
        wheel->now = at;
        turn(wheel);
    }
    if (at > now)
        wheel->now = now;
    wheel->alarm = INT64_MAX;
    int64_t next = next_turn(wheel);
    if (next != INT64_MAX)
        set_alarm(loop, next > now ? next : now + 1); /* not in this round of libuv's timers */
}

void ln_timer_start(struct ln_loop *loop, struct ln_timer *timer, int64_t delay_ms,
                    void (*fire)(void *context), void *context)
{
    struct ln_wheel *wheel = &loop->wheel;
    ln_timer_stop(timer);
    if (!loop->turning)
        uv_update_time(&loop->uv); /* the last turn may be long ago */
    if (wheel->count == 0 && wheel->alarm != INT64_MIN)
        wheel->now = now_of(loop);
    int64_t delay = delay_ms < 0 ? 0 : delay_ms > DELAY_MAX ? DELAY_MAX : delay_ms;
    timer->due = now_of(loop) + delay;
    /* The present slot has had its turn; the next one is the earliest that can still come. */
    if (timer->due <= wheel->now)
        timer->due = wheel->now + 1;
    timer->fire = fire;
    timer->context = context;
    timer->loop = loop;
    wheel->count++;
    int64_t at = place(wheel, timer);
    if (at < wheel->alarm)
        set_alarm(loop, at);
}

void ln_timer_stop(struct ln_timer *timer)
{
    if (timer->loop == NULL)
        return;
    struct ln_wheel *wheel = &timer->loop->wheel;
    lb_list_remove(&timer->node);
    timer->loop = NULL;
    wheel->count--;
    if (timer->slot == SLOT_NONE)
        return;
    unsigned level = timer->slot / LN_WHEEL_SLOTS;
    unsigned slot = timer->slot % LN_WHEEL_SLOTS;
    if (lb_list_empty(&wheel->slots[level][slot]))
        wheel->used[level] &= ~(UINT64_C(1) << slot);
}
