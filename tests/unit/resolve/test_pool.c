/* SPDX-License-Identifier: MIT */
/* Which of several keys a request gets, and by which number others speak of it. */
#include "library/open.h"
#include "manager/pools.h"
#include "resolve/resolve.h"

#include "../manager/site.h"

#define URL_A "https://a.example.com/v1"
#define URL_B "https://b.example.com/v1"
#define URL_OWN "https://own.example.org/v1"

static struct site h;
static int64_t a, b; /* system platforms: a without a server key, b with */
static int64_t b1;   /* a model of b */

static int set_up(void **state)
{
    (void)state;
    site_setup(&h);
    a = sys_platform(&h, "A", URL_A, 0, NULL);
    b = sys_platform(&h, "B/hub", URL_B, 1, "sk-server-b");
    add_model(&h, NULL, a, "Alpha", "org/alpha-1");
    b1 = add_model(&h, NULL, b, "Beta", "org/beta-1");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    site_teardown(&h);
    return 0;
}

static void assert_target(int64_t platform, int64_t model, enum lm_payer payer, const char *key)
{
    assert_int_equal(h.target.platform_id, platform);
    assert_int_equal(h.target.model_id, model);
    assert_int_equal(h.target.payer, payer);
    assert_string_equal(key_of(&h), key);
}

struct choosing {
    uint32_t answer;
    uint32_t count; /* of the last call; 0: there was none */
    uint64_t platform, first;
};

static uint32_t choose(void *context, const struct lr_target *target, const struct lr_key *keys,
                       uint32_t count)
{
    struct choosing *choosing = context;

    choosing->count = count;
    choosing->platform = (uint64_t)target->platform_id;
    choosing->first = keys[0].id;
    assert_int_equal(keys[0].weight, 1);
    assert_int_equal(target->sealed_key.size, 0);
    return choosing->answer;
}

static void a_key_bears_the_same_number_until_it_changes(void **state)
{
    (void)state;
    uint64_t first;

    OK(&h, ask(&h, "ann", NULL, NULL));
    first = h.target.key_id;
    assert_true(first != 0);
    assert_true(h.target.account_id == first);
    assert_int_equal(h.target.key_count, 1);
    site_reopen(&h);
    OK(&h, ask(&h, "bob", NULL, NULL));
    assert_true(h.target.key_id == first);
    server_key(&h, b, URL_B, "sk-another");
    OK(&h, ask(&h, "bob", NULL, NULL));
    assert_true(h.target.key_id != first);
    server_key(&h, b, URL_B, "sk-server-b");
    OK(&h, ask(&h, "bob", NULL, NULL));
    assert_true(h.target.key_id == first);
    /* The same key in somebody's own hands is another one: what it meets is not shared. */
    own_key(&h, "bob", b, URL_B, "sk-server-b");
    OK(&h, ask(&h, "bob", NULL, NULL));
    assert_true(h.target.key_id != first);
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY, ask(&h, "ann", NULL, "Alpha"));
    assert_true(h.target.key_id == 0);
    assert_int_equal(h.target.key_count, 0);
}

