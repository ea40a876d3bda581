/* SPDX-License-Identifier: MIT */
/*
 * Help and the manual page: two readings of the same tables, so that neither can say what the
 * program does not do.
 */
#include "cli/cli.h"

#include <string.h>

#include "base/str.h"

enum { HELP_COLUMNS = 79, COMMAND_INDENT = 27, FLAG_INDENT = 32 };
enum { SYNOPSIS_MAX = 1024, PAGE_MAX = 1 << 20 };

/* The value's label where the command gives it a meaning of its own. */
static const char *label_of(const struct cli_command *command, const struct cli_flag_row *flag)
{
    bool number = strcmp(command->noun, "select") == 0 && strcmp(flag->name, "--model") == 0;
    return number ? "ID" : flag->label;
}

/* One flag, two meanings: the help says the one that holds here. */
static const char *help_of(const struct cli_command *command, const struct cli_flag_row *flag)
{
    bool name = strcmp(flag->name, "--name") == 0;
    if (name && strcmp(command->noun, "platform") == 0)
        return N_("the platform's name, which is yours to choose");
    if (name && strcmp(command->noun, "model") == 0)
        return N_("what the platform calls the model");
    if (name && strcmp(command->noun, "route") == 0)
        return N_("what requests call the route: a name of its own, without '/'");
    if (name && strcmp(command->noun, "token") == 0)
        return N_("what the token is for, in your words");
    if (strcmp(flag->name, "--system") == 0 && strcmp(command->noun, "route") == 0)
        return N_("a route for everybody, as the operator");
    bool number = strcmp(command->noun, "select") == 0 && strcmp(flag->name, "--model") == 0;
    return number ? N_("the model's number, as `llmgr model list` shows it") : flag->help;
}

void cli_synopsis(const struct cli_command *command, struct lb_buf *out)
{
    const char *at = command->flags;
    struct lb_str word;
    bool required;

    lb_buf_addf(out, "llmgr %s", command->noun);
    if (command->verb != NULL)
        lb_buf_addf(out, " %s", command->verb);
    if (command->positionals[0] != '\0')
        lb_buf_addf(out, " %s", command->positionals);
    while (cli_next_word(&at, &word, &required)) {
        const struct cli_flag_row *flag = cli_flag_find(word, command->noun, command->verb);
        lb_buf_addf(out, required ? " %s" : " [%s", flag->name);
        if (flag->label != NULL)
            lb_buf_addf(out, " %s", label_of(command, flag));
        lb_buf_add_c(out, required ? "" : "]");
    }
}

/* ---- Help ------------------------------------------------------------------------------------ */

/* Blanks up to column `indent` of the line that began at `start`; on a new line if it is past it.
 */
static void add_gap(struct lb_buf *out, size_t start, size_t indent)
{
    if (out->size - start >= indent) {
        lb_buf_add_byte(out, '\n');
        start = out->size;
    }
    while (out->failed == LLMGR_OK && out->size - start < indent)
        lb_buf_add_byte(out, ' ');
}

static void add_command_line(const struct cli_command *command, struct lb_buf *out)
{
    size_t start = out->size;

    lb_buf_addf(out, "  %s", command->noun);
    if (command->verb != NULL)
        lb_buf_addf(out, " %s", command->verb);
    if (command->positionals[0] != '\0')
        lb_buf_addf(out, " %s", command->positionals);
    add_gap(out, start, COMMAND_INDENT);
    lc_wrap(out, lb_cstr(_(command->help)), COMMAND_INDENT, HELP_COLUMNS);
}

