/* SPDX-License-Identifier: MIT */
/*
 * Cells between nodes that share a database. Each node shows what changed, a row keeps what all of
 * them said of a cell (lo_shared_merge), and each takes over what the row says.
 *
 * Which came first, a cooling or a closing, is told by moments on one clock, the database's. Nodes
 * know it by an estimate that is some ms off, and it may be put back; so what a node changes after
 * it has heard of a cell is dated later than all it has heard.
 */
#include "routing/health_int.h"

enum { STREAK_MAX = 1000, HTTP_STATUS_MAX = 999 };

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static bool is_moment(int64_t ms, int64_t wall_ms)
{
    return ms >= 0 && ms <= wall_ms + LO_HARD_MAX_MS;
}

bool lo_shared_take(struct lo_shared_cell *shared, int64_t wall_ms)
{
    if ((unsigned)shared->id.scope >= LO_SCOPE_COUNT ||
        (unsigned)shared->reason >= LO_REASON_COUNT || shared->until_ms < 0 ||
        !is_moment(shared->changed_ms, wall_ms) || !is_moment(shared->closed_ms, wall_ms) ||
        shared->streak > STREAK_MAX || shared->http_status < 0 ||
        shared->http_status > HTTP_STATUS_MAX)
        return false;
    if (shared->until_ms > wall_ms + LO_HARD_MAX_MS)
        shared->until_ms = wall_ms + LO_HARD_MAX_MS;
    if (shared->until_ms == 0)
        shared->closed_ms = later(shared->closed_ms, shared->changed_ms);
    return true;
}

static bool is_cooled_since(const struct lo_shared_cell *shared, int64_t closed_ms)
{
    return shared->until_ms != 0 && shared->changed_ms > closed_ms;
}

static bool is_same(const struct lo_shared_cell *a, const struct lo_shared_cell *b)
{
    return a->until_ms == b->until_ms && a->changed_ms == b->changed_ms &&
           a->closed_ms == b->closed_ms && a->streak == b->streak && a->reason == b->reason &&
           a->http_status == b->http_status && a->is_hard == b->is_hard;
}

bool lo_shared_merge(struct lo_shared_cell *known, const struct lo_shared_cell *news)
{
    const struct lo_shared_cell was = *known;
    const int64_t closed_ms = later(was.closed_ms, news->closed_ms);
    const bool old_holds = is_cooled_since(&was, closed_ms);
    const bool new_holds = is_cooled_since(news, closed_ms);

    if (!old_holds && !new_holds)
        *known = (struct lo_shared_cell){.id = was.id};
    else if (!old_holds ||
             (new_holds && (news->until_ms > was.until_ms || (news->is_hard && !was.is_hard))))
        *known = *news;
    if (old_holds && new_holds) {
        known->until_ms = later(was.until_ms, news->until_ms);
        known->streak = was.streak > news->streak ? was.streak : news->streak;
        known->is_hard = was.is_hard || news->is_hard;
    }
    known->id = was.id;
    known->changed_ms = later(was.changed_ms, news->changed_ms);
    known->closed_ms = closed_ms;
    return !is_same(known, &was);
}

/* ---- A cell as a row ------------------------------------------------------------------------- */

/* When it changed, as others are to know it. */
static struct lo_told told_of(const struct lo_cell *cell, int64_t ahead_ms)
{
    struct lo_told told = cell->told;

    if (!cell->is_news)
        return told;
    if (cell->closed_ms != 0)
        told.closed_ms = later(cell->closed_ms + ahead_ms, cell->told.changed_ms + 1);
    told.changed_ms = cell->until_ms == 0 ? told.closed_ms
                                          : later(cell->changed_ms + ahead_ms,
                                                  later(cell->told.changed_ms, told.closed_ms) + 1);
    return told;
}

static struct lo_shared_cell shared_of(const struct lo_cell *cell, int64_t ahead_ms)
{
    const struct lo_told told = told_of(cell, ahead_ms);
    struct lo_shared_cell shared = {
        .id = lo_cell_id_of(cell), .changed_ms = told.changed_ms, .closed_ms = told.closed_ms};

    if (cell->until_ms == 0)
        return shared;
    shared.until_ms = cell->until_ms + ahead_ms;
    shared.streak = cell->streak;
    shared.reason = cell->reason;
    shared.http_status = cell->http_status;
    shared.is_hard = cell->is_hard;
    return shared;
}

static void settle(struct lo_cell *cell, const struct lo_shared_cell *shared)
{
    cell->told = (struct lo_told){shared->changed_ms, shared->closed_ms};
    cell->is_news = false;
    cell->closed_ms = 0;
}

/* ---- To the others --------------------------------------------------------------------------- */

bool lo_health_has_news(const struct lo_health *health, uint64_t sequence)
{
    return atomic_load(&health->changes) > sequence;
}

