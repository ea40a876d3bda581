/* SPDX-License-Identifier: MIT */
/* Writing a first choice in place of a stored one whose target is gone. */
#ifndef LM_REPAIR_H
#define LM_REPAIR_H

#include "manager/choose.h"

enum lm_repair {
    LM_REPAIR_DONE,  /* written, by us and nobody else: read the rows again */
    LM_REPAIR_STALE, /* the rows or the catalogue have moved on: read both again */
    LM_REPAIR_STUCK  /* nothing to put in its place, or it cannot be written: live with it */
};

/* Replaces `gone`, a choice of scene->profile. Never fails: what cannot be written is logged. */
enum lm_repair lm_repair(struct lm_manager *manager, const struct lm_scene *scene,
                         const struct lm_selection *gone);

#endif
