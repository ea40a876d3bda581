/* SPDX-License-Identifier: MIT */
/* The table as a whole: its bounds, times to first bytes, what is shown, and what nodes share. */
#include "cells.h"

#include <stdlib.h>

#include "base/mix.h"
#include "routing/budget.h"

enum { NOW = 1000000 };

/* ---- Bounds ---------------------------------------------------------------------------------- */

static void a_flood_of_cells_pushes_out_no_hard_one(void **state)
{
    struct lo_health *health = new_health(64, true);

    (void)state;
    for (uint64_t key = 1; key <= 8; key++)
        assert_true(attempt(health, candidate_of(1, key, 1), KEY_REFUSED, NOW));
    for (int64_t i = 0; i < 5000; i++) {
        struct lo_candidate own = candidate_of(1000 + i, 1, 3);
        own.is_own_key = own.is_own_platform = true;
        (void)attempt(health, own, KEY_REFUSED, NOW + i);
        (void)attempt(health, candidate_of(2, (uint64_t)i + 100, 1), LIMITED(40000), NOW + i * 100);
        (void)attempt(health, candidate_of(i + 9000, 1, 1), ANSWERED, NOW + i);
    }
    for (uint64_t key = 1; key <= 8; key++)
        assert_int_not_equal(shut_until(health, candidate_of(1, key, 1), NOW + 5000), 0);
    assert_true(lo_health_cooled(health) <= 64);
    /* The count of those that are cooled is right, whatever was pushed out. */
    struct lo_cell_view view;
    uint32_t at = 0, count = 0;
    while (lo_health_next(health, (struct lo_whose){true, candidate_of(1, 1, 3).user}, NOW, &at,
                          &view))
        count++;
    assert_int_equal(count, lo_health_cooled(health));
    lo_health_free(health);
}

static void what_is_soft_takes_no_hard_ones_place(void **state)
{
    struct lo_health *health = new_health(64, true);
    struct lo_cell_view view;
    uint32_t at = 0, count = 0;

    (void)state;
    for (uint64_t key = 1; key <= 1000; key++) /* there is room for none but them */
        (void)attempt(health, candidate_of(1, key, 1), KEY_REFUSED, NOW);
    for (uint64_t key = 1; key <= 1000; key++)
        (void)attempt(health, candidate_of(2, key, 1), LIMITED(90000), NOW + 11000 * (int64_t)key);
    while (lo_health_next(health, (struct lo_whose){.shared = true}, NOW, &at, &view))
        count += view.is_hard;
    assert_int_equal(count, 64);
    lo_health_free(health);
}

/* A user has as many dead keys of his own as he likes: what all share is cooled all the same. */
static void what_is_a_users_own_takes_no_shared_ones_place(void **state)
{
    struct lo_health *health = new_health(64, true);

    (void)state;
    for (uint64_t key = 1; key <= 1000; key++) {
        struct lo_candidate own = candidate_of(1, key, 3);
        own.is_own_key = own.is_own_platform = true;
        (void)attempt(health, own, KEY_REFUSED, NOW);
    }
    for (uint64_t key = 1; key <= 8; key++)
        (void)attempt(health, candidate_of((int64_t)key + 1, key, 1), LIMITED(90000), NOW);
    for (uint64_t key = 1001; key <= 2000; key++) {
        struct lo_candidate own = candidate_of(1, key, 3);
        own.is_own_key = own.is_own_platform = true;
        (void)attempt(health, own, KEY_REFUSED, NOW);
    }
    for (uint64_t key = 1; key <= 8; key++)
        assert_int_not_equal(shut_until(health, candidate_of((int64_t)key + 1, key, 1), NOW + 5000),
                             0);
    lo_health_free(health);
}

/* As nothing is known of it any more, or it was closed by hand. */
static void a_probe_may_come_too_late(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_whose whose = {.shared = true};
    struct lo_cell_id id = {LO_SCOPE_KEY, 0, 1, 5};

    (void)state;
    lo_health_probed(health, &id, LO_PROBED_WELL, NOW, NO_NOISE);
    lo_health_probed(health, &id, LO_PROBED_ILL, NOW, NO_NOISE);
    assert_int_equal(lo_health_cooled(health), 0);
    assert_true(attempt(health, candidate_of(1, 5, 1), KEY_REFUSED, NOW));
    assert_true(lo_health_take_due(health, NOW + LO_HARD_MS, &id));
    assert_false(lo_health_reset(health, whose, 0, NOW));
    assert_true(lo_health_reset(health, whose, lo_cell_number(&id), NOW));
    lo_health_probed(health, &id, LO_PROBED_ILL, NOW + LO_HARD_MS, NO_NOISE);
    lo_health_probed(health, &id, LO_PROBED_WELL, NOW + LO_HARD_MS, NO_NOISE);
    assert_int_equal(lo_health_cooled(health), 0);
    /* Another's word came meanwhile: its end is not moved by one of before. */
    assert_true(attempt(health, candidate_of(1, 5, 1), KEY_REFUSED, NOW));
    lo_health_probed(health, &id, LO_PROBED_ILL, NOW + 1, NO_NOISE);
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW + 1), NOW + LO_HARD_MS);
    lo_health_free(health);
}

