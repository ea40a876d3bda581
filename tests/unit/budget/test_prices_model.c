/* SPDX-License-Identifier: MIT */
/*
 * The rules of prices written down a second time, in the plainest way, and random prices that are
 * set and deleted at random moments, by hand and by imports; random attempts must then cost what
 * the second reading says: the price that decides, and the sum of what it has rates for.
 */
#include "fixture.h"

#include "base/mix.h"

enum { STEPS = 400, ASKED = 12, PRICES_MAX = 2 * STEPS };

struct row {
    struct lq_price_spec spec;
    int64_t id;
    int64_t from, until; /* INT64_MAX: no end */
};

struct world {
    struct pricing *p;
    uint64_t noise;
    struct row rows[PRICES_MAX];
    size_t count;
};

static const char *const NAMES[] = {"a", "ab", "abc", "b", "ba"};
static const char *const PATTERNS[] = {"a", "ab", "abc", "a*", "ab*", "*", "*a", "b*a"};
static const char *const TIERS[] = {"", "", "flex", "batch"};
static const char *const HOURS[] = {"", "", "08:00-20:00", "sat,sun 22:00-09:00"};
static const int64_t ABOVE[] = {0, 0, 100, 5000};
static const char *const SOURCES[] = {"hand", "litellm", "models.dev"};

static uint64_t draw(struct world *world, uint64_t limit)
{
    world->noise = lb_mix(world->noise);
    return lb_scale(world->noise, limit);
}

#define PICK(world, list) (list)[draw((world), sizeof(list) / sizeof *(list))]

/* ---- The second reading ---------------------------------------------------------------------- */

static bool same_match(const struct lq_price_spec *a, const struct lq_price_spec *b)
{
    return a->platform_id == b->platform_id && lb_str_eq(a->model, b->model) &&
           lb_str_eq(a->service_tier, b->service_tier) && lb_str_eq(a->hours, b->hours) &&
           a->above_tokens == b->above_tokens;
}

static bool by_hand(const struct lq_price_spec *spec)
{
    return lb_str_eq_c(spec->source, "hand");
}

/* What setting it should come to; the rows become so. */
static enum lq_price_result model_set(struct world *world, const struct lq_price_spec *spec,
                                      int64_t id)
{
    int64_t until = INT64_MAX;
    struct row *former = NULL;

    for (size_t i = 0; i < world->count; i++) {
        struct row *row = &world->rows[i];
        if (!same_match(&row->spec, spec) || row->until <= row->from || row->until <= spec->from_ms)
            continue;
        if (row->from <= spec->from_ms)
            former = row;
        else if (row->from < until)
            until = row->from;
    }
    if (former != NULL) {
        const bool is_same = memcmp(former->spec.rates, spec->rates, sizeof spec->rates) == 0 &&
                             by_hand(spec) == by_hand(&former->spec) && former->until == until;
        if (is_same)
            return LQ_PRICE_SAME;
        if (by_hand(&former->spec) && !by_hand(spec))
            return LQ_PRICE_KEPT;
        former->until = spec->from_ms;
    }
    world->rows[world->count++] = (struct row){*spec, id, spec->from_ms, until};
    return former != NULL ? LQ_PRICE_CHANGED : LQ_PRICE_NEW;
}

static bool model_matches(const char *pattern, const char *model)
{
    if (*pattern == '*')
        return model_matches(pattern + 1, model) ||
               (*model != '\0' && model_matches(pattern, model + 1));
    return *pattern == *model && (*model == '\0' || model_matches(pattern + 1, model + 1));
}

/* The hours are those of UTC. */
static bool model_hours(const char *hours, int64_t at)
{
    const int64_t hour = at / HOUR % 24;
    const int64_t weekday = (at / DAY + 4) % 7; /* 0: Sunday */

    if (*hours == '\0')
        return true;
    if (*hours == '0')
        return hour >= 8 && hour < 20;
    return hour >= 22 ? weekday == 6 || weekday == 0 : hour < 9 && (weekday == 0 || weekday == 1);
}

