/* SPDX-License-Identifier: MIT */
/*
 * Every call of the library with its n-th allocation failing, for every n until the call succeeds:
 * it returns an error, leaves nothing half done, and leaks nothing (host_teardown counts).
 */
#include "host.h"

static struct host host;
static int64_t platform_id; /* alice's own */
static int64_t model_id;
static int64_t system_id;

/* ---- The calls ------------------------------------------------------------------------------- */

static llmgr_status call_sync(struct llmgr_error *err)
{
    return host_sync(&host, err);
}

static llmgr_status call_platforms(struct llmgr_error *err)
{
    struct llmgr_platform_list list;

    llmgr_status status = llmgr_platforms(host.manager, "alice", &list, err);
    if (status == LLMGR_OK)
        llmgr_platform_list_clear(&list);
    return status;
}

static llmgr_status call_platform_rename(struct llmgr_error *err)
{
    return llmgr_platform_rename(host.manager, "alice", platform_id, "Renamed", err);
}

static llmgr_status call_platform_set_url(struct llmgr_error *err)
{
    return llmgr_platform_set_url(host.manager, "alice", platform_id, "https://b.example.com/v1",
                                  "sk-b", err);
}

static llmgr_status call_platform_hide(struct llmgr_error *err)
{
    return llmgr_platform_hide(host.manager, "alice", system_id, true, err);
}

static llmgr_status call_set_key(struct llmgr_error *err)
{
    return llmgr_platform_set_key(host.manager, "alice", system_id, "sk-alice", err);
}

static llmgr_status call_models(struct llmgr_error *err)
{
    struct llmgr_model_list list;

    llmgr_status status = llmgr_models(host.manager, "alice", &list, err);
    if (status == LLMGR_OK)
        llmgr_model_list_clear(&list);
    return status;
}

static llmgr_status call_model_update(struct llmgr_error *err)
{
    struct llmgr_model_spec spec;

    llmgr_model_spec_init(&spec);
    spec.display_name = "Another";
    spec.extra_body = "{\"a\":1}";
    spec.context_tokens = 200000;
    return llmgr_model_update(host.manager, "alice", model_id, &spec, err);
}

static llmgr_status call_model_hide(struct llmgr_error *err)
{
    return llmgr_model_hide(host.manager, "alice", model_id, true, err);
}

static llmgr_status call_save(struct llmgr_error *err)
{
    return llmgr_selection_save(host.manager, "alice", "fast", platform_id, model_id, err);
}

static llmgr_status call_selection(struct llmgr_error *err)
{
    struct llmgr_selection selection;

    llmgr_status status = llmgr_selection_get(host.manager, "alice", "fast", &selection, err);
    if (status == LLMGR_OK)
        llmgr_selection_clear(&selection);
    return status;
}

static llmgr_status call_slots(struct llmgr_error *err)
{
    char **slots;

    llmgr_status status = llmgr_selection_slots(host.manager, "alice", &slots, err);
    if (status == LLMGR_OK)
        llmgr_selection_slots_free(host.manager, slots);
    return status;
}

static llmgr_status call_explain(struct llmgr_error *err)
{
    struct llmgr_explanation explanation;

    llmgr_status status =
        llmgr_explain(host.manager, "alice", NULL, "House/Small", &explanation, err);
    if (status == LLMGR_OK)
        llmgr_explanation_clear(&explanation);
    return status;
}

/* `model`: NULL: what bob chose. */
static llmgr_status ask(const char *model, bool stream, struct llmgr_error *err)
{
    const struct llmgr_message message = {.role = "user", .content = "hi"};
    struct llmgr_answer answer = {0};
    struct llmgr_request request;
    struct llmgr_llm *llm;

    llmgr_status status = model != NULL ? llmgr_llm_for_model(host.manager, "bob", model, &llm, err)
                                        : llmgr_llm_for_user(host.manager, "bob", NULL, &llm, err);
    if (status != LLMGR_OK)
        return status;
    llmgr_llm_record_usage(llm, true);
    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    status = stream ? llmgr_llm_stream(llm, &request, NULL, NULL, &answer, err)
                    : llmgr_llm_invoke(llm, &request, &answer, err);
    llmgr_answer_clear(&answer);
    llmgr_llm_free(llm);
    return status;
}

static llmgr_status call_invoke(struct llmgr_error *err)
{
    return ask(NULL, false, err);
}

static llmgr_status call_stream(struct llmgr_error *err)
{
    return ask(NULL, true, err);
}

static llmgr_status call_walk(struct llmgr_error *err)
{
    return ask("twice", false, err);
}

static llmgr_status call_walk_stream(struct llmgr_error *err)
{
    return ask("twice", true, err);
}

static llmgr_status call_probe(struct llmgr_error *err)
{
    struct llmgr_probe probe;

    llmgr_status status = llmgr_platform_probe(host.manager, NULL, system_id, 0, &probe, err);
    if (status == LLMGR_OK)
        llmgr_probe_clear(&probe);
    return status;
}

static llmgr_status call_check(struct llmgr_error *err)
{
    struct llmgr_db_report report;

    llmgr_status status = llmgr_db_check(host.manager, &report, err);
    if (status == LLMGR_OK)
        llmgr_db_report_clear(&report);
    return status;
}

