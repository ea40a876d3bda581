/* SPDX-License-Identifier: MIT */
/*
 * Nodes that share cells by rows, in random order: what they cool and close, write and read comes
 * in whatever order it comes, their clocks are off and put back. At the end all know the same, and
 * that is what the plainest reading of the true order of events says:
 *
 *   what was closed after all coolings is closed everywhere
 *   else it is cooled everywhere, no shorter than any cooling since the last closing
 */
#include "cells.h"

#include <string.h>

enum {
    NODES = 3,
    CELLS = 4,
    STEPS = 400,
    SEEDS = 100,
    NOW = 1000000,
    WALL = 50000000,
};

struct node {
    struct lo_health *health;
    int64_t behind; /* its clock against the true one */
    uint64_t sequence;
    int64_t read; /* revision */
};

struct row {
    struct lo_shared_cell cell;
    int64_t revision; /* 0: there is none */
};

/* What has truly happened to a cell. */
struct truth {
    int64_t closed; /* when, last */
    int64_t cooled;
    int64_t end; /* the longest of what was cooled since */
};

struct world {
    uint64_t noise;
    int64_t now; /* true time */
    int64_t wall_ahead;
    int64_t jitter;
    int64_t revision;
    struct node nodes[NODES];
    struct row rows[CELLS];
    struct truth truth[CELLS];
};

static uint64_t dice(struct world *world, uint64_t sides)
{
    world->noise = world->noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (world->noise >> 33) % sides;
}

static int64_t time_of(const struct world *world, const struct node *node)
{
    return world->now + node->behind;
}

/* What the node takes the shared clock for: some ms off. */
static struct lo_clocks clocks_of(struct world *world, const struct node *node)
{
    const int64_t off = world->jitter != 0 ? (int64_t)dice(world, (uint64_t)world->jitter) : 0;

    return (struct lo_clocks){time_of(world, node), world->now + world->wall_ahead - off};
}

static struct lo_candidate candidate_at(unsigned at)
{
    return candidate_of(1 + at, 5 + at, 1); /* each of its own platform */
}

static struct lo_cell_id id_at(unsigned at)
{
    const struct lo_candidate candidate = candidate_at(at);

    return lo_cell_id(&candidate, LO_SCOPE_ACCOUNT);
}

/* An attempt is told to wait, or finds no money, if this node lets it through. */
static void cool(struct world *world, struct node *node, unsigned at)
{
    const int64_t ms = 3600 * 1000 + (int64_t)dice(world, 1000) * 1000;
    const struct lo_verdict verdict = dice(world, 2) == 0 ? NO_MONEY : LIMITED(ms);
    struct truth *truth = &world->truth[at];

    if (!attempt(node->health, candidate_at(at), verdict, time_of(world, node)))
        return;
    const int64_t until = shut_until(node->health, candidate_at(at), time_of(world, node));
    truth->cooled = world->now;
    if (until - node->behind > truth->end)
        truth->end = until - node->behind;
}

static void reset(struct world *world, struct node *node, unsigned at)
{
    const struct lo_cell_id id = id_at(at);

    if (!lo_health_reset(node->health, (struct lo_whose){.shared = true}, lo_cell_number(&id),
                         time_of(world, node)))
        return;
    world->truth[at].closed = world->now;
    world->truth[at].end = 0;
}

static struct row *row_of(struct world *world, const struct lo_shared_cell *cell)
{
    for (unsigned at = 0; at < CELLS; at++) {
        if (id_at(at).item == cell->id.item)
            return &world->rows[at];
    }
    fail_msg("a cell that nobody has");
    return NULL;
}

/* In one transaction, which may fail. */
static void write_news(struct world *world, struct node *node, bool fails)
{
    struct row saved[CELLS];
    uint64_t sequence = node->sequence;
    struct lo_shared_cell cell;
    const struct lo_clocks clocks = clocks_of(world, node);

    memcpy(saved, world->rows, sizeof saved);
    while (lo_health_export(node->health, clocks, &sequence, &cell)) {
        struct row *row = row_of(world, &cell);
        if (row->revision == 0)
            row->cell = (struct lo_shared_cell){.id = cell.id};
        if (lo_shared_merge(&row->cell, &cell))
            row->revision = ++world->revision;
        assert_false(lo_shared_merge(&row->cell, &cell)); /* said twice is said once */
    }
    if (fails)
        memcpy(world->rows, saved, sizeof saved);
    else
        node->sequence = sequence;
}

static void read_news(struct world *world, struct node *node)
{
    const int64_t read = node->read;

    for (unsigned at = 0; at < CELLS; at++) {
        const struct row *row = &world->rows[at];
        if (row->revision <= read)
            continue;
        lo_health_import(node->health, clocks_of(world, node), &row->cell);
        if (row->revision > node->read)
            node->read = row->revision;
    }
}