static void help_all(struct lb_buf *out)
{
    size_t count;
    const struct cli_command *rows = cli_commands(&count);

    lb_buf_addf(out, "%s\n\n%s\n\n",
                _("llmgr: which model, at which address, with whose key, for each user."),
                _("Usage: llmgr [OPTION]... NOUN [VERB] [ARGUMENT]..."));
    for (size_t i = 0; i < count; i++) {
        bool grouped = i != 0 && (rows[i].verb != NULL || rows[i - 1].verb != NULL);
        if (grouped && strcmp(rows[i].noun, rows[i - 1].noun) != 0)
            lb_buf_add_byte(out, '\n');
        add_command_line(&rows[i], out);
    }
    for (int section = 0; section < LC_SECTION_COUNT; section++) {
        struct lb_buf options;
        lb_buf_init(&options, out->host, PAGE_MAX);
        lc_help((lc_section)section, false, HELP_COLUMNS, &options);
        if (options.size != 0)
            lb_buf_addf(out, "\n%s", lb_buf_c(&options));
        lb_buf_free(&options);
    }
    lb_buf_addf(out, "\n%s\n",
                _("`llmgr help NOUN VERB` explains a command, `llmgr help --man` everything."));
}

static void add_flag_line(const struct cli_command *command, const struct cli_flag_row *flag,
                          struct lb_buf *out)
{
    size_t start = out->size;

    lb_buf_addf(out, "      %s", flag->name);
    if (flag->label != NULL)
        lb_buf_addf(out, " %s", label_of(command, flag));
    add_gap(out, start, FLAG_INDENT);
    lc_wrap(out, lb_cstr(_(help_of(command, flag))), FLAG_INDENT, HELP_COLUMNS);
}

static void help_command(const struct cli_command *command, struct lb_buf *out)
{
    const char *at = command->flags;
    struct lb_str word;
    struct lb_buf synopsis;
    bool required;

    lb_buf_init(&synopsis, out->host, SYNOPSIS_MAX);
    cli_synopsis(command, &synopsis);
    lc_wrap(out, lb_buf_str(&synopsis), 0, HELP_COLUMNS);
    lb_buf_free(&synopsis);
    lb_buf_add_c(out, "    ");
    lc_wrap(out, lb_cstr(_(command->help)), 4, HELP_COLUMNS);
    while (cli_next_word(&at, &word, &required))
        add_flag_line(command, cli_flag_find(word, command->noun, command->verb), out);
}

/* Everything the gateway can be told, wherever it is told: options stand in tables of their own. */
static void help_serve(struct lb_buf *out)
{
    struct lb_buf options;

    lb_buf_init(&options, out->host, PAGE_MAX);
    lc_help(LC_SECTION_SERVE, true, HELP_COLUMNS, &options);
    lb_buf_addf(out, "\n%s", lb_buf_c(&options));
    lb_buf_free(&options);
}

llmgr_status cli_help(const char *noun, const char *verb, struct llmgr_error *err)
{
    size_t count, shown = 0;
    const struct cli_command *rows = cli_commands(&count);
    struct lb_host host;
    struct lb_buf out;

    lb_host_init(&host);
    lb_buf_init(&out, &host, PAGE_MAX);
    if (noun == NULL)
        help_all(&out);
    for (size_t i = 0; noun != NULL && i < count; i++) {
        if (strcmp(rows[i].noun, noun) != 0)
            continue;
        if (verb != NULL && rows[i].verb != NULL && strcmp(rows[i].verb, verb) != 0)
            continue;
        if (shown++ != 0)
            lb_buf_add_byte(&out, '\n');
        help_command(&rows[i], &out);
        if (rows[i].run == cli_run_serve)
            help_serve(&out);
    }
    llmgr_status status = out.failed;
    if (status == LLMGR_OK && noun != NULL && shown == 0)
        status =
            lb_fail(err, LLMGR_ERR_INVALID, N_("there is no command '%s%s%s'; see `llmgr help`"),
                    noun, verb != NULL ? " " : "", verb != NULL ? verb : "");
    else if (status == LLMGR_OK)
        fputs(lb_buf_c(&out), stdout);
    lb_buf_free(&out);
    return status;
}