static void *no_memory(size_t size, void *context)
{
    int *left = context;

    return (*left)-- > 0 ? malloc(size) : NULL;
}

static void *no_more(void *p, size_t size, void *context)
{
    (void)p;
    (void)size;
    (void)context;
    return NULL;
}

static void give_back(void *p, void *context)
{
    (void)context;
    free(p);
}

static void without_memory_there_is_no_table(void **state)
{
    const struct lo_health_options options = {.cells = 8};
    struct lb_host poor;

    (void)state;
    for (int left = 0; left < 2; left++) {
        int count = left;
        lb_host_init(&poor);
        poor.memory = (struct llmgr_allocator){no_memory, no_more, give_back, &count};
        assert_null(lo_health_new(&poor, &options));
        count = left;
        assert_null(lo_budget_new(&poor, 0));
    }
    lo_health_free(NULL);
    lo_budget_free(NULL);
}

/* ---- Times ----------------------------------------------------------------------------------- */

static void succeed_after(struct lo_health *health, int64_t first_byte, int64_t now)
{
    const struct lo_candidate one = candidate_of(1, 5, 1);
    struct lo_pass pass;
    struct lo_end end = {.candidate = &one,
                         .pass = &pass,
                         .verdict = ANSWERED,
                         .first_byte_ms = first_byte,
                         .now_ms = now};

    assert_true(lo_health_enter(health, &one, now, &pass, NULL));
    lo_health_end(health, &end);
}

static void the_time_to_the_first_byte_forgets(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate one = candidate_of(1, 5, 1);

    (void)state;
    assert_int_equal(lo_health_first_byte(health, &one, NOW), -1);
    succeed_after(health, -1, NOW);
    assert_int_equal(lo_health_first_byte(health, &one, NOW), -1);
    succeed_after(health, 1000, NOW);
    assert_int_equal(lo_health_first_byte(health, &one, NOW), 1000);
    succeed_after(health, 200, NOW + 1); /* just after: an eighth */
    assert_int_equal(lo_health_first_byte(health, &one, NOW + 1), 900);
    succeed_after(health, 100, NOW + 1 + LO_WINDOW_MS / 2); /* later: a half */
    assert_int_equal(lo_health_first_byte(health, &one, NOW + 1), 500);
    succeed_after(health, 40, NOW + 1 + 2 * LO_WINDOW_MS); /* the others are forgotten */
    assert_int_equal(lo_health_first_byte(health, &one, NOW + 1 + 2 * LO_WINDOW_MS), 40);
    assert_int_equal(lo_health_first_byte(health, &one, NOW + 1 + 3 * LO_WINDOW_MS + LO_STALE_MS),
                     -1);
    lo_health_free(health);
}

/* ---- Between nodes --------------------------------------------------------------------------- */

/* All that changed at `from` since *sequence, taken over by `to`, whose clock differs. */
static unsigned share(struct lo_health *from, struct lo_health *to, uint64_t *sequence, int64_t now)
{
    struct lo_shared_cell cell;
    unsigned count = 0;

    while (lo_health_export(from, (struct lo_clocks){now, now + 5000000}, sequence, &cell)) {
        lo_health_import(to, (struct lo_clocks){now + 77, now + 5000000}, &cell);
        count++;
    }
    return count;
}

