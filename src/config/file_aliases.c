/* SPDX-License-Identifier: MIT */
/*
 * `aliases` of llmgr.yaml: names that clients insist on, and the slot or model each stands for.
 *
 *     aliases:
 *       claude-*: auto
 *       gpt-4o-mini: fast
 */
#include "base/error.h"
#include "config/file.h"
#include "config/value.h"
#include "config/yaml.h"

enum { NAME_MAX_BYTES = 255 }; /* the manager's rules say it more narrowly */

static llmgr_status fail(const struct lc_file *file, const struct lc_node *node, const char *what,
                         struct llmgr_error *err)
{
    char text[LC_SHOWN_SIZE];

    return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: '%s' %s"), file->name, node->name_line,
                   node->name_column, lc_shown(node->name, text), lb_tr(what));
}

static llmgr_status take_alias(struct lc_file *file, const struct lc_node *node,
                               struct llmgr_error *err)
{
    struct lc_alias *alias = &file->aliases[file->alias_count];
    struct lb_str name = lb_str_trim(node->name);

    if (node->kind != LC_NODE_SCALAR || lc_yaml_is_null(node))
        return fail(file, node, N_("must stand for the name of a slot or model"), err);
    struct lb_str target = lb_str_trim(node->text);
    if (!lb_utf8_name(name, NAME_MAX_BYTES) || !lb_utf8_name(target, NAME_MAX_BYTES))
        return fail(file, node,
                    N_("is no alias: it, or what it stands for, is empty, too long, or holds a "
                       "control character"),
                    err);
    *alias = (struct lc_alias){.name = lc_pool_str(&file->pool, name),
                               .target = lc_pool_str(&file->pool, target),
                               .line = node->name_line};
    if (alias->name == NULL || alias->target == NULL)
        return lb_fail_memory(err);
    file->alias_count++;
    return LLMGR_OK;
}

llmgr_status lc_file_take_aliases(struct lc_file *file, const struct lc_node *node,
                                  struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    file->has_aliases = true;
    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind != LC_NODE_MAP)
        return fail(file, node,
                    N_("must be a mapping of names to slots or models, such as 'claude-*: auto'"),
                    err);
    if (node->count > LC_ALIASES_MAX)
        return fail(file, node, N_("has too many entries"), err);
    file->aliases = lc_pool_alloc(&file->pool, node->count + 1, sizeof *file->aliases);
    if (file->aliases == NULL)
        return lb_fail_memory(err);
    for (const struct lc_node *child = node->first; child != NULL && status == LLMGR_OK;
         child = child->next)
        status = take_alias(file, child, err);
    return status;
}
