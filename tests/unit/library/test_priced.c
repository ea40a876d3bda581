/* SPDX-License-Identifier: MIT */
/* Prices for a host: what is set, read and ended, and what the host's own calls then cost. */
#include "host.h"

#define U(name) LLMGR_PRICE_UNIT_##name

static struct host host;
static struct llmgr_error err;

#define WANT(status, call)                                                                         \
    do {                                                                                           \
        llmgr_status got_ = (call);                                                                \
        if (got_ != (status))                                                                      \
            fail_msg("%s: %s: %s", #call, llmgr_status_name(got_), err.message);                   \
    } while (0)

static int setup(void **state)
{
    (void)state;
    host_setup(&host);
    host_open(&host);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host_teardown(&host);
    return 0;
}

/* Input and output of a model, in pico-units of USD. */
static int64_t set(const char *model, int64_t input, int64_t output)
{
    struct llmgr_price_spec spec;
    int64_t id = 0;

    llmgr_price_spec_init(&spec);
    spec.model = model;
    spec.rates[U(INPUT)] = input;
    spec.rates[U(OUTPUT)] = output;
    WANT(LLMGR_OK, llmgr_price_set(host.manager, NULL, &spec, &id, &err));
    return id;
}

/* Attempts of that cost by that price. */
static int64_t rows(int64_t cost, int64_t price)
{
    char sql[200];

    snprintf(sql, sizeof sql,
             "SELECT COUNT(*) FROM llm_usage WHERE cost_nano = %lld AND price_id = %lld AND"
             " currency = 'USD'",
             (long long)cost, (long long)price);
    return db_number(&host.db, sql);
}

/* ---- Rows ------------------------------------------------------------------------------------ */

static void what_is_set_is_listed_until_it_is_deleted(void **state)
{
    struct llmgr_price_query query;
    struct llmgr_price_list list;
    struct llmgr_price_spec spec;
    int64_t id;

    (void)state;
    llmgr_price_spec_init(&spec);
    spec.platform_id = host_platform(&host);
    spec.model = "mock";
    spec.currency = "CNY";
    spec.above_tokens = 100;
    spec.service_tier = "flex";
    spec.hours = "16:30-00:30";
    WANT(LLMGR_OK,
         llmgr_rate_parse("0.27", llmgr_price_unit_per(U(INPUT)), &spec.rates[U(INPUT)], &err));
    WANT(LLMGR_OK, llmgr_price_set(host.manager, NULL, &spec, &id, &err));
    WANT(LLMGR_OK, llmgr_prices(host.manager, "ann", NULL, &list, &err));
    assert_int_equal(list.count, 1);
    const struct llmgr_price *price = &list.items[0];
    assert_int_equal(price->price_id, id);
    assert_int_equal(price->platform_id, spec.platform_id);
    assert_string_equal(price->platform_name, "House");
    assert_string_equal(price->model, "mock");
    assert_string_equal(price->currency, "CNY");
    assert_true(price->from_ms > 0 && price->from_ms == price->created_at_ms);
    assert_int_equal(price->until_ms, 0);
    assert_int_equal(price->above_tokens, 100);
    assert_string_equal(price->service_tier, "flex");
    assert_string_equal(price->hours, "16:30-00:30");
    assert_string_equal(price->time_zone, "UTC");
    assert_string_equal(price->source, "hand");
    assert_int_equal(price->rates[U(INPUT)], 270000);
    assert_int_equal(price->rates[U(OUTPUT)], LLMGR_UNSET);
    llmgr_price_list_clear(&list);
    llmgr_price_list_clear(&list);
    WANT(LLMGR_OK, llmgr_price_delete(host.manager, NULL, id, &err));
    WANT(LLMGR_OK, llmgr_prices(host.manager, NULL, NULL, &list, &err));
    assert_int_equal(list.count, 0);
    llmgr_price_list_clear(&list);
    llmgr_price_query_init(&query);
    query.ended = true;
    WANT(LLMGR_OK, llmgr_prices(host.manager, NULL, &query, &list, &err));
    assert_int_equal(list.count, 1);
    assert_true(list.items[0].until_ms != 0);
    llmgr_price_list_clear(&list);
}

static void prices_are_read_by_pages(void **state)
{
    static const char *const models[] = {"a", "b", "c", "d", "e"};
    struct llmgr_price_query query;
    struct llmgr_price_list list;
    size_t seen = 0;
    bool more = true;

    (void)state;
    for (size_t i = 0; i < 5; i++)
        (void)set(models[i], 1, 2);
    llmgr_price_query_init(&query);
    query.limit = 2;
    for (int page = 0; more; page++) {
        WANT(LLMGR_OK, llmgr_prices(host.manager, NULL, &query, &list, &err));
        assert_int_equal(list.count, page < 2 ? 2 : 1);
        for (size_t i = 0; i < list.count; i++)
            assert_string_equal(list.items[i].model, models[seen++]);
        assert_int_equal(list.items[0].rates[U(OUTPUT)], 2);
        query.after = list.items[list.count - 1].price_id;
        more = list.more;
        llmgr_price_list_clear(&list);
    }
    assert_int_equal(seen, 5);
    llmgr_price_query_init(&query);
    query.model = "c";
    query.source = "hand";
    WANT(LLMGR_OK, llmgr_prices(host.manager, NULL, &query, &list, &err));
    assert_int_equal(list.count, 1);
    llmgr_price_list_clear(&list);
    query.source = "litellm";
    WANT(LLMGR_OK, llmgr_prices(host.manager, NULL, &query, &list, &err));
    assert_int_equal(list.count, 0);
    llmgr_price_list_clear(&list);
    query.limit = LLMGR_PRICES_PAGE_MAX + 1;
    WANT(LLMGR_ERR_INVALID, llmgr_prices(host.manager, NULL, &query, &list, &err));
}

static void what_was_not_initialised_is_refused(void **state)
{
    struct llmgr_price_spec spec = {0};
    struct llmgr_price_query query = {0};
    struct llmgr_price_list list;

    (void)state;
    WANT(LLMGR_ERR_INVALID, llmgr_price_set(host.manager, NULL, &spec, NULL, &err));
    WANT(LLMGR_ERR_INVALID, llmgr_price_set(host.manager, NULL, NULL, NULL, &err));
    WANT(LLMGR_ERR_INVALID, llmgr_prices(host.manager, NULL, &query, &list, &err));
    llmgr_price_spec_init(&spec);
    spec.rates[U(INPUT)] = 1;
    WANT(LLMGR_ERR_FORBIDDEN, llmgr_price_set(host.manager, "ann", &spec, NULL, &err));
    WANT(LLMGR_ERR_FORBIDDEN, llmgr_price_delete(host.manager, "ann", 1, &err));
}

/* ---- Costs ----------------------------------------------------------------------------------- */

/* Sets another price at the first chunk. */
static int change_price(const struct llmgr_chunk *chunk, void *context)
{
    int64_t *second = context;

    (void)chunk;
    if (*second == 0)
        *second = set("mock", 3000000, 4000000);
    return 0;
}

/* What was used; with `second` streamed, and a price set meanwhile. */
static struct llmgr_usage invoke(int64_t *second)
{
    const struct llmgr_message message = {.role = "user", .content = "hi"};
    struct llmgr_answer answer = {0};
    struct llmgr_request request;
    struct llmgr_llm *llm;

    llmgr_request_init(&request);
    request.messages = &message;
    request.message_count = 1;
    WANT(LLMGR_OK, llmgr_llm_for_model(host.manager, "ann", "Small", &llm, &err));
    llmgr_llm_record_usage(llm, true);
    if (second != NULL)
        WANT(LLMGR_OK, llmgr_llm_stream(llm, &request, change_price, second, &answer, &err));
    else
        WANT(LLMGR_OK, llmgr_llm_invoke(llm, &request, &answer, &err));
    const struct llmgr_usage used = answer.usage;
    assert_true(used.prompt_tokens > 0 && used.completion_tokens > 0);
    llmgr_answer_clear(&answer);
    llmgr_llm_free(llm);
    return used;
}

static void each_call_costs_what_was_in_force_when_it_began(void **state)
{
    int64_t second = 0;

    (void)state;
    (void)invoke(NULL);
    assert_int_equal(db_number(&host.db, "SELECT COUNT(*) FROM llm_usage WHERE cost_nano IS NULL"
                                         " AND price_id IS NULL AND currency IS NULL"),
                     1);
    const int64_t first = set("mock", 1000000, 2000000);
    struct llmgr_usage used = invoke(NULL);
    assert_int_equal(rows(used.prompt_tokens * 1000 + used.completion_tokens * 2000, first), 1);
    used = invoke(&second);
    assert_true(second != 0);
    assert_int_equal(rows(used.prompt_tokens * 1000 + used.completion_tokens * 2000, first), 1);
    used = invoke(NULL);
    assert_int_equal(rows(used.prompt_tokens * 3000 + used.completion_tokens * 4000, second), 1);
}

static void what_a_host_enters_is_priced_unless_it_says_the_cost(void **state)
{
    struct llmgr_usage_record record;
    const int64_t price = set("theirs", 1000000, 2000000);

    (void)state;
    llmgr_usage_record_init(&record);
    record.request_id = "one";
    record.attempt = 1;
    record.model_name = "theirs";
    record.prompt_tokens = 100;
    record.completion_tokens = 10;
    WANT(LLMGR_OK, llmgr_usage_add(host.manager, &record, &err));
    assert_int_equal(rows(100 * 1000 + 10 * 2000, price), 1);
    record.request_id = "two";
    record.cost_nano = 42;
    record.currency = "USD";
    WANT(LLMGR_OK, llmgr_usage_add(host.manager, &record, &err));
    assert_int_equal(db_number(&host.db, "SELECT COUNT(*) FROM llm_usage WHERE cost_nano = 42"
                                         " AND price_id IS NULL"),
                     1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_set_is_listed_until_it_is_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(prices_are_read_by_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(what_was_not_initialised_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(each_call_costs_what_was_in_force_when_it_began, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(what_a_host_enters_is_priced_unless_it_says_the_cost, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
