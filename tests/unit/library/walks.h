/* SPDX-License-Identifier: MIT */
/*
 * Calls of a route and of a pool of keys: from one candidate to the next, with one budget, one
 * window and one ledger. The first platform has every vice, the second answers, the third takes one
 * key only.
 */
#ifndef TESTS_LIBRARY_WALKS_H
#define TESTS_LIBRARY_WALKS_H

#include "host.h"

static struct host host;
static struct mock_thread *second;
static struct mock_thread *locked;

enum { CONFIG_MAX = 8192 };
static char config[CONFIG_MAX];

/* ---- The scene ------------------------------------------------------------------------------- */

/* `vice`: how the first platform misbehaves; "gone": nobody is there. */
struct vice {
    const char *name;
    bool moves_whole, moves_stream; /* else the call fails */
    bool is_repeated;               /* nothing of it was sent: once more at the same platform */
};

static const struct vice VICES[] = {
    {"gone", true, true, true},
    {"mock-silent", true, true, false},
    {"mock-slow-60000", true, true, false},
    {"mock-500", true, true, false},
    {"mock-503+plain", true, true, false},
    {"mock-429", true, true, false},
    {"mock-401", true, true, false},
    {"mock-404", true, true, false},
    {"mock-502+html", true, true, false},
    {"mock-drop", true, true, false},
    {"mock-cut-30", true, true, false},
    {"mock-error-200", true, true, false},
    {"mock-empty", true, true, false},
    {"mock-badjson", true, false, false},
    {"mock-not-http", true, true, false},
    {"mock-gzip", true, true, false},
    {"mock-400", false, false, false},
    {"mock-413", false, false, false},
};

static inline void put_config(void)
{
    size_t at = (size_t)snprintf(
        config, sizeof config,
        "platforms:\n"
        "  Gone:\n    base_url: http://127.0.0.1:1/v1\n    api_key: \"{HOUSE_KEY}\"\n"
        "    models: {gone: m}\n"
        "  Second:\n    base_url: http://127.0.0.1:%u/v1\n    api_key: \"{HOUSE_KEY}\"\n"
        "    models: {Fine: m, Bad: mock-500, Silent: mock-silent}\n"
        "  Locked:\n    base_url: http://127.0.0.1:%u/v1\n"
        "    models: {Shut: m}\n"
        "  First:\n    base_url: http://127.0.0.1:%u/v1\n    api_key: \"{HOUSE_KEY}\"\n"
        "    models:\n      Fine: m\n      Late: mock-chunks-50+cut-3000\n"
        "      Options: mock-no-stream-options\n"
        "      Event: mock-chunks-50+error-event\n      Role: mock-cut-230\n",
        mock_thread_port(second), mock_thread_port(locked), mock_thread_port(host.mock));
    for (size_t i = 1; i < sizeof VICES / sizeof VICES[0]; i++)
        at += (size_t)snprintf(config + at, sizeof config - at, "      %s: %s\n", VICES[i].name,
                               VICES[i].name);
    at += (size_t)snprintf(config + at, sizeof config - at,
                           "routes:\n"
                           "  late: {targets: [First/Late, Second/Fine]}\n"
                           "  event: {targets: [First/Event, Second/Fine]}\n"
                           "  role: {targets: [First/Role, Second/Fine]}\n"
                           "  options: {targets: [First/Options, Second/Fine]}\n"
                           "  well: {targets: [First/Fine, Second/Fine]}\n"
                           "  weighed: {pick: weight, sticky: conversation,"
                           " targets: [First/Fine, {model: Second/Fine, weight: 3}]}\n"
                           "  fast: {pick: fastest, targets: [First/Fine, Second/Fine]}\n"
                           "  lone: {targets: [First/mock-429]}\n"
                           "  least: {on_exhausted: least_bad, targets: [First/mock-429]}\n"
                           "  short: {attempts: 2, targets: [First/mock-500, Second/Bad,"
                           " Second/Fine]}\n"
                           "  quiet: {targets: [First/mock-silent, Second/Silent, Second/Fine]}\n"
                           "  hung: {targets: [{model: First/mock-silent,"
                           " first_byte_timeout: 1s}, Second/Silent]}\n"
                           "  missing: {targets: [First/None, Second/Fine]}\n");
    for (size_t i = 0; i < sizeof VICES / sizeof VICES[0]; i++)
        at += (size_t)snprintf(config + at, sizeof config - at,
                               "  v-%s: {targets: [%s/%s, Second/Fine]}\n", VICES[i].name,
                               i == 0 ? "Gone" : "First", VICES[i].name);
    assert_true(at < sizeof config);
}

