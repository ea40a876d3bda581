/* SPDX-License-Identifier: MIT */
/*
 * Where a request comes from. That is the other end of its connection, unless this is a proxy of
 * the operator's (`trusted_proxies`): then the proxy says who called it, and if that is such a
 * proxy as well, the one before it. Nobody else's word counts; a word that cannot be read ends the
 * search, and the last one that was believed stands.
 *
 * address_max counts the connections of an address, or, where a proxy's connection carries the
 * requests of many, the requests of an address under way.
 */
#ifndef LG_ORIGIN_H
#define LG_ORIGIN_H

#include <stdbool.h>

#include "gateway/request.h"
#include "net/addr_range.h"
#include "net/conn.h"

/* A connection was accepted; false: it must not stay, *why says so (NULL: no memory). */
bool lg_origin_accept(struct lg_client *client, const char **why);
/* One of its requests begins. */
enum lg_verdict lg_origin_begin(struct lg_request *request);
/* It is over. */
void lg_origin_end(struct lg_client *client);
/* The connection is gone. */
void lg_origin_free(struct lg_client *client);
/*
 * Whom lg_origin_text names; false: nobody with an address, who calls by a unix socket, or somebody
 * of whom a trusted proxy says what cannot be read: a caller can make it so, and must gain nothing
 * by it. A trusted proxy that says nothing of its caller is taken for the caller.
 */
bool lg_origin_address(const struct lg_client *client, struct ln_addr16 *address);
/* The address without a port: "192.0.2.7", "[2001:db8::1]", or nothing. Returns text. */
const char *lg_origin_text(const struct lg_client *client, char text[LN_PEER_TEXT]);

#endif
