/* SPDX-License-Identifier: MIT */
/*
 * Judging what came against the tables. Everything that a handler reads from a body or a query
 * passed through here, so a handler never meets a member it did not declare.
 */
#include "management/schema.h"

#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "http/hex.h"

/* ---- The tables ------------------------------------------------------------------------------ */

static const struct row {
    enum lx_schema_id id;
    const char *name;
    const char *text;
} SCHEMAS[] = {
#define LX_SCHEMA(name_, text_) {LX_SCHEMA_##name_, #name_, text_},
#define LX_MEMBER(...)
#include "documents/schemas.def"
};

static const struct lx_member MEMBERS[] = {
#define LX_SCHEMA(...)
#define LX_REQUIRED true
#define LX_OPTIONAL false
#define LX_MEMBER(schema_, name_, type_, detail_, max_, presence_, text_)                          \
    {.name = #name_,                                                                               \
     .type = LX_TYPE_##type_,                                                                      \
     .detail = detail_,                                                                            \
     .max = max_,                                                                                  \
     .required = LX_##presence_,                                                                   \
     .text = text_},
#include "documents/schemas.def"
};

/* Whose member the i-th is. */
static const unsigned char OWNERS[] = {
#define LX_SCHEMA(...)
#define LX_MEMBER(schema_, ...) LX_SCHEMA_##schema_,
#include "documents/schemas.def"
};

enum { MEMBER_COUNT = sizeof MEMBERS / sizeof MEMBERS[0] };

const struct lp_query LP_QUERIES[LP_QUERY_COUNT] = {
#define LP_QUERY(id, name_, schema_, text_)                                                        \
    [LP_QUERY_##id] = {.name = name_, .schema = schema_, .text = text_},
#include "management/queries.def"
};

static const struct lp_operation OPERATIONS[LP_OPERATION_COUNT] = {
#define LP_OPERATION(target_, ...) LP_DESCRIBED(__VA_ARGS__)
#define LP_DESCRIBED(operation_, request_, shape_, response_, status_, queries_, options_)         \
    {.name = #operation_,                                                                          \
     .request = LX_SCHEMA_##request_,                                                              \
     .shape = LP_SHAPE_##shape_,                                                                   \
     .response = LX_SCHEMA_##response_,                                                            \
     .status = status_,                                                                            \
     .queries = queries_,                                                                          \
     .options = options_},
#include "management/operations.def"
};

const struct lp_operation *lp_operation(enum lp_operation_id id)
{
    return &OPERATIONS[id];
}

const struct lp_operation *lp_operation_find(const char *name)
{
    for (size_t i = 0; i < LP_OPERATION_COUNT; i++) {
        if (strcmp(OPERATIONS[i].name, name) == 0)
            return &OPERATIONS[i];
    }
    return NULL;
}

struct lx_schema lx_schema(enum lx_schema_id id)
{
    struct lx_schema schema = {0};

    if (id == LX_SCHEMA_NONE || id >= LX_SCHEMA_COUNT)
        return schema;
    schema.name = SCHEMAS[id - 1].name;
    schema.text = SCHEMAS[id - 1].text;
    for (size_t i = 0; i < MEMBER_COUNT; i++) {
        if (OWNERS[i] != id)
            continue;
        if (schema.count++ == 0)
            schema.members = &MEMBERS[i];
    }
    return schema;
}

/* ---- Bodies ---------------------------------------------------------------------------------- */

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
        if (depth > LP_API_DEPTH_MAX)
            return true;
    }
    return false;
}

static llmgr_status parse(struct lb_str text, json_t **body, struct llmgr_error *err)
{
    json_error_t error;

    if (text.size > LP_API_BODY_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the body may have %d bytes, not %zu"),
                       LP_API_BODY_MAX, text.size);
    if (too_deep(text))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the body is nested deeper than %d levels"),
                       LP_API_DEPTH_MAX);
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

static bool is_choice(const char *choices, const char *text)
{
    size_t size = strlen(text);

    while (choices != NULL) {
        size_t here = strcspn(choices, "|");
        if (here == size && memcmp(choices, text, size) == 0)
            return true;
        choices = choices[here] == '|' ? choices + here + 1 : NULL;
    }
    return false;
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

/* Only the types that requests have. */
static llmgr_status check_value(const struct lx_member *member, const json_t *value,
                                struct llmgr_error *err)
{
    switch (member->type) {
    case LX_TYPE_ID:
        if (!json_is_integer(value) || json_integer_value(value) <= 0)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be a positive whole number"),
                           member->name);
        return LLMGR_OK;
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
        if (!json_is_string(value) || !is_choice(member->detail, json_string_value(value)))
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' must be one of: %s"), member->name,
                           member->detail);
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

/* ---- Queries --------------------------------------------------------------------------------- */

static llmgr_status decode(struct lb_str in, struct lb_arena *arena, struct lb_str *out,
                           struct llmgr_error *err)
{
    char *to = lb_arena_bytes(arena, in.size + 1);
    size_t size = 0;

    if (to == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < in.size; i++) {
        char c = in.p[i] == '+' ? ' ' : in.p[i];
        if (c == '%') {
            int high = i + 2 < in.size ? lh_hex_digit(in.p[i + 1]) : -1;
            int low = i + 2 < in.size ? lh_hex_digit(in.p[i + 2]) : -1;
            if (high < 0 || low < 0)
                return lb_fail(err, LLMGR_ERR_INVALID, N_("the query holds an invalid escape"));
            c = (char)(high * 16 + low);
            i += 2;
        }
        to[size++] = c;
    }
    to[size] = '\0';
    *out = lb_str(to, size);
    if (!lb_utf8_valid(*out))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the query is not valid UTF-8"));
    return LLMGR_OK;
}

static llmgr_status take_pair(struct lb_str pair, unsigned allowed, struct lb_arena *arena,
                              struct lb_str *values, struct llmgr_error *err)
{
    struct lb_str name, value;
    size_t equals = lb_str_find(pair, '=');

    llmgr_status status = decode(lb_str_sub(pair, 0, equals), arena, &name, err);
    if (status == LLMGR_OK)
        status = decode(lb_str_sub(pair, equals + 1, pair.size), arena, &value, err);
    if (status != LLMGR_OK)
        return status;
    for (unsigned i = 0; i < LP_QUERY_COUNT; i++) {
        if ((allowed & (1u << i)) == 0 || !lb_str_eq_c(name, LP_QUERIES[i].name))
            continue;
        if (values[i].p != NULL)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("the query has '%s' twice"),
                           LP_QUERIES[i].name);
        if (value.size == 0)
            return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' in the query is empty"),
                           LP_QUERIES[i].name);
        values[i] = value;
        return LLMGR_OK;
    }
    return lb_fail(err, LLMGR_ERR_INVALID, N_("there is no parameter '%.*s' here"),
                   (int)lb_utf8_cut(name, 80), name.p);
}

llmgr_status lp_queries_read(struct lb_str query, unsigned allowed, struct lb_arena *arena,
                             struct lb_str values[LP_QUERY_COUNT], struct llmgr_error *err)
{
    struct lb_str found[LP_QUERY_COUNT] = {{0}};

    while (query.size > 0) {
        size_t size = lb_str_find(query, '&');
        llmgr_status status = LLMGR_OK;
        if (size > 0)
            status = take_pair(lb_str_sub(query, 0, size), allowed, arena, found, err);
        if (status != LLMGR_OK)
            return status;
        query = lb_str_sub(query, size + 1, query.size);
    }
    memcpy(values, found, sizeof found);
    return LLMGR_OK;
}
