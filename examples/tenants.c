/* SPDX-License-Identifier: MIT */
/*
 * tenants: many threads, one handle. Each user stores a key of their own for the first system
 * platform; then all of them ask at once, and each is told who pays and sees no key but their own.
 *
 *     tenants DATABASE MASTER-KEY-FILE CONFIG USERS
 *     tenants sqlite:llmgr.db ~/.config/llmgr/master.key llmgr.yaml 8
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llmgr.h>

enum { USERS_MAX = 64 };

struct tenant {
    struct llmgr *manager;
    int64_t platform_id;
    char user[32];
    char key[32];
    char payer[8];
    llmgr_status status;
    struct llmgr_error err;
    pthread_t thread;
};

/* Is the key that resolve yields really this tenant's? */
static llmgr_status check_key(struct tenant *tenant, const struct llmgr_llm *llm)
{
    char key[4097];

    llmgr_status status = llmgr_llm_key(llm, key, sizeof key, &tenant->err);
    if (status == LLMGR_OK && strcmp(key, tenant->key) != 0)
        status = LLMGR_ERR_INTERNAL;
    llmgr_wipe(key, sizeof key);
    return status;
}

static llmgr_status ask(struct tenant *tenant)
{
    const struct llmgr_message message = {.role = "user", .content = tenant->user};
    struct llmgr_request request;
    struct llmgr_answer answer = {0};
    struct llmgr_llm *llm;

    llmgr_status status =
        llmgr_llm_for_user(tenant->manager, tenant->user, NULL, &llm, &tenant->err);
    if (status != LLMGR_OK)
        return status;
    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    snprintf(tenant->payer, sizeof tenant->payer, "%s", llmgr_llm_payer(llm));
    status = check_key(tenant, llm);
    if (status == LLMGR_OK)
        status = llmgr_llm_invoke(llm, &request, &answer, &tenant->err);
    llmgr_answer_clear(&answer);
    llmgr_llm_free(llm);
    return status;
}

static void *run_tenant(void *context)
{
    struct tenant *tenant = context;

    tenant->status = llmgr_platform_set_key(tenant->manager, tenant->user, tenant->platform_id,
                                            tenant->key, &tenant->err);
    if (tenant->status == LLMGR_OK)
        tenant->status = ask(tenant);
    return NULL;
}

static llmgr_status run_all(struct llmgr *manager, int users, struct llmgr_error *err)
{
    static struct tenant tenants[USERS_MAX];
    struct llmgr_platform_list list;

    llmgr_status status = llmgr_platforms(manager, NULL, &list, err);
    if (status != LLMGR_OK)
        return status;
    int64_t platform_id = list.count != 0 ? list.items[0].platform_id : 0;
    llmgr_platform_list_clear(&list);
    int started = 0;
    for (; started < users; started++) {
        struct tenant *tenant = &tenants[started];
        tenant->manager = manager;
        tenant->platform_id = platform_id;
        snprintf(tenant->user, sizeof tenant->user, "user-%d", started);
        snprintf(tenant->key, sizeof tenant->key, "sk-of-user-%d", started);
        if (pthread_create(&tenant->thread, NULL, run_tenant, tenant) != 0)
            break;
    }
    for (int i = 0; i < started; i++) {
        pthread_join(tenants[i].thread, NULL);
        if (tenants[i].status != LLMGR_OK && status == LLMGR_OK) {
            status = tenants[i].status;
            *err = tenants[i].err;
        }
        printf("%s: %s, paid by %s\n", tenants[i].user, llmgr_status_text(tenants[i].status),
               tenants[i].payer);
    }
    return started == users ? status : LLMGR_ERR_NO_MEMORY;
}

static const char *environment(const char *name, void *context)
{
    (void)context;
    return getenv(name);
}

int main(int argc, char **argv)
{
    int users = argc == 5 ? (int)strtol(argv[4], NULL, 10) : 0;
    struct llmgr_options options;
    struct llmgr_error err = {0};
    struct llmgr_config *config;
    struct llmgr *manager;

    if (users < 1 || users > USERS_MAX) {
        fprintf(stderr, "usage: %s DATABASE MASTER-KEY-FILE CONFIG USERS (1 to %d)\n", argv[0],
                USERS_MAX);
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
            status = llmgr_sync(manager, config, false, NULL, &err);
            if (status == LLMGR_OK)
                status = run_all(manager, users, &err);
            llmgr_close(manager);
        }
        llmgr_config_free(config);
    }
    if (status != LLMGR_OK)
        fprintf(stderr, "%s: %s\n", argv[0], err.message);
    return llmgr_status_exit(status);
}
