/* SPDX-License-Identifier: MIT */
/* The forms of a route: its name, the words of its policy, its bounds, and its targets. */
#include "base/error.h"
#include "base/map.h"
#include "config/value.h"
#include "manager/routes.h"
#include "manager/rules.h"

/* ---- Words ----------------------------------------------------------------------------------- */

/* "order, weight, fastest" of "order|weight|fastest". */
static const char *listed(const char *names, char text[80])
{
    size_t size = 0;

    for (; *names != '\0' && size + 3 < 80; names++) {
        text[size++] = *names != '|' ? *names : ',';
        if (*names == '|')
            text[size++] = ' ';
    }
    text[size] = '\0';
    return text;
}

static llmgr_status judge_word(const char *member, struct lb_str word, const char *names,
                               int *number, struct llmgr_error *err)
{
    char shown[LC_SHOWN_SIZE], known[80];

    if (lc_parse_choice(word, names, number))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' is no %s of a route; give one of: %s"),
                   lc_shown(word, shown), member, listed(names, known));
}

static llmgr_status judge_pick(struct lb_str word, int *pick, struct llmgr_error *err)
{
    if (lb_str_eq_c(word, "cheapest"))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the cheapest target cannot be picked yet, since no prices are known "
                          "here; give order, weight or fastest"));
    return judge_word("pick", word, LB_NAMES(LLMGR_PICK_MAP), pick, err);
}

llmgr_status lm_rule_words(const char *pick, int *pick_number, const char *sticky,
                           int *sticky_number, const char *exhausted, int *exhausted_number,
                           struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    if (pick != NULL)
        status = judge_pick(lb_cstr(pick), pick_number, err);
    if (status == LLMGR_OK && sticky != NULL)
        status =
            judge_word("sticky", lb_cstr(sticky), LB_NAMES(LLMGR_STICKY_MAP), sticky_number, err);
    if (status == LLMGR_OK && exhausted != NULL)
        status = judge_word("on_exhausted", lb_cstr(exhausted), LB_NAMES(LLMGR_EXHAUSTED_MAP),
                            exhausted_number, err);
    return status;
}

/* ---- Targets --------------------------------------------------------------------------------- */

/* One target, and its place among those of the route, from 1. */
struct target {
    const struct llmgr_route_target *given;
    struct lb_str model;
    size_t at;
    char shown[LC_SHOWN_SIZE];
};

static llmgr_status judge_model(struct target *target, struct llmgr_error *err)
{
    struct llmgr_error inner = {0};
    struct lb_str model = target->model;
    size_t slash = lb_str_find(model, '/');

    if (lm_rule_name(model, LM_NAME_ROUTE_TARGET, &inner) != LLMGR_OK)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("target %zu of the route: %s"), target->at,
                       inner.message);
    if (slash == 0 || slash + 1 >= model.size)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("target %zu of the route, '%s', is no PLATFORM/MODEL; a target is a "
                          "model of a platform, never another route, a slot or an alias"),
                       target->at, target->shown);
    return LLMGR_OK;
}

static llmgr_status judge_numbers(const struct target *target, struct llmgr_error *err)
{
    const struct llmgr_route_target *given = target->given;

    if (given->weight < 1 || given->weight > LLMGR_ROUTE_WEIGHT_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("target %zu of the route, '%s', has the weight %lld; give 1 to %d"),
                       target->at, target->shown, (long long)given->weight, LLMGR_ROUTE_WEIGHT_MAX);
    if (given->first_byte_timeout_ms != 0 &&
        (given->first_byte_timeout_ms < LLMGR_ROUTE_TIME_MIN_MS ||
         given->first_byte_timeout_ms > LLMGR_ROUTE_TIME_MAX_MS))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("target %zu of the route, '%s', has a first_byte_timeout of %lld ms; "
                          "give 1s to 10m"),
                       target->at, target->shown, (long long)given->first_byte_timeout_ms);
    return LLMGR_OK;
}

static llmgr_status judge_target(struct target *target, struct lb_map *seen,
                                 struct llmgr_error *err)
{
    void *old = NULL;

    lc_shown(target->model, target->shown);
    llmgr_status status = judge_model(target, err);
    if (status == LLMGR_OK)
        status = judge_numbers(target, err);
    if (status != LLMGR_OK)
        return status;
    if (lb_map_put(seen, target->model, target->shown, &old) != LLMGR_OK)
        return lb_fail_memory(err);
    if (old != NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("target %zu of the route, '%s', stands there twice; keep one of them"),
                       target->at, target->shown);
    return LLMGR_OK;
}

