/* SPDX-License-Identifier: MIT */
/*
 * The data keys: loaded from and stored in llm_data_keys, rotated and rewrapped. Also the one
 * place that knows how each sealed column is bound, so that seal, open, rotate and check agree.
 */
#ifndef LM_RING_H
#define LM_RING_H

#include "manager/manager.h"

struct lv_secret;
struct lb_buf;

enum lm_key_column {
    LM_KEY_OF_PLATFORM, /* llm_platforms.api_key: server key, or a private platform's own key */
    LM_KEY_OF_USER      /* llm_sys_platform_keys.api_key: a user's key on a system platform */
};

/* `owner` is the row's user id, `origin` the platform's. */
LLMGR_MUST_CHECK llmgr_status lm_key_seal(const struct lm_manager *manager,
                                          enum lm_key_column column, struct lb_str owner,
                                          int64_t platform_id, struct lb_str origin,
                                          struct lb_str key, struct lb_buf *record,
                                          struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_key_open(const struct lm_manager *manager,
                                          enum lm_key_column column, struct lb_str owner,
                                          int64_t platform_id, struct lb_str origin,
                                          struct lb_str record, struct lv_secret *key,
                                          struct llmgr_error *err);

/* Called by lm_open: loads the ring, or makes the first keys in a new database. */
LLMGR_MUST_CHECK llmgr_status lm_ring_open(struct lm_manager *manager, struct llmgr_error *err);
/* Seals the clear keys a legacy migration set aside; runs inside its transaction. */
LLMGR_MUST_CHECK llmgr_status lm_ring_seal_legacy(struct lm_manager *manager, struct ls_tx *tx,
                                                  struct llmgr_error *err);

LLMGR_MUST_CHECK llmgr_status lm_ring_status(struct lm_manager *manager, struct lb_arena *arena,
                                             struct llmgr_key_report *report,
                                             struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status lm_ring_rotate(struct lm_manager *manager, bool dry_run,
                                             struct lb_arena *arena,
                                             struct llmgr_key_report *report,
                                             struct llmgr_error *err);
/* `kek`: 32 bytes of the new master key. */
LLMGR_MUST_CHECK llmgr_status lm_ring_rewrap(struct lm_manager *manager, const void *kek,
                                             struct llmgr_error *err);
/* Opens every sealed key; counts those that do not open for their row and address. */
LLMGR_MUST_CHECK llmgr_status lm_ring_check(struct lm_manager *manager, int64_t *unreadable,
                                            struct llmgr_error *err);

#endif
