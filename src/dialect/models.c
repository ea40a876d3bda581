/* SPDX-License-Identifier: MIT */
/* GET /models: the list, its entries kept as JSON for whoever wants more than the id. */
#include "dialect/models.h"

#include "base/arena.h"
#include "json/write.h"

/* What an answer of ours hangs on: a host of its own, since the library's may be closed first. */
struct memory {
    struct lb_host host;
    struct lb_arena arena;
};

static llmgr_status no_list(struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_NO_LIST,
                   N_("the answer holds no model list (a JSON object with a \"data\" list); check "
                      "the base URL, it usually ends in /v1"));
}

static llmgr_status copy_entries(const json_t *data, struct memory *memory,
                                 struct llmgr_probe *probe, struct llmgr_error *err)
{
    struct lb_arena *arena = &memory->arena;
    struct lb_buf raw;
    size_t total = json_array_size(data);

    probe->models = lb_arena_calloc(arena, total > 0 ? total : 1, sizeof *probe->models);
    if (probe->models == NULL)
        return lb_fail_memory(err);
    lb_buf_init(&raw, &memory->host, 2 * LD_MODELS_BODY_MAX);
    llmgr_status status = LLMGR_OK;
    for (size_t i = 0; i < total && status == LLMGR_OK; i++) {
        const json_t *entry = json_array_get(data, i);
        struct lb_str id = lj_json_str(entry, "id");
        if (id.size == 0 || memchr(id.p, '\0', id.size) != NULL)
            continue;
        lb_buf_reset(&raw);
        lj_json_write(entry, &raw);
        struct llmgr_probe_model *model = &probe->models[probe->count];
        model->id = lb_arena_str(arena, id).p;
        model->raw = raw.failed == LLMGR_OK ? lb_arena_str(arena, lb_buf_str(&raw)).p : NULL;
        if (model->id == NULL || model->raw == NULL)
            status = lb_fail_memory(err);
        else
            probe->count++;
    }
    lb_buf_free(&raw);
    return status;
}

llmgr_status ld_models_read(const struct lb_host *host, struct lb_str body,
                            struct llmgr_probe *probe, struct llmgr_error *err)
{
    struct llmgr_probe read = {0};
    llmgr_status status;
    bool short_of_memory;

    if (body.size > LD_MODELS_BODY_MAX)
        return lb_fail(err, LLMGR_ERR_PROTOCOL, N_("the model list is larger than %d bytes"),
                       LD_MODELS_BODY_MAX);
    json_t *root = lj_json_read(body, &short_of_memory);
    if (root == NULL)
        return short_of_memory ? lb_fail_memory(err) : no_list(err);
    const json_t *data = json_object_get(root, "data");
    struct memory *memory = lb_calloc(host, 1, sizeof *memory);
    if (memory == NULL) {
        json_decref(root);
        return lb_fail_memory(err);
    }
    memory->host = *host;
    lb_arena_init(&memory->arena, &memory->host, NULL, 0, 8 * (size_t)LD_MODELS_BODY_MAX);
    read.memory = memory;
    if (!json_is_array(data))
        status = no_list(err);
    else if (json_array_size(data) > LD_MODELS_MAX)
        status = lb_fail(err, LLMGR_ERR_PROTOCOL, N_("the model list holds more than %d entries"),
                         LD_MODELS_MAX);
    else
        status = copy_entries(data, memory, &read, err);
    json_decref(root);
    if (status == LLMGR_OK)
        *probe = read;
    else
        ld_probe_clear(&read);
    return status;
}

void ld_probe_clear(struct llmgr_probe *probe)
{
    struct memory *memory = probe->memory;

    if (memory != NULL) {
        struct lb_host host = memory->host;
        lb_arena_free(&memory->arena);
        lb_free(&host, memory);
    }
    *probe = (struct llmgr_probe){0};
}
