/* SPDX-License-Identifier: MIT */
/* Tokens issued and changed for a caller who is bound by limits of its own. */
#ifndef LA_TOKENS_H
#define LA_TOKENS_H

#include "accounts/tokens.h"
#include "library/library.h"

/* As llmgr_token_create; `text` has LLMGR_TOKEN_ROOM bytes. ERR_FORBIDDEN: see lw_token_create. */
LLMGR_MUST_CHECK llmgr_status la_token_create(struct llmgr *manager,
                                              const struct lw_token_spec *spec, char *text,
                                              struct llmgr_token *token, struct llmgr_error *err);
/* As llmgr_token_update; an empty user: everybody's. */
LLMGR_MUST_CHECK llmgr_status la_token_change(struct llmgr *manager, struct lb_str user,
                                              int64_t token_id, const struct lw_token_spec *spec,
                                              struct llmgr_token *token, struct llmgr_error *err);
/* As llmgr_token_revoke; an empty user: everybody's. ERR_FORBIDDEN: see lw_token_revoke. */
LLMGR_MUST_CHECK llmgr_status la_token_revoke(struct llmgr *manager, struct lb_str user,
                                              int64_t token_id, const struct lw_limits *bound,
                                              struct llmgr_error *err);

#endif
