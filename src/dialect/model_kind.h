/* SPDX-License-Identifier: MIT */
/*
 * What a platform's list says a model is for. Each platform has its own member and its own words;
 * what none of them says stays LLMGR_MODEL_UNKNOWN. Never told from the name.
 */
#ifndef LD_MODEL_KIND_H
#define LD_MODEL_KIND_H

#include <jansson.h>

#include "llmgr.h"

/* `entry`: of a list, an object or a name alone. */
llmgr_model_kind ld_model_kind(const json_t *entry);

#endif
