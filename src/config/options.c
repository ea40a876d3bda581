/* SPDX-License-Identifier: MIT */
/*
 * The table of options.def turned into rows, members and checks. Every text, wherever it comes
 * from, passes through set_items, so a value means the same on the command line, in the
 * environment and in the file.
 */
#include "config/options.h"

#include <stddef.h>
#include <string.h>

#include "base/error.h"
#include "config/file.h"
#include "config/meant.h"
#include "config/value.h"

enum { FLAG_ITEMS_MAX = 64 }; /* of a list given flag by flag */

enum { POOL_MAX = 1 << 20, ITEMS_MAX = 1024 };

static const struct lc_option_row ROWS[] = {
#define LC_OPTION(member, type, key, env, other_env, short_flag, flag, label, section, reload,     \
                  fallback, min, max, choices, help)                                               \
    {LC_OPT_##member,                                                                              \
     LC_##type,                                                                                    \
     LC_SECTION_##section,                                                                         \
     LC_RELOAD_##reload,                                                                           \
     short_flag,                                                                                   \
     key,                                                                                          \
     env,                                                                                          \
     other_env,                                                                                    \
     flag,                                                                                         \
     label,                                                                                        \
     fallback,                                                                                     \
     min,                                                                                          \
     max,                                                                                          \
     choices,                                                                                      \
     help},
#include "config/options.def"
};

static const size_t MEMBERS[] = {
#define LC_OPTION(member, ...) offsetof(struct lc_options, member),
#include "config/options.def"
};

static const char *const HEADINGS[] = {
#define SECTION_HEADING(name, heading) heading,
    LC_SECTION_MAP(SECTION_HEADING)
#undef SECTION_HEADING
};

static const char *const NO_ITEMS[] = {NULL};

/* A value on its way in: its texts, and how errors call its place. */
struct input {
    const char *source; /* "--db", "LLMGR_DB", "llmgr.yaml:3:7: mode" */
    const char *const *items;
    size_t count;
    bool is_list;        /* the items are separate already */
    llmgr_status status; /* of a refusal */
};

/* The converted value; which member counts follows from the row's type. */
struct output {
    const char *text;
    int64_t number;
    struct lc_list list;
};

/* ---- Conversion ------------------------------------------------------------------------------ */

static llmgr_status refuse_value(const struct lc_option_row *row, const struct input *in,
                                 struct lb_str text, struct llmgr_error *err)
{
    char value[LC_SHOWN_SIZE];

    lc_shown(text, value);
    switch (row->type) {
    case LC_BOOL:
        return lb_fail(err, in->status, N_("%s: '%s' is neither true nor false"), in->source,
                       value);
    case LC_INT:
        return lb_fail(err, in->status, N_("%s: '%s' is no number from %lld to %lld"), in->source,
                       value, (long long)row->min, (long long)row->max);
    case LC_SIZE:
        return lb_fail(err, in->status,
                       N_("%s: '%s' is no size from %lld to %lld bytes; write 64MiB, for instance"),
                       in->source, value, (long long)row->min, (long long)row->max);
    case LC_DURATION:
        return lb_fail(
            err, in->status,
            N_("%s: '%s' is no time from %lld ms to %lld ms; write 500ms, 30s or 5m, for "
               "instance"),
            in->source, value, (long long)row->min, (long long)row->max);
    case LC_ENUM:
        return lb_fail(err, in->status, N_("%s: '%s' is not one of %s"), in->source, value,
                       row->choices);
    case LC_ARGV:
        return lb_fail(err, in->status,
                       N_("%s: a quote is not closed, the program has no name, or there are more "
                          "than %d words"),
                       in->source, ITEMS_MAX);
    default:
        return lb_fail(
            err, in->status,
            N_("%s: the value is empty, longer than %lld bytes, or not plain UTF-8 text"),
            in->source, (long long)row->max);
    }
}

