/* SPDX-License-Identifier: MIT */
/*
 * The rules of cooling written down a second time, in the plainest way, and random sequences of
 * requests, probes, resets and hours that pass, in which the table must say the same as they do.
 *
 *   a cell is closed, cooled until its end, and from then on half-open until a success
 *   a soft failure counts; more than half of the last ones within 30 s cool it, for 15 s, doubling
 *   a limit cools until Retry-After, a refused key or an unpaid account for 30 min, doubling
 *   of a half-open cell one request is let through at a time, of a hard one only our own probe
 *   a failure that began before the cell was cooled, or comes while it is, says nothing new, save
 *   a Retry-After, and that it is hard; no end ever comes sooner
 */
#include "cells.h"

#include <stdlib.h>
#include <string.h>

enum {
    TICK = 64, /* of the clock, as that of the table's events */
    CELLS_MAX = 64,
    EVENTS_MAX = 32,
    OPEN_MAX = 12,
    STEPS = 10000,
    SEEDS = 12,
    PROBE_MS = 60000,
};

struct event {
    uint64_t user;
    bool failed;
    int64_t at;
};

struct model_cell {
    struct lo_cell_id id;
    int64_t until, since, probe, floor;
    bool hard, known;
    unsigned streak;
    struct event events[EVENTS_MAX + 1];
    unsigned event_count;
    uint64_t limited[2];
    int64_t limited_at;
};

/* An attempt under way. */
struct open {
    struct lo_candidate candidate;
    struct lo_pass pass;
    bool probes[LO_SCOPE_COUNT];
    int64_t probe_until;
};

struct world {
    uint64_t noise;
    int64_t now;
    struct lo_health *health;
    struct model_cell cells[CELLS_MAX];
    unsigned cell_count;
    struct open open[OPEN_MAX];
    unsigned open_count;
    uint64_t turns;   /* own cells that were probed */
    uint64_t last[4]; /* whose turn that was last, per user; 0: never */
};

static uint64_t dice(struct world *world, uint64_t sides)
{
    world->noise = world->noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (world->noise >> 33) % sides;
}

/* ---- The rules ------------------------------------------------------------------------------- */

static struct model_cell *model_of(struct world *world, struct lo_cell_id id)
{
    for (unsigned i = 0; i < world->cell_count; i++) {
        const struct lo_cell_id *is = &world->cells[i].id;
        if (is->scope == id.scope && is->owner == id.owner && is->platform_id == id.platform_id &&
            is->item == id.item)
            return &world->cells[i];
    }
    assert_true(world->cell_count < CELLS_MAX);
    struct model_cell *cell = &world->cells[world->cell_count++];
    *cell = (struct model_cell){.id = id};
    return cell;
}

static struct model_cell *cell_of(struct world *world, const struct lo_candidate *candidate,
                                  enum lo_scope scope)
{
    struct lo_cell_id id = {.scope = scope, .platform_id = candidate->platform_id};
    bool own = candidate->is_own_platform;

    switch (scope) {
    case LO_SCOPE_KEY:
        id.item = candidate->key_id;
        own |= candidate->is_own_key;
        break;
    case LO_SCOPE_ACCOUNT:
        id.item = candidate->account_id;
        own |= candidate->is_own_key;
        break;
    case LO_SCOPE_MODEL:
        id.item = (uint64_t)candidate->model_id;
        own |= candidate->is_own_model;
        break;
    case LO_SCOPE_PLATFORM:
    case LO_SCOPE_COUNT:
        break;
    }
    id.owner = own ? candidate->user : 0;
    return model_of(world, id);
}

static bool is_shut(const struct world *world, const struct model_cell *cell)
{
    return cell->until != 0 && (world->now < cell->until || cell->hard || cell->probe > world->now);
}

static bool may_enter(struct world *world, const struct lo_candidate *candidate)
{
    for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
        if (is_shut(world, cell_of(world, candidate, scope)))
            return false;
    }
    return true;
}

static void close_cell(struct model_cell *cell, int64_t now)
{
    if (cell->until == 0)
        return;
    cell->until = cell->probe = cell->floor = 0;
    cell->since = now;
    cell->hard = false;
    cell->streak = cell->event_count = 0;
}

