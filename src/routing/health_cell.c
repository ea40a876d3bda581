/* SPDX-License-Identifier: MIT */
/*
 * One cell: the outcomes that count towards its rate, its end, and whose place it may take. All of
 * it under the lock of its set.
 */
#include "routing/health_int.h"

#include <string.h>

#include "base/mix.h"

enum {
    TICK_SHIFT = 6, /* of an event's time: 64 ms */
    WINDOW_TICKS = LO_WINDOW_MS >> TICK_SHIFT,
    COUNTED_MAX = 2, /* outcomes of one user, where several are active */
    JITTER_PARTS = 1024,
};

/* ---- Whose place ----------------------------------------------------------------------------- */

/*
 * The higher, the more is lost with it: shared before owned, so that no user's own platforms push
 * out what all share; then hard before soft before closed.
 */
static unsigned worth(bool is_cooled, bool is_hard, bool is_shared)
{
    return (is_shared ? 4U : 0U) + (is_cooled ? 1U : 0U) + (is_hard ? 1U : 0U);
}

static unsigned worth_of(const struct lo_cell *cell)
{
    return worth(cell->until_ms != 0, cell->is_hard, cell->name.owner == 0);
}

/* Of two that are worth the same, the one that ends sooner, or was used longer ago. */
static bool is_less(const struct lo_cell *a, const struct lo_cell *b)
{
    if (worth_of(a) != worth_of(b))
        return worth_of(a) < worth_of(b);
    if (a->until_ms != b->until_ms)
        return a->until_ms < b->until_ms;
    return a->used_ms < b->used_ms;
}

struct lo_cell *lo_set_find(struct lo_set *set, const struct lo_cell_id *id)
{
    unsigned way = lo_set_look(set, lo_cell_number(id), id);

    return way < LO_WAYS ? &set->cells[way] : NULL;
}

/* The least one, unless it is worth more than `wanted`; LO_WAYS: it is. */
static unsigned place_for(const struct lo_set *set, unsigned wanted)
{
    unsigned least = 0;

    for (unsigned way = 0; way < LO_WAYS; way++) {
        if (set->numbers[way] == 0)
            return way;
        if (is_less(&set->cells[way], &set->cells[least]))
            least = way;
    }
    return worth_of(&set->cells[least]) <= wanted ? least : LO_WAYS;
}

static void name_cell(struct lo_cell *cell, const struct lo_cell_id *id)
{
    atomic_store_explicit(&cell->name.scope, id->scope, memory_order_relaxed);
    atomic_store_explicit(&cell->name.owner, id->owner, memory_order_relaxed);
    atomic_store_explicit(&cell->name.platform_id, id->platform_id, memory_order_relaxed);
    atomic_store_explicit(&cell->name.item, id->item, memory_order_relaxed);
}

struct lo_cell *lo_set_make(struct lo_health *health, struct lo_set *set,
                            const struct lo_cell_id *id, enum lo_cool cool, int64_t now_ms)
{
    struct lo_cell *cell = lo_set_find(set, id);
    bool is_cooled = cool != LO_COOL_NONE && cool != LO_COOL_COUNT;

    if (cell == NULL) {
        unsigned way = place_for(set, worth(is_cooled, cool == LO_COOL_HARD, id->owner == 0));
        if (way == LO_WAYS)
            return NULL;
        cell = &set->cells[way];
        if (set->numbers[way] != 0) {
            atomic_fetch_sub(&health->open_count, cell->until_ms != 0);
            atomic_fetch_sub(&health->platform_count, cell->name.scope == LO_SCOPE_PLATFORM);
        }
        atomic_fetch_add(&health->platform_count, id->scope == LO_SCOPE_PLATFORM);
        atomic_store(&set->numbers[way], 0);
        name_cell(cell, id);
        cell->until_ms = cell->probe_ms = cell->well_ms = 0;
        cell->first_byte_64 = -1;
        cell->is_hard = cell->is_told = false;
        cell->event_count = 0;
        cell->reason = LO_REASON_ANSWERED;
        cell->http_status = 0;
        cell->streak = 0;
        cell->since_ms = cell->floor_ms = cell->changed_ms = cell->limited_ms = 0;
        cell->change = 0;
        cell->is_news = false;
        cell->closed_ms = 0;
        cell->told = (struct lo_told){0};
        memset(cell->limited, 0, sizeof cell->limited);
        atomic_store_explicit(&set->numbers[way], lo_cell_number(id), memory_order_release);
    }
    cell->used_ms = now_ms;
    return cell;
}

/* ---- The rate -------------------------------------------------------------------------------- */

static void remove_event(struct lo_cell *cell, unsigned at)
{
    cell->event_count--;
    memmove(cell->events + at, cell->events + at + 1,
            (cell->event_count - at) * sizeof *cell->events);
}

/* Of the user `who` how many there are, the oldest, and whether there are others'. */
static unsigned count_own(const struct lo_cell *cell, uint32_t who, unsigned *oldest, bool *others)
{
    unsigned count = 0;

    *others = false;
    for (unsigned i = 0; i < cell->event_count; i++) {
        if ((cell->events[i].who ^ who) >> 1 != 0)
            *others = true;
        else if (count++ == 0)
            *oldest = i;
    }
    return count;
}

