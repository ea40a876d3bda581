/* SPDX-License-Identifier: MIT */
/*
 * llmgr serve. The main thread only waits for signals; the server has threads of its own.
 *
 *   SIGTERM, SIGINT   drain: no more connections, what is under way may finish; again: at once
 *   SIGHUP            llmgr.yaml, .env and the certificate are read anew; a broken one changes
 * nothing
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/host.h"
#include "base/magic.h"
#include "cli/cli.h"
#include "gateway/shared.h"
#include "management/call.h"
#include "net/addr_range.h"
#include "net/loop.h"
#include "server/server.h"

enum {
    SOCKETS_FIRST = 3,
    SIGNALS = 3,
    FORWARDED_RFC7239 = 1, /* of the choices of forwarded_header */
};

enum { SERVE_MAGIC = 0x73657276 };

struct serve {
    unsigned magic;
    struct cli_app *app;
    struct ln_loop *loop; /* the main thread's */
    struct le_server *server;
    uv_signal_t signals[SIGNALS];
    bool draining;
    int64_t drain_timeout_ms;
    struct lp_config_hooks config;
};

/* ---- Options --------------------------------------------------------------------------------- */

/* "unix", or a range of addresses. */
static llmgr_status trust_proxies(const char *text, struct lg_settings *to, struct llmgr_error *err)
{
    if (strcmp(text, "unix") == 0) {
        to->trusts_unix = true;
        return LLMGR_OK;
    }
    if (to->trusted_count == LG_TRUSTED_MAX)
        return lb_fail(err, LLMGR_ERR_CONFIG, N_("trusted_proxies: at most %d ranges"),
                       LG_TRUSTED_MAX);
    if (!ln_range_parse(lb_cstr(text), &to->trusted[to->trusted_count]))
        return lb_fail(err, LLMGR_ERR_CONFIG,
                       N_("trusted_proxies: '%s' is no address range; write it like 10.1.0.0/16, "
                          "192.0.2.7 or unix"),
                       text);
    to->trusted_count++;
    return LLMGR_OK;
}

static llmgr_status fill_settings(const struct lc_options *from, struct lg_settings *to,
                                  struct llmgr_error *err)
{
    llmgr_status status = LLMGR_OK;

    *to = (struct lg_settings){
        .body_max = (size_t)from->body_max,
        .bodies_max = (size_t)from->bodies_max,
        .upload_max = (size_t)from->upload_max,
        .head_timeout_ms = from->head_timeout_ms,
        .body_timeout_ms = from->body_timeout_ms,
        .body_rate_min = (uint32_t)from->body_rate_min,
        .body_rate_window_ms = (uint32_t)from->body_rate_window_ms,
        .keepalive_timeout_ms = from->keepalive_timeout_ms,
        .write_timeout_ms = from->write_timeout_ms,
        .freshness_wait_ms = from->freshness_wait_ms,
        .ping_ms = from->ping_ms,
        .window_max = (size_t)from->window_max,
        .window_events = (uint32_t)from->window_events,
        .first_content_ms = from->first_content_timeout_ms,
        .streams_per_user = (unsigned)from->user_max,
        .streams_per_token = (unsigned)from->token_max,
        .connections_per_address = (unsigned)from->address_max,
        .decision_headers = from->decision_headers,
        .cors = from->cors,
        .upstream = {.connect_ms = from->connect_timeout_ms,
                     .first_byte_ms = from->first_byte_timeout_ms,
                     .idle_ms = from->idle_timeout_ms,
                     .total_ms = from->total_timeout_ms},
        .forwarded = from->forwarded_header == FORWARDED_RFC7239,
    };
    for (size_t i = 0; i < from->trusted_proxies.count && status == LLMGR_OK; i++)
        status = trust_proxies(from->trusted_proxies.items[i], to, err);
    return status;
}

/* Sockets of a service manager (sd_listen_fds(3)), if they are meant for this process. */
static size_t inherited_sockets(int *sockets, size_t max)
{
    const char *pid = cli_env("LISTEN_PID", NULL);
    const char *count = cli_env("LISTEN_FDS", NULL);
    uint64_t value = 0;

    if (pid == NULL || count == NULL || !lb_str_to_u64(lb_cstr(pid), &value) ||
        value != (uint64_t)getpid() || !lb_str_to_u64(lb_cstr(count), &value))
        return 0;
    size_t taken = value < max ? (size_t)value : max;
    for (size_t i = 0; i < taken; i++)
        sockets[i] = SOCKETS_FIRST + (int)i;
    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return taken;
}

