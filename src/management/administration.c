/* SPDX-License-Identifier: MIT */
/*
 * Who am I, what server is this; and the administrator's housekeeping: synchronisation with the
 * configuration file, the database's health, the key ring.
 */
#include "documents/write.h"
#include "library/library.h"
#include "management/operation.h"
#include "management/operations.h"
#include "manager/manager.h"
#include "resolve/choose.h"

/* ---- For everybody --------------------------------------------------------------------------- */

static llmgr_status me(struct lp_api *api, struct llmgr_error *err)
{
    static const char *const KINDS[] = {
        [LP_CALLER_NONE] = "none", [LP_CALLER_SINGLE] = "none", [LP_CALLER_USER] = "user",
        [LP_CALLER_APP] = "app",   [LP_CALLER_ADMIN] = "admin",
    };
    const struct lp_caller *caller = api->call->caller;
    struct lb_str user = lm_effective_user(api->core, la_user(api->user));
    const struct lx_me answer = {
        .user = user.p,
        .kind = KINDS[caller->kind],
        .token_id = caller->token_id,
        .is_admin = api->is_admin,
        .may_create = lr_private_allowed(lm_options(api->core)) && !lm_is_system_user(user),
    };

    return lp_api_answer(api, lx_json_me(&answer), err);
}

static llmgr_status info(struct lp_api *api, struct llmgr_error *err)
{
    const struct lm_options *options = lm_options(api->core);
    const struct lx_info answer = {
        .version = llmgr_version(),
        .mode = options->mode,
        .auto_key = options->auto_key,
    };

    return lp_api_answer(api, lx_json_info(&answer), err);
}

/* ---- Synchronisation ------------------------------------------------------------------------- */

static llmgr_status hooks(const struct lp_api *api, const struct lp_config_hooks **config,
                          struct llmgr_error *err)
{
    *config = api->call->config;
    if (*config != NULL)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_CONFLICT,
                   N_("this server runs without a configuration file; there is nothing to "
                      "synchronise with"));
}

static llmgr_status get_sync(struct lp_api *api, struct llmgr_error *err)
{
    const struct lp_config_hooks *config;
    struct lx_sync_state answer;

    llmgr_status status = hooks(api, &config, err);
    if (status == LLMGR_OK)
        status = config->check(config->context, &answer.state, err);
    if (status != LLMGR_OK)
        return status;
    return lp_api_answer(api, lx_json_sync_state(&answer), err);
}

static llmgr_status run_sync(struct lp_api *api, struct llmgr_error *err)
{
    const struct lp_config_hooks *config;
    struct lx_sync answer;

    (void)lp_api_flag(api, "dry_run", &answer.dry_run);
    llmgr_status status = hooks(api, &config, err);
    if (status == LLMGR_OK)
        status = config->sync(config->context, answer.dry_run, &answer.report, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_sync(&answer), err);
    llmgr_sync_report_clear(&answer.report);
    return status;
}

/* ---- Database and keys ----------------------------------------------------------------------- */

static llmgr_status check(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_db_report report;

    llmgr_status status = llmgr_db_check(api->manager, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_db(&report), err);
    llmgr_db_report_clear(&report);
    return status;
}

static llmgr_status keys(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_key_report report;

    llmgr_status status = llmgr_key_status(api->manager, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_keys(&report), err);
    llmgr_key_report_clear(&report);
    return status;
}

static llmgr_status rotate(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_key_report report;
    bool dry_run;

    (void)lp_api_flag(api, "dry_run", &dry_run);
    llmgr_status status = llmgr_key_rotate(api->manager, dry_run, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_keys(&report), err);
    llmgr_key_report_clear(&report);
    return status;
}

LP_API_HANDLER(me, me)
LP_API_HANDLER(info, info)
LP_API_HANDLER(sync_get, get_sync)
LP_API_HANDLER(sync_run, run_sync)
LP_API_HANDLER(db_check, check)
LP_API_HANDLER(keys_get, keys)
LP_API_HANDLER(keys_rotate, rotate)