static int64_t doubling(int64_t first, unsigned times, int64_t max)
{
    for (; times > 0 && first < max; times--)
        first *= 2;
    return first < max ? first : max;
}

static void cool_cell(struct model_cell *cell, const struct lo_verdict *verdict, int64_t now)
{
    const bool hard = verdict->cool == LO_COOL_HARD, begins = cell->until <= now;
    const int64_t after = verdict->retry_after_ms;

    if (hard && !cell->hard)
        cell->streak = 0;
    int64_t length = hard ? doubling(30 * 60000, cell->streak, 24 * 3600000)
                          : doubling(15000, cell->streak, 120000);
    if (verdict->cool == LO_COOL_MISSING)
        length = 5 * 60000;
    if (after > 0 && (verdict->cool == LO_COOL_UNTIL || after > length))
        length = after + after / 20;
    int64_t until = now + length;
    if (cell->floor > until)
        until = cell->floor;
    if (until > now + 24 * 3600000)
        until = now + 24 * 3600000;
    if (begins || (hard && !cell->hard)) {
        cell->streak++;
        cell->since = now;
    }
    if (until > cell->until)
        cell->until = until;
    cell->hard |= hard;
    cell->probe = cell->floor = 0;
    cell->event_count = 0;
}

/* Counts one in; is the rate reached? */
static bool count_event(struct model_cell *cell, uint64_t user, bool failed, int64_t now)
{
    unsigned kept = 0, total = 0, bad = 0;
    bool several = false;

    for (unsigned i = 0; i < cell->event_count; i++) {
        if (now - cell->events[i].at <= 30000 / TICK * TICK)
            cell->events[kept++] = cell->events[i];
    }
    cell->events[kept++] = (struct event){user, failed, now};
    if (kept > EVENTS_MAX)
        memmove(cell->events, cell->events + 1, --kept * sizeof *cell->events);
    cell->event_count = kept;
    for (unsigned i = 0; i < kept; i++)
        several |= cell->events[i].user != user;
    for (unsigned i = 0; i < kept; i++) {
        unsigned newer = 0;
        for (unsigned j = i + 1; j < kept; j++)
            newer += cell->events[j].user == cell->events[i].user;
        if (several && newer >= 2)
            continue;
        total++;
        bad += cell->events[i].failed;
    }
    return failed && total >= 4 && 2 * bad > total;
}

static void model_success(struct world *world, const struct open *open)
{
    for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
        struct model_cell *cell = cell_of(world, &open->candidate, scope);
        if (cell->until != 0 && open->probes[scope] && cell->probe == open->probe_until)
            close_cell(cell, world->now);
        if (cell->event_count > 0)
            (void)count_event(cell, open->candidate.user, false, world->now);
        if (scope == LO_SCOPE_MODEL)
            cell->known = true;
        if (scope == LO_SCOPE_PLATFORM)
            cell->limited[0] = cell->limited[1] = 0;
    }
}

/* The third account in a row that is limited within ten seconds: it is the address. */
static bool is_address(struct world *world, const struct lo_candidate *candidate)
{
    struct model_cell *cell = cell_of(world, candidate, LO_SCOPE_PLATFORM);
    const uint64_t account = candidate->account_id;

    if (world->now - cell->limited_at > 10000)
        cell->limited[0] = cell->limited[1] = 0;
    cell->limited_at = world->now;
    for (unsigned i = 0; i < 2; i++) {
        if (cell->limited[i] == 0)
            cell->limited[i] = account;
        if (cell->limited[i] == account)
            return false;
    }
    return true;
}