/* ---- The manual page ------------------------------------------------------------------------- */

/* Text of a roff line: '-' and '\' escaped, a '.' or '\'' at the start made harmless. */
static void add_roff(struct lb_buf *out, const char *text)
{
    if (text[0] == '.' || text[0] == '\'')
        lb_buf_add_c(out, "\\&");
    for (; *text != '\0'; text++) {
        if (*text == '-')
            lb_buf_add_c(out, "\\-");
        else if (*text == '\\')
            lb_buf_add_c(out, "\\e");
        else
            lb_buf_add_byte(out, *text);
    }
}

static void man_commands(struct lb_buf *out)
{
    size_t count;
    const struct cli_command *rows = cli_commands(&count);

    lb_buf_add_c(out, ".SH COMMANDS\n");
    for (size_t i = 0; i < count; i++) {
        struct lb_buf synopsis;
        lb_buf_init(&synopsis, out->host, SYNOPSIS_MAX);
        cli_synopsis(&rows[i], &synopsis);
        lb_buf_add_c(out, ".TP\n.B ");
        add_roff(out, lb_buf_c(&synopsis));
        lb_buf_add_byte(out, '\n');
        add_roff(out, rows[i].help);
        lb_buf_add_c(out, ".\n");
        lb_buf_free(&synopsis);
    }
    size_t flag_count;
    const struct cli_flag_row *flags = cli_flag_rows(&flag_count);
    lb_buf_add_c(out, ".SS Flags of commands\n");
    for (size_t i = 0; i < flag_count; i++) {
        lb_buf_add_c(out, ".TP\n.B ");
        add_roff(out, flags[i].name);
        if (flags[i].label != NULL)
            lb_buf_addf(out, " \\fI%s\\fR", flags[i].label);
        lb_buf_add_byte(out, '\n');
        add_roff(out, flags[i].help);
        lb_buf_add_c(out, ".\n");
    }
}

static void man_option(const struct lc_option_row *row, struct lb_buf *out)
{
    lb_buf_add_c(out, ".TP\n.B ");
    if (row->flag != NULL) {
        if (row->short_flag != 0)
            lb_buf_addf(out, "\\-%c, ", row->short_flag);
        add_roff(out, row->flag);
    } else {
        add_roff(out, row->key != NULL ? row->key : row->env);
    }
    if (row->label != NULL)
        lb_buf_addf(out, " \\fI%s\\fR", row->label);
    lb_buf_add_byte(out, '\n');
    add_roff(out, row->help);
    lb_buf_add_c(out, ".\n");
    if (row->env != NULL)
        lb_buf_addf(out, "Environment: \\fB%s\\fR.\n", row->env);
    if (row->key != NULL)
        lb_buf_addf(out, "In llmgr.yaml: \\fB%s\\fR.\n", row->key);
    if (row->choices != NULL)
        lb_buf_addf(out, "One of %s.\n", row->choices);
    if (row->fallback != NULL) {
        lb_buf_add_c(out, "Default: ");
        add_roff(out, row->fallback);
        lb_buf_add_c(out, ".\n");
    }
}

static void man_options(struct lb_buf *out)
{
    size_t count;
    const struct lc_option_row *rows = lc_option_rows(&count);

    lb_buf_add_c(out, ".SH OPTIONS\nA flag wins over the environment, the environment over the "
                      "file, the file over the default.\n");
    for (int section = 0; section < LC_SECTION_COUNT; section++) {
        lb_buf_addf(out, ".SS %s\n", lc_section_heading((lc_section)section));
        for (size_t i = 0; i < count; i++) {
            if ((int)rows[i].section == section)
                man_option(&rows[i], out);
        }
    }
}

