/* SPDX-License-Identifier: MIT */
/*
 * What every operation of /api goes through; see the header for the order. A handler has the
 * request to itself on a thread of the pool, so everything here may block.
 */
#include "management/operation.h"

#include <sodium.h>
#include <string.h>

#include "documents/read.h"
#include "documents/write.h"
#include "json/write.h"
#include "library/library.h"
#include "management/once.h"
#include "management/problem.h"
#include "manager/manager.h"

enum { LIMIT_DEFAULT = 100, LIMIT_MAX = 1000 };

/* ---- Who may ask ----------------------------------------------------------------------------- */

static bool makes_changes(const struct lp_call *call)
{
    return call->method != LH_METHOD_GET && call->method != LH_METHOD_HEAD;
}

/*
 * Without tokens the only credential is to be on this machine, and every page in a browser is:
 * what another site's page sends must not change anything.
 */
static llmgr_status refuse_forged(const struct lp_call *call, struct llmgr_error *err)
{
    struct lb_str site = lh_head_get_named(call->head, LB_STR("sec-fetch-site"));
    struct lb_str origin = lh_head_get_named(call->head, LB_STR("origin"));
    bool forged = false;

    if (call->caller->kind != LP_CALLER_SINGLE || !makes_changes(call))
        return LLMGR_OK;
    if (site.p != NULL)
        forged = !lb_str_eq_c(site, "same-origin") && !lb_str_eq_c(site, "none");
    else if (origin.p != NULL) {
        size_t colon = lb_str_find(origin, ':');
        forged = !lb_str_eq_nocase(lb_str_sub(origin, colon + 3, origin.size), call->head->host);
    }
    if (!forged)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                   N_("a page of another site may not change anything here; use a token"));
}

static llmgr_status check_scope(const struct lp_api *api, struct llmgr_error *err)
{
    if (api->call->admin_only && !api->is_admin)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN, N_("only an administrator's token may do this"));
    return refuse_forged(api->call, err);
}

static llmgr_status find_platform(const struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_platform_list platforms;
    bool found = false;
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = la_platforms(api->manager, api->user, lp_api_allowed(api), &platforms, err);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < platforms.count; i++)
        found = found || platforms.items[i].platform_id == id;
    llmgr_platform_list_clear(&platforms);
    return found
               ? LLMGR_OK
               : lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is no platform %lld"), (long long)id);
}

/* What its token leaves to a caller who may not use everything. */
static llmgr_status check_limits(const struct lp_api *api, struct llmgr_error *err)
{
    if (lp_api_allowed(api) == NULL)
        return LLMGR_OK;
    if ((api->operation->options & LP_WHOLE) != 0)
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("this token is limited to some platforms, models or routes; this needs "
                          "one that is not"));
    return (api->operation->options & LP_OF_PLATFORM) != 0 ? find_platform(api, err) : LLMGR_OK;
}

static llmgr_status choose_user(struct lp_api *api, struct llmgr_error *err)
{
    const struct lp_caller *caller = api->call->caller;
    struct lb_str named = api->query[LP_QUERY_USER];

    api->user = caller->user.size != 0 ? caller->user.p : LLMGR_SYSTEM_USER;
    api->everybody = api->is_admin && named.p == NULL;
    if (named.p == NULL)
        return LLMGR_OK;
    if (!api->is_admin && !lb_str_eq(named, caller->user))
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("this token acts for its own user only; leave out ?user="));
    api->user = named.p;
    return lm_check_user(named, err);
}

static llmgr_status read_limit(struct lp_api *api, struct llmgr_error *err)
{
    struct lb_str text = api->query[LP_QUERY_LIMIT];
    uint64_t limit = LIMIT_DEFAULT;

    if (text.p != NULL && (!lb_str_to_u64(text, &limit) || limit == 0 || limit > LIMIT_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'limit' must be a number from 1 to %d"),
                       LIMIT_MAX);
    api->limit = (size_t)limit;
    return LLMGR_OK;
}

/* ---- What is asked --------------------------------------------------------------------------- */

static bool is_type(const struct lp_call *call, struct lb_str wanted)
{
    struct lb_str type = lh_head_get_named(call->head, LB_STR("content-type"));

    return lb_str_eq_nocase(lb_str_trim(lb_str_sub(type, 0, lb_str_find(type, ';'))), wanted);
}

static bool is_json(const struct lp_call *call)
{
    return is_type(call, LB_STR("application/json"));
}

/* The file's form is the operation's to judge; its type is none that a form of HTML could send. */
static llmgr_status check_file(struct lp_api *api, struct llmgr_error *err)
{
    if (is_json(api->call) || is_type(api->call, LB_STR("application/yaml")))
        return LLMGR_OK;
    api->error_status = 415;
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("the body's Content-Type must be application/json or application/yaml"));
}

