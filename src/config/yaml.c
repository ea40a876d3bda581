/* SPDX-License-Identifier: MIT */
/*
 * libyaml's events turned into a tree. The nesting is followed with a stack of our own (no
 * recursion on outside bytes), every node is counted, and an anchor or alias ends the parse: a few
 * lines of aliases can stand for gigabytes.
 */
#include "config/yaml.h"

#include <stdint.h>
#include <string.h>
#include <yaml.h>

#include "base/error.h"
#include "base/map.h"
#include "config/file.h"
#include "config/value.h"

struct level {
    struct lc_node *node;
    struct lc_node **tail; /* where the next child goes */
    struct lb_map *names;  /* of a map: name -> child */
    struct lc_node *key;   /* of a map: read, its value is next */
};

struct builder {
    struct lc_pool *pool;
    const char *file;
    struct lb_str text; /* all of it */
    yaml_parser_t parser;
    yaml_event_t event;
    struct level levels[LC_FILE_DEPTH_MAX];
    size_t depth;
    size_t nodes;
    struct lc_node *root;
    struct llmgr_error *err;
};

/* ---- Errors ---------------------------------------------------------------------------------- */

/* The line that holds the byte at `offset`, counted from 1, and its first byte. */
static unsigned line_of(struct lb_str text, size_t offset, size_t *start)
{
    unsigned line = 1;

    *start = 0;
    for (size_t i = 0; i < offset && i < text.size; i++) {
        if (text.p[i] == '\n') {
            line++;
            *start = i + 1;
        }
    }
    return line;
}

/* Is there a tab among the blanks that open line `line` (from 0)? */
static bool tab_indents(struct lb_str text, size_t line)
{
    while (line-- != 0)
        text = lb_str_sub(text, lb_str_find(text, '\n') + 1, text.size);
    for (size_t i = 0; i < text.size && (text.p[i] == ' ' || text.p[i] == '\t'); i++) {
        if (text.p[i] == '\t')
            return true;
    }
    return false;
}

static llmgr_status fail_syntax(struct builder *b)
{
    const yaml_parser_t *parser = &b->parser;
    unsigned long line = (unsigned long)parser->problem_mark.line;
    unsigned long column = (unsigned long)parser->problem_mark.column;
    const char *problem = parser->problem != NULL ? parser->problem : "not YAML";
    size_t start;

    if (parser->error == YAML_MEMORY_ERROR)
        return lb_fail_memory(b->err);
    if (parser->error == YAML_READER_ERROR) {
        line = line_of(b->text, parser->problem_offset, &start) - 1;
        column = (unsigned long)(parser->problem_offset - start);
    }
    if (tab_indents(b->text, line))
        return lb_fail(b->err, LLMGR_ERR_CONFIG,
                       N_("%s:%lu:%lu: a tab indents this line; YAML wants blanks there"), b->file,
                       line + 1, column + 1);
    return lb_fail(b->err, LLMGR_ERR_CONFIG,
                   N_("%s:%lu:%lu: %s; a text with ':', '#', '{' or '[' needs quotes"), b->file,
                   line + 1, column + 1, problem);
}

static llmgr_status fail_at(struct builder *b, const yaml_mark_t *mark, const char *what)
{
    return lb_fail(b->err, LLMGR_ERR_CONFIG, N_("%s:%lu:%lu: %s"), b->file,
                   (unsigned long)mark->line + 1, (unsigned long)mark->column + 1, lb_tr(what));
}

static llmgr_status check_utf8(struct builder *b)
{
    uint32_t code_point = 0;

    for (size_t at = 0; at < b->text.size;) {
        size_t size = lb_utf8_decode(lb_str_sub(b->text, at, b->text.size), &code_point);
        if (size == 0 || code_point == 0) {
            size_t start;
            unsigned line = line_of(b->text, at, &start);
            return lb_fail(b->err, LLMGR_ERR_CONFIG,
                           N_("%s:%u:%lu: not valid UTF-8; save the file in UTF-8"), b->file, line,
                           (unsigned long)(at - start + 1));
        }
        at += size;
    }
    return LLMGR_OK;
}

/* ---- Nodes ----------------------------------------------------------------------------------- */

