/* SPDX-License-Identifier: MIT */
/*
 * A host program as the tests of api/ play it: a fresh database of either kind, an allocator that
 * can fail on demand, and the scripted upstream as the one system platform.
 */
#ifndef TESTS_LIBRARY_HOST_H
#define TESTS_LIBRARY_HOST_H

#include <stdatomic.h>

#include "../db.h"
#include "llmgr.h"
#include "mock.h"

struct host {
    struct db db;
    struct mock_thread *mock;
    struct llmgr_allocator allocator;
    struct llmgr_options options;
    char key_file[300];
    char config[1024];
    struct llmgr *manager;
    /* The allocation that fails: counted down while armed. */
    atomic_long countdown;
    atomic_bool armed;
    atomic_bool failed;
    atomic_long living; /* allocations not yet freed */
};

static inline bool host_fails_now(struct host *host)
{
    if (!atomic_load(&host->armed) || atomic_fetch_sub(&host->countdown, 1) != 1)
        return false;
    atomic_store(&host->failed, true);
    return true;
}

static inline void *host_alloc(size_t size, void *context)
{
    struct host *host = context;

    if (host_fails_now(host))
        return NULL;
    void *p = malloc(size);
    if (p != NULL)
        atomic_fetch_add(&host->living, 1);
    return p;
}

static inline void *host_realloc(void *p, size_t size, void *context)
{
    struct host *host = context;

    if (host_fails_now(host))
        return NULL;
    void *moved = realloc(p, size);
    if (p == NULL && moved != NULL)
        atomic_fetch_add(&host->living, 1);
    return moved;
}

static inline void host_free(void *p, void *context)
{
    struct host *host = context;

    if (p != NULL)
        atomic_fetch_sub(&host->living, 1);
    free(p);
}

static const char *host_env(const char *name, void *context)
{
    (void)context;
    return strcmp(name, "HOUSE_KEY") == 0 ? "sk-site-0123456789" : NULL;
}

static inline llmgr_status host_sync(struct host *host, struct llmgr_error *err)
{
    const struct llmgr_config_source source = {
        .size = sizeof source,
        .text = host->config,
        .text_size = strlen(host->config),
        .env = host_env,
        .allocator = &host->allocator,
    };
    struct llmgr_config *config;

    llmgr_status status = llmgr_config_read(&source, &config, err);
    if (status != LLMGR_OK)
        return status;
    status = llmgr_sync(host->manager, config, false, NULL, err);
    llmgr_config_free(config);
    return status;
}

static inline void host_open(struct host *host)
{
    struct llmgr_error err = {0};

    if (llmgr_open(&host->options, &host->manager, &err) != LLMGR_OK ||
        host_sync(host, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
}

static inline void host_setup(struct host *host)
{
    memset(host, 0, sizeof *host);
    db_setup(&host->db);
    host->mock = mock_start(&(struct mock_options){.address = "127.0.0.1:0"});
    assert_non_null(host->mock);
    host->allocator = (struct llmgr_allocator){host_alloc, host_realloc, host_free, host};
    snprintf(host->key_file, sizeof host->key_file, "%s/master.key", host->db.dir);
    snprintf(host->config, sizeof host->config,
             "platforms:\n"
             "  House:\n"
             "    base_url: http://127.0.0.1:%u/v1\n"
             "    api_key: \"{HOUSE_KEY}\"\n"
             "    models:\n"
             "      Small: mock\n"
             "      Large: {model_name: mock-reasoning, extra_body: {top_k: 3}}\n",
             mock_thread_port(host->mock));
    llmgr_options_init(&host->options);
    host->options.database = host->db.url;
    host->options.master_key_file = host->key_file;
    host->options.master_key_create = true;
    host->options.allocator = &host->allocator;
}

/* Also proves that everything the library took was given back. */
static inline void host_teardown(struct host *host)
{
    llmgr_close(host->manager);
    assert_int_equal(atomic_load(&host->living), 0);
    mock_stop(host->mock);
    db_teardown(&host->db);
}

/* The first system platform and its models, in order. */
static inline int64_t host_platform(struct host *host)
{
    struct llmgr_platform_list list;

    assert_int_equal(llmgr_platforms(host->manager, NULL, &list, NULL), LLMGR_OK);
    assert_true(list.count > 0);
    int64_t id = list.items[0].platform_id;
    llmgr_platform_list_clear(&list);
    return id;
}

static inline int64_t host_model(struct host *host, const char *display_name)
{
    struct llmgr_model_list list;
    int64_t id = 0;

    assert_int_equal(llmgr_models(host->manager, NULL, &list, NULL), LLMGR_OK);
    for (size_t i = 0; i < list.count; i++) {
        if (strcmp(list.items[i].display_name, display_name) == 0)
            id = list.items[i].model_id;
    }
    llmgr_model_list_clear(&list);
    assert_true(id > 0);
    return id;
}

#endif
