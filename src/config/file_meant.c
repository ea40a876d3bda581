/* SPDX-License-Identifier: MIT */
/* What is surely meant otherwise in llmgr.yaml, and how it is written. */
#include "config/file_meant.h"

#include <string.h>

#include "base/error.h"
#include "config/file.h"
#include "config/meant.h"
#include "config/value.h"

/* {NAME} without quotes, which YAML reads as a mapping of one name to nothing. */
static bool is_bare_placeholder(const struct lc_node *node)
{
    return node->kind == LC_NODE_MAP && node->count == 1 && lc_yaml_is_null(node->first) &&
           node->first->text.size == 0;
}

/* The variable that a value holds in any form but ours; *name may be empty. */
static bool is_foreign(const struct lc_node *node, struct lb_str *name)
{
    if (is_bare_placeholder(node)) {
        *name = node->first->name;
        return true;
    }
    return node->kind == LC_NODE_SCALAR && lc_meant_variable(node->text, name);
}

/* Also in ours. */
static bool is_variable(const struct lc_node *node)
{
    struct lb_str name;

    return is_foreign(node, &name) ||
           (node->kind == LC_NODE_SCALAR && lc_meant_placeholder(node->text, &name));
}

llmgr_status lc_judge_filled(const char *file, const struct lc_node *node, struct llmgr_error *err)
{
    char shown[LC_SHOWN_SIZE];
    char variable[LC_SHOWN_SIZE];
    struct lb_str name;

    if (!is_foreign(node, &name))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s:%u:%u: '%s' names a variable in another form; write \"{%s}\", with the "
                      "quotes"),
                   file, node->line, node->column, lc_shown(node->name, shown),
                   name.size != 0 ? lc_shown(name, variable) : "NAME");
}

llmgr_status lc_judge_plain(const char *file, const struct lc_node *node, struct llmgr_error *err)
{
    char shown[LC_SHOWN_SIZE];

    if (!is_variable(node))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s:%u:%u: '%s' holds a variable; they are filled in in base_url, api_key, "
                      "api_keys and headers only"),
                   file, node->line, node->column, lc_shown(node->name, shown));
}

llmgr_status lc_judge_setting(const char *file, const struct lc_option_row *row,
                              const struct lc_node *node, struct llmgr_error *err)
{
    if (row->type == LC_ARGV || !is_variable(node))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s:%u:%u: '%s' holds a variable, which is not filled in here; set %s in the "
                      "environment instead"),
                   file, node->line, node->column, row->key, row->env);
}

llmgr_status lc_judge_base_url(const char *file, const struct lc_node *node,
                               struct llmgr_error *err)
{
    char base[LC_BASE_URL_MAX + 1];
    struct lb_str text = lb_str_trim(node->text);

    /* With a '@' it may hold a password; such a one is refused later, and not quoted. */
    if (node->kind != LC_NODE_SCALAR || text.size > LC_BASE_URL_MAX ||
        lb_str_find(text, '@') < text.size)
        return LLMGR_OK;
    size_t size = lc_meant_base_url(text);
    if (size == 0)
        return LLMGR_OK;
    memcpy(base, text.p, size);
    base[size] = '\0';
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s:%u:%u: base_url names an endpoint; write %s, the endpoints are added"),
                   file, node->line, node->column, base);
}
