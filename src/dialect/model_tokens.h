/* SPDX-License-Identifier: MIT */
/*
 * What a platform's list says a model takes and gives, in tokens. Each platform has its own
 * members; what none of them says is 0: not known. Never told from the name.
 */
#ifndef LD_MODEL_TOKENS_H
#define LD_MODEL_TOKENS_H

#include <jansson.h>
#include <stdint.h>

/* Those that fit into it, and those of one answer. `entry`: of a list, an object or a name alone.
 */
int64_t ld_model_context(const json_t *entry);
int64_t ld_model_max_output(const json_t *entry);

#endif
