/* SPDX-License-Identifier: MIT */
/* What narrows a token, in the database and in memory; and when it was last used. */
#include "accounts/token_uses.h"
#include "library/open.h"

#include "token_fixture.h"

/* ---- Limits ---------------------------------------------------------------------------------- */

static struct lw_token_spec nothing_given(void)
{
    return (struct lw_token_spec){.limits.expires_at_ms = LLMGR_UNSET};
}

/* What it has now, by a fresh look. */
static struct lw_token *loaded(struct fixture *w, const char *text)
{
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    struct lw_token *token = NULL;

    assert_true(lw_token_digest(lb_cstr(text), digest));
    assert_int_equal(lw_token_load(w->manager, digest, &token, NULL), LLMGR_OK);
    assert_true(token->known);
    return token;
}

static void a_change_reaches_what_is_remembered_and_keeps_what_is_not_given(void **state)
{
    struct fixture *w = *state;
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lw_token_cache *cache = new_cache(w->manager);
    struct lw_token_spec spec = nothing_given();
    struct lw_token *token = NULL;
    bool missed;

    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    assert_false(missed || token->is_limited);
    spec.limits.allowed.models = S("b, a");
    spec.limits.networks = S("::1");
    spec.note = S("a note");
    WANT(LLMGR_OK, lw_token_change(w->manager, S("alice"), issued.id, &spec, &w->err));
    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    assert_true(missed);
    assert_int_equal(look(w->manager, cache, issued.text, &missed, &token), LW_TOKEN_FOUND);
    assert_true(!missed && token->is_limited);
    assert_true(lb_str_eq_c(token->limits.allowed.models, "b, a"));
    assert_true(lb_str_eq_c(token->limits.networks, "::1"));
    assert_true(lb_str_eq_c(token->name, "a name"));
    spec = nothing_given();
    spec.limits.allowed.models = S("");
    WANT(LLMGR_OK, lw_token_change(w->manager, S(""), issued.id, &spec, &w->err));
    lw_token_cache_free(cache);
    token = loaded(w, issued.text);
    assert_true(token->is_limited && token->limits.allowed.models.size == 0);
    assert_true(lb_str_eq_c(token->limits.networks, "::1"));
    lw_token_free(w->manager, token);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_tokens WHERE note = 'a note'"), 1);
    WANT(LLMGR_ERR_NOT_FOUND, lw_token_change(w->manager, S("bob"), issued.id, &spec, &w->err));
    WANT(LLMGR_ERR_NOT_FOUND, lw_token_change(w->manager, S(""), 999, &spec, &w->err));
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S(""), issued.id, NULL, &w->err));
    WANT(LLMGR_ERR_CONFLICT, lw_token_change(w->manager, S(""), issued.id, &spec, &w->err));
}

/* The release before looks into `digest` alone. */
static void a_token_with_limits_is_where_the_release_before_does_not_look(void **state)
{
    struct fixture *w = *state;
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lw_token_spec spec = nothing_given();
    const char *const hidden = "SELECT COUNT(*) FROM llm_tokens WHERE limited_digest IS NOT NULL";

    assert_int_equal(db_number(&w->db, hidden), 0);
    spec.note = S("no limit");
    WANT(LLMGR_OK, lw_token_change(w->manager, S(""), issued.id, &spec, &w->err));
    assert_int_equal(db_number(&w->db, hidden), 0);
    for (int i = 0; i < 5; i++) {
        spec = nothing_given();
        struct lb_str *const lists[] = {&spec.limits.allowed.platforms, &spec.limits.allowed.models,
                                        &spec.limits.allowed.routes, &spec.limits.networks};
        if (i == 4)
            spec.limits.expires_at_ms = INT64_MAX;
        else
            *lists[i] = S("::1");
        WANT(LLMGR_OK, lw_token_change(w->manager, S(""), issued.id, &spec, &w->err));
        assert_int_equal(db_number(&w->db, hidden), 1);
        lw_token_free(w->manager, loaded(w, issued.text));
        if (i == 4)
            spec.limits.expires_at_ms = 0;
        else
            *lists[i] = S("");
        WANT(LLMGR_OK, lw_token_change(w->manager, S(""), issued.id, &spec, &w->err));
        assert_int_equal(db_number(&w->db, hidden), 0);
        lw_token_free(w->manager, loaded(w, issued.text));
    }
}

static void nobody_makes_or_changes_a_token_that_may_more(void **state)
{
    struct fixture *w = *state;
    const struct lw_limits bound = {.expires_at_ms = INT64_MAX - 1,
                                    .allowed.models = LB_STR("a, b")};
    struct lw_token_spec spec = nothing_given();
    struct issued heir;

    spec.user = S("alice");
    spec.bound = &bound;
    WANT(LLMGR_OK, lw_token_create(w->manager, &spec, heir.text, &heir.id, &w->err));
    struct lw_token *token = loaded(w, heir.text);
    assert_int_equal(token->limits.expires_at_ms, bound.expires_at_ms);
    assert_true(lb_str_eq_c(token->limits.allowed.models, "a, b"));
    lw_token_free(w->manager, token);
    spec.limits.allowed.models = S("a, c");
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_create(w->manager, &spec, heir.text, &heir.id, &w->err));
    /* A wider token is not the asker's to change or end, whatever would become of it. */
    struct issued wide = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    spec.limits.allowed.models = S("a");
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_change(w->manager, S("alice"), wide.id, &spec, &w->err));
    spec.limits.expires_at_ms = bound.expires_at_ms;
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_change(w->manager, S("alice"), wide.id, &spec, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_revoke(w->manager, S("alice"), wide.id, &bound, &w->err));
    WANT(LLMGR_OK, lw_token_change(w->manager, S("alice"), heir.id, &spec, &w->err));
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S("alice"), heir.id, &bound, &w->err));
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S("alice"), heir.id, &bound, &w->err));
}

