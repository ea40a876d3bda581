/* SPDX-License-Identifier: MIT */
/*
 * llmgr.yaml and the original's file: any bytes. What is accepted is complete (names, addresses,
 * keys, JSON objects that jansson reads), and an error has one line.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "config/file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_model(const struct lc_model *model)
{
    if (model->display_name == NULL || model->model_name == NULL)
        abort();
    if (model->extra_body == NULL)
        return;
    json_error_t error;
    json_t *json = json_loads(model->extra_body, JSON_REJECT_DUPLICATES, &error);
    /* Our numbers may be larger than jansson's integers; everything else it must read. */
    if (json == NULL && strstr(error.text, "too big") == NULL)
        abort();
    json_decref(json);
}

static void check_keys(const struct lc_platform *platform)
{
    if (platform->key_count > LC_KEYS_MAX)
        abort();
    for (size_t i = 0; i < platform->key_count; i++) {
        const struct lc_key *key = &platform->keys[i];
        if (key->text == NULL || key->text[0] == '\0' || key->weight < 0)
            abort();
    }
}

static void check(const struct lc_file *file)
{
    for (size_t i = 0; i < file->platform_count; i++) {
        const struct lc_platform *platform = &file->platforms[i];
        if (platform->name == NULL || platform->base_url == NULL || platform->protocol == NULL)
            abort();
        check_keys(platform);
        for (size_t j = 0; j < platform->model_count; j++)
            check_model(&platform->models[j]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_str text = lb_str((const char *)data, size);
    struct llmgr_error err = {0};
    struct lc_file *file = NULL;
    struct lb_host host;

    lb_host_init(&host);
    if (lc_file_parse(&host, "fuzz", text, &file, &err) == LLMGR_OK)
        check(file);
    else if (strchr(err.message, '\n') != NULL)
        abort();
    lc_file_free(file);
    file = NULL;
    if (lc_file_parse_legacy(&host, "fuzz", text, &file, NULL) == LLMGR_OK)
        check(file);
    lc_file_free(file);
    return 0;
}
