/* SPDX-License-Identifier: MIT */
/*
 * Keys asked for their own sake: one request with one key, and its row in the ledger; and all keys
 * that somebody has for a platform, one after another.
 */
#include <inttypes.h>
#include <stdio.h>

#include <sodium.h>

#include "base/magic.h"
#include "keys/ring.h"
#include "ledger/ledger.h"
#include "ledger/request_id.h"
#include "library/library.h"
#include "library/test_limit.h"
#include "llm/test.h"
#include "manager/manager.h"
#include "net/policy.h"
#include "resolve/resolve.h"
#include "routing/hash.h"
#include "vault/vault.h"

llmgr_status la_test_target(struct llmgr *manager, struct li_call *call,
                            const struct lr_target *target, bool show_body, struct li_test *test,
                            struct llmgr_error *err)
{
    struct li_target_context context;
    struct li_peer peer;

    li_peer_of_target(manager->manager, target, NULL, &context, &peer);
    return li_call_test(call, &peer, show_body, test, err);
}

llmgr_status la_list_target(struct llmgr *manager, struct li_call *call,
                            const struct lr_target *target, struct llmgr_error *err)
{
    struct li_target_context context;
    struct llmgr_probe found = {0};
    struct li_peer peer;

    li_peer_of_target(manager->manager, target, NULL, &context, &peer);
    llmgr_status status = li_call_models(call, &peer, LI_TEST_MS, false, &found, err);
    if (status == LLMGR_OK)
        llmgr_probe_clear(&found);
    return status;
}

static llmgr_end_state end_of(const struct li_test *test)
{
    if (test->verdict.reason == LO_REASON_ANSWERED)
        return LLMGR_END_COMPLETED;
    return test->verdict.reason == LO_REASON_CUT ? LLMGR_END_UPSTREAM_CUT
                                                 : LLMGR_END_UPSTREAM_ERROR;
}

llmgr_status la_test_record(struct llmgr *manager, const struct lr_target *target,
                            const struct li_test *test, const char *endpoint,
                            struct llmgr_error *err)
{
    char time[LL_ID_TIME_SIZE], id[40];
    uint64_t noise;
    struct ll_usage usage;

    randombytes_buf(&noise, sizeof noise);
    ll_id_write_time(test->time_ms, time);
    (void)snprintf(id, sizeof id, "test_%.*s%016" PRIx64, LL_ID_TIME_SIZE, time, noise);
    ll_usage_begin(&usage, target);
    usage.request_id = lb_cstr(id);
    usage.attempt = 1;
    usage.time_ms = test->time_ms;
    usage.endpoint = lb_cstr(endpoint);
    ll_usage_tell(&usage, &test->usage);
    if (usage.prompt_tokens != LL_UNKNOWN)
        usage.provenance = LLMGR_PROVENANCE_REPORTED;
    usage.end_state = end_of(test);
    usage.upstream_status = test->verdict.http_status;
    usage.latency_ms = test->latency_ms;
    usage.first_byte_ms = test->first_byte_ms;
    usage.bytes_in = test->bytes_in;
    usage.bytes_out = test->bytes_out;
    return la_usage_add_priced(manager, &usage, err);
}

/* ---- All keys of a platform ------------------------------------------------------------------ */

enum {
    NTH_MAGIC = 0x6c616b6e,
    ARENA_MAX = 1 << 20,
    ALL_MS = 60 * 1000, /* after so long no further key is asked */
};

/* What marks its row in the ledger. */
#define ENDPOINT "platform/test"

struct nth {
    unsigned magic;
    uint32_t at;
};

static uint32_t choose_nth(void *context, const struct lr_target *target, const struct lr_key *keys,
                           uint32_t count)
{
    const struct nth *nth = LB_CAST(struct nth, context, NTH_MAGIC);

    (void)target;
    (void)keys;
    return nth->at < count ? nth->at : LR_KEY_NONE;
}

