/* SPDX-License-Identifier: MIT */
/*
 * What the tree of llmgr.yaml means. First the tree is built in a pool of its own, then walked
 * from the top: options, platforms, models; the texts that stay are copied into the file's pool.
 */
#include "config/file.h"

#include <string.h>

#include "base/error.h"
#include "base/map.h"
#include "config/file_meant.h"
#include "config/model_kind.h"
#include "config/native_path.h"
#include "config/protocol.h"
#include "config/read.h"
#include "config/value.h"
#include "config/yaml.h"

enum {
    TREE_MAX = 64 << 20, /* bytes of nodes and texts while parsing */
    FILE_POOL_MAX = 32 << 20
};

struct reader {
    struct lc_file *file;
    bool legacy; /* the Python original's shape: what is not known is skipped */
    struct llmgr_error *err;
};

/* ---- Errors ---------------------------------------------------------------------------------- */

struct place {
    unsigned line;
    unsigned column;
};

static struct place at_name(const struct lc_node *node)
{
    return (struct place){node->name_line, node->name_column};
}

static struct place at_value(const struct lc_node *node)
{
    return (struct place){node->line, node->column};
}

/* `what` (a msgid with no directive) behind "file:line:column: 'name'". */
static llmgr_status fail_name(const struct reader *r, struct place place, struct lb_str name,
                              const char *what)
{
    char text[LC_SHOWN_SIZE];

    return lb_fail(r->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: '%s' %s"), r->file->name, place.line,
                   place.column, lc_shown(name, text), lb_tr(what));
}

static llmgr_status fail_unknown(const struct reader *r, const struct lc_node *node,
                                 const char *nearest)
{
    struct place place = at_name(node);
    char text[LC_SHOWN_SIZE];

    if (nearest == NULL)
        return fail_name(r, place, node->name, N_("is not known here; remove it"));
    return lb_fail(r->err, LLMGR_ERR_CONFIG,
                   N_("%s:%u:%u: '%s' is not known here; did you mean '%s'?"), r->file->name,
                   place.line, place.column, lc_shown(node->name, text), nearest);
}

/* The members of a platform, and of a model. */
static const char *const MEMBERS[] = {
#define XX(name, text) #name,
#include "config/members.def"
#undef XX
    NULL};
static const char *const MODEL_MEMBERS[] = {"model_name", "extra_body", "kind", "context",
                                            "max_output", "price",      NULL};

/* ---- Values ---------------------------------------------------------------------------------- */

static llmgr_status keep_text(const struct reader *r, struct lb_str text, const char **out)
{
    const char *copy = lc_pool_str(&r->file->pool, text);

    if (copy == NULL)
        return lb_fail_memory(r->err);
    *out = copy;
    return LLMGR_OK;
}

/* A text without control characters; null gives NULL. `node` is a map's child. */
static llmgr_status take_text(const struct reader *r, const struct lc_node *node, size_t max_size,
                              const char **out)
{
    *out = NULL;
    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind == LC_NODE_LIST)
        return fail_name(r, at_value(node), node->name,
                         N_("must be a text, not a list; write it without '[' and '-'"));
    if (node->kind != LC_NODE_SCALAR)
        return fail_name(r, at_value(node), node->name, N_("must be a text"));
    struct lb_str text = lb_str_trim(node->text);
    if (text.size == 0)
        return LLMGR_OK;
    if (text.size > max_size)
        return fail_name(r, at_value(node), node->name, N_("is too long"));
    if (!lb_utf8_name(text, max_size))
        return fail_name(r, at_value(node), node->name,
                         N_("holds a line break or another control character"));
    return keep_text(r, text, out);
}

/* The same, where no variable is filled in. */
static llmgr_status take_plain(const struct reader *r, const struct lc_node *node, size_t max_size,
                               const char **out)
{
    llmgr_status status = r->legacy ? LLMGR_OK : lc_judge_plain(r->file->name, node, r->err);

    return status == LLMGR_OK ? take_text(r, node, max_size, out) : status;
}

