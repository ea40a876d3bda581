/* SPDX-License-Identifier: MIT */
/* llmgr route: named lists of models, of which those serve that can. */
#include "cli/cli.h"

#include <string.h>

#include "config/value.h"
#include "documents/write.h"
#include "manager/routes.h"

/* ---- Lists ----------------------------------------------------------------------------------- */

enum { TARGETS_TEXT = 512 };

/* "A/One, B/Two ×2, (C/Gone)": what is missing stands in brackets. */
static const char *targets_text(const struct llmgr_route *route, char text[TARGETS_TEXT])
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < route->target_count && at < TARGETS_TEXT; i++) {
        const struct llmgr_route_target *target = &route->targets[i];
        char weight[32] = "";
        if (target->weight != 1)
            snprintf(weight, sizeof weight, " ×%lld", (long long)target->weight);
        int size = snprintf(text + at, TARGETS_TEXT - at, target->missing ? "%s(%s%s)" : "%s%s%s",
                            i != 0 ? ", " : "", target->model, weight);
        at += (size_t)size;
    }
    if (at >= TARGETS_TEXT)
        text[lb_utf8_cut(lb_cstr(text), TARGETS_TEXT - 1)] = '\0';
    return text;
}

static const char *owner_of(const struct llmgr_route *route)
{
    if (!route->is_sys)
        return _("own");
    return strcmp(route->managed, "file") == 0 ? _("system, llmgr.yaml") : _("system");
}

static llmgr_status fill_routes(struct cli_table *table, const struct cli_app *app,
                                const void *list, struct llmgr_error *err)
{
    const struct llmgr_route_list *routes = list;
    bool all = cli_flag(app, CLI_FLAG_all) != NULL;
    char id[24], targets[TARGETS_TEXT];

    (void)err;
    for (size_t i = 0; i < routes->count; i++) {
        const struct llmgr_route *route = &routes->items[i];
        if (route->route_hide && !all)
            continue;
        cli_table_row(table, (const char *[]){cli_number(route->route_id, id), route->name,
                                              owner_of(route), llmgr_pick_name(route->pick),
                                              targets_text(route, targets),
                                              route->route_hide ? _("no") : _("yes")});
    }
    return LLMGR_OK;
}

static const char *const HEADINGS[] = {N_("ID"),   N_("NAME"),    N_("WHOSE"),
                                       N_("PICK"), N_("TARGETS"), N_("SHOWN")};
static const struct cli_table_form ROUTES = {
    HEADINGS, 6, N_("There are no routes; `llmgr route add` makes one, or `routes` in llmgr.yaml."),
    fill_routes};

