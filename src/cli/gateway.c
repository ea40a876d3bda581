/* SPDX-License-Identifier: MIT */
/*
 * A running gateway as the command line asks it: its management API, over the same client and
 * dialer as everything else; unix:PATH is a socket on which it listens. The address is the
 * operator's word (class SYSTEM); the token comes from the environment or standard input, is opened
 * for each request's head, and shown nowhere.
 */
#include "cli/cli.h"

#include <string.h>

#include "base/magic.h"
#include "dialect/error_read.h"
#include "http/url.h"
#include "library/library.h"
#include "llm/fetch.h"
#include "net/proxy.h"
#include "vault/secret.h"

#define UNIX "unix:"

enum {
    GATEWAY_MAGIC = 0x636c6777,
    ANSWER_MAX = 64 << 20, /* bytes of an answer, as many as the gateway sends at most */
    DETAIL_MAX = 400,      /* bytes of what a gateway says of an error */
};

struct cli_gateway {
    unsigned magic;
    struct cli_app *app;
    const char *url;
    char *token; /* NULL: none was given */
    struct ln_proxy *proxy;
    struct li_call *call;
    struct li_peer peer;
};

/* ---- Opening --------------------------------------------------------------------------------- */

static llmgr_status open_token(void *context, struct lv_secret *key, struct llmgr_error *err)
{
    const struct cli_gateway *gateway = LB_CAST(struct cli_gateway, context, GATEWAY_MAGIC);

    lv_secret_init(key);
    if (lv_secret_set(key, lb_cstr(gateway->token)))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("the gateway's token is longer than %d bytes"),
                   LV_SECRET_MAX);
}

/* NULL: it is a URL. */
static const char *unix_path_of(const char *url)
{
    return lb_str_starts(lb_cstr(url), LB_STR(UNIX)) ? url + LB_STR(UNIX).size : NULL;
}

/* As it is written for clients as well, with the /v1 at which those begin. */
static struct lb_str base_of(const char *url)
{
    struct lb_str base = lb_cstr(url);

    if (unix_path_of(url) != NULL)
        return LB_STR("http://unix"); /* a name that the gateway knows for its own */
    while (lb_str_ends(base, LB_STR("/")))
        base.size--;
    if (lb_str_ends(base, LB_STR("/v1")))
        base.size -= LB_STR("/v1").size;
    return base;
}

static llmgr_status open_client(struct cli_gateway *gateway, struct llmgr_error *err)
{
    const struct cli_app *app = gateway->app;
    struct llmgr_options options;
    llmgr_status status = LLMGR_OK;

    llmgr_options_init(&options);
    la_options_from(&app->options, &options);
    const struct ln_proxy_settings proxy = {
        .url = options.https_proxy,
        .no_proxy = options.no_proxy,
        .url_from = options.https_proxy_from,
        .no_proxy_from = options.no_proxy_from,
    };
    if (options.https_proxy != NULL && options.https_proxy[0] != '\0')
        status = ln_proxy_make(&app->host, &proxy, &gateway->proxy, err);
    if (status != LLMGR_OK)
        return status;
    const struct li_call_options call = {.proxy = gateway->proxy,
                                         .unix_path = unix_path_of(gateway->url),
                                         .ca_file = options.ca_file,
                                         .timeouts = {.connect_ms = options.connect_timeout_ms}};
    return li_call_new(&app->host, &call, &gateway->call, err);
}

llmgr_status cli_gateway_open(struct cli_app *app, struct cli_gateway **gateway,
                              struct llmgr_error *err)
{
    const char *url = app->options.gateway_url;

    if (url == NULL)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("say which gateway: --gateway URL, or LLMGR_GATEWAY_URL; `llmgr serve` "
                          "prints its address"));
    struct cli_gateway *made = lb_calloc(&app->host, 1, sizeof *made);
    if (made == NULL)
        return lb_fail_memory(err);
    made->magic = GATEWAY_MAGIC;
    made->app = app;
    made->url = url;
    llmgr_status status = cli_token(app, &made->token, err);
    if (status == LLMGR_OK)
        status = open_client(made, err);
    if (status != LLMGR_OK) {
        cli_gateway_close(made);
        return status;
    }
    made->peer = (struct li_peer){
        .base_url = base_of(url),
        .klass = LN_CLASS_SYSTEM,
        .open_key = made->token != NULL ? open_token : NULL,
        .context = made,
    };
    *gateway = made;
    return LLMGR_OK;
}

void cli_gateway_close(struct cli_gateway *gateway)
{
    if (gateway == NULL)
        return;
    li_call_free(gateway->call);
    ln_proxy_free(gateway->proxy);
    cli_key_free(gateway->app, gateway->token);
    gateway->magic = 0;
    lb_free(&gateway->app->host, gateway);
}

/* ---- What comes back ------------------------------------------------------------------------- */