/* The same, where it is: {NAME}. */
static llmgr_status take_filled(const struct reader *r, const struct lc_node *node, size_t max_size,
                                const char **out)
{
    llmgr_status status = r->legacy ? LLMGR_OK : lc_judge_filled(r->file->name, node, r->err);

    return status == LLMGR_OK ? take_text(r, node, max_size, out) : status;
}

static llmgr_status take_name(const struct reader *r, const struct lc_node *node, size_t max_size,
                              const char **out)
{
    struct lb_str name = lb_str_trim(node->name);

    if (name.size > max_size)
        return fail_name(r, at_name(node), name, N_("is too long a name"));
    if (!lb_utf8_name(name, max_size))
        return fail_name(r, at_name(node), name,
                         N_("is no name: it is empty or holds a control character"));
    return keep_text(r, name, out);
}

/* ---- Models ---------------------------------------------------------------------------------- */

static llmgr_status take_extra_body(const struct reader *r, const struct lc_node *node,
                                    const char **out)
{
    struct lb_buf json;

    *out = NULL;
    if (lc_yaml_is_null(node) || (node->kind == LC_NODE_MAP && node->count == 0))
        return LLMGR_OK;
    if (node->kind != LC_NODE_MAP)
        return fail_name(r, at_value(node), node->name,
                         N_("must be a mapping, such as {temperature: 0.5}"));
    lb_buf_init(&json, r->file->pool.host, LC_EXTRA_BODY_MAX);
    llmgr_status status = lc_yaml_json(node, r->file->name, &json, r->err);
    if (status == LLMGR_OK && json.failed == LLMGR_ERR_NO_MEMORY)
        status = lb_fail_memory(r->err);
    else if (status == LLMGR_OK && json.failed != LLMGR_OK)
        status = fail_name(r, at_value(node), node->name, N_("is too large"));
    if (status == LLMGR_OK)
        status = keep_text(r, lb_buf_str(&json), out);
    lb_buf_free(&json);
    return status;
}

static llmgr_status take_kind(const struct reader *r, const struct lc_node *node,
                              llmgr_model_kind *kind)
{
    char text[LC_SHOWN_SIZE];

    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind == LC_NODE_SCALAR && lc_model_kind_parse(lb_str_trim(node->text), kind))
        return LLMGR_OK;
    return lb_fail(r->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: '%s' must be one of %s"), r->file->name,
                   node->line, node->column, lc_shown(node->name, text),
                   LB_NAMES(LLMGR_MODEL_KIND_MAP));
}

static llmgr_status take_tokens(const struct reader *r, const struct lc_node *node, int64_t *tokens)
{
    uint64_t value;

    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind != LC_NODE_SCALAR || !lb_str_to_u64(lb_str_trim(node->text), &value) ||
        value == 0 || value > LLMGR_MODEL_TOKENS_MAX)
        return fail_name(r, at_value(node), node->name,
                         N_("must be a whole number of tokens, such as 128000"));
    *tokens = (int64_t)value;
    return LLMGR_OK;
}

