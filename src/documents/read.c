/* SPDX-License-Identifier: MIT */
/*
 * Judging what was sent against schemas.def. Whoever reads from a body that passed here never meets
 * a member that is not declared, nor one of another type.
 */
#include "documents/read.h"

#include <sodium.h>
#include <string.h>

#include "base/error.h"

/* Levels of nesting, found without building anything: the parser recurses. */
static bool too_deep(struct lb_str text)
{
    unsigned depth = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.size; i++) {
        char c = text.p[i];
        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '{' || c == '['))
            depth++;
        else if (!quoted && (c == '}' || c == ']') && depth > 0)
            depth--;
        if (depth > LX_DEPTH_MAX)
            return true;
    }
    return false;
}

static llmgr_status parse(struct lb_str text, json_t **body, struct llmgr_error *err)
{
    json_error_t error;

    if (text.size > LX_BODY_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the body may have %d bytes, not %zu"),
                       LX_BODY_MAX, text.size);
    if (too_deep(text))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the body is nested deeper than %d levels"),
                       LX_DEPTH_MAX);
    json_t *value = json_loadb(text.p, text.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
    if (value == NULL && json_error_code(&error) == json_error_out_of_memory)
        return lb_fail_memory(err);
    /* The parser's own text would quote the body, and with it perhaps a key. */
    if (value == NULL && json_error_code(&error) == json_error_duplicate_key)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the body has a member twice (line %d, column %d)"), error.line,
                       error.column);
    if (value == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the body is not valid JSON (line %d, column %d); send a JSON object"),
                       error.line, error.column);
    if (!json_is_object(value)) {
        json_decref(value);
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("the body must be a JSON object such as {\"name\": \"value\"}"));
    }
    *body = value;
    return LLMGR_OK;
}

static const struct lx_member *find_member(const struct lx_schema *schema, const char *name)
{
    for (size_t i = 0; i < schema->count; i++) {
        if (strcmp(schema->members[i].name, name) == 0)
            return &schema->members[i];
    }
    return NULL;
}

static llmgr_status refuse_unknown(const struct lx_schema *schema, const char *name,
                                   struct llmgr_error *err)
{
    char known[256] = "";
    size_t at = 0;

    for (size_t i = 0; i < schema->count; i++) {
        size_t size = strlen(schema->members[i].name);
        if (at + size + 3 > sizeof known)
            break;
        if (at > 0) {
            memcpy(known + at, ", ", 2);
            at += 2;
        }
        memcpy(known + at, schema->members[i].name, size);
        at += size;
        known[at] = '\0';
    }
    return lb_fail(err, LLMGR_ERR_INVALID, N_("there is no member '%.*s' here; known are: %s"),
                   (int)lb_utf8_cut(lb_cstr(name), 80), name, known);
}

static llmgr_status check_text(const struct lx_member *member, const json_t *value,
                               struct llmgr_error *err)
{
    if (!json_is_string(value))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be a string"), member->name);
    if (member->max != 0 && json_string_length(value) > member->max)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' may have %zu bytes"), member->name,
                       member->max);
    return LLMGR_OK;
}

static llmgr_status check_members(const struct lx_schema *schema, json_t *body,
                                  struct llmgr_error *err);

/* Each item is a form of its own; what is wrong in one is told with its place, from 1. */
static llmgr_status check_items(const struct lx_member *member, const json_t *list,
                                struct llmgr_error *err)
{
    const struct lx_schema form = lx_schema(member->other);
    const size_t count = json_array_size(list);

    if (!json_is_array(list))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be a list"), member->name);
    if (member->max != 0 && count > member->max)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("'%s' may have %zu entries"), member->name,
                       member->max);
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(list, i);
        struct llmgr_error inner = {0};
        if (!json_is_object(item))
            return lb_fail(err, LLMGR_ERR_INVALID, N_("entry %zu of '%s' must be an object"), i + 1,
                           member->name);
        if (check_members(&form, item, &inner) != LLMGR_OK)
            return lb_fail(err, inner.status, N_("entry %zu of '%s': %s"), i + 1, member->name,
                           inner.message);
    }
    return LLMGR_OK;
}