static void restart(struct world *world, struct node *node)
{
    write_news(world, node, false);
    lo_health_free(node->health);
    node->health = new_health(64, true);
    node->sequence = 0;
    node->read = 0;
    node->behind = (int64_t)dice(world, 10 * 1000 * 1000);
    read_news(world, node);
}

static void step(struct world *world)
{
    struct node *node = &world->nodes[dice(world, NODES)];
    const unsigned at = (unsigned)dice(world, CELLS);

    world->now += 200 + (int64_t)dice(world, 1000);
    switch (dice(world, 8)) {
    case 0:
    case 1:
        cool(world, node, at);
        break;
    case 2:
        reset(world, node, at);
        break;
    case 3:
        write_news(world, node, true);
        break;
    case 4:
        if (dice(world, 8) == 0)
            restart(world, node);
        break;
    case 5:
        write_news(world, node, false);
        break;
    default:
        read_news(world, node);
        break;
    }
}

static void settle(struct world *world)
{
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < NODES; i++)
            write_news(world, &world->nodes[i], false);
        for (unsigned i = 0; i < NODES; i++)
            read_news(world, &world->nodes[i]);
    }
}

/* Its end on the true clock; 0: closed. */
static int64_t end_at(struct world *world, struct node *node, unsigned at)
{
    const int64_t until = shut_until(node->health, candidate_at(at), time_of(world, node));

    return until != 0 ? until - node->behind : 0;
}

static void compare(struct world *world)
{
    for (unsigned at = 0; at < CELLS; at++) {
        const struct truth *truth = &world->truth[at];
        for (unsigned i = 0; i < NODES; i++) {
            const int64_t end = end_at(world, &world->nodes[i], at);
            const int64_t first = end_at(world, &world->nodes[0], at);
            assert_int_equal(end != 0, truth->cooled > truth->closed);
            if (truth->cooled > truth->closed)
                assert_true(end >= truth->end - 2 * world->jitter);
            assert_in_range(end - first + 100, 100 - world->jitter, 100 + world->jitter);
        }
    }
}

static void run(uint64_t seed, int64_t jitter)
{
    struct world world = {.noise = seed, .now = NOW, .wall_ahead = WALL, .jitter = jitter};

    for (unsigned i = 0; i < NODES; i++)
        world.nodes[i] = (struct node){new_health(64, true), (int64_t)i * 1234567, 0, 0};
    for (unsigned i = 0; i < STEPS; i++) {
        step(&world);
        if (i % 100 == 99) {
            settle(&world);
            compare(&world);
        }
    }
    for (unsigned i = 0; i < NODES; i++)
        lo_health_free(world.nodes[i].health);
}

static void whatever_the_order_all_know_what_has_happened(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, 0);
}

static void a_clock_that_is_off_changes_no_order(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++)
        run(seed, 90);
}

/* Whoever has heard of a cell is heard, whatever the clock says by then. */
static void a_clock_that_is_put_back_undoes_nothing(void **state)
{
    struct world world = {.noise = 7, .now = NOW, .wall_ahead = WALL};

    (void)state;
    for (unsigned i = 0; i < NODES; i++)
        world.nodes[i] = (struct node){new_health(0, true), 0, 0, 0};
    for (unsigned i = 0; i < 40; i++) {
        world.now += 1000;
        world.wall_ahead += i % 2 == 0 ? -3600 * 1000 : 3600 * 1000 - 5;
        cool(&world, &world.nodes[i % NODES], 0);
        settle(&world);
        assert_true(end_at(&world, &world.nodes[(i + 1) % NODES], 0) > world.now);
        world.wall_ahead -= 600 * 1000;
        reset(&world, &world.nodes[(i + 1) % NODES], 0);
        settle(&world);
        for (unsigned j = 0; j < NODES; j++)
            assert_int_equal(end_at(&world, &world.nodes[j], 0), 0);
    }
    for (unsigned i = 0; i < NODES; i++)
        lo_health_free(world.nodes[i].health);
}

