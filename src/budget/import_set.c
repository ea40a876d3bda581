/* SPDX-License-Identifier: MIT */
/*
 * From offers to prices. An offer is taken for each platform that is its provider; two that match
 * the same under the same conditions are one if they say the same, and else the first counts. An
 * offer that can be no price of ours is named and left out, so that one bad row does not hold up
 * all the others.
 */
#include "budget/import_set.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/map.h"
#include "budget/import_bind.h"
#include "budget/import_read.h"
#include "budget/prices.h"
#include "manager/handle.h"

enum {
    CHANGES_FIRST = 64,
    KEY_MAX = 3 * 21 + LLMGR_PRICE_MODEL_MAX + LLMGR_PRICE_TIER_MAX + LLMGR_PRICE_HOURS_MAX +
              LLMGR_PRICE_TIME_ZONE_MAX + 8
};

/* Where a change comes from. */
struct origin {
    const struct lm_platform *platform; /* NULL: any */
    int64_t begins_ms;                  /* as the text says; 0: since ever */
};

struct importing {
    struct lm_manager *manager;
    const struct llmgr_price_import_options *options;
    struct lb_arena *arena;
    struct lq_reading reading;
    struct lq_bindings bindings;
    struct lb_map *seen; /* what each offer matches, with its change's index + 1 */
    struct lq_price_change *changes;
    struct origin *origins; /* of each change */
    size_t count;
    size_t room;
    int64_t now_ms;
    struct lb_str source;
};

static const struct lb_host *host_of(const struct importing *importing)
{
    return lm_host(importing->manager);
}

/* ---- What is asked for ----------------------------------------------------------------------- */

static llmgr_status begin(void *context, lq_form form, struct llmgr_error *err)
{
    struct importing *importing = context;
    const struct llmgr_price_import_options *options = importing->options;

    importing->source = lb_cstr(options->source != NULL ? options->source : lq_form_name(form));
    return lq_bind(importing->bindings.catalogue, form, options->maps, options->map_count,
                   importing->arena, &importing->bindings, err);
}

/* Is the offer's model one of that platform's? Prices of our own form may be patterns. */
static bool suits(const struct importing *importing, const struct lq_binding *binding,
                  struct lb_str model)
{
    return importing->options->all_models || importing->reading.form == LQ_FORM_OWN ||
           lq_binding_has(&importing->bindings, binding, model);
}

static bool wants(void *context, struct lb_str provider, struct lb_str model)
{
    struct importing *importing = context;
    bool wanted = provider.size == 0;

    for (size_t i = 0; i < importing->bindings.count; i++) {
        struct lq_binding *binding = &importing->bindings.items[i];
        if (!lb_str_eq(binding->provider, provider))
            continue;
        binding->met = true;
        wanted = wanted || suits(importing, binding, model);
    }
    return wanted;
}

/* ---- Offers become changes ------------------------------------------------------------------- */

static void note(struct importing *importing, struct lb_str model, const char *what)
{
    struct lq_text text = {.reading = &importing->reading, .model = model};

    lq_note_strange(&text, lb_cstr(what));
}

static bool grow(struct importing *importing)
{
    if (importing->count < importing->room)
        return true;
    size_t room = importing->room == 0 ? CHANGES_FIRST : importing->room * 2;
    struct lq_price_change *changes =
        lb_realloc_array(host_of(importing), importing->changes, room, sizeof *importing->changes);
    if (changes == NULL)
        return false;
    importing->changes = changes;
    struct origin *origins =
        lb_realloc_array(host_of(importing), importing->origins, room, sizeof *importing->origins);
    if (origins == NULL)
        return false;
    importing->origins = origins;
    importing->room = room;
    return true;
}

/* An empty slice needs no memory. */
static bool keep(struct importing *importing, struct lb_str *text)
{
    if (text->size != 0)
        *text = lb_arena_str(importing->arena, *text);
    return text->size == 0 || text->p != NULL;
}

static bool keep_all(struct importing *importing, struct lq_price_spec *spec)
{
    return keep(importing, &spec->model) && keep(importing, &spec->currency) &&
           keep(importing, &spec->service_tier) && keep(importing, &spec->hours) &&
           keep(importing, &spec->time_zone);
}

/* What a price matches and under which conditions, as one text. */
static struct lb_str key_of(const struct lq_price_spec *spec, char key[KEY_MAX])
{
    int size = snprintf(key, KEY_MAX, "%lld %lld %lld %.*s %.*s %.*s %.*s",
                        (long long)spec->platform_id, (long long)spec->above_tokens,
                        (long long)spec->from_ms, (int)spec->service_tier.size,
                        spec->service_tier.p, (int)spec->time_zone.size, spec->time_zone.p,
                        (int)spec->hours.size, spec->hours.p, (int)spec->model.size, spec->model.p);
    return lb_str(key, size < KEY_MAX ? (size_t)size : KEY_MAX - 1);
}

static bool says_the_same(const struct lq_price_spec *a, const struct lq_price_spec *b)
{
    return lb_str_eq(a->currency, b->currency) && a->until_ms == b->until_ms &&
           memcmp(a->rates, b->rates, sizeof a->rates) == 0;
}