/* As many descriptors as we may have: each stream needs two. */
static void raise_limits(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

/* ---- Signals --------------------------------------------------------------------------------- */

static void server_ended(void *context)
{
    struct serve *serve = LB_CAST(struct serve, context, SERVE_MAGIC);

    ln_loop_stop(serve->loop);
}

static void begin_drain(struct serve *serve)
{
    int64_t limit = serve->draining ? 0 : serve->drain_timeout_ms;

    serve->draining = true;
    le_server_drain(serve->server, limit);
}

/* The same command line and environment, the file of now. */
static llmgr_status read_options(struct serve *serve, struct cli_app *fresh,
                                 struct llmgr_error *err)
{
    llmgr_status status = lc_options_init(&fresh->options, &fresh->host, err);

    if (status == LLMGR_OK)
        status =
            cli_args_read(serve->app->argc, serve->app->argv, &fresh->args, &fresh->options, err);
    if (status == LLMGR_OK)
        status = lc_options_env(&fresh->options, cli_env, NULL, err);
    return status == LLMGR_OK ? cli_config(fresh, err) : status;
}

static void close_file(struct cli_app *fresh)
{
    cli_close(fresh);
    lc_options_free(&fresh->options);
}

/* What the new file says and this process cannot do any more. */
static void tell_restarts(const struct lc_options *now, const struct lc_options *fresh)
{
    size_t count;
    const struct lc_option_row *rows = lc_option_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].reload == LC_RELOAD_LIVE || !lc_option_differs(now, fresh, rows[i].id))
            continue;
        cli_note(_("'%s' has changed: it takes effect at the next start"),
                 rows[i].key != NULL ? rows[i].key : rows[i].env);
    }
}

static llmgr_status take_over(struct serve *serve, struct cli_app *fresh, struct llmgr_error *err)
{
    struct lc_options *options = &fresh->options;
    struct lg_settings settings = {0};
    llmgr_status status = LLMGR_OK;

    cli_warn_of_config(fresh);
    if (fresh->config != NULL)
        status = llmgr_sync(serve->app->manager, fresh->config, false, NULL, err);
    if (status != LLMGR_OK)
        return status;
    tell_restarts(&serve->app->options, options);
    options->mode = serve->app->options.mode; /* cannot change while running */
    status = fill_settings(options, &settings, err);
    if (status == LLMGR_OK)
        status = le_server_reload(serve->server, &settings, options->access_log, err);
    if (status == LLMGR_OK)
        serve->drain_timeout_ms = options->drain_timeout_ms;
    return status;
}

static void reload_config(struct serve *serve)
{
    struct cli_app fresh = {.host = serve->app->host};
    struct llmgr_error err = {0};

    llmgr_status status = read_options(serve, &fresh, &err);
    if (status == LLMGR_OK)
        status = take_over(serve, &fresh, &err);
    close_file(&fresh);
    if (status == LLMGR_OK)
        cli_note("%s", _("the configuration was read anew"));
    else
        cli_note(_("the configuration stays as it was: %s"), err.message);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct serve *serve = LB_CAST(struct serve, handle->data, SERVE_MAGIC);

    if (number == SIGHUP)
        reload_config(serve);
    else
        begin_drain(serve);
}

static void watch_signals(struct serve *serve)
{
    static const int NUMBERS[SIGNALS] = {SIGTERM, SIGINT, SIGHUP};

    for (size_t i = 0; i < SIGNALS; i++) {
        uv_signal_init(ln_loop_uv(serve->loop), &serve->signals[i]);
        serve->signals[i].data = serve;
        uv_signal_start(&serve->signals[i], on_signal, NUMBERS[i]);
    }
}

static void stop_watching(struct serve *serve)
{
    for (size_t i = 0; i < SIGNALS; i++)
        uv_close((uv_handle_t *)&serve->signals[i], NULL);
}

/* ---- /api/sync: on a thread of the server's -------------------------------------------------- */

/* The file as it is now, in `fresh`, which the caller ends whatever this returns. */
static llmgr_status open_file(struct serve *serve, struct cli_app *fresh, struct llmgr_error *err)
{
    llmgr_status status = read_options(serve, fresh, err);

    if (status == LLMGR_OK && fresh->config == NULL)
        status = lb_fail(err, LLMGR_ERR_CONFLICT,
                         N_("there is no llmgr.yaml here or in /etc/llmgr to synchronise with"));
    return status;
}

