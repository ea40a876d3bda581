/* SPDX-License-Identifier: MIT */
/*
 * The library's structures as the JSON of schemas.def, in the seed's field names. NULL when memory
 * is short. No function here is given a key.
 */
#ifndef LX_WRITE_H
#define LX_WRITE_H

#include <jansson.h>
#include <stdbool.h>

#include "llmgr.h"

/* Appends a row; false (and the row is gone) when memory is short. */
bool lx_append(json_t *list, json_t *row);

json_t *lx_json_platform(const struct llmgr_platform *platform);
json_t *lx_json_model(const struct llmgr_model *model);
json_t *lx_json_selection(const struct llmgr_selection *selection);
json_t *lx_json_explanation(const struct llmgr_explanation *explanation);
json_t *lx_json_probe(const struct llmgr_probe *probe);
json_t *lx_json_token(const struct llmgr_token *token);
json_t *lx_json_sum(const struct llmgr_usage_sum *sum);
json_t *lx_json_sync(const struct llmgr_sync_report *report, bool dry_run);
json_t *lx_json_db(const struct llmgr_db_report *report);
json_t *lx_json_keys(const struct llmgr_key_report *report);

#endif