static llmgr_status judge_count(const struct lm_route_spec *spec, struct llmgr_error *err)
{
    if (spec->target_count == 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the route has no targets; give at least one PLATFORM/MODEL"));
    if (spec->target_count > LLMGR_ROUTE_TARGETS_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the route has %zu targets; at most %d fit"),
                       spec->target_count, LLMGR_ROUTE_TARGETS_MAX);
    return LLMGR_OK;
}

static llmgr_status judge_targets(const struct lm_route_spec *spec, struct lb_arena *arena,
                                  struct lm_route_target **targets, struct llmgr_error *err)
{
    llmgr_status status = judge_count(spec, err);
    if (status != LLMGR_OK)
        return status;
    struct lm_route_target *made = lb_arena_calloc(arena, spec->target_count, sizeof *made);
    struct lb_map *seen = lb_map_new(arena->host, spec->target_count);
    if (made == NULL || seen == NULL)
        status = lb_fail_memory(err);
    for (size_t i = 0; status == LLMGR_OK && i < spec->target_count; i++) {
        struct target target = {
            .given = &spec->targets[i], .model = lb_cstr(spec->targets[i].model), .at = i + 1};
        status = judge_target(&target, seen, err);
        made[i] = (struct lm_route_target){
            .model = target.model,
            .weight = (uint32_t)target.given->weight,
            .first_byte_ms = target.given->first_byte_timeout_ms,
        };
    }
    lb_map_free(seen);
    if (status == LLMGR_OK)
        *targets = made;
    return status;
}

/* ---- The route ------------------------------------------------------------------------------- */

static llmgr_status judge_name(const struct lm_route_spec *spec, struct llmgr_error *err)
{
    llmgr_status status = lm_rule_name(spec->name, LM_NAME_ROUTE, err);

    if (status == LLMGR_OK &&
        (lb_str_eq_c(spec->name, "auto") || lb_str_eq_c(spec->name, LLMGR_SLOT_MAIN)))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid route name: 'auto' and 'main' are slots, so a route of that "
                          "name would never be asked"));
    return status;
}

static llmgr_status judge_numbers_of(const struct lm_route_spec *spec, struct llmgr_error *err)
{
    if (spec->attempts != LLMGR_UNSET &&
        (spec->attempts < 1 || spec->attempts > LLMGR_ROUTE_ATTEMPTS_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("a route cannot have %lld attempts; give 1 to %d"),
                       (long long)spec->attempts, LLMGR_ROUTE_ATTEMPTS_MAX);
    if (spec->deadline_ms != LLMGR_UNSET && (spec->deadline_ms < LLMGR_ROUTE_TIME_MIN_MS ||
                                             spec->deadline_ms > LLMGR_ROUTE_TIME_MAX_MS))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("a route cannot have a deadline of %lld ms; give 1s to 10m"),
                       (long long)spec->deadline_ms);
    return LLMGR_OK;
}

/* Numbers that a host made up. */
static llmgr_status judge_words(const struct lm_route_spec *spec, struct llmgr_error *err)
{
    if ((spec->pick != LLMGR_UNSET && llmgr_pick_name((llmgr_pick)spec->pick) == NULL) ||
        (spec->sticky != LLMGR_UNSET && llmgr_sticky_name((llmgr_sticky)spec->sticky) == NULL) ||
        (spec->on_exhausted != LLMGR_UNSET &&
         llmgr_exhausted_name((llmgr_exhausted)spec->on_exhausted) == NULL))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("pick, sticky or on_exhausted of the route is none of their numbers"));
    return LLMGR_OK;
}

llmgr_status lm_rule_route(const struct lm_route_spec *spec, struct lb_arena *arena,
                           struct lm_route_target **targets, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    *targets = NULL;
    if (spec->name.p != NULL)
        status = judge_name(spec, err);
    if (status == LLMGR_OK && spec->display_name.size != 0)
        status = lm_rule_name(spec->display_name, LM_NAME_DISPLAY, err);
    if (status == LLMGR_OK)
        status = judge_numbers_of(spec, err);
    if (status == LLMGR_OK)
        status = judge_words(spec, err);
    if (status == LLMGR_OK && spec->targets != NULL)
        status = judge_targets(spec, arena, targets, err);
    return status;
}
