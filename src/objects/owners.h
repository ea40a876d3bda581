/* SPDX-License-Identifier: MIT */
/*
 * Whose is what is kept at a platform: files, batches, vector stores and the like that users made
 * with the server's key. The platform sees one account; only this table tells one user's from
 * another's. An object that is not in it belongs to whoever holds the key, and to no user.
 *
 * Blocking, any thread. An id is what the platform calls it: text, compared byte by byte.
 */
#ifndef LF_OWNERS_H
#define LF_OWNERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "llmgr.h"

struct lm_manager;
struct lr_target;

enum { LF_OBJECT_ID_MAX = 512 }; /* bytes */

struct lf_object {
    struct lb_str id;
    struct lb_str kind; /* "file", for people; NUL-terminated */
    bool exact;         /* asked for: one of another kind does not count */
};

/*
 * Does `user` own all of these at the platform? *missing is the index of the first that is not
 * theirs or unknown, or `count`.
 */
LLMGR_MUST_CHECK llmgr_status lf_objects_owned(struct lm_manager *manager, int64_t platform_id,
                                               struct lb_str user, const struct lf_object *objects,
                                               size_t count, size_t *missing,
                                               struct llmgr_error *err);
/* At which platform does the user own an object of this id? The newest; 0: at none. */
LLMGR_MUST_CHECK llmgr_status lf_object_platform(struct lm_manager *manager, struct lb_str user,
                                                 struct lb_str id, int64_t *platform_id,
                                                 struct llmgr_error *err);
/*
 * All of these are the target's user's from now on, or none. Those that are already stay; one that
 * is somebody else's is ERR_CONFLICT.
 */
LLMGR_MUST_CHECK llmgr_status lf_objects_add(struct lm_manager *manager,
                                             const struct lr_target *target,
                                             const struct lf_object *objects, size_t count,
                                             struct llmgr_error *err);
/* The platform has deleted it. */
LLMGR_MUST_CHECK llmgr_status lf_object_forget(struct lm_manager *manager, int64_t platform_id,
                                               struct lb_str user, struct lb_str id,
                                               struct llmgr_error *err);

#endif
