/* SPDX-License-Identifier: MIT */
/* Sums of usage: of whatever is asked for, they are those of the rows. */
#include <time.h>

#include "ledger_fixture.h"
#include "ledger/request_id.h"

enum { ATTEMPTS = 400, HOUR = LL_HOUR_MS };
#define START_MS (INT64_C(20000) * 24 * HOUR) /* midnight of 2024-10-04 */

static struct ll_usage all[ATTEMPTS];

static void make_attempt(int i)
{
    static const char *const USERS[] = {"alice", "bob", "Żaneta", "用户", "-1"};
    static const char *const SLOTS[] = {"", "main", "fast", "Main"};
    static char ids[ATTEMPTS][16];
    struct ll_usage *usage = &all[i];

    ll_usage_init(usage);
    snprintf(ids[i], sizeof ids[i], "u%d", i);
    usage->request_id = lb_cstr(ids[i]);
    usage->attempt = 1 + draw(2);
    usage->time_ms = START_MS + (int64_t)draw(72) * HOUR + draw(HOUR);
    usage->user = lb_cstr(USERS[draw(5)]);
    usage->slot = lb_cstr(SLOTS[draw(4)]);
    usage->platform_id = draw(4);
    usage->model_id = usage->platform_id * 10 + draw(3);
    usage->token_id = draw(4);
    usage->payer = (enum lm_payer)draw(3);
    usage->prompt_tokens = count_or_not(1000);
    usage->completion_tokens = count_or_not(500);
    usage->cached_tokens = count_or_not(100);
    /* Nobody tells bob's reasoning: his sum of it stays unknown. */
    usage->reasoning_tokens = lb_str_eq_c(usage->user, "bob") ? LL_UNKNOWN : count_or_not(100);
    usage->cache_write_tokens = count_or_not(90);
    usage->cache_write_1h_tokens = count_or_not(80);
    usage->audio_input_tokens = count_or_not(70);
    usage->audio_output_tokens = count_or_not(60);
    usage->image_input_tokens = count_or_not(50);
    usage->tool_calls = count_or_not(4);
    /* The operator changed the price once, and its currency; of half there is none. */
    if (draw(2) != 0) {
        usage->cost_nano = (int64_t)draw(1000000) * 1000003;
        usage->currency = draw(3) != 0 ? LB_STR("USD") : LB_STR("CNY");
    }
    usage->provenance = (llmgr_provenance)draw(4);
    usage->end_state = (llmgr_end_state)draw(5);
}

/* Some by a journal, some straight; sums are made in between, and not for the last ones. */
static void enter_all(struct entries *b)
{
    entries_open(b);
    struct ll_journal *journal = entries_journal(b);
    for (int i = 0; i < ATTEMPTS; i++) {
        make_attempt(i);
        if (i % 7 == 0) {
            assert_int_equal(ll_usage_add(b->w.manager, &all[i], NULL), LLMGR_OK);
        } else {
            while (!ll_journal_admit(journal))
                nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
            assert_int_equal(ll_journal_append(journal, &all[i], NULL), LLMGR_OK);
        }
        if (i % 150 == 100) {
            entries_flush(b);
            assert_int_equal(ll_usage_roll_up(b->w.manager, NULL, NULL, NULL), LLMGR_OK);
        }
    }
    entries_flush(b);
    ll_journal_close(journal);
}

