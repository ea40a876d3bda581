/* SPDX-License-Identifier: MIT */
/* The scripted upstream as a program. Prints one line when it is ready; SIGTERM and SIGINT end it.
 */
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "mock.h"
#include "net/loop.h"

static void help(FILE *to)
{
    fputs("usage: mockllm [--host ADDR] [--port N] [--tls CERT KEY] [--record FILE] [--quiet]\n"
          "               [--models A,B=TYPE,C] [--models-mode ok|nolist|html|v1only|STATUS] "
          "[--require-key KEY]\n\n"
          "An OpenAI-compatible upstream for tests. GET /_mock/requests tells what it was sent,\n"
          "DELETE /_mock/requests forgets it. Behaviours, by model name or in the header X-Mock,\n"
          "joined by '+' (mock-crlf+chunks-40); mock-NNN is an error of that status:\n\n",
          to);
    mock_how_help(to);
}

static int usage(const char *what)
{
    fprintf(stderr, "mockllm: %s\n", what);
    help(stderr);
    return 2;
}

/* The option's member, or NULL. */
static const char **member_of(struct mock_options *options, const char **host, const char **port,
                              const char *name)
{
    if (strcmp(name, "--host") == 0)
        return host;
    if (strcmp(name, "--port") == 0)
        return port;
    if (strcmp(name, "--record") == 0)
        return &options->record_file;
    if (strcmp(name, "--models") == 0)
        return &options->models;
    if (strcmp(name, "--models-mode") == 0)
        return &options->models_mode;
    if (strcmp(name, "--require-key") == 0)
        return &options->require_key;
    return NULL;
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    ln_loop_stop(handle->data);
}

static int serve(struct mock_options *options, const char *host)
{
    struct lb_host lb;
    struct ln_loop *loop = NULL;
    struct mock *mock = NULL;
    struct llmgr_error err = {0};
    uv_signal_t signals[2];

    lb_host_init(&lb);
    if (ln_loop_new(&lb, NULL, &loop, &err) != LLMGR_OK ||
        mock_new(loop, options, &mock, &err) != LLMGR_OK) {
        fprintf(stderr, "mockllm: %s\n", err.message);
        ln_loop_free(loop);
        return 1;
    }
    for (int i = 0; i < 2; i++) {
        uv_signal_init(ln_loop_uv(loop), &signals[i]);
        signals[i].data = loop;
        uv_signal_start(&signals[i], on_signal, i == 0 ? SIGTERM : SIGINT);
    }
    printf("mockllm listening on %s://%s:%u/v1\n", options->cert_file != NULL ? "https" : "http",
           host, mock_port(mock));
    fflush(stdout);
    ln_loop_run(loop);
    for (int i = 0; i < 2; i++)
        uv_close((uv_handle_t *)&signals[i], NULL);
    mock_free(mock);
    ln_loop_free(loop);
    return 0;
}

int main(int argc, char **argv)
{
    struct mock_options options = {0};
    const char *host = "127.0.0.1", *port = "0";
    char address[300];

    for (int i = 1; i < argc; i++) {
        const char **member = member_of(&options, &host, &port, argv[i]);
        if (strcmp(argv[i], "--help") == 0) {
            help(stdout);
            return 0;
        }
        if (strcmp(argv[i], "--quiet") == 0) {
            options.quiet = true;
        } else if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
            options.cert_file = argv[++i];
            options.key_file = argv[++i];
        } else if (member != NULL && i + 1 < argc) {
            *member = argv[++i];
        } else {
            return usage("an option is unknown or lacks its value");
        }
    }
    snprintf(address, sizeof address, strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s", host, port);
    options.address = address;
    return serve(&options, host);
}
