/* SPDX-License-Identifier: MIT */
/*
 * The command line against its tables. Global options may stand anywhere; a command's own flags
 * and arguments are those of its row. Nothing is guessed: an unknown word is an error that names
 * the nearest known one.
 */
#include "cli/cli.h"

#include <string.h>

#include "base/str.h"

static const struct cli_command COMMANDS[] = {
#define CLI_COMMAND(function, noun, verb, positionals, flags, help)                                \
    {noun, verb, positionals, flags, help, cli_run_##function},
#include "cli/commands.def"
#undef CLI_COMMAND
};

static const struct cli_flag_row FLAGS[] = {
#define CLI_FLAG(id, name, label, help) {NULL, name, label, help},
#define CLI_FLAG_OF(noun, id, name, label, help) {noun, name, label, help},
#include "cli/flags.def"
#undef CLI_FLAG
};

const struct cli_command *cli_commands(size_t *count)
{
    *count = sizeof COMMANDS / sizeof COMMANDS[0];
    return COMMANDS;
}

const struct cli_flag_row *cli_flag_rows(size_t *count)
{
    *count = sizeof FLAGS / sizeof FLAGS[0];
    return FLAGS;
}

static bool is_meant(const struct cli_flag_row *row, const char *noun, const char *verb)
{
    struct lb_str words = lb_cstr(row->noun);
    size_t size = lb_str_find(words, ' ');

    if (row->noun == NULL)
        return true;
    return noun != NULL && lb_str_eq_c(lb_str_sub(words, 0, size), noun) &&
           (size == words.size ||
            (verb != NULL && lb_str_eq_c(lb_str_sub(words, size + 1, words.size), verb)));
}

const struct cli_flag_row *cli_flag_find(struct lb_str name, const char *noun, const char *verb)
{
    for (size_t i = 0; i < CLI_FLAG_COUNT; i++) {
        if (lb_str_eq_c(name, FLAGS[i].name) && is_meant(&FLAGS[i], noun, verb))
            return &FLAGS[i];
    }
    return NULL;
}

bool cli_next_word(const char **at, struct lb_str *word, bool *required)
{
    size_t size = strcspn(*at, " ");

    if (size == 0)
        return false;
    *required = (*at)[size - 1] == '!';
    *word = lb_str(*at, size - *required);
    *at += size + ((*at)[size] == ' ');
    return true;
}

/* One pass over argv. `words` are what is neither an option nor an option's value. */
struct reader {
    int argc;
    char **argv;
    int at;
    bool only_words; /* after -- */
    struct cli_args *args;
    struct lc_options *options;
    const char *words[CLI_POSITIONAL_MAX + 2];
    size_t word_count;
    struct llmgr_error *err;
};

static bool flag_belongs(const struct cli_command *command, const char *name, bool *required)
{
    const char *at = command->flags;
    struct lb_str word;

    while (cli_next_word(&at, &word, required)) {
        if (lb_str_eq_c(word, name))
            return true;
    }
    *required = false;
    return false;
}

/* The value of `--flag=value` or of `--flag value`. */
static llmgr_status take_value(struct reader *reader, struct lb_str name, const char *inline_value,
                               const char **value)
{
    if (inline_value != NULL) {
        *value = inline_value;
        return LLMGR_OK;
    }
    if (reader->at >= reader->argc)
        return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("%.*s needs a value"), (int)name.size,
                       name.p);
    *value = reader->argv[reader->at++];
    return LLMGR_OK;
}

static llmgr_status take_global(struct reader *reader, const struct lc_option_row *row,
                                struct lb_str name, const char *inline_value)
{
    const char *value = inline_value;
    char source[64];

    if (row->label != NULL) {
        llmgr_status status = take_value(reader, name, inline_value, &value);
        if (status != LLMGR_OK)
            return status;
    }
    snprintf(source, sizeof source, "%.*s", (int)name.size, name.p);
    return lc_options_set(reader->options, row->id, LC_FROM_FLAG, source, value, reader->err);
}

/* Where the values of a flag go that may be given several times. */
struct several {
    const char **values;
    size_t *count;
    size_t max;
};

