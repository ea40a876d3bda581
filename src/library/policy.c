/* SPDX-License-Identifier: MIT */
/*
 * From the operator's options to the egress policy: which networks and ports users' private
 * platforms may use besides what is open to everybody, and what stays shut: the database, and this
 * gateway itself.
 */
#include "library/library.h"

#include <string.h>

#include "http/url.h"
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
        own[count++] = (struct ln_endpoint){.host = server->host, .port = server->port};
    if (ln_host_kind(lb_cstr(server->address), &addr) != LN_HOST_INVALID)
        own[count++] = (struct ln_endpoint){.host = server->address, .port = server->port};
    if (server->address[0] == '\0' || strncmp(server->address, "127.", 4) == 0 ||
        strcmp(server->address, "::1") == 0)
        own[count++] = (struct ln_endpoint){.host = "0.0.0.0", .port = server->port};
    return count;
}

/* The names by which this gateway is called from outside, and its addresses if they are literal. */
static llmgr_status shut_public(const char *const *urls, struct ln_policy *policy,
                                struct llmgr_error *err)
{
    for (; urls != NULL && *urls != NULL; urls++) {
        struct lh_url url;
        char host[LH_HOST_MAX + 1];
        enum lh_url_error bad = lh_url_parse(lb_cstr(*urls), &url);
        if (bad != LH_URL_OK)
            return lb_fail(err, LLMGR_ERR_CONFIG, N_("public_url: '%s': %s"), *urls,
                           lb_tr(lh_url_error_text(bad)));
        memcpy(host, url.host.p, url.host.size); /* at most LH_HOST_MAX: it was parsed */
        host[url.host.size] = '\0';
        const struct ln_endpoint self = {.host = host, .port = url.port, .self = true};
        llmgr_status status = ln_policy_shut(policy, &self, err);
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
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
    struct ln_policy *made = NULL;
    status = ln_policy_new(host, &rules, &made, err);
    if (status == LLMGR_OK)
        status = shut_public(options->public_urls, made, err);
    if (status != LLMGR_OK) {
        ln_policy_free(made);
        return status;
    }
    *policy = made;
    return LLMGR_OK;
}