static bool convert_number(const struct lc_option_row *row, struct lb_str text, int64_t *value)
{
    bool is_true;
    int choice;

    switch (row->type) {
    case LC_BOOL:
        if (!lc_parse_bool(text, &is_true))
            return false;
        *value = is_true;
        return true;
    case LC_ENUM:
        if (!lc_parse_choice(text, row->choices, &choice))
            return false;
        *value = choice;
        return true;
    case LC_INT:
        return lb_str_to_i64(text, value) && *value >= row->min && *value <= row->max;
    case LC_SIZE:
        return lc_parse_size(text, value) && *value >= row->min && *value <= row->max;
    default:
        return lc_parse_duration(text, value) && *value >= row->min && *value <= row->max;
    }
}

static bool is_text(const struct lc_option_row *row, struct lb_str text)
{
    return lb_utf8_name(text, (size_t)row->max);
}

static llmgr_status convert_text(struct lc_options *options, const struct lc_option_row *row,
                                 const struct input *in, struct output *out,
                                 struct llmgr_error *err)
{
    struct lb_str text = lb_cstr(in->items[0]);

    if (!is_text(row, text))
        return refuse_value(row, in, text, err);
    out->text = lc_pool_str(&options->pool, text);
    return out->text == NULL ? lb_fail_memory(err) : LLMGR_OK;
}

/* Cuts one text into items; the words of a command are unquoted, the items of a list trimmed. */
static bool next_part(const struct lc_option_row *row, struct lb_str *rest, struct lb_buf *part,
                      bool *bad)
{
    struct lb_str item;

    lb_buf_reset(part);
    if (row->type == LC_ARGV)
        return lc_next_word(rest, part, bad);
    if (!lc_next_item(rest, &item))
        return false;
    lb_buf_add_str(part, item);
    return true;
}

static llmgr_status convert_list(struct lc_options *options, const struct lc_option_row *row,
                                 const struct input *in, struct output *out,
                                 struct llmgr_error *err)
{
    size_t most = in->is_list ? in->count : ITEMS_MAX;
    const char **items = NULL;
    size_t count = 0;
    bool bad = in->is_list && in->count > ITEMS_MAX;
    struct lb_buf part;
    llmgr_status status = LLMGR_OK;

    lb_buf_init_secret(&part, options->pool.host, (size_t)row->max);
    if (!bad) {
        items = lc_pool_alloc(&options->pool, most + 1, sizeof *items);
        if (items == NULL)
            status = lb_fail_memory(err);
    }
    struct lb_str rest = in->count != 0 ? lb_cstr(in->items[0]) : lb_str(NULL, 0);
    while (items != NULL && !bad && count < most) {
        if (in->is_list) {
            lb_buf_reset(&part);
            lb_buf_add_c(&part, in->items[count]);
        } else if (!next_part(row, &rest, &part, &bad)) {
            break;
        }
        bad = bad || part.failed != LLMGR_OK || !is_text(row, lb_buf_str(&part));
        items[count] = bad ? NULL : lc_pool_str(&options->pool, lb_buf_str(&part));
        if (!bad && items[count] == NULL) {
            status = lb_fail_memory(err);
            break;
        }
        count++;
    }
    if (part.failed == LLMGR_ERR_NO_MEMORY)
        status = lb_fail_memory(err);
    lb_buf_free(&part);
    if (status == LLMGR_OK &&
        (bad || count == 0 || (!in->is_list && rest.size != 0 && count == most)))
        status = refuse_value(row, in, lb_str(NULL, 0), err);
    if (status == LLMGR_OK)
        out->list = (struct lc_list){items, count};
    return status;
}

static llmgr_status convert_value(struct lc_options *options, const struct lc_option_row *row,
                                  const struct input *in, struct output *out,
                                  struct llmgr_error *err)
{
    if (row->type == LC_LIST || row->type == LC_ARGV)
        return convert_list(options, row, in, out, err);
    if (in->is_list || in->count != 1)
        return lb_fail(err, in->status,
                       N_("%s takes one value, not a list; write it without brackets"), in->source);
    if (row->type == LC_STRING || row->type == LC_URL)
        return convert_text(options, row, in, out, err);
    if (!convert_number(row, lb_cstr(in->items[0]), &out->number))
        return refuse_value(row, in, lb_cstr(in->items[0]), err);
    return LLMGR_OK;
}