static llmgr_status take_model_members(const struct reader *r, const struct lc_node *node,
                                       struct lc_model *model)
{
    for (const struct lc_node *member = node->first; member != NULL; member = member->next) {
        llmgr_status status = LLMGR_OK;
        if (lb_str_eq_c(member->name, "model_name"))
            status = take_plain(r, member, LC_MODEL_NAME_MAX, &model->model_name);
        else if (lb_str_eq_c(member->name, "extra_body"))
            status = take_extra_body(r, member, &model->extra_body);
        else if (lb_str_eq_c(member->name, "kind") && !r->legacy)
            status = take_kind(r, member, &model->kind);
        else if (lb_str_eq_c(member->name, "price") && !r->legacy)
            status = lc_file_take_price(r->file, member, model, r->err);
        else if (lb_str_eq_c(member->name, "context") && !r->legacy)
            status = take_tokens(r, member, &model->context);
        else if (lb_str_eq_c(member->name, "max_output") && !r->legacy)
            status = take_tokens(r, member, &model->max_output);
        else if (!r->legacy)
            status = fail_unknown(r, member, lc_nearest(member->name, MODEL_MEMBERS, 4));
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

/* display: model_name, or display: {model_name: ..., and whatever MODEL_MEMBERS has} */
static llmgr_status take_model(const struct reader *r, const struct lc_node *node,
                               struct lc_model *model)
{
    model->line = node->name_line;
    llmgr_status status = take_name(r, node, LC_MODEL_NAME_MAX, &model->display_name);
    if (status != LLMGR_OK)
        return status;
    if (node->kind == LC_NODE_MAP)
        status = take_model_members(r, node, model);
    else
        status = take_plain(r, node, LC_MODEL_NAME_MAX, &model->model_name);
    if (status == LLMGR_OK && model->model_name == NULL)
        status = fail_name(r, at_name(node), node->name,
                           N_("has no model_name; write 'display name: model name'"));
    return status;
}

/* One platform may not offer one model twice. */
static llmgr_status check_model_name(const struct reader *r, const struct lc_node *node,
                                     struct lc_model *model, struct lb_map *names)
{
    struct lb_str name = lb_cstr(model->model_name);
    const struct lc_model *earlier = lb_map_get(names, name);
    char text[LC_SHOWN_SIZE];

    if (earlier != NULL)
        return lb_fail(r->err, LLMGR_ERR_CONFIG,
                       N_("%s:%u:%u: '%s' is the model '%s' on line %u already stands for; keep "
                          "one of them"),
                       r->file->name, node->name_line, node->name_column, lc_shown(name, text),
                       earlier->display_name, earlier->line);
    return lb_map_put(names, name, model, NULL) != LLMGR_OK ? lb_fail_memory(r->err) : LLMGR_OK;
}

static llmgr_status take_models(const struct reader *r, const struct lc_node *node,
                                struct lc_platform *platform)
{
    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind != LC_NODE_MAP)
        return fail_name(r, at_value(node), node->name,
                         N_("must be a mapping of display names to model names, such as "
                            "{GPT 5: gpt-5}"));
    if (node->count > LC_MODELS_MAX)
        return fail_name(r, at_value(node), node->name, N_("has too many entries"));
    if (node->count == 0)
        return LLMGR_OK;
    platform->models = lc_pool_alloc(&r->file->pool, node->count, sizeof *platform->models);
    struct lb_map *names = lb_map_new(r->file->pool.host, node->count);
    if (platform->models == NULL || names == NULL) {
        lb_map_free(names);
        return lb_fail_memory(r->err);
    }
    llmgr_status status = LLMGR_OK;
    for (const struct lc_node *child = node->first; child != NULL && status == LLMGR_OK;
         child = child->next) {
        struct lc_model *model = &platform->models[platform->model_count++];
        status = take_model(r, child, model);
        if (status == LLMGR_OK)
            status = check_model_name(r, child, model, names);
    }
    lb_map_free(names);
    return status;
}

/* ---- Platforms ------------------------------------------------------------------------------- */

static llmgr_status take_protocol(const struct reader *r, const struct lc_node *node,
                                  struct lc_platform *platform)
{
    llmgr_status status = take_text(r, node, LC_MODEL_NAME_MAX, &platform->protocol);