static bool model_holds(const struct row *row, const struct ll_usage *usage)
{
    const struct lq_price_spec *spec = &row->spec;

    return row->from <= usage->time_ms && usage->time_ms < row->until &&
           (spec->platform_id == 0 || spec->platform_id == usage->platform_id) &&
           model_matches(spec->model.p, usage->model_name.p) &&
           (spec->service_tier.size == 0 || lb_str_eq(spec->service_tier, usage->service_tier)) &&
           (spec->above_tokens == 0 || usage->prompt_tokens > spec->above_tokens) &&
           model_hours(spec->hours.p, usage->time_ms);
}

/* How special a price is, as one number: what counts more stands further left. */
static int64_t specialty(const struct lq_price_spec *spec)
{
    const bool is_exact = strchr(spec->model.p, '*') == NULL;

    return (spec->platform_id != 0) * INT64_C(100000000000) + is_exact * INT64_C(10000000000) +
           (is_exact ? 0 : (int64_t)spec->model.size * 100000000) +
           (spec->service_tier.size != 0) * INT64_C(10000000) +
           (spec->hours.size != 0) * INT64_C(1000000) + spec->above_tokens;
}

static const struct row *model_find(const struct world *world, const struct ll_usage *usage)
{
    const struct row *best = NULL;

    for (size_t i = 0; i < world->count; i++) {
        const struct row *row = &world->rows[i];
        if (model_holds(row, usage) &&
            (best == NULL || specialty(&row->spec) >= specialty(&best->spec)))
            best = row;
    }
    return best;
}

static int64_t or_else(int64_t rate, int64_t otherwise)
{
    return rate != LLMGR_UNSET ? rate : otherwise;
}

static int64_t known(int64_t count)
{
    return count > 0 ? count : 0;
}

/* Every unit by itself, in words; LL_UNKNOWN: a rate that is wanted is missing. */
static int64_t model_cost(const struct lq_price_spec *spec, const struct ll_usage *usage)
{
    const int64_t *r = spec->rates;
    const int64_t write_rate = or_else(r[U(CACHE_WRITE)], r[U(INPUT)]);
    const int64_t hour = known(usage->cache_write_1h_tokens);
    const int64_t written = known(usage->cache_write_tokens);
    const int64_t cached = known(usage->cached_tokens);
    const int64_t audio = known(usage->audio_input_tokens);
    const int64_t reasoning = known(usage->reasoning_tokens);
    const struct {
        int64_t count, rate;
    } parts[] = {
        {known(usage->prompt_tokens - cached - written - audio), r[U(INPUT)]},
        {cached, or_else(r[U(CACHED_INPUT)], r[U(INPUT)])},
        {known(written - hour), write_rate},
        {hour, or_else(r[U(CACHE_WRITE_1H)], write_rate)},
        {audio, or_else(r[U(AUDIO_INPUT)], r[U(INPUT)])},
        {known(usage->completion_tokens - reasoning), r[U(OUTPUT)]},
        {reasoning, or_else(r[U(REASONING)], r[U(OUTPUT)])},
        {1, or_else(r[U(REQUEST)], 0)},
        {known(usage->tool_calls), or_else(r[U(TOOL_CALL)], 0)},
    };
    int64_t pico = 0; /* the numbers of this test are small */

    if (r[U(IMAGE)] > 0 || r[U(SECOND)] > 0) /* nobody counts them */
        return LL_UNKNOWN;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].count != 0 && parts[i].rate == LLMGR_UNSET)
            return LL_UNKNOWN;
        pico += parts[i].count * parts[i].rate;
    }
    return pico / 1000 + (pico % 1000 >= 500);
}

/* ---- Both ------------------------------------------------------------------------------------ */

static struct lq_price_spec draw_spec(struct world *world)
{
    const int64_t platforms[] = {0, world->p->alpha, world->p->beta};
    struct lq_price_spec spec = {.platform_id = PICK(world, platforms),
                                 .model = lb_cstr(PICK(world, PATTERNS)),
                                 .service_tier = lb_cstr(PICK(world, TIERS)),
                                 .hours = lb_cstr(PICK(world, HOURS)),
                                 .above_tokens = PICK(world, ABOVE),
                                 .source = lb_cstr(PICK(world, SOURCES)),
                                 .from_ms = world->p->now};

