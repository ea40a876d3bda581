/* SPDX-License-Identifier: MIT */
/*
 * What the commands share: their arguments, the open manager, and the two ways to print a result
 * (a table for people, one JSON document for programs).
 */
#ifndef CLI_H
#define CLI_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/host.h"
#include "config/fixed_headers.h"
#include "config/options.h"
#include "llmgr.h"

#define _(text) lb_tr(text)

/* ---- Arguments ------------------------------------------------------------------------------- */

enum cli_flag_id {
#define CLI_FLAG(id, ...) CLI_FLAG_##id,
#include "cli/flags.def"
#undef CLI_FLAG
    CLI_FLAG_COUNT
};

struct cli_flag_row {
    const char *noun; /* behind which alone it stands, or noun and verb; NULL: any */
    const char *name;
    const char *label; /* NULL: a switch */
    const char *help;  /* msgid */
};

enum {
    CLI_POSITIONAL_MAX = 4,
    CLI_TARGETS_MAX = LLMGR_ROUTE_TARGETS_MAX + 1, /* one more than a route takes, who says so */
    CLI_PROVIDERS_MAX = 200 /* platforms of which one import is told which provider they are */
};

struct cli_app;

struct cli_command {
    const char *noun;
    const char *verb; /* NULL: the noun alone */
    const char *positionals;
    const char *flags;
    const char *help; /* msgid */
    llmgr_status (*run)(struct cli_app *app, struct llmgr_error *err);
};

const struct cli_command *cli_commands(size_t *count);
const struct cli_flag_row *cli_flag_rows(size_t *count);
/* What a flag's name means behind these words, NULL where a word is not there. NULL: nothing. */
const struct cli_flag_row *cli_flag_find(struct lb_str name, const char *noun, const char *verb);
/* Walks the words of a row's `positionals` or `flags`: false at the end. '!' is cut and told. */
bool cli_next_word(const char **at, struct lb_str *word, bool *required);

struct cli_args {
    const struct cli_command *command;
    const char *flags[CLI_FLAG_COUNT];       /* value; "" for a switch; NULL: not given */
    const char *headers[LC_FIXED_COUNT_MAX]; /* each --header */
    size_t header_count;
    const char *positionals[CLI_POSITIONAL_MAX];
    size_t positional_count;
    const char *targets[CLI_TARGETS_MAX]; /* each value of --target */
    size_t target_count;
    const char *providers[CLI_PROVIDERS_MAX]; /* each value of --platform of `price import` */
    size_t provider_count;
    bool help; /* --help or -h anywhere */
    bool version;
};

/*
 * Reads the command line against the tables; global options go to `options`. ERR_INVALID says what
 * is wrong and what was perhaps meant. With help or version the command may be NULL.
 */
LLMGR_MUST_CHECK llmgr_status cli_args_read(int argc, char **argv, struct cli_args *args,
                                            struct lc_options *options, struct llmgr_error *err);

/* Help to stdout: of everything, of a noun, or of one command (NULLs: everything). */
LLMGR_MUST_CHECK llmgr_status cli_help(const char *noun, const char *verb, struct llmgr_error *err);
/* "llmgr platform add --name NAME --base-url URL [--key-env VAR]" */
void cli_synopsis(const struct cli_command *command, struct lb_buf *out);
/* The manual page (roff), made from the tables. */
void cli_man(struct lb_buf *out);
/* Completion for bash, zsh or fish, made from the tables; ERR_INVALID for another shell. */
LLMGR_MUST_CHECK llmgr_status cli_completion(const char *shell, struct lb_buf *out,
                                             struct llmgr_error *err);

/* ---- The run --------------------------------------------------------------------------------- */

struct cli_app {
    struct lb_host host;
    int argc; /* the command line as given */
    char **argv;
    struct cli_args args;
    struct lc_options options;
    char *config_path;           /* the file in use; NULL: none was found */
    char *master_key_path;       /* where the master key is kept if no option says; or NULL */
    char *master_key;            /* from the environment, while the manager opens; else NULL */
    struct llmgr_config *config; /* NULL without a file */
    struct llmgr *manager;       /* NULL until cli_open */
};

/* Finds and reads llmgr.yaml and .env: their options into app->options, the rest into app->config.
 * No file found is no error, unless --config named it. */
/* Says what llmgr_config_warnings does, before what was read is used. */
void cli_warn_of_config(const struct cli_app *app);
LLMGR_MUST_CHECK llmgr_status cli_config(struct cli_app *app, struct llmgr_error *err);

enum cli_open {
    CLI_OPEN_SYNC,     /* synchronises a database that never was; tells if the file changed since */
    CLI_OPEN_KEYLESS,  /* the same, and asks for no master key unless it must synchronise */
    CLI_OPEN_AS_IT_IS, /* no synchronisation: the command does it, or must not */
};
/* Opens app->manager as the options say. */
LLMGR_MUST_CHECK llmgr_status cli_open(struct cli_app *app, enum cli_open how,
                                       struct llmgr_error *err);
/* The same for a command whose first argument is an ID. */
LLMGR_MUST_CHECK llmgr_status cli_open_with_id(struct cli_app *app, int64_t *id,
                                               struct llmgr_error *err);
void cli_close(struct cli_app *app);

/* The user who acts. */
const char *cli_user(const struct cli_app *app);
/* With --system the operator acts, whoever -u names. */
const char *cli_acting(const struct cli_app *app);
/* A flag's value, "" for a switch, NULL if it was not given. */
const char *cli_flag(const struct cli_app *app, enum cli_flag_id id);
/* The text of an id as a number; ERR_INVALID names `what`. */
LLMGR_MUST_CHECK llmgr_status cli_id(const char *what, const char *text, int64_t *id,
                                     struct llmgr_error *err);
