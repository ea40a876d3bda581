/* SPDX-License-Identifier: MIT */
/* What stands in a structure comes out as its schema says, whole or not at all. */
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "documents/write.h"

static void is(json_t *document, const char *text)
{
    char *written = json_dumps(document, JSON_COMPACT | JSON_ENCODE_ANY);

    assert_non_null(written);
    assert_string_equal(written, text);
    free(written);
    json_decref(document);
}

/* ---- By example ------------------------------------------------------------------------------ */

static void a_platform_is_written_in_the_order_of_its_rows(void **state)
{
    struct llmgr_platform platform = {
        .platform_id = INT64_MAX,
        .platform_name = "模 \"A\"",
        .base_url = "https://a.example/v1",
        .protocol = "openai",
        .platform_is_sys = true,
        .managed = "file",
        .api_key_set = true,
        .key_fingerprint = "key:1a2b3c4d",
        .payer = "system",
        .no_stream_options_until_ms = 1,
        .native_paths = "POST /a",
        .headers = "x-title",
        .fixed_headers = "x-org",
        .missing_headers = "x-team {TEAM}",
    };
    (void)state;

    is(lx_json_platform(&platform),
       "{\"platform_id\":9223372036854775807,\"platform_name\":\"模 \\\"A\\\"\","
       "\"platform_is_sys\":true,\"managed\":\"file\",\"platform_hide\":false,"
       "\"base_url\":\"https://a.example/v1\","
       "\"protocol\":\"openai\",\"api_key_set\":true,\"key_fingerprint\":\"key:1a2b3c4d\","
       "\"payer\":\"system\",\"no_stream_options_until_ms\":1,\"native_paths\":\"POST /a\","
       "\"headers\":\"x-title\",\"fixed_headers\":\"x-org\","
       "\"missing_headers\":\"x-team {TEAM}\"}");
    platform.key_fingerprint = platform.payer = platform.native_paths = platform.headers = NULL;
    platform.fixed_headers = platform.missing_headers = NULL;
    platform.no_stream_options_until_ms = 0;
    platform.platform_name = platform.base_url = "";
    is(lx_list_platform(NULL, &platform, 1),
       "[{\"platform_id\":9223372036854775807,\"platform_name\":\"\",\"platform_is_sys\":true,"
       "\"managed\":\"file\",\"platform_hide\":false,\"base_url\":\"\",\"protocol\":\"openai\","
       "\"api_key_set\":true,"
       "\"key_fingerprint\":null,\"payer\":null,\"no_stream_options_until_ms\":null,"
       "\"native_paths\":null,\"headers\":null,\"fixed_headers\":null,"
       "\"missing_headers\":null}]");
}

static void json_in_text_becomes_json(void **state)
{
    struct llmgr_model model = {.platform_name = "",
                                .base_url = "",
                                .model_name = "",
                                .display_name = "",
                                .extra_body = "{\"b\":1.50,\"a\":[null]}",
                                .managed = "database"};
    struct llmgr_probe_model found[] = {{"m", "{\"id\": \"m\"}", LLMGR_MODEL_RERANK, 8192, 0},
                                        {"n", "7", LLMGR_MODEL_UNKNOWN, 0, 4096}};
    const struct llmgr_probe probe = {.models = found, .count = 2};
    (void)state;

    json_t *document = lx_json_model(&model);
    is(json_incref(json_object_get(document, "extra_body")), "{\"b\":1.5,\"a\":[null]}");
    json_decref(document);
    is(lx_json_probe(&probe), "{\"data\":[{\"id\":\"m\",\"raw\":{\"id\":\"m\"},\"kind\":\"rerank\","
                              "\"context_tokens\":8192,\"max_output_tokens\":null},"
                              "{\"id\":\"n\",\"raw\":7,\"kind\":\"unknown\","
                              "\"context_tokens\":null,\"max_output_tokens\":4096}]}");
    model.extra_body = "{";
    assert_null(lx_json_model(&model));
}

