/* SPDX-License-Identifier: MIT */
/*
 * The server's keys of a platform in llmgr.yaml: one, or several, each of which may say how often
 * it is used and of which account at the vendor it is.
 *
 *     api_key: "{KEY}"
 *     api_keys: ["{KEY_A}", {key: "{KEY_B}", weight: 2, account: org-b}]
 *
 * Here forms are judged, and that no key is written twice; bounds of weights and accounts are the
 * manager's. Errors name the platform and a key's place, and never show a key.
 */
#include "base/error.h"
#include "config/file.h"
#include "config/file_meant.h"
#include "config/value.h"
#include "config/yaml.h"

enum { ACCOUNT_MAX = 255 /* bytes; the manager's rules say it more narrowly */ };

struct taking {
    struct lc_file *file;
    struct lc_platform *platform;
    struct llmgr_error *err;
};

/* The whole of `api_keys`; `what` is a msgid without a directive. */
static llmgr_status fail_all(const struct taking *taking, const struct lc_node *node,
                             const char *what)
{
    char platform[LC_SHOWN_SIZE];

    return lb_fail(taking->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: 'api_keys' of '%s' %s"),
                   taking->file->name, node->line, node->column,
                   lc_shown(lb_cstr(taking->platform->name), platform), lb_tr(what));
}

/* The key that comes next, which is the one in the place behind those that there are. */
static llmgr_status fail_key(const struct taking *taking, const struct lc_node *node,
                             const char *what)
{
    char platform[LC_SHOWN_SIZE];

    return lb_fail(taking->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: key %zu in 'api_keys' of '%s' %s"),
                   taking->file->name, node->line, node->column, taking->platform->key_count + 1,
                   lc_shown(lb_cstr(taking->platform->name), platform), lb_tr(what));
}

/* ---- One of several -------------------------------------------------------------------------- */

static llmgr_status take_text(const struct taking *taking, const struct lc_node *node,
                              const char **out)
{
    struct lc_node named = *node;
    struct lb_str text = lb_str_trim(node->text);

    named.name = LB_STR("api_keys"); /* an item of a list has no name that an error could show */
    llmgr_status status = lc_judge_filled(taking->file->name, &named, taking->err);
    if (status != LLMGR_OK)
        return status;
    if (node->kind != LC_NODE_SCALAR || lc_yaml_is_null(node) || text.size == 0)
        return fail_key(taking, node, N_("must be a text, and not empty"));
    if (!lb_utf8_name(text, LC_API_KEY_MAX))
        return fail_key(taking, node, N_("is too long, or holds a control character"));
    *out = lc_pool_str(&taking->file->pool, text);
    return *out != NULL ? LLMGR_OK : lb_fail_memory(taking->err);
}

static llmgr_status take_weight(const struct taking *taking, const struct lc_node *node,
                                int64_t *weight)
{
    uint64_t value = 0;

    if (node->kind != LC_NODE_SCALAR || !lb_str_to_u64(lb_str_trim(node->text), &value) ||
        value > INT32_MAX)
        return fail_key(taking, node, N_("has a weight that is no whole number, such as 2"));
    *weight = (int64_t)value;
    return LLMGR_OK;
}

static llmgr_status take_account(const struct taking *taking, const struct lc_node *node,
                                 const char **account)
{
    struct lb_str text = lb_str_trim(node->text);

    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind != LC_NODE_SCALAR || !lb_utf8_name(text, ACCOUNT_MAX))
        return fail_key(taking, node,
                        N_("has an account that is no text, is empty, too long, or holds a control "
                           "character"));
    llmgr_status status = lc_judge_plain(taking->file->name, node, taking->err);
    if (status != LLMGR_OK)
        return status;
    *account = lc_pool_str(&taking->file->pool, text);
    return *account != NULL ? LLMGR_OK : lb_fail_memory(taking->err);
}

static llmgr_status take_member(const struct taking *taking, const struct lc_node *node,
                                struct lc_key *key)
{
    if (lb_str_eq_c(node->name, "key"))
        return take_text(taking, node, &key->text);
    if (lb_str_eq_c(node->name, "weight"))
        return take_weight(taking, node, &key->weight);
    if (lb_str_eq_c(node->name, "account"))
        return take_account(taking, node, &key->account);
    return fail_key(taking, node,
                    N_("has a member that is not known here; those are key, weight and account"));
}

