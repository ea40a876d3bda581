/* SPDX-License-Identifier: MIT */
/*
 * What stands between a command line and an open manager: the file and .env that were found, the
 * master key's place, the first synchronisation. This and main.c are the only readers of the
 * process's environment.
 */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/str.h"
#include "base/when.h"
#include "library/library.h"

enum { KEY_LINE_MAX = 4096 };
#define MASTER_KEY_VARIABLE "LLMGR_MASTER_KEY"
#define GATEWAY_TOKEN_VARIABLE "LLMGR_GATEWAY_TOKEN"

static const char *const CONFIG_PLACES[] = {"llmgr.yaml", "/etc/llmgr/llmgr.yaml"};

const char *cli_env(const char *name, void *context)
{
    (void)context;
    return getenv(name);
}

const char *cli_user(const struct cli_app *app)
{
    return app->options.user;
}

const char *cli_acting(const struct cli_app *app)
{
    return cli_flag(app, CLI_FLAG_everybody) != NULL ? NULL : cli_user(app);
}

const char *cli_flag(const struct cli_app *app, enum cli_flag_id id)
{
    return app->args.flags[id];
}

llmgr_status cli_id(const char *what, const char *text, int64_t *id, struct llmgr_error *err)
{
    if (lb_str_to_i64(lb_cstr(text), id) && *id > 0)
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID, N_("%s must be a number as the lists show it, not '%s'"),
                   what, text);
}

llmgr_status cli_time(const struct cli_app *app, enum cli_flag_id id, int64_t *ms,
                      struct llmgr_error *err)
{
    const char *text = cli_flag(app, id);
    size_t count;

    if (text == NULL || lb_when_parse(lb_cstr(text), lb_now_ms(&app->host), ms))
        return LLMGR_OK;
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("%s \"%s\" is no time: write 2026-01-31, 2026-01-31T12:00 (UTC), "
                      "2026-01-31T12:00:00+08:00, or an age such as 90m, 24h, 7d"),
                   cli_flag_rows(&count)[id].name, text);
}

/* ---- Configuration --------------------------------------------------------------------------- */

static llmgr_status find_config(struct cli_app *app, struct llmgr_error *err)
{
    const char *found = app->options.config;

    for (size_t i = 0; found == NULL && i < sizeof CONFIG_PLACES / sizeof CONFIG_PLACES[0]; i++) {
        if (access(CONFIG_PLACES[i], F_OK) == 0)
            found = CONFIG_PLACES[i];
    }
    if (found == NULL)
        return LLMGR_OK;
    app->config_path = lb_strdup(&app->host, found);
    return app->config_path != NULL ? LLMGR_OK : lb_fail_memory(err);
}

/* Its keys are what a platform is paid with. Others' files are others' business. */
static void warn_of_dotenv(const struct cli_app *app)
{
    struct stat about;
    const char *path = app->options.env_file;

    if (path != NULL && stat(path, &about) == 0 && S_ISREG(about.st_mode) &&
        (about.st_mode & S_IROTH) != 0)
        cli_note(_("every user of this machine can read %s, which is for keys (mode %04o); run "
                   "'chmod 600 %s'"),
                 path, (unsigned)(about.st_mode & 07777), path);
}

static bool runs_command(const struct cli_app *app, const char *noun)
{
    return strcmp(app->args.command->noun, noun) == 0;
}

void cli_warn_of_config(const struct cli_app *app)
{
    struct lb_str rest = lb_cstr(app->config != NULL ? llmgr_config_warnings(app->config) : "");

    while (rest.size != 0) {
        size_t end = lb_str_find(rest, '\n');
        cli_note("%.*s", (int)end, rest.p);
        rest = lb_str_sub(rest, end + 1, rest.size);
    }
}

llmgr_status cli_config(struct cli_app *app, struct llmgr_error *err)
{
    llmgr_status status = find_config(app, err);
    if (status != LLMGR_OK || app->config_path == NULL)
        return status;
    const struct llmgr_config_source source = {
        .size = sizeof source,
        .path = app->config_path,
        .dotenv_path = app->options.env_file,
        .env = cli_env,
    };
    struct llmgr_error why = {0};
    status = llmgr_config_read(&source, &app->config, &why);
    if (status == LLMGR_ERR_NOT_FOUND && runs_command(app, "init"))
        return LLMGR_OK; /* it writes the file */
    if (status == LLMGR_ERR_NOT_FOUND)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("there is no configuration file %s; `llmgr init` writes one here"),
                       app->config_path);
    if (status != LLMGR_OK) {
        if (err != NULL)
            *err = why;
        return status;
    }
    if (runs_command(app, "serve") || runs_command(app, "init"))
        warn_of_dotenv(app);
    return lc_options_file(&app->options, app->config->file, err);
}

/* ---- The master key's place ------------------------------------------------------------------ */

