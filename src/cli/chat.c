/* SPDX-License-Identifier: MIT */
/*
 * llmgr chat: one question, one answer, streamed as it comes. Ctrl-C ends the exchange, not the
 * terminal: a thread of its own waits for the signal and cancels.
 */
#include "cli/cli.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/magic.h"
#include "documents/write.h"

enum { PROMPT_MAX = 16 << 20 };

/* ---- The prompt ------------------------------------------------------------------------------ */

static llmgr_status read_stdin(struct lb_buf *prompt, struct llmgr_error *err)
{
    for (;;) {
        char *at = lb_buf_reserve(prompt, 65536);
        if (at == NULL)
            return lb_fail(err, prompt->failed, N_("the prompt is too large"));
        ssize_t got = read(STDIN_FILENO, at, 65536);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return lb_fail(err, LLMGR_ERR_IO, N_("standard input cannot be read"));
        if (got == 0)
            return LLMGR_OK;
        lb_buf_grow(prompt, (size_t)got);
    }
}

static llmgr_status read_prompt(const struct cli_app *app, struct lb_buf *prompt,
                                struct llmgr_error *err)
{
    const char *given = app->args.positionals[0];

    if (given != NULL && strcmp(given, "-") != 0) {
        lb_buf_add_c(prompt, given);
    } else {
        llmgr_status status = read_stdin(prompt, err);
        if (status != LLMGR_OK)
            return status;
        while (prompt->size != 0 && prompt->data[prompt->size - 1] == '\n')
            lb_buf_cut(prompt, prompt->size - 1);
    }
    if (prompt->failed != LLMGR_OK)
        return lb_fail(err, prompt->failed, N_("the prompt is too large"));
    if (prompt->size == 0)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the prompt is empty"));
    if (!lb_utf8_valid(lb_buf_str(prompt)))
        return lb_fail(err, LLMGR_ERR_INVALID, N_("the prompt is not valid UTF-8"));
    return LLMGR_OK;
}

/* ---- Cancelling ------------------------------------------------------------------------------ */

enum { CANCELLER_MAGIC = 0x63616e63 };

struct canceller {
    unsigned magic;
    struct llmgr_llm *llm;
    sigset_t signals; /* blocked in every thread; the last one is ours, to end the wait */
    pthread_t thread;
    bool running;
};

static void *wait_for_signal(void *context)
{
    struct canceller *canceller = LB_CAST(struct canceller, context, CANCELLER_MAGIC);
    int signal_number = 0;

    if (sigwait(&canceller->signals, &signal_number) == 0 && signal_number != SIGUSR1)
        llmgr_llm_cancel(canceller->llm);
    return NULL;
}

static void start_canceller(struct canceller *canceller, struct llmgr_llm *llm)
{
    canceller->magic = CANCELLER_MAGIC;
    canceller->llm = llm;
    sigemptyset(&canceller->signals);
    sigaddset(&canceller->signals, SIGINT);
    sigaddset(&canceller->signals, SIGTERM);
    sigaddset(&canceller->signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, &canceller->signals, NULL);
    canceller->running = pthread_create(&canceller->thread, NULL, wait_for_signal, canceller) == 0;
}

static void stop_canceller(struct canceller *canceller)
{
    if (!canceller->running)
        return;
    pthread_kill(canceller->thread, SIGUSR1);
    pthread_join(canceller->thread, NULL);
}

/* ---- The answer ------------------------------------------------------------------------------ */

/* Reasoning is shown dim, and only to a person: it is no part of what a pipe gets. */
struct printer {
    bool thinking;  /* the last output was reasoning */
    bool person;    /* stdout and stderr are terminals */
    bool line_open; /* the last output did not end its line */
};

/* A pipe gets every byte of an answer, a terminal none that could take it over. */
static void write_answer(const char *text, size_t size)
{
    if (isatty(STDOUT_FILENO) != 0)
        cli_write_shown(stdout, text, size);
    else
        fwrite(text, 1, size, stdout);
}

static int print_chunk(const struct llmgr_chunk *chunk, void *context)
{
    struct printer *printer = context;

    if (chunk->reasoning_content_size != 0 && printer->person) {
        if (!printer->thinking)
            fputs("\033[2m", stderr);
        cli_write_shown(stderr, chunk->reasoning_content, chunk->reasoning_content_size);
        printer->thinking = true;
    }
    if (chunk->content_size != 0) {
        if (printer->thinking)
            fputs("\033[0m\n\n", stderr);
        printer->thinking = false;
        write_answer(chunk->content, chunk->content_size);
        fflush(stdout);
        printer->line_open = chunk->content[chunk->content_size - 1] != '\n';
    }
    return ferror(stdout);
}

static void write_text(const char *text)
{
    if (text != NULL)
        write_answer(text, strlen(text));
}

