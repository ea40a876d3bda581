/* SPDX-License-Identifier: MIT */
/*
 * `price` of a model in llmgr.yaml: what it costs, and what it costs under conditions.
 *
 *     Chat:
 *       model_name: deepseek-chat
 *       price: {input: 0.27, output: 1.10, currency: USD,
 *               tiers: [{above: 200000, input: 0.54}, {service_tier: batch, output: 0.55}]}
 *
 * A tier has the rates that it does not name from the price it stands in. Rates stay texts here:
 * which decimals there are, and what conditions may say, is judged where prices are set.
 */
#include "base/error.h"
#include "config/file.h"
#include "config/file_meant.h"
#include "config/value.h"
#include "config/yaml.h"

enum {
    TEXT_MAX = 255, /* whoever sets prices judges it more narrowly */
    TIERS_MAX = 100 /* of one model */
};

static const char *const UNITS[] = {
#define UNIT(NAME, number, text, parent, per) [LLMGR_PRICE_UNIT_##NAME] = text,
    LLMGR_PRICE_UNIT_MAP(UNIT)
#undef UNIT
};

/* `what` is a msgid without a directive. */
static llmgr_status fail(const struct lc_file *file, const struct lc_node *node, struct lb_str name,
                         const char *what, struct llmgr_error *err)
{
    char text[LC_SHOWN_SIZE];

    return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: '%s' %s"), file->name, node->line,
                   node->column, lc_shown(name, text), lb_tr(what));
}

static llmgr_status take_text(struct lc_file *file, const struct lc_node *node, const char **out,
                              struct llmgr_error *err)
{
    struct lb_str text = lb_str_trim(node->text);

    if (node->kind != LC_NODE_SCALAR || lc_yaml_is_null(node))
        return fail(file, node, node->name, N_("must be a text"), err);
    if (!lb_utf8_name(text, TEXT_MAX))
        return fail(file, node, node->name, N_("is empty, too long, or holds a control character"),
                    err);
    llmgr_status status = lc_judge_plain(file->name, node, err);
    if (status != LLMGR_OK)
        return status;
    *out = lc_pool_str(&file->pool, text);
    return *out != NULL ? LLMGR_OK : lb_fail_memory(err);
}

/* A rate; *taken is false if the member is none. */
static llmgr_status take_rate(struct lc_file *file, const struct lc_node *node,
                              struct lc_price *price, bool *taken, struct llmgr_error *err)
{
    *taken = true;
    for (unsigned i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        if (lb_str_eq_c(node->name, UNITS[i]))
            return take_text(file, node, &price->rates[i], err);
    }
    *taken = false;
    return LLMGR_OK;
}

/* ---- Tiers ----------------------------------------------------------------------------------- */

static llmgr_status take_tier_member(struct lc_file *file, const struct lc_node *node,
                                     struct lc_price *tier, struct llmgr_error *err)
{
    bool is_rate;

    if (lb_str_eq_c(node->name, "above")) {
        if (node->kind == LC_NODE_SCALAR &&
            lb_str_to_i64(lb_str_trim(node->text), &tier->above_tokens) && tier->above_tokens > 0)
            return LLMGR_OK;
        return fail(file, node, node->name, N_("must be a number of prompt tokens, such as 200000"),
                    err);
    }
    if (lb_str_eq_c(node->name, "service_tier"))
        return take_text(file, node, &tier->service_tier, err);
    if (lb_str_eq_c(node->name, "hours"))
        return take_text(file, node, &tier->hours, err);
    if (lb_str_eq_c(node->name, "time_zone"))
        return take_text(file, node, &tier->time_zone, err);
    llmgr_status status = take_rate(file, node, tier, &is_rate, err);
    if (status != LLMGR_OK || is_rate)
        return status;
    return fail(file, node, node->name,
                N_("is no member of a tier; those are above, service_tier, hours, time_zone, and "
                   "rates such as input and output"),
                err);
}

static llmgr_status take_tier(struct lc_file *file, const struct lc_node *node,
                              struct lc_price *tier, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    tier->line = node->line;
    if (node->kind != LC_NODE_MAP)
        return fail(file, node, LB_STR("tiers"),
                    N_("must be a list of mappings, such as [{above: 200000, input: 0.54}]"), err);
    for (const struct lc_node *member = node->first; member != NULL && status == LLMGR_OK;
         member = member->next)
        status = take_tier_member(file, member, tier, err);
    if (status != LLMGR_OK)
        return status;
    if (tier->above_tokens == 0 && tier->service_tier == NULL && tier->hours == NULL)
        return fail(file, node, LB_STR("tiers"),
                    N_("has an entry that says neither above, service_tier nor hours"), err);
    return LLMGR_OK;
}

/* ---- Prices ---------------------------------------------------------------------------------- */

static llmgr_status take_member(struct lc_file *file, const struct lc_node *node,
                                struct lc_price *price, struct llmgr_error *err)
{
    bool is_rate;

    if (lb_str_eq_c(node->name, "tiers")) /* taken behind all others, which they start from */
        return LLMGR_OK;
    if (lb_str_eq_c(node->name, "currency"))
        return take_text(file, node, &price->currency, err);
    llmgr_status status = take_rate(file, node, price, &is_rate, err);
    if (status != LLMGR_OK || is_rate)
        return status;
    return fail(file, node, node->name,
                N_("is no member of a price; those are currency, tiers, and rates such as input "
                   "and output"),
                err);
}

static const struct lc_node *tiers_of(const struct lc_node *node)
{
    const struct lc_node *child = node->first;

    while (child != NULL && !lb_str_eq_c(child->name, "tiers"))
        child = child->next;
    return child;
}

llmgr_status lc_file_take_price(struct lc_file *file, const struct lc_node *node,
                                struct lc_model *model, struct llmgr_error *err)
{
    const struct lc_node *tiers = node->kind == LC_NODE_MAP ? tiers_of(node) : NULL;
    const size_t count = tiers != NULL ? tiers->count : 0;
    llmgr_status status = LLMGR_OK;

    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind != LC_NODE_MAP)
        return fail(file, node, node->name,
                    N_("must be a mapping, such as {input: 0.27, output: 1.10, currency: USD}"),
                    err);
    if (tiers != NULL && tiers->kind != LC_NODE_LIST)
        return fail(file, tiers, tiers->name,
                    N_("must be a list of mappings, such as [{above: 200000, input: 0.54}]"), err);
    if (count > TIERS_MAX)
        return fail(file, tiers, tiers->name, N_("has too many entries"), err);
    model->prices = lc_pool_alloc(&file->pool, count + 1, sizeof *model->prices);
    if (model->prices == NULL)
        return lb_fail_memory(err);
    model->prices[0] = (struct lc_price){.line = node->name_line};
    for (const struct lc_node *member = node->first; member != NULL && status == LLMGR_OK;
         member = member->next)
        status = take_member(file, member, &model->prices[0], err);
    model->price_count = 1;
    for (const struct lc_node *tier = count != 0 ? tiers->first : NULL;
         tier != NULL && status == LLMGR_OK; tier = tier->next) {
        struct lc_price *made = &model->prices[model->price_count++];
        *made = model->prices[0];
        status = take_tier(file, tier, made, err);
    }
    return status;
}
