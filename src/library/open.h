/* SPDX-License-Identifier: MIT */
/*
 * A manager that can be asked: the rows (manager/manager.h) with the views of the resolver on top.
 */
#ifndef LA_OPEN_H
#define LA_OPEN_H

#include "base/host.h"
#include "llmgr.h"

struct lm_manager;
struct lm_options;
struct ls_store;
struct lv_vault;

/* Takes over `store` and `vault`, as lm_open does; closed by la_manager_close alone. */
LLMGR_MUST_CHECK llmgr_status la_manager_open(const struct lb_host *host,
                                              const struct lm_options *options,
                                              struct ls_store *store, struct lv_vault *vault,
                                              struct lm_manager **manager, struct llmgr_error *err);
void la_manager_close(struct lm_manager *manager); /* NULL is fine */

#endif
