/* SPDX-License-Identifier: MIT */
/*
 * Writing the document down. It is text all the way, so nothing is built that could run short of
 * memory half-way, and the order of its members is that of the tables.
 */
#include "paths/openapi.h"

#include <string.h>

#include "json/write.h"
#include "management/call.h"
#include "management/schema.h"

static void add_text(const char *text, struct lb_buf *out)
{
    lj_json_write_str(lb_cstr(text), out);
}

/* ,"name":"text" */
static void add_pair(const char *name, const char *text, struct lb_buf *out)
{
    lb_buf_addf(out, ",\"%s\":", name);
    add_text(text, out);
}

static void add_reference(const char *schema, struct lb_buf *out)
{
    lb_buf_addf(out, "{\"$ref\":\"#/components/schemas/%s\"}", schema);
}

/* ---- Schemas --------------------------------------------------------------------------------- */

static void add_choices(const char *choices, bool or_null, struct lb_buf *out)
{
    const char *choice;
    size_t size;

    lb_buf_add_c(out, ",\"enum\":[");
    for (unsigned i = 0; (choice = lx_choice(choices, i, &size)) != NULL; i++) {
        if (i != 0)
            lb_buf_add_byte(out, ',');
        lj_json_write_str(lb_str(choice, size), out);
    }
    lb_buf_add_c(out, or_null ? ",null]" : "]");
}

static const char *type_of(enum lx_type type)
{
    switch (type) {
    case LX_TYPE_ID:
    case LX_TYPE_COUNT:
        return "\"type\":\"integer\",\"format\":\"int64\"";
    case LX_TYPE_COUNT_OR_NULL:
        return "\"type\":[\"integer\",\"null\"],\"format\":\"int64\",\"minimum\":0";
    case LX_TYPE_NONZERO_OR_NULL:
        return "\"type\":[\"integer\",\"null\"],\"format\":\"int64\",\"minimum\":1";
    case LX_TYPE_FLAG:
        return "\"type\":\"boolean\"";
    case LX_TYPE_TEXT:
    case LX_TYPE_TOKEN:
    case LX_TYPE_CHOICE:
    case LX_TYPE_KIND:
    case LX_TYPE_STATUS:
        return "\"type\":\"string\"";
    case LX_TYPE_SECRET:
        return "\"type\":\"string\",\"format\":\"password\",\"writeOnly\":true";
    case LX_TYPE_TEXT_OR_NULL:
    case LX_TYPE_CHOICE_OR_NULL:
        return "\"type\":[\"string\",\"null\"]";
    case LX_TYPE_OBJECT_OR_NULL:
        return "\"type\":[\"object\",\"null\"]";
    case LX_TYPE_LIST:
    case LX_TYPE_MADE:
        return "\"type\":\"array\"";
    default:
        return "";
    }
}

/* Texts by the names of the choices, each of which may be absent. */
static void add_rates(const char *choices, struct lb_buf *out)
{
    const char *choice;
    size_t size;

    lb_buf_add_c(out, ",\"type\":\"object\",\"properties\":{");
    for (unsigned i = 0; (choice = lx_choice(choices, i, &size)) != NULL; i++) {
        lb_buf_add_c(out, i == 0 ? "" : ",");
        lj_json_write_str(lb_str(choice, size), out);
        lb_buf_add_c(out, ":{\"type\":\"string\"}");
    }
    lb_buf_add_c(out, "},\"additionalProperties\":false");
}

