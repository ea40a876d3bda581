/* SPDX-License-Identifier: MIT */
/*
 * `headers` of a platform in llmgr.yaml. As a list: names of the caller's fields that it gets. As a
 * mapping: `true` says the same, any other value is fixed and goes along with every request.
 *
 *     headers: [User-Agent, X-Title]
 *     headers: {User-Agent: true, X-Title: my app, X-Org: "{ORG_HEADER}"}
 */
#include <string.h>

#include "base/error.h"
#include "config/file.h"
#include "config/file_meant.h"
#include "config/fixed_headers.h"
#include "config/header_name.h"
#include "config/value.h"
#include "config/yaml.h"

struct taking {
    struct lc_file *file;
    struct lc_platform *platform;
    struct lb_buf passed; /* names of the caller's fields */
    struct llmgr_error *err;
};

/* The whole of `headers`; `what` is a msgid without a directive. */
static llmgr_status fail_all(const struct taking *taking, const struct lc_node *node,
                             const char *what)
{
    char platform[LC_SHOWN_SIZE];

    return lb_fail(taking->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: 'headers' of '%s' %s"),
                   taking->file->name, node->line, node->column,
                   lc_shown(lb_cstr(taking->platform->name), platform), lb_tr(what));
}

/* One entry; never its value. */
static llmgr_status fail_entry(const struct taking *taking, const struct lc_node *node,
                               struct lb_str name, const char *what)
{
    char platform[LC_SHOWN_SIZE], shown[LC_SHOWN_SIZE];

    return lb_fail(taking->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: '%s' in 'headers' of '%s' %s"),
                   taking->file->name, node->line, node->column, lc_shown(name, shown),
                   lc_shown(lb_cstr(taking->platform->name), platform), lb_tr(what));
}

static bool is_fixed(const struct lc_platform *platform, struct lb_str name)
{
    for (size_t i = 0; i < platform->fixed_count; i++) {
        if (lb_str_eq_nocase(lb_cstr(platform->fixed[i].name), name))
            return true;
    }
    return false;
}

static llmgr_status take_passed(struct taking *taking, const struct lc_node *node,
                                struct lb_str name)
{
    if (!lc_header_add(name, &taking->passed))
        return fail_entry(taking, node, name,
                          N_("is no name of a header field that may be sent (never who asks, "
                             "cookies, or what is the connection's)"));
    return LLMGR_OK;
}

static llmgr_status take_list(struct taking *taking, const struct lc_node *node)
{
    llmgr_status status = LLMGR_OK;

    for (const struct lc_node *item = node->first; item != NULL && status == LLMGR_OK;
         item = item->next)
        status = item->kind == LC_NODE_SCALAR
                     ? take_passed(taking, item, item->text)
                     : fail_all(taking, item,
                                N_("lists names; with values it is a mapping, such as {X-Title: my "
                                   "app, User-Agent: true}"));
    return status;
}

static bool is_word(const struct lc_node *node, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (lb_str_eq_nocase(node->text, lb_cstr(words[i])))
            return true;
    }
    return false;
}

static bool says_true(const struct lc_node *node)
{
    static const char *const WORDS[] = {"true"};

    return (node->tag == LC_TAG_BOOL || (node->plain && node->tag == LC_TAG_NONE)) &&
           is_word(node, WORDS, 1);
}

/* Nothing, or a word that some YAML takes for a truth value: neither is a field's value. */
static bool says_nothing(const struct lc_node *node)
{
    static const char *const WORDS[] = {"false", "yes", "no", "on", "off"};

    return node->kind == LC_NODE_SCALAR &&
           (node->text.size == 0 || lc_yaml_is_null(node) || node->tag == LC_TAG_BOOL ||
            (node->plain && node->tag == LC_TAG_NONE &&
             is_word(node, WORDS, sizeof WORDS / sizeof WORDS[0])));
}

