/* SPDX-License-Identifier: MIT */
/*
 * POST /api/probe: which models does an address offer? A user may ask about any public address, so
 * the answer must not map our network: refused, closed and unknown addresses read alike.
 */
#include "management/probe.h"

#include "documents/write.h"
#include "management/operations.h"

llmgr_status lp_probe_plain(llmgr_status status, struct llmgr_error *err)
{
    int upstream_status = err->upstream_status;

    switch (status) {
    case LLMGR_ERR_ADDRESS:
    case LLMGR_ERR_UNREACHABLE:
    case LLMGR_ERR_TLS:
    case LLMGR_ERR_TIMEOUT:
        *err = (struct llmgr_error){0};
        return lb_fail(err, LLMGR_ERR_UNREACHABLE,
                       N_("the address cannot be reached, or may not be used; check it"));
    case LLMGR_ERR_KEY_REFUSED:
    case LLMGR_ERR_UPSTREAM:
    case LLMGR_ERR_RATE_LIMITED:
    case LLMGR_ERR_PROTOCOL:
    case LLMGR_ERR_CUT:
    case LLMGR_ERR_NO_LIST:
        (void)lb_fail(err, status, "%s", lb_tr(llmgr_status_text(status)));
        err->upstream_status = upstream_status;
        return status;
    default:
        return status;
    }
}

llmgr_status lp_api_probed(struct lp_api *api, llmgr_status status, struct llmgr_probe *probe,
                           struct llmgr_error *err)
{
    if (status != LLMGR_OK)
        return api->is_admin ? status : lp_probe_plain(status, err);
    status = lp_api_answer(api, lx_json_probe(probe), err);
    llmgr_probe_clear(probe);
    return status;
}

static llmgr_status probe(struct lp_api *api, struct llmgr_error *err)
{
    struct llmgr_probe found;

    llmgr_status status = llmgr_probe_url(api->manager, api->user, lp_api_text(api, "base_url"),
                                          lp_api_text(api, "api_key"), 0, &found, err);
    return lp_api_probed(api, status, &found, err);
}

LP_API_HANDLER(probe, probe)
