/* SPDX-License-Identifier: MIT */
/* Whose is what is kept at a platform. */
#include "../manager/site.h"

#include "objects/owners.h"
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

static bool owns(const char *user, int64_t platform, struct lf_object object)
{
    size_t missing = 99;

    OK(&h, lf_objects_owned(h.manager, platform, lb_cstr(user), &object, 1, &missing, &h.err));
    return missing == 1;
}

static void an_object_is_its_makers_at_one_platform(void **state)
{
    int64_t platform = 0;

    (void)state;
    OK(&h, add("ann", "MA", ID("f-1")));
    OK(&h, add("ann", "MA", ID("f-1"))); /* told again */
    assert_true(owns("ann", a, ID("f-1")));
    assert_false(owns("ben", a, ID("f-1")));
    assert_false(owns("ann", b, ID("f-1")));
    assert_false(owns("ann", a, ID("F-1")));
    assert_false(owns("ann", a, ID("f-1 ")));
    OK(&h, lf_object_platform(h.manager, lb_cstr("ann"), lb_cstr("f-1"), &platform, &h.err));
    assert_int_equal(platform, a);
    OK(&h, lf_object_platform(h.manager, lb_cstr("ben"), lb_cstr("f-1"), &platform, &h.err));
    assert_int_equal(platform, 0);
    /* Another process asks the same rows. */
    struct lm_manager *other = site_open_another(&h);
    size_t missing = 0;
    struct lf_object object = ID("f-1");
    OK(&h, lf_objects_owned(other, a, lb_cstr("ann"), &object, 1, &missing, &h.err));
    assert_int_equal(missing, 1);
    la_manager_close(other);
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
        cmocka_unit_test_setup_teardown(an_id_is_not_taken_twice, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_no_id_is_nobodys, setup, teardown),
        cmocka_unit_test_setup_teardown(the_kind_counts_where_it_is_asked_for, setup, teardown),
        cmocka_unit_test_setup_teardown(it_goes_with_its_owners_word_or_its_platform, setup,
                                        teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
