/* SPDX-License-Identifier: MIT */
/*
 * "usage" objects are read leniently (a missing detail leaves the count unknown) and counts
 * strictly: a negative or fractional number, a string or a bool is no count.
 */
#include "dialect/usage.h"

void ld_usage_init(struct llmgr_usage *usage)
{
    *usage = (struct llmgr_usage){-1, -1, -1, -1, -1};
}

/* Replaces *count if the member is a count. */
static bool take(int64_t *count, const json_t *object, const char *name)
{
    int64_t value = ld_json_int(object, name, -1);

    if (value < 0)
        return false;
    *count = value;
    return true;
}

bool ld_usage_read(struct llmgr_usage *usage, const json_t *object)
{
    if (!json_is_object(object))
        return false;
    const json_t *prompt = json_object_get(object, "prompt_tokens_details");
    const json_t *completion = json_object_get(object, "completion_tokens_details");
    bool any = take(&usage->prompt_tokens, object, "prompt_tokens");
    any |= take(&usage->completion_tokens, object, "completion_tokens");
    any |= take(&usage->total_tokens, object, "total_tokens");
    if (take(&usage->cached_tokens, prompt, "cached_tokens"))
        any = true;
    else
        any |= take(&usage->cached_tokens, object, "prompt_cache_hit_tokens");
    any |= take(&usage->reasoning_tokens, completion, "reasoning_tokens");
    return any;
}

/* ---- By rule --------------------------------------------------------------------------------- */

void ld_usage_parts_init(struct ld_usage_parts *parts)
{
    *parts = (struct ld_usage_parts){-1, -1, -1, -1};
}

static bool read_responses(struct llmgr_usage *usage, const json_t *object)
{
    const json_t *input = json_object_get(object, "input_tokens_details");
    const json_t *output = json_object_get(object, "output_tokens_details");

    bool any = take(&usage->prompt_tokens, object, "input_tokens");
    any |= take(&usage->completion_tokens, object, "output_tokens");
    any |= take(&usage->total_tokens, object, "total_tokens");
    any |= take(&usage->cached_tokens, input, "cached_tokens");
    any |= take(&usage->reasoning_tokens, output, "reasoning_tokens");
    return any;
}

/* Counts of a stream are cumulative: a later, smaller one (some relays send 0) says nothing. */
static bool take_larger(int64_t *count, const json_t *object, const char *name)
{
    int64_t value = -1;
    bool there = take(&value, object, name);

    if (value > *count)
        *count = value;
    return there;
}

/* Far above any count, and low enough that four of them can be summed. */
static int64_t or_zero(int64_t count)
{
    const int64_t most = INT64_MAX / 8;

    if (count < 0)
        return 0;
    return count < most ? count : most;
}

static bool read_messages(struct llmgr_usage *usage, struct ld_usage_parts *parts,
                          const json_t *object)
{
    bool any = take_larger(&parts->input, object, "input_tokens");
    any |= take_larger(&parts->cache_creation, object, "cache_creation_input_tokens");
    any |= take_larger(&parts->cache_read, object, "cache_read_input_tokens");
    any |= take_larger(&parts->output, object, "output_tokens");
    if (parts->input >= 0)
        usage->prompt_tokens =
            or_zero(parts->input) + or_zero(parts->cache_creation) + or_zero(parts->cache_read);
    usage->cached_tokens = parts->cache_read;
    usage->completion_tokens = parts->output;
    if (parts->input >= 0 && parts->output >= 0)
        usage->total_tokens = usage->prompt_tokens + or_zero(parts->output);
    return any;
}

/* Some platforms report only the total of an embedding. */
static void complete_embedding(struct llmgr_usage *usage)
{
    if (usage->prompt_tokens < 0)
        usage->prompt_tokens = usage->total_tokens;
    if (usage->completion_tokens < 0)
        usage->completion_tokens = 0;
}

static bool read_any(struct llmgr_usage *usage, struct ld_usage_parts *parts, const json_t *object)
{
    if (json_object_get(object, "prompt_tokens") != NULL ||
        json_object_get(object, "completion_tokens") != NULL)
        return ld_usage_read(usage, object);
    if (json_object_get(object, "cache_read_input_tokens") != NULL ||
        json_object_get(object, "cache_creation_input_tokens") != NULL)
        return read_messages(usage, parts, object);
    return read_responses(usage, object);
}

bool ld_usage_read_text(struct llmgr_usage *usage, enum ld_usage_rule rule,
                        struct ld_usage_parts *parts, struct lb_str text)
{
    bool any = false;

    if (rule == LD_USAGE_NONE)
        return false;
    json_t *object = ld_json_read(text, NULL);
    if (!json_is_object(object)) {
        json_decref(object);
        return false;
    }
    switch (rule) {
    case LD_USAGE_RESPONSES:
        any = read_responses(usage, object);
        break;
    case LD_USAGE_MESSAGES:
        any = read_messages(usage, parts, object);
        break;
    case LD_USAGE_EMBEDDINGS:
        any = ld_usage_read(usage, object);
        if (any)
            complete_embedding(usage);
        break;
    case LD_USAGE_CHAT:
        any = ld_usage_read(usage, object) || read_any(usage, parts, object);
        break;
    default:
        any = read_any(usage, parts, object);
    }
    json_decref(object);
    return any;
}

int64_t ld_usage_estimate(uint64_t output_size)
{
    uint64_t tokens = output_size / 4 + (output_size % 4 != 0);

    return tokens < INT64_MAX ? (int64_t)tokens : INT64_MAX;
}
