/* SPDX-License-Identifier: MIT */
/* POST /api/prices/import: a catalogue's file as the body, and what became of its prices. */
#include "documents/write.h"
#include "management/operation.h"
#include "management/operations.h"

enum { PROVIDERS_MAX = 200 }; /* platforms of which one request says which provider they are */

struct providers {
    struct llmgr_price_map maps[PROVIDERS_MAX];
    size_t count;
};

static llmgr_status add_provider(struct lp_api *api, struct lb_str pair,
                                 struct providers *providers, struct llmgr_error *err)
{
    size_t equals = lb_str_find(pair, '=');
    struct llmgr_price_map map = {
        .platform = lb_arena_str(api->call->arena, lb_str_sub(pair, 0, equals)).p,
        .provider = lb_arena_str(api->call->arena, lb_str_sub(pair, equals + 1, pair.size)).p,
    };

    if (map.platform == NULL || map.provider == NULL)
        return lb_fail_memory(err);
    if (providers->count == PROVIDERS_MAX)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("'%s' has more than %d"),
                       LP_QUERIES[LP_QUERY_PROVIDERS].name, PROVIDERS_MAX);
    providers->maps[providers->count++] = map;
    return LLMGR_OK;
}

/* "1=deepseek,House=openai" */
static llmgr_status read_providers(struct lp_api *api, struct providers *providers,
                                   struct llmgr_error *err)
{
    struct lb_str rest = api->query[LP_QUERY_PROVIDERS];
    llmgr_status status = LLMGR_OK;

    while (rest.size != 0 && status == LLMGR_OK) {
        size_t comma = lb_str_find(rest, ',');
        status = add_provider(api, lb_str_sub(rest, 0, comma), providers, err);
        rest = lb_str_sub(rest, comma + 1, rest.size);
    }
    return status;
}

static llmgr_status read_options(struct lp_api *api, struct providers *providers,
                                 struct llmgr_price_import_options *options,
                                 struct llmgr_error *err)
{
    llmgr_price_import_options_init(options);
    llmgr_status status = read_providers(api, providers, err);
    if (status == LLMGR_OK)
        status = lp_api_query_flag(api, LP_QUERY_DRY_RUN, &options->dry_run, err);
    if (status == LLMGR_OK)
        status = lp_api_query_flag(api, LP_QUERY_REPLACE_HAND, &options->replace_hand, err);
    if (status == LLMGR_OK)
        status = lp_api_query_flag(api, LP_QUERY_ALL_MODELS, &options->all_models, err);
    options->maps = providers->maps;
    options->map_count = providers->count;
    return status;
}

static llmgr_status import(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_price_import_options options;
    struct llmgr_price_import_report report;
    struct providers providers;

    providers.count = 0;
    llmgr_status status = read_options(api, &providers, &options, err);
    if (status == LLMGR_OK)
        status = llmgr_price_import(api->manager, LLMGR_SYSTEM_USER, api->call->body.p,
                                    api->call->body.size, &options, &report, err);
    if (status != LLMGR_OK)
        return status;
    status = lp_api_answer(api, lx_json_price_import(&report), err);
    llmgr_price_import_report_clear(&report);
    return status;
}

LP_API_HANDLER(prices_import, import)
