/* SPDX-License-Identifier: MIT */
/*
 * POST /api/platforms/{id}/test: is the platform there, and are the keys any good? What it answers
 * lets a key that was refused loose at once; what it says in words is for administrators.
 */
#include <string.h>

#include "documents/write.h"
#include "library/library.h"
#include "llm/test.h"
#include "management/operation.h"
#include "management/operations.h"
#include "management/probe.h"
#include "resolve/resolve.h"
#include "routing/hash.h"
#include "routing/health.h"
#include "routing/target.h"

static void tested(void *context, const struct lr_target *target, const struct li_test *test)
{
    struct lo_health *health = context;
    const struct lo_candidate candidate = lo_candidate_of(target, lo_hash(target->user));

    if (test->verdict.reason == LO_REASON_ANSWERED)
        lo_health_answered(health, &candidate, lb_monotonic_ms());
}

/* The same without what only an administrator should know. */
static llmgr_status make_plain(struct lp_api *api, struct llmgr_key_test *test,
                               struct llmgr_error *err)
{
    struct llmgr_error why = {0};

    if (test->status == LLMGR_OK)
        return LLMGR_OK;
    (void)lb_fail(&why, test->status, "%s", test->message);
    test->status = lp_probe_plain(test->status, &why);
    if (test->status == LLMGR_ERR_UNREACHABLE)
        test->reason = lo_reason_name(LO_REASON_UNREACHABLE);
    test->message = lb_arena_strdup(api->call->arena, why.message);
    return test->message != NULL ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status answer(struct lp_api *api, const struct llmgr_key_test_list *list,
                           struct llmgr_error *err)
{
    for (size_t i = 0; i < list->count && !api->is_admin; i++) {
        llmgr_status status = make_plain(api, &list->items[i], err);
        if (status != LLMGR_OK)
            return status;
    }
    return lp_api_answer(api, lx_json_platform_test(list), err);
}

static llmgr_status test(struct lp_api *api, struct llmgr_error *err)
{
    const struct la_test_options options = {.show_body = api->is_admin,
                                            .server_keys = api->is_admin,
                                            .tested = tested,
                                            .context = api->call->health};
    struct llmgr_key_test_list list;
    int64_t id;

    llmgr_status status = lp_api_id(api, 0, &id, err);
    if (status == LLMGR_OK)
        status = la_platform_test(api->manager, api->user, id, &options, &list, err);
    if (status != LLMGR_OK)
        return status;
    status = answer(api, &list, err);
    llmgr_key_test_list_clear(&list);
    return status;
}

LP_API_HANDLER(platforms_test, test)
