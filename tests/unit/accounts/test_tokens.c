/* SPDX-License-Identifier: MIT */
/* Tokens: stored as digests only, found without SQL, gone at once when they are revoked. */
#include <sodium.h>
#include <time.h>

#include "library/open.h"
#include "vault/token.h"

#include "token_fixture.h"

static void a_token_is_found_with_what_it_may_do_and_warm_without_a_load(void **state)
{
    struct fixture *w = *state;
    struct issued issued = issue(w, LLMGR_TOKEN_APP, NULL, "team-");
    struct lw_token_cache *cache = new_cache(w->manager);
    struct lw_token *token = NULL;
    bool missed;

    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    assert_true(missed);
    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    assert_false(missed);
    assert_true(token->known);
    assert_int_equal(token->id, issued.id);
    assert_int_equal(token->kind, LLMGR_TOKEN_APP);
    assert_true(lb_str_eq_c(token->name, "a name"));
    assert_true(lb_str_eq_c(token->prefix, "team-"));
    assert_int_equal(token->user.size, 0);
    lw_token_cache_free(cache);
}

static void a_token_never_exceeds_what_it_was_made_for(void **state)
{
    struct fixture *w = *state;
    const struct lw_token user = {.known = true, .kind = LLMGR_TOKEN_USER, .user = S("alice")};
    const struct lw_token app = {.known = true, .kind = LLMGR_TOKEN_APP, .prefix = S("team-")};
    const struct lw_token any = {.known = true, .kind = LLMGR_TOKEN_APP};
    const struct lw_token admin = {.known = true, .kind = LLMGR_TOKEN_ADMIN};
    const struct lw_token unknown = {.known = false, .kind = LLMGR_TOKEN_ADMIN};
    struct lb_str acting = {0};

    WANT(LLMGR_OK, lw_token_acts_as(&user, S(""), &acting, &w->err));
    assert_true(lb_str_eq_c(acting, "alice"));
    WANT(LLMGR_OK, lw_token_acts_as(&user, S("alice"), &acting, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_acts_as(&user, S("bob"), &acting, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_acts_as(&user, S("-1"), &acting, &w->err));
    WANT(LLMGR_ERR_INVALID, lw_token_acts_as(&app, S(""), &acting, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_acts_as(&app, S("bob"), &acting, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_acts_as(&any, S("-1"), &acting, &w->err));
    WANT(LLMGR_ERR_INVALID, lw_token_acts_as(&any, S("a\nb"), &acting, &w->err));
    WANT(LLMGR_OK, lw_token_acts_as(&app, S("team-7"), &acting, &w->err));
    assert_true(lb_str_eq_c(acting, "team-7"));
    WANT(LLMGR_OK, lw_token_acts_as(&admin, S(""), &acting, &w->err));
    assert_true(lb_str_eq_c(acting, "-1"));
    WANT(LLMGR_OK, lw_token_acts_as(&admin, S("bob"), &acting, &w->err));
    WANT(LLMGR_ERR_UNAUTHORIZED, lw_token_acts_as(&unknown, S(""), &acting, &w->err));
}

static void what_makes_no_sense_is_not_issued(void **state)
{
    struct fixture *w = *state;
    struct issued issued;

    WANT(LLMGR_ERR_INVALID, try_issue(w, LLMGR_TOKEN_USER, "", NULL, &issued));
    WANT(LLMGR_ERR_INVALID, try_issue(w, LLMGR_TOKEN_USER, "a\x01", NULL, &issued));
    WANT(LLMGR_ERR_INVALID, try_issue(w, LLMGR_TOKEN_USER, "alice", "a", &issued));
    WANT(LLMGR_ERR_INVALID, try_issue(w, LLMGR_TOKEN_ADMIN, "alice", NULL, &issued));
    WANT(LLMGR_ERR_INVALID, try_issue(w, (llmgr_token_kind)7, NULL, NULL, &issued));
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_tokens"), 0);
}

/* Does a file of the database hold these bytes? */
static bool holds(const struct fixture *w, const char *suffix, const char *text)
{
    static char bytes[8 << 20];
    char path[400];

    snprintf(path, sizeof path, "%s%s", w->db.path, suffix);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    return memmem(bytes, size, text, strlen(text)) != NULL;
}

static void a_token_is_never_stored_in_clear(void **state)
{
    struct fixture *w = *state;
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    char sql[300];

    if (!w->db.postgres) {
        assert_true(holds(w, "", "a name") || holds(w, "-wal", "a name"));
        /* Not the whole, and not the random part alone. */
        assert_false(holds(w, "", issued.text + sizeof LV_TOKEN_PREFIX - 1));
        assert_false(holds(w, "-wal", issued.text + sizeof LV_TOKEN_PREFIX - 1));
    }
    snprintf(sql, sizeof sql,
             "SELECT COUNT(*) FROM llm_tokens WHERE CAST(digest AS TEXT) LIKE '%%%.20s%%'",
             issued.text + 12);
    assert_int_equal(db_number(&w->db, sql), 0);
    assert_int_equal(db_number(&w->db, "SELECT length(digest) FROM llm_tokens"), 32);
    assert_null(strstr(w->db.log, issued.text));
}

static void a_revoked_token_is_gone_at_once_here(void **state)
{
    struct fixture *w = *state;
    struct issued kept = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lw_token_cache *cache = new_cache(w->manager);
    struct lw_token *token = NULL;
    bool missed;

    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    assert_int_equal(look(w->manager, cache, kept.text, &missed, &token), LW_TOKEN_FOUND);
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S(""), issued.id, NULL, &w->err));
    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_UNKNOWN);
    assert_true(missed);
    /* Others need not be read again for it. */
    assert_int_equal(look(w->manager, cache, kept.text, &missed, &token), LW_TOKEN_FOUND);
    assert_false(missed);
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S(""), issued.id, NULL, &w->err));
    lw_token_cache_free(cache);
}

