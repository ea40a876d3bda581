/* SPDX-License-Identifier: MIT */
/*
 * The access log: one JSON line per request, built from this file's list of fields and nothing
 * else. No path beyond the route's pattern, no query, no header, no body, no text of an error, no
 * user: whose request it was, the ledger knows by the request's id.
 */
#ifndef LG_ACCESS_LINE_H
#define LG_ACCESS_LINE_H

struct lg_request;

/* Costs nothing while nobody asked for the log; never waits. */
void lg_access_log(const struct lg_request *request);

#endif