/* ---- Storing --------------------------------------------------------------------------------- */

static void *member(const struct lc_options *options, lc_option_id id)
{
    return (char *)(uintptr_t)options + MEMBERS[id];
}

static void store_value(struct lc_options *options, const struct lc_option_row *row,
                        const struct output *out)
{
    void *at = member(options, row->id);

    switch (row->type) {
    case LC_STRING:
    case LC_URL:
        *(const char **)at = out->text;
        break;
    case LC_BOOL:
    case LC_SECRET:
        *(bool *)at = out->number != 0;
        break;
    case LC_INT:
    case LC_SIZE:
    case LC_DURATION:
        *(int64_t *)at = out->number;
        break;
    case LC_ENUM:
        *(int *)at = (int)out->number;
        break;
    case LC_LIST:
    case LC_ARGV:
        *(struct lc_list *)at = out->list;
        break;
    }
}

static bool is_home(struct lb_str text)
{
    if (lb_str_starts(text, LB_STR("sqlite:")))
        text = lb_str_sub(text, strlen("sqlite:"), text.size);
    return lb_str_starts(text, LB_STR("~/"));
}

/*
 * What a shell or another program would have filled in, and here would become the name of a file; a
 * list that was written as in YAML or JSON. The arguments of a command are its own.
 */
static llmgr_status judge_meant(const struct lc_option_row *row, const struct input *in,
                                struct llmgr_error *err)
{
    struct lb_str name;

    for (size_t i = 0; i < in->count && row->type != LC_ARGV; i++) {
        struct lb_str text = lb_cstr(in->items[i]);
        if (is_home(text))
            return lb_fail(err, in->status,
                           N_("%s: '~' is not filled in here; write the whole path"), in->source);
        if (lc_meant_variable(text, &name))
            return lb_fail(err, in->status,
                           N_("%s: a variable in it was not filled in; write the value itself"),
                           in->source);
        if (row->type == LC_LIST && !in->is_list && text.size > 1 && text.p[0] == '[' &&
            text.p[text.size - 1] == ']')
            return lb_fail(err, in->status,
                           N_("%s: brackets belong into llmgr.yaml; write the items with commas "
                              "between them"),
                           in->source);
    }
    return LLMGR_OK;
}

static llmgr_status set_items(struct lc_options *options, const struct lc_option_row *row,
                              lc_origin origin, const char *where, const struct input *in,
                              struct llmgr_error *err)
{
    struct output out = {.list = {NO_ITEMS, 0}};

    llmgr_status status = judge_meant(row, in, err);
    if (status == LLMGR_OK)
        status = convert_value(options, row, in, &out, err);
    if (status != LLMGR_OK || options->origin[row->id] > origin)
        return status;
    const char *source = NULL;
    if (where != NULL) {
        source = lc_pool_str(&options->pool, lb_cstr(where));
        if (source == NULL)
            return lb_fail_memory(err);
    }
    store_value(options, row, &out);
    options->origin[row->id] = origin;
    options->source[row->id] = source;
    options->line[row->id] = 0;
    return LLMGR_OK;
}

llmgr_status lc_options_set(struct lc_options *options, lc_option_id id, lc_origin origin,
                            const char *source, const char *text, struct llmgr_error *err)
{
    const struct lc_option_row *row = &ROWS[id];
    llmgr_status refusal = origin == LC_FROM_FILE ? LLMGR_ERR_CONFIG : LLMGR_ERR_INVALID;

    if (row->type == LC_SECRET)
        return lb_fail(err, refusal, N_("%s is secret and read from the environment only"), source);
    if (text == NULL && row->type != LC_BOOL)
        return lb_fail(err, refusal, N_("%s needs a value"), source);
    const char *items[FLAG_ITEMS_MAX + 1];
    size_t count = 0;
    if (row->type == LC_LIST && origin == LC_FROM_FLAG && options->origin[id] == LC_FROM_FLAG) {
        /* A list's flag may be given several times. */
        const struct lc_list *given = member(options, id);
        for (; count < given->count && count < FLAG_ITEMS_MAX - 1; count++)
            items[count] = given->items[count];
    }
    items[count++] = text != NULL ? text : "true";
    items[count] = NULL;
    const struct input in = {
        .source = source, .items = items, .count = count, .is_list = count > 1, .status = refusal};
    return set_items(options, row, origin, source, &in, err);
}

