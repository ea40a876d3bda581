/* SPDX-License-Identifier: MIT */
/*
 * Results that own their memory. Each public structure that a call fills carries one opaque
 * pointer; clearing it frees every string at once and zeroes the structure, so that clearing twice
 * is harmless.
 */
#include "library/library.h"

#include <string.h>

#include "dialect/chat.h"
#include "dialect/models.h"

struct la_result *la_result_new(const struct lb_host *host)
{
    struct la_result *result = lb_alloc(host, sizeof *result);

    if (result == NULL)
        return NULL;
    result->host = *host;
    lb_arena_init(&result->arena, &result->host, NULL, 0, LA_RESULT_MAX);
    return result;
}

void la_result_free(void *memory)
{
    struct la_result *result = memory;

    if (result == NULL)
        return;
    struct lb_host host = result->host;
    lb_arena_free(&result->arena);
    lb_free(&host, result);
}

/* Every result's clear function is the same. */
#define DEFINE_CLEAR(function, type)                                                               \
    void function(struct type *result)                                                             \
    {                                                                                              \
        if (result == NULL)                                                                        \
            return;                                                                                \
        la_result_free(result->memory);                                                            \
        memset(result, 0, sizeof *result);                                                         \
    }

DEFINE_CLEAR(llmgr_sync_report_clear, llmgr_sync_report)
DEFINE_CLEAR(llmgr_price_list_clear, llmgr_price_list)
DEFINE_CLEAR(llmgr_price_import_report_clear, llmgr_price_import_report)
DEFINE_CLEAR(llmgr_platform_clear, llmgr_platform)
DEFINE_CLEAR(llmgr_platform_list_clear, llmgr_platform_list)
DEFINE_CLEAR(llmgr_platform_key_list_clear, llmgr_platform_key_list)
DEFINE_CLEAR(llmgr_key_test_list_clear, llmgr_key_test_list)
DEFINE_CLEAR(llmgr_model_clear, llmgr_model)
DEFINE_CLEAR(llmgr_model_list_clear, llmgr_model_list)
DEFINE_CLEAR(llmgr_selection_clear, llmgr_selection)
DEFINE_CLEAR(llmgr_alias_list_clear, llmgr_alias_list)
DEFINE_CLEAR(llmgr_route_clear, llmgr_route)
DEFINE_CLEAR(llmgr_route_list_clear, llmgr_route_list)
DEFINE_CLEAR(llmgr_explanation_clear, llmgr_explanation)
DEFINE_CLEAR(llmgr_cell_list_clear, llmgr_cell_list)
DEFINE_CLEAR(llmgr_db_report_clear, llmgr_db_report)
DEFINE_CLEAR(llmgr_key_report_clear, llmgr_key_report)
DEFINE_CLEAR(llmgr_token_clear, llmgr_token)
DEFINE_CLEAR(llmgr_token_list_clear, llmgr_token_list)
DEFINE_CLEAR(llmgr_usage_list_clear, llmgr_usage_list)
DEFINE_CLEAR(llmgr_usage_attempts_clear, llmgr_usage_attempts)

/* These two are made below, by the dialect. */
void llmgr_answer_clear(struct llmgr_answer *answer)
{
    if (answer != NULL)
        ld_answer_clear(answer);
}

void llmgr_probe_clear(struct llmgr_probe *probe)
{
    if (probe != NULL)
        ld_probe_clear(probe);
}
