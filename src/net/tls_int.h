/* SPDX-License-Identifier: MIT */
/* The inside of TLS, for the files of net/ alone. */
#ifndef LN_TLS_INT_H
#define LN_TLS_INT_H

#include <openssl/ssl.h>

#include "base/map.h"
#include "net/conn_int.h"
#include "net/tls.h"

enum { LN_TLS_REASON = 160 };

/*
 * One set of TLS settings, counted: the client or server that made it holds one reference, each
 * connection another, so that a reload or an early free leaves running connections alone.
 */
struct ln_tls_core {
    const struct lb_host *host;
    OSSL_LIB_CTX *library;
    SSL_CTX *ctx;
    BIO_METHOD *bio;              /* our socket BIO; outlives every BIO made from it */
    struct ln_tls_client *client; /* NULL: a server's, or its client is gone */
    unsigned references;
};

/* Sessions by "host:port/alpn", some for each, least recently used go first. */
struct ln_sessions {
    const struct lb_host *host;
    struct lb_map *map;
    struct lb_list order; /* most recently used first */
    unsigned count, max;  /* sessions */
};

struct ln_tls_client {
    struct ln_tls_core *core; /* NULL until it is needed, or a CA file was named */
    bool only_ca_file;
    struct ln_sessions sessions;
};

struct ln_tls_server {
    const struct lb_host *host;
    struct ln_tls_core *core;
};

struct ln_tls_stream {
    struct ln_tls_core *core;
    SSL *ssl;
    char *session_key; /* clients: where this connection's session is remembered; owned */
    char *out;         /* ciphertext the kernel has not taken; NULL while there is none */
    size_t out_size, out_sent, out_capacity;
    enum ln_io later; /* END or FAIL met after bytes were read: the next recv returns it */
    bool more;        /* bytes may wait inside OpenSSL: recv goes on without the socket */
    bool met_end;     /* the kernel reported the end of the stream */
    bool said_bye;    /* close_notify was written */
    char reason[LN_TLS_REASON];
};

LLMGR_MUST_CHECK llmgr_status ln_tls_core_new(const struct lb_host *host, struct ln_tls_core **core,
                                              struct llmgr_error *err);
void ln_tls_core_unref(struct ln_tls_core *core); /* NULL is fine */
/* The client's, which is set up if nobody has needed it yet; borrowed. The loop's thread. */
LLMGR_MUST_CHECK llmgr_status ln_tls_client_core(struct ln_tls_client *client,
                                                 struct ln_tls_core **core,
                                                 struct llmgr_error *err);
BIO_METHOD *ln_tls_bio_method(void);
int ln_tls_new_session(SSL *ssl, SSL_SESSION *session); /* OpenSSL's callback */
/* The newest OpenSSL error of this thread in words; empties the queue. Static storage. */
const char *ln_tls_error_text(void);

/* Makes a connected socket a TLS one; ln_conn_handshake comes next. Strings are copied. */
LLMGR_MUST_CHECK llmgr_status ln_tls_attach_client(struct ln_conn *conn,
                                                   struct ln_tls_client *client, const char *name,
                                                   uint16_t port, const char *alpn,
                                                   struct llmgr_error *err);
LLMGR_MUST_CHECK llmgr_status ln_tls_attach_server(struct ln_conn *conn,
                                                   struct ln_tls_server *server,
                                                   struct llmgr_error *err);

LLMGR_MUST_CHECK bool ln_sessions_init(struct ln_sessions *sessions, const struct lb_host *host,
                                       unsigned max);
void ln_sessions_free(struct ln_sessions *sessions);
/* Takes over the session if true. */
bool ln_sessions_put(struct ln_sessions *sessions, const char *key, SSL_SESSION *session);
/* The caller's own, or NULL. */
SSL_SESSION *ln_sessions_take(struct ln_sessions *sessions, const char *key);
void ln_sessions_remove(struct ln_sessions *sessions, const char *key);

#endif