static llmgr_status call_key_status(struct llmgr_error *err)
{
    struct llmgr_key_report report;

    llmgr_status status = llmgr_key_status(host.manager, &report, err);
    if (status == LLMGR_OK)
        llmgr_key_report_clear(&report);
    return status;
}

static llmgr_status call_rotate(struct llmgr_error *err)
{
    return llmgr_key_rotate(host.manager, false, NULL, err);
}

static llmgr_status call_model_delete(struct llmgr_error *err)
{
    return llmgr_model_delete(host.manager, "alice", model_id, err);
}

static llmgr_status call_platform_delete(struct llmgr_error *err)
{
    return llmgr_platform_delete(host.manager, "alice", platform_id, err);
}

/* ---- The sweep ------------------------------------------------------------------------------- */

static void sweep(const char *name, llmgr_status (*call)(struct llmgr_error *))
{
    enum { TRIES_MAX = 3000 };
    struct llmgr_error err = {0};

    for (long n = 1; n < TRIES_MAX; n++) {
        err = (struct llmgr_error){0};
        atomic_store(&host.failed, false);
        atomic_store(&host.countdown, n);
        atomic_store(&host.armed, true);
        llmgr_status status = call(&err);
        atomic_store(&host.armed, false);
        if (status == LLMGR_OK && !atomic_load(&host.failed))
            return; /* no allocation left to fail */
        if (status != LLMGR_OK && (status != err.status || err.message[0] == '\0'))
            fail_msg("%s, allocation %ld: status %s without its error", name, n,
                     llmgr_status_name(status));
        if (status != LLMGR_OK && status != LLMGR_ERR_NO_MEMORY)
            fail_msg("%s, allocation %ld: %s: %s", name, n, llmgr_status_name(status), err.message);
    }
    fail_msg("%s never succeeded: %s", name, err.message);
}

/* Its first target fails every time, and nothing is cooled by that. */
static void add_route(void)
{
    const size_t size = strlen(host.config);

    snprintf(host.config + size, sizeof host.config - size,
             "  Other:\n    base_url: http://127.0.0.1:%u/other\n    api_key: \"{HOUSE_KEY}\"\n"
             "    models: {Absent: mock-404}\n"
             "routes:\n  twice: {sticky: conversation, pick: weight, targets:"
             " [{model: Other/Absent, weight: 9}, House/Small]}\n",
             mock_thread_port(host.mock));
}

static void each_call_survives_each_failing_allocation(void **state)
{
    (void)state;
    struct llmgr_platform platform;
    struct llmgr_model model;
    struct llmgr_model_spec spec;

    host_setup(&host);
    add_route();
    host_open(&host);
    system_id = host_platform(&host);
    assert_int_equal(llmgr_platform_add(host.manager, "alice", "Mine", "https://a.example.com/v1",
                                        "sk-a", &platform, NULL),
                     LLMGR_OK);
    platform_id = platform.platform_id;
    llmgr_platform_clear(&platform);
    llmgr_model_spec_init(&spec);
    spec.model_name = "m";
    spec.display_name = "M";
    spec.kind = LLMGR_MODEL_CHAT;
    assert_int_equal(llmgr_model_add(host.manager, "alice", platform_id, &spec, &model, NULL),
                     LLMGR_OK);
    model_id = model.model_id;
    llmgr_model_clear(&model);

#define SWEEP(call) sweep(#call, call)
    SWEEP(call_sync);
    SWEEP(call_platforms);
    SWEEP(call_platform_rename);
    SWEEP(call_platform_set_url);
    SWEEP(call_platform_hide);
    SWEEP(call_set_key);
    SWEEP(call_models);
    SWEEP(call_model_update);
    SWEEP(call_model_hide);
    SWEEP(call_save);
    SWEEP(call_selection);
    SWEEP(call_slots);
    SWEEP(call_explain);
    SWEEP(call_invoke);
    SWEEP(call_stream);
    SWEEP(call_walk);
    SWEEP(call_walk_stream);
    SWEEP(call_probe);
    SWEEP(call_check);
    SWEEP(call_key_status);
    SWEEP(call_rotate);
    SWEEP(call_model_delete);
    SWEEP(call_platform_delete);
#undef SWEEP
    host_teardown(&host);
}

static void opening_survives_each_failing_allocation(void **state)
{
    (void)state;
    struct llmgr_error err = {0};

    host_setup(&host);
    host_open(&host); /* the schema is made once: what is swept is opening, not migrating */
    llmgr_close(host.manager);
    host.manager = NULL;
    for (long n = 1;; n++) {
        atomic_store(&host.failed, false);
        atomic_store(&host.countdown, n);
        atomic_store(&host.armed, true);
        llmgr_status status = llmgr_open(&host.options, &host.manager, &err);
        atomic_store(&host.armed, false);
        if (status == LLMGR_OK && !atomic_load(&host.failed))
            break;
        if (status == LLMGR_OK)
            llmgr_close(host.manager);
        else
            assert_int_equal(status, LLMGR_ERR_NO_MEMORY);
        host.manager = NULL;
        assert_int_equal(atomic_load(&host.living), 0);
        assert_true(n < 5000);
    }
    host_teardown(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opening_survives_each_failing_allocation),
        cmocka_unit_test(each_call_survives_each_failing_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
