/* SPDX-License-Identifier: MIT */
#include "accounts/replays.h"

#include <stdio.h>
#include <string.h>

#include "../unit.h"
#include "../manager/site.h"

static struct site SITE;

static struct lw_answer_key key_named(int64_t token, const char *name, unsigned char request)
{
    struct lw_answer_key key = {.token_id = token, .name = lb_cstr(name)};

    memset(key.digest, request, sizeof key.digest);
    return key;
}

static enum lw_answer_state begin(struct site *h, const struct lw_answer_key *key,
                                  struct lw_answer *answer)
{
    enum lw_answer_state state = LW_ANSWER_OTHER;

    OK(h, lw_answer_begin(h->manager, key, &h->arena, &state, answer, &h->err));
    return state;
}

static void keep(struct site *h, const struct lw_answer_key *key, int64_t id, const char *body,
                 bool secret)
{
    const struct lw_answer answer = {.id = id,
                                     .status = 201,
                                     .secret = secret,
                                     .location = LB_STR("/api/platforms/7"),
                                     .body = lb_cstr(body)};

    OK(h, lw_answer_keep(h->manager, key, &answer, &h->err));
}

static int setup(void **state)
{
    (void)state;
    site_setup(&SITE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    site_teardown(&SITE);
    return 0;
}

static void a_key_is_new_then_running_then_done(void **state)
{
    struct site *h = &SITE;
    struct lw_answer_key key = key_named(3, "k", 1);
    struct lw_answer first, answer;
    (void)state;

    assert_int_equal(begin(h, &key, &first), LW_ANSWER_NEW);
    assert_int_equal(begin(h, &key, &answer), LW_ANSWER_RUNNING);
    keep(h, &key, first.id, "{\"a\":1}", false);
    site_reopen(h);
    assert_int_equal(begin(h, &key, &answer), LW_ANSWER_DONE);
    assert_int_equal(answer.status, 201);
    assert_string_equal(answer.body.p, "{\"a\":1}");
    assert_string_equal(answer.location.p, "/api/platforms/7");
}

static void a_key_belongs_to_its_token_and_request(void **state)
{
    struct site *h = &SITE;
    struct lw_answer_key key = key_named(3, "k", 1), other = key_named(3, "k", 2);
    struct lw_answer_key foreign = key_named(4, "k", 1);
    struct lw_answer first, answer;
    (void)state;

    assert_int_equal(begin(h, &key, &first), LW_ANSWER_NEW);
    assert_int_equal(begin(h, &other, &answer), LW_ANSWER_OTHER);
    assert_int_equal(begin(h, &foreign, &answer), LW_ANSWER_NEW);
    keep(h, &key, first.id, "{}", false);
    assert_int_equal(begin(h, &other, &answer), LW_ANSWER_OTHER);
}

static void what_changed_nothing_may_be_tried_again(void **state)
{
    struct site *h = &SITE;
    struct lw_answer_key key = key_named(3, "k", 1);
    struct lw_answer first, answer;
    (void)state;

    assert_int_equal(begin(h, &key, &first), LW_ANSWER_NEW);
    OK(h, lw_answer_forget(h->manager, first.id, &h->err));
    assert_int_equal(begin(h, &key, &first), LW_ANSWER_NEW);
    keep(h, &key, first.id, "{}", false);
    OK(h, lw_answer_forget(h->manager, first.id, &h->err));
    assert_int_equal(begin(h, &key, &answer), LW_ANSWER_DONE);
}

static void a_secret_answer_is_sealed_and_bound_to_its_row(void **state)
{
    struct site *h = &SITE;
    struct lw_answer_key key = key_named(3, "k", 1);
    struct lw_answer first, answer;
    struct ls_rows rows = {0};
    struct ls_tx *tx;
    (void)state;

    assert_int_equal(begin(h, &key, &first), LW_ANSWER_NEW);
    keep(h, &key, first.id, "{\"token\":\"sk-llmgr-canary\"}", true);
    OK(h, ls_begin(lm_store(h->manager), LS_READ, &tx, &h->err));
    OK(h, ls_get(tx, LS_ANSWER_FIND, LS_ARGS(ls_int(3), ls_cstr("k")), &rows, &h->err));
    struct lb_str stored = ls_column_blob(&rows, 5);
    assert_null(memmem(stored.p, stored.size, "canary", 6));
    ls_rows_end(&rows);
    ls_rollback(tx);
    assert_int_equal(begin(h, &key, &answer), LW_ANSWER_DONE);
    assert_string_equal(answer.body.p, "{\"token\":\"sk-llmgr-canary\"}");
}

static int64_t days_later(void *context)
{
    (void)context;
    return lb_now_ms(&SITE.db.host) + LW_ANSWER_MS + 1000;
}

static void a_key_expires(void **state)
{
    struct site *h = &SITE;
    struct lw_answer_key key = key_named(3, "k", 1);
    struct lw_answer first, answer;
    (void)state;

    assert_int_equal(begin(h, &key, &first), LW_ANSWER_NEW);
    keep(h, &key, first.id, "{}", false);
    h->host.clock = days_later;
    assert_int_equal(begin(h, &key, &answer), LW_ANSWER_NEW);
    h->host.clock = NULL;
}

static void a_token_keeps_a_thousand_and_the_oldest_goes(void **state)
{
    struct site *h = &SITE;
    struct lw_answer first, answer;
    char name[16];
    (void)state;

    for (int i = 0; i <= LW_ANSWERS_PER_TOKEN; i++) {
        snprintf(name, sizeof name, "k%d", i);
        struct lw_answer_key key = key_named(3, name, 1);
        assert_int_equal(begin(h, &key, &first), LW_ANSWER_NEW);
        keep(h, &key, first.id, "{}", false);
    }
    struct lw_answer_key oldest = key_named(3, "k0", 1), second = key_named(3, "k1", 1);
    assert_int_equal(begin(h, &second, &answer), LW_ANSWER_DONE);
    assert_int_equal(begin(h, &oldest, &answer), LW_ANSWER_NEW);
}

static void a_key_that_is_none_is_refused(void **state)
{
    struct site *h = &SITE;
    enum lw_answer_state found;
    struct lw_answer answer;
    char text[LW_ANSWER_NAME_MAX + 2];
    (void)state;

    memset(text, 'a', sizeof text);
    text[sizeof text - 1] = '\0';
    struct lw_answer_key empty = key_named(3, "", 1), over = key_named(3, text, 1);
    ASSERT_STATUS(h, LLMGR_ERR_INVALID,
                  lw_answer_begin(h->manager, &empty, &h->arena, &found, &answer, &h->err));
    ASSERT_STATUS(h, LLMGR_ERR_INVALID,
                  lw_answer_begin(h->manager, &over, &h->arena, &found, &answer, &h->err));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_key_is_new_then_running_then_done),
        CASE(a_key_belongs_to_its_token_and_request),
        CASE(what_changed_nothing_may_be_tried_again),
        CASE(a_secret_answer_is_sealed_and_bound_to_its_row),
        CASE(a_key_expires),
        CASE(a_token_keeps_a_thousand_and_the_oldest_goes),
        CASE(a_key_that_is_none_is_refused),
    };

    return cmocka_run_group_tests_name("accounts/replays", tests, NULL, NULL);
}
