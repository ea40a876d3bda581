/* SPDX-License-Identifier: MIT */
/*
 * TLS settings: one SSL_CTX for a client or a server, in an OpenSSL library context of its own.
 * Certificates of the system come from the paths OpenSSL was built with, not from SSL_CERT_FILE:
 * a library reads no environment.
 */
#include "net/tls.h"

#include <dirent.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "net/tls_int.h"

enum {
    SESSIONS_DEFAULT = 256,
    RECORDS_READ_AHEAD = 32 * 1024, /* bytes one recv may bring: two full records */
};

/* TLS 1.2: forward secrecy and authenticated encryption only. TLS 1.3 has nothing else. */
static const char CIPHERS[] = "ECDHE+AESGCM:ECDHE+CHACHA20";
/* What a server answers to ALPN: the one protocol the gateway speaks. */
static const unsigned char SERVER_ALPN[] = {8, 'h', 't', 't', 'p', '/', '1', '.', '1'};
static const unsigned char SESSION_ID_CONTEXT[] = {'l', 'l', 'm', 'g', 'r'};

const char *ln_tls_error_text(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = code != 0 ? ERR_reason_error_string(code) : NULL;
    ERR_clear_error();
    return text != NULL ? text : "unknown TLS error";
}

static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)context;
    return 0; /* else OpenSSL asks on the terminal */
}