/* One paragraph per exit code; those of the status table that end with it, and their names. */
static void man_exit_codes(struct lb_buf *out)
{
    static const struct {
        int code;
        const char *text;
        const char *name;
    } ROWS[] = {
#define EXIT_ROW(name, number, http, exit_code, text) {exit_code, text, #name},
        LLMGR_STATUS_MAP(EXIT_ROW)
#undef EXIT_ROW
    };
    int last = 0;

    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        last = ROWS[i].code > last ? ROWS[i].code : last;
    lb_buf_add_c(out, ".SH EXIT STATUS\nWith \\-\\-json the last line of the error output is a "
                      "document with the name of the error, the exit code and the message.\n");
    for (int code = 0; code <= last; code++) {
        size_t count = 0;
        for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
            if (ROWS[i].code != code)
                continue;
            if (count++ == 0)
                lb_buf_addf(out, ".TP\n.B %d\n", code);
            lb_buf_addf(out, "%s%s (%s)", count > 1 ? ";\n" : "", ROWS[i].text, ROWS[i].name);
        }
        lb_buf_add_c(out, count != 0 ? ".\n" : "");
    }
}

/* What stands in llmgr.yaml beside options. */
static void man_file(struct lb_buf *out)
{
    lb_buf_add_c(out,
                 ".SH FILE llmgr.yaml\nOptions by their names above, and:\n.TP\n.B platforms\n"
                 "The system platforms by name, in the order people see them; each has:\n.RS\n");
#define XX(name, text) lb_buf_add_c(out, ".TP\n.B " #name "\n" text "\n");
#include "config/members.def"
#undef XX
    lb_buf_add_c(out, ".RE\n.TP\n.B aliases\nNames that clients insist on, and the slot or model "
                      "each stands for: {claude\\-*: auto, gpt\\-4o: Local/Talker}. One * is "
                      "anything.\n.PP\nAfter a change run \\fBllmgr sync\\fR.\n");
}

void cli_man(struct lb_buf *out)
{
    lb_buf_addf(out, ".TH LLMGR 1 \"\" \"llmgr %s\" \"User Commands\"\n", llmgr_version());
    lb_buf_add_c(out, ".SH NAME\nllmgr \\- manager of large language model services\n"
                      ".SH SYNOPSIS\n.B llmgr\n[\\fIOPTION\\fR]... \\fINOUN\\fR [\\fIVERB\\fR] "
                      "[\\fIARGUMENT\\fR]...\n"
                      ".SH DESCRIPTION\nDecides which model, at which address, with whose key "
                      "serves each user, and talks to it.\n"
                      "System platforms come from llmgr.yaml; users may store keys of their own "
                      "and, in custom mode, add private platforms.\n");
    man_commands(out);
    man_options(out);
    man_file(out);
    man_exit_codes(out);
    lb_buf_add_c(out, ".SH FILES\n.TP\n.I llmgr.yaml\nOptions and system platforms; looked for "
                      "here, then in /etc/llmgr.\n.TP\n.I .env\nNAME=VALUE lines for the "
                      "placeholders of llmgr.yaml.\n.TP\n.I ~/.config/llmgr/master.key\nThe "
                      "master key, unless an option names another place.\n");
}

/* ---- The command ----------------------------------------------------------------------------- */

llmgr_status cli_run_help(struct cli_app *app, struct llmgr_error *err)
{
    const char *shell = cli_flag(app, CLI_FLAG_completion);
    llmgr_status status = LLMGR_OK;
    struct lb_buf page;

    if (shell == NULL && cli_flag(app, CLI_FLAG_man) == NULL)
        return cli_help(app->args.positionals[0], app->args.positionals[1], err);
    lb_buf_init(&page, &app->host, PAGE_MAX);
    if (shell != NULL)
        status = cli_completion(shell, &page, err);
    else
        cli_man(&page);
    if (status == LLMGR_OK && page.failed != LLMGR_OK)
        status = lb_fail_memory(err);
    if (status == LLMGR_OK)
        fputs(lb_buf_c(&page), stdout);
    lb_buf_free(&page);
    return status;
}