/* It was nobody's business while it was soft, but it ends what another has heard before. */
static void a_success_of_later_ends_what_another_has_met_before(void **state)
{
    struct lo_health *here = new_health(0, false), *there = new_health(0, false);
    const struct lo_candidate one = candidate_of(1, 5, 1);
    const struct lo_clocks early = {NOW, WALL}, late = {NOW + 30000, WALL + 30000};
    uint64_t sequence = 0, back = 0;
    struct lo_shared_cell cell, closing;

    (void)state;
    assert_true(attempt(there, one, LIMITED(3600 * 1000), NOW));
    assert_true(lo_health_export(there, early, &sequence, &cell));
    assert_true(attempt(here, one, LIMITED(-1), NOW));
    assert_true(attempt(here, one, ANSWERED, NOW + 20000)); /* as the probe */
    assert_false(lo_health_export(here, late, &back, &closing));
    lo_health_import(here, late, &cell);
    assert_int_equal(shut_until(here, one, NOW + 30000), 0);
    assert_true(lo_health_export(here, late, &back, &closing));
    assert_int_equal(closing.until_ms, 0);
    assert_int_equal(closing.closed_ms, WALL + 20000);
    lo_health_import(there, late, &closing);
    assert_int_equal(shut_until(there, one, NOW + 30000), 0);
    lo_health_free(here);
    lo_health_free(there);
}

static void what_is_over_before_others_hear_is_not_told(void **state)
{
    struct lo_health *here = new_health(0, true);
    const struct lo_clocks clocks = {NOW, WALL};
    struct lo_shared_cell cell;
    uint64_t sequence = 0;

    (void)state;
    assert_true(attempt(here, candidate_of(1, 5, 1), LIMITED(LO_TOLD_MS - 1), NOW));
    assert_false(lo_health_has_news(here, sequence));
    assert_false(lo_health_export(here, clocks, &sequence, &cell));
    assert_true(attempt(here, candidate_of(1, 6, 1), LIMITED(LO_TOLD_MS), NOW));
    assert_true(lo_health_has_news(here, sequence));
    assert_true(lo_health_export(here, clocks, &sequence, &cell));
    assert_int_equal(cell.id.item, 1006);
    assert_false(lo_health_has_news(here, sequence));
    lo_health_free(here);
}

/* It may have been written: what came between must not be older the second time. */
static void what_is_told_twice_is_dated_once(void **state)
{
    struct lo_health *here = new_health(0, true);
    struct lo_shared_cell first, second;
    uint64_t sequence = 0, again = 0;

    (void)state;
    assert_true(attempt(here, candidate_of(1, 5, 1), NO_MONEY, NOW));
    assert_true(lo_health_export(here, (struct lo_clocks){NOW, WALL}, &sequence, &first));
    assert_true(lo_health_export(here, (struct lo_clocks){NOW, WALL + 3600000}, &again, &second));
    assert_int_equal(first.changed_ms, WALL);
    assert_int_equal(second.changed_ms, first.changed_ms);
    assert_int_equal(second.until_ms, first.until_ms + 3600000);
    lo_health_free(here);
}

static void a_row_that_nobody_wrote_is_refused(void **state)
{
    const struct lo_shared_cell good = {.id = {LO_SCOPE_KEY, 0, 1, 5},
                                        .until_ms = WALL + LO_HARD_MAX_MS + 1,
                                        .changed_ms = WALL + LO_HARD_MAX_MS,
                                        .closed_ms = 1,
                                        .streak = 1000,
                                        .reason = LO_REASON_KEY,
                                        .http_status = 999};
    struct lo_shared_cell row = good;

    (void)state;
    assert_true(lo_shared_take(&row, WALL));
    assert_int_equal(row.until_ms, WALL + LO_HARD_MAX_MS);
#define REFUSED(member, value)                                                                     \
    do {                                                                                           \
        row = good;                                                                                \
        row.member = (value);                                                                      \
        assert_false(lo_shared_take(&row, WALL));                                                  \
    } while (0)
    REFUSED(id.scope, LO_SCOPE_COUNT);
    REFUSED(reason, LO_REASON_COUNT);
    REFUSED(until_ms, -1);
    REFUSED(changed_ms, WALL + LO_HARD_MAX_MS + 1);
    REFUSED(changed_ms, -1);
    REFUSED(closed_ms, INT64_MAX);
    REFUSED(closed_ms, INT64_MIN);
    REFUSED(streak, 1001);
    REFUSED(http_status, -1);
    REFUSED(http_status, 1000);
    row = good;
    row.until_ms = 0;
    assert_true(lo_shared_take(&row, WALL));
    assert_int_equal(row.closed_ms, row.changed_ms);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_the_order_all_know_what_has_happened),
        cmocka_unit_test(a_clock_that_is_off_changes_no_order),
        cmocka_unit_test(a_clock_that_is_put_back_undoes_nothing),
        cmocka_unit_test(a_success_of_later_ends_what_another_has_met_before),
        cmocka_unit_test(what_is_over_before_others_hear_is_not_told),
        cmocka_unit_test(what_is_told_twice_is_dated_once),
        cmocka_unit_test(a_row_that_nobody_wrote_is_refused),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
