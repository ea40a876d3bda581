/* SPDX-License-Identifier: MIT */
/*
 * Carrying out a plan, and telling what it was.
 *
 * Names are unique among system platforms, and display names in a platform, at every moment of the
 * transaction. So that names can wander - swap, rotate, be taken over from something removed - the
 * order is: remove; park every name that changes under one that nobody can have; then write all
 * entries in their final form.
 */
#include "manager/sync.h"

#include "base/error.h"
#include "config/fixed_headers.h"
#include "keys/ring.h"
#include "manager/access.h"
#include "manager/aliases.h"
#include "manager/headers.h"
#include "manager/manager.h"
#include "manager/platform_rules.h"
#include "manager/rules.h"
#include "manager/sync_keys.h"
#include "store/store.h"
#include "vault/vault.h"

enum {
    PLAN_MEMORY_MAX = 512 << 20, /* bytes of entries and rows at their ceilings */
    PARKED_SIZE = 24             /* "\001" and a 64-bit number */
};

/* ---- Writing --------------------------------------------------------------------------------- */

/* A control character: no name that a rule let through can be equal. */
static llmgr_status park_name(const struct lm_sync_plan *plan, struct ls_tx *tx,
                              enum ls_statement statement, int64_t id, struct llmgr_error *err)
{
    struct lb_buf name;
    lb_buf_init(&name, lm_host(plan->manager), PARKED_SIZE);
    lb_buf_addf(&name, "\001%lld", (long long)id);
    llmgr_status status =
        name.failed != LLMGR_OK
            ? lb_fail_memory(err)
            : ls_exec(tx, statement, LS_ARGS(ls_int(id), ls_text(lb_buf_str(&name))), NULL, err);
    lb_buf_free(&name);
    return status;
}

static llmgr_status remove_gone(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    for (size_t i = 0; status == LLMGR_OK && i < plan->row_count; i++) {
        const struct lm_sync_row *row = &plan->rows[i];
        if (row->is_made)
            continue;
        if (!row->is_matched) {
            status = ls_exec(tx, LS_SYNC_PLATFORM_DELETE, LS_ARGS(ls_int(row->id)), NULL, err);
            continue;
        }
        for (size_t j = 0; status == LLMGR_OK && j < row->model_count; j++)
            if (lm_model_is_gone(&row->models[j]))
                status =
                    ls_exec(tx, LS_MODEL_DELETE, LS_ARGS(ls_int(row->models[j].id)), NULL, err);
    }
    return status;
}

static llmgr_status park_names(const struct lm_sync_plan *plan, struct ls_tx *tx,
                               struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    for (size_t i = 0; status == LLMGR_OK && i < plan->entry_count; i++) {
        const struct lm_sync_entry *entry = &plan->entries[i];
        if (entry->row == NULL)
            continue;
        if (entry->diff & LM_DIFF_BIT(NAME))
            status = park_name(plan, tx, LS_SYNC_PLATFORM_NAME, entry->row->id, err);
        for (size_t j = 0; status == LLMGR_OK && j < entry->model_count; j++)
            if (entry->models[j].diff & LM_DIFF_BIT(DISPLAY_NAME))
                status = park_name(plan, tx, LS_MODEL_SET_DISPLAY, entry->models[j].row->id, err);
    }
    return status;
}

static llmgr_status write_headers(const struct lm_sync_plan *plan, struct ls_tx *tx,
                                  const struct lm_sync_entry *entry, int64_t id,
                                  struct llmgr_error *err)
{
    const struct lm_headers_place place = {
        .owner = LB_STR(LLMGR_SYSTEM_USER), .platform_id = id, .origin = lb_cstr(entry->origin)};
    struct lb_buf lines;

    lb_buf_init_secret(&lines, lm_host(plan->manager), LC_FIXED_SIZE_MAX);
    llmgr_status status = lm_sync_header_lines(entry, &lines, err);
    if (status == LLMGR_OK)
        status = lm_headers_store(plan->manager, tx, &place, lb_buf_str(&lines), err);
    lb_buf_free(&lines);
    return status;
}