static llmgr_status read_body(struct lp_api *api, struct llmgr_error *err)
{
    const struct lp_operation *operation = api->operation;
    struct lb_str text = api->call->body;

    if ((operation->options & LP_FILE) != 0)
        return check_file(api, err);
    if (text.size == 0 &&
        (operation->request == LX_SCHEMA_NONE || (operation->options & LP_BODY_OPTIONAL) != 0))
        return LLMGR_OK;
    if (operation->request == LX_SCHEMA_NONE)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("this request takes no body"));
    if (text.size == 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("this request needs a body: a JSON object"));
    if (!is_json(api->call)) {
        api->error_status = 415;
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the body's Content-Type must be application/json"));
    }
    return lx_schema_read(operation->request, text, &api->body, err);
}

static llmgr_status start_operation(struct lp_api *api, struct llmgr_error *err)
{
    struct lp_call *call = api->call;

    llmgr_status status = check_scope(api, err);
    if (status == LLMGR_OK)
        status = lp_queries_read(call->head->query, api->operation->queries, call->arena,
                                 api->query, err);
    if (status == LLMGR_OK)
        status = read_limit(api, err);
    if (status == LLMGR_OK)
        status = choose_user(api, err);
    if (status == LLMGR_OK)
        status = check_limits(api, err);
    return status == LLMGR_OK ? read_body(api, err) : status;
}

/* ---- The answer ------------------------------------------------------------------------------ */

static void add_field(struct lp_call *call, const char *name, struct lb_str value)
{
    if (call->field_count < LP_ANSWER_FIELDS)
        call->fields[call->field_count++] = (struct lh_field){lb_cstr(name), value, 0};
}

static void add_escaped(struct lb_str text, struct lb_buf *out)
{
    static const char HEX[] = "0123456789ABCDEF";

    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.p[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') ||
                     c == '-' || c == '.' || c == '_' || c == '~';
        if (plain) {
            lb_buf_add_byte(out, (char)c);
        } else {
            lb_buf_add_byte(out, '%');
            lb_buf_add_byte(out, HEX[c >> 4]);
            lb_buf_add_byte(out, HEX[c & 15]);
        }
    }
}

/* Link (RFC 8288): the same query, but for where it goes on. */
static void add_link(struct lp_api *api)
{
    struct lp_call *call = api->call;
    struct lb_buf link;

    lb_buf_init(&link, call->arena->host, 8192);
    lb_buf_add_byte(&link, '<');
    lb_buf_add_str(&link, call->head->path);
    lb_buf_add_c(&link, "?after=");
    add_escaped(lb_cstr(api->next), &link);
    for (unsigned i = 0; i < LP_QUERY_COUNT; i++) {
        if (i == LP_QUERY_AFTER || api->query[i].p == NULL)
            continue;
        lb_buf_addf(&link, "&%s=", LP_QUERIES[i].name);
        add_escaped(api->query[i], &link);
    }
    lb_buf_add_c(&link, ">; rel=\"next\"");
    struct lb_str value = lb_arena_str(call->arena, lb_buf_str(&link));
    if (link.failed == LLMGR_OK && value.p != NULL)
        add_field(call, "link", value);
    lb_buf_free(&link);
}

