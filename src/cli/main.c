/* SPDX-License-Identifier: MIT */
/*
 * llmgr: the program. Reads the command line, runs the command it names, and turns the outcome
 * into an exit code; every message that goes wrong leaves through one door, fail().
 */
#include <libintl.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "cli/cli.h"
#include "documents/write.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LLMGR_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) ||                         \
    __has_feature(memory_sanitizer)
#define LLMGR_SANITIZED
#endif
#endif

/*
 * Messages follow the locale, except with --json, whose reader is a program. A locale that is
 * asked for but not installed (common in containers) still chooses the language.
 */
static void set_language(bool json)
{
    static const char *const VARIABLES[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    const char *folder = cli_env("LLMGR_LOCALEDIR", NULL);
    const char *wanted = NULL;

    if (json) {
        setlocale(LC_CTYPE, "C.UTF-8");
        return;
    }
    for (size_t i = 0; wanted == NULL && i < sizeof VARIABLES / sizeof VARIABLES[0]; i++) {
        wanted = cli_env(VARIABLES[i], NULL);
        if (wanted != NULL && wanted[0] == '\0')
            wanted = NULL;
    }
    if (setlocale(LC_ALL, "") == NULL && setlocale(LC_ALL, "C.UTF-8") != NULL && wanted != NULL &&
        strncmp(wanted, "zh", 2) == 0)
        setenv("LANGUAGE", "zh_CN", 0);
    bindtextdomain("llmgr", folder != NULL ? folder : LLMGR_LOCALEDIR);
    bind_textdomain_codeset("llmgr", "UTF-8");
}

/* Known before the command line is read, since its own errors already need a language. */
static bool wants_json(int argc, char **argv)
{
    const char *said = cli_env("LLMGR_JSON", NULL);

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--json") == 0)
            return true;
    }
    return said != NULL && (strcmp(said, "1") == 0 || strcmp(said, "true") == 0);
}

/* With --json the last line of stderr is one document; lines of the log may stand before it. */
static int fail(const struct cli_app *app, llmgr_status status, const struct llmgr_error *err)
{
    const char *text = err->message[0] != '\0' ? err->message : _(llmgr_status_text(status));
    int code = llmgr_status_exit(status);

    fflush(stdout);
    if (!cli_json(app)) {
        cli_note("%s", text);
        return code;
    }
    const struct lx_failure_report report = {{status, code, text}};
    json_t *document = lx_json_failure_report(&report);
    if (document == NULL || json_dumpf(document, stderr, JSON_COMPACT) != 0)
        cli_note("%s", text);
    fputc('\n', stderr);
    json_decref(document);
    return code;
}

static llmgr_status run(struct cli_app *app, int argc, char **argv, struct llmgr_error *err)
{
    llmgr_status status = lc_options_init(&app->options, &app->host, err);
    if (status == LLMGR_OK)
        status = cli_args_read(argc, argv, &app->args, &app->options, err);
    if (status != LLMGR_OK)
        return status;
    if (app->args.version) {
        printf("llmgr %s\n", llmgr_version());
        return LLMGR_OK;
    }
    if (app->args.help)
        return cli_help(app->args.positionals[0], app->args.positionals[1], err);
    status = lc_options_env(&app->options, cli_env, NULL, err);
    if (status == LLMGR_OK && strcmp(app->args.command->noun, "help") != 0)
        status = cli_config(app, err);
    return status == LLMGR_OK ? app->args.command->run(app, err) : status;
}

/*
 * A crash leaves no image of memory behind, and no other process of the user may look inside: both
 * would hold keys. Sanitizers look inside themselves.
 */
static void close_curtains(void)
{
    const struct rlimit none = {0, 0};

    (void)setrlimit(RLIMIT_CORE, &none);
#if defined(__linux__) && !defined(LLMGR_SANITIZED)
    (void)prctl(PR_SET_DUMPABLE, 0);
#endif
}

/* Also one without a scheme, or with half of it, that is refused later. */
static bool bears_password(struct lb_str url)
{
    size_t scheme = lb_str_starts(url, LB_STR("sqlite:"))         ? url.size
                    : lb_str_starts(url, LB_STR("postgres://"))   ? 11
                    : lb_str_starts(url, LB_STR("postgresql://")) ? 13
                                                                  : 0;
    struct lb_str rest = lb_str_sub(url, scheme, url.size);

    return lb_str_find(rest, ':') < lb_str_find(rest, '@') && lb_str_find(rest, '@') < rest.size;
}

/* In a query, or where the word stands: "?password=", "&sslpassword=". */
static bool names_password(const char *url)
{
    return strncmp(url, "sqlite:", 7) != 0 && strstr(url, "password") != NULL &&
           strchr(url, '=') != NULL;
}

/*
 * Every user of the machine sees the arguments of every process: a password among them is taken out
 * of there, first of all, and kept where only we look. False: there was none.
 */
static bool take_passwords(const struct lb_host *host, int argc, char **argv)
{
    bool found = false;

    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        char *url = strncmp(argv[i], "--db=", 5) == 0  ? argv[i] + 5
                    : strcmp(argv[i - 1], "--db") == 0 ? argv[i]
                                                       : NULL;
        if (url == NULL || (!bears_password(lb_cstr(url)) && !names_password(url)))
            continue;
        char *copy = lb_strdup(host, argv[i]);
        if (copy == NULL)
            continue;
        memset(url, '*', strlen(url));
        argv[i] = copy;
        found = true;
    }
    return found;
}

int main(int argc, char **argv)
{
    struct cli_app app = {0};
    struct llmgr_error err = {0};

    lb_host_init(&app.host);
    bool shown = take_passwords(&app.host, argc, argv);
    close_curtains();
    /* A limit of file sizes (ulimit -f) is a full disk to us, not the end. */
    (void)signal(SIGXFSZ, SIG_IGN);
    set_language(wants_json(argc, argv));
    if (shown)
        cli_note("%s", _("a password on the command line is seen by others and kept by the shell; "
                         "put the database's URL into LLMGR_DB or llmgr.yaml, or the password into "
                         "~/.pgpass"));
    app.argc = argc;
    app.argv = argv;
    llmgr_status status = run(&app, argc, argv, &err);
    int code = status == LLMGR_OK ? 0 : fail(&app, status, &err);
    cli_close(&app);
    lc_options_free(&app.options);
    if ((fflush(stdout) != 0 || ferror(stdout) != 0) && code == 0) {
        cli_note("%s", _("the output cannot be written"));
        code = llmgr_status_exit(LLMGR_ERR_IO);
    }
    return code;
}
