/* SPDX-License-Identifier: MIT */
/*
 * choose: an administrator's platforms from a configuration, a user with a platform of their own,
 * and what serves whom.
 *
 *     choose DATABASE MASTER-KEY-FILE
 *     choose sqlite:example.db ./example.key
 */
#include <stdio.h>
#include <string.h>

#include <llmgr.h>

static const char CONFIG[] = "platforms:\n"
                             "  House:\n"
                             "    base_url: http://127.0.0.1:9/v1\n"
                             "    api_key: \"{HOUSE_KEY}\"\n"
                             "    models:\n"
                             "      House small: house-1-small\n"
                             "      House large: house-1-large\n";

/* Where {HOUSE_KEY} comes from: a host decides what its environment is. */
static const char *environment(const char *name, void *context)
{
    (void)context;
    return strcmp(name, "HOUSE_KEY") == 0 ? "sk-house" : NULL;
}

static llmgr_status synchronise(struct llmgr *manager, struct llmgr_error *err)
{
    const struct llmgr_config_source source = {
        .size = sizeof source,
        .text = CONFIG,
        .text_size = sizeof CONFIG - 1,
        .env = environment,
    };
    struct llmgr_config *config;

    llmgr_status status = llmgr_config_read(&source, &config, err);
    if (status != LLMGR_OK)
        return status;
    status = llmgr_sync(manager, config, false, NULL, err);
    llmgr_config_free(config);
    return status;
}

static llmgr_status add_own_platform(struct llmgr *manager, const char *user,
                                     struct llmgr_error *err)
{
    struct llmgr_platform platform;

    llmgr_status status = llmgr_platform_add(manager, user, "Mine", "https://api.example.com/v1",
                                             "sk-mine", &platform, err);
    if (status != LLMGR_OK)
        return status;
    struct llmgr_model_spec spec;
    struct llmgr_model model;
    llmgr_model_spec_init(&spec);
    spec.model_name = "my-model";
    spec.display_name = "My model";
    status = llmgr_model_add(manager, user, platform.platform_id, &spec, &model, err);
    if (status == LLMGR_OK) {
        status =
            llmgr_selection_save(manager, user, NULL, platform.platform_id, model.model_id, err);
        llmgr_model_clear(&model);
    }
    llmgr_platform_clear(&platform);
    return status;
}

static llmgr_status show(struct llmgr *manager, const char *user, struct llmgr_error *err)
{
    struct llmgr_model_list list;
    struct llmgr_selection selection;

    llmgr_status status = llmgr_models(manager, user, &list, err);
    if (status != LLMGR_OK)
        return status;
    printf("%s can choose from\n", user);
    for (size_t i = 0; i < list.count; i++)
        printf("  %s / %s%s\n", list.items[i].platform_name, list.items[i].display_name,
               list.items[i].api_key_set ? "" : " (no key)");
    llmgr_model_list_clear(&list);
    status = llmgr_selection_get(manager, user, NULL, &selection, err);
    if (status != LLMGR_OK)
        return status;
    printf("and is served by %s / %s\n", selection.platform, selection.model_display_name);
    llmgr_selection_clear(&selection);
    return LLMGR_OK;
}

int main(int argc, char **argv)
{
    struct llmgr_options options;
    struct llmgr_error err = {0};
    struct llmgr *manager;

    if (argc != 3) {
        fprintf(stderr, "usage: %s DATABASE MASTER-KEY-FILE\n", argv[0]);
        return 2;
    }
    llmgr_options_init(&options);
    options.database = argv[1];
    options.master_key_file = argv[2];
    options.master_key_create = true;
    llmgr_status status = llmgr_open(&options, &manager, &err);
    if (status == LLMGR_OK) {
        status = synchronise(manager, &err);
        if (status == LLMGR_OK)
            status = add_own_platform(manager, "alice", &err);
        if (status == LLMGR_OK)
            status = show(manager, "alice", &err);
        if (status == LLMGR_OK)
            status = show(manager, "bob", &err);
        llmgr_close(manager);
    }
    if (status != LLMGR_OK)
        fprintf(stderr, "%s: %s\n", argv[0], err.message);
    return llmgr_status_exit(status);
}