static void key_of(const struct ll_usage *usage, llmgr_usage_by by, char key[300])
{
    time_t seconds = (time_t)(usage->time_ms / 1000);
    struct tm utc;

    switch (by) {
    case LLMGR_USAGE_BY_MODEL:
        snprintf(key, 300, "%lld", (long long)usage->model_id);
        break;
    case LLMGR_USAGE_BY_PLATFORM:
        snprintf(key, 300, "%lld", (long long)usage->platform_id);
        break;
    case LLMGR_USAGE_BY_USER:
        snprintf(key, 300, "%s", usage->user.p);
        break;
    case LLMGR_USAGE_BY_SLOT:
        snprintf(key, 300, "%s", usage->slot.p);
        break;
    case LLMGR_USAGE_BY_TOKEN:
        snprintf(key, 300, "%lld", (long long)usage->token_id);
        break;
    case LLMGR_USAGE_BY_PAYER:
        snprintf(key, 300, "%s",
                 lm_payer_name(usage->payer) != NULL ? lm_payer_name(usage->payer) : "");
        break;
    case LLMGR_USAGE_BY_HOUR:
        gmtime_r(&seconds, &utc);
        strftime(key, 300, "%Y-%m-%dT%H:00:00Z", &utc);
        break;
    case LLMGR_USAGE_BY_DAY:
        gmtime_r(&seconds, &utc);
        strftime(key, 300, "%Y-%m-%d", &utc);
        break;
    }
}

static void add(int64_t *sum, int64_t count)
{
    if (count != LL_UNKNOWN)
        *sum = (*sum == LL_UNKNOWN ? 0 : *sum) + count;
}

/* The sum of the attempts that fit; `key` NULL: of every group. *costs: in CNY and USD. */
static struct llmgr_usage_sum sum_rows(const struct llmgr_usage_query *query, const char *key,
                                       int64_t costs[2])
{
    struct llmgr_usage_sum sum = {
#define LL_SUMMED(name_, ...) .name_ = -1,
#include "ledger/usage.def"
    };

    memset(costs, -1, 2 * sizeof *costs);
    for (int i = 0; i < ATTEMPTS; i++) {
        const struct ll_usage *usage = &all[i];
        char own[300];
        key_of(usage, query->by, own);
        if ((key != NULL && strcmp(key, own) != 0) ||
            (query->user != NULL && !lb_str_eq_c(usage->user, query->user)) ||
            usage->time_ms / HOUR < query->since_ms / HOUR ||
            (query->until_ms != 0 && usage->time_ms / HOUR >= (query->until_ms + HOUR - 1) / HOUR))
            continue;
        sum.attempts++;
        sum.requests += usage->attempt == 1;
        sum.completed += usage->end_state == LLMGR_END_COMPLETED;
        sum.unknown += usage->prompt_tokens == LL_UNKNOWN && usage->completion_tokens == LL_UNKNOWN;
        sum.inexact += usage->provenance == LLMGR_PROVENANCE_ESTIMATED ||
                       usage->provenance == LLMGR_PROVENANCE_PARTIAL;
        sum.system_paid += usage->payer == LM_PAYER_SYSTEM;
        sum.unpriced += usage->cost_nano == LL_UNKNOWN && (usage->prompt_tokens != LL_UNKNOWN ||
                                                           usage->completion_tokens != LL_UNKNOWN);
        add(&sum.prompt_tokens, usage->prompt_tokens);
        add(&sum.completion_tokens, usage->completion_tokens);
        add(&sum.cached_tokens, usage->cached_tokens);
        add(&sum.reasoning_tokens, usage->reasoning_tokens);
        add(&sum.cache_write_tokens, usage->cache_write_tokens);
        add(&sum.cache_write_1h_tokens, usage->cache_write_1h_tokens);
        add(&sum.audio_input_tokens, usage->audio_input_tokens);
        add(&sum.audio_output_tokens, usage->audio_output_tokens);
        add(&sum.image_input_tokens, usage->image_input_tokens);
        add(&sum.tool_calls, usage->tool_calls);
        add(&costs[lb_str_eq_c(usage->currency, "USD")], usage->cost_nano);
    }
    return sum;
}

