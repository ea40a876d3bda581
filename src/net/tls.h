/* SPDX-License-Identifier: MIT */
/*
 * TLS by OpenSSL: the settings of a client and of a server. The handshake and the records run
 * inside net/conn; here stands what is trusted, which versions and ciphers are spoken, and which
 * sessions are remembered.
 *
 * TLS 1.2 and 1.3. A client always verifies: chain, dates, and the name (or the address against
 * the certificate's IP addresses); there is no way to switch that off. Everything lives in an
 * OpenSSL library context of its own, so the host program's OpenSSL settings and ours do not meet.
 * Both kinds belong to the thread of the loop whose connections use them.
 */
#ifndef LN_TLS_H
#define LN_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"

struct ln_tls_client;
struct ln_tls_server;

enum { LN_TICKET_KEY_SIZE = 80 }; /* bytes: name, MAC key, cipher key as OpenSSL wants them */

struct ln_tls_client_options {
    const char *ca_file;  /* PEM; trusted in addition to the system's store. NULL: none */
    bool only_ca_file;    /* leave the system's store out */
    unsigned session_max; /* sessions remembered, least recently used go first; 0: 256 */
};

/*
 * `options` may be NULL. ERR_CONFIG if the CA file cannot be read or holds no certificate: that is
 * known at once. Without one OpenSSL is set up, and the system's store looked for, by the first
 * connection; what fails then is that connection's error, and the next one tries again.
 */
LLMGR_MUST_CHECK llmgr_status ln_tls_client_new(const struct lb_host *host,
                                                const struct ln_tls_client_options *options,
                                                struct ln_tls_client **client,
                                                struct llmgr_error *err);
/* Connections that use it keep what they need; dials in flight must have ended. NULL is fine. */
void ln_tls_client_free(struct ln_tls_client *client);
unsigned ln_tls_client_sessions(const struct ln_tls_client *client);

struct ln_tls_server_options {
    const char *cert_file; /* PEM: certificate, then its chain */
    const char *key_file;  /* PEM, not encrypted */
    /* Shared by all workers (and, if wished, nodes) so that each resumes the others' sessions;
     * LN_TICKET_KEY_SIZE random bytes, copied. NULL: a random one of its own. */
    const uint8_t *ticket_key;
};

LLMGR_MUST_CHECK llmgr_status ln_tls_server_new(const struct lb_host *host,
                                                const struct ln_tls_server_options *options,
                                                struct ln_tls_server **server,
                                                struct llmgr_error *err);
/* Reads certificate and key anew for connections to come; on failure the old ones stay. */
LLMGR_MUST_CHECK llmgr_status ln_tls_server_reload(struct ln_tls_server *server,
                                                   const struct ln_tls_server_options *options,
                                                   struct llmgr_error *err);
void ln_tls_server_free(struct ln_tls_server *server); /* NULL is fine */

#endif