static llmgr_status write_model(struct ls_tx *tx, const struct lm_model_entry *model,
                                int64_t platform_id, int64_t position, struct llmgr_error *err)
{
    if (model->row == NULL) {
        int64_t id;
        return ls_insert(tx, LS_MODEL_ADD,
                         LS_ARGS(ls_int(platform_id), ls_text(model->model_name),
                                 ls_text(model->display_name), ls_text_or_null(model->extra_body),
                                 ls_int(position), ls_text_or_null(lm_model_kind_text(model->kind)),
                                 ls_cstr(LM_MANAGED_FILE), ls_int(model->context_tokens),
                                 ls_int(model->max_output_tokens)),
                         &id, err);
    }
    if (model->diff == 0 && !model->is_shifted)
        return LLMGR_OK;
    return ls_exec(tx, LS_SYNC_MODEL_SET,
                   LS_ARGS(ls_int(model->row->id), ls_text(model->model_name),
                           ls_text(model->display_name), ls_text_or_null(model->extra_body),
                           ls_int(position), ls_text_or_null(lm_model_kind_text(model->kind)),
                           ls_int(model->context_tokens), ls_int(model->max_output_tokens)),
                   NULL, err);
}

static llmgr_status add_platform(struct ls_tx *tx, const struct lm_sync_entry *entry,
                                 int64_t position, int64_t *id, struct llmgr_error *err)
{
    return ls_insert(tx, LS_SYNC_PLATFORM_ADD,
                     LS_ARGS(ls_cstr(LLMGR_SYSTEM_USER), ls_text(entry->name),
                             ls_text_or_null(entry->base_url), ls_text(entry->protocol),
                             ls_int(position), ls_text_or_null(entry->key_env),
                             ls_text_or_null(entry->native_paths), ls_text_or_null(entry->headers),
                             ls_text_or_null(entry->missing_headers), ls_cstr(LM_MANAGED_FILE)),
                     id, err);
}

static llmgr_status change_platform(struct ls_tx *tx, const struct lm_sync_entry *entry,
                                    int64_t position, struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;
    if (entry->diff != 0 || entry->is_shifted)
        status = ls_exec(
            tx, LS_SYNC_PLATFORM_SET,
            LS_ARGS(ls_int(entry->row->id), ls_text(entry->name), ls_text_or_null(entry->base_url),
                    ls_text(entry->protocol), ls_int(position), ls_text_or_null(entry->key_env),
                    ls_text_or_null(entry->native_paths), ls_text_or_null(entry->headers),
                    ls_text_or_null(entry->missing_headers)),
            NULL, err);
    /* What was learnt of the server at the old address says nothing of the new one. */
    if (status == LLMGR_OK && (entry->diff & (LM_DIFF_BIT(BASE_URL) | LM_DIFF_BIT(PROTOCOL))) != 0)
        status = ls_exec(tx, LS_SYNC_PLATFORM_FORGET, LS_ARGS(ls_int(entry->row->id)), NULL, err);
    return status;
}

static llmgr_status write_entry(const struct lm_sync_plan *plan, struct ls_tx *tx, size_t at,
                                struct llmgr_error *err)
{
    const struct lm_sync_entry *entry = &plan->entries[at];
    int64_t id = entry->row != NULL ? entry->row->id : 0;
    llmgr_status status = entry->row == NULL ? add_platform(tx, entry, (int64_t)at, &id, err)
                                             : change_platform(tx, entry, (int64_t)at, err);
    plan->ids[at] = id;
    const unsigned keys = LM_DIFF_BIT(API_KEY) | LM_DIFF_BIT(API_KEYS);
    bool keys_differ = entry->row == NULL ? entry->key_count > 0 : (entry->diff & keys) != 0;
    if (status == LLMGR_OK && keys_differ)
        status = lm_sync_keys_write(plan, tx, entry, id, err);
    bool headers_differ = entry->row == NULL ? entry->fixed_headers.size > 0
                                             : (entry->diff & LM_DIFF_BIT(HEADERS)) != 0;
    if (status == LLMGR_OK && headers_differ)
        status = write_headers(plan, tx, entry, id, err);
    for (size_t i = 0; status == LLMGR_OK && i < entry->model_count; i++)
        status = write_model(tx, &entry->models[i], id, (int64_t)i, err);
    return status;
}