static void same_costs(const struct llmgr_usage_sum *got, const int64_t costs[2])
{
    static const char *const CURRENCIES[] = {"CNY", "USD"};
    char amount[40];
    size_t at = 0;

    for (int i = 0; i < 2; i++) {
        if (costs[i] == LL_UNKNOWN)
            continue;
        assert_true(at < got->cost_count);
        assert_string_equal(got->costs[at].currency, CURRENCIES[i]);
        assert_int_equal(got->costs[at].nano, costs[i]);
        snprintf(amount, sizeof amount, "%lld.%09lld", (long long)(costs[i] / 1000000000),
                 (long long)(costs[i] % 1000000000));
        assert_memory_equal(got->costs[at].amount, amount, strlen(got->costs[at].amount));
        at++;
    }
    assert_int_equal(got->cost_count, at);
}

static void same(const struct llmgr_usage_sum *got, const struct llmgr_usage_sum *want,
                 const int64_t costs[2])
{
    same_costs(got, costs);
    assert_int_equal(got->unpriced, want->unpriced);
    assert_int_equal(got->cache_write_tokens, want->cache_write_tokens);
    assert_int_equal(got->cache_write_1h_tokens, want->cache_write_1h_tokens);
    assert_int_equal(got->audio_input_tokens, want->audio_input_tokens);
    assert_int_equal(got->audio_output_tokens, want->audio_output_tokens);
    assert_int_equal(got->image_input_tokens, want->image_input_tokens);
    assert_int_equal(got->tool_calls, want->tool_calls);
    assert_int_equal(got->requests, want->requests);
    assert_int_equal(got->attempts, want->attempts);
    assert_int_equal(got->completed, want->completed);
    assert_int_equal(got->unknown, want->unknown);
    assert_int_equal(got->inexact, want->inexact);
    assert_int_equal(got->system_paid, want->system_paid);
    assert_int_equal(got->prompt_tokens, want->prompt_tokens);
    assert_int_equal(got->completion_tokens, want->completion_tokens);
    assert_int_equal(got->cached_tokens, want->cached_tokens);
    assert_int_equal(got->reasoning_tokens, want->reasoning_tokens);
}

/* All pages of a query, each group compared with the rows; every row is in exactly one. */
static void compare(struct entries *b, struct llmgr_usage_query query)
{
    struct llmgr_usage_list list = {.more = true};
    int64_t costs[2], of_group[2];
    struct llmgr_usage_sum want = sum_rows(&query, NULL, costs);
    int64_t attempts = 0;
    int pages = 0;

    for (; list.more; pages++) {
        assert_true(pages < 100);
        if (ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, &b->w.err) != LLMGR_OK)
            fail_msg("ll_usage_sums: %s", b->w.err.message);
        assert_true(query.limit == 0 || list.count <= query.limit);
        for (size_t i = 0; i < list.count; i++) {
            struct llmgr_usage_sum group = sum_rows(&query, list.items[i].key, of_group);
            same(&list.items[i], &group, of_group);
            attempts += group.attempts;
        }
        same(&list.total, &want, costs);
        if (list.more)
            query.after = list.items[list.count - 1].key;
    }
    assert_int_equal(attempts, want.attempts);
}

static void compare_all(struct entries *b)
{
    static const char *const USERS[] = {NULL, "alice", "bob", "用户", "nobody"};

    for (int by = LLMGR_USAGE_BY_MODEL; by <= LLMGR_USAGE_BY_HOUR; by++) {
        for (size_t i = 0; i < sizeof USERS / sizeof USERS[0]; i++) {
            struct llmgr_usage_query query = {.by = (llmgr_usage_by)by, .user = USERS[i]};
            compare(b, query);
            query.limit = 2;
            compare(b, query);
            query.since_ms = START_MS + 30 * HOUR + 1;
            compare(b, query);
            query.until_ms = START_MS + 50 * HOUR + 1;
            compare(b, query);
        }
    }
}

static void groups_sum_to_the_rows_summed_or_not(void **state)
{
    struct entries *b = *state;

    enter_all(b);
    compare_all(b);
    /* Closing sums the rest; nothing changes by that. */
    entries_close(b);
    assert_int_equal(entries_number(b, SUMMED), ATTEMPTS);
    compare_all(b);
}