    if (status == LLMGR_OK && platform->protocol != NULL &&
        !lc_protocol_is(lb_cstr(platform->protocol)))
        status = fail_name(r, at_value(node), node->name,
                           N_("can be openai, anthropic, azure or gemini"));
    return status;
}

static llmgr_status take_native_paths(const struct reader *r, const struct lc_node *node,
                                      struct lc_platform *platform)
{
    struct lb_buf text;
    llmgr_status status = LLMGR_OK;

    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind != LC_NODE_LIST)
        return fail_name(r, at_value(node), node->name,
                         N_("must be a list, such as [/images/upscale, GET /voices]"));
    lb_buf_init(&text, r->file->pool.host, LC_NATIVE_PATHS_MAX);
    for (const struct lc_node *item = node->first; item != NULL && status == LLMGR_OK;
         item = item->next) {
        if (item->kind != LC_NODE_SCALAR || !lc_native_path_add(item->text, &text))
            status =
                fail_name(r, at_value(item), node->name,
                          N_("holds what is no path, such as /images/upscale or GET /voices/{id}"));
    }
    if (status == LLMGR_OK && text.failed != LLMGR_OK)
        status = text.failed == LLMGR_ERR_NO_MEMORY
                     ? lb_fail_memory(r->err)
                     : fail_name(r, at_value(node), node->name, N_("is too long"));
    if (status == LLMGR_OK && text.size > 0)
        status = keep_text(r, lb_buf_str(&text), &platform->native_paths);
    lb_buf_free(&text);
    return status;
}

static llmgr_status take_base_url(const struct reader *r, const struct lc_node *node,
                                  struct lc_platform *platform)
{
    llmgr_status status = take_filled(r, node, LC_BASE_URL_MAX, &platform->base_url);

    if (status != LLMGR_OK || r->legacy)
        return status;
    return lc_judge_base_url(r->file->name, node, r->err);
}

static llmgr_status take_api_key(const struct reader *r, const struct lc_node *node,
                                 struct lc_platform *platform)
{
    const char *text;

    llmgr_status status = take_filled(r, node, LC_API_KEY_MAX, &text);
    if (status != LLMGR_OK || text == NULL)
        return status;
    return lc_file_take_key(r->file, node, text, platform, r->err);
}

static llmgr_status take_member(const struct reader *r, const struct lc_node *member,
                                struct lc_platform *platform)
{
    if (lb_str_eq_c(member->name, "base_url"))
        return take_base_url(r, member, platform);
    if (lb_str_eq_c(member->name, "api_key"))
        return take_api_key(r, member, platform);
    if (lb_str_eq_c(member->name, "api_keys") && !r->legacy)
        return lc_file_take_keys(r->file, member, platform, r->err);
    if (lb_str_eq_c(member->name, "models"))
        return take_models(r, member, platform);
    if (lb_str_eq_c(member->name, "protocol"))
        return take_protocol(r, member, platform);
    if (lb_str_eq_c(member->name, "native_paths"))
        return take_native_paths(r, member, platform);
    if (lb_str_eq_c(member->name, "headers"))
        return lc_file_take_headers(r->file, member, platform, r->err);
    return r->legacy ? LLMGR_OK : fail_unknown(r, member, lc_nearest(member->name, MEMBERS, 2));
}

/* http://, https://, or braces that the environment is to fill. */
static bool may_be_url(struct lb_str url)
{
    return lb_str_eq_nocase(lb_str_sub(url, 0, 7), LB_STR("http://")) ||
           lb_str_eq_nocase(lb_str_sub(url, 0, 8), LB_STR("https://")) || url.p[0] == '{';
}

static llmgr_status take_platform(const struct reader *r, const struct lc_node *node,
                                  struct lc_platform *platform)
{
    platform->line = node->name_line;
    llmgr_status status = take_name(r, node, LC_PLATFORM_NAME_MAX, &platform->name);
    if (status == LLMGR_OK && node->kind != LC_NODE_MAP)
        status = fail_name(r, at_value(node), node->name,
                           N_("must be a mapping with base_url, api_key and models"));
    for (const struct lc_node *member = status == LLMGR_OK ? node->first : NULL;
         member != NULL && status == LLMGR_OK; member = member->next)
        status = take_member(r, member, platform);
    if (status != LLMGR_OK)
        return status;
    if (platform->base_url == NULL)
        return fail_name(r, at_name(node), node->name, N_("has no base_url"));
    if (!may_be_url(lb_cstr(platform->base_url)))
        return fail_name(r, at_name(node), node->name,
                         N_("has a base_url that begins with neither https:// nor http://"));
    if (platform->protocol == NULL)
        platform->protocol = LC_PROTOCOL_DEFAULT;
    return LLMGR_OK;
}

