/* SPDX-License-Identifier: MIT */
/*
 * stream: ask a user's model and print the answer as it comes; stop it from another thread when it
 * grows too long.
 *
 *     stream DATABASE MASTER-KEY-FILE CONFIG PROMPT [CHARACTERS]
 *     stream sqlite:llmgr.db ~/.config/llmgr/master.key llmgr.yaml "Hello"
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <llmgr.h>

struct watch {
    struct llmgr_llm *llm;
    size_t most; /* bytes of the answer that are enough */
    _Atomic size_t seen;
    atomic_bool over;
};

static int on_chunk(const struct llmgr_chunk *chunk, void *context)
{
    struct watch *watch = context;

    if (chunk->content_size == 0)
        return 0; /* reasoning, a role, usage: nothing to print */
    fwrite(chunk->content, 1, chunk->content_size, stdout);
    fflush(stdout);
    atomic_fetch_add(&watch->seen, chunk->content_size);
    return 0;
}

/* llmgr_llm_cancel is the one call that may come from another thread. */
static void *watch_length(void *context)
{
    struct watch *watch = context;

    while (!atomic_load(&watch->over)) {
        if (atomic_load(&watch->seen) >= watch->most) {
            llmgr_llm_cancel(watch->llm);
            break;
        }
        usleep(1000);
    }
    return NULL;
}

static llmgr_status ask(struct watch *watch, const char *prompt, struct llmgr_error *err)
{
    const struct llmgr_message message = {.role = "user", .content = prompt};
    struct llmgr_request request;
    struct llmgr_answer answer = {0};
    pthread_t thread;

    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    if (pthread_create(&thread, NULL, watch_length, watch) != 0)
        return LLMGR_ERR_NO_MEMORY;
    llmgr_status status = llmgr_llm_stream(watch->llm, &request, on_chunk, watch, &answer, err);
    atomic_store(&watch->over, true);
    pthread_join(thread, NULL);
    if (status == LLMGR_OK)
        printf("\n[%s, %lld tokens]\n", answer.finish_reason != NULL ? answer.finish_reason : "?",
               (long long)answer.usage.total_tokens);
    llmgr_answer_clear(&answer);
    return status;
}

static llmgr_status run(char **argv, struct llmgr *manager, const struct llmgr_config *config,
                        struct llmgr_error *err)
{
    struct watch watch = {.most = argv[5] != NULL ? strtoul(argv[5], NULL, 10) : (size_t)-1};

    llmgr_status status = llmgr_sync(manager, config, false, NULL, err);
    if (status == LLMGR_OK)
        status = llmgr_llm_for_user(manager, "alice", NULL, &watch.llm, err);
    if (status == LLMGR_OK) {
        status = ask(&watch, argv[4], err);
        llmgr_llm_free(watch.llm);
    }
    return status;
}

static const char *environment(const char *name, void *context)
{
    (void)context;
    return getenv(name);
}

int main(int argc, char **argv)
{
    struct llmgr_options options;
    struct llmgr_error err = {0};
    struct llmgr_config *config;
    struct llmgr *manager;

    if (argc != 5 && argc != 6) {
        fprintf(stderr, "usage: %s DATABASE MASTER-KEY-FILE CONFIG PROMPT [CHARACTERS]\n", argv[0]);
        return 2;
    }
    const struct llmgr_config_source source = {
        .size = sizeof source,
        .path = argv[3],
        .env = environment,
    };
    llmgr_status status = llmgr_config_read(&source, &config, &err);
    if (status == LLMGR_OK) {
        llmgr_options_init(&options);
        llmgr_config_apply(config, &options);
        options.database = argv[1];
        options.master_key_file = argv[2];
        options.master_key_create = true;
        status = llmgr_open(&options, &manager, &err);
        if (status == LLMGR_OK) {
            status = run(argv, manager, config, &err);
            llmgr_close(manager);
        }
        llmgr_config_free(config);
    }
    if (status != LLMGR_OK)
        fprintf(stderr, "%s%s: %s\n", status == LLMGR_ERR_CANCELLED ? "\n" : "", argv[0],
                err.message);
    return llmgr_status_exit(status);
}
