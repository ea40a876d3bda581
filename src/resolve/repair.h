/* SPDX-License-Identifier: MIT */
/* Writing a first choice in place of a stored one whose target is gone. */
#ifndef LR_REPAIR_H
#define LR_REPAIR_H

#include "resolve/choose.h"

enum lr_repair {
    LR_REPAIR_DONE,  /* written, by us and nobody else: read the rows again */
    LR_REPAIR_STALE, /* the rows or the catalogue have moved on: read both again */
    LR_REPAIR_STUCK  /* nothing to put in its place, or it cannot be written: live with it */
};

/* Replaces `gone`, a choice of scene->profile. Never fails: what cannot be written is logged. */
enum lr_repair lr_repair(struct lm_manager *manager, const struct lr_scene *scene,
                         const struct lr_selection *gone);

#endif