static llmgr_status sync_now(void *context, bool dry_run, struct llmgr_sync_report *report,
                             struct llmgr_error *err)
{
    struct serve *serve = LB_CAST(struct serve, context, SERVE_MAGIC);
    struct cli_app fresh = {.host = serve->app->host};

    llmgr_status status = open_file(serve, &fresh, err);
    if (status == LLMGR_OK)
        status = llmgr_sync(serve->app->manager, fresh.config, dry_run, report, err);
    close_file(&fresh);
    return status;
}

static llmgr_status check_now(void *context, llmgr_sync_state *state, struct llmgr_error *err)
{
    struct serve *serve = LB_CAST(struct serve, context, SERVE_MAGIC);
    struct cli_app fresh = {.host = serve->app->host};

    llmgr_status status = open_file(serve, &fresh, err);
    if (status == LLMGR_OK)
        status = llmgr_sync_check(serve->app->manager, fresh.config, state, err);
    close_file(&fresh);
    return status;
}

/* ---- The command ----------------------------------------------------------------------------- */

static const char *state_home(struct lb_buf *path)
{
    const char *home = cli_env("XDG_STATE_HOME", NULL);

    if (home != NULL && home[0] == '/')
        return home;
    home = cli_env("HOME", NULL);
    if (home == NULL || home[0] != '/')
        return "/var/lib";
    lb_buf_addf(path, "%s/.local/state", home);
    return lb_buf_c(path);
}

static llmgr_status start_serving(struct serve *serve, struct llmgr_error *err)
{
    const struct lc_options *from = &serve->app->options;
    int sockets[LG_LISTENERS_MAX];
    struct lb_buf state;
    lb_buf_init(&state, &serve->app->host, 4095);
    struct le_server_options options = {
        .listen = from->listen.items,
        .inherited = sockets,
        .inherited_count = inherited_sockets(sockets, LG_LISTENERS_MAX),
        .workers = (unsigned)from->workers,
        .spin_us = (unsigned)from->spin_us,
        .connections_max = (unsigned)from->connections_max,
        .tls_cert = from->tls_cert,
        .tls_key = from->tls_key,
        .need_token = from->mode != LLMGR_MODE_SINGLE,
        .access_log = from->access_log,
        .journal_dir = from->journal_dir,
        .probe_after_ms = from->probe_after_ms,
        .journal_max = from->journal_max,
        .state_home = state_home(&state),
        .config = &serve->config,
        .ended = server_ended,
        .ended_context = serve,
    };

    llmgr_status status = fill_settings(from, &options.settings, err);
    if (status == LLMGR_OK)
        status = le_server_start(serve->app->manager, &options, &serve->server, err);
    lb_buf_free(&state);
    return status;
}

static void say_ready(const struct serve *serve)
{
    struct lb_buf places;

    lb_buf_init(&places, &serve->app->host, 8192);
    le_server_places(serve->server, &places);
    printf("llmgr listening on %s\n", lb_buf_c(&places));
    fflush(stdout);
    lb_buf_free(&places);
}

llmgr_status cli_run_serve(struct cli_app *app, struct llmgr_error *err)
{
    struct serve serve = {
        .magic = SERVE_MAGIC, .app = app, .drain_timeout_ms = app->options.drain_timeout_ms};

    serve.config = (struct lp_config_hooks){sync_now, check_now, &serve};
    raise_limits();
    lb_give_memory_back();
    /* Who read our log may leave: that ends the log, not the gateway. */
    (void)signal(SIGPIPE, SIG_IGN);
    llmgr_status status = cli_open(app, CLI_OPEN_AS_IT_IS, err);
    cli_warn_of_config(app);
    if (status == LLMGR_OK && app->config != NULL)
        status = llmgr_sync(app->manager, app->config, false, NULL, err);
    if (status == LLMGR_OK)
        status = ln_loop_new(&app->host, NULL, &serve.loop, err);
    if (status != LLMGR_OK)
        return status;
    watch_signals(&serve); /* before the threads: a signal in between is not lost */
    status = start_serving(&serve, err);
    if (status == LLMGR_OK) {
        say_ready(&serve);
        ln_loop_run(serve.loop);
        le_server_free(serve.server);
    }
    stop_watching(&serve);
    ln_loop_free(serve.loop);
    return status;
}
