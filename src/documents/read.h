/* SPDX-License-Identifier: MIT */
/* One checker for all forms of schemas.def. */
#ifndef LX_READ_H
#define LX_READ_H

#include <jansson.h>

#include "base/str.h"
#include "documents/schema.h"
#include "llmgr.h"

enum {
    LX_BODY_MAX = 256 << 10, /* bytes of a management request's body */
    LX_DEPTH_MAX = 68,       /* levels of its JSON: extra_body may have 64 */
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

#endif
