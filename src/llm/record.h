/* SPDX-License-Identifier: MIT */
/*
 * The attempts of one call: counted, and if the host wants it a row of the ledger each, which
 * belong together by the call's id.
 */
#ifndef LI_RECORD_H
#define LI_RECORD_H

#include "base/host.h"
#include "base/str.h"
#include "llmgr.h"

struct li_attempt;
struct lm_manager;
struct lr_target;

enum { LI_CALL_ID_SIZE = 32 };

struct li_record {
    bool is_kept;             /* in the ledger */
    struct lb_str slot;       /* the one that was asked for; empty: a model was named */
    unsigned attempts;        /* so far */
    char id[LI_CALL_ID_SIZE]; /* "lib-", the time and a random number; empty unless kept */
};

/* Begins a call. `slot` is borrowed. */
void li_record_begin(struct li_record *record, const struct lb_host *host, bool is_kept,
                     struct lb_str slot);
/*
 * Counts an attempt at `target` if there was an exchange, and enters it. That the ledger could not
 * be written is logged: the caller has his answer all the same.
 */
void li_record_attempt(struct li_record *record, struct lm_manager *manager,
                       const struct lr_target *target, const struct li_attempt *attempt,
                       llmgr_status status);

#endif
