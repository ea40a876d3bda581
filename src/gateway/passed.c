/* SPDX-License-Identifier: MIT */
/* The part of SEND that chooses. See the header. */
#include "gateway/passed.h"

#include <string.h>

#include "config/header_name.h"
#include "dialect/refs.h"
#include "gateway/ask.h"
#include "gateway/attempt.h"
#include "http/hops.h"
#include "http/query.h"
#include "http/url.h"

/* ---- Fields ---------------------------------------------------------------------------------- */

static const struct lb_str PASSED[] = {
    LB_STR("accept"),      LB_STR("anthropic-version"), LB_STR("anthropic-beta"),
    LB_STR("openai-beta"), LB_STR("traceparent"),
};

static void add_field(struct lh_field *fields, size_t *count, struct lb_str name,
                      struct lb_str value)
{
    if (value.p != NULL && *count < LG_PASSED_MAX)
        fields[(*count)++] = (struct lh_field){.name = name, .value = value};
}

/* What describes a body, and is true of it only as long as it is the caller's. */
static const struct lb_str DESCRIBES[] = {
    LB_STR("content-encoding"), LB_STR("content-language"), LB_STR("content-disposition"),
    LB_STR("content-location"), LB_STR("content-range"),    LB_STR("content-md5"),
    LB_STR("content-digest"),   LB_STR("repr-digest"),      LB_STR("digest"),
};

/* The name as we write it, a constant; p NULL: the field stays here. */
static struct lb_str passed_name(const struct lh_field *field, bool is_untouched)
{
    for (size_t i = 0; is_untouched && i < sizeof DESCRIBES / sizeof DESCRIBES[0]; i++) {
        if (lb_str_eq_nocase(field->name, DESCRIBES[i]))
            return DESCRIBES[i];
    }
    for (size_t i = 0; i < sizeof PASSED / sizeof PASSED[0]; i++) {
        if (lb_str_eq_nocase(field->name, PASSED[i]))
            return PASSED[i];
    }
    return lb_str(NULL, 0);
}

/*
 * Whom this request has passed, and us (RFC 8586): should its platform lead back here, that is
 * seen. Without memory for what came, our name alone still ends a circle.
 */
static struct lb_str hops_of(struct lg_request *request)
{
    struct lb_str ours = request->worker->shared->hop;
    struct lh_loop loop;

    if (!lh_loop_read(request->head, ours, &loop) || loop.size == ours.size)
        return ours;
    char *value = lb_arena_bytes(&request->arena, loop.size);
    if (value == NULL)
        return ours;
    lh_loop_write(request->head, ours, value);
    return lb_str(value, loop.size);
}

/* What the operator wants to pass, and may: sessions, titles, the client's name. */
static bool is_wanted(const struct lg_request *request, struct lb_str name)
{
    struct lb_str wanted = request->attempt->target.headers;

    return wanted.size > 0 && lc_header_is_listed(wanted, name) && lc_header_may_pass(name);
}

size_t lg_passed_fields(struct lg_request *request, struct lh_field fields[LG_PASSED_MAX])
{
    const struct lh_head *head = request->head;
    bool typed = request->ask != NULL && request->ask->kind == LG_ASK_JSON;
    bool untouched = head->body != LH_BODY_NONE &&
                     (request->ask == NULL || request->ask->kind == LG_ASK_OPAQUE) &&
                     !ld_is_form(lh_head_get(head, LH_HEADER_CONTENT_TYPE));
    size_t count = 0;

    struct lb_str agent = lh_head_get(head, LH_HEADER_USER_AGENT);
    if (agent.size == 0 || !is_wanted(request, LB_STR("user-agent")))
        add_field(fields, &count, LB_STR("user-agent"), LB_STR("llmgr/" LLMGR_VERSION_STRING));
    add_field(fields, &count, LB_STR("content-type"),
              typed ? LB_STR("application/json") : lh_head_get(head, LH_HEADER_CONTENT_TYPE));
    add_field(fields, &count, LB_STR("cdn-loop"), hops_of(request));
    for (size_t i = 0; i < head->field_count; i++) {
        struct lb_str name = passed_name(&head->fields[i], untouched);
        if (name.p == NULL && is_wanted(request, head->fields[i].name) &&
            !lh_head_is_hop(head, &head->fields[i]))
            name = head->fields[i].name;
        if (name.p != NULL)
            add_field(fields, &count, name, head->fields[i].value);
    }
    return count;
}

/* ---- Path and query -------------------------------------------------------------------------- */

/*
 * May it go along to an endpoint whose request is its body? Not what the body has said or been
 * asked for already, lest a lenient platform reads it here: the model, and what names a thing that
 * is kept there. Nor what one server reads as one member and another as two.
 */
static bool is_harmless(struct lb_str member, struct lb_arena *arena)
{
    size_t cut = lb_str_find(member, '='), name = 0, value = 0;
    char *plain = lb_arena_bytes(arena, member.size + 1);
    struct ld_ref ref;

    if (plain == NULL || lb_str_find(member, ';') < member.size ||
        lh_query_is(member, LB_STR("model")) ||
        !lh_percent_decode(lb_str_sub(member, 0, cut), plain, &name) ||
        !lh_percent_decode(lb_str_sub(member, cut + 1, member.size), plain + name, &value))
        return false;
    return !ld_ref_named(lb_str(plain, name), lb_str(plain + name, value), &ref);
}

struct lb_str lg_passed_path(struct lg_request *request)
{
    const struct ld_endpoint *endpoint = lg_request_endpoint(request);
    bool known = endpoint->path.size > 0;
    struct lb_str path = known ? endpoint->path : request->match.rest;
    struct lb_str query = request->head->query, member;

    if (query.size == 0 || (!known && request->has_query))
        return path;
    char *made = lb_arena_bytes(&request->arena, path.size + 1 + query.size);
    if (made == NULL)
        return path;
    memcpy(made, path.p, path.size);
    size_t size = path.size;
    while (lh_query_next(&query, &member)) {
        if (lh_query_is(member, LG_QUERY_TOKEN) || (known && !is_harmless(member, &request->arena)))
            continue;
        made[size] = size == path.size ? '?' : '&';
        memcpy(made + size + 1, member.p, member.size);
        size += 1 + member.size;
    }
    return lb_str(made, size);
}

struct lb_str lg_passed_dialect(const struct lg_request *request)
{
    const char *dialect = lg_request_endpoint(request)->protocol;

    if (dialect[0] == '\0' && lg_request_shape(request) == LD_SHAPE_ANTHROPIC)
        return LB_STR("anthropic");
    return lb_cstr(dialect);
}