static void model_failure(struct world *world, const struct open *open,
                          const struct lo_verdict *verdict)
{
    const struct lo_candidate *candidate = &open->candidate;
    enum lo_scope scope = verdict->fault == LO_FAULT_KEY       ? LO_SCOPE_KEY
                          : verdict->fault == LO_FAULT_ACCOUNT ? LO_SCOPE_ACCOUNT
                          : verdict->fault == LO_FAULT_MODEL   ? LO_SCOPE_MODEL
                                                               : LO_SCOPE_PLATFORM;

    if (verdict->reason == LO_REASON_LIMIT && candidate->is_own_key == candidate->is_own_platform &&
        is_address(world, candidate))
        scope = LO_SCOPE_PLATFORM;
    struct model_cell *cell = cell_of(world, candidate, scope);
    if (cell->id.owner == 0 && verdict->cool == LO_COOL_MISSING && candidate->is_own_key)
        return;
    const bool cooled = cell->until != 0;
    const bool old = cooled && (world->now < cell->until || open->pass.entered_ms < cell->since);
    if (old && !(verdict->cool == LO_COOL_UNTIL && verdict->retry_after_ms > 0) &&
        !(verdict->cool == LO_COOL_HARD && !cell->hard))
        return;
    if (!cooled && verdict->cool == LO_COOL_MISSING && !cell->known)
        return;
    if (!cooled && verdict->cool == LO_COOL_COUNT) {
        if (verdict->retry_after_ms > 0 && world->now + verdict->retry_after_ms > cell->floor)
            cell->floor = world->now + verdict->retry_after_ms;
        if (!count_event(cell, candidate->user, true, world->now))
            return;
    }
    cool_cell(cell, verdict, world->now);
}

/* ---- The sequences --------------------------------------------------------------------------- */

static struct lo_candidate some_candidate(struct world *world)
{
    struct lo_candidate candidate =
        candidate_of(1 + (int64_t)dice(world, 2), 1 + dice(world, 4), 1 + dice(world, 3));

    candidate.model_id = 1 + (int64_t)dice(world, 2);
    candidate.account_id = 1000 + candidate.key_id / 2 * 2;
    candidate.is_own_key = dice(world, 4) == 0;
    return candidate;
}

static struct lo_verdict some_verdict(struct world *world)
{
    const int64_t after = dice(world, 2) == 0 ? -1 : 1000 + (int64_t)dice(world, 90000);
    struct lo_verdict verdict = ANSWERED;

    switch (dice(world, 16)) {
    case 0:
        verdict = KEY_REFUSED;
        break;
    case 1:
        verdict = NO_MONEY;
        break;
    case 2:
    case 3:
        verdict = LIMITED(after);
        break;
    case 4:
        verdict = NO_MODEL;
        break;
    case 5:
        verdict = HAS_LEFT;
        break;
    case 6:
    case 7:
        verdict = DOWN;
        break;
    case 8:
    case 9:
    case 10:
        verdict = FAILED;
        verdict.retry_after_ms = dice(world, 4) == 0 ? after : -1;
        break;
    default:
        break;
    }
    return verdict;
}

static void enter(struct world *world)
{
    struct open *open = &world->open[world->open_count];
    struct lo_cooled why;

    if (world->open_count == OPEN_MAX)
        return;
    *open = (struct open){.candidate = some_candidate(world)};
    const bool may = may_enter(world, &open->candidate);
    assert_int_equal(lo_health_look(world->health, &open->candidate, world->now, NULL), may);
    assert_int_equal(
        lo_health_enter(world->health, &open->candidate, world->now, &open->pass, &why), may);
    if (!may) {
        int64_t until = 0;
        for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
            const struct model_cell *cell = cell_of(world, &open->candidate, scope);
            int64_t end = cell->probe > cell->until ? cell->probe : cell->until;
            if (is_shut(world, cell) && end > until)
                until = end;
        }
        assert_int_equal(why.until_ms, until);
        return;
    }
    open->probe_until = world->now + PROBE_MS;
    for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
        struct model_cell *cell = cell_of(world, &open->candidate, scope);
        open->probes[scope] = cell->until != 0;
        if (cell->until != 0)
            cell->probe = open->probe_until;
    }
    world->open_count++;
}

static void leave(struct world *world)
{
    if (world->open_count == 0)
        return;
    const unsigned which = (unsigned)dice(world, world->open_count);
    struct open open = world->open[which];
    const struct lo_verdict verdict = some_verdict(world);
    world->open[which] = world->open[--world->open_count];
    if (verdict.reason == LO_REASON_ANSWERED)
        model_success(world, &open);
    else if (verdict.cool != LO_COOL_NONE)
        model_failure(world, &open, &verdict);
    for (enum lo_scope scope = 0; scope < LO_SCOPE_COUNT; scope++) {
        struct model_cell *cell = cell_of(world, &open.candidate, scope);
        if (open.probes[scope] && cell->probe == open.probe_until)
            cell->probe = 0;
    }
    end_with(world->health, &open.candidate, &open.pass, verdict, world->now);
}