static void numbers_of_choices_are_written_as_their_names(void **state)
{
    struct llmgr_change changes[] = {
        {.action = LLMGR_CHANGE_ADD, .platform_name = "A"},
        {.action = LLMGR_CHANGE_REMOVE, .platform_name = "B", .display_name = "m", .detail = "d"},
        {.action = LLMGR_CHANGE_UPDATE, .alias = "gpt-*", .detail = "target"},
    };
    const struct lx_sync sync = {true, {.changes = changes, .count = 3}};
    const struct lx_info info = {"0.1.0", LLMGR_MODE_CUSTOM, false};
    struct lx_new_token made = {
        .token = {.token_id = 4, .kind = LLMGR_TOKEN_ADMIN, .name = "", .created_at_ms = 5},
        .text = "sk-x",
    };
    (void)state;

    is(lx_json_sync(&sync),
       "{\"dry_run\":true,\"changes\":[{\"action\":\"add\",\"platform_name\":\"A\","
       "\"display_name\":null,\"detail\":null,\"alias\":null,\"route\":null},"
       "{\"action\":\"remove\",\"platform_name\":\"B\","
       "\"display_name\":\"m\",\"detail\":\"d\",\"alias\":null,\"route\":null},"
       "{\"action\":\"update\",\"platform_name\":null,\"display_name\":null,"
       "\"detail\":\"target\",\"alias\":\"gpt-*\",\"route\":null}]}");
    is(lx_json_info(&info), "{\"version\":\"0.1.0\",\"mode\":\"custom\",\"auto_key\":false}");
    is(lx_json_new_token(&made),
       "{\"token_id\":4,\"kind\":\"admin\",\"name\":\"\",\"user\":null,\"prefix\":null,"
       "\"created_at_ms\":5,\"revoked\":false,\"revoked_at_ms\":null,\"note\":null,"
       "\"expires_at_ms\":null,\"platforms\":null,\"models\":null,\"routes\":null,"
       "\"networks\":null,\"last_used_at_ms\":null,\"token\":\"sk-x\"}");
    made.token.kind = (llmgr_token_kind)3;
    assert_null(lx_json_new_token(&made));
}

static void structures_and_lists_within_are_written_along(void **state)
{
    struct llmgr_usage_cost cost = {.currency = "USD", .nano = 270000, .amount = "0.00027"};
    struct llmgr_usage_sum sum = {.key = "1",
                                  .name = "A / m",
                                  .requests = 2,
                                  .attempts = 3,
                                  .prompt_tokens = 0,
                                  .completion_tokens = -1,
                                  .cached_tokens = -1,
                                  .reasoning_tokens = -1,
                                  .cache_write_tokens = -1,
                                  .cache_write_1h_tokens = -1,
                                  .audio_input_tokens = -1,
                                  .audio_output_tokens = -1,
                                  .image_input_tokens = -1,
                                  .tool_calls = 3,
                                  .costs = &cost,
                                  .cost_count = 1};
    struct lx_usage usage = {{.items = &sum, .count = 1, .more = true, .total = sum}, "1"};
    static const char SUM[] =
        "{\"key\":\"1\",\"name\":\"A / m\",\"requests\":2,\"attempts\":3,\"completed\":0,"
        "\"unknown\":0,\"inexact\":0,\"unpriced\":0,\"system_paid\":0,\"prompt_tokens\":0,"
        "\"completion_tokens\":null,\"cached_tokens\":null,\"reasoning_tokens\":null,"
        "\"cache_write_tokens\":null,\"cache_write_1h_tokens\":null,\"audio_input_tokens\":null,"
        "\"audio_output_tokens\":null,\"image_input_tokens\":null,\"tool_calls\":3,"
        "\"costs\":[{\"currency\":\"USD\",\"amount\":\"0.00027\"}]}";
    char text[2048];
    (void)state;

    snprintf(text, sizeof text, "{\"data\":[%s],\"has_more\":true,\"next\":\"1\",\"total\":%s}",
             SUM, SUM);
    is(lx_json_usage(&usage), text);
    struct lx_usage_report report = {LLMGR_USAGE_BY_MODEL, lx_list_sum(NULL, &sum, 1), sum};
    snprintf(text, sizeof text, "{\"by\":\"model\",\"items\":[%s],\"total\":%s}", SUM, SUM);
    is(lx_json_usage_report(&report), text);
    const struct llmgr_explanation none = {.status = LLMGR_ERR_NO_KEY, .message = "no"};
    is(lx_json_explanation(&none),
       "{\"candidates\":[],\"status\":\"ERR_NO_KEY\",\"message\":\"no\",\"alias\":null,"
       "\"alias_target\":null,\"route\":null}");
    const struct lx_failure_report failure = {{LLMGR_ERR_CONFLICT, 5, "taken"}};
    is(lx_json_failure_report(&failure),
       "{\"error\":{\"code\":\"ERR_CONFLICT\",\"exit_code\":5,\"message\":\"taken\"}}");
}

