/* SPDX-License-Identifier: MIT */
/*
 * OpenAI's usage chunk has no choices. LiteLLM's has one, with an empty delta: behind the finish,
 * a chunk with a usage is read as a tree, once or twice in a stream, to see whether there is
 * anything else in it.
 */
#include "dialect/tap_extra.h"

#include "json/write.h"

/* Nothing, or a list or object of nothing. */
static bool is_empty(const json_t *value)
{
    return value == NULL || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

/* But for members of these two names, which say where a text belongs and not what it is. */
static bool holds_nothing(json_t *object)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        if (!is_empty(value) && strcmp(name, "index") != 0 && strcmp(name, "role") != 0)
            return false;
    }
    return true;
}

static bool says_nothing(json_t *choice)
{
    const char *name;
    json_t *value;

    json_object_foreach(choice, name, value)
    {
        bool inner = strcmp(name, "delta") == 0 && json_is_object(value);
        if (inner ? !holds_nothing(value) : strcmp(name, "index") != 0 && !is_empty(value))
            return false;
    }
    return json_is_object(choice);
}

static bool all_say_nothing(struct lb_str data)
{
    json_t *root = lj_json_read(data, NULL);
    const json_t *choices = json_object_get(root, "choices");
    bool nothing = json_is_array(choices);

    for (size_t i = 0; nothing && i < json_array_size(choices); i++)
        nothing = says_nothing(json_array_get(choices, i));
    json_decref(root);
    return nothing;
}

bool ld_tap_is_extra(const struct ld_tap *tap, struct lb_str data, bool finished)
{
    const struct ld_sniff *sniff = &tap->sniff;

    if (!tap->withhold || !sniff->usage_found || sniff->error)
        return false;
    if (!sniff->choices)
        return true;
    return finished && !sniff->finish && sniff->text_size == 0 && all_say_nothing(data);
}
