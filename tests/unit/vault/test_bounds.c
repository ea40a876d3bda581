/* SPDX-License-Identifier: MIT */
/* The vault's bounds: names, ids, sizes and rows that cannot be, and what is left of a secret. */
#include "vault/vault.h"

#include <stdlib.h>
#include <string.h>

#include "opened.h"

static void names_and_ids_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static char long_name[LV_BINDING_NAME_MAX + 2];
    const struct lb_str master_id = LB_STR("0123abcd");
    char wrapped[LV_WRAPPED_SIZE] = {0};
    struct lv_binding table = HERE, column = HERE;
    struct lv_secret secret;
    struct lv_ring_row row;
    struct fixture f;
    struct lb_buf record, more;
    char changed[LV_RECORD_MAX];

    memset(long_name, 'n', sizeof long_name - 1);
    table.table = long_name;
    column.column = long_name;
    open_vault(&f);
    seal_into(f.vault, &HERE, &record);
    lb_buf_init(&more, &host, LV_RECORD_MAX);
    assert_int_equal(lv_seal(f.vault, &table, LB_STR(SECRET), &more, NULL), LLMGR_ERR_INTERNAL);
    assert_int_equal(lv_seal(f.vault, &column, LB_STR(SECRET), &more, NULL), LLMGR_ERR_INTERNAL);
    assert_int_equal(more.size, 0);
    assert_int_equal(lv_open(f.vault, &table, lb_buf_str(&record), &secret, NULL),
                     LLMGR_ERR_INTERNAL);
    lb_buf_free(&more);
    /* The record's own head: an unknown algorithm, no key's id, a size that none has. */
    memcpy(changed, record.data, record.size);
    changed[1] = 2;
    assert_int_equal(lv_open(f.vault, &HERE, lb_str(changed, record.size), &secret, NULL),
                     LLMGR_ERR_VAULT);
    memcpy(changed, record.data, record.size);
    memset(changed + 2, 0, 4);
    assert_int_equal(lv_open(f.vault, &HERE, lb_str(changed, record.size), &secret, NULL),
                     LLMGR_ERR_VAULT);
    char *large = calloc(1, LV_RECORD_MAX + 1);
    memcpy(large, record.data, record.size);
    assert_int_equal(lv_open(f.vault, &HERE, lb_str(large, LV_RECORD_MAX + 1), &secret, NULL),
                     LLMGR_ERR_VAULT);
    free(large);
    /* Rows of the ring. */
    assert_int_equal(lv_ring_row_set(&row, (int64_t)INT32_MAX + 1, LB_STR("seal"), master_id,
                                     lb_str(wrapped, sizeof wrapped), NULL),
                     LLMGR_ERR_VAULT);
    assert_int_equal(
        lv_ring_row_set(&row, 1, LB_STR(""), master_id, lb_str(wrapped, sizeof wrapped), NULL),
        LLMGR_ERR_VAULT);
    assert_int_equal(lv_ring_row_set(&row, 1, LB_STR("seal"), LB_STR("0123\0bcd"),
                                     lb_str(wrapped, sizeof wrapped), NULL),
                     LLMGR_ERR_VAULT);
    row = f.seal;
    row.id = 0;
    assert_int_equal(lv_ring_load(f.vault, &row, NULL), LLMGR_ERR_VAULT);
    assert_false(lv_ring_has(f.vault, 0));
    assert_string_equal(lv_purpose_text((lv_purpose)LV_PURPOSE_COUNT), "unknown");
    lb_buf_free(&record);
    lv_vault_free(f.vault);
}

static void a_damaged_key_is_not_wrapped_anew(void **state)
{
    (void)state;
    struct lv_ring_row rewrapped = {.id = 42}, damaged;
    struct lv_master next;
    struct fixture f;

    open_vault(&f);
    lv_master_generate(&next);
    damaged = f.seal;
    damaged.wrapped[LV_WRAPPED_SIZE - 1] ^= 1;
    assert_int_equal(lv_ring_rewrap(f.vault, &damaged, &next, &rewrapped, NULL), LLMGR_ERR_VAULT);
    assert_int_equal(rewrapped.id, 42);
    lv_vault_free(f.vault);
}

static void a_forgotten_key_is_not_listed(void **state)
{
    (void)state;
    uint32_t ids[LV_RING_MAX];
    struct fixture f;

    open_vault(&f);
    assert_int_equal(lv_ring_ids(f.vault, ids), 2);
    lv_ring_forget(f.vault, f.seal.id);
    lv_ring_forget(f.vault, 4711); /* one that is not there */
    lv_ring_forget(f.vault, 0);
    assert_int_equal(lv_ring_ids(f.vault, ids), 1);
    assert_int_equal(ids[0], f.print.id);
    assert_int_equal(lv_ring_activate(f.vault, 0, NULL), LLMGR_ERR_NOT_FOUND);
    lv_vault_free(f.vault);
}

static void a_secret_has_a_ceiling_and_is_wiped(void **state)
{
    (void)state;
    static char large[LV_SECRET_MAX + 1];
    struct lv_secret secret;

    memset(large, 's', sizeof large);
    lv_secret_init(&secret);
    assert_true(lv_secret_set(&secret, LB_STR("sk-1")));
    assert_true(lb_str_eq_c(lv_secret_str(&secret), "sk-1"));
    assert_false(lv_secret_set(&secret, lb_str(large, LV_SECRET_MAX + 1)));
    assert_int_equal(secret.size, 0);
    assert_memory_equal(secret.bytes, "\0\0\0\0", 4);
    assert_true(lv_secret_set(&secret, lb_str(large, LV_SECRET_MAX)));
    assert_true(lv_secret_set(&secret, LB_STR("")));
    assert_int_equal(secret.size, 0);
    lv_secret_clear(&secret);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_ids_that_cannot_be_are_refused),
        cmocka_unit_test(a_damaged_key_is_not_wrapped_anew),
        cmocka_unit_test(a_forgotten_key_is_not_listed),
        cmocka_unit_test(a_secret_has_a_ceiling_and_is_wiped),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
