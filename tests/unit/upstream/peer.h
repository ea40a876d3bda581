/* SPDX-License-Identifier: MIT */
/* What the tests of upstream/ share: a mock, a peer that talks to it, and a chat request. */
#ifndef TESTS_UPSTREAM_PEER_H
#define TESTS_UPSTREAM_PEER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../unit.h"
#include "base/error.h"
#include "dialect/chat.h"
#include "dialect/models.h"
#include "llm/call.h"
#include "mock.h"
#include "vault/secret.h"

#define TEST_KEY "sk-test-0123456789abcdef"

static inline llmgr_status test_open_key(void *context, struct lv_secret *key,
                                         struct llmgr_error *err)
{
    (void)context;
    if (!lv_secret_set(key, LB_STR(TEST_KEY)))
        return lb_fail(err, LLMGR_ERR_NO_KEY, "too long");
    return LLMGR_OK;
}

struct test_url {
    char text[128];
};

static inline struct test_url test_url(const struct mock_thread *mock, const char *path)
{
    struct test_url url;

    snprintf(url.text, sizeof url.text, "http://127.0.0.1:%u%s", mock_thread_port(mock), path);
    return url;
}

/* `url` and `model` are borrowed. */
static inline struct li_peer test_peer(const struct test_url *url, const char *model)
{
    return (struct li_peer){.base_url = lb_cstr(url->text),
                            .platform_name = LB_STR("Mock"),
                            .model_name = lb_cstr(model),
                            .open_key = test_open_key};
}

static const struct llmgr_message TEST_MESSAGE = {.role = "user", .content = "hi"};

static inline struct llmgr_request test_request(void)
{
    return (struct llmgr_request){.size = sizeof(struct llmgr_request),
                                  .messages = &TEST_MESSAGE,
                                  .message_count = 1,
                                  .temperature = -1,
                                  .max_tokens = LLMGR_UNSET};
}

static inline struct li_call *test_call(const struct lb_host *host, struct lu_timeouts timeouts)
{
    const struct li_call_options options = {.timeouts = timeouts};
    struct li_call *call = NULL;
    struct llmgr_error err = {0};

    if (li_call_new(host, &options, &call, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    return call;
}

/* Waits (a second at most) for a count of the mock. */
static inline unsigned test_wait_open(struct mock_counts *counts, unsigned wanted)
{
    for (int i = 0; i < 1000 && atomic_load(&counts->open) != wanted; i++) {
        struct timespec pause = {.tv_nsec = 1000000};
        nanosleep(&pause, NULL);
    }
    return atomic_load(&counts->open);
}

#endif