static llmgr_status write_plan(const struct lm_sync_plan *plan, struct ls_tx *tx,
                               struct llmgr_error *err)
{
    llmgr_status status = remove_gone(plan, tx, err);
    if (status == LLMGR_OK)
        status = park_names(plan, tx, err);
    for (size_t i = 0; status == LLMGR_OK && i < plan->entry_count; i++)
        status = write_entry(plan, tx, i, err);
    if (status == LLMGR_OK)
        status = lm_aliases_write(plan, tx, err);
    if (status == LLMGR_OK)
        status = lm_routes_write(plan, tx, err);
    if (status == LLMGR_OK)
        status = ls_exec(tx, LS_META_SET,
                         LS_ARGS(ls_cstr(LM_SYNC_DIGEST_NAME), ls_cstr(plan->digest)), NULL, err);
    return status;
}

/* ---- The report ------------------------------------------------------------------------------ */

/* Counts first (items NULL), then fills. */
struct report {
    struct lb_arena *arena;
    struct lm_sync_more more; /* told behind all else */
    struct llmgr_change *items;
    size_t count;
    bool failed;
};

static const char *const diff_words[] = {
#define LM_DIFF_WORD(name, word) [LM_DIFF_##name] = word,
    LM_DIFF_MAP(LM_DIFF_WORD)
#undef LM_DIFF_WORD
};

static const char *detail_of(struct lb_arena *arena, unsigned diff)
{
    const char *text = NULL;
    for (unsigned i = 0; i < LM_DIFF_COUNT; i++) {
        if (!(diff & 1U << i))
            continue;
        text = text == NULL ? diff_words[i] : lb_arena_printf(arena, "%s, %s", text, diff_words[i]);
        if (text == NULL)
            return NULL;
    }
    return text;
}

static void tell_change(struct report *report, llmgr_change_action action, struct lb_str platform,
                        const struct lb_str *display, unsigned diff)
{
    size_t at = report->count++;
    if (report->items == NULL)
        return;
    struct llmgr_change *item = &report->items[at];
    item->action = action;
    item->platform_name = lb_arena_str(report->arena, platform).p;
    item->display_name = display != NULL ? lb_arena_str(report->arena, *display).p : NULL;
    item->detail = diff != 0 ? detail_of(report->arena, diff) : NULL;
    if (item->platform_name == NULL || (display != NULL && item->display_name == NULL) ||
        (diff != 0 && item->detail == NULL))
        report->failed = true;
}

static void tell_alias(struct report *report, llmgr_change_action action, struct lb_str alias)
{
    size_t at = report->count++;
    if (report->items == NULL)
        return;
    struct llmgr_change *item = &report->items[at];
    item->action = action;
    item->alias = lb_arena_str(report->arena, alias).p;
    if (action == LLMGR_CHANGE_UPDATE)
        item->detail = diff_words[LM_DIFF_TARGET];
    if (item->alias == NULL)
        report->failed = true;
}

static void tell_aliases(struct report *report, const struct lm_sync_plan *plan)
{
    for (size_t i = 0; i < plan->alias_row_count; i++)
        if (!plan->alias_rows[i].is_matched)
            tell_alias(report, LLMGR_CHANGE_REMOVE, plan->alias_rows[i].name);
    for (size_t i = 0; i < plan->alias_count; i++) {
        const struct lm_alias_entry *entry = &plan->aliases[i];
        if (entry->row == NULL)
            tell_alias(report, LLMGR_CHANGE_ADD, entry->name);
        else if (!lb_str_eq(entry->target, entry->row->target))
            tell_alias(report, LLMGR_CHANGE_UPDATE, entry->name);
    }
}

static void tell_route(struct report *report, llmgr_change_action action, struct lb_str route,
                       unsigned diff)
{
    size_t at = report->count++;
    if (report->items == NULL)
        return;
    struct llmgr_change *item = &report->items[at];
    item->action = action;
    item->route = lb_arena_str(report->arena, route).p;
    item->detail = diff != 0 ? detail_of(report->arena, diff) : NULL;
    if (item->route == NULL || (diff != 0 && item->detail == NULL))
        report->failed = true;
}

