/* SPDX-License-Identifier: MIT */
/*
 * bench_plant DATABASE MASTER-KEY-FILE USERS: gives that many users an own key for the first system
 * platform, a choice and a token, and prints the tokens, one per line; with USERS 0 an
 * administrator's token. The platform and its model come from `llmgr init`.
 */
#include <stdio.h>
#include <stdlib.h>

#include <llmgr.h>

static void check(llmgr_status status, const struct llmgr_error *err)
{
    if (status == LLMGR_OK)
        return;
    fprintf(stderr, "bench_plant: %s\n", err->message);
    exit(1);
}

static void issue(struct llmgr *manager, llmgr_token_kind kind, const char *user)
{
    struct llmgr_error err = {0};
    struct llmgr_token_spec spec;
    char token[LLMGR_TOKEN_ROOM];

    llmgr_token_spec_init(&spec);
    spec.kind = kind;
    spec.user = user;
    spec.name = "bench";
    check(llmgr_token_create(manager, &spec, token, sizeof token, NULL, &err), &err);
    puts(token);
    llmgr_wipe(token, sizeof token);
}

static void plant_user(struct llmgr *manager, long number, const struct llmgr_model *model)
{
    struct llmgr_error err = {0};
    char user[32], key[64];

    snprintf(user, sizeof user, "bench-%06ld", number);
    snprintf(key, sizeof key, "sk-%048ld", number);
    check(llmgr_platform_set_key(manager, user, model->platform_id, key, &err), &err);
    check(llmgr_selection_save(manager, user, NULL, model->platform_id, model->model_id, &err),
          &err);
    issue(manager, LLMGR_TOKEN_USER, user);
}

int main(int argc, char **argv)
{
    struct llmgr_options options;
    struct llmgr_model_list models;
    struct llmgr_error err = {0};
    struct llmgr *manager;

    if (argc != 4) {
        fputs("usage: bench_plant DATABASE MASTER-KEY-FILE USERS\n", stderr);
        return 2;
    }
    llmgr_options_init(&options);
    options.database = argv[1];
    options.master_key_file = argv[2];
    check(llmgr_open(&options, &manager, &err), &err);
    check(llmgr_models(manager, NULL, &models, &err), &err);
    if (models.count == 0) {
        fputs("bench_plant: there is no model\n", stderr);
        return 1;
    }
    long users = atol(argv[3]);
    for (long i = 0; i < users; i++)
        plant_user(manager, i, &models.items[0]);
    if (users == 0)
        issue(manager, LLMGR_TOKEN_ADMIN, NULL);
    llmgr_model_list_clear(&models);
    llmgr_close(manager);
    return 0;
}