/*
 * Without an option the key lies in the user's configuration folder: beside, never in, the folder
 * of the database, and outside of any project that is copied or committed.
 */
static llmgr_status default_key_path(struct cli_app *app, struct llmgr_error *err)
{
    const char *credentials = getenv("CREDENTIALS_DIRECTORY");
    const char *config_home = getenv("XDG_CONFIG_HOME");
    const char *home = getenv("HOME");
    struct lb_buf path;

    lb_buf_init(&path, &app->host, 4095);
    if (credentials != NULL && credentials[0] != '\0') {
        lb_buf_addf(&path, "%s/llmgr-master-key", credentials);
        if (path.failed == LLMGR_OK && access(lb_buf_c(&path), F_OK) != 0)
            lb_buf_reset(&path);
    }
    if (path.size == 0 && config_home != NULL && config_home[0] == '/')
        lb_buf_addf(&path, "%s/llmgr/master.key", config_home);
    if (path.size == 0 && home != NULL && home[0] == '/')
        lb_buf_addf(&path, "%s/.config/llmgr/master.key", home);
    if (path.size == 0) {
        lb_buf_free(&path);
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("there is no place for the master key: set HOME, master_key_file in "
                          "llmgr.yaml, or LLMGR_MASTER_KEY_FILE"));
    }
    app->master_key_path = lb_buf_take(&path);
    lb_buf_free(&path);
    return app->master_key_path != NULL ? LLMGR_OK : lb_fail_memory(err);
}

/*
 * Takes a secret out of the environment: the place in memory where other programs of the user may
 * read it (/proc/PID/environ) is wiped, and no child inherits it. *taken is NULL if it is not set.
 */
static llmgr_status take_secret(struct cli_app *app, const char *name, char **taken,
                                struct llmgr_error *err)
{
    char *value = getenv(name);

    *taken = NULL;
    if (value == NULL)
        return LLMGR_OK;
    *taken = lb_strdup(&app->host, value);
    llmgr_wipe(value, strlen(value));
    unsetenv(name);
    return *taken != NULL ? LLMGR_OK : lb_fail_memory(err);
}

static llmgr_status take_master_key(struct cli_app *app, struct llmgr_error *err)
{
    return getenv(MASTER_KEY_VARIABLE) != NULL
               ? take_secret(app, MASTER_KEY_VARIABLE, &app->master_key, err)
               : LLMGR_OK;
}

static void drop_master_key(struct cli_app *app)
{
    if (app->master_key != NULL)
        lb_free_secret(&app->host, app->master_key, strlen(app->master_key));
    app->master_key = NULL;
}

static llmgr_status choose_key(struct cli_app *app, struct llmgr_options *options,
                               struct llmgr_error *err)
{
    options->master_key_create = true;
    if (options->master_key_file != NULL || options->master_key_command != NULL)
        return LLMGR_OK;
    options->master_key = app->master_key;
    if (options->master_key != NULL)
        return LLMGR_OK;
    llmgr_status status = default_key_path(app, err);
    options->master_key_file = app->master_key_path;
    return status;
}

/* ---- Opening --------------------------------------------------------------------------------- */

static void log_line(llmgr_log_level level, const char *text, void *context)
{
    static const char *const NAMES[] = {"error", "warning", "info", "debug"};

    (void)context;
    fprintf(stderr, "llmgr: %s: %s\n", NAMES[level], text);
}

static void tell_stale(const struct cli_app *app)
{
    cli_note(_("%s has changed since the last synchronisation; run `llmgr sync`"),
             app->config_path);
}

/* A database that was never synchronised is; one that has fallen behind the file is told of. */
static llmgr_status first_sync(struct cli_app *app, struct llmgr_error *err)
{
    llmgr_sync_state state;

    if (app->config == NULL)
        return LLMGR_OK;
    llmgr_status status = llmgr_sync_check(app->manager, app->config, &state, err);
    if (status != LLMGR_OK)
        return status;
    if (state == LLMGR_SYNC_NEVER) {
        cli_warn_of_config(app);
        return llmgr_sync(app->manager, app->config, false, NULL, err);
    }
    if (state == LLMGR_SYNC_STALE)
        tell_stale(app);
    return LLMGR_OK;
}

/*
 * For what needs no stored key: where the master key cannot be had, tokens can still be revoked. A
 * database that is older, or was never synchronised, is opened as for every other command.
 */
static bool open_keyless(struct cli_app *app, const struct llmgr_options *options)
{
    struct llmgr_options keyless = *options;
    struct llmgr_error ignored = {0};
    llmgr_sync_state state = LLMGR_SYNC_CURRENT;

    keyless.without_keys = true;
    llmgr_status status = llmgr_open(&keyless, &app->manager, &ignored);
    if (status == LLMGR_OK && app->config != NULL)
        status = llmgr_sync_check(app->manager, app->config, &state, &ignored);
    if (status == LLMGR_OK && state == LLMGR_SYNC_STALE)
        tell_stale(app);
    if (status == LLMGR_OK && state != LLMGR_SYNC_NEVER)
        return true;
    llmgr_close(app->manager);
    app->manager = NULL;
    return false;
}

