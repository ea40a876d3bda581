/* SPDX-License-Identifier: MIT */
/*
 * A scene read from the database for one question: explain, the lists, and every resolve that
 * finds nothing in memory.
 */
#ifndef LR_SCENE_H
#define LR_SCENE_H

#include "base/arena.h"
#include "manager/handle.h"
#include "resolve/choose.h"
#include "store/store.h"

/*
 * Reads the user's rows into `arena` and holds the catalogue. `user` is effective, and borrowed as
 * long as the scene is open.
 */
LLMGR_MUST_CHECK llmgr_status lr_scene_open(struct lm_manager *manager, struct lb_str user,
                                            struct lb_arena *arena, struct lr_scene *scene,
                                            struct llmgr_error *err);
/*
 * The same, and replaces stored choices whose target is gone: those that `request` depends on, or
 * all of them if it is NULL. A choice that was replaced is marked `repaired`, one that could not
 * be is marked `stuck`.
 */
LLMGR_MUST_CHECK llmgr_status lr_scene_open_repaired(struct lm_manager *manager, struct lb_str user,
                                                     const struct lr_request *request,
                                                     struct lb_arena *arena, struct lr_scene *scene,
                                                     struct llmgr_error *err);
void lr_scene_close(struct lr_scene *scene);

/* A scene and the memory it stands in, for as long as one question takes. */
struct lr_question {
    struct lr_scene scene;
    struct lb_arena scratch;
    char first[LM_SCRATCH_SIZE];
};

/*
 * How explain, the lists and what asks for one platform begin: the manager made fresh, a scene
 * opened for the effective user. After LLMGR_OK lr_question_end is due; nothing is held otherwise.
 */
LLMGR_MUST_CHECK llmgr_status lr_question_begin(struct lm_manager *manager, struct lb_str user,
                                                struct lr_question *question,
                                                struct llmgr_error *err);
/* The same by lr_scene_open_repaired, where the manager is fresh already. */
LLMGR_MUST_CHECK llmgr_status lr_question_begin_repaired(struct lm_manager *manager,
                                                         struct lb_str user,
                                                         const struct lr_request *request,
                                                         struct lr_question *question,
                                                         struct llmgr_error *err);
void lr_question_end(struct lr_question *question);

/* What a user hides, by number (list.c). */
struct lr_hidden {
    int64_t *ids; /* ascending */
    size_t count;
    size_t capacity;
    struct lb_arena *arena;
};

/* Reads it by `statement` (user -> ids, ascending) into the question's memory. */
LLMGR_MUST_CHECK llmgr_status lr_hidden_read(struct lm_manager *manager,
                                             struct lr_question *question,
                                             enum ls_statement statement, struct lr_hidden *hidden,
                                             struct llmgr_error *err);
bool lr_is_hidden(const struct lr_hidden *hidden, int64_t id);

/* ---- The answer (target.c) ------------------------------------------------------------------- */

/* ERR_INVALID for a slot or model that cannot be a name. */
LLMGR_MUST_CHECK llmgr_status lr_request_check(const struct lr_request *request,
                                               struct llmgr_error *err);
/*
 * Copies the choice into `arena`; the status and text of ERR_NOT_FOUND and ERR_NO_KEY are those
 * of lr_resolve. Tells a repair, which is then told.
 */
LLMGR_MUST_CHECK llmgr_status lr_choice_answer(const struct lr_scene *scene,
                                               const struct lr_request *request,
                                               const struct lr_choice *choice,
                                               struct lb_arena *arena, struct lr_target *target,
                                               struct llmgr_error *err);
/* What lr_choice_answer returns, without copying: OK, ERR_NOT_FOUND or ERR_NO_KEY. */
llmgr_status lr_choice_status(const struct lr_scene *scene, const struct lr_request *request,
                              const struct lr_choice *choice, struct llmgr_error *err);

/*
 * "key:1a2b3c4d" of the key at place `at` of those chosen on a platform, in `arena`; *text is NULL
 * if there is none or it does not open any more.
 */
LLMGR_MUST_CHECK llmgr_status lr_choice_fingerprint(struct lm_manager *manager,
                                                    const struct lr_scene *scene,
                                                    const struct lm_platform *platform,
                                                    const struct lr_key_choice *key, uint32_t at,
                                                    struct lb_arena *arena, const char **text,
                                                    struct llmgr_error *err);

/* Names of the fields that a platform's row has usable values for, "x-org, x-title". */
struct lb_str lr_platform_fixed(const struct lm_platform *platform);
/* Of those that are left out: "x-org {ORG}", or names alone if their record does not open. */
struct lb_str lr_platform_missing(const struct lm_platform *platform);

/* A borrowed text as a C string in `arena`, "" if it is empty; NULL when memory is short. */
const char *lr_keep_text(struct lb_arena *arena, struct lb_str text);

#endif
