/* SPDX-License-Identifier: MIT */
/*
 * YAML as a tree with places, private to this folder. libyaml does the syntax; here are the
 * limits and what we refuse on purpose: aliases, foreign tags, repeated names, several documents.
 */
#ifndef LC_YAML_H
#define LC_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/str.h"
#include "config/pool.h"
#include "llmgr.h"

typedef enum lc_node_kind { LC_NODE_SCALAR, LC_NODE_LIST, LC_NODE_MAP } lc_node_kind;

/* Explicit tags of the core schema. */
typedef enum lc_tag {
    LC_TAG_NONE,
    LC_TAG_STR,
    LC_TAG_INT,
    LC_TAG_FLOAT,
    LC_TAG_BOOL,
    LC_TAG_NULL
} lc_tag;

struct lc_node {
    lc_node_kind kind;
    bool plain; /* scalar without quotes: its type follows from its text */
    lc_tag tag;
    unsigned line; /* from 1 */
    unsigned column;
    struct lb_str text;    /* of a scalar; NUL-terminated too */
    struct lc_node *first; /* children of a list or map, in order */
    struct lc_node *next;  /* sibling */
    struct lb_str name;    /* of a map's child */
    unsigned name_line;
    unsigned name_column;
    size_t count; /* children */
};

/*
 * Parses one document into nodes of `pool`; an empty one gives an empty map. LLMGR_ERR_CONFIG
 * names `file`, line and column.
 */
LLMGR_MUST_CHECK llmgr_status lc_yaml_parse(struct lc_pool *pool, const char *file,
                                            struct lb_str text, struct lc_node **root,
                                            struct llmgr_error *err);
/* Plain ~, null or nothing. */
bool lc_yaml_is_null(const struct lc_node *node);
/*
 * Appends the node as JSON without blanks. Plain scalars have the types of YAML's core schema,
 * tags force one. LLMGR_ERR_CONFIG for what JSON cannot say (.inf, .nan) or a tag that does not
 * fit its text.
 */
LLMGR_MUST_CHECK llmgr_status lc_yaml_json(const struct lc_node *node, const char *file,
                                           struct lb_buf *out, struct llmgr_error *err);

#endif
