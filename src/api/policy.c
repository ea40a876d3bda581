/* SPDX-License-Identifier: MIT */
/*
 * From the operator's options to the egress policy: which networks and ports users' private
 * platforms may use besides what is open to everybody, and what stays shut: the database.
 */
#include "api/api.h"

#include <string.h>

#include "net/policy.h"
#include "store/store.h"

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

/*
 * A server on this machine - behind a Unix socket, or at a loopback address - may be reached by
 * every address the machine has, so all of them are shut at its port.
 */
static size_t shut_server(const struct ls_server *server, struct ln_endpoint *own)
{
    struct sockaddr_storage addr;
    size_t count = 0;

    if (server == NULL || server->port == 0)
        return 0;
    if (ln_host_kind(lb_cstr(server->host), &addr) != LN_HOST_INVALID)
        own[count++] = (struct ln_endpoint){server->host, server->port};
    if (ln_host_kind(lb_cstr(server->address), &addr) != LN_HOST_INVALID)
        own[count++] = (struct ln_endpoint){server->address, server->port};
    if (server->address[0] == '\0' || strncmp(server->address, "127.", 4) == 0 ||
        strcmp(server->address, "::1") == 0)
        own[count++] = (struct ln_endpoint){"0.0.0.0", server->port};
    return count;
}

llmgr_status la_policy_new(const struct lb_host *host, const struct llmgr_options *options,
                           const struct ls_server *server, struct ln_policy **policy,
                           struct llmgr_error *err)
{
    uint16_t ports[PORTS_MAX] = {HTTPS_PORT, HTTP_PORT};
    size_t port_count = options->allow_http ? 2 : 1;
    struct ln_endpoint own[3];
    struct ln_policy_options rules = {
        .own = own,
        .own_count = shut_server(server, own),
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