llmgr_status cli_open(struct cli_app *app, enum cli_open how, struct llmgr_error *err)
{
    struct llmgr_options options;

    llmgr_options_init(&options);
    la_options_from(&app->options, &options);
    options.log = log_line;
    options.log_level = (llmgr_log_level)app->options.log_level;
    llmgr_status status = take_master_key(app, err);
    if (status == LLMGR_OK && how == CLI_OPEN_KEYLESS && open_keyless(app, &options)) {
        drop_master_key(app);
        return LLMGR_OK;
    }
    if (status == LLMGR_OK)
        status = choose_key(app, &options, err);
    if (status == LLMGR_OK)
        status = llmgr_open(&options, &app->manager, err);
    drop_master_key(app);
    if (status == LLMGR_OK && how != CLI_OPEN_AS_IT_IS)
        status = first_sync(app, err);
    return status;
}

llmgr_status cli_open_with_id(struct cli_app *app, int64_t *id, struct llmgr_error *err)
{
    llmgr_status status = cli_id("ID", app->args.positionals[0], id, err);
    return status == LLMGR_OK ? cli_open(app, CLI_OPEN_SYNC, err) : status;
}

void cli_close(struct cli_app *app)
{
    llmgr_close(app->manager);
    llmgr_config_free(app->config);
    lb_free(&app->host, app->config_path);
    lb_free(&app->host, app->master_key_path);
    app->manager = NULL;
    app->config = NULL;
    app->config_path = NULL;
    app->master_key_path = NULL;
}

/* ---- Keys ------------------------------------------------------------------------------------ */

static llmgr_status read_key_line(char *line, size_t *size, struct llmgr_error *err)
{
    size_t used = 0;

    for (;;) {
        ssize_t got = read(STDIN_FILENO, line + used, KEY_LINE_MAX + 2 - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lb_fail(err, LLMGR_ERR_IO, N_("the key cannot be read from standard input"));
        used += (size_t)got;
        if (got == 0 || memchr(line, '\n', used) != NULL)
            break;
        if (used > KEY_LINE_MAX)
            return lb_fail(err, LLMGR_ERR_TOO_LARGE, N_("an API key has at most %d bytes"),
                           KEY_LINE_MAX);
    }
    *size = strcspn(line, "\r\n");
    if (*size == 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("standard input holds no key; try: printf %%s \"$KEY\" | llmgr …"));
    return LLMGR_OK;
}

static llmgr_status key_from_stdin(struct cli_app *app, const char *prompt, char **key,
                                   struct llmgr_error *err)
{
    char *line = lb_calloc(&app->host, 1, KEY_LINE_MAX + 3);
    size_t size = 0;

    if (line == NULL)
        return lb_fail_memory(err);
    if (isatty(STDIN_FILENO) != 0)
        fputs(prompt, stderr);
    llmgr_status status = read_key_line(line, &size, err);
    if (status == LLMGR_OK) {
        *key = lb_strndup(&app->host, line, size);
        if (*key == NULL)
            status = lb_fail_memory(err);
    }
    lb_free_secret(&app->host, line, KEY_LINE_MAX + 3);
    return status;
}

llmgr_status cli_key(struct cli_app *app, char **key, struct llmgr_error *err)
{
    const char *name = cli_flag(app, CLI_FLAG_key_env);

    *key = NULL;
    if (cli_flag(app, CLI_FLAG_key_stdin) != NULL)
        return key_from_stdin(app, _("API key: "), key, err);
    if (name == NULL)
        return LLMGR_OK;
    const char *value = getenv(name);
    if (value == NULL || value[0] == '\0')
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the environment variable %s is not set"), name);
    *key = lb_strdup(&app->host, value);
    return *key != NULL ? LLMGR_OK : lb_fail_memory(err);
}

llmgr_status cli_key_wanted(struct cli_app *app, char **key, struct llmgr_error *err)
{
    llmgr_status status = cli_key(app, key, err);

    if (status == LLMGR_OK && *key == NULL)
        status = lb_fail(err, LLMGR_ERR_INVALID,
                         N_("say where the key comes from: --key-stdin or --key-env VAR"));
    return status;
}

llmgr_status cli_token(struct cli_app *app, char **token, struct llmgr_error *err)
{
    llmgr_status status = take_secret(app, GATEWAY_TOKEN_VARIABLE, token, err);

    if (status != LLMGR_OK || cli_flag(app, CLI_FLAG_token_stdin) == NULL)
        return status;
    cli_key_free(app, *token);
    *token = NULL;
    return key_from_stdin(app, _("Token: "), token, err);
}

void cli_key_free(struct cli_app *app, char *key)
{
    if (key != NULL)
        lb_free_secret(&app->host, key, strlen(key));
}