static void what_cannot_be_asked_for_is_an_error(void **state)
{
    struct entries *b = *state;
    struct llmgr_usage_list list;
    struct llmgr_usage_query query = {.by = (llmgr_usage_by)9};

    assert_int_equal(ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, NULL),
                     LLMGR_ERR_INVALID);
    query = (struct llmgr_usage_query){.by = LLMGR_USAGE_BY_DAY, .after = "2024-02-3x"};
    assert_int_equal(ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, NULL),
                     LLMGR_ERR_INVALID);
    query = (struct llmgr_usage_query){.by = LLMGR_USAGE_BY_HOUR, .after = "noon"};
    assert_int_equal(ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, NULL),
                     LLMGR_ERR_INVALID);
    query = (struct llmgr_usage_query){.by = LLMGR_USAGE_BY_MODEL, .after = "gpt"};
    assert_int_equal(ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, NULL),
                     LLMGR_ERR_INVALID);
    query = (struct llmgr_usage_query){.since_ms = -1};
    assert_int_equal(ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, NULL),
                     LLMGR_ERR_INVALID);
}

static void of_nothing_no_tokens_are_known(void **state)
{
    struct entries *b = *state;
    struct llmgr_usage_list list;
    const struct llmgr_usage_query query = {.by = LLMGR_USAGE_BY_USER};

    assert_int_equal(ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, NULL), LLMGR_OK);
    assert_int_equal(list.count, 0);
    assert_int_equal(list.total.attempts, 0);
    assert_int_equal(list.total.prompt_tokens, -1);
}

/* More than 64 bits hold stays where it is, and is never an error or a debt. */
static void enormous_costs_do_not_wrap(void **state)
{
    struct entries *b = *state;
    const struct llmgr_usage_query query = {.by = LLMGR_USAGE_BY_USER};
    struct llmgr_usage_list list;
    struct ll_usage usage = attempt("dear");

    usage.currency = LB_STR("USD");
    usage.cost_nano = LL_MONEY_MAX - 1;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 3; i++) {
            assert_int_equal(ll_usage_add(b->w.manager, &usage, NULL), LLMGR_OK);
            if (ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, &b->w.err) != LLMGR_OK)
                fail_msg("%s", b->w.err.message);
            assert_int_equal(list.total.costs[0].nano,
                             round + i == 0 ? LL_MONEY_MAX - 1 : LL_MONEY_MAX);
            assert_int_equal(list.items[0].costs[0].nano, list.total.costs[0].nano);
        }
        assert_int_equal(ll_usage_roll_up(b->w.manager, NULL, NULL, NULL), LLMGR_OK);
    }
}

/* ---- One request ----------------------------------------------------------------------------- */

static llmgr_status find(struct entries *b, const char *user, const char *id, int64_t since_ms,
                         int64_t until_ms, struct llmgr_usage_attempts *found)
{
    const struct ll_usage_request request = {user, id, since_ms, until_ms};

    *found = (struct llmgr_usage_attempts){0};
    return ll_usage_find(b->w.manager, &request, &b->w.arena, found, &b->w.err);
}

