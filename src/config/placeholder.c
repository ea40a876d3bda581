/* SPDX-License-Identifier: MIT */
/* One scan for names, one rule for values; whatever goes wrong, nothing stays in `out`. */
#include "config/placeholder.h"

#include <string.h>

#include "base/error.h"
#include "config/dotenv.h"

const char *lc_env_get(const char *name, void *env)
{
    const struct lc_env *layers = env;
    const char *value = layers->get != NULL ? layers->get(name, layers->context) : NULL;

    if (value == NULL && layers->dotenv != NULL)
        value = lc_dotenv_get(layers->dotenv, name);
    return value;
}

bool lc_is_placeholder(struct lb_str value)
{
    value = lb_str_trim(value);
    return value.size >= 2 && value.p[0] == '{' && value.p[value.size - 1] == '}';
}

static bool is_name_byte(char c, bool first)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' ||
           (!first && c >= '0' && c <= '9');
}

/* The size of "{NAME}" at the start of `text`, or 0. */
static size_t placeholder_size(struct lb_str text)
{
    size_t at = 1;

    if (text.size == 0 || text.p[0] != '{')
        return 0;
    while (at < text.size && is_name_byte(text.p[at], at == 1))
        at++;
    if (at == 1 || at == text.size || text.p[at] != '}' || at - 1 > LC_PLACEHOLDER_NAME_MAX)
        return 0;
    return at + 1;
}

/* Is `name` one of the ", "-separated names from `start` on? */
static bool is_listed(const struct lb_buf *names, size_t start, struct lb_str name)
{
    struct lb_str rest = lb_str_sub(lb_buf_str(names), start, names->size);

    while (rest.size != 0) {
        size_t end = lb_str_find(rest, ',');
        if (lb_str_eq(lb_str_trim(lb_str_sub(rest, 0, end)), name))
            return true;
        rest = lb_str_sub(rest, end + 1, rest.size);
    }
    return false;
}

static void list_name(struct lb_buf *names, size_t start, struct lb_str name)
{
    if (names == NULL || is_listed(names, start, name))
        return;
    if (names->size != start)
        lb_buf_add_c(names, ", ");
    lb_buf_add_str(names, name);
}

/* Appends the variable's value; false if it is missing or empty. */
static bool fill_in(struct lb_str name, llmgr_env_fn env, void *context, struct lb_buf *out)
{
    char key[LC_PLACEHOLDER_NAME_MAX + 1];

    memcpy(key, name.p, name.size);
    key[name.size] = '\0';
    const char *value = env != NULL ? env(key, context) : NULL;
    if (value == NULL || value[0] == '\0')
        return false;
    lb_buf_add_c(out, value);
    return true;
}

llmgr_status lc_substitute(struct lb_str text, llmgr_env_fn env, void *context, struct lb_buf *out,
                           bool *present, struct lb_buf *wanted, struct llmgr_error *err)
{
    size_t out_start = out->size;
    size_t wanted_start = wanted != NULL ? wanted->size : 0;
    bool all = true;

    while (text.size != 0) {
        size_t size = placeholder_size(text);
        if (size != 0) {
            struct lb_str name = lb_str_sub(text, 1, size - 1);
            list_name(wanted, wanted_start, name);
            if (!fill_in(name, env, context, out))
                all = false;
        } else {
            /* Up to the next brace, which may be an ordinary one. */
            size = 1 + lb_str_find(lb_str_sub(text, 1, text.size), '{');
            lb_buf_add_str(out, lb_str_sub(text, 0, size));
        }
        text = lb_str_sub(text, size, text.size);
    }
    llmgr_status failed = out->failed;
    if (failed == LLMGR_OK && wanted != NULL)
        failed = wanted->failed;
    bool found = all && out->size != out_start;
    if (failed != LLMGR_OK || !found)
        lb_buf_cut(out, out_start);
    if (failed != LLMGR_OK)
        return lb_fail(err, failed, N_("a value with its variables filled in is too long"));
    *present = found;
    return LLMGR_OK;
}
