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