/* A flag's point in time; without the flag *ms stays. ERR_INVALID names it, and how times are
 * written. */
LLMGR_MUST_CHECK llmgr_status cli_time(const struct cli_app *app, enum cli_flag_id id, int64_t *ms,
                                       struct llmgr_error *err);
/*
 * The API key from --key-stdin (one line) or --key-env; *key is NULL if neither was given, else
 * ended by cli_key_free, which wipes it.
 */
LLMGR_MUST_CHECK llmgr_status cli_key(struct cli_app *app, char **key, struct llmgr_error *err);
/* The same, where there must be one: ERR_INVALID says how to give it. */
LLMGR_MUST_CHECK llmgr_status cli_key_wanted(struct cli_app *app, char **key,
                                             struct llmgr_error *err);
void cli_key_free(struct cli_app *app, char *key);
/*
 * The gateway's token from --token-stdin or LLMGR_GATEWAY_TOKEN; *token is NULL if there is none,
 * else ended by cli_key_free.
 */
LLMGR_MUST_CHECK llmgr_status cli_token(struct cli_app *app, char **token, struct llmgr_error *err);
/* The process's environment, as an llmgr_env_fn. */
const char *cli_env(const char *name, void *context);

/* ---- A running gateway ------------------------------------------------------------------------
 */

/* Its API is asked as --gateway or LLMGR_GATEWAY_URL says: gateway.c. */
struct cli_gateway;
LLMGR_MUST_CHECK llmgr_status cli_gateway_open(struct cli_app *app, struct cli_gateway **gateway,
                                               struct llmgr_error *err);
void cli_gateway_close(struct cli_gateway *gateway); /* NULL is fine */
/*
 * One request: `path` begins with "/api/". *answer receives the object that comes, NULL if none
 * does. What the gateway refuses is the error it names; one that does not answer as `llmgr serve`
 * does is ERR_PROTOCOL.
 */
LLMGR_MUST_CHECK llmgr_status cli_gateway_ask(struct cli_gateway *gateway, const char *method,
                                              struct lb_str path, json_t **answer,
                                              struct llmgr_error *err);
/* Adds "?name=value" to a path, or "&…"; a NULL value adds nothing. */
void cli_gateway_query(struct lb_buf *path, const char *name, const char *value);
/* The same for the user who acts, if -u or its like names one: for administrators. */
void cli_gateway_user(const struct cli_app *app, struct lb_buf *path);

/* "key", "account", … in the user's language; NULL for NULL. */
const char *cli_scope(const char *scope);

/* ---- Output ---------------------------------------------------------------------------------- */

bool cli_json(const struct cli_app *app);
/* Prints one JSON document; takes over the reference. NULL (memory) is ERR_NO_MEMORY. */
LLMGR_MUST_CHECK llmgr_status cli_print_json(json_t *document, struct llmgr_error *err);
/* What a change did: `document` with --json, else the line. Takes over the reference. */
LLMGR_MUST_CHECK llmgr_status cli_done(const struct cli_app *app, json_t *document,
                                       struct llmgr_error *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* One line for people on stderr. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/*
 * Writes text that came from outside to a terminal: its control characters, which could move the
 * cursor or worse, become '?'; line ends and tabs stay.
 */
void cli_write_shown(FILE *to, const char *text, size_t size);

/* One line that holds such text, to standard output. */
void cli_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A table that fits the terminal: wide characters aligned, the widest column cut if need be. */
struct cli_table;
/* What is printed as a table; texts are msgids. */
struct cli_table_form {
    const char *const *headings;
    size_t columns;
    const char *empty; /* said instead of a table without rows; NULL: there always are some */
    /* Adds the rows of `list` by cli_table_row; after a failure nothing is printed. */
    llmgr_status (*fill)(struct cli_table *table, const struct cli_app *app, const void *list,
                         struct llmgr_error *err);
};
LLMGR_MUST_CHECK llmgr_status cli_print_table(const struct cli_app *app,
                                              const struct cli_table_form *form, const void *list,
                                              struct llmgr_error *err);
/* Adds a row; a NULL cell is "-". A memory failure is told by cli_print_table. */
void cli_table_row(struct cli_table *table, const char *const *cells);
/* Whose key pays, in the user's language; NULL for NULL. */
const char *cli_payer(const char *payer);
/* Where a system platform or model is changed; NULL for others. */
const char *cli_managed(bool is_sys, const char *managed);
/* As llmgr.yaml and --kind name it; NULL, a dash in tables, if it is not known. */
const char *cli_model_kind(llmgr_model_kind kind);
/* A number of tokens, in `text`; NULL, a dash in tables, if it is 0: not known. */
const char *cli_model_tokens(int64_t tokens, char text[24]);
enum { CLI_HEADER_NAMES = 1024 };
/* Fixed header fields of a platform, "x-title; missing: x-org {ORG}", perhaps in `text`; or NULL.
 */
const char *cli_header_names(const char *fixed, const char *missing, char text[CLI_HEADER_NAMES]);
/* Decimal text in a buffer of the caller. */
const char *cli_number(int64_t value, char text[24]);

/* Each command is one function, named in commands.def. */
#define CLI_COMMAND(function, ...)                                                                 \
    llmgr_status cli_run_##function(struct cli_app *app, struct llmgr_error *err);
#include "cli/commands.def"
#undef CLI_COMMAND

#endif