static void tell_routes(struct report *report, const struct lm_sync_plan *plan)
{
    for (size_t i = 0; i < plan->route_row_count; i++)
        if (lm_route_is_gone(&plan->route_rows[i]))
            tell_route(report, LLMGR_CHANGE_REMOVE, plan->route_rows[i].route.name, 0);
    for (size_t i = 0; i < plan->route_count; i++) {
        const struct lm_route_entry *entry = &plan->routes[i];
        if (entry->row == NULL)
            tell_route(report, LLMGR_CHANGE_ADD, entry->spec.name, 0);
        else if (entry->diff != 0)
            tell_route(report, LLMGR_CHANGE_UPDATE, entry->spec.name, entry->diff);
    }
}

static void tell_entry(struct report *report, const struct lm_sync_entry *entry)
{
    if (entry->row == NULL)
        tell_change(report, LLMGR_CHANGE_ADD, entry->name, NULL, 0);
    else if (entry->diff != 0)
        tell_change(report, LLMGR_CHANGE_UPDATE, entry->name, NULL, entry->diff);
    for (size_t i = 0; entry->row != NULL && i < entry->row->model_count; i++)
        if (lm_model_is_gone(&entry->row->models[i]))
            tell_change(report, LLMGR_CHANGE_REMOVE, entry->name,
                        &entry->row->models[i].display_name, 0);
    for (size_t i = 0; i < entry->model_count; i++) {
        const struct lm_model_entry *model = &entry->models[i];
        if (model->row == NULL)
            tell_change(report, LLMGR_CHANGE_ADD, entry->name, &model->display_name, 0);
        else if (model->diff != 0)
            tell_change(report, LLMGR_CHANGE_UPDATE, entry->name, &model->display_name,
                        model->diff);
    }
}

static void tell_plan(struct report *report, const struct lm_sync_plan *plan)
{
    report->count = 0;
    for (size_t i = 0; i < plan->row_count; i++)
        if (lm_row_is_gone(&plan->rows[i]))
            tell_change(report, LLMGR_CHANGE_REMOVE, plan->rows[i].name, NULL, 0);
    for (size_t i = 0; i < plan->entry_count; i++)
        tell_entry(report, &plan->entries[i]);
    tell_aliases(report, plan);
    tell_routes(report, plan);
}

static llmgr_status fill_report(const struct lm_sync_plan *plan, struct report *report,
                                struct llmgr_error *err)
{
    report->items = NULL;
    tell_plan(report, plan);
    report->items = lb_arena_calloc(report->arena, report->count + report->more.count + 1,
                                    sizeof *report->items);
    if (report->items == NULL)
        return lb_fail_memory(err);
    tell_plan(report, plan);
    for (size_t i = 0; i < report->more.count; i++)
        report->items[report->count++] = report->more.changes[i];
    return report->failed ? lb_fail_memory(err) : LLMGR_OK;
}

/* What is left out is told by each sync, for the platform is used without it. */
static void warn_missing(const struct lm_sync_plan *plan)
{
    for (size_t i = 0; i < plan->entry_count; i++) {
        const struct lm_sync_entry *entry = &plan->entries[i];
        if (entry->missing_keys.size > 0)
            lb_warn(lm_host(plan->manager),
                    "platform '%.*s': keys are left out until these variables are set: %.*s",
                    (int)entry->name.size, entry->name.p, (int)entry->missing_keys.size,
                    entry->missing_keys.p);
        if (entry->missing_headers.size > 0)
            lb_warn(lm_host(plan->manager),
                    "platform '%.*s': header fields are left out until these variables are set: "
                    "%.*s",
                    (int)entry->name.size, entry->name.p, (int)entry->missing_headers.size,
                    entry->missing_headers.p);
    }
}

/* ---- The way of a sync ----------------------------------------------------------------------- */

struct sync {
    struct lm_sync_plan plan;
    struct lb_arena rows; /* of the try that runs */
    struct report report;
    const struct lm_sync_also *also; /* NULL: nothing */
    bool is_idle;                    /* in the write transaction nothing was left to do */
};

static llmgr_status look_at_rows(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct sync *sync = context;
    lb_arena_reset(&sync->rows);
    sync->report.more = (struct lm_sync_more){0};
    llmgr_status status = lm_sync_compare(&sync->plan, tx, &sync->rows, err);
    if (status == LLMGR_OK && sync->also != NULL)
        status = sync->also->look(sync->also->context, tx, sync->plan.ids, sync->report.arena,
                                  &sync->report.more, err);
    return status;
}

static bool is_needed(const struct sync *sync)
{
    return sync->plan.is_needed || sync->report.more.is_needed;
}