static bool find_tag(const char *text, lc_node_kind kind, lc_tag *tag)
{
    static const struct {
        const char *text;
        lc_node_kind kind;
        lc_tag tag;
    } TAGS[] = {{"!", LC_NODE_SCALAR, LC_TAG_STR},
                {"tag:yaml.org,2002:str", LC_NODE_SCALAR, LC_TAG_STR},
                {"tag:yaml.org,2002:int", LC_NODE_SCALAR, LC_TAG_INT},
                {"tag:yaml.org,2002:float", LC_NODE_SCALAR, LC_TAG_FLOAT},
                {"tag:yaml.org,2002:bool", LC_NODE_SCALAR, LC_TAG_BOOL},
                {"tag:yaml.org,2002:null", LC_NODE_SCALAR, LC_TAG_NULL},
                {"!", LC_NODE_LIST, LC_TAG_NONE},
                {"tag:yaml.org,2002:seq", LC_NODE_LIST, LC_TAG_NONE},
                {"!", LC_NODE_MAP, LC_TAG_NONE},
                {"tag:yaml.org,2002:map", LC_NODE_MAP, LC_TAG_NONE}};

    *tag = LC_TAG_NONE;
    if (text == NULL)
        return true;
    for (size_t i = 0; i < sizeof TAGS / sizeof TAGS[0]; i++) {
        if (TAGS[i].kind == kind && strcmp(TAGS[i].text, text) == 0) {
            *tag = TAGS[i].tag;
            return true;
        }
    }
    return false;
}

/* A key: its text becomes the name of the value that follows. */
static llmgr_status take_name(struct builder *b, struct level *level, struct lc_node *key)
{
    const struct lc_node *earlier = lb_map_get(level->names, key->text);
    char text[LC_SHOWN_SIZE];

    if (earlier != NULL)
        return lb_fail(b->err, LLMGR_ERR_CONFIG,
                       N_("%s:%u:%u: '%s' stands here a second time; the first is on line %u"),
                       b->file, key->line, key->column, lc_shown(key->text, text), earlier->line);
    if (lb_map_put(level->names, key->text, key, NULL) != LLMGR_OK)
        return lb_fail_memory(b->err);
    level->key = key;
    return LLMGR_OK;
}

/* Puts a finished scalar, or a list or map that begins, where it belongs. */
static llmgr_status attach_node(struct builder *b, struct lc_node *node)
{
    if (b->depth == 0) {
        b->root = node;
        return LLMGR_OK;
    }
    struct level *level = &b->levels[b->depth - 1];
    if (level->node->kind == LC_NODE_MAP && level->key == NULL) {
        if (node->kind != LC_NODE_SCALAR)
            return fail_at(b, &b->event.start_mark,
                           N_("a name must be a text; put quotes around it if it has brackets"));
        return take_name(b, level, node);
    }
    if (level->key != NULL) {
        node->name = level->key->text;
        node->name_line = level->key->line;
        node->name_column = level->key->column;
        level->key = NULL;
    }
    *level->tail = node;
    level->tail = &node->next;
    level->node->count++;
    return LLMGR_OK;
}

static llmgr_status add_node(struct builder *b, lc_node_kind kind, const yaml_char_t *anchor,
                             const yaml_char_t *tag, struct lc_node **added)
{
    const yaml_mark_t *mark = &b->event.start_mark;

    if (anchor != NULL)
        return fail_at(b, mark,
                       N_("anchors (&name) are not read; write the value where it is used"));
    if (++b->nodes > LC_FILE_NODES_MAX)
        return fail_at(b, mark, N_("the file has too many entries"));
    struct lc_node *node = lc_pool_alloc(b->pool, 1, sizeof *node);
    if (node == NULL)
        return lb_fail_memory(b->err);
    node->kind = kind;
    node->line = (unsigned)mark->line + 1;
    node->column = (unsigned)mark->column + 1;
    if (!find_tag((const char *)tag, kind, &node->tag))
        return fail_at(b, mark,
                       N_("this tag is not known; !!str, !!int, !!float, !!bool and !!null are"));
    *added = node;
    return LLMGR_OK;
}

