/* SPDX-License-Identifier: MIT */
/* Operations and queries as arrays, and judging a query by them. */
#include "management/schema.h"

#include <string.h>

#include "base/error.h"
#include "documents/write.h"
#include "http/url.h"

/* ---- The tables ------------------------------------------------------------------------------ */

const struct lp_query LP_QUERIES[LP_QUERY_COUNT] = {
#define LP_QUERY(id, name_, schema_, choices_, text_)                                              \
    [LP_QUERY_##id] = {.name = name_, .schema = schema_, .choices = choices_, .text = text_},
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

/* ---- Queries --------------------------------------------------------------------------------- */

/* As forms write it: '+' is a blank. */
static llmgr_status decode(struct lb_str in, struct lb_arena *arena, struct lb_str *out,
                           struct llmgr_error *err)
{
    char *to = lb_arena_bytes(arena, in.size + 1);
    size_t size = 0;

    if (to == NULL)
        return lb_fail_memory(err);
    for (size_t i = 0; i < in.size; i++)
        to[i] = in.p[i] == '+' ? ' ' : in.p[i];
    if (!lh_percent_decode(lb_str(to, in.size), to, &size))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the query holds an invalid escape"));
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