llmgr_status ln_tls_core_new(const struct lb_host *host, struct ln_tls_core **out,
                             struct llmgr_error *err)
{
    struct ln_tls_core *core = lb_calloc(host, 1, sizeof(*core));
    if (core == NULL)
        return lb_fail_memory(err);
    core->host = host;
    core->references = 1;
    core->bio = ln_tls_bio_method();
    core->library = OSSL_LIB_CTX_new();
    if (core->bio == NULL || core->library == NULL)
        goto fail;
    core->ctx = SSL_CTX_new_ex(core->library, NULL, TLS_method());
    if (core->ctx == NULL || SSL_CTX_set_min_proto_version(core->ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(core->ctx, CIPHERS) != 1)
        goto fail;
    (void)SSL_CTX_set_options(core->ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                             SSL_OP_CIPHER_SERVER_PREFERENCE |
                                             SSL_OP_PRIORITIZE_CHACHA);
    (void)SSL_CTX_set_mode(core->ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                          SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(core->ctx, 1);
    SSL_CTX_set_default_read_buffer_len(core->ctx, RECORDS_READ_AHEAD);
    SSL_CTX_set_default_passwd_cb(core->ctx, no_passphrase);
    *out = core;
    return LLMGR_OK;

fail:
    ln_tls_core_unref(core);
    return lb_fail(err, LLMGR_ERR_TLS, N_("TLS cannot be set up: %s"), ln_tls_error_text());
}

void ln_tls_core_unref(struct ln_tls_core *core)
{
    if (core == NULL || --core->references != 0)
        return;
    SSL_CTX_free(core->ctx);
    BIO_meth_free(core->bio);
    OSSL_LIB_CTX_free(core->library);
    lb_free(core->host, core);
}

/*
 * OpenSSL keeps random generators per thread and library context, and ends a thread's when that
 * thread or the context goes. What one thread makes and another one uses and ends would leave the
 * first with a generator of a context that is gone: so it keeps none.
 */
static void forget_thread(struct ln_tls_core *core)
{
    OPENSSL_thread_stop_ex(core->library);
}

/* ---- Clients --------------------------------------------------------------------------------- */

/* Does the folder hold certificates under their hashed names ("6187b673.0")? */
static bool is_hashed(const char *folder)
{
    DIR *dir = opendir(folder);
    if (dir == NULL)
        return false;
    bool found = false;
    for (struct dirent *entry; !found && (entry = readdir(dir)) != NULL;)
        found = strlen(entry->d_name) == 10 && strspn(entry->d_name, "0123456789abcdef") == 8 &&
                strcmp(entry->d_name + 8, ".0") == 0;
    (void)closedir(dir);
    return found;
}

/*
 * The system's store. Where certificates lie under hashed names they are read when needed; the one
 * large file is the second choice, because parsing it takes 17 ms and a megabyte per client. A
 * system without a store trusts nobody, and says so when it counts.
 */
static void load_system_trust(SSL_CTX *ctx)
{
    const char *folder = X509_get_default_cert_dir();
    if (is_hashed(folder))
        (void)SSL_CTX_load_verify_dir(ctx, folder);
    else if (access(X509_get_default_cert_file(), R_OK) == 0)
        (void)SSL_CTX_load_verify_file(ctx, X509_get_default_cert_file());
    ERR_clear_error();
}

static llmgr_status load_trust(struct ln_tls_core *core, const char *ca_file, bool only_ca_file,
                               struct llmgr_error *err)
{
    if (!only_ca_file)
        load_system_trust(core->ctx);
    if (ca_file != NULL && SSL_CTX_load_verify_file(core->ctx, ca_file) != 1)
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("the CA file %s cannot be used: %s; it must be readable and hold "
                          "certificates in PEM form"),
                       ca_file, ln_tls_error_text());
    return LLMGR_OK;
}

static llmgr_status set_up_client(struct ln_tls_client *client, const char *ca_file,
                                  struct llmgr_error *err)
{
    struct ln_tls_core *core = NULL;
    llmgr_status status = ln_tls_core_new(client->sessions.host, &core, err);
    if (status == LLMGR_OK)
        status = load_trust(core, ca_file, client->only_ca_file, err);
    if (status != LLMGR_OK) {
        ln_tls_core_unref(core);
        return status;
    }
    core->client = client;
    SSL_CTX_set_verify(core->ctx, SSL_VERIFY_PEER, NULL);
    (void)SSL_CTX_set_session_cache_mode(core->ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(core->ctx, ln_tls_new_session);
    forget_thread(core);
    client->core = core;
    return LLMGR_OK;
}

/*
 * A library context and its settings cost 4 ms and a megabyte: who talks to plain platforms only
 * never pays them, and a start does not wait for them. A CA file is the operator's word and is
 * judged when it is given.
 */
llmgr_status ln_tls_client_new(const struct lb_host *host,
                               const struct ln_tls_client_options *options,
                               struct ln_tls_client **out, struct llmgr_error *err)
{
    static const struct ln_tls_client_options DEFAULTS = {0};
    const struct ln_tls_client_options *wanted = options != NULL ? options : &DEFAULTS;
    unsigned max = wanted->session_max != 0 ? wanted->session_max : SESSIONS_DEFAULT;
    struct ln_tls_client *client = lb_calloc(host, 1, sizeof(*client));
    if (client == NULL)
        return lb_fail_memory(err);
    client->only_ca_file = wanted->only_ca_file;
    llmgr_status status = LLMGR_OK;
    if (!ln_sessions_init(&client->sessions, host, max))
        status = lb_fail_memory(err);
    if (status == LLMGR_OK && wanted->ca_file != NULL)
        status = set_up_client(client, wanted->ca_file, err);
    if (status != LLMGR_OK) {
        ln_tls_client_free(client);
        return status;
    }
    *out = client;
    return LLMGR_OK;
}

llmgr_status ln_tls_client_core(struct ln_tls_client *client, struct ln_tls_core **core,
                                struct llmgr_error *err)
{
    llmgr_status status = client->core == NULL ? set_up_client(client, NULL, err) : LLMGR_OK;
    if (status == LLMGR_OK)
        *core = client->core;
    return status;
}

void ln_tls_client_free(struct ln_tls_client *client)
{
    if (client == NULL)
        return;
    const struct lb_host *host = client->sessions.host;
    ln_sessions_free(&client->sessions);
    if (client->core != NULL)
        client->core->client = NULL; /* connections may live on */
    ln_tls_core_unref(client->core);
    lb_free(host, client);
}

unsigned ln_tls_client_sessions(const struct ln_tls_client *client)
{
    return client->sessions.count;
}

/* ---- Servers --------------------------------------------------------------------------------- */

static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_size,
                       const unsigned char *in, unsigned in_size, void *context)
{
    (void)ssl;
    (void)context;
    unsigned char *chosen = NULL;
    if (SSL_select_next_proto(&chosen, out_size, SERVER_ALPN, sizeof(SERVER_ALPN), in, in_size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK; /* an old client that names only others gets HTTP/1.1 too */
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static llmgr_status load_identity(SSL_CTX *ctx, const struct ln_tls_server_options *options,
                                  struct llmgr_error *err)
{
    if (SSL_CTX_use_certificate_chain_file(ctx, options->cert_file) != 1)
        return lb_fail(
            err, LLMGR_ERR_CONFIG,
            N_("the certificate file %s cannot be used: %s; it must be readable and hold "
               "the certificate and its chain in PEM form"),
            options->cert_file, ln_tls_error_text());
    if (SSL_CTX_use_PrivateKey_file(ctx, options->key_file, SSL_FILETYPE_PEM) != 1)
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("the key file %s cannot be used: %s; it must be readable, in PEM form, "
                          "without a passphrase, and belong to the certificate"),
                       options->key_file, ln_tls_error_text());
    if (SSL_CTX_check_private_key(ctx) != 1)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("the key file %s does not belong to %s"),
                       options->key_file, options->cert_file);
    return LLMGR_OK;
}

static llmgr_status new_server_core(const struct lb_host *host,
                                    const struct ln_tls_server_options *options,
                                    struct ln_tls_core **out, struct llmgr_error *err)
{
    if (options->cert_file == NULL || options->key_file == NULL)
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("TLS on a listener needs both a certificate file and a key file"));
    struct ln_tls_core *core = NULL;
    llmgr_status status = ln_tls_core_new(host, &core, err);
    if (status != LLMGR_OK)
        return status;
    status = load_identity(core->ctx, options, err);
    if (status == LLMGR_OK && options->ticket_key != NULL) {
        uint8_t key[LN_TICKET_KEY_SIZE];
        memcpy(key, options->ticket_key, sizeof(key));
        if (SSL_CTX_set_tlsext_ticket_keys(core->ctx, key, sizeof(key)) != 1)
            status =
                lb_fail(err, LLMGR_ERR_TLS, N_("TLS cannot be set up: %s"), ln_tls_error_text());
        OPENSSL_cleanse(key, sizeof(key));
    }
    if (status != LLMGR_OK) {
        ln_tls_core_unref(core);
        return status;
    }
    (void)SSL_CTX_set_session_cache_mode(core->ctx, SSL_SESS_CACHE_OFF); /* tickets, no state */
    (void)SSL_CTX_set_session_id_context(core->ctx, SESSION_ID_CONTEXT, sizeof(SESSION_ID_CONTEXT));
    (void)SSL_CTX_set_num_tickets(core->ctx, 1);
    SSL_CTX_set_alpn_select_cb(core->ctx, choose_alpn, NULL);
    forget_thread(core);
    *out = core;
    return LLMGR_OK;
}

llmgr_status ln_tls_server_new(const struct lb_host *host,
                               const struct ln_tls_server_options *options,
                               struct ln_tls_server **out, struct llmgr_error *err)
{
    struct ln_tls_server *server = lb_calloc(host, 1, sizeof(*server));
    if (server == NULL)
        return lb_fail_memory(err);
    server->host = host;
    llmgr_status status = new_server_core(host, options, &server->core, err);
    if (status != LLMGR_OK) {
        lb_free(host, server);
        return status;
    }
    *out = server;
    return LLMGR_OK;
}

llmgr_status ln_tls_server_reload(struct ln_tls_server *server,
                                  const struct ln_tls_server_options *options,
                                  struct llmgr_error *err)
{
    struct ln_tls_core *core = NULL;
    llmgr_status status = new_server_core(server->host, options, &core, err);
    if (status != LLMGR_OK)
        return status;
    ln_tls_core_unref(server->core);
    server->core = core;
    return LLMGR_OK;
}

void ln_tls_server_free(struct ln_tls_server *server)
{
    if (server == NULL)
        return;
    ln_tls_core_unref(server->core);
    lb_free(server->host, server);
}