static llmgr_status add_scalar(struct builder *b)
{
    struct lc_node *node = NULL;

    llmgr_status status =
        add_node(b, LC_NODE_SCALAR, b->event.data.scalar.anchor, b->event.data.scalar.tag, &node);
    if (status != LLMGR_OK)
        return status;
    size_t size = b->event.data.scalar.length;
    const char *value = (const char *)b->event.data.scalar.value;
    if (memchr(value, '\0', size) != NULL)
        return fail_at(b, &b->event.start_mark, N_("a text may not hold the character \\0"));
    const char *copy = lc_pool_str(b->pool, lb_str(value, size));
    if (copy == NULL)
        return lb_fail_memory(b->err);
    node->text = lb_str(copy, size);
    node->plain = b->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return attach_node(b, node);
}

static llmgr_status begin_node(struct builder *b, lc_node_kind kind, const yaml_char_t *anchor,
                               const yaml_char_t *tag)
{
    struct lc_node *node = NULL;

    llmgr_status status = add_node(b, kind, anchor, tag, &node);
    if (status == LLMGR_OK)
        status = attach_node(b, node);
    if (status != LLMGR_OK)
        return status;
    if (b->depth == LC_FILE_DEPTH_MAX)
        return fail_at(b, &b->event.start_mark, N_("lists and mappings are nested too deeply"));
    struct level *level = &b->levels[b->depth++];
    *level = (struct level){.node = node, .tail = &node->first};
    if (kind == LC_NODE_MAP) {
        level->names = lb_map_new(b->pool->host, LC_FILE_NODES_MAX);
        if (level->names == NULL)
            return lb_fail_memory(b->err);
    }
    return LLMGR_OK;
}

static void end_node(struct builder *b)
{
    lb_map_free(b->levels[--b->depth].names);
}

/* One event; *done at the stream's end. */
static llmgr_status take_event(struct builder *b, bool *done)
{
    const yaml_event_t *event = &b->event;

    switch (event->type) {
    case YAML_STREAM_END_EVENT:
        *done = true;
        return LLMGR_OK;
    case YAML_DOCUMENT_START_EVENT:
        if (b->root != NULL)
            return fail_at(b, &event->start_mark,
                           N_("a second document begins here; one file holds one"));
        return LLMGR_OK;
    case YAML_ALIAS_EVENT:
        return fail_at(
            b, &event->start_mark,
            N_("aliases (*name) are not read; write the value out, or put quotes around a "
               "text that begins with '*'"));
    case YAML_SCALAR_EVENT:
        return add_scalar(b);
    case YAML_SEQUENCE_START_EVENT:
        return begin_node(b, LC_NODE_LIST, event->data.sequence_start.anchor,
                          event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return begin_node(b, LC_NODE_MAP, event->data.mapping_start.anchor,
                          event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        end_node(b);
        return LLMGR_OK;
    default:
        return LLMGR_OK;
    }
}

static llmgr_status build_tree(struct builder *b)
{
    llmgr_status status = LLMGR_OK;
    bool done = false;

    while (status == LLMGR_OK && !done) {
        if (!yaml_parser_parse(&b->parser, &b->event))
            return fail_syntax(b);
        status = take_event(b, &done);
        yaml_event_delete(&b->event);
    }
    return status;
}

/* A file of comments alone. */
static llmgr_status give_empty_map(struct builder *b)
{
    b->root = lc_pool_alloc(b->pool, 1, sizeof *b->root);
    if (b->root == NULL)
        return lb_fail_memory(b->err);
    b->root->kind = LC_NODE_MAP;
    b->root->line = 1;
    b->root->column = 1;
    return LLMGR_OK;
}

llmgr_status lc_yaml_parse(struct lc_pool *pool, const char *file, struct lb_str text,
                           struct lc_node **root, struct llmgr_error *err)
{
    /* A byte order mark, as editors on Windows put it, is no part of the text. */
    if (lb_str_starts(text, LB_STR("\xef\xbb\xbf")))
        text = lb_str_sub(text, 3, text.size);
    struct builder b = {.pool = pool, .file = file, .text = text, .err = err};

    llmgr_status status = check_utf8(&b);
    if (status != LLMGR_OK)
        return status;
    if (!yaml_parser_initialize(&b.parser))
        return lb_fail_memory(err);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, (const unsigned char *)(text.p != NULL ? text.p : ""),
                                 text.size);
    status = build_tree(&b);
    while (b.depth != 0)
        end_node(&b);
    yaml_parser_delete(&b.parser);
    if (status == LLMGR_OK && b.root == NULL)
        status = give_empty_map(&b);
    if (status == LLMGR_OK)
        *root = b.root;
    return status;
}