static void add_member(const struct lx_member *member, struct lb_buf *out)
{
    const char *type = type_of(member->type);

    add_text(member->name, out);
    lb_buf_add_c(out, ":{\"description\":");
    add_text(member->text, out);
    if (type[0] != '\0')
        lb_buf_addf(out, ",%s", type);
    if (member->type == LX_TYPE_ID)
        lb_buf_add_c(out, ",\"minimum\":1");
    if (member->type == LX_TYPE_COUNT)
        lb_buf_add_c(out, ",\"minimum\":0");
    if (member->type == LX_TYPE_RATES)
        add_rates(member->choices, out);
    else if (member->choices != NULL)
        add_choices(member->choices, member->type == LX_TYPE_CHOICE_OR_NULL, out);
    if (member->type == LX_TYPE_ONE) /* 3.1: a reference may have a description beside it */
        lb_buf_addf(out, ",\"$ref\":\"#/components/schemas/%s\"", lx_schema(member->other).name);
    if (member->type == LX_TYPE_ONE_OR_NULL)
        lb_buf_addf(out, ",\"anyOf\":[{\"$ref\":\"#/components/schemas/%s\"},{\"type\":\"null\"}]",
                    lx_schema(member->other).name);
    if (member->type == LX_TYPE_LIST) {
        lb_buf_add_c(out, ",\"items\":");
        add_reference(lx_schema(member->other).name, out);
    }
    if (member->max != 0)
        lb_buf_addf(out, ",\"%s\":%zu", member->type == LX_TYPE_LIST ? "maxItems" : "maxLength",
                    member->max);
    lb_buf_add_byte(out, '}');
}

/* Ends an object's properties, and it. */
static void add_required(const struct lx_schema *schema, struct lb_buf *out)
{
    const char *comma = "";

    lb_buf_add_c(out, "},\"required\":[");
    for (size_t i = 0; i < schema->count; i++) {
        if (!schema->members[i].required)
            continue;
        lb_buf_add_c(out, comma);
        add_text(schema->members[i].name, out);
        comma = ",";
    }
    lb_buf_add_c(out, "],\"additionalProperties\":false}");
}

static void add_schema(enum lx_schema_id id, struct lb_buf *out)
{
    const struct lx_schema schema = lx_schema(id);

    add_text(schema.name, out);
    lb_buf_add_c(out, ":{\"type\":\"object\"");
    add_pair("description", schema.text, out);
    lb_buf_add_c(out, ",\"properties\":{");
    for (size_t i = 0; i < schema.count; i++) {
        lb_buf_add_c(out, i == 0 ? "" : ",");
        add_member(&schema.members[i], out);
    }
    add_required(&schema, out);
}

static void add_components(struct lb_buf *out)
{
    lb_buf_add_c(out,
                 "\"components\":{\"securitySchemes\":{"
                 "\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\","
                 "\"description\":\"a token: sk-llmgr-…\"},"
                 "\"x-api-key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"x-api-key\"},"
                 "\"api-key\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"api-key\"}},"
                 "\"responses\":{\"Problem\":{\"description\":\"what went wrong, and what to do\","
                 "\"content\":{\"application/problem+json\":{\"schema\":"
                 "{\"$ref\":\"#/components/schemas/Problem\"}}}}},"
                 "\"schemas\":{");
    for (int id = 1; id < LX_SCHEMA_COUNT; id++) {
        if (!lx_schema((enum lx_schema_id)id).shown)
            continue;
        lb_buf_add_c(out, id == 1 ? "" : ",");
        add_schema((enum lx_schema_id)id, out);
    }
    lb_buf_add_c(out, "}}");
}

/* ---- Operations ------------------------------------------------------------------------------ */

/* "{id...}" as "{id}". */
static void add_path(const char *path, struct lb_buf *out)
{
    const char *dots = strstr(path, "...}");
    size_t size = dots != NULL ? (size_t)(dots - path) : strlen(path);

    lb_buf_add_byte(out, '"');
    lb_buf_add(out, path, size);
    lb_buf_add_c(out, dots != NULL ? "}\":" : "\":");
}

static void add_path_parameter(struct lb_str name, bool rest, const char **comma,
                               struct lb_buf *out)
{
    bool number = lb_str_ends(name, LB_STR("_id"));

    lb_buf_addf(out, "%s{\"name\":", *comma);
    lj_json_write_str(name, out);
    lb_buf_add_c(out, ",\"in\":\"path\",\"required\":true,\"schema\":");
    lb_buf_add_c(out, number ? "{\"type\":\"integer\",\"format\":\"int64\",\"minimum\":1}"
                             : "{\"type\":\"string\",\"minLength\":1}");
    if (rest)
        lb_buf_add_c(out, ",\"description\":\"may contain slashes, plain or escaped\"");
    lb_buf_add_byte(out, '}');
    *comma = ",";
}

