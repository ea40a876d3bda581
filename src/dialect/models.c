/* SPDX-License-Identifier: MIT */
/*
 * GET /models: the list, its entries kept as JSON for whoever wants more than the id. OpenAI's
 * shape is {"data": [{"id": …}, …]}; others put the list elsewhere, or call the id something else:
 *
 *   the list      the whole answer, or a member of LISTS, of the answer or of what a WRAPPER holds
 *   the id        a name alone, or the first member of IDS that any entry of the list has
 *   the kind      what the entry says of it (model_kind.h), likewise its tokens (model_tokens.h)
 */
#include "dialect/models.h"

#include "base/arena.h"
#include "dialect/model_kind.h"
#include "dialect/model_tokens.h"
#include "json/write.h"

static const char *const LISTS[] = {"data",           "models",    "result", "results",
                                    "modelSummaries", "resources", "items",  "model_names"};
static const char *const WRAPPERS[] = {"data", "output", "result"};
static const char *const IDS[] = {"id", "model", "model_id", "modelId", "model_name", "name"};

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

/* ---- Where the list is, and what an entry is called ------------------------------------------ */

static const json_t *list_in(const json_t *object, const char **member)
{
    for (size_t i = 0; i < sizeof LISTS / sizeof LISTS[0]; i++) {
        const json_t *list = json_object_get(object, LISTS[i]);
        if (json_is_array(list)) {
            *member = LISTS[i];
            return list;
        }
    }
    return NULL;
}

/* NULL: there is none. `member` gets where it was, "" for the whole answer. */
static const json_t *find_list(const json_t *root, const char **member)
{
    *member = "";
    if (json_is_array(root))
        return root;
    const json_t *list = list_in(root, member);
    for (size_t i = 0; list == NULL && i < sizeof WRAPPERS / sizeof WRAPPERS[0]; i++)
        list = list_in(json_object_get(root, WRAPPERS[i]), member);
    return list;
}

/* The member that names the entries; NULL: none does. */
static const char *find_id(const json_t *list, const char *member)
{
    const size_t count = sizeof IDS / sizeof IDS[0];
    /* Cloudflare's rows have an id of their own beside the model's name. */
    const size_t first = strcmp(member, "result") == 0 ? count - 1 : 0;

    for (size_t i = 0; i < count; i++) {
        const char *name = IDS[(first + i) % count];
        for (size_t at = 0; at < json_array_size(list); at++) {
            if (lj_json_str(json_array_get(list, at), name).size != 0)
                return name;
        }
    }
    return NULL;
}

static struct lb_str entry_id(const json_t *entry, const char *member)
{
    if (json_is_string(entry))
        return lb_str(json_string_value(entry), json_string_length(entry));
    return member != NULL ? lj_json_str(entry, member) : (struct lb_str){0};
}

/* The entry as JSON; a name alone as the object it would be. */
static void write_entry(const json_t *entry, struct lb_str id, struct lb_buf *out)
{
    if (!json_is_string(entry)) {
        lj_json_write(entry, out);
        return;
    }
    lb_buf_add_c(out, "{\"id\":");
    lj_json_write_str(id, out);
    lb_buf_add_c(out, "}");
}

/* ---- Reading --------------------------------------------------------------------------------- */

static llmgr_status copy_entries(const json_t *data, const char *id_member, struct memory *memory,
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
        struct lb_str id = entry_id(entry, id_member);
        if (id.size == 0 || memchr(id.p, '\0', id.size) != NULL)
            continue;
        lb_buf_reset(&raw);
        write_entry(entry, id, &raw);
        struct llmgr_probe_model *model = &probe->models[probe->count];
        model->id = lb_arena_str(arena, id).p;
        model->kind = ld_model_kind(entry);
        model->context_tokens = ld_model_context(entry);
        model->max_output_tokens = ld_model_max_output(entry);
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
    if (lb_str_starts(body, LB_STR("\xef\xbb\xbf")))
        body = lb_str_sub(body, 3, body.size);
    json_t *root = lj_json_read(body, &short_of_memory);
    if (root == NULL)
        return short_of_memory ? lb_fail_memory(err) : no_list(err);
    const char *member;
    const json_t *data = find_list(root, &member);
    struct memory *memory = lb_calloc(host, 1, sizeof *memory);
    if (memory == NULL) {
        json_decref(root);
        return lb_fail_memory(err);
    }
    memory->host = *host;
    lb_arena_init(&memory->arena, &memory->host, NULL, 0, 8 * (size_t)LD_MODELS_BODY_MAX);
    read.memory = memory;
    if (data == NULL)
        status = no_list(err);
    else if (json_array_size(data) > LD_MODELS_MAX)
        status = lb_fail(err, LLMGR_ERR_PROTOCOL, N_("the model list holds more than %d entries"),
                         LD_MODELS_MAX);
    else
        status = copy_entries(data, find_id(data, member), memory, &read, err);
    /* A list of something else; that of OpenAI's shape is one whatever it holds. */
    if (status == LLMGR_OK && read.count == 0 && json_array_size(data) != 0 &&
        strcmp(member, "data") != 0)
        status = no_list(err);
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