/* Changes are numbered: that with the least number beyond `sequence`; UINT64_MAX: there is none. */
static uint64_t find_next(const struct lo_health *health, uint64_t sequence, uint32_t *place)
{
    uint64_t least = UINT64_MAX;
    struct lo_set *set;

    for (uint32_t at = 0; at < lo_place_count(health); at++) {
        const struct lo_cell *cell = lo_lock_at(health, at, &set);
        if (cell == NULL)
            continue;
        if (cell->change > sequence && cell->change < least) {
            least = cell->change;
            *place = at;
        }
        pthread_mutex_unlock(&set->lock);
    }
    return least;
}

/* Shows the change of that number; false: it is another's by now, or nobody's business but ours. */
static bool show(struct lo_health *health, uint32_t place, uint64_t change, int64_t ahead_ms,
                 struct lo_shared_cell *shared)
{
    struct lo_set *set;
    struct lo_cell *cell = lo_lock_at(health, place, &set);

    if (cell == NULL)
        return false;
    /* What was told once and is cooled softly by now stays here. */
    const bool shows = cell->change == change && (cell->until_ms == 0 || cell->is_told);
    if (shows) {
        *shared = shared_of(cell, ahead_ms);
        settle(cell, shared);
    }
    pthread_mutex_unlock(&set->lock);
    return shows;
}

bool lo_health_export(struct lo_health *health, struct lo_clocks clocks, uint64_t *sequence,
                      struct lo_shared_cell *shared)
{
    const uint64_t last = atomic_load(&health->changes);
    bool found = false;

    while (!found && *sequence < last) {
        uint32_t place = 0;
        const uint64_t change = find_next(health, *sequence, &place);
        found = change != UINT64_MAX &&
                show(health, place, change, clocks.wall_ms - clocks.now_ms, shared);
        /* None: they have changed again, and were shown so, or their places are others' by now. */
        *sequence = change != UINT64_MAX ? change : last;
    }
    return found;
}

/* ---- From the others ------------------------------------------------------------------------- */

/* A limit that is over holds here no more; a hard one still waits for its probe. */
static void end_if_over(struct lo_shared_cell *heard, int64_t wall_ms)
{
    if (heard->until_ms != 0 && heard->until_ms <= wall_ms)
        heard->until_ms = heard->is_hard ? wall_ms : 0;
}

static void cool_as(struct lo_health *health, struct lo_cell *cell,
                    const struct lo_shared_cell *merged, struct lo_clocks clocks)
{
    if (cell->until_ms == 0) {
        atomic_fetch_add(&health->open_count, 1);
        cell->since_ms = clocks.now_ms;
    }
    cell->until_ms = merged->until_ms - clocks.wall_ms + clocks.now_ms;
    cell->is_hard = merged->is_hard;
    cell->streak = merged->streak;
    cell->reason = merged->reason;
    cell->http_status = merged->http_status;
    cell->event_count = 0;
    cell->changed_ms = clocks.now_ms;
}

static void take_over(struct lo_health *health, struct lo_cell *cell,
                      const struct lo_shared_cell *heard, struct lo_clocks clocks)
{
    const struct lo_shared_cell was = shared_of(cell, clocks.wall_ms - clocks.now_ms);
    struct lo_shared_cell merged = was;
    const bool is_changed = lo_shared_merge(&merged, heard);

    if (merged.until_ms == 0) {
        cell->is_told = false; /* it is known there */
        lo_cell_close(health, cell, clocks.now_ms);
    } else if (is_cooled_since(heard, merged.closed_ms)) {
        cell->is_told = true;
    }
    if (merged.until_ms != 0 && is_changed)
        cool_as(health, cell, &merged, clocks);
    settle(cell, &merged);
    if (was.until_ms == 0 && merged.until_ms == 0 && heard->until_ms != 0) {
        cell->is_told = true; /* that it was closed here since is not */
        lo_cell_tell(health, cell);
        cell->is_told = false;
    }
}

void lo_health_import(struct lo_health *health, struct lo_clocks clocks,
                      const struct lo_shared_cell *shared)
{
    struct lo_shared_cell heard = *shared;

    if (!lo_shared_take(&heard, clocks.wall_ms))
        return;
    end_if_over(&heard, clocks.wall_ms);
    const enum lo_cool cool = heard.is_hard ? LO_COOL_HARD : LO_COOL_UNTIL;
    struct lo_set *set = lo_set_of(health, lo_cell_number(&heard.id));

    pthread_mutex_lock(&set->lock);
    struct lo_cell *cell = is_cooled_since(&heard, heard.closed_ms)
                               ? lo_set_make(health, set, &heard.id, cool, clocks.now_ms)
                               : lo_set_find(set, &heard.id);
    if (cell != NULL)
        take_over(health, cell, &heard, clocks);
    pthread_mutex_unlock(&set->lock);
}
