/* SPDX-License-Identifier: MIT */
/*
 * The forms of what people and files hand in. Each rule refuses with a text that names the thing
 * and what it should be; none of them touches the database.
 */
#include "manager/rules.h"

#include <jansson.h>

#include "base/error.h"
#include "config/meant.h"
#include "config/model_kind.h"
#include "config/placeholder.h"
#include "net/policy.h"

static const struct {
    const char *noun; /* msgid */
    size_t max;
} kinds[] = {
    [LM_NAME_PLATFORM] = {N_("platform name"), LM_PLATFORM_NAME_MAX},
    [LM_NAME_MODEL] = {N_("model name"), LM_MODEL_NAME_MAX},
    [LM_NAME_DISPLAY] = {N_("display name"), LM_MODEL_NAME_MAX},
    [LM_NAME_SLOT] = {N_("slot name"), LM_SLOT_MAX},
    [LM_NAME_ALIAS] = {N_("alias"), LM_MODEL_NAME_MAX},
    [LM_NAME_TARGET] = {N_("name that an alias stands for"), LM_ALIAS_TARGET_MAX},
    [LM_NAME_ROUTE] = {N_("route name"), LM_SLOT_MAX},
    [LM_NAME_ROUTE_TARGET] = {N_("target"), LM_ALIAS_TARGET_MAX},
};

llmgr_status lm_rule_name(struct lb_str name, enum lm_name_kind kind, struct llmgr_error *err)
{
    const char *noun = lb_tr(kinds[kind].noun);
    size_t max = kinds[kind].max;
    if (name.size == 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("invalid %s: it is empty; give 1 to %zu bytes"),
                       noun, max);
    if (name.size > max)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid %s: it is %zu bytes long; give 1 to %zu bytes of UTF-8"), noun,
                       name.size, max);
    if (!lb_utf8_name(name, max))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid %s: it must be UTF-8 without control characters"), noun);
    if (lb_str_trim(name).size != name.size)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid %s: it begins or ends with a blank; leave the blank away"),
                       noun);
    if ((kind == LM_NAME_SLOT || kind == LM_NAME_ROUTE) && lb_str_find(name, '/') < name.size)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("invalid %s: it holds a '/', which parts a platform from its model in "
                          "names; leave it away"),
                       noun);
    return LLMGR_OK;
}

llmgr_status lm_rule_base_url(struct lb_str text, struct lh_url *url, struct llmgr_error *err)
{
    enum lh_url_error bad = lh_url_parse(text, url);
    if (bad != LH_URL_OK)
        return lh_url_fail(err, bad, text);
    size_t base = lc_meant_base_url(text);
    if (base == 0)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("the base URL names an endpoint; write %.*s, the endpoints are added"),
                   (int)base, text.p);
}

llmgr_status lm_rule_private_url(const struct ln_policy *policy, struct lb_str text,
                                 struct lh_url *url, struct llmgr_error *err)
{
    llmgr_status status = lm_rule_base_url(text, url, err);
    if (status != LLMGR_OK)
        return status;
    /* Without a policy nothing has said yes. */
    if (policy == NULL)
        return lb_fail(err, LLMGR_ERR_ADDRESS,
                       N_("no address policy is set; no address is allowed"));
    return ln_policy_judge_url_host(policy, LN_CLASS_PRIVATE,
                                    url->https ? LB_STR("https") : LB_STR("http"), url->host,
                                    url->port, err);
}

llmgr_status lm_rule_system_url(const struct ln_policy *policy, struct lb_str text,
                                struct lh_url *url, struct llmgr_error *err)
{
    llmgr_status status = lm_rule_base_url(text, url, err);
    if (status != LLMGR_OK || policy == NULL)
        return status;
    return ln_policy_judge_url_host(policy, LN_CLASS_SYSTEM,
                                    url->https ? LB_STR("https") : LB_STR("http"), url->host,
                                    url->port, err);
}

/* ---- extra_body ------------------------------------------------------------------------------ */

static const char *const forbidden_members[] = {"model", "messages", "stream"};

static bool deeper_than(const json_t *value, unsigned levels)
{
    if (!json_is_object(value) && !json_is_array(value))
        return false;
    if (levels == 0)
        return true;

    size_t index;
    json_t *child;
    json_array_foreach(value, index, child) if (deeper_than(child, levels - 1)) return true;
    /* Read only; jansson's iterator wants the pointer without const. */
    json_t *object = json_is_object(value) ? (json_t *)(uintptr_t)value : NULL;
    const char *name;
    json_object_foreach(object, name, child) if (deeper_than(child, levels - 1)) return true;
    return false;
}