/* One run over them. */
struct testing {
    struct llmgr *manager;
    struct lb_str user; /* the effective one */
    int64_t platform_id;
    const struct la_test_options *options;
    struct li_call *call;
    struct la_result *result;
    struct llmgr_key_test_list list;
    int64_t begun_ms;
};

/* May the user have this key tested, and is there a model to ask? */
static llmgr_status check_target(const struct testing *testing, const struct lr_target *target,
                                 struct llmgr_error *err)
{
    const struct lb_str name = target->platform_name;

    if (lr_target_is_borrowed(target) ||
        (target->payer == LM_PAYER_SYSTEM && !testing->options->server_keys))
        return lb_fail(err, LLMGR_ERR_FORBIDDEN,
                       N_("you have no key of your own for platform '%.*s'; its server key is "
                          "tested by an administrator"),
                       (int)name.size, name.p);
    if (target->model_name.size == 0)
        return lb_fail(err, LLMGR_ERR_NOT_FOUND,
                       N_("platform '%.*s' has no model that chats and could be asked; add one "
                          "first"),
                       (int)name.size, name.p);
    return LLMGR_OK;
}

static llmgr_status fingerprint(const struct testing *testing, const struct lr_target *target,
                                const char **text, struct llmgr_error *err)
{
    char shown[LV_FINGERPRINT_SIZE];

    llmgr_status status = lr_target_fingerprint(testing->manager->manager, target, shown, err);
    if (status != LLMGR_OK)
        return status;
    *text = lb_arena_strdup(&testing->result->arena, shown);
    return *text != NULL ? LLMGR_OK : lb_fail_memory(err);
}

/* What came of one key, as it is told. */
static llmgr_status note(struct testing *testing, const struct lr_target *target,
                         const struct li_test *test, struct llmgr_error *err)
{
    struct lb_arena *arena = &testing->result->arena;
    struct llmgr_key_test *item = &testing->list.items[testing->list.count];

    *item = (struct llmgr_key_test){
        .payer = lm_payer_name(target->payer),
        .model_name = lb_arena_str(arena, target->model_name).p,
        .reachable = test->verdict.http_status != 0,
        .key_state = lo_key_state_name(lo_key_state_of(&test->verdict)),
        .reason = lo_reason_name(test->verdict.reason),
        .status = test->error.status,
        .message = lb_arena_strdup(arena, test->error.message),
        .upstream_status = test->verdict.http_status,
        .first_byte_ms = test->first_byte_ms,
    };
    if (item->model_name == NULL || item->message == NULL)
        return lb_fail_memory(err);
    return fingerprint(testing, target, &item->fingerprint, err);
}

static void record(const struct testing *testing, const struct lr_target *target,
                   const struct li_test *test)
{
    struct llmgr_error err = {0};

    if (test->verdict.http_status != 0 &&
        la_test_record(testing->manager, target, test, ENDPOINT, &err) != LLMGR_OK)
        lb_error(&testing->manager->host, "platform %lld: the usage of a test is not recorded: %s",
                 (long long)target->platform_id, err.message);
}

/* The platform does not answer, or time is up: the other keys would learn nothing, or too late. */
static bool is_enough(const struct testing *testing, const struct li_test *test)
{
    return test->verdict.http_status == 0 || lb_monotonic_ms() - testing->begun_ms > ALL_MS;
}

static llmgr_status test_key(struct testing *testing, const struct lr_target *target,
                             struct li_test *test, struct llmgr_error *err)
{
    llmgr_status status = la_test_target(testing->manager, testing->call, target,
                                         testing->options->show_body, test, err);
    if (status != LLMGR_OK)
        return status;
    record(testing, target, test);
    if (testing->options->tested != NULL)
        testing->options->tested(testing->options->context, target, test);
    status = note(testing, target, test, err);
    if (status == LLMGR_OK)
        testing->list.count++;
    return status;
}