static void what_was_read_before_a_revocation_is_not_kept_after_it(void **state)
{
    struct fixture *w = *state;
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lw_token_cache *cache = new_cache(w->manager);
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    struct lw_token *token = NULL;
    struct lw_token *loaded = NULL;

    assert_int_equal(lw_token_cache_find(cache, lb_cstr(issued.text), digest, &token),
                     LW_TOKEN_MISS);
    WANT(LLMGR_OK, lw_token_load(w->manager, digest, &loaded, &w->err));
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S(""), issued.id, NULL, &w->err));
    lw_token_cache_put(cache, loaded);
    assert_int_equal(lw_token_cache_find(cache, lb_cstr(issued.text), digest, &token),
                     LW_TOKEN_MISS);
    lw_token_cache_free(cache);
}

static void a_revocation_reaches_another_manager_with_its_next_poll(void **state)
{
    struct fixture *w = *state;
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lm_manager *first = w->manager;
    struct lw_token *token = NULL;
    bool missed;

    fixture_open(w);
    struct lm_manager *second = w->manager;
    struct lw_token_cache *cache = new_cache(second);
    assert_int_equal(look(second, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    WANT(LLMGR_OK, lw_token_revoke(first, S(""), issued.id, NULL, &w->err));
    WANT(LLMGR_OK, lm_poll(second, &w->err));
    assert_int_equal(look(second, cache, issued.text, &missed, &token), LW_TOKEN_UNKNOWN);
    lw_token_cache_free(cache);
    la_manager_close(first);
}

static void memory_that_no_poll_has_confirmed_answers_nothing(void **state)
{
    struct fixture *w = *state;
    struct lw_token *token = NULL;
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    bool missed;

    fixture_close(w);
    w->options.poll_ms = 20;
    fixture_open(w);
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lw_token_cache *cache = new_cache(w->manager);
    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    assert_int_equal(lw_token_cache_find(cache, lb_cstr(issued.text), digest, &token),
                     LW_TOKEN_MISS);
    lw_token_cache_free(cache);
}

static void invented_tokens_are_refused_by_form_or_remembered_within_bounds(void **state)
{
    struct fixture *w = *state;
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lw_token_cache *cache = new_cache(w->manager);
    struct lw_token *token = NULL;
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    char invented[LLMGR_TOKEN_ROOM];
    bool missed;

    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    assert_int_equal(lw_token_cache_find(cache, S("sk-llmgr-nonsense"), digest, &token),
                     LW_TOKEN_UNKNOWN);
    assert_int_equal(lw_token_cache_find(cache, S(""), digest, &token), LW_TOKEN_UNKNOWN);
    memcpy(invented, issued.text, sizeof invented);
    invented[20] = invented[20] == 'A' ? 'B' : 'A';
    assert_int_equal(lw_token_cache_find(cache, lb_cstr(invented), digest, &token),
                     LW_TOKEN_UNKNOWN);
    lv_token_new(invented);
    assert_int_equal(look(w->manager, cache, invented, &missed, &token), LW_TOKEN_UNKNOWN);
    assert_true(missed);
    assert_int_equal(look(w->manager, cache, invented, &missed, &token), LW_TOKEN_UNKNOWN);
    assert_false(missed);
    /* A flood: bounded, and the good token stays. */
    for (int i = 0; i < 3 * LW_TOKEN_UNKNOWN_MAX; i++) {
        struct lw_token *fake = lb_calloc(&w->host, 1, sizeof *fake);
        assert_non_null(fake);
        randombytes_buf(fake->digest, sizeof fake->digest);
        lw_token_cache_put(cache, fake);
    }
    assert_true(lw_token_cache_unknown(cache) <= LW_TOKEN_UNKNOWN_MAX);
    assert_int_equal(lw_token_cache_count(cache), 1);
    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    lw_token_cache_free(cache);
}

/* Keeps a known token of that digest, whose texts have so many bytes. */
static void keep_token(struct fixture *w, struct lw_token_cache *cache, const void *digest,
                       size_t texts)
{
    struct lw_token *token = lb_calloc(&w->host, 1, sizeof *token + texts);

    assert_non_null(token);
    memcpy(token->digest, digest, sizeof token->digest);
    token->known = true;
    token->user = lb_str((const char *)(token + 1), texts);
    token->size = sizeof *token + texts;
    lw_token_cache_put(cache, token);
}

static void known_tokens_are_bounded_by_bytes(void **state)
{
    struct fixture *w = *state;
    struct lw_token_cache *cache = NULL;
    enum { SIZE = 64 << 10 };

    assert_int_equal(lw_token_cache_new(w->manager, SIZE, &cache, NULL), LLMGR_OK);
    for (int i = 0; i < 5000; i++) {
        struct lw_token *token;
        unsigned char digest[LW_TOKEN_DIGEST_SIZE];
        randombytes_buf(digest, sizeof digest);
        keep_token(w, cache, digest, 200);
        assert_int_equal(lw_token_cache_get(cache, digest, &token), LW_TOKEN_FOUND);
        assert_true(lw_token_cache_count(cache) * (sizeof *token + 200) <= SIZE);
    }
    assert_true(lw_token_cache_count(cache) > 20);
    lw_token_cache_free(cache);
}

/* As many as the limit allows are kept, each found at once, and one that comes later still is. */
static void the_table_grows_with_the_tokens_in_use(void **state)
{
    struct fixture *w = *state;
    struct lw_token_cache *cache = NULL;
    enum { COUNT = 100000, EACH = 300 };
    unsigned char(*digests)[LW_TOKEN_DIGEST_SIZE] = calloc(COUNT, sizeof *digests);
    struct lw_token *token;
    size_t found = 0;

    assert_non_null(digests);
    randombytes_buf(digests, COUNT * sizeof *digests);
    assert_int_equal(lw_token_cache_new(w->manager, (size_t)COUNT * EACH, &cache, NULL), LLMGR_OK);
    for (int i = 0; i < COUNT; i++) {
        keep_token(w, cache, digests[i], 30);
        assert_int_equal(lw_token_cache_get(cache, digests[i], &token), LW_TOKEN_FOUND);
    }
    for (int i = 0; i < COUNT; i++)
        found += lw_token_cache_get(cache, digests[i], &token) == LW_TOKEN_FOUND ? 1 : 0;
    assert_true(found > COUNT / 100 * 98);
    assert_int_equal(found, lw_token_cache_count(cache));
    lw_token_cache_free(cache);
    free(digests);
}

/* Who is asked for again and again stays while others pass through a full cache. */
static void a_token_in_use_stays_in_a_full_cache(void **state)
{
    struct fixture *w = *state;
    struct lw_token_cache *cache = NULL;
    unsigned char kept[LW_TOKEN_DIGEST_SIZE], digest[LW_TOKEN_DIGEST_SIZE];
    struct lw_token *token;

    assert_int_equal(lw_token_cache_new(w->manager, 64 << 10, &cache, NULL), LLMGR_OK);
    randombytes_buf(kept, sizeof kept);
    keep_token(w, cache, kept, 100);
    for (int i = 0; i < 5000; i++) {
        assert_int_equal(lw_token_cache_get(cache, kept, &token), LW_TOKEN_FOUND);
        randombytes_buf(digest, sizeof digest);
        keep_token(w, cache, digest, 100);
    }
    assert_int_equal(lw_token_cache_get(cache, kept, &token), LW_TOKEN_FOUND);
    lw_token_cache_free(cache);
}

static void lists_show_everything_but_the_token_and_foreign_ones_do_not_exist(void **state)
{
    struct fixture *w = *state;
    struct issued alices = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct issued bobs = issue(w, LLMGR_TOKEN_USER, "bob", NULL);
    struct llmgr_token *items = NULL;
    size_t count = 0;
    bool has = true;

    WANT(LLMGR_OK, lw_token_has_admin(w->manager, &has, &w->err));
    assert_false(has);
    struct issued admins = issue(w, LLMGR_TOKEN_ADMIN, NULL, NULL);
    WANT(LLMGR_OK, lw_token_has_admin(w->manager, &has, &w->err));
    assert_true(has);
    WANT(LLMGR_ERR_NOT_FOUND, lw_token_revoke(w->manager, S("alice"), bobs.id, NULL, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lw_token_revoke(w->manager, S(""), 999, NULL, &w->err));
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S("alice"), alices.id, NULL, &w->err));
    WANT(LLMGR_OK, lw_token_list(w->manager, S("alice"), 0, 0, &w->arena, &items, &count, &w->err));
    assert_int_equal(count, 1);
    assert_string_equal(items[0].user, "alice");
    assert_true(items[0].revoked && items[0].revoked_at_ms >= items[0].created_at_ms);
    WANT(LLMGR_OK,
         lw_token_list(w->manager, S(""), alices.id, 1, &w->arena, &items, &count, &w->err));
    assert_int_equal(count, 1);
    assert_int_equal(items[0].token_id, bobs.id);
    WANT(LLMGR_OK, lw_token_list(w->manager, S(""), 0, 0, &w->arena, &items, &count, &w->err));
    assert_int_equal(count, 3);
    assert_null(items[2].user);
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S(""), admins.id, NULL, &w->err));
    WANT(LLMGR_OK, lw_token_has_admin(w->manager, &has, &w->err));
    assert_false(has);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_token_is_found_with_what_it_may_do_and_warm_without_a_load),
        CASE(a_token_never_exceeds_what_it_was_made_for),
        CASE(what_makes_no_sense_is_not_issued),
        CASE(a_token_is_never_stored_in_clear),
        CASE(a_revoked_token_is_gone_at_once_here),
        CASE(what_was_read_before_a_revocation_is_not_kept_after_it),
        CASE(a_revocation_reaches_another_manager_with_its_next_poll),
        CASE(memory_that_no_poll_has_confirmed_answers_nothing),
        CASE(invented_tokens_are_refused_by_form_or_remembered_within_bounds),
        CASE(known_tokens_are_bounded_by_bytes),
        CASE(the_table_grows_with_the_tokens_in_use),
        CASE(a_token_in_use_stays_in_a_full_cache),
        CASE(lists_show_everything_but_the_token_and_foreign_ones_do_not_exist),
    };

    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
