/* SPDX-License-Identifier: MIT */
/* Token counts out of an answer: what was not reported is -1, never 0. */
#ifndef LD_USAGE_H
#define LD_USAGE_H

#include "dialect/json.h"

/* All counts unknown. */
void ld_usage_init(struct llmgr_usage *usage);
/*
 * Takes over what a chat "usage" object reports (OpenAI, DeepSeek's prompt_cache_hit_tokens);
 * later reports replace earlier ones. False if `object` reports nothing.
 */
bool ld_usage_read(struct llmgr_usage *usage, const json_t *object);

#endif
