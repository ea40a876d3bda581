/* SPDX-License-Identifier: MIT */
/*
 * Completion for the shells, written out of the command table. bash and zsh share one function
 * (zsh through its bashcompinit); fish has declarations.
 */
#include "cli/cli.h"

#include <string.h>

#include "base/str.h"

static bool first_of_noun(const struct cli_command *rows, size_t i)
{
    return i == 0 || strcmp(rows[i].noun, rows[i - 1].noun) != 0;
}

static void add_nouns(struct lb_buf *out)
{
    size_t count;
    const struct cli_command *rows = cli_commands(&count);

    for (size_t i = 0; i < count; i++) {
        if (first_of_noun(rows, i))
            lb_buf_addf(out, "%s%s", i != 0 ? " " : "", rows[i].noun);
    }
}

static void add_verbs(const char *noun, struct lb_buf *out)
{
    size_t count;
    const struct cli_command *rows = cli_commands(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].noun, noun) == 0 && rows[i].verb != NULL)
            lb_buf_addf(out, "%s%s", first_of_noun(rows, i) ? "" : " ", rows[i].verb);
    }
}

static void add_flags(const struct cli_command *command, struct lb_buf *out)
{
    const char *at = command->flags;
    struct lb_str word;
    bool required;

    while (cli_next_word(&at, &word, &required)) {
        lb_buf_add_byte(out, ' ');
        lb_buf_add_str(out, word);
    }
}

/* A noun with verbs may be a command of its own as well. */
static void add_flags_of_noun(const char *noun, struct lb_buf *out)
{
    size_t count;
    const struct cli_command *rows = cli_commands(&count);

    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].noun, noun) == 0 && rows[i].verb == NULL)
            add_flags(&rows[i], out);
    }
}

static void add_globals(struct lb_buf *out)
{
    size_t count;
    const struct lc_option_row *rows = lc_option_rows(&count);

    for (size_t i = 0; i < count; i++) {
        if (rows[i].flag != NULL)
            lb_buf_addf(out, "%s ", rows[i].flag);
    }
    lb_buf_add_c(out, "--help --version");
}

/* The long and short global options that take a value, as a shell pattern. */
static void add_valued(struct lb_buf *out)
{
    size_t count;
    const struct lc_option_row *rows = lc_option_rows(&count);
    const char *between = "";

    for (size_t i = 0; i < count; i++) {
        if (rows[i].flag == NULL || rows[i].label == NULL)
            continue;
        lb_buf_addf(out, "%s%s", between, rows[i].flag);
        if (rows[i].short_flag != 0)
            lb_buf_addf(out, "|-%c", rows[i].short_flag);
        between = "|";
    }
}

static void add_bash(struct lb_buf *out)
{
    size_t count;
    const struct cli_command *rows = cli_commands(&count);

    lb_buf_add_c(out, "_llmgr() {\n"
                      "    local now=${COMP_WORDS[COMP_CWORD]} noun= verb= words globals at\n"
                      "    for ((at = 1; at < COMP_CWORD; at++)); do\n"
                      "        case ${COMP_WORDS[at]} in\n        ");
    add_valued(out);
    lb_buf_add_c(out, ") ((at++)) ;;\n"
                      "        -*) ;;\n"
                      "        *) if [ -z \"$noun\" ]; then noun=${COMP_WORDS[at]}\n"
                      "           elif [ -z \"$verb\" ]; then verb=${COMP_WORDS[at]}; fi ;;\n"
                      "        esac\n    done\n    globals='");
    add_globals(out);
    lb_buf_add_c(out, "'\n    case \"$noun $verb\" in\n    ' ') words='");
    add_nouns(out);
    lb_buf_add_c(out, "' ;;\n");
    for (size_t i = 0; i < count; i++) {
        if (rows[i].verb != NULL && first_of_noun(rows, i)) {
            lb_buf_addf(out, "    '%s ') words='", rows[i].noun);
            add_verbs(rows[i].noun, out);
            add_flags_of_noun(rows[i].noun, out);
            lb_buf_add_c(out, "' ;;\n");
        }
        lb_buf_addf(out, rows[i].verb != NULL ? "    '%s %s') words='" : "    '%s '*) words='",
                    rows[i].noun, rows[i].verb);
        add_flags(&rows[i], out);
        lb_buf_add_c(out, "' ;;\n");
    }
    lb_buf_add_c(out, "    *) words= globals= ;;\n    esac\n"
                      "    case $now in -*) words=\"$words $globals\" ;; esac\n"
                      "    COMPREPLY=($(compgen -W \"$words\" -- \"$now\"))\n}\n"
                      "complete -o default -F _llmgr llmgr\n");
}

/* Texts of the tables hold no quote but may hold an apostrophe, which fish escapes so. */
static void add_fish_text(const char *text, struct lb_buf *out)
{
    lb_buf_add_byte(out, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'' || *text == '\\')
            lb_buf_add_byte(out, '\\');
        lb_buf_add_byte(out, *text);
    }
    lb_buf_add_byte(out, '\'');
}

static void add_fish(struct lb_buf *out)
{
    size_t count, option_count;
    const struct cli_command *rows = cli_commands(&count);
    const struct lc_option_row *options = lc_option_rows(&option_count);

    for (size_t i = 0; i < count; i++) {
        if (first_of_noun(rows, i))
            lb_buf_addf(out, "complete -c llmgr -f -n __fish_use_subcommand -a %s\n", rows[i].noun);
        if (rows[i].verb != NULL) {
            lb_buf_addf(out, "complete -c llmgr -f -n '__fish_seen_subcommand_from %s' -a %s -d ",
                        rows[i].noun, rows[i].verb);
            add_fish_text(rows[i].help, out);
            lb_buf_add_byte(out, '\n');
        }
        const char *at = rows[i].flags;
        struct lb_str word;
        bool required;
        while (cli_next_word(&at, &word, &required))
            lb_buf_addf(out, "complete -c llmgr -n '__fish_seen_subcommand_from %s' -l %.*s\n",
                        rows[i].verb != NULL ? rows[i].verb : rows[i].noun, (int)word.size - 2,
                        word.p + 2);
    }
    for (size_t i = 0; i < option_count; i++) {
        if (options[i].flag == NULL)
            continue;
        lb_buf_addf(out, "complete -c llmgr -l %s -d ", options[i].flag + 2);
        add_fish_text(options[i].help, out);
        lb_buf_add_byte(out, '\n');
    }
}

llmgr_status cli_completion(const char *shell, struct lb_buf *out, struct llmgr_error *err)
{
    if (strcmp(shell, "fish") == 0) {
        add_fish(out);
        return LLMGR_OK;
    }
    if (strcmp(shell, "zsh") == 0)
        lb_buf_add_c(out, "#compdef llmgr\nautoload -U +X bashcompinit && bashcompinit\n");
    else if (strcmp(shell, "bash") != 0)
        return lb_fail(err, LLMGR_ERR_INVALID,
                       N_("there is completion for bash, zsh and fish, "
                          "none for '%s'"),
                       shell);
    add_bash(out);
    return LLMGR_OK;
}
