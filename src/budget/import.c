/* SPDX-License-Identifier: MIT */
/*
 * Which form is it? That is told by what stands first, so that nobody has to say it; then the
 * form's reader goes through the text. YAML becomes JSON first, digit by digit.
 */
#include "budget/import.h"

#include "base/error.h"
#include "budget/import_read.h"
#include "config/yaml.h"

enum { YAML_MAX = 1024 * 1024, YAML_POOL_MAX = 64 * 1024 * 1024 };

static const struct {
    const char *name;
    lq_reader_fn *read;
} FORMS[] = {
#define LQ_FORM_ROW(name, text, reader) {text, reader},
    LQ_FORM_MAP(LQ_FORM_ROW)
#undef LQ_FORM_ROW
};

const char *lq_form_name(lq_form form)
{
    return FORMS[form].name;
}

/* Has the object at `at` a member of that name? */
static bool has(struct lb_str text, size_t at, const char *name)
{
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text, at, 2);
    while (lj_walk_next(&walk, &member)) {
        if (lb_str_eq_c(member.name, name))
            return true;
    }
    return false;
}

/* Of a list: OpenRouter's models have a `pricing`, prices of our own have `rates`. */
static bool tell_list(struct lb_str text, size_t at, lq_form *form)
{
    struct lj_span element;
    struct lj_walk walk;

    lj_list_start(&walk, text, at, 1);
    while (lj_list_next(&walk, &element)) {
        *form = has(text, element.at, "rates") ? LQ_FORM_OWN : LQ_FORM_OPENROUTER;
        if (*form == LQ_FORM_OWN || has(text, element.at, "pricing"))
            return true;
    }
    *form = LQ_FORM_OWN; /* an export of no prices */
    return walk.why == NULL && walk.before == 0;
}

/* Of an object: its members are providers with models, or models with a provider. */
static bool tell_object(struct lb_str text, size_t at, lq_form *form)
{
    struct lj_member member;
    struct lj_walk walk;

    lj_walk_start(&walk, text, at, 1);
    while (lj_walk_next(&walk, &member)) {
        *form = has(text, member.value.at, "models") ? LQ_FORM_MODELS_DEV : LQ_FORM_LITELLM;
        if (*form == LQ_FORM_MODELS_DEV || has(text, member.value.at, "litellm_provider"))
            return true;
    }
    return false;
}

static bool tell(struct lb_str text, lq_form *form)
{
    size_t at = lj_scan_space(text.p, 0, text.size);
    struct lj_span data;

    if (text.p[at] != '[' && text.p[at] != '{')
        return false;
    if (text.p[at] == '[')
        return tell_list(text, at, form);
    if (lq_find_data(text, &data))
        return tell_list(text, data.at, form);
    return tell_object(text, at, form);
}

/* One value to its end, and nothing behind it: then no reader meets what is malformed. */
static llmgr_status check_json(struct lb_str json, struct llmgr_error *err)
{
    size_t at = lj_scan_space(json.p, 0, json.size);
    struct lj_member member;
    struct lj_span element;
    struct lj_walk walk;

    if (json.p[at] == '{') {
        lj_walk_start(&walk, json, at, 1);
        while (lj_walk_next(&walk, &member))
            ;
    } else if (json.p[at] == '[') {
        lj_list_start(&walk, json, at, 1);
        while (lj_list_next(&walk, &element))
            ;
    } else {
        return LLMGR_OK; /* from YAML, and of no form */
    }
    if (walk.why == NULL && lj_scan_space(json.p, walk.at, json.size) != json.size)
        walk.why = "something follows its end";
    if (walk.why == NULL)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("the prices are no JSON: %s at byte %zu"), walk.why,
                   walk.at);
}

static llmgr_status read_json(struct lq_reading *reading, struct lb_str json,
                              struct llmgr_error *err)
{
    const struct lq_text text = {.reading = reading, .text = json};

    llmgr_status status = check_json(json, err);
    if (status != LLMGR_OK)
        return status;
    if (!tell(json, &reading->form))
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("these are no prices of a known form: LiteLLM's price file, models.dev's "
                          "api.json, OpenRouter's /models, or what `llmgr price list --json` "
                          "writes"));
    status = reading->begin(reading->context, reading->form, err);
    return status == LLMGR_OK ? FORMS[reading->form].read(&text, err) : status;
}

static llmgr_status read_yaml(struct lq_reading *reading, const struct lb_host *host,
                              const char *file, struct lb_str text, struct llmgr_error *err)
{
    struct lc_node *root = NULL;
    struct lc_pool pool;
    struct lb_buf json;

    if (text.size > YAML_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("YAML of more than %d bytes is not read; write it as JSON"), YAML_MAX);
    lc_pool_init(&pool, host, YAML_POOL_MAX);
    lb_buf_init(&json, host, LQ_IMPORT_TEXT_MAX);
    llmgr_status status = lc_yaml_parse(&pool, file, text, &root, err);
    if (status == LLMGR_OK)
        status = lc_yaml_json(root, file, &json, err);
    if (status == LLMGR_OK && json.failed != LLMGR_OK)
        status = lb_fail_memory(err);
    if (status == LLMGR_OK)
        status = read_json(reading, lb_buf_str(&json), err);
    lb_buf_free(&json);
    lc_pool_free(&pool);
    return status;
}

llmgr_status lq_read_prices(struct lq_reading *reading, const struct lb_host *host,
                            const char *file, struct lb_str text, struct llmgr_error *err)
{
    if (text.size > LQ_IMPORT_TEXT_MAX)
        return lb_fail(err, LLMGR_ERR_TOO_LARGE,
                       N_("prices of more than %d bytes are not read at once"), LQ_IMPORT_TEXT_MAX);
    size_t at = lj_scan_space(text.p, 0, text.size);
    if (at == text.size)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("there is nothing to import: it is empty"));
    if (text.p[at] == '[' || text.p[at] == '{')
        return read_json(reading, text, err);
    return read_yaml(reading, host, file, text, err);
}
