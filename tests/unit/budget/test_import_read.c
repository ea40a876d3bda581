/* SPDX-License-Identifier: MIT */
/* The readers of catalogues by themselves: text in, offers out, without rows or a manager. */
#include "budget/import_read.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "base/error.h"
#include "budget/unit.h"

#define U(name) LLMGR_PRICE_UNIT_##name

/* The offers that one text has, each as a line. */
struct heard {
    struct lq_reading reading;
    struct lb_host host;
    struct llmgr_error err;
    const char *unwanted; /* a model */
    size_t refused_after; /* offers; the next one is refused */
    size_t count;
    char lines[2000];
};

static llmgr_status begin(void *context, lq_form form, struct llmgr_error *err)
{
    (void)context;
    (void)form;
    (void)err;
    return LLMGR_OK;
}

static bool wants(void *context, struct lb_str provider, struct lb_str model)
{
    const struct heard *heard = context;

    (void)provider;
    return heard->unwanted == NULL || !lb_str_eq_c(model, heard->unwanted);
}

static llmgr_status take(void *context, const struct lq_offer *offer, struct llmgr_error *err)
{
    struct heard *heard = context;
    const size_t used = strlen(heard->lines);

    if (heard->count++ == heard->refused_after)
        return lb_fail(err, LLMGR_ERR_DATABASE, "no");
    (void)snprintf(heard->lines + used, sizeof heard->lines - used,
                   "%.*s/%.*s >%lld [%.*s] (%.*s) %lld %lld %lld\n", (int)offer->provider.size,
                   offer->provider.p, (int)offer->model.size, offer->model.p,
                   (long long)offer->above_tokens, (int)offer->service_tier.size,
                   offer->service_tier.p, (int)offer->hours.size, offer->hours.p,
                   (long long)offer->rates[U(INPUT)], (long long)offer->rates[U(OUTPUT)],
                   (long long)offer->rates[U(CACHED_INPUT)]);
    return LLMGR_OK;
}

static void listen(struct heard *heard)
{
    *heard = (struct heard){.refused_after = SIZE_MAX};
    heard->reading =
        (struct lq_reading){.context = heard, .begin = begin, .wants = wants, .take = take};
    lb_host_init(&heard->host);
}

static llmgr_status hear(struct heard *heard, const char *text)
{
    return lq_read_prices(&heard->reading, &heard->host, "file", lb_cstr(text), &heard->err);
}

static void check_heard(const char *text, lq_form form, const char *lines)
{
    struct heard heard;

    listen(&heard);
    assert_int_equal(hear(&heard, text), LLMGR_OK);
    assert_int_equal(heard.reading.form, form);
    assert_string_equal(heard.lines, lines);
}

static void each_form_is_told_by_what_stands_in_it(void **state)
{
    (void)state;
    check_heard(
        "{\"sample_spec\": {\"litellm_provider\": \"x\"}, \"acme/m\": {\"litellm_provider\": "
        "\"acme\", \"input_cost_per_token\": 2.7e-07}}",
        LQ_FORM_LITELLM, "acme/m >0 [] () 270000 -1 -1\n");
    check_heard("{\"acme\": {\"models\": {\"m\": {\"cost\": {\"input\": 0.27, \"output\": 1}}}}}",
                LQ_FORM_MODELS_DEV, "acme/m >0 [] () 270000 1000000 -1\n");
    check_heard("{\"data\": [{\"id\": \"m\", \"pricing\": {\"prompt\": \"0.00000027\"}}]}",
                LQ_FORM_OPENROUTER, "openrouter/m >0 [] () 270000 -1 -1\n");
    check_heard("[{\"platform_name\": \"A\", \"model\": \"m\", \"rates\": {\"input\": \"0.27\"}}]",
                LQ_FORM_OWN, "A/m >0 [] () 270000 -1 -1\n");
    check_heard("- {platform_name: A, model: m, rates: {input: 0.27}}\n", LQ_FORM_OWN,
                "A/m >0 [] () 270000 -1 -1\n");
}