static bool is_due(const struct world *world, const struct model_cell *cell)
{
    return cell->hard && world->now >= cell->until && cell->probe <= world->now;
}

/* What all share, then who had his last turn longest ago, then what has waited longest. */
static bool comes_before(const struct world *world, const struct model_cell *a,
                         const struct model_cell *b)
{
    if ((a->id.owner == 0) != (b->id.owner == 0))
        return a->id.owner == 0;
    const uint64_t last_a = world->last[a->id.owner >> 40], last_b = world->last[b->id.owner >> 40];
    if (a->id.owner != 0 && last_a != last_b)
        return last_a < last_b;
    return a->until < b->until;
}

static void probe(struct world *world)
{
    const struct lo_verdict refused = KEY_REFUSED;
    struct lo_cell_id id;
    const enum lo_probed probed = (enum lo_probed)dice(world, LO_PROBED_COUNT);
    const struct model_cell *first = NULL;

    for (unsigned i = 0; i < world->cell_count; i++) {
        const struct model_cell *one = &world->cells[i];
        if (is_due(world, one) && (first == NULL || comes_before(world, one, first)))
            first = one;
    }
    assert_int_equal(lo_health_take_due(world->health, world->now, &id), first != NULL);
    if (first == NULL)
        return;
    struct model_cell *cell = model_of(world, id);
    assert_true(is_due(world, cell) && !comes_before(world, first, cell));
    if (id.owner != 0)
        world->last[id.owner >> 40] = ++world->turns;
    lo_health_probed(world->health, &id, probed, world->now, NO_NOISE);
    if (probed == LO_PROBED_WELL || probed == LO_PROBED_GONE) {
        close_cell(cell, world->now);
        return;
    }
    if (probed == LO_PROBED_UNSAID)
        cell->streak--;
    cool_cell(cell, &refused, world->now);
}

static void reset(struct world *world)
{
    if (world->cell_count == 0)
        return;
    struct model_cell *cell = &world->cells[dice(world, world->cell_count)];
    const struct lo_whose whose = {.shared = cell->id.owner == 0, .owner = cell->id.owner};

    assert_int_equal(lo_health_reset(world->health, whose, lo_cell_number(&cell->id), world->now),
                     cell->until != 0);
    close_cell(cell, world->now);
}

/* All that is cooled, as it is shown, is what the rules say is. */
static void compare(struct world *world)
{
    struct lo_cell_view view;
    unsigned count = 0, shown = 0;

    for (unsigned i = 0; i < world->cell_count; i++)
        count += world->cells[i].until != 0;
    assert_int_equal(lo_health_cooled(world->health), count);
    for (uint64_t user = 0; user <= 3; user++) {
        const struct lo_whose whose = {.shared = user == 0, .owner = user << 40};
        uint32_t at = 0;
        while (lo_health_next(world->health, whose, world->now, &at, &view)) {
            const struct model_cell *cell = model_of(world, view.id);
            assert_int_equal(view.until_ms, cell->until);
            assert_int_equal(view.streak, cell->streak);
            assert_int_equal(view.is_hard, cell->hard);
            shown++;
        }
    }
    assert_int_equal(shown, count);
}

static void pass_time(struct world *world)
{
    static const int64_t MOST[] = {4, 4, 4, 40, 40, 300, 2000, 40000};

    world->now += TICK * (int64_t)dice(world, (uint64_t)MOST[dice(world, 8)]);
}

static void the_table_says_what_the_rules_say(void **state)
{
    static struct world world;

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        world = (struct world){.noise = seed, .now = TICK * 100000};
        world.health = new_health(512, true); /* more than there are, for nothing is forgotten */
        for (unsigned step = 0; step < STEPS; step++) {
            uint64_t what = dice(&world, 100);
            pass_time(&world);
            if (what < 50)
                enter(&world);
            else if (what < 95)
                leave(&world);
            else if (what < 98)
                probe(&world);
            else
                reset(&world);
            compare(&world);
        }
        lo_health_free(world.health);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_table_says_what_the_rules_say),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