static llmgr_status write_answer(struct lp_api *api, struct llmgr_error *err)
{
    struct lp_call *call = api->call;

    call->status = api->operation->status;
    add_field(call, "cache-control", LB_STR("no-store"));
    if (api->operation->shape == LP_SHAPE_NOTHING)
        return LLMGR_OK;
    if (api->answer == NULL && !api->is_written)
        return lb_fail_memory(err);
    if (!api->is_written)
        lj_json_write(api->answer, &call->out);
    if (call->out.failed == LLMGR_ERR_TOO_LARGE)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("the answer is too long; ask for fewer rows with ?limit="));
    if (call->out.failed != LLMGR_OK)
        return lb_fail_memory(err);
    if (api->next != NULL)
        add_link(api);
    if (api->location != NULL)
        add_field(call, "location", lb_cstr(api->location));
    return LLMGR_OK;
}

static void write_problem(struct lp_api *api, const struct llmgr_error *err)
{
    struct lp_call *call = api->call;

    call->field_count = 0;
    call->status = api->error_status != 0 ? api->error_status : lp_problem_http(err->status);
    call->type = LP_PROBLEM_TYPE;
    lb_buf_reset(&call->out);
    lp_problem_write(err, call->status, call->request_id, &call->out);
    add_field(call, "cache-control", LB_STR("no-store"));
    if (err->status == LLMGR_ERR_DATABASE_BUSY)
        add_field(call, "retry-after", LB_STR("1"));
}

/* Does the work and writes its answer. */
static llmgr_status perform_operation(struct lp_api *api, lp_api_fn run, struct llmgr_error *err)
{
    llmgr_status status = run(api, err);

    return status == LLMGR_OK ? write_answer(api, err) : status;
}

static llmgr_status perform_once(struct lp_api *api, lp_api_fn run, struct llmgr_error *err)
{
    struct lp_once once;
    struct lb_str name = lh_head_get_named(api->call->head, LB_STR("idempotency-key"));

    if (name.p == NULL || (api->operation->options & LP_ONCE) == 0)
        return perform_operation(api, run, err);
    llmgr_status status = lp_once_begin(api, name, &once, err);
    if (status != LLMGR_OK)
        return status;
    if (once.replayed) {
        add_field(api->call, "idempotency-replayed", LB_STR("true"));
        add_field(api->call, "cache-control", LB_STR("no-store"));
        if (api->location != NULL)
            add_field(api->call, "location", lb_cstr(api->location));
        return LLMGR_OK;
    }
    status = perform_operation(api, run, err);
    lp_once_end(api, &once, status);
    return status;
}

/* The request's buffer is the gateway's, but what it holds has been read. */
static void wipe_secrets(struct lp_api *api)
{
    struct lb_str text = api->call->body;
    const struct lx_schema schema = lx_schema(api->operation->request);
    bool secret = false;

    for (size_t i = 0; i < schema.count; i++)
        secret = secret || schema.members[i].type == LX_TYPE_SECRET;
    if (!secret)
        return;
    lx_schema_wipe(api->operation->request, api->body);
    if (text.size != 0)
        sodium_memzero((char *)(uintptr_t)text.p, text.size);
}

void lp_api_run(struct lp_call *call, const struct lp_operation *operation, lp_api_fn run)
{
    struct llmgr_error err = {0};
    struct lp_api api = {
        .call = call,
        .operation = operation,
        .manager = call->manager,
        .core = call->manager->manager,
        .is_admin = lp_caller_is_admin(call->caller),
        .user = LLMGR_SYSTEM_USER,
    };

    llmgr_status status = start_operation(&api, &err);
    if (status == LLMGR_OK)
        status = perform_once(&api, run, &err);
    if (status != LLMGR_OK)
        write_problem(&api, &err);
    wipe_secrets(&api);
    json_decref(api.body);
    json_decref(api.answer);
}

/* ---- For the operations ---------------------------------------------------------------------- */

llmgr_status lp_api_id(const struct lp_api *api, size_t i, int64_t *id, struct llmgr_error *err)
{
    int64_t value;

    if (i < api->call->param_count && lb_str_to_i64(api->call->params[i], &value) && value > 0) {
        *id = value;
        return LLMGR_OK;
    }
    return lb_fail(err, LLMGR_ERR_NOT_FOUND, N_("there is nothing with that id; ids are numbers"));
}

struct lm_actor lp_api_actor(const struct lp_api *api)
{
    struct lm_actor actor = lm_actor_of(api->core, la_user(api->user));