static inline void open_host(void)
{
    const struct llmgr_config_source source = {
        .size = sizeof source,
        .text = config,
        .text_size = strlen(config),
        .env = host_env,
        .allocator = &host.allocator,
    };
    struct llmgr_config *read = NULL;
    struct llmgr_error err = {0};

    if (llmgr_open(&host.options, &host.manager, &err) != LLMGR_OK ||
        llmgr_config_read(&source, &read, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    if (llmgr_sync(host.manager, read, false, NULL, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    llmgr_config_free(read);
}

/* What is known of cells goes with the handle. */
static inline void open_anew(void)
{
    llmgr_close(host.manager);
    open_host();
}

static inline int setup(void **state)
{
    (void)state;
    host_setup(&host);
    second = mock_start(&(struct mock_options){.address = "127.0.0.1:0"});
    locked = mock_start(
        &(struct mock_options){.address = "127.0.0.1:0", .require_key = "sk-good-0123456789"});
    host.options.first_byte_timeout_ms = 400;
    host.options.first_content_timeout_ms = 400;
    put_config();
    open_host();
    return second == NULL || locked == NULL;
}

static inline int teardown(void **state)
{
    (void)state;
    mock_stop(locked);
    mock_stop(second);
    host_teardown(&host);
    return 0;
}

static inline unsigned asked(struct mock_thread *mock)
{
    return atomic_load(&mock_thread_counts(mock)->requests);
}

/* ---- A call ---------------------------------------------------------------------------------- */

struct called {
    llmgr_status status;
    struct llmgr_error err;
    unsigned attempts;
    char by[64];        /* the platform that answered */
    unsigned chunks;    /* called back */
    char content[4096]; /* of them */
    size_t size;
    char whole[4096]; /* of the answer */
};

static inline int take_chunk(const struct llmgr_chunk *chunk, void *context)
{
    struct called *called = context;

    called->chunks++;
    if (chunk->content_size > 0 && chunk->content_size < sizeof called->content - called->size) {
        memcpy(called->content + called->size, chunk->content, chunk->content_size);
        called->size += chunk->content_size;
    }
    return 0;
}

static inline struct llmgr_llm *llm_of(const char *user, const char *model)
{
    struct llmgr_llm *llm;
    struct llmgr_error err = {0};

    if (llmgr_llm_for_model(host.manager, user, model, &llm, &err) != LLMGR_OK)
        fail_msg("%s: %s", model, err.message);
    return llm;
}

static inline struct called call_llm(struct llmgr_llm *llm, bool stream)
{
    const struct llmgr_message message = {.role = "user", .content = "hi"};
    struct llmgr_selection selection;
    struct llmgr_answer answer = {0};
    struct llmgr_request request;
    struct called called = {0};

    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    called.status = stream
                        ? llmgr_llm_stream(llm, &request, take_chunk, &called, &answer, &called.err)
                        : llmgr_llm_invoke(llm, &request, &answer, &called.err);
    called.attempts = llmgr_llm_attempts(llm);
    llmgr_llm_answered(llm, &selection);
    snprintf(called.by, sizeof called.by, "%s", selection.platform);
    if (answer.content != NULL)
        snprintf(called.whole, sizeof called.whole, "%s", answer.content);
    llmgr_answer_clear(&answer);
    return called;
}

static inline struct called call(const char *user, const char *model, bool stream)
{
    struct llmgr_llm *llm = llm_of(user, model);

    llmgr_llm_record_usage(llm, true);
    struct called called = call_llm(llm, stream);
    llmgr_llm_free(llm);
    return called;
}

/* Attempts in the ledger, and how many of them were a call's first. */
static inline void count_rows(int64_t *attempts, int64_t *requests)
{
    struct llmgr_usage_query query;
    struct llmgr_usage_list list;

    llmgr_usage_query_init(&query);
    assert_int_equal(llmgr_usage_query(host.manager, &query, &list, NULL), LLMGR_OK);
    *attempts = list.total.attempts;
    *requests = list.total.requests;
    llmgr_usage_list_clear(&list);
}

#define HELLO "Hello from mockllm! You said: hi"

#endif
