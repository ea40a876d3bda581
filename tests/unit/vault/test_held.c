/* SPDX-License-Identifier: MIT */
/* Keys held in memory: each claim with the processor's AES (where there is one) and without. */
#include <sodium.h>
#include <string.h>

#include "../fault.h"
#include "opened.h"

/* As on a processor without AES, while the fault is armed. */
FAULT(int, crypto_aead_aes256gcm_is_available, 0, (void), ())

enum { HELD_SIZE = sizeof SECRET - 1 + LV_HELD_OVERHEAD };

struct held {
    struct fixture f;
    char record[HELD_SIZE];
};

static bool without_aes;

static int usual(void **state)
{
    (void)state;
    without_aes = false;
    return 0;
}

static int portable(void **state)
{
    (void)state;
    without_aes = true;
    return 0;
}

static void hold_one(struct held *held, void **state)
{
    (void)state;
    if (without_aes)
        fault_arm("crypto_aead_aes256gcm_is_available", 0, 0);
    open_vault(&held->f);
    assert_true(fault_disarm() || !without_aes);
    assert_int_equal(lv_hold(held->f.vault, &HERE, LB_STR(SECRET), held->record, NULL), LLMGR_OK);
}

static llmgr_status try_open(const struct lv_vault *vault, const struct lv_binding *at,
                             struct lb_str record)
{
    static struct lv_secret secret;
    struct llmgr_error err = {0};
    llmgr_status status = lv_open_held(vault, at, record, &secret, &err);

    assert_null(strstr(err.message, SECRET));
    want_secret(status, &secret);
    return status;
}

static void what_is_held_opens_in_its_place(void **state)
{
    struct held held;

    hold_one(&held, state);
    assert_null(memmem(held.record, HELD_SIZE, SECRET, sizeof SECRET - 1));
    assert_int_equal(try_open(held.f.vault, &HERE, lb_str(held.record, HELD_SIZE)), LLMGR_OK);
    lv_vault_free(held.f.vault);
}

static void holding_twice_gives_different_records(void **state)
{
    struct held held;
    char again[HELD_SIZE];

    hold_one(&held, state);
    assert_int_equal(lv_hold(held.f.vault, &HERE, LB_STR(SECRET), again, NULL), LLMGR_OK);
    assert_memory_not_equal(held.record + 1, again + 1, 12);
    assert_memory_not_equal(held.record + 13, again + 13, HELD_SIZE - 13);
    lv_vault_free(held.f.vault);
}

static void a_changed_or_cut_one_is_refused(void **state)
{
    struct held held;

    hold_one(&held, state);
    for (size_t bit = 0; bit < HELD_SIZE * 8; bit++) {
        held.record[bit / 8] = (char)(held.record[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(try_open(held.f.vault, &HERE, lb_str(held.record, HELD_SIZE)),
                         LLMGR_ERR_VAULT);
        held.record[bit / 8] = (char)(held.record[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t size = 0; size < HELD_SIZE; size++)
        assert_int_equal(try_open(held.f.vault, &HERE, lb_str(held.record, size)), LLMGR_ERR_VAULT);
    static char large[LV_SECRET_MAX + LV_HELD_OVERHEAD + 1];
    assert_int_equal(try_open(held.f.vault, &HERE, lb_str(large, sizeof large)), LLMGR_ERR_VAULT);
    lv_vault_free(held.f.vault);
}

static void it_opens_nowhere_else(void **state)
{
    struct held held;
    struct lv_binding other[ELSEWHERE];

    hold_one(&held, state);
    set_elsewhere(other);
    for (size_t i = 0; i < ELSEWHERE; i++)
        assert_int_equal(try_open(held.f.vault, &other[i], lb_str(held.record, HELD_SIZE)),
                         LLMGR_ERR_VAULT);
    lv_vault_free(held.f.vault);
}

static void it_opens_in_no_other_vault_of_the_same_keys(void **state)
{
    struct held held;
    struct lv_vault *other;

    hold_one(&held, state);
    assert_int_equal(lv_vault_new(&host, &held.f.master, &other, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(other, &held.f.seal, NULL), LLMGR_OK);
    assert_int_equal(try_open(other, &HERE, lb_str(held.record, HELD_SIZE)), LLMGR_ERR_VAULT);
    lv_vault_free(other);
    lv_vault_free(held.f.vault);
}

static void held_and_stored_are_never_taken_for_each_other(void **state)
{
    struct held held;
    struct lb_buf stored;
    static struct lv_secret secret;

    hold_one(&held, state);
    seal_into(held.f.vault, &HERE, &stored);
    assert_int_equal(try_open(held.f.vault, &HERE, lb_buf_str(&stored)), LLMGR_ERR_VAULT);
    assert_int_not_equal(held.record[0], stored.data[0]);
    uint32_t id;
    assert_false(lv_record_key_id(lb_str(held.record, HELD_SIZE), &id));
    assert_int_equal(lv_open(held.f.vault, &HERE, lb_str(held.record, HELD_SIZE), &secret, NULL),
                     LLMGR_ERR_VAULT);
    assert_int_equal(secret.size, 0);
    lb_buf_free(&stored);
    lv_vault_free(held.f.vault);
}

static void what_is_too_long_is_not_held(void **state)
{
    struct held held;
    static char long_text[LV_SECRET_MAX + 1];
    char record[sizeof long_text + LV_HELD_OVERHEAD];
    struct lv_binding at[4] = {HERE, HERE, HERE, HERE};

    hold_one(&held, state);
    memset(long_text, 'a', sizeof long_text);
    assert_int_equal(
        lv_hold(held.f.vault, &HERE, lb_str(long_text, sizeof long_text), record, NULL),
        LLMGR_ERR_INTERNAL);
    assert_int_equal(lv_hold(held.f.vault, &HERE, lb_str(long_text, LV_SECRET_MAX), record, NULL),
                     LLMGR_OK);
    long_text[LV_BINDING_NAME_MAX + 1] = '\0';
    at[0].table = long_text;
    at[1].column = long_text;
    at[2].tenant = lb_str(long_text, 1000);
    at[3].origin = lb_str(long_text, 1000);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(lv_hold(held.f.vault, &at[i], LB_STR(SECRET), record, NULL),
                         LLMGR_ERR_INTERNAL);
        assert_int_equal(try_open(held.f.vault, &at[i], lb_str(held.record, HELD_SIZE)),
                         LLMGR_ERR_INTERNAL);
    }
    at[2].tenant = at[2].origin = lb_str(long_text, 512); /* each would fit alone */
    assert_int_equal(lv_hold(held.f.vault, &at[2], LB_STR(SECRET), record, NULL),
                     LLMGR_ERR_INTERNAL);
    lv_vault_free(held.f.vault);
}

#define BOTH(test) cmocka_unit_test_setup(test, usual), cmocka_unit_test_setup(test, portable)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH(what_is_held_opens_in_its_place),
        BOTH(holding_twice_gives_different_records),
        BOTH(a_changed_or_cut_one_is_refused),
        BOTH(it_opens_nowhere_else),
        BOTH(it_opens_in_no_other_vault_of_the_same_keys),
        BOTH(held_and_stored_are_never_taken_for_each_other),
        BOTH(what_is_too_long_is_not_held),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
