/* SPDX-License-Identifier: MIT */
/* Kinds of models by their names: the public functions of llmgr.h, and one for slices. */
#ifndef LC_MODEL_KIND_H
#define LC_MODEL_KIND_H

#include "base/str.h"
#include "llmgr.h"

/* As llmgr_model_kind_parse. */
bool lc_model_kind_parse(struct lb_str name, llmgr_model_kind *kind);

#endif