static void a_request_is_found_by_its_id_summed_or_not(void **state)
{
    struct entries *b = *state;
    const int64_t until = START_MS + 71 * (int64_t)HOUR;
    struct llmgr_usage_attempts found;

    enter_all(b);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < ATTEMPTS; i += 13) {
            const char *id = all[i].request_id.p, *user = all[i].user.p;
            if (find(b, user, id, START_MS, until, &found) != LLMGR_OK)
                fail_msg("%s: %s", id, b->w.err.message);
            assert_int_equal(found.count, 1);
            assert_string_equal(found.items[0].request_id, id);
            assert_string_equal(found.items[0].user, user);
            assert_int_equal(found.items[0].time_ms, all[i].time_ms);
            assert_int_equal(found.items[0].attempt, all[i].attempt);
            assert_int_equal(found.items[0].prompt_tokens, all[i].prompt_tokens);
            assert_int_equal(found.items[0].tool_calls, all[i].tool_calls);
            assert_int_equal(found.items[0].cost_nano, all[i].cost_nano);
            assert_int_equal(found.items[0].end_state, all[i].end_state);
            assert_int_equal(found.items[0].provenance, all[i].provenance);
            assert_null(found.items[0].service_tier);
            assert_int_equal(find(b, NULL, id, all[i].time_ms, all[i].time_ms, &found), LLMGR_OK);
            assert_int_equal(found.count, 1);
            /* Another's is none, and none is found by its beginning. */
            assert_int_equal(find(b, "carol", id, START_MS, until, &found), LLMGR_ERR_NOT_FOUND);
            assert_int_equal(find(b, user, "u", START_MS, until, &found), LLMGR_ERR_NOT_FOUND);
        }
        entries_close(b);
        entries_open(b);
    }
    entries_close(b);
    assert_int_equal(entries_number(b, SUMMED), ATTEMPTS);
    assert_int_equal(find(b, NULL, "", 0, 0, &found), LLMGR_ERR_INVALID);
    assert_int_equal(find(b, NULL, "u0", 1, 0, &found), LLMGR_ERR_INVALID);
    assert_int_equal(find(b, NULL, "u0", -1, 0, &found), LLMGR_ERR_INVALID);
    assert_int_equal(find(b, NULL, "u0", 0, 0, &found), LLMGR_ERR_NOT_FOUND);
}

/* The id alone says where to look; all attempts are there, those of the next hour as well. */
static void an_id_that_tells_the_time_is_enough(void **state)
{
    struct entries *b = *state;
    char id[] = "req_00000000aaaaaaaa0000000001";
    struct llmgr_usage_attempts found;
    struct ll_usage usage = attempt(id);
    int64_t ms = 0;

    ll_id_write_time(START_MS, id + 4);
    assert_true(ll_id_read_time(lb_cstr(id), &ms));
    assert_int_equal(ms, START_MS);
    for (usage.attempt = 1; usage.attempt <= 3; usage.attempt++) {
        usage.time_ms = START_MS + (usage.attempt - 1) * (int64_t)HOUR / 2;
        assert_int_equal(ll_usage_add(b->w.manager, &usage, NULL), LLMGR_OK);
        assert_int_equal(ll_usage_roll_up(b->w.manager, NULL, NULL, NULL), LLMGR_OK);
    }
    assert_int_equal(find(b, "alice", id, 0, 0, &found), LLMGR_OK);
    assert_int_equal(found.count, 3);
    assert_int_equal(found.items[2].attempt, 3);
    assert_false(ll_id_read_time(LB_STR("req_1"), &ms));
    assert_false(ll_id_read_time(LB_STR("req_00000000aaaaaaaa000000000G"), &ms));
    assert_false(ll_id_read_time(LB_STR("xyz_00000000aaaaaaaa0000000001"), &ms));
    assert_true(ll_id_read_time(LB_STR("lib-00000000aaaaaaaa00000001"), &ms));
    assert_true(ll_id_read_time(LB_STR("test_00000000aaaaaaaa00000001"), &ms));
}

static void who_writes_without_a_gateway_sums_now_and_then(void **state)
{
    struct entries *b = *state;
    struct ll_usage usage = attempt("alone");

    for (int i = 0; i < 1005; i++)
        assert_int_equal(ll_usage_add(b->w.manager, &usage, NULL), LLMGR_OK);
    assert_int_equal(entries_number(b, SUMMED), 1000);
    assert_int_equal(entries_number(b, ROWS), 1005);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, entries_begin, entries_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(groups_sum_to_the_rows_summed_or_not),
        CASE(what_cannot_be_asked_for_is_an_error),
        CASE(of_nothing_no_tokens_are_known),
        CASE(enormous_costs_do_not_wrap),
        CASE(a_request_is_found_by_its_id_summed_or_not),
        CASE(an_id_that_tells_the_time_is_enough),
        CASE(who_writes_without_a_gateway_sums_now_and_then),
    };

    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