static void who_chooses_among_keys_may_withhold_them_all(void **state)
{
    (void)state;
    struct choosing choosing = {0};
    const struct lr_key_chooser chooser = {choose, &choosing};
    struct lr_request request = {
        .user = LB_STR("ann"), .model = LB_STR("Beta"), .chooser = &chooser};

    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    assert_int_equal(choosing.count, 1);
    assert_int_equal(choosing.platform, b);
    assert_true(choosing.first == h.target.key_id);
    assert_false(h.target.key_withheld);

    choosing.answer = LR_KEY_NONE;
    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_int_equal(h.target.payer, LM_PAYER_SYSTEM);
    assert_int_equal(h.target.sealed_key.size, 0);
    assert_true(h.target.key_id == 0);
    assert_int_equal(h.target.key_count, 1);
    assert_true(h.target.key_withheld);

    /* Where there is no key nobody is asked. */
    choosing.count = 0;
    request.model = LB_STR("Alpha");
    ASSERT_STATUS(&h, LLMGR_ERR_NO_KEY,
                  lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_int_equal(choosing.count, 0);
    assert_false(h.target.key_withheld);
}

static uint64_t accounts[3];

static uint32_t choose_second(void *context, const struct lr_target *target,
                              const struct lr_key *keys, uint32_t count)
{
    (void)target;
    *(uint32_t *)context = count;
    for (uint32_t i = 0; i < count && i < 3; i++)
        accounts[i] = keys[i].account_id;
    assert_int_equal(keys[1].weight, 7);
    return 1;
}

static void add_key(const char *user, int64_t platform, const char *key, int64_t weight,
                    const char *account)
{
    OK(&h, lm_pool_add(h.manager, lm_actor_of(h.manager, lb_cstr(user)), platform, lb_cstr(key),
                       weight, lb_cstr(account), NULL, &h.err));
}

static void of_several_keys_the_first_is_used_or_the_one_that_is_chosen(void **state)
{
    (void)state;
    uint32_t count = 0;
    const struct lr_key_chooser chooser = {choose_second, &count};
    struct lr_request request = {
        .user = LB_STR("ann"), .model = LB_STR("Beta"), .chooser = &chooser};

    add_key("ann", b, "sk-one", 1, "org-a");
    add_key("ann", b, "sk-two", 7, "org-a");
    add_key("ann", b, "sk-three", 1, "org-b");
    add_key("bob", b, "sk-bob", 1, "org-a");
    OK(&h, ask(&h, "ann", NULL, "Beta"));
    assert_target(b, b1, LM_PAYER_USER, "sk-one");
    assert_int_equal(h.target.key_count, 3);
    const uint64_t first = h.target.key_id;
    OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
    assert_target(b, b1, LM_PAYER_USER, "sk-two");
    assert_int_equal(count, 3);
    assert_true(h.target.key_id != first);
    assert_true(accounts[0] == accounts[1] && accounts[1] != accounts[2]);
    assert_true(h.target.account_id == accounts[1]);
    OK(&h, ask(&h, "bob", NULL, "Beta"));
    assert_target(b, b1, LM_PAYER_USER, "sk-bob");
    assert_true(h.target.account_id != accounts[0]);
    /* When the first goes, the next stands where the release before looks for the only one. */
    add_key("bob", b, "sk-bob-two", 1, "");
    OK(&h,
       lm_pool_delete(h.manager, lm_actor_of(h.manager, LB_STR("bob")), b, LB_STR("1"), &h.err));
    assert_int_equal(db_number(&h.db, "SELECT COUNT(*) FROM llm_sys_platform_keys"
                                      " WHERE user_id = 'bob' AND api_key IS NOT NULL"),
                     1);
    OK(&h, ask(&h, "bob", NULL, "Beta"));
    assert_target(b, b1, LM_PAYER_USER, "sk-bob-two");
    /* One whose address has moved on is passed over; the others serve. */
    db_sql(&h.db, "UPDATE llm_sys_platform_keys SET api_key = (SELECT api_key FROM llm_platforms p"
                  " WHERE p.id = llm_sys_platform_keys.platform_id) WHERE user_id = 'ann'");
    site_reopen(&h);
    OK(&h, ask(&h, "ann", NULL, "Beta"));
    assert_target(b, b1, LM_PAYER_USER, "sk-two");
    assert_int_equal(h.target.key_count, 2);
    /* Private platforms, and the profile that moves in memory with its keys. */
    int64_t own = own_platform(&h, "ann", "Mine", URL_OWN, "sk-mine-1");
    add_model(&h, "ann", own, "Own", "own-1");
    add_key("ann", own, "sk-mine-2", 7, "");
    request.model = LB_STR("Own");
    for (int round = 0; round < 2; round++) {
        OK(&h, ask(&h, "ann", NULL, "Own"));
        assert_string_equal(key_of(&h), "sk-mine-1");
        OK(&h, lr_resolve(h.manager, &request, &h.arena, &h.target, &h.err));
        assert_string_equal(key_of(&h), "sk-mine-2");
        assert_true(h.target.account_id == h.target.key_id);
    }
}

/* One more of the server's for platform b. */
static void add_server_key(const char *key, int64_t position)
{
    act(&h, NULL,
        (struct act){
            .statement = LS_POOL_ADD,
            .values = {ls_int(b), ls_cstr(LLMGR_SYSTEM_USER), ls_int(0), ls_int(position),
                       ls_null(), ls_int(0), ls_null(), ls_int(1), ls_null()},
            .count = 9,
            .key = key,
            .key_at = 4,
            .place = {LK_KEY_FURTHER, LB_STR(LLMGR_SYSTEM_USER), b, origin_of(&h, URL_B)}});
}

static void assert_server_pool(const char *user)
{
    OK(&h, ask(&h, user, NULL, "Beta"));
    assert_target(b, b1, LM_PAYER_SYSTEM, "sk-server-b");
    assert_int_equal(h.target.key_count, 3);
}

/* Both are rows of one user about one platform, and only one column tells them apart. */
static void the_servers_keys_are_none_of_the_system_users_own(void **state)
{
    (void)state;

    add_server_key("sk-server-b-2", 1);
    add_server_key("sk-server-b-3", 2);
    assert_server_pool("ann");
    assert_server_pool(LLMGR_SYSTEM_USER);
    add_key(LLMGR_SYSTEM_USER, b, "sk-own-1", 1, "org");
    OK(&h, ask(&h, LLMGR_SYSTEM_USER, NULL, "Beta"));
    assert_target(b, b1, LM_PAYER_USER, "sk-own-1");
    assert_int_equal(h.target.key_count, 1);
    add_key(LLMGR_SYSTEM_USER, b, "sk-own-2", 7, "");
    OK(&h, ask(&h, LLMGR_SYSTEM_USER, NULL, "Beta"));
    assert_int_equal(h.target.key_count, 2);
    assert_server_pool("ann");
    site_mode(&h, LLMGR_MODE_SINGLE);
    OK(&h, ask(&h, "ann", NULL, "Beta"));
    assert_target(b, b1, LM_PAYER_USER, "sk-own-1");
    assert_int_equal(h.target.key_count, 2);
    for (int i = 0; i < 2; i++)
        OK(&h,
           lm_pool_delete(h.manager, lm_actor_of(h.manager, LB_STR("")), b, LB_STR("1"), &h.err));
    assert_server_pool("ann");
}

static void keep_further_keys(const char *user, int of_user, int count)
{
    char sql[400];

    snprintf(sql, sizeof sql,
             "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d)"
             " INSERT INTO llm_platform_keys (platform_id, user_id, of_user, position, api_key)"
             " SELECT %lld, '%s', %d, i, %s FROM n",
             count, (long long)a, user, of_user, h.db.postgres ? "'x'::bytea" : "x'00'");
    db_sql(&h.db, sql);
}

static llmgr_status try_key(const char *user, const char *key)
{
    h.err = (struct llmgr_error){0};
    return lm_pool_add(h.manager, lm_actor_of(h.manager, lb_cstr(user)), b, lb_cstr(key), 1,
                       LB_STR(""), NULL, &h.err);
}

static void a_user_has_so_many_keys_for_all_platforms(void **state)
{
    (void)state;

    keep_further_keys("ann", 1, LM_KEYS_PER_USER - 2);
    keep_further_keys(LLMGR_SYSTEM_USER, 0, 2 * LM_KEYS_PER_USER);
    own_platform(&h, "ann", "Mine", URL_OWN, "sk-mine");
    assert_int_equal(try_key("ann", "sk-1"), LLMGR_OK);
    assert_int_equal(try_key("ann", "sk-2"), LLMGR_ERR_TOO_LARGE);
    assert_non_null(strstr(h.err.message, "1000 keys for all platforms"));
    assert_int_equal(try_key("bob", "sk-2"), LLMGR_OK);
    assert_int_equal(try_key(LLMGR_SYSTEM_USER, "sk-2"), LLMGR_OK);
    OK(&h,
       lm_pool_delete(h.manager, lm_actor_of(h.manager, LB_STR("ann")), b, LB_STR("1"), &h.err));
    assert_int_equal(try_key("ann", "sk-2"), LLMGR_OK);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_key_bears_the_same_number_until_it_changes),
        CASE(who_chooses_among_keys_may_withhold_them_all),
        CASE(of_several_keys_the_first_is_used_or_the_one_that_is_chosen),
        CASE(the_servers_keys_are_none_of_the_system_users_own),
        CASE(a_user_has_so_many_keys_for_all_platforms),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