static void hard_cells_and_retry_after_are_shared(void **state)
{
    struct lo_health *here = new_health(0, true), *there = new_health(0, true);
    uint64_t sequence = 0, back = 0;

    (void)state;
    assert_true(attempt(here, candidate_of(1, 5, 1), KEY_REFUSED, NOW));
    assert_true(attempt(here, candidate_of(2, 6, 1), LIMITED(40000), NOW));
    assert_true(attempt(here, candidate_of(3, 6, 1), LIMITED(-1), NOW)); /* no word of theirs */
    cool_softly(here, candidate_of(4, 7, 1), NOW);
    assert_int_equal(share(here, there, &sequence, NOW + 10), 2);
    assert_int_equal(share(here, there, &sequence, NOW + 10), 0);
    assert_int_equal(lo_health_cooled(there), 2);
    assert_int_equal(shut_until(there, candidate_of(1, 5, 2), NOW + 87), NOW + 77 + LO_HARD_MS);
    assert_int_equal(shut_until(there, candidate_of(2, 6, 2), NOW + 87), NOW + 77 + 42000);
    assert_int_equal(share(there, here, &back, NOW + 20), 0); /* what was taken over is no news */
    /* The probe's success is. */
    struct lo_cell_id id;
    assert_true(lo_health_take_due(here, NOW + LO_HARD_MS, &id));
    lo_health_probed(here, &id, LO_PROBED_WELL, NOW + LO_HARD_MS, NO_NOISE);
    assert_int_equal(share(here, there, &sequence, NOW + LO_HARD_MS), 1);
    assert_int_equal(shut_until(there, candidate_of(1, 5, 2), NOW + LO_HARD_MS), 0);
    lo_health_free(here);
    lo_health_free(there);
}

static void an_old_row_opens_and_cools_nothing(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_clocks clocks = {NOW, 5000000};
    struct lo_shared_cell cell = {
        .id = {LO_SCOPE_KEY, 0, 1, 5},
        .until_ms = 5000000 + LO_HARD_MS,
        .changed_ms = 4999000,
        .streak = 3,
        .reason = LO_REASON_KEY,
        .is_hard = true,
    };
    struct lo_shared_cell closing = cell;

    (void)state;
    lo_health_import(health, clocks, &cell);
    closing.until_ms = 0;
    closing.changed_ms = 4998000;
    lo_health_import(health, clocks, &closing); /* closed before it was cooled */
    assert_int_equal(lo_health_cooled(health), 1);
    closing.changed_ms = 4999500;
    lo_health_import(health, clocks, &closing);
    assert_int_equal(lo_health_cooled(health), 0);
    lo_health_import(health, clocks, &cell); /* cooled before it was closed */
    assert_int_equal(lo_health_cooled(health), 0);
    cell.changed_ms = 5000000;
    lo_health_import(health, clocks, &cell);
    assert_int_equal(lo_health_cooled(health), 1);
    cell.until_ms = 5000000 + 1000; /* the longer end holds */
    cell.changed_ms = 5000001;
    lo_health_import(health, clocks, &cell);
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW), NOW + LO_HARD_MS);
    /* What is dead there is dead here, though a limit would last longer. */
    assert_true(attempt(health, candidate_of(1, 8, 1), LIMITED(LO_HARD_MS * 2), NOW));
    struct lo_shared_cell unpaid = cell;
    unpaid.id = (struct lo_cell_id){LO_SCOPE_ACCOUNT, 0, 1, 1008};
    unpaid.changed_ms = 5000002;
    lo_health_import(health, clocks, &unpaid);
    assert_true(shut_until(health, candidate_of(1, 8, 1), NOW) >= NOW + LO_HARD_MS * 2);
    assert_false(attempt(health, candidate_of(1, 8, 1), ANSWERED, NOW + LO_HARD_MS * 4));
    unpaid.is_hard = false; /* and stays so */
    unpaid.until_ms = 5000000 + 4 * LO_HARD_MS;
    lo_health_import(health, clocks, &unpaid);
    assert_false(attempt(health, candidate_of(1, 8, 1), ANSWERED, NOW + LO_HARD_MS * 8));
    /* A limit that is over says nothing; a key that is dead still waits for its probe. */
    cell.id.item = 6;
    cell.until_ms = 4000000;
    lo_health_import(health, clocks, &cell);
    assert_false(attempt(health, candidate_of(1, 6, 1), ANSWERED, NOW + 1));
    cell.id.item = 7;
    cell.is_hard = false;
    lo_health_import(health, clocks, &cell);
    assert_true(attempt(health, candidate_of(1, 7, 1), ANSWERED, NOW + 1));
    lo_health_free(health);
}

static void a_row_that_is_none_is_no_cell(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_clocks clocks = {NOW, 5000000};
    const struct lo_shared_cell good = {
        .id = {LO_SCOPE_KEY, 0, 1, 5},
        .until_ms = INT64_MAX,
        .changed_ms = 4999000,
        .reason = LO_REASON_KEY,
    };
    struct lo_shared_cell bad = good;

    (void)state;
    bad.id.scope = LO_SCOPE_COUNT;
    lo_health_import(health, clocks, &bad);
    bad = good;
    bad.reason = LO_REASON_COUNT;
    lo_health_import(health, clocks, &bad);
    bad = good;
    bad.until_ms = -1;
    lo_health_import(health, clocks, &bad);
    assert_int_equal(lo_health_cooled(health), 0);
    lo_health_import(health, clocks, &good); /* not for longer than a day */
    assert_int_equal(shut_until(health, candidate_of(1, 5, 1), NOW), NOW + LO_HARD_MAX_MS);
    lo_health_free(health);
}

