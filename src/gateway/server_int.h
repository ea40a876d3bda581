/* SPDX-License-Identifier: MIT */
/* What workers and steps ask of the server. Private to gateway/. */
#ifndef LG_SERVER_INT_H
#define LG_SERVER_INT_H

#include "gateway/server.h"
#include "gateway/worker.h"
#include "net/tls.h"

struct lg_gauge;
struct lg_log;
struct lg_share;
struct ll_ledger;

struct lg_log *lg_server_log(const struct lg_server *server); /* the access log */
struct ll_ledger *lg_server_ledger(const struct lg_server *server);
/* Our name in CDN-Loop: that of every gateway on this database, and of no other. */
struct lb_str lg_server_hop(const struct lg_server *server);
struct lg_gauge *lg_server_gauge(const struct lg_server *server);     /* users and tokens */
struct lg_gauge *lg_server_addresses(const struct lg_server *server); /* connections */
struct lg_share *lg_server_bodies(const struct lg_server *server);    /* bytes of memory */
struct lg_share *lg_server_looks(const struct lg_server *server);     /* threads */
bool lg_server_needs_token(const struct lg_server *server);
struct ln_tls_server_options lg_server_tls(const struct lg_server *server);
int64_t lg_server_drain_ms(const struct lg_server *server);
/* Settings on their way to a worker; taking hands them over. */
void lg_server_put_news(struct lg_server *server, unsigned worker, struct lg_settings *news);
struct lg_settings *lg_server_take_news(struct lg_server *server, unsigned worker);
/* A worker's thread is about to end. */
void lg_server_worker_ended(struct lg_server *server);

#endif