static void an_answer_says_who_gave_it(void **state)
{
    struct llmgr_tool_call call = {.index = 1, .name = "f"};
    const struct lx_chat chat = {
        {.content = "hi",
         .tool_calls = &call,
         .tool_call_count = 1,
         .usage = {.prompt_tokens = 1,
                   .completion_tokens = -1,
                   .total_tokens = -1,
                   .cached_tokens = 0,
                   .reasoning_tokens = -1,
                   .cache_write_tokens = -1}},
        {.platform = "A", .platform_id = 2, .model_id = 3},
        4,
    };
    (void)state;

    is(lx_json_chat(&chat),
       "{\"content\":\"hi\",\"reasoning_content\":null,\"tool_calls\":[{\"index\":1,\"id\":null,"
       "\"name\":\"f\",\"arguments\":null}],\"finish_reason\":null,\"model\":null,\"id\":null,"
       "\"platform\":\"A\",\"platform_id\":2,\"model_id\":3,\"attempts\":4,\"usage\":"
       "{\"prompt_tokens\":1,"
       "\"completion_tokens\":null,\"total_tokens\":null,\"cached_tokens\":0,"
       "\"reasoning_tokens\":null,\"cache_write_tokens\":null}}");
}

static void a_price_has_the_rates_that_are_set_as_exact_decimals(void **state)
{
    struct llmgr_price price = {.price_id = 7,
                                .model = "deepseek-*",
                                .currency = "CNY",
                                .from_ms = 5,
                                .above_tokens = 200000,
                                .service_tier = "batch",
                                .hours = "16:30-00:30",
                                .time_zone = "UTC",
                                .source = "hand"};
    (void)state;

    for (unsigned i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++)
        price.rates[i] = LLMGR_UNSET;
    price.rates[LLMGR_PRICE_UNIT_INPUT] = 270000;
    price.rates[LLMGR_PRICE_UNIT_CACHED_INPUT] = 0;
    price.rates[LLMGR_PRICE_UNIT_OUTPUT] = 1;
    price.rates[LLMGR_PRICE_UNIT_SECOND] = LLMGR_RATE_MAX;
    is(lx_json_price(&price),
       "{\"price_id\":7,\"platform_id\":null,\"platform_name\":null,\"model\":\"deepseek-*\","
       "\"currency\":\"CNY\",\"from_ms\":5,\"until_ms\":null,\"above_tokens\":200000,"
       "\"service_tier\":\"batch\",\"hours\":\"16:30-00:30\",\"time_zone\":\"UTC\","
       "\"source\":\"hand\",\"created_at_ms\":0,\"rates\":{\"input\":\"0.27\","
       "\"cached_input\":\"0\",\"output\":\"0.000001\",\"second\":\"1000000\"}}");
}

/* ---- By the table ---------------------------------------------------------------------------- */

enum { OBJECT_MAX = 1024, MEMBERS_MAX = 32 };

/* A structure in which each member says something, or (`empty`) nothing where it may. */
static void fill(const struct lx_schema *schema, char *object, bool empty)
{
    const int64_t number = empty ? 0 : 7;
    static _Alignas(max_align_t) char pointed[MEMBERS_MAX][OBJECT_MAX];
    const char *text = "{}", *to;
    json_t *made;

    for (size_t i = 0; i < schema->count; i++) {
        char *place = object + schema->members[i].place;
        struct lx_schema other;
        switch (schema->members[i].type) {
        case LX_TYPE_ID:
        case LX_TYPE_COUNT:
        case LX_TYPE_NONZERO_OR_NULL:
            memcpy(place, &number, sizeof number);
            break;
        case LX_TYPE_COUNT_OR_NULL:
            memcpy(place, &(int64_t){empty ? -1 : 7}, sizeof number);
            break;
        case LX_TYPE_FLAG:
        case LX_TYPE_KIND:
        case LX_TYPE_STATUS:
        case LX_TYPE_RATES:
        case LX_TYPE_LIST:
            break;
        case LX_TYPE_ONE_OR_NULL:
            other = lx_schema(schema->members[i].other);
            assert_true(i < MEMBERS_MAX);
            to = pointed[i];
            if (!empty)
                memcpy(place, &to, sizeof to);
            fill(&other, pointed[i], false);
            break;
        case LX_TYPE_ONE:
            other = lx_schema(schema->members[i].other);
            fill(&other, place, empty);
            break;
        case LX_TYPE_MADE:
            made = json_array();
            memcpy(place, &made, sizeof made);
            break;
        case LX_TYPE_TEXT_OR_NULL:
        case LX_TYPE_CHOICE_OR_NULL:
        case LX_TYPE_OBJECT_OR_NULL:
            if (!empty)
                memcpy(place, &text, sizeof text);
            break;
        default:
            memcpy(place, &text, sizeof text);
        }
    }
}