/*
 * There is one for the same already. Of two that have begun the one that began later is in force;
 * of two that began at once the first counts.
 */
static llmgr_status add_again(struct importing *importing, size_t at, const struct origin *origin,
                              struct lq_price_spec *spec, struct llmgr_error *err)
{
    struct lq_price_change *change = &importing->changes[at];

    if (origin->begins_ms > importing->origins[at].begins_ms) {
        if (!keep_all(importing, spec))
            return lb_fail_memory(err);
        importing->origins[at] = *origin;
        change->spec = *spec;
    } else if (origin->begins_ms == importing->origins[at].begins_ms &&
               !says_the_same(&change->spec, spec)) {
        note(importing, spec->model, "a second price for the same");
    }
    return LLMGR_OK;
}

static llmgr_status add(struct importing *importing, const struct origin *origin,
                        struct lq_price_spec *spec, struct llmgr_error *err)
{
    char text[KEY_MAX];

    struct lb_str key = key_of(spec, text);
    const uintptr_t before = (uintptr_t)lb_map_get(importing->seen, key);
    if (before != 0)
        return add_again(importing, before - 1, origin, spec, err);
    if (!grow(importing) || !keep_all(importing, spec))
        return lb_fail_memory(err);
    importing->origins[importing->count] = *origin;
    importing->changes[importing->count++] = (struct lq_price_change){.spec = *spec};
    llmgr_status status =
        lb_map_put(importing->seen, key, (void *)(uintptr_t)importing->count, NULL);
    if (status == LLMGR_ERR_TOO_LARGE)
        return lb_fail(err, status, N_("there are more than %d prices"), LLMGR_PRICES_MAX);
    return status == LLMGR_OK ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status take_for(struct importing *importing, const struct lm_platform *platform,
                             const struct lq_offer *offer, struct llmgr_error *err)
{
    struct lq_price_spec spec = {
        .platform_id = platform != NULL ? platform->id : 0,
        .model = offer->model,
        .currency = offer->currency,
        .from_ms = offer->from_ms > importing->now_ms ? offer->from_ms : 0, /* what was, was */
        .until_ms = offer->until_ms,
        .above_tokens = offer->above_tokens,
        .service_tier = offer->service_tier,
        .hours = offer->hours,
        .time_zone = offer->time_zone,
        .source = importing->source,
    };
    const struct origin origin = {platform, offer->from_ms};
    struct llmgr_error why;

    memcpy(spec.rates, offer->rates, sizeof spec.rates);
    llmgr_status status = lq_price_judge(host_of(importing), importing->now_ms, &spec, &why);
    if (status == LLMGR_ERR_NO_MEMORY)
        return lb_fail_memory(err);
    if (status != LLMGR_OK) {
        note(importing, offer->model, why.message);
        return LLMGR_OK;
    }
    return add(importing, &origin, &spec, err);
}

static llmgr_status take(void *context, const struct lq_offer *offer, struct llmgr_error *err)
{
    struct importing *importing = context;
    llmgr_status status = LLMGR_OK;

    if (offer->until_ms != 0 && offer->until_ms <= importing->now_ms)
        return LLMGR_OK; /* it has ended */
    if (offer->provider.size == 0)
        return take_for(importing, NULL, offer, err);
    for (size_t i = 0; i < importing->bindings.count && status == LLMGR_OK; i++) {
        const struct lq_binding *binding = &importing->bindings.items[i];
        if (lb_str_eq(binding->provider, offer->provider) &&
            suits(importing, binding, offer->model))
            status = take_for(importing, binding->platform, offer, err);
    }
    return status;
}

/* A provider that the caller named and the text does not: most likely it is misspelt. */
static void note_unmet(struct importing *importing)
{
    for (size_t i = 0; i < importing->bindings.count; i++) {
        const struct lq_binding *binding = &importing->bindings.items[i];
        char what[LQ_IMPORT_STRANGE_NAME];
        if (!binding->said || binding->met)
            continue;
        snprintf(what, sizeof what, "no provider %.*s",
                 (int)lb_utf8_cut(binding->provider, LQ_IMPORT_STRANGE_NAME / 2),
                 binding->provider.p);
        note(importing, lb_str(NULL, 0), what);
    }
}

/* ---- The report ------------------------------------------------------------------------------ */

static const char *text_of(struct lb_str text)
{
    return text.size != 0 ? text.p : NULL;
}

static bool fill_item(const struct importing *importing, size_t i,
                      struct llmgr_price_import_item *item)
{
    const struct lq_price_change *change = &importing->changes[i];
    const struct lm_platform *platform = importing->origins[i].platform;
    struct llmgr_price price = {
        .price_id = change->price_id,
        .platform_id = change->spec.platform_id,
        .model = text_of(change->spec.model),
        .from_ms = change->spec.from_ms,
        .until_ms = change->spec.until_ms,
        .above_tokens = change->spec.above_tokens,
        .service_tier = text_of(change->spec.service_tier),
        .hours = text_of(change->spec.hours),
        .time_zone = text_of(change->spec.time_zone),
    };