/* One per line, as a call would be written: name(arguments). */
static void print_tool_calls(const struct llmgr_answer *answer)
{
    bool begun = answer->content != NULL && answer->content[0] != '\0';

    for (size_t i = 0; i < answer->tool_call_count; i++) {
        if (begun || i != 0)
            putchar('\n');
        write_text(answer->tool_calls[i].name);
        putchar('(');
        write_text(answer->tool_calls[i].arguments);
        putchar(')');
    }
}

static llmgr_status print_answer(const struct cli_app *app, const struct llmgr_answer *answer,
                                 const struct llmgr_llm *llm, struct llmgr_error *err)
{
    struct lx_chat chat = {.answer = *answer, .attempts = llmgr_llm_attempts(llm)};

    if (cli_json(app)) {
        llmgr_llm_answered(llm, &chat.by);
        return cli_print_json(lx_json_chat(&chat), err);
    }
    print_tool_calls(answer);
    putchar('\n');
    return LLMGR_OK;
}

/*
 * The user asked a model, not an address: what failed on the way is told with both names. Of a
 * route of which more or less than one target was asked the text says it.
 */
static llmgr_status name_failure(llmgr_status status, const struct llmgr_llm *llm,
                                 const struct llmgr_error *why, struct llmgr_error *err)
{
    const char *text = why->message[0] != '\0' ? why->message : _(llmgr_status_text(status));
    struct llmgr_selection by;

    llmgr_llm_answered(llm, &by);
    const bool is_told = by.route != NULL && llmgr_llm_attempts(llm) != 1;
    if (status != LLMGR_ERR_CANCELLED && !is_told && strstr(text, by.platform) == NULL)
        return lb_fail(err, status, N_("%s, model %s: %s"), by.platform, by.model_display_name,
                       text);
    *err = *why;
    return status;
}

static llmgr_status ask(struct cli_app *app, struct llmgr_llm *llm,
                        const struct llmgr_request *request, struct llmgr_error *err)
{
    bool whole = cli_flag(app, CLI_FLAG_no_stream) != NULL || cli_json(app);
    struct printer printer = {
        .person = isatty(STDOUT_FILENO) != 0 && isatty(STDERR_FILENO) != 0,
    };
    struct llmgr_answer answer = {0};
    struct llmgr_error why = {0};
    struct canceller canceller;

    llmgr_llm_record_usage(llm, cli_flag(app, CLI_FLAG_record_usage) != NULL);
    start_canceller(&canceller, llm);
    llmgr_status status =
        whole ? llmgr_llm_invoke(llm, request, &answer, &why)
              : llmgr_llm_stream(llm, request, print_chunk, &printer, &answer, &why);
    stop_canceller(&canceller);
    if (printer.thinking)
        fputs("\033[0m\n", stderr);
    if (status == LLMGR_OK) {
        if (whole && !cli_json(app))
            write_text(answer.content);
        status = print_answer(app, &answer, llm, err);
    } else {
        if (printer.line_open)
            putchar('\n'); /* what came is on the terminal: the error starts a line of its own */
        status = ferror(stdout) != 0
                     ? lb_fail(err, LLMGR_ERR_IO, N_("the output cannot be written"))
                     : name_failure(status, llm, &why, err);
    }
    llmgr_answer_clear(&answer);
    return status;
}

static llmgr_status find_llm(struct cli_app *app, struct llmgr_llm **llm, struct llmgr_error *err)
{
    const char *slot = cli_flag(app, CLI_FLAG_slot);
    const char *model = cli_flag(app, CLI_FLAG_model);

    if (slot != NULL && model != NULL)
        return lb_fail(err, LLMGR_ERR_INVALID, N_("give either --slot or --model, not both"));
    llmgr_status status = cli_open(app, CLI_OPEN_SYNC, err);
    if (status != LLMGR_OK)
        return status;
    return model != NULL ? llmgr_llm_for_model(app->manager, cli_user(app), model, llm, err)
                         : llmgr_llm_for_user(app->manager, cli_user(app), slot, llm, err);
}

llmgr_status cli_run_chat(struct cli_app *app, struct llmgr_error *err)
{
    const char *system = cli_flag(app, CLI_FLAG_system);
    struct llmgr_llm *llm = NULL;
    struct llmgr_request request;
    struct lb_buf prompt;

    lb_buf_init(&prompt, &app->host, PROMPT_MAX);
    llmgr_status status = read_prompt(app, &prompt, err);
    if (status == LLMGR_OK)
        status = find_llm(app, &llm, err);
    if (status == LLMGR_OK) {
        const struct llmgr_message messages[] = {
            {.role = "system", .content = system},
            {.role = "user", .content = lb_buf_c(&prompt)},
        };
        size_t skip = system == NULL;
        llmgr_request_init(&request);
        request.messages = messages + skip;
        request.message_count = 2 - skip;
        status = ask(app, llm, &request, err);
    }
    llmgr_llm_free(llm);
    lb_buf_free(&prompt);
    return status;
}
