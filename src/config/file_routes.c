/* SPDX-License-Identifier: MIT */
/*
 * `routes` of llmgr.yaml: named lists of targets, each with its policy.
 *
 *     routes:
 *       smart:
 *         pick: order
 *         targets: [A/One, {model: B/Two, weight: 2, first_byte_timeout: 20s}]
 *
 * Here forms are judged: which members there are, that a number is a number and a time a time. What
 * a word, a bound or a target may be is said by the manager's rules. Every error names its route.
 */
#include <string.h>

#include "base/error.h"
#include "config/file.h"
#include "config/file_meant.h"
#include "config/value.h"
#include "config/yaml.h"

enum {
    TEXT_MAX = 255,    /* the manager's rules say it more narrowly */
    TARGETS_MAX = 2000 /* likewise; so that a file cannot make us hold any number */
};

/* What is being read, for errors: the file, and the route. */
struct taking {
    struct lc_file *file;
    const struct lc_node *route;
    struct llmgr_error *err;
};

/* `what` is a msgid without a directive. */
static llmgr_status fail_at(const struct taking *taking, const struct lc_node *node,
                            struct lb_str name, const char *what)
{
    char route[LC_SHOWN_SIZE], shown[LC_SHOWN_SIZE];

    if (node == taking->route)
        return lb_fail(taking->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: the route '%s' %s"),
                       taking->file->name, node->name_line, node->name_column,
                       lc_shown(name, route), lb_tr(what));
    return lb_fail(taking->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: the route '%s': '%s' %s"),
                   taking->file->name, node->line, node->column,
                   lc_shown(taking->route->name, route), lc_shown(name, shown), lb_tr(what));
}

/* ---- Values ---------------------------------------------------------------------------------- */

static llmgr_status take_text(const struct taking *taking, const struct lc_node *node,
                              struct lb_str name, const char **out)
{
    struct lb_str text = lb_str_trim(node->text);

    if (node->kind != LC_NODE_SCALAR || lc_yaml_is_null(node))
        return fail_at(taking, node, name, N_("must be a text"));
    if (!lb_utf8_name(text, TEXT_MAX))
        return fail_at(taking, node, name, N_("is empty, too long, or holds a control character"));
    llmgr_status status = lc_judge_plain(taking->file->name, node, taking->err);
    if (status != LLMGR_OK)
        return status;
    *out = lc_pool_str(&taking->file->pool, text);
    return *out != NULL ? LLMGR_OK : lb_fail_memory(taking->err);
}

static llmgr_status take_count(const struct taking *taking, const struct lc_node *node,
                               int64_t *out)
{
    struct lb_str text = lb_str_trim(node->text);
    uint64_t value = 0;

    if (node->kind != LC_NODE_SCALAR || !lb_str_to_u64(text, &value) || value > INT32_MAX)
        return fail_at(taking, node, node->name, N_("must be a whole number, such as 3"));
    *out = (int64_t)value;
    return LLMGR_OK;
}

static llmgr_status take_time(const struct taking *taking, const struct lc_node *node, int64_t *out)
{
    int64_t value = 0;

    if (node->kind != LC_NODE_SCALAR || !lc_parse_duration(lb_str_trim(node->text), &value) ||
        value == 0)
        return fail_at(taking, node, node->name, N_("must be a time with its unit, such as 20s"));
    *out = value;
    return LLMGR_OK;
}

/* ---- Targets --------------------------------------------------------------------------------- */

static llmgr_status take_target_member(const struct taking *taking, const struct lc_node *node,
                                       struct llmgr_route_target *target)
{
    if (lb_str_eq_c(node->name, "model"))
        return take_text(taking, node, node->name, &target->model);
    if (lb_str_eq_c(node->name, "weight"))
        return take_count(taking, node, &target->weight);
    if (lb_str_eq_c(node->name, "first_byte_timeout"))
        return take_time(taking, node, &target->first_byte_timeout_ms);
    return fail_at(taking, node, node->name,
                   N_("is no member of a target; those are model, weight and first_byte_timeout"));
}

/* PLATFORM/MODEL, or {model: PLATFORM/MODEL, weight: ..., first_byte_timeout: ...} */
static llmgr_status take_target(const struct taking *taking, const struct lc_node *node,
                                struct llmgr_route_target *target)
{
    const struct lb_str targets = LB_STR("targets");
    llmgr_status status = LLMGR_OK;

    target->weight = 1;
    if (node->kind == LC_NODE_LIST)
        return fail_at(taking, node, targets, N_("must not hold a list within the list"));
    if (node->kind == LC_NODE_SCALAR)
        return take_text(taking, node, targets, &target->model);
    for (const struct lc_node *member = node->first; member != NULL && status == LLMGR_OK;
         member = member->next)
        status = take_target_member(taking, member, target);
    if (status == LLMGR_OK && target->model == NULL)
        return fail_at(taking, node, targets,
                       N_("has an entry without a model; write {model: PLATFORM/MODEL}"));
    return status;
}