static void what_is_shown_is_what_is_known(void **state)
{
    struct lo_health *health = new_health(0, true);
    struct lo_verdict limited = LIMITED(30000);
    struct lo_cell_view view;
    uint32_t at = 0;

    (void)state;
    limited.http_status = 429;
    assert_true(attempt(health, candidate_of(1, 5, 1), limited, NOW));
    assert_true(lo_health_next(health, (struct lo_whose){.shared = true}, NOW + 1, &at, &view));
    assert_int_equal(view.id.scope, LO_SCOPE_ACCOUNT);
    assert_int_equal(view.id.platform_id, 1);
    assert_int_equal(view.id.item, 1005);
    assert_int_equal(view.number, lo_cell_number(&view.id));
    assert_int_equal(view.state, LO_CELL_COOLED);
    assert_int_equal(view.since_ms, NOW);
    assert_int_equal(view.until_ms, NOW + 31500);
    assert_int_equal(view.reason, LO_REASON_LIMIT);
    assert_int_equal(view.http_status, 429);
    assert_int_equal(view.streak, 1);
    assert_false(view.is_hard);
    at = 0;
    assert_true(lo_health_next(health, (struct lo_whose){.shared = true}, NOW + 99000, &at, &view));
    assert_int_equal(view.state, LO_CELL_HALF_OPEN);
    assert_string_equal(lo_scope_name(view.id.scope), "account");
    lo_health_free(health);
}

/* Who knows how numbers are made makes an id whose number is that of a cell that others share. */
static void ids_of_one_number_are_two_cells(void **state)
{
    struct lo_health *health = new_health(0, true);
    const struct lo_candidate shared = candidate_of(1, 5, 1);
    struct lo_candidate forged = candidate_of(1, 6, 3);
    struct lo_cell_view view;
    uint32_t at = 0;

    (void)state;
    forged.is_own_model = true;
    forged.model_id = (int64_t)((uint64_t)shared.model_id ^ forged.user * LB_GOLDEN);
    const struct lo_cell_id theirs = lo_cell_id(&shared, LO_SCOPE_MODEL);
    const struct lo_cell_id own = lo_cell_id(&forged, LO_SCOPE_MODEL);
    const uint64_t number = lo_cell_number(&theirs);
    assert_int_equal(lo_cell_number(&own), number);
    assert_int_not_equal(own.owner, 0);
    /* What he does wrong there stays his, before there is a cell of theirs and after. */
    cool_softly(health, forged, NOW);
    assert_int_not_equal(shut_until(health, forged, NOW + 2000), 0);
    assert_int_equal(shut_until(health, shared, NOW + 2000), 0);
    assert_true(attempt(health, shared, ANSWERED, NOW + 2000));
    assert_int_equal(lo_health_first_byte(health, &forged, NOW + 2000), -1);
    assert_int_equal(lo_health_first_byte(health, &shared, NOW + 2000), 100);
    cool_softly(health, shared, NOW + 3000);
    assert_int_equal(lo_health_cooled(health), 2);
    /* He sees and closes his. */
    const struct lo_whose his = {.owner = forged.user};
    assert_true(lo_health_next(health, his, NOW + 4000, &at, &view));
    assert_int_equal(view.id.owner, forged.user);
    assert_false(lo_health_next(health, his, NOW + 4000, &at, &view));
    assert_true(lo_health_reset(health, his, number, NOW + 4000));
    assert_false(lo_health_reset(health, his, number, NOW + 4000));
    assert_int_equal(shut_until(health, forged, NOW + 4000), 0);
    assert_int_not_equal(shut_until(health, shared, NOW + 4000), 0);
    lo_health_free(health);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_of_cells_pushes_out_no_hard_one),
        cmocka_unit_test(what_is_soft_takes_no_hard_ones_place),
        cmocka_unit_test(what_is_a_users_own_takes_no_shared_ones_place),
        cmocka_unit_test(a_probe_may_come_too_late),
        cmocka_unit_test(without_memory_there_is_no_table),
        cmocka_unit_test(the_time_to_the_first_byte_forgets),
        cmocka_unit_test(hard_cells_and_retry_after_are_shared),
        cmocka_unit_test(an_old_row_opens_and_cools_nothing),
        cmocka_unit_test(a_row_that_is_none_is_no_cell),
        cmocka_unit_test(what_is_shown_is_what_is_known),
        cmocka_unit_test(ids_of_one_number_are_two_cells),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