static void add_query_schema(const struct lp_query *query, struct lb_buf *out)
{
    size_t size = 0;

    if (query->choices == NULL) {
        lb_buf_addf(out, ",\"schema\":%s}", query->schema);
        return;
    }
    lb_buf_add_c(out, ",\"schema\":{\"type\":\"string\"");
    add_choices(query->choices, false, out);
    lb_buf_add_c(out, ",\"default\":");
    const char *first = lx_choice(query->choices, 0, &size);
    lj_json_write_str(lb_str(first, size), out);
    lb_buf_add_c(out, "}}");
}

static void add_parameters(const struct ly_route *route, const struct lp_operation *operation,
                           struct lb_buf *out)
{
    const char *comma = "";

    lb_buf_add_c(out, ",\"parameters\":[");
    for (const char *at = strchr(route->path, '{'); at != NULL; at = strchr(at + 1, '{')) {
        size_t size = strcspn(at, "}") - 1;
        struct lb_str name = lb_str(at + 1, size);
        bool rest = lb_str_ends(name, LB_STR("..."));
        add_path_parameter(rest ? lb_str_sub(name, 0, size - 3) : name, rest, &comma, out);
    }
    for (unsigned i = 0; i < LP_QUERY_COUNT; i++) {
        if ((operation->queries & (1u << i)) == 0)
            continue;
        lb_buf_addf(out, "%s{\"name\":\"%s\",\"in\":\"query\"", comma, LP_QUERIES[i].name);
        add_pair("description", LP_QUERIES[i].text, out);
        add_query_schema(&LP_QUERIES[i], out);
        comma = ",";
    }
    if ((operation->options & LP_ONCE) != 0)
        lb_buf_addf(out,
                    "%s{\"name\":\"Idempotency-Key\",\"in\":\"header\",\"description\":"
                    "\"makes repeating safe: the same key gets the same answer for a day\","
                    "\"schema\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}}",
                    comma);
    lb_buf_add_byte(out, ']');
}

static void add_request(const struct lp_operation *operation, struct lb_buf *out)
{
    if ((operation->options & LP_FILE) != 0)
        lb_buf_add_c(out, ",\"requestBody\":{\"required\":true,\"content\":{"
                          "\"application/json\":{},\"application/yaml\":{}}}");
    if (operation->request == LX_SCHEMA_NONE)
        return;
    lb_buf_addf(out,
                ",\"requestBody\":{\"required\":%s,\"content\":{\"application/json\":{"
                "\"schema\":",
                (operation->options & LP_BODY_OPTIONAL) != 0 ? "false" : "true");
    add_reference(lx_schema(operation->request).name, out);
    lb_buf_add_c(out, "}}}");
}

/* The shape of a page, whose rows are of the schema `name`. */
static void add_page(const char *name, struct lb_buf *out)
{
    const struct lx_schema page = lx_schema(LX_SCHEMA_Page);

    lb_buf_add_c(out, "{\"type\":\"object\",\"properties\":{");
    for (size_t i = 0; i < page.count; i++) {
        lb_buf_addf(out, "%s\"%s\":{%s", i == 0 ? "" : ",", page.members[i].name,
                    type_of(page.members[i].type));
        if (page.members[i].type == LX_TYPE_MADE) {
            lb_buf_add_c(out, ",\"items\":");
            add_reference(name, out);
        }
        lb_buf_add_byte(out, '}');
    }
    add_required(&page, out);
}

static void add_content(const struct lp_operation *operation, struct lb_buf *out)
{
    const char *name = lx_schema(operation->response).name;

    switch (operation->shape) {
    case LP_SHAPE_NOTHING:
        return;
    case LP_SHAPE_PLAIN:
        lb_buf_add_c(out, ",\"content\":{\"text/plain\":{\"schema\":{\"type\":\"string\"}}}");
        return;
    case LP_SHAPE_ONE:
        lb_buf_add_c(out, ",\"content\":{\"application/json\":{\"schema\":");
        add_reference(name, out);
        if ((operation->queries & LP_Q(FORMAT)) != 0)
            lb_buf_add_c(out, "},\"text/csv\":{\"schema\":{\"type\":\"string\"}");
        break;
    case LP_SHAPE_PAGE:
        lb_buf_add_c(out, ",\"content\":{\"application/json\":{\"schema\":");
        add_page(name, out);
        break;
    default:
        lb_buf_add_c(out, ",\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\"}");
    }
    lb_buf_add_c(out, "}}");
}

