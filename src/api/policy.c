/* SPDX-License-Identifier: MIT */
/*
 * From the operator's options to the egress policy: which networks and ports users' private
 * platforms may use besides what is open to everybody.
 */
#include "api/api.h"

#include <string.h>

#include "net/policy.h"

enum { PORTS_MAX = 64, HTTPS_PORT = 443, HTTP_PORT = 80 };

/* Port 0 stands for every port, as ln_policy wants it. */
static llmgr_status read_ports(const char *const *texts, uint16_t *ports, size_t *count,
                               struct llmgr_error *err)
{
    for (; texts != NULL && *texts != NULL; texts++) {
        uint64_t port = 0;
        bool every = strcmp(*texts, "*") == 0;
        if (!every && (!lb_str_to_u64(lb_cstr(*texts), &port) || port == 0 || port > UINT16_MAX))
            return lb_fail(err, LLMGR_ERR_CONFIG,
                           N_("allow_port: '%s' is no port; write a number from 1 to 65535, or *"),
                           *texts);
        if (*count == PORTS_MAX)
            return lb_fail(err, LLMGR_ERR_CONFIG, N_("allow_port: at most %d ports; or write *"),
                           PORTS_MAX - 2);
        ports[(*count)++] = (uint16_t)port;
    }
    return LLMGR_OK;
}

llmgr_status la_policy_new(const struct lb_host *host, const struct llmgr_options *options,
                           struct ln_policy **policy, struct llmgr_error *err)
{
    uint16_t ports[PORTS_MAX] = {HTTPS_PORT, HTTP_PORT};
    size_t port_count = options->allow_http ? 2 : 1;
    struct ln_policy_options rules = {
        .allow = options->allow_cidrs,
        .allow_http = options->allow_http,
        .ports = ports,
    };

    llmgr_status status = read_ports(options->allow_ports, ports, &port_count, err);
    if (status != LLMGR_OK)
        return status;
    rules.port_count = port_count;
    while (rules.allow != NULL && rules.allow[rules.allow_count] != NULL)
        rules.allow_count++;
    return ln_policy_new(host, &rules, policy, err);
}