static void the_makers_token_is_looked_at_once_more(void **state)
{
    struct fixture *w = *state;
    const struct issued maker = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lw_token_spec spec = nothing_given();
    struct lw_token_spec narrow = nothing_given();
    struct issued heir;

    spec.user = S("alice");
    spec.maker_id = maker.id; /* whose limits were none when the request began */
    WANT(LLMGR_OK, lw_token_create(w->manager, &spec, heir.text, &heir.id, &w->err));
    narrow.limits.allowed.models = S("a");
    WANT(LLMGR_OK, lw_token_change(w->manager, S("alice"), maker.id, &narrow, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_create(w->manager, &spec, heir.text, &heir.id, &w->err));
    WANT(LLMGR_ERR_FORBIDDEN, lw_token_change(w->manager, S("alice"), heir.id, &spec, &w->err));
    spec.limits.allowed.models = S("a");
    WANT(LLMGR_OK, lw_token_create(w->manager, &spec, heir.text, &heir.id, &w->err));
    WANT(LLMGR_OK, lw_token_revoke(w->manager, S("alice"), maker.id, NULL, &w->err));
    WANT(LLMGR_ERR_CONFLICT, lw_token_create(w->manager, &spec, heir.text, &heir.id, &w->err));
}

static void an_administrator_who_is_over_is_none(void **state)
{
    struct fixture *w = *state;
    struct lw_token_spec spec = {.kind = LLMGR_TOKEN_ADMIN,
                                 .limits.expires_at_ms = lb_now_ms(&w->host) + 3600000};
    struct issued issued;
    bool has = false;

    WANT(LLMGR_OK, lw_token_create(w->manager, &spec, issued.text, &issued.id, &w->err));
    WANT(LLMGR_OK, lw_token_has_admin(w->manager, &has, &w->err));
    assert_true(has);
    db_sql(&w->db, "UPDATE llm_tokens SET expires_at = 1");
    WANT(LLMGR_OK, lw_token_has_admin(w->manager, &has, &w->err));
    assert_false(has);
    struct lw_token *token = loaded(w, issued.text);
    assert_true(lw_limits_are_over(&token->limits, lb_now_ms(&w->host)));
    lw_token_free(w->manager, token);
}

/* ---- Last use -------------------------------------------------------------------------------- */

static void a_use_is_noted_once_in_an_hour_and_never_put_back(void **state)
{
    static struct lw_uses uses;
    struct fixture *w = *state;
    struct issued issued = issue(w, LLMGR_TOKEN_USER, "alice", NULL);
    struct lw_token *token = loaded(w, issued.text);
    const char *const at = "SELECT COALESCE(last_used_at, 0) FROM llm_tokens";

    lw_uses_init(&uses, w->manager);
    lw_token_was_used(token, &uses); /* nobody has looked at the clock yet */
    WANT(LLMGR_OK, lw_uses_write(&uses, &w->err));
    assert_int_equal(db_number(&w->db, at), 0);
    const uint32_t hour = uses.hour;
    assert_true(hour > 400000);
    lw_token_was_used(token, &uses);
    lw_token_was_used(token, &uses);
    assert_int_equal(uses.count, 1);
    assert_int_equal(token->used_hour, hour);
    WANT(LLMGR_OK, lw_uses_write(&uses, &w->err));
    assert_int_equal(db_number(&w->db, at), (int64_t)hour * 3600000);
    /* Another worker read the row before; a node whose clock is behind changes nothing. */
    struct lw_token *fresh = loaded(w, issued.text);
    assert_int_equal(fresh->used_hour, hour);
    lw_token_was_used(fresh, &uses);
    assert_int_equal(uses.count, 0);
    lw_uses_note(&uses, fresh, hour - 1);
    WANT(LLMGR_OK, lw_uses_write(&uses, &w->err));
    assert_int_equal(db_number(&w->db, at), (int64_t)hour * 3600000);
    lw_token_free(w->manager, fresh);
    lw_token_free(w->manager, token);
    lw_uses_end(&uses);
}

static void uses_without_room_are_noted_later(void **state)
{
    static struct lw_uses uses;
    struct fixture *w = *state;
    struct lw_token token = {.id = 7};

    lw_uses_init(&uses, w->manager);
    WANT(LLMGR_OK, lw_uses_write(&uses, &w->err));
    for (int64_t i = 0; i < LW_USES_MAX; i++) {
        struct lw_token other = {.id = 1000 + i};
        lw_token_was_used(&other, &uses);
    }
    lw_token_was_used(&token, &uses);
    assert_int_equal(uses.count, LW_USES_MAX);
    assert_int_equal(token.used_hour, 0);
    WANT(LLMGR_OK, lw_uses_write(&uses, &w->err));
    lw_token_was_used(&token, &uses);
    assert_int_equal(token.used_hour, uses.hour);
    lw_uses_end(&uses);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_change_reaches_what_is_remembered_and_keeps_what_is_not_given),
        CASE(a_token_with_limits_is_where_the_release_before_does_not_look),
        CASE(nobody_makes_or_changes_a_token_that_may_more),
        CASE(the_makers_token_is_looked_at_once_more),
        CASE(an_administrator_who_is_over_is_none),
        CASE(a_use_is_noted_once_in_an_hour_and_never_put_back),
        CASE(uses_without_room_are_noted_later),
    };

    return cmocka_run_group_tests_name("token_limits", tests, NULL, NULL);
}
