/* SPDX-License-Identifier: MIT */
/* Token counts out of an answer: what was not reported is -1, never 0. */
#ifndef LD_USAGE_H
#define LD_USAGE_H

#include "json/write.h"

/* All counts unknown. */
void ld_usage_init(struct llmgr_usage *usage);
/*
 * Takes over what a chat answer, or an event of one, reports in "usage" (OpenAI, DeepSeek's
 * prompt_cache_hit_tokens), and its tier; later reports replace earlier ones, and what a total has
 * beyond its parts is added to one of them. `text` is an object's. False if no usage is in it, or
 * one that reports no count of tokens.
 */
bool ld_usage_read_answer(struct llmgr_usage *usage, struct lb_str text);
/* An answer's "service_tier", between its quotes; what is no name of a tier changes nothing. */
void ld_tier_take(char to[LLMGR_SERVICE_TIER_SIZE], struct lb_str tier);

/* Whose names and sums a usage object follows. */
enum ld_usage_rule {
    LD_USAGE_NONE, /* its answers hold no usage */
    LD_USAGE_CHAT,
    LD_USAGE_EMBEDDINGS, /* as CHAT; there is no completion: 0 tokens, known */
    LD_USAGE_RESPONSES,  /* input_tokens, output_tokens; input includes what was cached */
    LD_USAGE_MESSAGES,   /* input_tokens excludes cache reads and cache creation: summed */
    LD_USAGE_ANY         /* by the names it holds */
};

/* What an Anthropic stream reports piecemeal (message_start, then message_delta). */
struct ld_usage_parts {
    int64_t input; /* without what was cached or is; -1: not yet */
};

void ld_usage_parts_init(struct ld_usage_parts *parts);
/* The same of a usage object alone, by rule; *parts keeps what MESSAGES has to sum up. */
bool ld_usage_read_text(struct llmgr_usage *usage, enum ld_usage_rule rule,
                        struct ld_usage_parts *parts, struct lb_str text);
/* A rough count for an answer that reported none, from its output text: 4 bytes a token. */
int64_t ld_usage_estimate(uint64_t output_size);
/*
 * Is the completion that was reported none of this output's? Some platforms put a 0 or a 1 there
 * when an answer begins. `counted_size`: output text that had come when it was reported last. Then
 * the estimate is the better word.
 */
bool ld_usage_outgrown(const struct llmgr_usage *usage, uint64_t output_size,
                       uint64_t counted_size);

#endif
