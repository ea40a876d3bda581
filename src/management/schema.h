/* SPDX-License-Identifier: MIT */
/*
 * The tables of /api in C: operations.def and queries.def (bodies: documents/schema.h). Requests
 * are judged by them, and openapi.c writes them down.
 */
#ifndef LP_SCHEMA_H
#define LP_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/str.h"
#include "documents/schema.h"
#include "llmgr.h"

enum lp_query_id {
#define LP_QUERY(id, ...) LP_QUERY_##id,
#include "management/queries.def"
    LP_QUERY_COUNT
};

struct lp_query {
    const char *name;
    const char *schema;  /* JSON; or NULL and */
    const char *choices; /* "a|b|c", the first if it is left out */
    const char *text;
};

#define LP_Q(id) (1u << LP_QUERY_##id)
#define LP_Q_PAGE (LP_Q(USER) | LP_Q(LIMIT) | LP_Q(AFTER))

enum lp_shape { LP_SHAPE_NOTHING, LP_SHAPE_ONE, LP_SHAPE_PAGE, LP_SHAPE_OPEN, LP_SHAPE_PLAIN };

enum {
    LP_BODY_OPTIONAL = 1,
    LP_ONCE = 2,
    LP_SEALED = 4,
    LP_WHOLE = 8,
    LP_OF_PLATFORM = 16,
    LP_FILE = 32
};

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

/*
 * Reads a query against what the operation takes: decoded, NUL-terminated values in `arena`, .p
 * NULL for those that are not there. ERR_INVALID names a parameter that is unknown or repeated.
 */
LLMGR_MUST_CHECK llmgr_status lp_queries_read(struct lb_str query, unsigned allowed,
                                              struct lb_arena *arena,
                                              struct lb_str values[LP_QUERY_COUNT],
                                              struct llmgr_error *err);

#endif
