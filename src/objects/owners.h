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

struct lf_place;
struct lm_manager;
struct lr_target;

enum { LF_OBJECT_ID_MAX = 512 }; /* bytes */

struct lf_object {
    struct lb_str id;
    struct lb_str kind; /* "file", for people; NUL-terminated */
    bool exact;         /* asked for: one of another kind does not count */
};

/* Who asks for objects, and with which key. Texts are borrowed. */
struct lf_asking {
    struct lb_str user;
    int64_t platform_id;
    uint64_t key_id; /* of struct lr_target */
    uint64_t account_id;
};

struct lf_asking lf_asking_of(const struct lr_target *target);

/*
 * Does the user own all of these at the platform? *missing is the index of the first that is not
 * theirs or unknown, or `count`; *elsewhere: it is theirs, and another account keeps it.
 */
LLMGR_MUST_CHECK llmgr_status lf_objects_owned(struct lm_manager *manager,
                                               const struct lf_asking *asking,
                                               const struct lf_object *objects, size_t count,
                                               size_t *missing, bool *elsewhere,
                                               struct llmgr_error *err);
/* Where does the user own an object of this id? The newest; platform 0: nowhere. */
LLMGR_MUST_CHECK llmgr_status lf_object_place(struct lm_manager *manager, struct lb_str user,
                                              struct lb_str id, struct lf_place *place,
                                              struct llmgr_error *err);
/*
 * All of these are the target's user's from now on, kept by its account, or none. Those that are
 * already stay; one that is somebody else's is ERR_CONFLICT.
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