    actor.is_operator = actor.is_operator && api->is_admin;
    return actor;
}

const char *lp_api_param(const struct lp_api *api, size_t i)
{
    return i < api->call->param_count ? api->call->params[i].p : "";
}

const char *lp_api_text(const struct lp_api *api, const char *member)
{
    return json_string_value(json_object_get(api->body, member));
}

int64_t lp_api_number(const struct lp_api *api, const char *member)
{
    return (int64_t)json_integer_value(json_object_get(api->body, member));
}

const int64_t *lp_api_count(const struct lp_api *api, const char *member, int64_t *count)
{
    *count = lp_api_number(api, member);
    return json_object_get(api->body, member) != NULL ? count : NULL;
}

llmgr_status lp_api_query_choice(const struct lp_api *api, enum lp_query_id id, int *chosen,
                                 struct llmgr_error *err)
{
    const struct lp_query *query = &LP_QUERIES[id];
    const char *text = api->query[id].p;
    int found = text != NULL ? lx_choice_find(query->choices, text) : *chosen;

    if (found < 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be one of: %s"), query->name,
                       query->choices);
    *chosen = found;
    return LLMGR_OK;
}

llmgr_status lp_api_query_flag(const struct lp_api *api, enum lp_query_id id, bool *flag,
                               struct llmgr_error *err)
{
    int chosen = false;
    llmgr_status status = lp_api_query_choice(api, id, &chosen, err);

    *flag = chosen;
    return status;
}

const bool *lp_api_flag(const struct lp_api *api, const char *member, bool *flag)
{
    const json_t *value = json_object_get(api->body, member);

    *flag = json_is_true(value);
    return value != NULL ? flag : NULL;
}

llmgr_status lp_api_answer(struct lp_api *api, json_t *answer, struct llmgr_error *err)
{
    api->answer = answer;
    return answer != NULL ? LLMGR_OK : lb_fail_memory(err);
}

void lp_api_written(struct lp_api *api, struct lb_str type)
{
    api->is_written = true;
    api->call->type = type;
}

/* ---- Pages ----------------------------------------------------------------------------------- */

/* "ID.PLACE": the last row that was given, and how many stood up to it. */
static llmgr_status read_cursor(struct lb_str text, int64_t *id, uint64_t *place,
                                struct llmgr_error *err)
{
    size_t dot = lb_str_find(text, '.');

    if (lb_str_to_i64(lb_str_sub(text, 0, dot), id) &&
        lb_str_to_u64(lb_str_sub(text, dot + 1, text.size), place) && *place > 0)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("'after' must be what `next` of a page said"));
}

static size_t find_start(const void *items, size_t count, lp_id_at_fn id_at, int64_t id,
                         uint64_t place)
{
    if (place <= count && id_at(items, (size_t)place - 1) == id)
        return (size_t)place;
    for (size_t i = 0; i < count; i++) {
        if (id_at(items, i) == id)
            return i + 1;
    }
    return place - 1 < count ? (size_t)place - 1 : count;
}

llmgr_status lp_api_range(struct lp_api *api, const void *items, size_t count, lp_id_at_fn id_at,
                          struct lp_range *range, struct llmgr_error *err)
{
    struct lb_str after = api->query[LP_QUERY_AFTER];
    uint64_t place = 0;
    int64_t id = 0;

    range->from = 0;
    if (after.p != NULL) {
        llmgr_status status = read_cursor(after, &id, &place, err);
        if (status != LLMGR_OK)
            return status;
        range->from = find_start(items, count, id_at, id, place);
    }
    range->to = count - range->from > api->limit ? range->from + api->limit : count;
    if (range->to == count)
        return LLMGR_OK;
    api->next = lb_arena_printf(api->call->arena, "%lld.%zu",
                                (long long)id_at(items, range->to - 1), range->to);
    return api->next != NULL ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status lp_api_page(struct lp_api *api, json_t *data, struct llmgr_error *err)
{
    if (data == NULL)
        return lb_fail_memory(err);
    const struct lx_page page = {.data = data, .has_more = api->next != NULL, .next = api->next};
    return lp_api_answer(api, lx_json_page(&page), err);
}