/* More than half of the last outcomes, of which each user has at most two if there are several? */
static bool is_reached(const struct lo_cell *cell)
{
    unsigned total = 0, failed = 0;

    for (unsigned i = cell->event_count; i-- > 0;) {
        const struct lo_event *event = &cell->events[i];
        unsigned newer = 0;
        bool others = false;
        for (unsigned j = 0; j < cell->event_count; j++) {
            if ((cell->events[j].who ^ event->who) >> 1 != 0)
                others = true;
            else
                newer += j > i;
        }
        if (others && newer >= COUNTED_MAX)
            continue;
        total++;
        failed += event->who & 1;
    }
    return total >= LO_RATE_MIN && 2 * failed > total;
}

bool lo_cell_count(struct lo_cell *cell, uint64_t user, bool failed, int64_t now_ms)
{
    const uint32_t at = (uint32_t)(now_ms >> TICK_SHIFT);
    const uint32_t who = ((uint32_t)(user >> 32) & ~1U) | (failed ? 1U : 0U);
    unsigned oldest = 0;
    bool others;

    while (cell->event_count > 0 && at - cell->events[0].at > WINDOW_TICKS)
        remove_event(cell, 0);
    unsigned own = count_own(cell, who, &oldest, &others);
    if (own >= COUNTED_MAX && others)
        remove_event(cell, oldest);
    else if (cell->event_count == LO_EVENTS)
        remove_event(cell, 0);
    cell->events[cell->event_count] = (struct lo_event){who, at};
    cell->event_count++;
    return failed && is_reached(cell);
}

/* ---- Its end --------------------------------------------------------------------------------- */

/* `ms` with -10 % to +10 % of itself added, or 0 % to +10 % where it must not end sooner. */
static int64_t jittered(int64_t ms, bool is_floor, uint64_t noise)
{
    const int64_t part = (int64_t)lb_scale(noise, JITTER_PARTS);

    return is_floor ? ms + ms * part / (10 * JITTER_PARTS)
                    : ms - ms / 10 + 2 * ms * part / (10 * JITTER_PARTS);
}

static int64_t doubled(int64_t first_ms, unsigned streak, int64_t max_ms)
{
    int64_t ms = first_ms;

    while (streak-- > 0 && ms < max_ms)
        ms *= 2;
    return ms < max_ms ? ms : max_ms;
}

/* How long it lasts, were it not for an end that it has already. */
static int64_t length_ms(const struct lo_health *health, const struct lo_cell *cell,
                         const struct lo_cooling *cooling)
{
    const int64_t after_ms = cooling->retry_after_ms;
    int64_t ms;

    if (cooling->cool == LO_COOL_UNTIL && after_ms > 0)
        return jittered(after_ms, true, cooling->noise);
    if (cooling->cool == LO_COOL_HARD)
        ms = doubled(health->hard_ms, cell->streak, LO_HARD_MAX_MS);
    else if (cooling->cool == LO_COOL_MISSING)
        ms = LO_MISSING_MS;
    else
        ms = doubled(LO_SOFT_MS, cell->streak, LO_SOFT_MAX_MS);
    ms = jittered(ms, false, cooling->noise);
    return after_ms > ms ? jittered(after_ms, true, cooling->noise) : ms;
}

void lo_cell_tell(struct lo_health *health, struct lo_cell *cell)
{
    if (cell->is_told)
        cell->change = atomic_fetch_add(&health->changes, 1) + 1;
}

void lo_cell_cool(struct lo_health *health, struct lo_cell *cell, const struct lo_cooling *cooling)
{
    const int64_t now_ms = cooling->now_ms, old_ms = cell->until_ms;
    const bool is_hard = cooling->cool == LO_COOL_HARD;

    if (is_hard && !cell->is_hard)
        cell->streak = 0; /* its own doubling begins */
    int64_t until_ms = now_ms + length_ms(health, cell, cooling);
    if (cell->floor_ms > until_ms)
        until_ms = cell->floor_ms;
    if (until_ms > now_ms + LO_HARD_MAX_MS)
        until_ms = now_ms + LO_HARD_MAX_MS;
    if (old_ms <= now_ms || is_hard) { /* it begins, or begins anew */
        cell->streak++;
        cell->since_ms = now_ms;
    }
    if (until_ms > old_ms || is_hard) {
        cell->reason = cooling->reason;
        cell->http_status = cooling->http_status;
    }
    if (old_ms == 0)
        atomic_fetch_add(&health->open_count, 1);
    cell->is_hard = cell->is_hard || is_hard;
    cell->until_ms = until_ms > old_ms ? until_ms : old_ms;
    cell->probe_ms = 0;
    cell->event_count = 0;
    cell->floor_ms = 0;
    cell->is_told = cell->is_told || is_hard ||
                    (cooling->cool == LO_COOL_UNTIL && cooling->retry_after_ms >= LO_TOLD_MS);
    cell->changed_ms = now_ms;
    cell->is_news = true;
    lo_cell_tell(health, cell);
}

void lo_cell_close(struct lo_health *health, struct lo_cell *cell, int64_t now_ms)
{
    if (cell->until_ms == 0)
        return;
    atomic_fetch_sub(&health->open_count, 1);
    cell->until_ms = cell->probe_ms = 0;
    cell->is_hard = false;
    cell->streak = 0;
    cell->event_count = 0;
    cell->floor_ms = 0;
    cell->since_ms = now_ms;
    cell->changed_ms = cell->closed_ms = now_ms;
    cell->is_news = true;
    lo_cell_tell(health, cell);
    cell->is_told = false;
}
