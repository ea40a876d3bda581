/* SPDX-License-Identifier: MIT */
/*
 * The tables of /api in C: schemas.def, operations.def, queries.def. Requests are judged by them,
 * and openapi.c writes them down.
 */
#ifndef LG_API_SCHEMA_H
#define LG_API_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"
#include "llmgr.h"

enum lg_schema_id {
    LG_SCHEMA_NONE,
#define LG_SCHEMA(name, text) LG_SCHEMA_##name,
#define LG_MEMBER(...)
#include "gateway/schemas.def"
    LG_SCHEMA_COUNT
};

enum lg_type {
    LG_TYPE_ID,
    LG_TYPE_COUNT,
    LG_TYPE_COUNT_OR_NULL,
    LG_TYPE_FLAG,
    LG_TYPE_TEXT,
    LG_TYPE_TEXT_OR_NULL,
    LG_TYPE_SECRET,
    LG_TYPE_TOKEN,
    LG_TYPE_OBJECT_OR_NULL,
    LG_TYPE_ANY,
    LG_TYPE_CHOICE,
    LG_TYPE_CHOICE_OR_NULL,
    LG_TYPE_ONE,
    LG_TYPE_LIST
};

struct lg_member {
    const char *name;
    enum lg_type type;
    const char *detail;
    size_t max;
    bool required;
    const char *text;
};

struct lg_schema {
    const char *name;
    const char *text;
    const struct lg_member *members;
    size_t count;
};

enum lg_query_id {
#define LG_QUERY(id, name, schema, text) LG_QUERY_##id,
#include "gateway/queries.def"
    LG_QUERY_COUNT
};

struct lg_query {
    const char *name;
    const char *schema; /* JSON */
    const char *text;
};

#define LG_Q(id) (1u << LG_QUERY_##id)
#define LG_Q_PAGE (LG_Q(USER) | LG_Q(LIMIT) | LG_Q(AFTER))

enum lg_shape { LG_SHAPE_NOTHING, LG_SHAPE_ONE, LG_SHAPE_PAGE, LG_SHAPE_OPEN, LG_SHAPE_PLAIN };

enum { LG_BODY_OPTIONAL = 1, LG_ONCE = 2, LG_SEALED = 4 };

struct lg_operation {
    const char *name;
    enum lg_schema_id request;
    enum lg_shape shape;
    enum lg_schema_id response;
    int status;
    unsigned queries;
    unsigned options;
};

extern const struct lg_query LG_QUERIES[LG_QUERY_COUNT];

const struct lg_operation *lg_operations(size_t *count);
/* By operationId; NULL if there is none. */
const struct lg_operation *lg_operation_find(const char *name);
/* Members in their order; NONE has no members. */
struct lg_schema lg_schema(enum lg_schema_id id);

enum {
    LG_API_BODY_MAX = 256 << 10, /* bytes of a management request's body */
    LG_API_DEPTH_MAX = 68,       /* levels of its JSON: extra_body may have 64 */
};

/*
 * Reads a body as JSON that obeys the schema: an object, no member twice, none that the schema
 * does not know, each of its type and size, the required ones there. ERR_INVALID and ERR_TOO_LARGE
 * name the member.
 */
LLMGR_MUST_CHECK llmgr_status lg_schema_read(enum lg_schema_id id, struct lb_str text,
                                             json_t **body, struct llmgr_error *err);
/* Overwrites the members of type SECRET; the tree is freed by its owner. NULL is fine. */
void lg_schema_wipe(enum lg_schema_id id, json_t *body);
/*
 * Reads a query against what the operation takes: decoded, NUL-terminated values in `arena`, .p
 * NULL for those that are not there. ERR_INVALID names a parameter that is unknown or repeated.
 */
LLMGR_MUST_CHECK llmgr_status lg_queries_read(struct lb_str query, unsigned allowed,
                                              struct lb_arena *arena,
                                              struct lb_str values[LG_QUERY_COUNT],
                                              struct llmgr_error *err);

#endif