/* Which decimals there are is judged by who takes them: llmgr_rate_parse. */
static llmgr_status check_rates(const struct lx_member *member, json_t *rates,
                                struct llmgr_error *err)
{
    const char *name;
    json_t *value;

    if (!json_is_object(rates))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("'%s' must be an object such as {\"input\": \"0.27\"}"), member->name);
    json_object_foreach(rates, name, value)
    {
        if (lx_choice_find(member->choices, name) < 0)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' has no '%.*s'; there are: %s"),
                           member->name, (int)lb_utf8_cut(lb_cstr(name), 80), name,
                           member->choices);
        if (!json_is_string(value))
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("'%s.%s' must be a string with a decimal, such as \"0.27\""),
                           member->name, name);
    }
    return LLMGR_OK;
}

/* Only the types that requests have. */
static llmgr_status check_value(const struct lx_member *member, json_t *value,
                                struct llmgr_error *err)
{
    switch (member->type) {
    case LX_TYPE_ID:
        if (!json_is_integer(value) || json_integer_value(value) <= 0)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be a positive whole number"),
                           member->name);
        return LLMGR_OK;
    case LX_TYPE_COUNT:
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be a whole number, 0 or more"),
                           member->name);
        return LLMGR_OK;
    case LX_TYPE_RATES:
        return check_rates(member, value, err);
    case LX_TYPE_NONZERO_OR_NULL:
        if (!json_is_null(value) && (!json_is_integer(value) || json_integer_value(value) <= 0))
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("'%s' must be a positive whole number, or null"), member->name);
        return LLMGR_OK;
    case LX_TYPE_LIST:
        return check_items(member, value, err);
    case LX_TYPE_FLAG:
        if (!json_is_boolean(value))
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be true or false"), member->name);
        return LLMGR_OK;
    case LX_TYPE_OBJECT_OR_NULL:
        if (!json_is_object(value) && !json_is_null(value))
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be an object or null"),
                           member->name);
        return LLMGR_OK;
    case LX_TYPE_CHOICE:
        if (!json_is_string(value) || lx_choice_find(member->choices, json_string_value(value)) < 0)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be one of: %s"), member->name,
                           member->choices);
        return LLMGR_OK;
    case LX_TYPE_TEXT:
    case LX_TYPE_SECRET:
        return check_text(member, value, err);
    default:
        return lb_fail(err, LLMGR_ERR_INTERNAL, N_("'%s' is not meant to be sent"), member->name);
    }
}

static llmgr_status check_members(const struct lx_schema *schema, json_t *body,
                                  struct llmgr_error *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(body, name, value)
    {
        const struct lx_member *member = find_member(schema, name);
        if (member == NULL)
            return refuse_unknown(schema, name, err);
        llmgr_status status = check_value(member, value, err);
        if (status != LLMGR_OK)
            return status;
    }
    for (size_t i = 0; i < schema->count; i++) {
        if (schema->members[i].required && json_object_get(body, schema->members[i].name) == NULL)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' is missing"), schema->members[i].name);
    }
    return LLMGR_OK;
}

llmgr_status lx_schema_read(enum lx_schema_id id, struct lb_str text, json_t **body,
                            struct llmgr_error *err)
{
    const struct lx_schema schema = lx_schema(id);
    json_t *made = NULL;

    llmgr_status status = parse(text, &made, err);
    if (status == LLMGR_OK)
        status = check_members(&schema, made, err);
    if (status != LLMGR_OK) {
        lx_schema_wipe(id, made);
        json_decref(made);
        return status;
    }
    *body = made;
    return LLMGR_OK;
}

void lx_schema_wipe(enum lx_schema_id id, json_t *body)
{
    const struct lx_schema schema = lx_schema(id);

    for (size_t i = 0; i < schema.count; i++) {
        if (schema.members[i].type != LX_TYPE_SECRET)
            continue;
        const json_t *value = json_object_get(body, schema.members[i].name);
        if (json_is_string(value)) /* the tree is ours; jansson only shows it as constant */
            sodium_memzero((char *)(uintptr_t)json_string_value(value), json_string_length(value));
    }
}