/* {NAME} without quotes is read as a mapping too; take_text says how it is written. */
static bool has_members(const struct lc_node *node)
{
    return node->kind == LC_NODE_MAP && (node->count != 1 || !lc_yaml_is_null(node->first) ||
                                         lb_str_eq_c(node->first->name, "key"));
}

/* "{KEY}", or {key: "{KEY}", weight: ..., account: ...} */
static llmgr_status take_key(const struct taking *taking, const struct lc_node *node,
                             struct lc_key *key)
{
    llmgr_status status = LLMGR_OK;

    *key = (struct lc_key){.weight = 1};
    if (!has_members(node))
        return take_text(taking, node, &key->text);
    for (const struct lc_node *member = node->first; member != NULL && status == LLMGR_OK;
         member = member->next)
        status = take_member(taking, member, key);
    if (status == LLMGR_OK && key->text == NULL)
        status = fail_key(taking, node, N_("has no 'key'; write {key: \"{NAME}\", weight: 2}"));
    return status;
}

/* As it is written; what variables hold is judged once they are filled in. */
static llmgr_status judge_written(const struct taking *taking, const struct lc_node *node)
{
    const struct lc_platform *platform = taking->platform;
    const char *text = platform->keys[platform->key_count].text;
    char shown[LC_SHOWN_SIZE];

    for (size_t i = 0; i < platform->key_count; i++) {
        if (lb_str_eq_c(lb_cstr(text), platform->keys[i].text))
            return lb_fail(taking->err, LLMGR_ERR_CONFIG,
                           N_("%s:%u:%u: keys %zu and %zu in 'api_keys' of '%s' are the same; keep "
                              "one of them"),
                           taking->file->name, node->line, node->column, i + 1,
                           platform->key_count + 1, lc_shown(lb_cstr(platform->name), shown));
    }
    return LLMGR_OK;
}

/* ---- Faces ----------------------------------------------------------------------------------- */

static llmgr_status judge_alone(const struct lc_file *file, const struct lc_node *node,
                                const struct lc_platform *platform, struct llmgr_error *err)
{
    char shown[LC_SHOWN_SIZE];

    if (platform->key_count == 0)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFIG,
                   N_("%s:%u:%u: '%s' has both api_key and api_keys; keep one of them"), file->name,
                   node->name_line, node->name_column, lc_shown(lb_cstr(platform->name), shown));
}

llmgr_status lc_file_take_key(struct lc_file *file, const struct lc_node *node, const char *text,
                              struct lc_platform *platform, struct llmgr_error *err)
{
    llmgr_status status = judge_alone(file, node, platform, err);

    if (status != LLMGR_OK)
        return status;
    platform->keys = lc_pool_alloc(&file->pool, 1, sizeof *platform->keys);
    if (platform->keys == NULL)
        return lb_fail_memory(err);
    platform->keys[platform->key_count++] = (struct lc_key){.text = text, .weight = 1};
    return LLMGR_OK;
}

llmgr_status lc_file_take_keys(struct lc_file *file, const struct lc_node *node,
                               struct lc_platform *platform, struct llmgr_error *err)
{
    const struct taking taking = {.file = file, .platform = platform, .err = err};

    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    llmgr_status status = judge_alone(file, node, platform, err);
    if (status != LLMGR_OK)
        return status;
    if (node->kind != LC_NODE_LIST)
        return fail_all(&taking, node,
                        N_("must be a list, such as [\"{KEY_A}\", \"{KEY_B}\"]; one key alone is "
                           "api_key"));
    if (node->count == 0)
        return fail_all(&taking, node, N_("is empty; give a key, or leave it out"));
    if (node->count > LC_KEYS_MAX)
        return fail_all(&taking, node, N_("has more than 200 keys"));
    platform->keys = lc_pool_alloc(&file->pool, node->count, sizeof *platform->keys);
    if (platform->keys == NULL)
        return lb_fail_memory(err);
    for (const struct lc_node *item = node->first; item != NULL && status == LLMGR_OK;
         item = item->next) {
        status = take_key(&taking, item, &platform->keys[platform->key_count]);
        if (status == LLMGR_OK)
            status = judge_written(&taking, item);
        platform->key_count += status == LLMGR_OK;
    }
    return status;
}