static llmgr_status keep_fixed(struct taking *taking, struct lb_str name, struct lb_str value)
{
    struct lc_platform *platform = taking->platform;
    struct lc_pool *pool = &taking->file->pool;

    if (platform->fixed == NULL)
        platform->fixed = lc_pool_alloc(pool, LC_FIXED_COUNT_MAX, sizeof *platform->fixed);
    if (platform->fixed == NULL)
        return lb_fail_memory(taking->err);
    char lower[LC_HEADER_NAME_MAX + 1] = {0};
    for (size_t i = 0; i < name.size; i++)
        lower[i] = lb_ascii_lower(name.p[i]);
    struct lc_header *header = &platform->fixed[platform->fixed_count];
    *header = (struct lc_header){.name = lc_pool_str(pool, lb_str(lower, name.size)),
                                 .value = lc_pool_str(pool, value)};
    if (header->name == NULL || header->value == NULL)
        return lb_fail_memory(taking->err);
    platform->fixed_count++;
    return LLMGR_OK;
}

static llmgr_status take_fixed(struct taking *taking, const struct lc_node *node,
                               struct lb_str name)
{
    struct lb_str value = lb_str_trim(node->text);

    if (!lc_header_may_pass(name))
        return fail_entry(taking, node, name,
                          N_("is no name of a header field that may be sent (never who asks, "
                             "cookies, or what is the connection's)"));
    if (!lc_header_value_is_good(value))
        return fail_entry(taking, node, name,
                          N_("has no value that a header field may have: at most 2048 bytes, "
                             "without line ends and other control characters"));
    if (taking->platform->fixed_count == LC_FIXED_COUNT_MAX)
        return fail_all(taking, node, N_("has more than 16 fixed values"));
    return keep_fixed(taking, name, value);
}

static llmgr_status take_entry(struct taking *taking, const struct lc_node *node)
{
    struct lb_str name = lb_str_trim(node->name);

    if (is_fixed(taking->platform, name) || lc_header_is_listed(lb_buf_str(&taking->passed), name))
        return fail_entry(taking, node, name, N_("stands there twice"));
    llmgr_status status = lc_judge_filled(taking->file->name, node, taking->err);
    if (status != LLMGR_OK)
        return status;
    if (node->kind != LC_NODE_SCALAR)
        return fail_entry(taking, node, name, N_("must have a text as its value"));
    if (says_true(node))
        return take_passed(taking, node, name);
    if (says_nothing(node))
        return fail_entry(taking, node, name,
                          N_("needs a value, or true, which passes the caller's on; a value such "
                             "as no stands in quotes"));
    return take_fixed(taking, node, name);
}

static llmgr_status take_map(struct taking *taking, const struct lc_node *node)
{
    llmgr_status status = LLMGR_OK;

    for (const struct lc_node *child = node->first; child != NULL && status == LLMGR_OK;
         child = child->next)
        status = take_entry(taking, child);
    return status;
}

static llmgr_status take_both(struct taking *taking, const struct lc_node *node)
{
    if (node->kind == LC_NODE_LIST)
        return take_list(taking, node);
    if (node->kind == LC_NODE_MAP)
        return take_map(taking, node);
    return fail_all(taking, node,
                    N_("must be a list of header fields' names, such as [User-Agent, X-Title], or "
                       "a mapping to their values, such as {X-Title: my app}"));
}

llmgr_status lc_file_take_headers(struct lc_file *file, const struct lc_node *node,
                                  struct lc_platform *platform, struct llmgr_error *err)
{
    struct taking taking = {.file = file, .platform = platform, .err = err};

    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    lb_buf_init(&taking.passed, file->pool.host, LC_HEADERS_MAX);
    llmgr_status status = take_both(&taking, node);
    if (status == LLMGR_OK && taking.passed.failed != LLMGR_OK)
        status = taking.passed.failed == LLMGR_ERR_NO_MEMORY
                     ? lb_fail_memory(err)
                     : fail_all(&taking, node, N_("is too long"));
    if (status == LLMGR_OK && taking.passed.size > 0) {
        platform->headers = lc_pool_str(&file->pool, lb_buf_str(&taking.passed));
        if (platform->headers == NULL)
            status = lb_fail_memory(err);
    }
    lb_buf_free(&taking.passed);
    return status;
}
