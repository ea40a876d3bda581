/* SPDX-License-Identifier: MIT */
/*
 * Stand-ins for neighbours whose files have not landed yet; weak, so that the real ones win.
 */
#include "manager/ledger.h"

#define WEAK __attribute__((weak))

WEAK void lm_usage_init(struct lm_usage *usage)
{
    *usage = (struct lm_usage){.prompt_tokens = LM_UNKNOWN,
                               .completion_tokens = LM_UNKNOWN,
                               .cached_tokens = LM_UNKNOWN,
                               .reasoning_tokens = LM_UNKNOWN,
                               .latency_ms = LM_UNKNOWN,
                               .first_byte_ms = LM_UNKNOWN};
}

WEAK llmgr_status lm_ledger_place(struct lm_manager *manager, const char *state_home, char **dir,
                                  struct llmgr_error *err)
{
    (void)manager, (void)state_home, (void)err;
    *dir = NULL;
    return LLMGR_OK;
}

WEAK llmgr_status lm_ledger_open(struct lm_manager *manager,
                                 const struct lm_ledger_options *options, struct lm_ledger **ledger,
                                 struct llmgr_error *err)
{
    (void)manager, (void)options, (void)err;
    *ledger = NULL;
    return LLMGR_OK;
}

WEAK llmgr_status lm_ledger_close(struct lm_ledger *ledger, int64_t wait_ms,
                                  struct llmgr_error *err)
{
    (void)ledger, (void)wait_ms, (void)err;
    return LLMGR_OK;
}

WEAK llmgr_status lm_journal_open(struct lm_ledger *ledger, struct lm_journal **journal,
                                  struct llmgr_error *err)
{
    (void)ledger, (void)err;
    *journal = NULL;
    return LLMGR_OK;
}

WEAK void lm_journal_close(struct lm_journal *journal)
{
    (void)journal;
}

WEAK bool lm_journal_admit(struct lm_journal *journal)
{
    (void)journal;
    return true;
}

WEAK void lm_journal_release(struct lm_journal *journal)
{
    (void)journal;
}

WEAK llmgr_status lm_journal_append(struct lm_journal *journal, const struct lm_usage *usage,
                                    struct llmgr_error *err)
{
    (void)journal, (void)usage, (void)err;
    return LLMGR_OK;
}
