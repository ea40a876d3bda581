/* SPDX-License-Identifier: MIT */
/* A manager with two system platforms, a clock that tests set, and short forms of prices. */
#ifndef TESTS_BUDGET_FIXTURE_H
#define TESTS_BUDGET_FIXTURE_H

#include "../manager/fixture.h"
#include "budget/book.h"
#include "budget/prices.h"
#include "budget/unit.h"
#include "ledger/ledger.h"

#define U(name) LLMGR_PRICE_UNIT_##name

enum { DAY = 24 * 3600 * 1000, HOUR = 3600 * 1000 };
static const int64_t T0 = 1800000000000; /* 2027-01-15T08:00Z, a Friday */

struct pricing {
    struct fixture base; /* first: what takes a fixture takes this */
    int64_t now;
    int64_t alpha; /* platforms */
    int64_t beta;
    size_t ended;
    size_t failed;
};

static inline int64_t pricing_clock(void *context)
{
    const struct pricing *p = context;

    return p->now;
}

static inline int64_t pricing_platform(struct pricing *p, const char *name)
{
    char sql[128];

    snprintf(sql, sizeof sql, "SELECT id FROM llm_platforms WHERE name = '%s'", name);
    return db_number(&p->base.db, sql);
}

static inline int pricing_setup(void **state)
{
    static const struct conf rows[] = {
        {"Alpha", "https://a.example/v1", "sk-a", "One", "m-1", NULL, LLMGR_MODEL_UNKNOWN},
        {"Beta", "https://b.example/v1", "sk-b", "Two", "m-2", NULL, LLMGR_MODEL_UNKNOWN}};
    struct pricing *p = calloc(1, sizeof *p);

    assert_non_null(p);
    fixture_setup(&p->base);
    p->now = T0;
    p->base.host.clock = pricing_clock;
    p->base.host.clock_context = p;
    fixture_sync(&p->base, rows, 2);
    p->alpha = pricing_platform(p, "Alpha");
    p->beta = pricing_platform(p, "Beta");
    *state = p;
    return 0;
}

static inline int pricing_teardown(void **state)
{
    fixture_teardown(&((struct pricing *)*state)->base);
    free(*state);
    return 0;
}

static inline struct lm_actor operator_of(const struct pricing *p)
{
    return lm_actor_of(p->base.manager, S(LLMGR_SYSTEM_USER));
}

/* A price of input alone. */
static inline struct lq_price_spec spec_of(int64_t platform_id, const char *model, int64_t input,
                                           const char *source)
{
    struct lq_price_spec spec = {
        .platform_id = platform_id, .model = lb_cstr(model), .source = lb_cstr(source)};

    lq_rates_clear(spec.rates);
    spec.rates[U(INPUT)] = input;
    return spec;
}

static inline llmgr_status try_set(struct pricing *p, const struct lq_price_spec *spec,
                                   struct lq_price_change *change)
{
    static const struct lq_prices_way way = {0};

    *change = (struct lq_price_change){.spec = *spec};
    return lq_prices_set(p->base.manager, operator_of(p), change, 1, spec->source, &way, &p->ended,
                         &p->failed, &p->base.err);
}

/* Sets it, and says what became of it. */
static inline struct lq_price_change set(struct pricing *p, const struct lq_price_spec *spec)
{
    struct fixture *w = &p->base;
    struct lq_price_change change;

    WANT(LLMGR_OK, try_set(p, spec, &change));
    return change;
}

/* An attempt of 1000 prompt tokens and no answer, now. */
static inline struct ll_usage attempt_of(const struct pricing *p, int64_t platform_id,
                                         const char *model)
{
    struct ll_usage usage;

    ll_usage_init(&usage);
    usage.time_ms = p->now;
    usage.platform_id = platform_id;
    usage.model_name = lb_cstr(model);
    usage.prompt_tokens = 1000;
    usage.completion_tokens = 0;
    usage.upstream_status = 200;
    return usage;
}

/* What it costs by the prices that the manager knows; LL_UNKNOWN: unpriced. */
static inline int64_t cost_of(struct pricing *p, struct ll_usage *usage)
{
    struct lq_book *book = lq_book_now(p->base.manager);

    lq_price_usage(book, usage);
    lq_book_drop(book);
    return usage->cost_nano;
}

static inline int64_t costs(struct pricing *p, int64_t platform_id, const char *model)
{
    struct ll_usage usage = attempt_of(p, platform_id, model);

    return cost_of(p, &usage);
}

#endif
