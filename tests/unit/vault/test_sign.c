/* SPDX-License-Identifier: MIT */
#include <sodium.h>
#include <string.h>

#include "opened.h"

static const struct lb_str ANN = {"ann", 3};
static const struct lb_str ORIGIN = {"https://api.openai.com:443", 26};
static const struct lb_str ID = {"resp_68a1f0", 11};

static void sign(struct lv_vault *vault, struct lb_str owner, int64_t platform,
                 struct lb_str origin, struct lb_str id, unsigned char *signature)
{
    unsigned char holder[LV_HOLDER_SIZE];

    lv_holder(owner, platform, origin, holder);
    assert_int_equal(lv_sign(vault, holder, id, signature, NULL), LLMGR_OK);
}

static void an_id_is_signed_alike_each_time(void **state)
{
    (void)state;
    struct fixture f;
    unsigned char a[LV_SIGNATURE_SIZE], b[LV_SIGNATURE_SIZE];

    open_vault(&f);
    sign(f.vault, ANN, 3, ORIGIN, ID, a);
    sign(f.vault, ANN, 3, ORIGIN, ID, b);
    assert_true(lv_same_signature(a, b));
    b[LV_SIGNATURE_SIZE - 1] ^= 1;
    assert_false(lv_same_signature(a, b));
    lv_vault_free(f.vault);
}

/* Also what only moves over the border of two parts. */
static void whatever_differs_the_signature_differs(void **state)
{
    (void)state;
    struct fixture f;
    struct {
        struct lb_str owner;
        int64_t platform;
        struct lb_str origin;
        struct lb_str id;
    } other[] = {
        {LB_STR("ben"), 3, ORIGIN, ID},
        {LB_STR(""), 3, ORIGIN, ID},
        {LB_STR("ann\0"), 3, ORIGIN, ID},
        {ANN, 4, ORIGIN, ID},
        {ANN, 3 | INT64_C(1) << 32, ORIGIN, ID},
        {ANN, 3, LB_STR("https://api.openai.com:444"), ID},
        {ANN, 3, LB_STR(""), ID},
        {ANN, 3, ORIGIN, LB_STR("resp_68a1f1")},
        {ANN, 3, ORIGIN, LB_STR("")},
        {ANN, 3, LB_STR("https://api.openai.com:443r"), LB_STR("esp_68a1f0")},
        {ANN, 3, LB_STR("https://api.openai.com:44"), LB_STR("3resp_68a1f0")},
    };
    enum { OTHERS = sizeof other / sizeof other[0] };
    unsigned char own[LV_SIGNATURE_SIZE], all[OTHERS][LV_SIGNATURE_SIZE];

    open_vault(&f);
    sign(f.vault, ANN, 3, ORIGIN, ID, own);
    for (size_t i = 0; i < OTHERS; i++) {
        sign(f.vault, other[i].owner, other[i].platform, other[i].origin, other[i].id, all[i]);
        assert_false(lv_same_signature(own, all[i]));
        for (size_t j = 0; j < i; j++)
            assert_false(lv_same_signature(all[j], all[i]));
    }
    lv_vault_free(f.vault);
}

/* An owner's id that ends like a platform's number and an origin's first bytes. */
static void an_owner_ends_where_he_ends(void **state)
{
    (void)state;
    struct fixture f;
    unsigned char a[LV_SIGNATURE_SIZE], b[LV_SIGNATURE_SIZE];

    open_vault(&f);
    sign(f.vault, ANN, 3, LB_STR("12345678https"), ID, a);
    sign(f.vault, LB_STR("ann\0\0\0\0\0\0\0\3"), INT64_C(0x3132333435363738), LB_STR("https"), ID,
         b);
    assert_false(lv_same_signature(a, b));
    lv_vault_free(f.vault);
}