static llmgr_status take_targets(const struct taking *taking, const struct lc_node *node,
                                 struct lc_route *route)
{
    llmgr_status status = LLMGR_OK;

    if (node->kind != LC_NODE_LIST)
        return fail_at(taking, node, node->name,
                       N_("must be a list, such as [PLATFORM/MODEL, OTHER/MODEL]"));
    if (node->count > TARGETS_MAX)
        return fail_at(taking, node, node->name, N_("has too many entries"));
    route->targets = lc_pool_alloc(&taking->file->pool, node->count + 1, sizeof *route->targets);
    if (route->targets == NULL)
        return lb_fail_memory(taking->err);
    for (const struct lc_node *item = node->first; item != NULL && status == LLMGR_OK;
         item = item->next)
        status = take_target(taking, item, &route->targets[route->target_count++]);
    return status;
}

/* ---- Routes ---------------------------------------------------------------------------------- */

static llmgr_status take_member(const struct taking *taking, const struct lc_node *node,
                                struct lc_route *route)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {{"display_name", &route->display_name},
                 {"pick", &route->pick},
                 {"sticky", &route->sticky},
                 {"on_exhausted", &route->on_exhausted}};

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (lb_str_eq_c(node->name, texts[i].name))
            return take_text(taking, node, node->name, texts[i].text);
    }
    if (lb_str_eq_c(node->name, "attempts"))
        return take_count(taking, node, &route->attempts);
    if (lb_str_eq_c(node->name, "deadline"))
        return take_time(taking, node, &route->deadline_ms);
    if (lb_str_eq_c(node->name, "targets"))
        return take_targets(taking, node, route);
    return fail_at(taking, node, node->name,
                   N_("is no member of a route; those are display_name, pick, sticky, targets, "
                      "attempts, deadline and on_exhausted"));
}

static llmgr_status judge_name(const struct taking *taking, const struct lc_file *file,
                               struct lb_str name)
{
    if (!lb_utf8_name(name, LC_ROUTE_NAME_MAX))
        return fail_at(taking, taking->route, name,
                       N_("has no name: it is empty, too long, or holds a control character"));
    for (size_t i = 0; i < file->route_count; i++) {
        if (lb_str_eq_c(name, file->routes[i].name))
            return fail_at(taking, taking->route, name, N_("stands there twice; keep one of them"));
    }
    return LLMGR_OK;
}

/* The name, and the members of its mapping. */
static llmgr_status take_route(struct lc_file *file, const struct lc_node *node,
                               struct llmgr_error *err)
{
    struct taking taking = {.file = file, .route = node, .err = err};
    struct lc_route *route = &file->routes[file->route_count];
    struct lb_str name = lb_str_trim(node->name);

    *route = (struct lc_route){
        .attempts = LLMGR_UNSET, .deadline_ms = LLMGR_UNSET, .line = node->name_line};
    llmgr_status status = judge_name(&taking, file, name);
    if (status != LLMGR_OK)
        return status;
    if (node->kind != LC_NODE_MAP)
        return fail_at(&taking, node, name,
                       N_("must be a mapping, such as {targets: [PLATFORM/MODEL]}"));
    for (const struct lc_node *member = node->first; member != NULL && status == LLMGR_OK;
         member = member->next)
        status = take_member(&taking, member, route);
    if (status == LLMGR_OK && route->target_count == 0)
        status = fail_at(&taking, node, name,
                         N_("has no targets; give at least one, such as targets: "
                            "[PLATFORM/MODEL]"));
    if (status != LLMGR_OK)
        return status;
    route->name = lc_pool_str(&file->pool, name);
    if (route->name == NULL)
        return lb_fail_memory(err);
    file->route_count++;
    return LLMGR_OK;
}

llmgr_status lc_file_take_routes(struct lc_file *file, const struct lc_node *node,
                                 struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    file->has_routes = true;
    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind != LC_NODE_MAP)
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("%s:%u:%u: 'routes' must be a mapping of names to routes, such as "
                          "'smart: {targets: [PLATFORM/MODEL]}'"),
                       file->name, node->line, node->column);
    if (node->count > LC_ROUTES_MAX)
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("%s:%u:%u: 'routes' has %zu entries; at most %d fit"), file->name,
                       node->line, node->column, node->count, LC_ROUTES_MAX);
    file->routes = lc_pool_alloc(&file->pool, node->count + 1, sizeof *file->routes);
    if (file->routes == NULL)
        return lb_fail_memory(err);
    for (const struct lc_node *child = node->first; child != NULL && status == LLMGR_OK;
         child = child->next)
        status = take_route(file, child, err);
    return status;
}