static void a_tier_is_complete_and_says_what_stays(void **state)
{
    (void)state;
    check_heard("{\"m\": {\"litellm_provider\": \"a\", \"input_cost_per_token\": 1e-6,"
                "\"output_cost_per_token\": 2e-6, \"cache_read_input_token_cost\": 1e-7,"
                "\"input_cost_per_token_above_128k_tokens\": 3e-6,"
                "\"input_cost_per_token_batches\": 5e-7}}",
                LQ_FORM_LITELLM,
                "a/m >0 [] () 1000000 2000000 100000\n"
                "a/m >0 [batch] () 500000 2000000 100000\n"
                "a/m >128000 [] () 3000000 2000000 100000\n"
                "a/m >128000 [batch] () 500000 2000000 100000\n");
}

static void what_is_not_asked_for_is_not_looked_into(void **state)
{
    struct heard heard;

    (void)state;
    listen(&heard);
    heard.unwanted = "m";
    assert_int_equal(hear(&heard, "{\"data\": [{\"id\": \"m\", \"pricing\": {\"strange\": \"1\"}},"
                                  "{\"id\": \"n\", \"pricing\": {\"other\": \"1\"}}]}"),
                     LLMGR_OK);
    assert_int_equal(heard.reading.models, 2);
    assert_int_equal(heard.reading.wanted, 1);
    assert_int_equal(heard.reading.strange_count, 1);
    assert_string_equal(heard.reading.strange[0].name, "other");
    assert_string_equal(heard.reading.strange[0].model, "n");
    assert_string_equal(heard.lines, "");
}

static void a_taker_that_refuses_ends_the_reading(void **state)
{
    struct heard heard;

    (void)state;
    listen(&heard);
    heard.refused_after = 1;
    assert_int_equal(hear(&heard, "[{\"rates\": {\"input\": 1}}, {\"rates\": {\"input\": 2}},"
                                  "{\"rates\": {\"input\": 3}}]"),
                     LLMGR_ERR_DATABASE);
    assert_int_equal(heard.count, 2);
}

static void what_was_met_is_shown_as_plain_text(void **state)
{
    struct heard heard;

    (void)state;
    listen(&heard);
    assert_int_equal(hear(&heard, "[{\"rates\": {\"in\xc3\xa9\": 1, \"input\": 1}}]"), LLMGR_OK);
    assert_string_equal(heard.lines, "");
    assert_int_equal(heard.reading.strange_count, 1);
    assert_string_equal(heard.reading.strange[0].name, "in??");
}

static void texts_of_no_form_are_refused(void **state)
{
    static const char *const texts[] = {"",    " ", "{}",   "7",   "{\"a\": 1}",
                                        "[1]", "[", "[] x", "a: ["};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct heard heard;
        listen(&heard);
        const llmgr_status status = hear(&heard, texts[i]);
        if (status != LLMGR_ERR_INVALID && status != LLMGR_ERR_CONFIG)
            fail_msg("'%s' is taken: %d", texts[i], (int)status);
        assert_int_equal(heard.count, 0);
    }
}

static void windows_meet_where_they_share_a_moment(void **state)
{
    static const struct lq_window day = {0, 60, 120};
    static const struct lq_window next = {0, 120, 180};
    static const struct lq_window night = {0, 1380, 61};
    static const struct lq_window mondays = {1, 60, 120};
    static const struct lq_window tuesdays = {2, 60, 120};
    static const struct lq_window whole = {2, 0, 0};

    (void)state;
    assert_true(lq_window_meets(&day, &day));
    assert_false(lq_window_meets(&day, &next));
    assert_true(lq_window_meets(&day, &night));
    assert_false(lq_window_meets(&next, &night));
    assert_true(lq_window_meets(&day, &mondays));
    assert_false(lq_window_meets(&mondays, &tuesdays));
    assert_true(lq_window_meets(&whole, &tuesdays));
    assert_false(lq_window_meets(&whole, &mondays));
    assert_int_equal(lq_day_find(LB_STR("Sunday")), 6);
    assert_int_equal(lq_day_find(LB_STR("mo")), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_form_is_told_by_what_stands_in_it),
        cmocka_unit_test(a_tier_is_complete_and_says_what_stays),
        cmocka_unit_test(what_is_not_asked_for_is_not_looked_into),
        cmocka_unit_test(a_taker_that_refuses_ends_the_reading),
        cmocka_unit_test(what_was_met_is_shown_as_plain_text),
        cmocka_unit_test(texts_of_no_form_are_refused),
        cmocka_unit_test(windows_meet_where_they_share_a_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
