/* SPDX-License-Identifier: MIT */
/* Whose is what is kept at a platform. */
#include "../manager/site.h"

#include "objects/owners.h"
#include "objects/signed_id.h"
#include "library/open.h"

#define ID(text) ((struct lf_object){.id = {text, sizeof(text) - 1}, .kind = {"file", 4}})

static struct site h;
static int64_t a, b;

static int setup(void **state)
{
    (void)state;
    site_setup(&h);
    a = sys_platform(&h, "A", "https://a.example/v1", 0, "sk-server-a-123456");
    b = sys_platform(&h, "B", "https://b.example/v1", 1, "sk-server-b-123456");
    (void)add_model(&h, NULL, a, "ma", "MA");
    (void)add_model(&h, NULL, b, "mb", "MB");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    site_teardown(&h);
    return 0;
}

static void target_of(const char *user, const char *model, struct lr_target *target)
{
    OK(&h, ask(&h, user, NULL, model));
    *target = h.target;
}

static llmgr_status add(const char *user, const char *model, struct lf_object object)
{
    struct lr_target target;

    target_of(user, model, &target);
    return lf_objects_add(h.manager, &target, &object, 1, &h.err);
}

enum { KEY = 71, ACCOUNT = 72 };

/* With a key of this number and account. */
static bool reaches(const char *user, int64_t platform, struct lf_object object, uint64_t key,
                    uint64_t account, bool *elsewhere)
{
    const struct lf_asking asking = {lb_cstr(user), platform, key, account};
    size_t missing = 99;

    OK(&h, lf_objects_owned(h.manager, &asking, &object, 1, &missing, elsewhere, &h.err));
    return missing == 1;
}

static bool owns(const char *user, int64_t platform, struct lf_object object)
{
    bool elsewhere = true;
    const bool is_theirs = reaches(user, platform, object, KEY, ACCOUNT, &elsewhere);

    assert_false(elsewhere);
    return is_theirs;
}

static void an_object_is_its_makers_at_one_platform(void **state)
{
    struct lf_place place = {0, 0};

    (void)state;
    OK(&h, add("ann", "MA", ID("f-1")));
    OK(&h, add("ann", "MA", ID("f-1"))); /* told again */
    assert_true(owns("ann", a, ID("f-1")));
    assert_false(owns("ben", a, ID("f-1")));
    assert_false(owns("ann", b, ID("f-1")));
    assert_false(owns("ann", a, ID("F-1")));
    assert_false(owns("ann", a, ID("f-1 ")));
    OK(&h, lf_object_place(h.manager, lb_cstr("ann"), lb_cstr("f-1"), &place, &h.err));
    assert_int_equal(place.platform_id, a);
    assert_true(place.account_id == 0); /* the only key there, without a label */
    OK(&h, lf_object_place(h.manager, lb_cstr("ben"), lb_cstr("f-1"), &place, &h.err));
    assert_int_equal(place.platform_id, 0);
    /* Another process asks the same rows. */
    struct lm_manager *other = site_open_another(&h);
    size_t missing = 0;
    struct lf_object object = ID("f-1");
    const struct lf_asking asking = {LB_STR("ann"), a, KEY, ACCOUNT};
    bool elsewhere = false;
    OK(&h, lf_objects_owned(other, &asking, &object, 1, &missing, &elsewhere, &h.err));
    assert_int_equal(missing, 1);
    la_manager_close(other);
}

/* The target as it were with more keys there, or with one that has a label. */
static struct lr_target with_account(const char *user, uint32_t keys, uint64_t account)
{
    struct lr_target target;

    target_of(user, "MA", &target);
    target.key_count = keys;
    target.account_id = account != 0 ? account : target.key_id;
    return target;
}

static uint64_t account_of(const char *id)
{
    struct lf_place place = {0, 0};

    OK(&h, lf_object_place(h.manager, lb_cstr("ann"), lb_cstr(id), &place, &h.err));
    assert_int_equal(place.platform_id, a);
    return place.account_id;
}