static llmgr_status carry_out(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct sync *sync = context;
    llmgr_status status = look_at_rows(tx, context, err);
    if (status != LLMGR_OK)
        return status;
    /* Another process was faster: roll back, so that there is no revision without a change. */
    sync->is_idle = !is_needed(sync);
    if (sync->is_idle)
        return LLMGR_ERR_CANCELLED;
    /* Told before it is written, since a report that finds no memory must not leave a change. */
    sync->report.failed = false;
    status = fill_report(&sync->plan, &sync->report, err);
    if (status == LLMGR_OK && sync->plan.is_needed)
        status = write_plan(&sync->plan, tx, err);
    return status == LLMGR_OK && sync->report.more.is_needed
               ? sync->also->write(sync->also->context, tx, sync->plan.ids, err)
               : status;
}

static llmgr_status run_sync(struct sync *sync, bool dry_run, struct llmgr_error *err)
{
    struct lm_manager *manager = sync->plan.manager;
    llmgr_status status = ls_transact(lm_store(manager), LS_READ, look_at_rows, sync, err);
    if (status != LLMGR_OK || !is_needed(sync))
        return status;
    if (dry_run)
        return fill_report(&sync->plan, &sync->report, err);

    struct llmgr_error why = {0};
    /* The operator's own word: it removes and replaces keys too, and adds what one file holds. */
    status = lm_revoke(manager, LB_STR(""), carry_out, sync, &why);
    if (status == LLMGR_ERR_CANCELLED && sync->is_idle)
        return LLMGR_OK;
    if (status != LLMGR_OK && err != NULL)
        *err = why;
    return status;
}

llmgr_status lm_sync(struct lm_manager *manager, const struct lm_defaults *defaults, bool dry_run,
                     const struct lm_sync_also *also, struct lb_arena *arena,
                     struct llmgr_change **changes, size_t *count, struct llmgr_error *err)
{
    struct sync sync = {.plan.manager = manager, .report.arena = arena, .also = also};
    struct lb_arena entries;
    lb_arena_init(&entries, lm_host(manager), NULL, 0, PLAN_MEMORY_MAX);
    lb_arena_init(&sync.rows, lm_host(manager), NULL, 0, PLAN_MEMORY_MAX);
    llmgr_status status = LLMGR_OK;
    if (lm_defaults_say_anything(defaults)) {
        status = lm_sync_entries(&sync.plan, defaults, &entries, err);
        if (status == LLMGR_OK)
            status = run_sync(&sync, dry_run, err);
        if (status == LLMGR_OK)
            warn_missing(&sync.plan);
    }
    lb_arena_free(&sync.rows);
    lb_arena_free(&entries);
    if (status != LLMGR_OK)
        return status;
    *changes = sync.report.items;
    *count = sync.report.items != NULL ? sync.report.count : 0;
    return LLMGR_OK;
}

/* ---- Is a sync due? -------------------------------------------------------------------------- */

struct stored {
    char digest[LM_SYNC_DIGEST_SIZE];
};

static llmgr_status read_digest(struct ls_tx *tx, void *context, struct llmgr_error *err)
{
    struct stored *stored = context;
    return lm_sync_digest(tx, stored->digest, err);
}

llmgr_status lm_sync_check(struct lm_manager *manager, const struct lm_defaults *defaults,
                           llmgr_sync_state *state, struct llmgr_error *err)
{
    struct lm_sync_plan plan = {.manager = manager};
    struct stored stored = {0};
    struct lb_arena entries;
    lb_arena_init(&entries, lm_host(manager), NULL, 0, PLAN_MEMORY_MAX);
    llmgr_status status = lm_sync_entries(&plan, defaults, &entries, err);
    if (status == LLMGR_OK)
        status = ls_transact(lm_store(manager), LS_READ_ONE, read_digest, &stored, err);
    lb_arena_free(&entries);
    if (status != LLMGR_OK)
        return status;
    if (!lm_defaults_say_anything(defaults) || strcmp(stored.digest, plan.digest) == 0)
        *state = LLMGR_SYNC_CURRENT;
    else
        *state = stored.digest[0] == '\0' ? LLMGR_SYNC_NEVER : LLMGR_SYNC_STALE;
    return LLMGR_OK;
}
