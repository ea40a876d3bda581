/* SPDX-License-Identifier: MIT */
/*
 * The tables of /api in C: schemas.def, operations.def, queries.def. Requests are judged by them,
 * and openapi.c writes them down.
 */
#ifndef LP_SCHEMA_H
#define LP_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"
#include "llmgr.h"

enum lx_schema_id {
    LX_SCHEMA_NONE,
#define LX_SCHEMA(name, text) LX_SCHEMA_##name,
#define LX_MEMBER(...)
#include "documents/schemas.def"
    LX_SCHEMA_COUNT
};

enum lx_type {
    LX_TYPE_ID,
    LX_TYPE_COUNT,
    LX_TYPE_COUNT_OR_NULL,
    LX_TYPE_FLAG,
    LX_TYPE_TEXT,
    LX_TYPE_TEXT_OR_NULL,
    LX_TYPE_SECRET,
    LX_TYPE_TOKEN,
    LX_TYPE_OBJECT_OR_NULL,
    LX_TYPE_ANY,
    LX_TYPE_CHOICE,
    LX_TYPE_CHOICE_OR_NULL,
    LX_TYPE_ONE,
    LX_TYPE_LIST
};

struct lx_member {
    const char *name;
    enum lx_type type;
    const char *detail;
    size_t max;
    bool required;
    const char *text;
};

struct lx_schema {
    const char *name;
    const char *text;
    const struct lx_member *members;
    size_t count;
};

enum lp_query_id {
#define LP_QUERY(id, name, schema, text) LP_QUERY_##id,
#include "management/queries.def"
    LP_QUERY_COUNT
};

struct lp_query {
    const char *name;
    const char *schema; /* JSON */
    const char *text;
};

#define LP_Q(id) (1u << LP_QUERY_##id)
#define LP_Q_PAGE (LP_Q(USER) | LP_Q(LIMIT) | LP_Q(AFTER))

enum lp_shape { LP_SHAPE_NOTHING, LP_SHAPE_ONE, LP_SHAPE_PAGE, LP_SHAPE_OPEN, LP_SHAPE_PLAIN };

enum { LP_BODY_OPTIONAL = 1, LP_ONCE = 2, LP_SEALED = 4 };

struct lp_operation {
    const char *name;
    enum lx_schema_id request;
    enum lp_shape shape;
    enum lx_schema_id response;
    int status;
    unsigned queries;
    unsigned options;
};

extern const struct lp_query LP_QUERIES[LP_QUERY_COUNT];

/* By the target of its row, for its handler. */
enum lp_operation_id {
#define LP_OPERATION(target, ...) LP_OPERATION_##target,
#define LP_DESCRIBED(operation, ...) LP_DESCRIBED_##operation,
#include "management/operations.def"
    LP_OPERATION_COUNT
};
const struct lp_operation *lp_operation(enum lp_operation_id id);
/* By operationId; NULL if there is none. */
const struct lp_operation *lp_operation_find(const char *name);
/* Members in their order; NONE has no members. */
struct lx_schema lx_schema(enum lx_schema_id id);

enum {
    LP_API_BODY_MAX = 256 << 10, /* bytes of a management request's body */
    LP_API_DEPTH_MAX = 68,       /* levels of its JSON: extra_body may have 64 */
};

/*
 * Reads a body as JSON that obeys the schema: an object, no member twice, none that the schema
 * does not know, each of its type and size, the required ones there. ERR_INVALID and ERR_TOO_LARGE
 * name the member.
 */
LLMGR_MUST_CHECK llmgr_status lx_schema_read(enum lx_schema_id id, struct lb_str text,
                                             json_t **body, struct llmgr_error *err);
/* Overwrites the members of type SECRET; the tree is freed by its owner. NULL is fine. */
void lx_schema_wipe(enum lx_schema_id id, json_t *body);
/*
 * Reads a query against what the operation takes: decoded, NUL-terminated values in `arena`, .p
 * NULL for those that are not there. ERR_INVALID names a parameter that is unknown or repeated.
 */
LLMGR_MUST_CHECK llmgr_status lp_queries_read(struct lb_str query, unsigned allowed,
                                              struct lb_arena *arena,
                                              struct lb_str values[LP_QUERY_COUNT],
                                              struct llmgr_error *err);

#endif