/* False: the flag is given once. */
static bool is_repeated(struct cli_args *args, size_t id, struct several *several)
{
    if (id == CLI_FLAG_header)
        *several = (struct several){args->headers, &args->header_count, LC_FIXED_COUNT_MAX};
    else if (id == CLI_FLAG_target)
        *several = (struct several){args->targets, &args->target_count, CLI_TARGETS_MAX};
    else if (id == CLI_FLAG_providers)
        *several = (struct several){args->providers, &args->provider_count, CLI_PROVIDERS_MAX};
    else
        return false;
    return true;
}

static llmgr_status add_value(struct reader *reader, size_t id, const struct several *several,
                              const char *value)
{
    if (*several->count == several->max)
        return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("%s is given more than %zu times"),
                       FLAGS[id].name, several->max);
    several->values[(*several->count)++] = value;
    return LLMGR_OK;
}

static llmgr_status take_flag(struct reader *reader, size_t id, struct lb_str name,
                              const char *inline_value)
{
    const struct cli_flag_row *row = &FLAGS[id];
    const char *value = "";
    struct several several;
    const bool repeated = is_repeated(reader->args, id, &several);

    if (reader->args->flags[id] != NULL && !repeated)
        return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("%s is given twice"), row->name);
    if (row->label == NULL && inline_value != NULL)
        return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("%s takes no value"), row->name);
    if (row->label != NULL) {
        llmgr_status status = take_value(reader, name, inline_value, &value);
        if (status != LLMGR_OK)
            return status;
    }
    reader->args->flags[id] = value;
    return repeated ? add_value(reader, id, &several, value) : LLMGR_OK;
}

static llmgr_status fail_unknown(struct reader *reader, struct lb_str name)
{
    const char *near = lc_option_nearest_flag(name);

    if (near != NULL)
        return lb_fail(reader->err, LLMGR_ERR_INVALID,
                       N_("there is no option %.*s; did you mean %s?"), (int)name.size, name.p,
                       near);
    return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("there is no option %.*s; see `llmgr help`"),
                   (int)name.size, name.p);
}

/* Flags stand behind their noun where a name has another meaning elsewhere. */
static const struct cli_flag_row *find_flag(const struct reader *reader, struct lb_str name)
{
    return cli_flag_find(name, reader->word_count > 0 ? reader->words[0] : NULL,
                         reader->word_count > 1 ? reader->words[1] : NULL);
}

static llmgr_status take_long(struct reader *reader, const char *text)
{
    struct lb_str whole = lb_cstr(text);
    struct lb_str name = lb_str_sub(whole, 0, lb_str_find(whole, '='));
    const char *inline_value = name.size < whole.size ? text + name.size + 1 : NULL;

    if (lb_str_eq_c(whole, "--help")) {
        reader->args->help = true;
        return LLMGR_OK;
    }
    if (lb_str_eq_c(whole, "--version")) {
        reader->args->version = true;
        return LLMGR_OK;
    }
    const struct cli_flag_row *flag = find_flag(reader, name);
    if (flag != NULL)
        return take_flag(reader, (size_t)(flag - FLAGS), name, inline_value);
    const struct lc_option_row *row = lc_option_by_flag(name);
    if (row != NULL)
        return take_global(reader, row, name, inline_value);
    return fail_unknown(reader, name);
}

static llmgr_status take_short(struct reader *reader, const char *text)
{
    if (lb_str_eq_c(lb_cstr(text), "-h")) {
        reader->args->help = true;
        return LLMGR_OK;
    }
    const struct lc_option_row *row = lc_option_by_short(text[1]);
    if (row == NULL)
        return fail_unknown(reader, lb_cstr(text));
    return take_global(reader, row, lb_str(text, 2), text[2] != '\0' ? text + 2 : NULL);
}

static llmgr_status take_word(struct reader *reader, const char *text)
{
    if (reader->word_count == sizeof reader->words / sizeof reader->words[0])
        return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("'%s' is one argument too many"), text);
    reader->words[reader->word_count++] = text;
    return LLMGR_OK;
}

static llmgr_status take_all(struct reader *reader)
{
    while (reader->at < reader->argc) {
        const char *text = reader->argv[reader->at++];
        llmgr_status status = LLMGR_OK;

        if (!lb_utf8_valid(lb_cstr(text)))
            return lb_fail(reader->err, LLMGR_ERR_INVALID,
                           N_("an argument is not valid UTF-8; use a UTF-8 terminal"));
        if (reader->only_words || text[0] != '-' || text[1] == '\0')
            status = take_word(reader, text);
        else if (text[1] != '-')
            status = take_short(reader, text);
        else if (text[2] != '\0')
            status = take_long(reader, text);
        else
            reader->only_words = true;
        if (status != LLMGR_OK)
            return status;
    }
    return LLMGR_OK;
}