/* What a database holds is enough, under whatever master key and data key. */
static void signatures_outlive_both_kinds_of_rotation(void **state)
{
    (void)state;
    struct fixture f;
    struct lv_master next;
    struct lv_ring_row print, seal;
    struct lv_vault *later = NULL;
    unsigned char before[LV_SIGNATURE_SIZE], after[LV_SIGNATURE_SIZE];

    open_vault(&f);
    sign(f.vault, ANN, 3, ORIGIN, ID, before);
    lv_master_generate(&next);
    assert_int_equal(lv_ring_rewrap(f.vault, &f.print, &next, &print, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_create(f.vault, LV_PURPOSE_SEAL, &seal, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(f.vault, &seal, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_activate(f.vault, seal.id, NULL), LLMGR_OK);
    lv_ring_forget(f.vault, f.seal.id);
    sign(f.vault, ANN, 3, ORIGIN, ID, after);
    assert_true(lv_same_signature(before, after));
    lv_vault_free(f.vault);

    assert_int_equal(lv_vault_new(&host, &next, &later, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(later, &print, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_activate(later, print.id, NULL), LLMGR_OK);
    sign(later, ANN, 3, ORIGIN, ID, after);
    assert_true(lv_same_signature(before, after));
    lv_vault_free(later);
}

static void another_database_signs_otherwise(void **state)
{
    (void)state;
    struct fixture f, g;
    unsigned char a[LV_SIGNATURE_SIZE], b[LV_SIGNATURE_SIZE], holder[LV_HOLDER_SIZE];
    struct llmgr_error err = {0};

    open_vault(&f);
    open_vault(&g);
    sign(f.vault, ANN, 3, ORIGIN, ID, a);
    sign(g.vault, ANN, 3, ORIGIN, ID, b);
    assert_false(lv_same_signature(a, b));
    lv_ring_forget(f.vault, f.print.id);
    lv_holder(ANN, 3, ORIGIN, holder);
    assert_int_equal(lv_sign(f.vault, holder, ID, a, &err), LLMGR_ERR_VAULT);
    assert_non_null(strstr(err.message, "fingerprint"));
    lv_vault_free(f.vault);
    lv_vault_free(g.vault);
}

/* What people see of a key is made with the same root: neither tells anything of the other. */
static void a_signature_is_no_fingerprint(void **state)
{
    (void)state;
    struct fixture f;
    unsigned char holder[LV_HOLDER_SIZE], signature[LV_SIGNATURE_SIZE];
    char both[LV_HOLDER_SIZE + 11], print[LV_FINGERPRINT_SIZE], hex[9];

    open_vault(&f);
    lv_holder(ANN, 3, ORIGIN, holder);
    memcpy(both, holder, sizeof holder);
    memcpy(both + sizeof holder, ID.p, ID.size);
    assert_int_equal(lv_sign(f.vault, holder, ID, signature, NULL), LLMGR_OK);
    assert_int_equal(lv_fingerprint(f.vault, lb_str(both, sizeof both), print, NULL), LLMGR_OK);
    sodium_bin2hex(hex, sizeof hex, signature, 4);
    assert_string_not_equal(print + 4, hex);
    lv_vault_free(f.vault);
}

/* ---- Numbers --------------------------------------------------------------------------------- */

static uint64_t number(struct lv_vault *vault, struct lb_str owner, int64_t platform,
                       enum lv_stand_in kind, struct lb_str text)
{
    unsigned char holder[LV_HOLDER_SIZE];
    uint64_t made = 0;

    lv_holder(owner, platform, ORIGIN, holder);
    assert_int_equal(lv_number_for(vault, holder, kind, text, &made, NULL), LLMGR_OK);
    assert_true(made != 0);
    return made;
}

static void a_key_has_one_number_and_no_other_key_or_account_has_it(void **state)
{
    (void)state;
    struct fixture f, g;

    open_vault(&f);
    open_vault(&g);
    const uint64_t one = number(f.vault, ANN, 3, LV_STAND_IN_KEY, LB_STR("sk-1"));
    assert_true(one == number(f.vault, ANN, 3, LV_STAND_IN_KEY, LB_STR("sk-1")));
    assert_true(one != number(f.vault, ANN, 3, LV_STAND_IN_KEY, LB_STR("sk-2")));
    assert_true(one != number(f.vault, ANN, 4, LV_STAND_IN_KEY, LB_STR("sk-1")));
    assert_true(one != number(f.vault, LB_STR("ben"), 3, LV_STAND_IN_KEY, LB_STR("sk-1")));
    assert_true(one != number(f.vault, ANN, 3, LV_STAND_IN_ACCOUNT, LB_STR("sk-1")));
    assert_true(one != number(g.vault, ANN, 3, LV_STAND_IN_KEY, LB_STR("sk-1")));
    lv_vault_free(f.vault);
    lv_vault_free(g.vault);
}

/* A number is shown to people, a signature is what an owner proves an id with. */
static void a_number_is_no_signature_of_the_same_text(void **state)
{
    (void)state;
    static const char TEXT[] = {LV_STAND_IN_KEY, 's', 'k'};
    struct fixture f;
    unsigned char holder[LV_HOLDER_SIZE], signature[LV_SIGNATURE_SIZE];
    uint64_t made, front = 0;

    open_vault(&f);
    lv_holder(ANN, 3, ORIGIN, holder);
    assert_int_equal(lv_sign(f.vault, holder, lb_str(TEXT, sizeof TEXT), signature, NULL),
                     LLMGR_OK);
    made = number(f.vault, ANN, 3, LV_STAND_IN_KEY, LB_STR("sk"));
    for (size_t i = 0; i < sizeof front; i++)
        front = front << 8 | signature[i];
    assert_true(made != front);
    lv_ring_forget(f.vault, f.print.id);
    assert_int_equal(lv_number_for(f.vault, holder, LV_STAND_IN_KEY, LB_STR("sk"), &made, NULL),
                     LLMGR_ERR_VAULT);
    lv_vault_free(f.vault);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_id_is_signed_alike_each_time),
        cmocka_unit_test(whatever_differs_the_signature_differs),
        cmocka_unit_test(an_owner_ends_where_he_ends),
        cmocka_unit_test(signatures_outlive_both_kinds_of_rotation),
        cmocka_unit_test(another_database_signs_otherwise),
        cmocka_unit_test(a_signature_is_no_fingerprint),
        cmocka_unit_test(a_key_has_one_number_and_no_other_key_or_account_has_it),
        cmocka_unit_test(a_number_is_no_signature_of_the_same_text),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