    memcpy(price.rates, change->spec.rates, sizeof price.rates);
    price.currency = text_of(lb_arena_str(importing->arena, change->spec.currency));
    price.source = text_of(lb_arena_str(importing->arena, importing->source));
    *item = (struct llmgr_price_import_item){.result = (llmgr_price_import_result)change->result,
                                             .former_id = change->former_id};
    memcpy(item->former_rates, change->former_rates, sizeof item->former_rates);
    if (platform != NULL)
        price.platform_name = lb_arena_str(importing->arena, platform->name).p;
    if (change->former_id != 0)
        item->former_currency = lb_arena_strdup(importing->arena, change->former_currency);
    item->price = price;
    return price.currency != NULL && price.source != NULL &&
           (platform == NULL || price.platform_name != NULL) &&
           (change->former_id == 0 || item->former_currency != NULL);
}

static void count_result(struct llmgr_price_import_report *report, llmgr_price_import_result result)
{
    int64_t *const counts[] = {
        [LLMGR_PRICE_IMPORT_NEW] = &report->new_count,
        [LLMGR_PRICE_IMPORT_CHANGED] = &report->changed_count,
        [LLMGR_PRICE_IMPORT_SAME] = &report->same_count,
        [LLMGR_PRICE_IMPORT_KEPT] = &report->kept_count,
    };

    ++*counts[result];
}

static bool fill_strange(const struct importing *importing,
                         struct llmgr_price_import_report *report)
{
    const struct lq_reading *reading = &importing->reading;

    report->strange_count = reading->strange_count;
    report->strange_others = reading->strange_others;
    report->strange =
        lb_arena_calloc(importing->arena, reading->strange_count + 1, sizeof *report->strange);
    if (report->strange == NULL)
        return false;
    for (size_t i = 0; i < reading->strange_count; i++) {
        report->strange[i] = (struct llmgr_price_import_strange){
            .name = lb_arena_strdup(importing->arena, reading->strange[i].name),
            .model = lb_arena_strdup(importing->arena, reading->strange[i].model),
            .count = reading->strange[i].count,
        };
        if (report->strange[i].name == NULL || report->strange[i].model == NULL)
            return false;
    }
    return true;
}

static llmgr_status fill_report(const struct importing *importing,
                                struct llmgr_price_import_report *report, struct llmgr_error *err)
{
    report->form = lq_form_name(importing->reading.form);
    report->dry_run = importing->options->dry_run;
    report->model_count = importing->reading.models;
    report->taken_count = importing->reading.wanted;
    report->items = lb_arena_calloc(importing->arena, importing->count + 1, sizeof *report->items);
    if (report->items == NULL || !fill_strange(importing, report))
        return lb_fail_memory(err);
    for (; report->item_count < importing->count; report->item_count++) {
        struct llmgr_price_import_item *item = &report->items[report->item_count];
        if (!fill_item(importing, report->item_count, item))
            return lb_fail_memory(err);
        count_result(report, item->result);
    }
    return LLMGR_OK;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static llmgr_status set_all(struct importing *importing, struct lm_actor actor,
                            struct llmgr_error *err)
{
    const struct lq_prices_way way = {.replaces_hand = importing->options->replace_hand,
                                      .is_dry = importing->options->dry_run};

    return lq_prices_set(importing->manager, actor, importing->changes, importing->count,
                         importing->source, &way, NULL, NULL, err);
}

llmgr_status lq_import(struct lm_manager *manager, struct lm_actor actor, struct lb_str text,
                       const struct llmgr_price_import_options *options, struct lb_arena *arena,
                       struct llmgr_price_import_report *report, struct llmgr_error *err)
{
    const struct lb_host *host = lm_host(manager);

    if (!actor.is_operator)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN, N_("prices are the operator's to set"));
    struct importing *importing = lb_alloc(host, sizeof *importing);
    if (importing == NULL)
        return lb_fail_memory(err);
    *importing = (struct importing){.manager = manager,
                                    .options = options,
                                    .arena = arena,
                                    .now_ms = lb_now_ms(host),
                                    .seen = lb_map_new(host, LLMGR_PRICES_MAX)};
    importing->reading =
        (struct lq_reading){.context = importing, .begin = begin, .wants = wants, .take = take};
    struct lm_catalogue *catalogue = lm_catalogue_now(manager, NULL);
    importing->bindings.catalogue = catalogue;
    llmgr_status status = importing->seen != NULL ? LLMGR_OK : lb_fail_memory(err);
    if (status == LLMGR_OK)
        status = lq_read_prices(&importing->reading, host,
                                options->name != NULL ? options->name : "prices", text, err);
    if (status == LLMGR_OK) {
        note_unmet(importing);
        status = set_all(importing, actor, err);
    }
    if (status == LLMGR_OK)
        status = fill_report(importing, report, err);
    lm_catalogue_drop(catalogue);
    lb_map_free(importing->seen);
    lb_free(host, importing->origins);
    lb_free(host, importing->changes);
    lb_free(host, importing);
    return status;
}