    if (draw(world, 4) == 0)
        spec.from_ms += (int64_t)draw(world, 5) * DAY;
    for (int i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++)
        spec.rates[i] = draw(world, 3) == 0 ? (int64_t)draw(world, 1000000) : LLMGR_UNSET;
    spec.rates[U(INPUT)] = (int64_t)draw(world, 3) * 1234;
    return spec;
}

static struct ll_usage draw_attempt(struct world *world)
{
    struct ll_usage usage = attempt_of(
        world->p, draw(world, 2) == 0 ? world->p->alpha : world->p->beta, PICK(world, NAMES));

    usage.time_ms += (int64_t)draw(world, 6 * 24) * HOUR + (int64_t)draw(world, HOUR);
    usage.service_tier = lb_cstr(PICK(world, TIERS));
    usage.prompt_tokens = (int64_t)draw(world, 9000);
    usage.completion_tokens = (int64_t)draw(world, 4) * (int64_t)draw(world, 500);
    usage.cached_tokens = (int64_t)draw(world, 4000) - 1;
    usage.cache_write_tokens = draw(world, 2) == 0 ? LL_UNKNOWN : (int64_t)draw(world, 3000);
    if (usage.cache_write_tokens > 0)
        usage.cache_write_1h_tokens = (int64_t)draw(world, (uint64_t)usage.cache_write_tokens);
    usage.audio_input_tokens = draw(world, 2) == 0 ? LL_UNKNOWN : (int64_t)draw(world, 900);
    usage.reasoning_tokens = (int64_t)draw(world, 300) - 1;
    usage.tool_calls = (int64_t)draw(world, 3) - 1;
    return usage;
}

static void compare(struct world *world)
{
    struct ll_usage usage = draw_attempt(world);
    const struct row *row = model_find(world, &usage);
    const int64_t expected = row != NULL ? model_cost(&row->spec, &usage) : LL_UNKNOWN;

    (void)cost_of(world->p, &usage);
    if (usage.price_id != (row != NULL ? row->id : 0))
        fail_msg("%s at %lld: price %lld decides, not %lld", usage.model_name.p,
                 (long long)usage.time_ms, (long long)usage.price_id,
                 (long long)(row != NULL ? row->id : 0));
    if (usage.cost_nano != expected)
        fail_msg("price %lld: %lld, not %lld", (long long)usage.price_id,
                 (long long)usage.cost_nano, (long long)expected);
}

static void step(struct world *world)
{
    struct fixture *w = &world->p->base;

    world->p->now += (int64_t)draw(world, 3) * HOUR;
    if (draw(world, 5) == 0 && world->count != 0) {
        struct row *row = &world->rows[draw(world, world->count)];
        const bool is_over = row->until <= row->from || row->until <= world->p->now;
        WANT(is_over ? LLMGR_ERR_NOT_FOUND : LLMGR_OK,
             lq_price_delete(w->manager, operator_of(world->p), row->id, &w->err));
        if (!is_over)
            row->until = row->from > world->p->now ? row->from : world->p->now;
        return;
    }
    const struct lq_price_spec spec = draw_spec(world);
    const struct lq_price_change change = set(world->p, &spec);
    assert_int_equal(model_set(world, &spec, change.price_id), change.result);
}

static void random_prices_decide_and_cost_as_a_second_reading_says(void **state)
{
    struct world *world = calloc(1, sizeof *world);

    assert_non_null(world);
    world->p = *state;
    world->noise = 20261130;
    for (int i = 0; i < STEPS; i++) {
        step(world);
        for (int j = 0; j < ASKED; j++)
            compare(world);
    }
    free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(random_prices_decide_and_cost_as_a_second_reading_says,
                                        pricing_setup, pricing_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