llmgr_status lc_options_init(struct lc_options *options, const struct lb_host *host,
                             struct llmgr_error *err)
{
    *options = (struct lc_options){0};
    lc_pool_init(&options->pool, host, POOL_MAX);
    for (size_t i = 0; i < LC_OPTION_COUNT; i++) {
        const struct lc_option_row *row = &ROWS[i];
        const struct output none = {.list = {NO_ITEMS, 0}};
        const char *items[] = {row->fallback, NULL};
        const struct input in = {
            .source = row->key, .items = items, .count = 1, .status = LLMGR_ERR_INTERNAL};
        store_value(options, row, &none);
        if (row->fallback == NULL)
            continue;
        llmgr_status status = set_items(options, row, LC_FROM_DEFAULT, NULL, &in, err);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

void lc_options_free(struct lc_options *options)
{
    lc_pool_free(&options->pool);
}

/* ---- Environment and file -------------------------------------------------------------------- */

/* The first of the row's variables that is set and not empty; *name tells which. */
static const char *find_variable(const struct lc_option_row *row, llmgr_env_fn env, void *context,
                                 char name[64])
{
    struct lb_str rest = lb_cstr(row->other_env);
    struct lb_str next = lb_cstr(row->env);

    do {
        memcpy(name, next.p, next.size);
        name[next.size] = '\0';
        const char *value = env(name, context);
        if (value != NULL && value[0] != '\0')
            return value;
    } while (lc_next_item(&rest, &next));
    return NULL;
}

/*
 * A variable that was made for every program is no reason to stop: what cannot be a value is taken
 * as far as it goes, so that who needs it finds the fault and names the variable.
 */
static llmgr_status set_inherited(struct lc_options *options, const struct lc_option_row *row,
                                  const char *name, const char *value, struct llmgr_error *err)
{
    struct lb_str text = lb_str_strip(lb_cstr(value));
    struct output out = {0};
    struct lb_buf clean;

    if (text.size == 0 || options->origin[row->id] > LC_FROM_ENV)
        return LLMGR_OK;
    lb_buf_init_secret(&clean, options->pool.host, (size_t)row->max);
    for (size_t at = 0; at < text.size && clean.size < (size_t)row->max;) {
        uint32_t code_point = 0;
        size_t size = lb_utf8_decode(lb_str_sub(text, at, text.size), &code_point);
        bool plain = size == 1 && code_point > ' ' && code_point < 0x7f;
        lb_buf_add_byte(&clean, plain ? text.p[at] : code_point == ' ' ? ' ' : '?');
        at += size != 0 ? size : 1;
    }
    out.text = lc_pool_str(&options->pool, lb_buf_str(&clean));
    const char *source = lc_pool_str(&options->pool, lb_cstr(name));
    lb_buf_free(&clean);
    if (out.text == NULL || source == NULL)
        return lb_fail_memory(err);
    store_value(options, row, &out);
    options->origin[row->id] = LC_FROM_ENV;
    options->source[row->id] = source;
    return LLMGR_OK;
}

const char *lc_option_inherited(const struct lc_options *options, lc_option_id id)
{
    const char *source = options->source[id];

    return options->origin[id] == LC_FROM_ENV && source != NULL && strcmp(source, ROWS[id].env) != 0
               ? source
               : NULL;
}

llmgr_status lc_options_env(struct lc_options *options, llmgr_env_fn env, void *context,
                            struct llmgr_error *err)
{
    char name[64]; /* longer than any variable in the table */

    for (size_t i = 0; i < LC_OPTION_COUNT; i++) {
        const struct lc_option_row *row = &ROWS[i];
        llmgr_status status = LLMGR_OK;
        if (row->env == NULL)
            continue;
        const char *value = find_variable(row, env, context, name);
        if (value != NULL && row->type == LC_SECRET) {
            *(bool *)member(options, row->id) = true;
            options->origin[row->id] = LC_FROM_ENV;
            options->source[row->id] = row->env;
        } else if (value != NULL && strcmp(name, row->env) != 0) {
            status = set_inherited(options, row, name, value, err);
        } else if (value != NULL) {
            status = lc_options_set(options, row->id, LC_FROM_ENV, name, value, err);
        }
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

llmgr_status lc_options_file(struct lc_options *options, const struct lc_file *file,
                             struct llmgr_error *err)
{
    for (size_t i = 0; i < file->setting_count; i++) {
        const struct lc_setting *setting = &file->settings[i];
        const struct lc_option_row *row = &ROWS[setting->id];
        struct lb_buf place;
        lb_buf_init(&place, options->pool.host, 8192);
        lb_buf_addf(&place, "%s:%u:%u: %s", file->name, setting->line, setting->column, row->key);
        const struct input in = {.source = lb_buf_c(&place),
                                 .items = setting->items,
                                 .count = setting->count,
                                 .is_list = setting->is_list,
                                 .status = LLMGR_ERR_CONFIG};
        llmgr_status status = place.failed == LLMGR_OK
                                  ? set_items(options, row, LC_FROM_FILE, file->name, &in, err)
                                  : lb_fail(err, place.failed, N_("a file's name is too long"));
        if (status == LLMGR_OK && options->origin[row->id] == LC_FROM_FILE)
            options->line[row->id] = setting->line;
        lb_buf_free(&place);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

/* ---- The table ------------------------------------------------------------------------------- */

const struct lc_option_row *lc_option_rows(size_t *count)
{
    *count = LC_OPTION_COUNT;
    return ROWS;
}

const struct lc_option_row *lc_option_by_flag(struct lb_str flag)
{
    for (size_t i = 0; i < LC_OPTION_COUNT; i++) {
        if (ROWS[i].flag != NULL && lb_str_eq_c(flag, ROWS[i].flag))
            return &ROWS[i];
    }
    return NULL;
}

const struct lc_option_row *lc_option_by_short(char flag)
{
    for (size_t i = 0; i < LC_OPTION_COUNT; i++) {
        if (flag != 0 && ROWS[i].short_flag == flag)
            return &ROWS[i];
    }
    return NULL;
}

const struct lc_option_row *lc_option_by_key(struct lb_str key)
{
    for (size_t i = 0; i < LC_OPTION_COUNT; i++) {
        if (ROWS[i].key != NULL && lb_str_eq_c(key, ROWS[i].key))
            return &ROWS[i];
    }
    return NULL;
}

/* Up to a third of the letters may be wrong. */
static const char *nearest_name(struct lb_str wrong, bool flags)
{
    const char *best = NULL;
    unsigned least = (unsigned)(wrong.size < 30 ? wrong.size / 3 : 10) + 1;

    for (size_t i = 0; i < LC_OPTION_COUNT; i++) {
        const char *name = flags ? ROWS[i].flag : ROWS[i].key;
        unsigned distance = name != NULL ? lc_distance(wrong, lb_cstr(name), least) : least;
        if (distance < least) {
            least = distance;
            best = name;
        }
    }
    return best;
}

const char *lc_option_nearest_key(struct lb_str wrong)
{
    return nearest_name(wrong, false);
}

const char *lc_option_nearest_flag(struct lb_str wrong)
{
    return nearest_name(wrong, true);
}

const char *lc_section_heading(lc_section section)
{
    return (unsigned)section < LC_SECTION_COUNT ? HEADINGS[section] : "";
}