/* Finds the row of the first words; *used tells how many of them name it. */
static llmgr_status find_command(struct reader *reader, size_t *used)
{
    const char *noun = reader->words[0];
    const char *verb = reader->word_count > 1 ? reader->words[1] : NULL;
    bool noun_known = false;

    for (size_t i = 0; i < sizeof COMMANDS / sizeof COMMANDS[0]; i++) {
        const struct cli_command *row = &COMMANDS[i];
        if (strcmp(row->noun, noun) != 0)
            continue;
        noun_known = true;
        if (row->verb == NULL || (verb != NULL && strcmp(row->verb, verb) == 0)) {
            reader->args->command = row;
            *used = row->verb != NULL ? 2 : 1;
            return LLMGR_OK;
        }
    }
    if (!noun_known)
        return lb_fail(reader->err, LLMGR_ERR_INVALID,
                       N_("there is no command '%s'; see `llmgr help`"), noun);
    if (verb == NULL)
        return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("'%s' needs a verb; see `llmgr help %s`"),
                       noun, noun);
    return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("'%s' has no verb '%s'; see `llmgr help %s`"),
                   noun, verb, noun);
}

static llmgr_status check_positionals(struct reader *reader, size_t used)
{
    const char *at = reader->args->command->positionals;
    size_t given = reader->word_count - used;
    size_t known = 0;
    struct lb_str word;
    bool unused;

    for (; cli_next_word(&at, &word, &unused); known++) {
        if (known >= given && word.p[0] != '[')
            return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("%.*s is missing; see `llmgr help`"),
                           (int)word.size, word.p);
    }
    if (given > known)
        return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("'%s' is one argument too many"),
                       reader->words[used + known]);
    for (size_t i = 0; i < given; i++)
        reader->args->positionals[i] = reader->words[used + i];
    reader->args->positional_count = given;
    return LLMGR_OK;
}

static llmgr_status check_flags(struct reader *reader)
{
    const struct cli_args *args = reader->args;
    const struct cli_command *command = args->command;

    for (size_t i = 0; i < CLI_FLAG_COUNT; i++) {
        bool required;
        bool belongs = flag_belongs(command, FLAGS[i].name, &required);
        if (args->flags[i] != NULL && !belongs)
            return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("%s does not belong to '%s%s%s'"),
                           FLAGS[i].name, command->noun, command->verb != NULL ? " " : "",
                           command->verb != NULL ? command->verb : "");
        if (required && args->flags[i] == NULL &&
            cli_flag_find(lb_cstr(FLAGS[i].name), command->noun, command->verb) == &FLAGS[i])
            return lb_fail(reader->err, LLMGR_ERR_INVALID, N_("%s %s is missing; see `llmgr help`"),
                           FLAGS[i].name, FLAGS[i].label);
    }
    if (args->flags[CLI_FLAG_key_env] != NULL && args->flags[CLI_FLAG_key_stdin] != NULL)
        return lb_fail(reader->err, LLMGR_ERR_INVALID,
                       N_("give either --key-env or --key-stdin, not both"));
    return LLMGR_OK;
}

llmgr_status cli_args_read(int argc, char **argv, struct cli_args *args, struct lc_options *options,
                           struct llmgr_error *err)
{
    struct reader reader = {
        .argc = argc, .argv = argv, .at = 1, .args = args, .options = options, .err = err};
    size_t used = 0;

    memset(args, 0, sizeof *args);
    llmgr_status status = take_all(&reader);
    if (status != LLMGR_OK)
        return status;
    if (args->version || (args->help && reader.word_count == 0))
        return LLMGR_OK;
    if (reader.word_count == 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("no command is given; see `llmgr help`"));
    if (args->help) { /* `llmgr platform --help` explains the noun */
        args->positional_count = reader.word_count < 2 ? reader.word_count : 2;
        for (size_t i = 0; i < args->positional_count; i++)
            args->positionals[i] = reader.words[i];
        return LLMGR_OK;
    }
    status = find_command(&reader, &used);
    if (status == LLMGR_OK)
        status = check_flags(&reader);
    return status == LLMGR_OK ? check_positionals(&reader, used) : status;
}