static llmgr_status judge_object(const json_t *object, struct llmgr_error *err)
{
    if (!json_is_object(object))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("extra_body must be a JSON object such as {\"top_k\": 20}"));
    if (deeper_than(object, LM_EXTRA_BODY_DEPTH_MAX))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("extra_body is nested more than %d levels deep"),
                       (int)LM_EXTRA_BODY_DEPTH_MAX);
    for (size_t i = 0; i < sizeof forbidden_members / sizeof *forbidden_members; i++) {
        if (json_object_get(object, forbidden_members[i]) != NULL)
            return lb_fail(err, LLMGR_ERR_INVALID,
                           N_("extra_body must not hold \"%s\": each request sets it itself"),
                           forbidden_members[i]);
    }
    return LLMGR_OK;
}

/* `text` is known to be JSON. */
static void add_compact(struct lb_buf *out, struct lb_str text)
{
    bool in_string = false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.p[i];
        if (in_string && c == '\\' && i + 1 < text.size) {
            lb_buf_add(out, text.p + i++, 2);
            continue;
        }
        if (c == '"')
            in_string = !in_string;
        if (in_string || (c != ' ' && c != '\t' && c != '\n' && c != '\r'))
            lb_buf_add_byte(out, c);
    }
}

llmgr_status lm_rule_extra_body(struct lb_str text, struct lb_buf *out, struct llmgr_error *err)
{
    if (text.size == 0)
        return LLMGR_OK;
    if (text.size > LM_EXTRA_BODY_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("extra_body is %zu bytes long; at most %d are kept"), text.size,
                       (int)LM_EXTRA_BODY_MAX);

    json_error_t bad;
    json_t *object = json_loadb(text.p, text.size, JSON_REJECT_DUPLICATES, &bad);
    if (object == NULL) {
        if (json_error_code(&bad) == json_error_out_of_memory)
            return lb_fail_memory(err);
        /* What follows "near" quotes the input, perhaps cut within a character. */
        const char *near = strstr(bad.text, " near '");
        size_t size = near != NULL ? (size_t)(near - bad.text) : strlen(bad.text);
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("extra_body is no valid JSON: %.*s (line %d, column %d)"), (int)size,
                       bad.text, bad.line, bad.column);
    }
    llmgr_status status = judge_object(object, err);
    bool is_empty = json_object_size(object) == 0;
    json_decref(object);
    if (status != LLMGR_OK || is_empty)
        return status;

    add_compact(out, text);
    if (out->failed != LLMGR_OK)
        return lb_fail_memory(err);
    return LLMGR_OK;
}

bool lm_extra_body_equal(struct lb_str a, struct lb_str b)
{
    if (lb_str_eq(a, b))
        return true;
    if (a.size == 0 || b.size == 0)
        return false;
    json_t *left = json_loadb(a.p, a.size, 0, NULL);
    json_t *right = json_loadb(b.p, b.size, 0, NULL);
    bool equal = left != NULL && right != NULL && json_equal(left, right) == 1;
    json_decref(left);
    json_decref(right);
    return equal;
}

/* ---- Models -----------------------------------------------------------------------------------
 */

llmgr_status lm_rule_model_kind(llmgr_model_kind kind, struct llmgr_error *err)
{
    if (llmgr_model_kind_name(kind) != NULL)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("%d is no kind of a model"), (int)kind);
}

struct lb_str lm_model_kind_text(llmgr_model_kind kind)
{
    return kind == LLMGR_MODEL_UNKNOWN ? LB_STR("") : lb_cstr(llmgr_model_kind_name(kind));
}

llmgr_model_kind lm_model_kind_of(struct lb_str text)
{
    llmgr_model_kind kind = LLMGR_MODEL_UNKNOWN;

    (void)lc_model_kind_parse(text, &kind);
    return kind;
}

llmgr_status lm_rule_model_tokens(int64_t tokens, const char *what, struct llmgr_error *err)
{
    if (tokens >= 0 && tokens <= LLMGR_MODEL_TOKENS_MAX)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("%s is a number of tokens, 1 to %d, or 0 if it is not known"), what,
                   LLMGR_MODEL_TOKENS_MAX);
}

uint32_t lm_model_tokens_of(int64_t column)
{
    return column > 0 && column <= LLMGR_MODEL_TOKENS_MAX ? (uint32_t)column : 0;
}