static llmgr_status take_platforms(const struct reader *r, const struct lc_node *node)
{
    struct lc_file *file = r->file;

    file->has_platforms = true;
    if (lc_yaml_is_null(node))
        return LLMGR_OK;
    if (node->kind != LC_NODE_MAP)
        return lb_fail(r->err, LLMGR_ERR_CONFIG,
                       N_("%s:%u:%u: the platforms must be a mapping of names to platforms"),
                       file->name, node->line, node->column);
    if (node->count > LC_PLATFORMS_MAX)
        return lb_fail(r->err, LLMGR_ERR_CONFIG, N_("%s:%u:%u: more than %d platforms"), file->name,
                       node->line, node->column, LC_PLATFORMS_MAX);
    if (node->count == 0)
        return LLMGR_OK;
    file->platforms = lc_pool_alloc(&file->pool, node->count, sizeof *file->platforms);
    if (file->platforms == NULL)
        return lb_fail_memory(r->err);
    for (const struct lc_node *child = node->first; child != NULL; child = child->next) {
        llmgr_status status = take_platform(r, child, &file->platforms[file->platform_count]);
        if (status != LLMGR_OK)
            return status;
        file->platform_count++;
    }
    return LLMGR_OK;
}

/* ---- Options --------------------------------------------------------------------------------- */

static llmgr_status take_setting(const struct reader *r, const struct lc_option_row *row,
                                 const struct lc_node *node)
{
    struct lc_file *file = r->file;
    struct lc_setting *setting = &file->settings[file->setting_count];
    size_t count = node->kind == LC_NODE_LIST ? node->count : 1;
    const struct lc_node *item = node->kind == LC_NODE_LIST ? node->first : node;

    if (lc_yaml_is_null(node))
        return LLMGR_OK; /* named, but not set */
    llmgr_status status = lc_judge_setting(file->name, row, node, r->err);
    if (status != LLMGR_OK)
        return status;
    if (node->kind == LC_NODE_MAP)
        return fail_name(r, at_value(node), node->name, N_("must be a value, not a mapping"));
    const char **items = lc_pool_alloc(&file->pool, count + 1, sizeof *items);
    if (items == NULL)
        return lb_fail_memory(r->err);
    for (size_t i = 0; i < count; i++, item = item->next) {
        if (item->kind != LC_NODE_SCALAR || lc_yaml_is_null(item))
            return fail_name(r, at_value(item), node->name,
                             N_("must be a list of texts; one with brackets needs quotes"));
        status = lc_judge_setting(file->name, row, item, r->err);
        if (status == LLMGR_OK)
            status = keep_text(r, item->text, &items[i]);
        if (status != LLMGR_OK)
            return status;
    }
    *setting = (struct lc_setting){.id = row->id,
                                   .is_list = node->kind == LC_NODE_LIST,
                                   .items = items,
                                   .count = count,
                                   .line = node->line,
                                   .column = node->column};
    file->setting_count++;
    return LLMGR_OK;
}

/* What stands at the top beside options. */
static const char *const LISTS[] = {"platforms", "aliases", "routes", NULL};

static llmgr_status take_option(const struct reader *r, const struct lc_node *node)
{
    const struct lc_option_row *row = lc_option_by_key(node->name);

    if (row != NULL)
        return take_setting(r, row, node);
    if (lb_str_eq_c(node->name, "master_key"))
        return fail_name(r, at_name(node), node->name,
                         N_("does not belong into a file that others read; use master_key_file, "
                            "master_key_command or the variable LLMGR_MASTER_KEY"));
    const char *nearest = lc_option_nearest_key(node->name);
    if (nearest == NULL)
        nearest = lc_nearest(node->name, LISTS, 3);
    return fail_unknown(r, node, nearest);
}

