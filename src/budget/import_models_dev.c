/* SPDX-License-Identifier: MIT */
/*
 * models.dev's api.json, in USD per million tokens:
 *
 *     {"deepseek": {"models": {"deepseek-chat": {"cost": {"input": 0.27, "output": 1.1, "tiers":
 *         [{"input": 0.54, "tier": {"type": "context", "size": 200000}}]}}}}}
 *
 * A tier holds for the whole request above so many tokens of the prompt. It says its rates itself:
 * one that it leaves out is what the tokens are part of, the input or the output.
 */
#include "budget/import_read.h"

#include "base/error.h"

enum { PER = 1000000, OLD_TIER = 200000 };

static const struct {
    const char *name;
    llmgr_price_unit unit;
} RATES[] = {
    {"input", LLMGR_PRICE_UNIT_INPUT},
    {"output", LLMGR_PRICE_UNIT_OUTPUT},
    {"reasoning", LLMGR_PRICE_UNIT_REASONING},
    {"cache_read", LLMGR_PRICE_UNIT_CACHED_INPUT},
    {"cache_write", LLMGR_PRICE_UNIT_CACHE_WRITE},
    {"input_audio", LLMGR_PRICE_UNIT_AUDIO_INPUT},
    {"output_audio", LLMGR_PRICE_UNIT_AUDIO_OUTPUT},
};
enum { RATE_COUNT = sizeof RATES / sizeof *RATES };

/* The members of `cost` that are no rates. */
struct tiers {
    struct lj_span list; /* tiers; size 0: there are none */
    struct lj_span old;  /* context_over_200k, of the time before them */
};

static bool put_rate(const struct lq_text *text, const struct lj_member *member, int64_t *cells)
{
    for (size_t i = 0; i < RATE_COUNT; i++) {
        if (lb_str_eq_c(member->name, RATES[i].name)) {
            lq_rate(text, member->value, PER, member->name, &cells[RATES[i].unit]);
            return true;
        }
    }
    return false;
}

static void read_cost(const struct lq_text *text, struct lj_span value, int64_t *cells,
                      struct tiers *tiers)
{
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text->text, value.at, 4);
    while (lj_walk_next(&walk, &member)) {
        if (put_rate(text, &member, cells))
            continue;
        if (tiers != NULL && lb_str_eq_c(member.name, "tiers"))
            tiers->list = member.value;
        else if (tiers != NULL && lb_str_eq_c(member.name, "context_over_200k"))
            tiers->old = member.value;
        else if ((tiers != NULL || !lb_str_eq_c(member.name, "tier")) &&
                 !lq_is_nothing(text, member.value))
            lq_note_strange(text, member.name);
    }
}

/* {"type": "context", "size": 200000} */
static bool read_size(const struct lq_text *text, struct lj_span value, int64_t *above)
{
    struct lj_member member;
    struct lj_walk walk;
    bool sized = false;
    bool typed = false;
    char buf[16];

    lj_walk_start(&walk, text->text, value.at, 6);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "type"))
            typed = lb_str_eq_c(lq_string(text, member.value, buf, sizeof buf), "context");
        else if (lb_str_eq_c(member.name, "size"))
            sized = lq_count(text, member.value, above) && *above > 0;
    }
    return typed && sized && walk.why == NULL;
}

static bool find_size(const struct lq_text *text, struct lj_span tier, int64_t *above)
{
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text->text, tier.at, 5);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "tier"))
            return read_size(text, member.value, above);
    }
    return false;
}

static void read_tier(const struct lq_text *text, struct lj_span tier, int64_t above,
                      struct lq_grid *grid)
{
    int64_t *cells = lq_kind(text, tier) == '{' ? lq_grid_alone(grid, above) : NULL;

    if (cells == NULL)
        lq_note_strange(text, LB_STR("tiers"));
    else
        read_cost(text, tier, cells, NULL);
}

static void read_tiers(const struct lq_text *text, struct lj_span list, struct lq_grid *grid)
{
    struct lj_span tier;
    struct lj_walk walk;
    int64_t above;

    lj_list_start(&walk, text->text, list.at, 5);
    while (lj_list_next(&walk, &tier)) {
        if (find_size(text, tier, &above))
            read_tier(text, tier, above, grid);
        else
            lq_note_strange(text, LB_STR("tiers"));
    }
    if (walk.why != NULL)
        lq_note_strange(text, LB_STR("tiers"));
}

static void read_all_tiers(const struct lq_text *text, const struct tiers *tiers,
                           struct lq_grid *grid)
{
    if (tiers->list.size != 0 && !lq_is_nothing(text, tiers->list))
        read_tiers(text, tiers->list, grid);
    else if (tiers->old.size != 0 && !lq_is_nothing(text, tiers->old))
        read_tier(text, tiers->old, OLD_TIER, grid);
}

static bool find_cost(const struct lq_text *text, struct lj_span model, struct lj_span *cost)
{
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text->text, model.at, 4);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "cost")) {
            *cost = member.value;
            return lq_kind(text, *cost) == '{';
        }
    }
    return false;
}

/* `text->model` is its name. */
static llmgr_status read_model(const struct lq_text *text, struct lb_str provider,
                               struct lj_span value, struct llmgr_error *err)
{
    struct lq_offer offer = {.provider = provider, .model = text->model, .currency = LB_STR("USD")};
    struct tiers tiers = {0};
    struct lq_grid grid;
    struct lj_span cost;

    text->reading->models++;
    if (!text->reading->wants(text->reading->context, provider, text->model))
        return LLMGR_OK;
    text->reading->wanted++;
    if (!find_cost(text, value, &cost)) {
        lq_note_strange(text, LB_STR("no cost"));
        return LLMGR_OK;
    }
    lq_grid_init(&grid);
    read_cost(text, cost, lq_grid_at(&grid, 0, LB_STR("")), &tiers);
    read_all_tiers(text, &tiers, &grid);
    return lq_grid_hand_out(text, &grid, &offer, err);
}

static llmgr_status read_models(const struct lq_text *text, struct lb_str provider,
                                struct lj_span models, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text->text, models.at, 3);
    while (status == LLMGR_OK && lj_walk_next(&walk, &member)) {
        char buf[LQ_IMPORT_NAME_MAX];
        struct lq_text model = *text;
        model.model = lq_member_name(&member, buf, sizeof buf);
        if (model.model.p == NULL)
            lq_note_strange(text, LB_STR("a model's name"));
        else
            status = read_model(&model, provider, member.value, err);
    }
    return status;
}

/* A provider: of its members only the models are ours. */
static llmgr_status read_provider(const struct lq_text *text, const struct lj_member *provider,
                                  struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    char buf[LQ_IMPORT_NAME_MAX];
    struct lj_member member;
    struct lj_walk walk;

    struct lb_str name = lq_member_name(provider, buf, sizeof buf);
    if (lq_kind(text, provider->value) != '{' || name.p == NULL) {
        lq_note_strange(text, LB_STR("a provider that is no object"));
        return LLMGR_OK;
    }
    lj_walk_start(&walk, text->text, provider->value.at, 2);
    while (status == LLMGR_OK && lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, "models") && lq_kind(text, member.value) == '{')
            status = read_models(text, name, member.value, err);
    }
    return status;
}

llmgr_status lq_read_models_dev(const struct lq_text *text, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text->text, lj_scan_space(text->text.p, 0, text->text.size), 1);
    while (status == LLMGR_OK && lj_walk_next(&walk, &member))
        status = read_provider(text, &member, err);
    return status;
}