static void add_responses(const struct ly_route *route, const struct lp_operation *operation,
                          struct lb_buf *out)
{
    bool api = strncmp(route->path, "/api/", 5) == 0;

    lb_buf_addf(out, ",\"responses\":{\"%d\":{\"description\":\"done\"", operation->status);
    add_content(operation, out);
    lb_buf_add_c(out, "}");
    if (api)
        lb_buf_add_c(out, ",\"default\":{\"$ref\":\"#/components/responses/Problem\"}");
    else if (route->scope != LY_SCOPE_PUBLIC)
        lb_buf_add_c(out, ",\"default\":{\"description\":\"an error in the caller's dialect\"}");
    lb_buf_add_c(out, "}");
}

static void add_operation(const struct ly_route *route, struct lb_buf *out)
{
    static const char *const METHODS[] = {
        [LH_METHOD_GET] = "get",     [LH_METHOD_POST] = "post",     [LH_METHOD_PUT] = "put",
        [LH_METHOD_PATCH] = "patch", [LH_METHOD_DELETE] = "delete",
    };
    const struct lp_operation *operation = lp_operation_find(route->operation);

    if (operation == NULL) /* a test holds the tables to each other */
        return;
    lb_buf_addf(out, "\"%s\":{\"operationId\":\"%s\",\"tags\":[\"%s\"]", METHODS[route->method],
                route->operation, route->tag);
    add_pair("summary", route->summary, out);
    if (route->scope == LY_SCOPE_PUBLIC)
        lb_buf_add_c(out, ",\"security\":[]");
    if (route->scope == LY_SCOPE_ADMIN)
        lb_buf_add_c(out, ",\"x-llmgr-scope\":\"admin\"");
    add_parameters(route, operation, out);
    add_request(operation, out);
    add_responses(route, operation, out);
    lb_buf_add_byte(out, '}');
}

static bool is_first(const struct ly_route *routes, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (routes[k].tag != NULL && strcmp(routes[k].path, routes[i].path) == 0)
            return false;
    }
    return true;
}

/* All operations of the path of row `first`. */
static void add_item(const struct ly_route *routes, size_t first, size_t count, struct lb_buf *out)
{
    const char *comma = "";

    add_path(routes[first].path, out);
    lb_buf_add_byte(out, '{');
    for (size_t i = first; i < count; i++) {
        if (routes[i].tag == NULL || strcmp(routes[i].path, routes[first].path) != 0)
            continue;
        lb_buf_add_c(out, comma);
        add_operation(&routes[i], out);
        comma = ",";
    }
    lb_buf_add_byte(out, '}');
}

void ly_openapi_write(const struct ly_route *routes, size_t count, struct lb_buf *out)
{
    const char *comma = "";

    lb_buf_addf(out,
                "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"llmgr\",\"version\":\"%s\","
                "\"license\":{\"name\":\"MIT\",\"identifier\":\"MIT\"},\"description\":"
                "\"Platforms, models, keys and choices of many users behind one address\"},"
                "\"security\":[{\"bearer\":[]},{\"x-api-key\":[]},{\"api-key\":[]}],"
                "\"paths\":{",
                llmgr_version());
    for (size_t i = 0; i < count; i++) {
        if (routes[i].tag == NULL || !is_first(routes, i))
            continue;
        lb_buf_add_c(out, comma);
        add_item(routes, i, count, out);
        comma = ",";
    }
    lb_buf_add_c(out, "},");
    add_components(out);
    lb_buf_add_byte(out, '}');
}

void ly_run_openapi(struct lp_call *call)
{
    size_t count;
    const struct ly_route *routes = ly_routes(&count);

    ly_openapi_write(routes, count, &call->out);
}