static bool may_be_null(enum lx_type type)
{
    return type == LX_TYPE_COUNT_OR_NULL || type == LX_TYPE_NONZERO_OR_NULL ||
           type == LX_TYPE_TEXT_OR_NULL || type == LX_TYPE_CHOICE_OR_NULL ||
           type == LX_TYPE_OBJECT_OR_NULL || type == LX_TYPE_ONE_OR_NULL;
}

static void each_document_has_all_of_its_members_in_their_order(void **state)
{
    _Alignas(max_align_t) char object[OBJECT_MAX];
    const char *name;
    json_t *member;
    (void)state;

    for (int id = 1; id < LX_SCHEMA_COUNT; id++) {
        const struct lx_schema schema = lx_schema((enum lx_schema_id)id);
        assert_true(schema.size <= sizeof object);
        for (int empty = 0; empty < 2 && schema.size != 0; empty++) {
            size_t i = 0;
            memset(object, 0, sizeof object);
            fill(&schema, object, empty != 0);
            json_t *document = lx_write((enum lx_schema_id)id, object);
            assert_non_null(document);
            json_object_foreach(document, name, member)
            {
                assert_string_equal(name, schema.members[i].name);
                if (json_is_null(member) != (empty != 0 && may_be_null(schema.members[i].type)))
                    fail_msg("%s.%s is null, or is not", schema.name, name);
                i++;
            }
            assert_int_equal(i, schema.count);
            json_decref(document);
        }
    }
}

/* ---- Shortage of memory ---------------------------------------------------------------------- */

static size_t left, held;

static void *rationed(size_t size)
{
    if (left == 0)
        return NULL;
    left--;
    held++;
    return malloc(size);
}

static void give_back(void *p)
{
    held -= p != NULL;
    free(p);
}

static void without_memory_there_is_no_document_and_nothing_is_left(void **state)
{
    struct llmgr_usage_sum sum = {.key = "1", .name = "n"};
    json_t *document = NULL;
    (void)state;

    json_set_alloc_funcs(rationed, give_back);
    for (size_t allowed = 0; document == NULL && allowed < 1000; allowed++) {
        left = 1000;
        struct lx_usage_report report = {LLMGR_USAGE_BY_MODEL, lx_list_sum(NULL, &sum, 1), sum};
        left = allowed;
        document = lx_json_usage_report(&report);
        if (document == NULL)
            assert_int_equal(held, 0);
        else
            assert_true(allowed > 20);
    }
    assert_non_null(document);
    json_decref(document);
    assert_int_equal(held, 0);
    document = NULL;
    for (size_t allowed = 0; document == NULL && allowed < 1000; allowed++) {
        left = 1000;
        json_t *list = lx_list_sum(NULL, &sum, 1);
        left = allowed;
        document = lx_list_sum(list, &sum, 1);
        assert_true(document != NULL || held == 0);
    }
    assert_int_equal(json_array_size(document), 2);
    json_decref(document);
    assert_int_equal(held, 0);
    json_set_alloc_funcs(malloc, free);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_platform_is_written_in_the_order_of_its_rows),
        cmocka_unit_test(json_in_text_becomes_json),
        cmocka_unit_test(numbers_of_choices_are_written_as_their_names),
        cmocka_unit_test(structures_and_lists_within_are_written_along),
        cmocka_unit_test(an_answer_says_who_gave_it),
        cmocka_unit_test(a_price_has_the_rates_that_are_set_as_exact_decimals),
        cmocka_unit_test(each_document_has_all_of_its_members_in_their_order),
        cmocka_unit_test(without_memory_there_is_no_document_and_nothing_is_left),
    };

    return cmocka_run_group_tests_name("documents/write", tests, NULL, NULL);
}
