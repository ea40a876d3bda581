/* SPDX-License-Identifier: MIT */
/*
 * What routing costs a request whose targets are healthy, in ns of the thread: the choice of a
 * target among 3 and among 1 000 in each way, the choice of a key among 1 and among 100, and all
 * that a request through a route of three asks of routing, from begin to end.
 *
 *     routing [ROUNDS]    100 000 by default
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/host.h"
#include "manager/route_targets.h"
#include "routing/budget.h"
#include "routing/pick.h"

enum { TARGETS = LLMGR_ROUTE_TARGETS_MAX, KEYS = 100, ROUNDS = 100 * 1000, NOW = 1000000 };

static struct lm_route_target targets[TARGETS];
static struct lo_key keys[KEYS];
static struct lo_health *health;
static struct lo_budget *budget;
static volatile uint32_t sink;
static uint32_t few = 3, all = TARGETS;

static const struct lo_candidate CANDIDATE = {
    .platform_id = 1, .model_id = 2, .account_id = 3, .key_id = 4, .user = 5};

static int64_t first_byte(void *context, uint32_t index)
{
    struct lo_candidate candidate = CANDIDATE;

    (void)context;
    candidate.model_id = index;
    return lo_health_first_byte(health, &candidate, NOW);
}

static uint32_t target_at(void *context, uint64_t point)
{
    const struct lm_route route = {.targets = targets, .count = *(const uint32_t *)context};

    return lm_route_target_at(&route, point);
}

static struct lo_walk_options options_of(uint32_t count, llmgr_pick pick, uint64_t n)
{
    return (struct lo_walk_options){.count = count,
                                    .weights = targets[count - 1].weight_to,
                                    .target_at = target_at,
                                    .context = count == TARGETS ? &all : &few,
                                    .pick = pick,
                                    .sequence = n,
                                    .noise = n * 77,
                                    .attempts = 3,
                                    .first_byte = first_byte};
}

static void pick_target(uint32_t count, llmgr_pick pick, bool sticky, uint64_t n)
{
    struct lo_walk_options options = options_of(count, pick, n);
    struct lo_walk walk;
    uint32_t index = 0;

    options.sticky = sticky ? n + 1 : 0;
    lo_walk_begin(&walk, &options);
    (void)lo_walk_next(&walk, NOW, &index);
    sink = index;
}

static void pick_key(uint32_t count, bool sticky, uint64_t n)
{
    struct lo_walk_options options = options_of(1, LLMGR_PICK_ORDER, n);
    struct lo_walk walk;
    struct lo_cooled why;

    options.sticky = sticky ? n + 1 : 0;
    lo_walk_begin(&walk, &options);
    sink = lo_walk_choose_key(&walk, health, &CANDIDATE, keys, count, LO_KEYS_BY_WEIGHT, NOW, &why);
}

static void whole_way(uint64_t n)
{
    struct lo_walk_options options =
        options_of(3, LLMGR_PICK_ORDER, lo_budget_begin(budget, 7, NOW + (int64_t)n));
    struct lo_end end = {.candidate = &CANDIDATE, .first_byte_ms = 100, .now_ms = NOW + (int64_t)n};
    struct lo_walk walk;
    struct lo_pass pass;
    struct lo_cooled why;
    uint32_t index = 0;

    lo_walk_begin(&walk, &options);
    if (!lo_walk_next(&walk, end.now_ms, &index) ||
        lo_walk_choose_key(&walk, health, &CANDIDATE, keys, 1, LO_KEYS_BY_WEIGHT, end.now_ms,
                           &why) != 0 ||
        !lo_health_enter(health, &CANDIDATE, end.now_ms, &pass, &why))
        abort();
    lo_walk_try(&walk, &CANDIDATE);
    end.pass = &pass;
    lo_health_end(health, &end);
}

static double ns_of(uint64_t rounds, void (*one)(uint64_t n, unsigned kind), unsigned kind)
{
    int64_t began;

    one(0, kind);
    began = lb_thread_ns();
    for (uint64_t n = 0; n < rounds; n++)
        one(n, kind);
    return (double)(lb_thread_ns() - began) / (double)rounds;
}

static const struct {
    const char *name;
    llmgr_pick pick;
    bool sticky;
} PICKS[] = {
    {"order", LLMGR_PICK_ORDER, false},
    {"weight", LLMGR_PICK_WEIGHT, false},
    {"weight, sticky", LLMGR_PICK_WEIGHT, true},
    {"fastest", LLMGR_PICK_FASTEST, false},
};

static void one_of_few(uint64_t n, unsigned kind)
{
    pick_target(3, PICKS[kind].pick, PICKS[kind].sticky, n);
}

static void one_of_many(uint64_t n, unsigned kind)
{
    pick_target(TARGETS, PICKS[kind].pick, PICKS[kind].sticky, n);
}

static void one_key(uint64_t n, unsigned kind)
{
    pick_key(kind / 2 == 0 ? 1 : KEYS, kind % 2 != 0, n);
}

static void the_way(uint64_t n, unsigned kind)
{
    (void)kind;
    whole_way(n);
}

int main(int argc, char **argv)
{
    const uint64_t rounds = argc > 1 ? strtoull(argv[1], NULL, 10) : ROUNDS;
    const struct lo_health_options health_options = {.probes_itself = true};
    struct lb_host host;

    lb_host_init(&host);
    health = lo_health_new(&host, &health_options);
    budget = lo_budget_new(&host, 0);
    if (health == NULL || budget == NULL)
        return 1;
    for (uint32_t i = 0; i < TARGETS; i++)
        targets[i].weight_to = i + 1;
    for (uint32_t i = 0; i < KEYS; i++)
        keys[i] = (struct lo_key){.id = i + 1, .account = i + 1, .weight = 1};
    printf("routing: %llu rounds\n", (unsigned long long)rounds);
    for (unsigned kind = 0; kind < sizeof PICKS / sizeof PICKS[0]; kind++) {
        double one = ns_of(rounds, one_of_few, kind), many = ns_of(rounds, one_of_many, kind);
        printf("  target by %-16s 3: %5.0f ns   1 000: %5.0f ns, %.2f times\n", PICKS[kind].name,
               one, many, many / one);
    }
    for (unsigned kind = 0; kind < 2; kind++)
        printf("  key %-22s 1: %5.0f ns     100: %5.0f ns\n", kind == 0 ? "by weight" : "sticky",
               ns_of(rounds, one_key, kind), ns_of(rounds, one_key, kind + 2));
    printf("  all of a calm request       %5.0f ns\n", ns_of(rounds, the_way, 0));
    lo_budget_free(budget);
    lo_health_free(health);
    return 0;
}
