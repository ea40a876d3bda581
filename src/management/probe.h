/* SPDX-License-Identifier: MIT */
/* What a probe's caller may learn of an address. */
#ifndef LP_PROBE_H
#define LP_PROBE_H

#include "management/operation.h"

/*
 * Answers with what a probe found, and ends it; or passes its failure on. Who is no administrator
 * is told of an address that cannot be had in one text, whatever stands behind it, and nothing of
 * what the address itself said.
 */
LLMGR_MUST_CHECK llmgr_status lp_api_probed(struct lp_api *api, llmgr_status status,
                                            struct llmgr_probe *probe, struct llmgr_error *err);

/*
 * A failure at an address as it is told to who is no administrator: one text for all that cannot be
 * had, and nothing of what the address said. Returns the status that is left.
 */
llmgr_status lp_probe_plain(llmgr_status status, struct llmgr_error *err);

#endif
