/* SPDX-License-Identifier: MIT */
/* The answer of GET /models: the list of what a platform offers, in OpenAI's shape or another. */
#ifndef LD_MODELS_H
#define LD_MODELS_H

#include "base/host.h"
#include "base/str.h"
#include "llmgr.h"

enum {
    LD_MODELS_BODY_MAX = 16 * 1024 * 1024, /* bytes of a list */
    LD_MODELS_MAX = 100000,                /* entries of a list */
};

/*
 * Reads the list; entries that name no model are skipped. End it with ld_probe_clear.
 * ERR_NO_LIST: no JSON, or no list of models in it (models.c). ERR_PROTOCOL: over a limit.
 */
LLMGR_MUST_CHECK llmgr_status ld_models_read(const struct lb_host *host, struct lb_str body,
                                             struct llmgr_probe *probe, struct llmgr_error *err);
void ld_probe_clear(struct llmgr_probe *probe); /* an empty one is fine */

#endif
