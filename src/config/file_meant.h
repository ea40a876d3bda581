/* SPDX-License-Identifier: MIT */
/*
 * Values of llmgr.yaml that are surely meant otherwise (meant.h), refused with the right form:
 * LLMGR_ERR_CONFIG with file, line and column, and never a value. Private to config/file.c.
 */
#ifndef LC_FILE_MEANT_H
#define LC_FILE_MEANT_H

#include "config/options.h"
#include "config/yaml.h"

/* Where {NAME} is filled in: no other form of a variable, and none without its quotes. */
LLMGR_MUST_CHECK llmgr_status lc_judge_filled(const char *file, const struct lc_node *node,
                                              struct llmgr_error *err);
/* Where nothing is filled in: no variable at all. */
LLMGR_MUST_CHECK llmgr_status lc_judge_plain(const char *file, const struct lc_node *node,
                                             struct llmgr_error *err);
/* An option's value, or one item of it; what a command's arguments hold is its own. */
LLMGR_MUST_CHECK llmgr_status lc_judge_setting(const char *file, const struct lc_option_row *row,
                                               const struct lc_node *node, struct llmgr_error *err);
/* As it stands: what a variable brings in is judged when it is filled in. */
LLMGR_MUST_CHECK llmgr_status lc_judge_base_url(const char *file, const struct lc_node *node,
                                                struct llmgr_error *err);

#endif