static llmgr_status status_named(const char *name)
{
#define STATUS_NAMED(ID, ...)                                                                      \
    if (strcmp(name, #ID) == 0)                                                                    \
        return LLMGR_##ID;
    LLMGR_STATUS_MAP(STATUS_NAMED)
#undef STATUS_NAMED
    return LLMGR_ERR_INTERNAL;
}

static llmgr_status fail_stranger(const struct cli_gateway *gateway, int http_status,
                                  struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_PROTOCOL,
                   N_("'%s' answers with HTTP %d, but not as `llmgr serve` does; give the address "
                      "that it prints"),
                   gateway->url, http_status);
}

/* A problem document's words, and who has to do something about it. */
static llmgr_status fail_refused(const struct cli_gateway *gateway, int http_status,
                                 const json_t *problem, struct llmgr_error *err)
{
    const char *code = json_string_value(json_object_get(problem, "code"));
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    struct lb_buf text;

    if (code == NULL || detail == NULL)
        return fail_stranger(gateway, http_status, err);
    llmgr_status status = status_named(code);
    if (status == LLMGR_ERR_UNAUTHORIZED)
        return lb_fail(
            err, status,
            gateway->token == NULL
                ? N_("the gateway '%s' wants a token (`llmgr token create`): put it into "
                     "LLMGR_GATEWAY_TOKEN, or give it with --token-stdin")
                : N_("the gateway '%s' does not know this token: it was never issued "
                     "there, or is revoked"),
            gateway->url);
    lb_buf_init(&text, &gateway->app->host, DETAIL_MAX + 1);
    ld_clean_text(lb_cstr(detail), DETAIL_MAX, &text);
    if (status == LLMGR_OK)
        status = LLMGR_ERR_INTERNAL;
    (void)lb_fail(err, status, N_("the gateway '%s' says: %s"), gateway->url, lb_buf_c(&text));
    lb_buf_free(&text);
    return status;
}

static llmgr_status take(const struct cli_gateway *gateway, int http_status, struct lb_str body,
                         json_t **answer, struct llmgr_error *err)
{
    const bool is_good = http_status >= 200 && http_status < 300;

    if (http_status == 204)
        return LLMGR_OK;
    json_t *document = json_loadb(body.p, body.size, JSON_REJECT_DUPLICATES, NULL);
    if (is_good && json_is_object(document)) {
        *answer = document;
        return LLMGR_OK;
    }
    llmgr_status status = is_good ? fail_stranger(gateway, http_status, err)
                                  : fail_refused(gateway, http_status, document, err);
    json_decref(document);
    return status;
}

/* Nothing came: what the dialer says speaks of platforms' names and addresses alike. */
static llmgr_status fail_silent(const struct cli_gateway *gateway, llmgr_status status,
                                const struct llmgr_error *why, struct llmgr_error *err)
{
    if (status == LLMGR_ERR_UNREACHABLE)
        return lb_fail(err, status, N_("no gateway answers at '%s'; does `llmgr serve` run there?"),
                       gateway->url);
    if (status == LLMGR_ERR_PROTOCOL || status == LLMGR_ERR_CUT || status == LLMGR_ERR_UPSTREAM)
        return lb_fail(err, LLMGR_ERR_PROTOCOL,
                       N_("'%s' does not answer as `llmgr serve` does; give the address that it "
                          "prints"),
                       gateway->url);
    if (err != NULL)
        *err = *why;
    return status;
}

llmgr_status cli_gateway_ask(struct cli_gateway *gateway, const char *method, struct lb_str path,
                             json_t **answer, struct llmgr_error *err)
{
    struct llmgr_error why = {0};
    struct lb_buf body;
    int http_status = 0;

    *answer = NULL;
    lb_buf_init(&body, &gateway->app->host, ANSWER_MAX);
    llmgr_status status = li_call_fetch(gateway->call, &gateway->peer, lb_cstr(method), path,
                                        &http_status, &body, &why);
    status = status == LLMGR_OK ? take(gateway, http_status, lb_buf_str(&body), answer, err)
                                : fail_silent(gateway, status, &why, err);
    lb_buf_free(&body);
    return status;
}

/* ---- What is asked --------------------------------------------------------------------------- */

void cli_gateway_query(struct lb_buf *path, const char *name, const char *value)
{
    if (value == NULL)
        return;
    const bool is_first = lb_str_find(lb_buf_str(path), '?') == path->size;
    lb_buf_addf(path, "%c%s=", is_first ? '?' : '&', name);
    lh_percent_encode(lb_cstr(value), path);
}

void cli_gateway_user(const struct cli_app *app, struct lb_buf *path)
{
    if (app->options.origin[LC_OPT_user] != LC_FROM_DEFAULT)
        cli_gateway_query(path, "user", cli_user(app));
}

const char *cli_scope(const char *scope)
{
    static const struct {
        const char *scope, *text;
    } ROWS[] = {{"key", N_("key")},
                {"account", N_("account")},
                {"model", N_("model")},
                {"platform", N_("platform")}};

    for (size_t i = 0; scope != NULL && i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (strcmp(scope, ROWS[i].scope) == 0)
            return _(ROWS[i].text);
    }
    return scope;
}
