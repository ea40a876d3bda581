/* SPDX-License-Identifier: MIT */
/* Sums of usage: of whatever is asked for, they are those of the rows. */
#include <time.h>

#include "ledger_fixture.h"

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
    usage->payer = (enum lm_payer)draw(3);
    usage->prompt_tokens = count_or_not(1000);
    usage->completion_tokens = count_or_not(500);
    usage->cached_tokens = count_or_not(100);
    /* Nobody tells bob's reasoning: his sum of it stays unknown. */
    usage->reasoning_tokens = lb_str_eq_c(usage->user, "bob") ? LL_UNKNOWN : count_or_not(100);
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

/* The sum of the attempts that fit; `key` NULL: of every group. */
static struct llmgr_usage_sum sum_rows(const struct llmgr_usage_query *query, const char *key)
{
    struct llmgr_usage_sum sum = {
        .prompt_tokens = -1, .completion_tokens = -1, .cached_tokens = -1, .reasoning_tokens = -1};

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
        add(&sum.prompt_tokens, usage->prompt_tokens);
        add(&sum.completion_tokens, usage->completion_tokens);
        add(&sum.cached_tokens, usage->cached_tokens);
        add(&sum.reasoning_tokens, usage->reasoning_tokens);
    }
    return sum;
}

static void same(const struct llmgr_usage_sum *got, const struct llmgr_usage_sum *want)
{
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
    struct llmgr_usage_sum want = sum_rows(&query, NULL);
    int64_t attempts = 0;
    int pages = 0;

    for (; list.more; pages++) {
        assert_true(pages < 100);
        if (ll_usage_sums(b->w.manager, &query, &b->w.arena, &list, &b->w.err) != LLMGR_OK)
            fail_msg("ll_usage_sums: %s", b->w.err.message);
        assert_true(query.limit == 0 || list.count <= query.limit);
        for (size_t i = 0; i < list.count; i++) {
            struct llmgr_usage_sum group = sum_rows(&query, list.items[i].key);
            same(&list.items[i], &group);
            attempts += group.attempts;
        }
        same(&list.total, &want);
        if (list.more)
            query.after = list.items[list.count - 1].key;
    }
    assert_int_equal(attempts, want.attempts);
}

static void compare_all(struct entries *b)
{
    static const char *const USERS[] = {NULL, "alice", "bob", "用户", "nobody"};

    for (int by = LLMGR_USAGE_BY_MODEL; by <= LLMGR_USAGE_BY_DAY; by++) {
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
        CASE(who_writes_without_a_gateway_sums_now_and_then),
    };

    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
