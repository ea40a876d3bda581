/* SPDX-License-Identifier: MIT */
/* Peers, proxies and whom they name. See the header. */
#include "gateway/origin.h"

#include <string.h>

#include "base/concurrency.h"
#include "gateway/client.h"
#include "http/hops.h"
#include "net/addr.h"
#include "net/policy.h"

struct lg_origin {
    uint64_t hash;            /* in the server's gauge; 0: not counted */
    struct ln_addr16 peer;    /* if `known` */
    struct ln_addr16 address; /* of the request's caller, if `told` */
    bool known;               /* the peer has an address: it calls by no unix socket */
    bool trusted;             /* it is a proxy of the operator's */
    bool told;
    bool is_unread; /* a trusted proxy says something that was not understood to its end */
};

static bool is_trusted(const struct lg_settings *settings, const struct ln_addr16 *address)
{
    for (unsigned i = 0; i < settings->trusted_count; i++) {
        if (ln_range_names(&settings->trusted[i], address))
            return true;
    }
    return false;
}

/* One more from there? A site has a /64 of IPv6; its addresses are one. */
static bool enter(struct lg_client *client, const struct ln_addr16 *address)
{
    unsigned limit = client->worker->settings->connections_per_address;
    struct lb_gauge *gauge = client->worker->shared->addresses;
    struct lb_str key = lb_str((const char *)address->b, ln_addr16_is_v4(address) ? 16 : 8);

    if (limit == 0)
        return true;
    uint64_t hash = lb_gauge_hash(gauge, 'a', key);
    if (!lb_gauge_enter(gauge, hash, limit))
        return false;
    client->origin->hash = hash;
    return true;
}

static void leave(struct lg_client *client)
{
    struct lg_origin *origin = client->origin;

    if (origin->hash != 0)
        lb_gauge_leave(client->worker->shared->addresses, origin->hash);
    origin->hash = 0;
}

bool lg_origin_accept(struct lg_client *client, const char **why)
{
    const struct lg_settings *settings = client->worker->settings;
    struct sockaddr_storage peer;

    *why = NULL;
    if (settings->connections_per_address == 0 && settings->trusted_count == 0 &&
        !settings->trusts_unix)
        return true;
    struct lg_origin *origin = lb_calloc(client->worker->host, 1, sizeof *origin);
    if (origin == NULL)
        return false;
    client->origin = origin;
    if (!ln_conn_peer(client->conn, &peer))
        return true;
    origin->known = ln_addr16_of((const struct sockaddr *)&peer, &origin->peer);
    origin->trusted = origin->known ? is_trusted(settings, &origin->peer) : settings->trusts_unix;
    if (!origin->known || origin->trusted || enter(client, &origin->peer))
        return true;
    *why = N_("too many connections from this address");
    return false;
}

/* "192.0.2.7", "192.0.2.7:4711", "2001:db8::1", "[2001:db8::1]", "[2001:db8::1]:4711" */
static bool read_node(struct lb_str node, struct ln_addr16 *address)
{
    struct sockaddr_storage storage;
    size_t colon = lb_str_find(node, ':');
    struct lb_str behind = lb_str_sub(node, colon + 1, node.size);
    size_t end = node.size;

    if (node.p[0] == '[')
        end = lb_str_find(node, ']') + 1;
    else if (colon < node.size && lb_str_find(behind, ':') == behind.size)
        end = colon; /* the only one */
    if (end > node.size || (end < node.size && node.p[end] != ':'))
        return false;
    enum ln_host_kind kind = ln_host_kind(lb_str_sub(node, 0, end), &storage);
    return (kind == LN_HOST_IPV4 || kind == LN_HOST_IPV6) &&
           ln_addr16_of((const struct sockaddr *)&storage, address);
}

/* From the last proxy on backwards, as long as those who speak are trusted. */
static void find_caller(struct lg_origin *origin, const struct lg_request *request)
{
    const struct lg_settings *settings = request->settings;
    enum lh_header name = settings->forwarded ? LH_HEADER_FORWARDED : LH_HEADER_X_FORWARDED_FOR;
    struct lb_str nodes[LH_NODES_MAX];
    struct ln_addr16 address;

    origin->told = origin->known;
    origin->address = origin->peer;
    origin->is_unread = false;
    if (lh_head_get(request->head, name).p == NULL)
        return;
    size_t count = lh_nodes_read(request->head, name, nodes);
    origin->is_unread = count == 0;
    for (size_t i = 0; i < count; i++) {
        origin->is_unread = !read_node(nodes[i], &address);
        if (origin->is_unread)
            return;
        origin->address = address;
        origin->told = true;
        if (!is_trusted(settings, &address))
            return;
    }
}

enum lg_verdict lg_origin_begin(struct lg_request *request)
{
    struct lg_client *client = request->client;
    struct lg_origin *origin = client->origin;

    if (origin == NULL || !origin->trusted)
        return LG_NEXT;
    find_caller(origin, request);
    if (!origin->told || enter(client, &origin->address))
        return LG_NEXT;
    return lg_request_limit(request, LG_METRIC_LIMITED_ADDRESS,
                            N_("too many requests from this address are under way"));
}

void lg_origin_end(struct lg_client *client)
{
    if (client->origin != NULL && client->origin->trusted)
        leave(client);
}

void lg_origin_free(struct lg_client *client)
{
    if (client->origin == NULL)
        return;
    leave(client);
    lb_free(client->worker->host, client->origin);
    client->origin = NULL;
}

bool lg_origin_address(const struct lg_client *client, struct ln_addr16 *address)
{
    const struct lg_origin *origin = client->origin;
    struct sockaddr_storage peer;

    if (origin != NULL && origin->trusted) {
        *address = origin->address;
        return origin->told && !origin->is_unread;
    }
    return client->conn != NULL && ln_conn_peer(client->conn, &peer) &&
           ln_addr16_of((const struct sockaddr *)&peer, address);
}

const char *lg_origin_text(const struct lg_client *client, char text[LN_PEER_TEXT])
{
    const struct lg_origin *origin = client->origin;
    struct sockaddr_storage storage;

    text[0] = '\0';
    if (origin != NULL && origin->trusted && origin->told) {
        ln_addr16_to(&origin->address, &storage);
        (void)ln_addr_text((const struct sockaddr *)&storage, text, LN_PEER_TEXT);
    } else if (client->conn != NULL) {
        (void)ln_conn_peer_text(client->conn, text);
    }
    char *port = strrchr(text, ':'); /* it says nothing tomorrow */
    if (port != NULL)
        *port = '\0';
    return text;
}