static llmgr_status take_root(const struct reader *r, const struct lc_node *root)
{
    struct lc_file *file = r->file;
    llmgr_status status = LLMGR_OK;

    if (lc_yaml_is_null(root))
        return LLMGR_OK;
    if (r->legacy)
        return take_platforms(r, root);
    if (root->kind != LC_NODE_MAP)
        return lb_fail(r->err, LLMGR_ERR_CONFIG,
                       N_("%s:%u:%u: the file must be a mapping, such as 'mode: custom'"),
                       file->name, root->line, root->column);
    file->settings = lc_pool_alloc(&file->pool, LC_OPTION_COUNT, sizeof *file->settings);
    if (file->settings == NULL)
        return lb_fail_memory(r->err);
    for (const struct lc_node *node = root->first; node != NULL && status == LLMGR_OK;
         node = node->next)
        status = lb_str_eq_c(node->name, "platforms") ? take_platforms(r, node)
                 : lb_str_eq_c(node->name, "aliases") ? lc_file_take_aliases(file, node, r->err)
                 : lb_str_eq_c(node->name, "routes")  ? lc_file_take_routes(file, node, r->err)
                                                      : take_option(r, node);
    return status;
}

/* The options' values are judged by the code that will set them, on options that are thrown away.
 */
static llmgr_status check_settings(const struct lc_file *file, struct llmgr_error *err)
{
    struct lc_options scratch;

    llmgr_status status = lc_options_init(&scratch, file->pool.host, err);
    if (status == LLMGR_OK)
        status = lc_options_file(&scratch, file, err);
    lc_options_free(&scratch);
    return status;
}

/* ---- Faces ----------------------------------------------------------------------------------- */

static llmgr_status parse_text(const struct lb_host *host, const char *name, struct lb_str text,
                               bool legacy, struct lc_file **file, struct llmgr_error *err)
{
    struct lc_node *root = NULL;
    struct lc_pool tree;

    if (text.size > LC_FILE_SIZE_MAX)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("%s is larger than %d bytes"), name,
                       LC_FILE_SIZE_MAX);
    struct lc_file *fresh = lb_calloc(host, 1, sizeof *fresh);
    if (fresh == NULL)
        return lb_fail_memory(err);
    const struct reader r = {.file = fresh, .legacy = legacy, .err = err};
    lc_pool_init(&fresh->pool, host, FILE_POOL_MAX);
    lc_pool_init(&tree, host, TREE_MAX);
    fresh->name = lc_pool_str(&fresh->pool, lb_cstr(name));
    llmgr_status status =
        fresh->name == NULL ? lb_fail_memory(err) : lc_yaml_parse(&tree, name, text, &root, err);
    if (status == LLMGR_OK)
        status = take_root(&r, root);
    if (status == LLMGR_OK)
        status = check_settings(fresh, err);
    lc_pool_free(&tree);
    if (status != LLMGR_OK) {
        lc_file_free(fresh);
        return status;
    }
    *file = fresh;
    return LLMGR_OK;
}

llmgr_status lc_file_parse(const struct lb_host *host, const char *name, struct lb_str text,
                           struct lc_file **file, struct llmgr_error *err)
{
    return parse_text(host, name, text, false, file, err);
}

llmgr_status lc_file_parse_legacy(const struct lb_host *host, const char *name, struct lb_str text,
                                  struct lc_file **file, struct llmgr_error *err)
{
    return parse_text(host, name, text, true, file, err);
}

llmgr_status lc_file_read(const struct lb_host *host, const char *path, struct lc_file **file,
                          struct llmgr_error *err)
{
    struct lb_buf text;

    lb_buf_init_secret(&text, host, LC_FILE_SIZE_MAX);
    llmgr_status status = lc_read_file(path, &text, err);
    if (status == LLMGR_OK)
        status = lc_file_parse(host, path, lb_buf_str(&text), file, err);
    lb_buf_free(&text);
    return status;
}

void lc_file_free(struct lc_file *file)
{
    if (file == NULL)
        return;
    const struct lb_host *host = file->pool.host;
    lc_pool_free(&file->pool);
    lb_free(host, file);
}