llmgr_status cli_run_route_list(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_route_list list;

    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_routes(app->manager, cli_acting(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    status = cli_json(app) ? cli_print_json(lx_list_route(NULL, list.items, list.count), err)
                           : cli_print_table(app, &ROUTES, &list, err);
    llmgr_route_list_clear(&list);
    return status;
}

/* ---- What is given --------------------------------------------------------------------------- */

/* The flags of a route, read; the texts of targets are ours. */
struct given {
    struct llmgr_route_spec spec;
    struct llmgr_route_target targets[CLI_TARGETS_MAX];
};

static llmgr_status fail_target(const char *text, struct llmgr_error *err)
{
    char shown[LC_SHOWN_SIZE];

    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("'%s' is no target; write PLATFORM/MODEL, perhaps with ,weight=2 or "
                      ",first_byte_timeout=20s behind it"),
                   lc_shown(lb_cstr(text), shown));
}

/* "weight=2" or "first_byte_timeout=20s" */
static bool take_setting(struct lb_str setting, struct llmgr_route_target *target)
{
    const struct lb_str weight = LB_STR("weight="), timeout = LB_STR("first_byte_timeout=");
    uint64_t number;

    if (lb_str_starts(setting, weight)) {
        if (!lb_str_to_u64(lb_str_sub(setting, weight.size, setting.size), &number) ||
            number > INT32_MAX)
            return false;
        target->weight = (int64_t)number;
        return true;
    }
    return lb_str_starts(setting, timeout) &&
           lc_parse_duration(lb_str_sub(setting, timeout.size, setting.size),
                             &target->first_byte_timeout_ms) &&
           target->first_byte_timeout_ms != 0;
}

static bool is_setting(struct lb_str text)
{
    return lb_str_starts(text, LB_STR("weight=")) ||
           lb_str_starts(text, LB_STR("first_byte_timeout="));
}

/* The settings are taken from the end, since a model's name may hold a comma. */
static llmgr_status take_target(const char *text, const struct lb_host *host,
                                struct llmgr_route_target *target, struct llmgr_error *err)
{
    struct lb_str rest = lb_cstr(text);

    *target = (struct llmgr_route_target){.weight = 1};
    for (size_t comma; rest.size != 0; rest = lb_str_sub(rest, 0, comma)) {
        for (comma = rest.size; comma > 0 && rest.p[comma - 1] != ',';)
            comma--;
        struct lb_str setting = lb_str_sub(rest, comma, rest.size);
        if (comma == 0 || !is_setting(setting))
            break;
        if (!take_setting(setting, target))
            return fail_target(text, err);
        comma--;
    }
    target->model = lb_strndup(host, rest.p, rest.size);
    return target->model != NULL ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status take_targets(const struct cli_app *app, struct given *given,
                                 struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    for (size_t i = 0; status == LLMGR_OK && i < app->args.target_count; i++) {
        status = take_target(app->args.targets[i], &app->host, &given->targets[i], err);
        given->spec.target_count++;
    }
    if (given->spec.target_count != 0)
        given->spec.targets = given->targets;
    return status;
}

static llmgr_status take_numbers(const struct cli_app *app, struct llmgr_route_spec *spec,
                                 struct llmgr_error *err)
{
    const char *attempts = cli_flag(app, CLI_FLAG_attempts);
    const char *deadline = cli_flag(app, CLI_FLAG_deadline);

    if (attempts != NULL) {
        llmgr_status status = cli_id("--attempts", attempts, &spec->attempts, err);
        if (status != LLMGR_OK)
            return status;
    }
    if (deadline != NULL && !lc_parse_duration(lb_cstr(deadline), &spec->deadline_ms))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' is no time; write it with its unit: 60s"),
                       deadline);
    return LLMGR_OK;
}

static llmgr_status take_given(const struct cli_app *app, struct given *given,
                               struct llmgr_error *err)
{
    llmgr_route_spec_init(&given->spec);
    given->spec.name = cli_flag(app, CLI_FLAG_name);
    given->spec.display_name = cli_flag(app, CLI_FLAG_display);
    given->spec.is_sys = cli_flag(app, CLI_FLAG_everybody) != NULL;
    llmgr_status status = lm_rule_words(
        cli_flag(app, CLI_FLAG_pick), &given->spec.pick, cli_flag(app, CLI_FLAG_sticky),
        &given->spec.sticky, cli_flag(app, CLI_FLAG_on_exhausted), &given->spec.on_exhausted, err);
    if (status == LLMGR_OK)
        status = take_numbers(app, &given->spec, err);
    return status == LLMGR_OK ? take_targets(app, given, err) : status;
}

static void drop_given(const struct cli_app *app, struct given *given)
{
    for (size_t i = 0; i < given->spec.target_count; i++)
        lb_free(&app->host, (char *)(uintptr_t)given->targets[i].model);
}

/* ---- Changes --------------------------------------------------------------------------------- */

static json_t *document_of(const struct llmgr_route_list *list, int64_t id)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].route_id == id)
            return lx_json_route(&list->items[i]);
    }
    return NULL;
}

/* Prints the route as it is now. */
static llmgr_status show_changed(struct cli_app *app, int64_t id, const char *line,
                                 struct llmgr_error *err)
{
    struct llmgr_route_list list;

    llmgr_status status = llmgr_routes(app->manager, cli_acting(app), &list, err);
    if (status != LLMGR_OK)
        return status;
    json_t *document = document_of(&list, id);
    llmgr_route_list_clear(&list);
    return cli_done(app, document, err, "%s", line);
}

llmgr_status cli_run_route_add(struct cli_app *app, struct llmgr_error *err)
{
    struct llmgr_route route = {0};
    struct given given;

    llmgr_status status = take_given(app, &given, err);
    if (status == LLMGR_OK)
        status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status == LLMGR_OK)
        status = llmgr_route_add(app->manager, cli_acting(app), &given.spec, &route, err);
    drop_given(app, &given);
    if (status != LLMGR_OK)
        return status;
    status = cli_done(app, lx_json_route(&route), err, _("Added route %lld, %s."),
                      (long long)route.route_id, route.name);
    llmgr_route_clear(&route);
    return status;
}

llmgr_status cli_run_route_update(struct cli_app *app, struct llmgr_error *err)
{
    struct given given;
    int64_t id;

    llmgr_status status = take_given(app, &given, err);
    if (status == LLMGR_OK)
        status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_route_update(app->manager, cli_acting(app), id, &given.spec, err);
    drop_given(app, &given);
    return status == LLMGR_OK ? show_changed(app, id, _("Changed."), err) : status;
}

llmgr_status cli_run_route_delete(struct cli_app *app, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_route_delete(app->manager, cli_acting(app), id, err);
    if (status != LLMGR_OK)
        return status;
    return cli_done(app, lx_json_route_gone(&(struct lx_gone){id, true}), err, "%s", _("Deleted."));
}

static llmgr_status set_hidden(struct cli_app *app, bool hide, struct llmgr_error *err)
{
    int64_t id;

    llmgr_status status = cli_open_with_id(app, &id, err);
    if (status == LLMGR_OK)
        status = llmgr_route_hide(app->manager, cli_user(app), id, hide, err);
    return status == LLMGR_OK ? show_changed(app, id, hide ? _("Hidden.") : _("Shown."), err)
                              : status;
}

llmgr_status cli_run_route_hide(struct cli_app *app, struct llmgr_error *err)
{
    return set_hidden(app, true, err);
}

llmgr_status cli_run_route_show(struct cli_app *app, struct llmgr_error *err)
{
    return set_hidden(app, false, err);
}