static void what_an_account_keeps_others_do_not_reach(void **state)
{
    const uint64_t label = UINT64_C(0xfedcba9876543210); /* the upper bit is part of it */
    const struct lf_object one = ID("f-1"), two = ID("f-2");
    bool elsewhere = false;

    (void)state;
    struct lr_target labelled = with_account("ann", 1, label), pool = with_account("ann", 2, 0);
    OK(&h, lf_objects_add(h.manager, &labelled, &one, 1, &h.err));
    OK(&h, lf_objects_add(h.manager, &pool, &two, 1, &h.err));
    assert_true(account_of("f-1") == label && account_of("f-2") == pool.key_id);

    assert_true(reaches("ann", a, one, KEY, label, &elsewhere) && !elsewhere);
    assert_false(reaches("ann", a, one, KEY, ACCOUNT, &elsewhere));
    assert_true(elsewhere);
    assert_false(reaches("ben", a, one, KEY, ACCOUNT, &elsewhere)); /* he hears of no account */
    assert_false(elsewhere);
    /* A key that gets a label later still has what it made. */
    assert_true(reaches("ann", a, two, pool.key_id, label, &elsewhere));
    assert_false(reaches("ann", a, two, KEY, label, &elsewhere));
    assert_true(elsewhere);
}

static void an_own_keys_account_is_always_noted(void **state)
{
    struct lr_target target = with_account("ann", 1, 0);

    (void)state;
    assert_true(lr_target_kept_by(&target) == 0); /* it may be exchanged for another */
    target.payer = LM_PAYER_USER;
    assert_true(lr_target_kept_by(&target) == target.account_id && target.account_id != 0);
}

static void an_id_is_not_taken_twice(void **state)
{
    struct lr_target target;
    const struct lf_object two[] = {ID("f-2"), ID("f-1")};

    (void)state;
    OK(&h, add("ann", "MA", ID("f-1")));
    assert_int_equal(add("ben", "MA", ID("f-1")), LLMGR_ERR_CONFLICT);
    assert_true(owns("ann", a, ID("f-1")));
    target_of("ben", "MA", &target);
    assert_int_equal(lf_objects_add(h.manager, &target, two, 2, &h.err), LLMGR_ERR_CONFLICT);
    assert_false(owns("ben", a, ID("f-2"))); /* all or nothing */
    OK(&h, add("ben", "MB", ID("f-1")));     /* another platform's is another one */
}

static void what_is_no_id_is_nobodys(void **state)
{
    static char longer[LF_OBJECT_ID_MAX + 1];
    const struct lf_object odd[] = {
        ID(""), ID("a\0b"), ID("\xff"), {.id = {longer, sizeof longer}, .kind = {"file", 4}}};

    (void)state;
    memset(longer, 'x', sizeof longer);
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        assert_int_equal(add("ann", "MA", odd[i]), LLMGR_ERR_PROTOCOL);
        assert_false(owns("ann", a, odd[i]));
    }
}

static void the_kind_counts_where_it_is_asked_for(void **state)
{
    struct lf_object asked = ID("f-1");

    (void)state;
    OK(&h, add("ann", "MA", ID("f-1")));
    asked.exact = true;
    assert_true(owns("ann", a, asked));
    asked.kind = LB_STR("batch file");
    assert_false(owns("ann", a, asked));
}

static void it_goes_with_its_owners_word_or_its_platform(void **state)
{
    (void)state;
    OK(&h, add("ann", "MA", ID("f-1")));
    OK(&h, lf_object_forget(h.manager, a, lb_cstr("ben"), lb_cstr("f-1"), &h.err));
    assert_true(owns("ann", a, ID("f-1")));
    OK(&h, lf_object_forget(h.manager, a, lb_cstr("ann"), lb_cstr("f-1"), &h.err));
    assert_false(owns("ann", a, ID("f-1")));
    OK(&h, add("ben", "MA", ID("f-1")));
    act(&h, NULL,
        (struct act){.statement = LS_SYNC_PLATFORM_DELETE, .values = {ls_int(a)}, .count = 1});
    assert_int_equal(db_number(&h.db, "SELECT COUNT(*) FROM llm_objects"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_object_is_its_makers_at_one_platform, setup, teardown),
        cmocka_unit_test_setup_teardown(what_an_account_keeps_others_do_not_reach, setup, teardown),
        cmocka_unit_test_setup_teardown(an_own_keys_account_is_always_noted, setup, teardown),
        cmocka_unit_test_setup_teardown(an_id_is_not_taken_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_id_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(the_kind_counts_where_it_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(it_goes_with_its_owners_word_or_its_platform, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