/* The key in a place; *more: there are others behind it that are worth asking. */
static llmgr_status test_nth(struct testing *testing, uint32_t at, bool *more,
                             struct llmgr_error *err)
{
    struct nth nth = {.magic = NTH_MAGIC, .at = at};
    const struct lr_key_chooser chooser = {.choose = choose_nth, .context = &nth};
    struct lr_target target = {0};
    struct lb_arena arena;
    struct li_test test;

    *more = false;
    lb_arena_init(&arena, &testing->manager->host, NULL, 0, ARENA_MAX);
    llmgr_status status =
        lr_resolve_chat(testing->manager->manager, testing->user, testing->platform_id, false,
                        &chooser, &arena, &target, err);
    if (status == LLMGR_OK && !target.key_withheld) { /* else there are fewer by now */
        status = check_target(testing, &target, err);
        if (status == LLMGR_OK)
            status = test_key(testing, &target, &test, err);
        *more = status == LLMGR_OK && at + 1 < target.key_count && !is_enough(testing, &test);
        if (status == LLMGR_OK && !*more)
            testing->list.untested = (int64_t)target.key_count - at - 1;
    }
    lb_arena_free(&arena);
    return status;
}

static llmgr_status test_all(struct testing *testing, struct llmgr_error *err)
{
    bool more = true;

    llmgr_status status = la_call_new(testing->manager, &testing->call, err);
    for (uint32_t at = 0; status == LLMGR_OK && more && at < LK_POOL_MAX; at++)
        status = test_nth(testing, at, &more, err);
    li_call_free(testing->call);
    return status;
}

static llmgr_status test_within(struct testing *testing, struct llmgr_error *err)
{
    testing->result = la_result_new(&testing->manager->host);
    if (testing->result == NULL)
        return lb_fail_memory(err);
    testing->list.memory = testing->result;
    testing->list.items =
        lb_arena_calloc(&testing->result->arena, LK_POOL_MAX, sizeof *testing->list.items);
    testing->begun_ms = lb_monotonic_ms();
    llmgr_status status =
        testing->list.items != NULL ? test_all(testing, err) : lb_fail_memory(err);
    if (status != LLMGR_OK)
        la_result_free(testing->result);
    return status;
}

static llmgr_status too_often(int64_t wait_ms, struct llmgr_error *err)
{
    (void)lb_fail(
        err, LLMGR_ERR_LIMIT,
        N_("too many tests of keys: at most %d a minute of a user, and %d at once of all; "
           "try again in %lld s"),
        LA_TESTS_A_MINUTE, LA_TESTS_AT_ONCE, (long long)(wait_ms + 999) / 1000);
    if (err != NULL)
        err->retry_after_ms = wait_ms;
    return LLMGR_ERR_LIMIT;
}

llmgr_status la_platform_test(struct llmgr *manager, const char *user, int64_t platform_id,
                              const struct la_test_options *options,
                              struct llmgr_key_test_list *list, struct llmgr_error *err)
{
    struct testing testing = {
        .manager = manager,
        .user = lm_effective_user(manager->manager, la_user(user)),
        .platform_id = platform_id,
        .options = options,
    };
    const int64_t wait_ms =
        la_test_enter(manager->test_limit, lo_hash(testing.user), lb_monotonic_ms());

    if (wait_ms != 0)
        return too_often(wait_ms, err);
    llmgr_status status = test_within(&testing, err);
    la_test_leave(manager->test_limit, lo_hash(testing.user));
    if (status == LLMGR_OK)
        *list = testing.list;
    return status;
}

llmgr_status llmgr_platform_test(struct llmgr *manager, const char *user, int64_t platform_id,
                                 struct llmgr_key_test_list *list, struct llmgr_error *err)
{
    const bool is_system = la_class_of(manager, user) == LN_CLASS_SYSTEM;
    const struct la_test_options options = {.show_body = is_system, .server_keys = is_system};

    return la_platform_test(manager, user, platform_id, &options, list, err);
}
