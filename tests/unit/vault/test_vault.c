/* SPDX-License-Identifier: MIT */
#include "vault/vault.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "opened.h"

static llmgr_status try_open(struct lv_vault *vault, const struct lv_binding *at,
                             struct lb_str record, struct llmgr_error *err)
{
    static struct lv_secret secret;
    llmgr_status status = lv_open(vault, at, record, &secret, err);
    want_secret(status, &secret);
    return status;
}

static void what_is_sealed_opens_in_its_place(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf record;
    uint32_t id = 0;

    open_vault(&f);
    seal_into(f.vault, &HERE, &record);
    assert_int_equal(record.size, sizeof SECRET - 1 + LV_RECORD_OVERHEAD);
    assert_int_equal(record.data[0], 1);
    assert_int_equal(record.data[1], 1);
    assert_true(lv_record_key_id(lb_buf_str(&record), &id));
    assert_int_equal(id, f.seal.id);
    assert_false(lv_record_key_id(lb_str(record.data, LV_RECORD_OVERHEAD), &id));
    assert_null(memmem(record.data, record.size, SECRET, sizeof SECRET - 1));
    assert_int_equal(try_open(f.vault, &HERE, lb_buf_str(&record), NULL), LLMGR_OK);
    lb_buf_free(&record);
    lv_vault_free(f.vault);
}

static void sealing_twice_gives_different_records(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf a;
    struct lb_buf b;

    open_vault(&f);
    seal_into(f.vault, &HERE, &a);
    seal_into(f.vault, &HERE, &b);
    assert_memory_not_equal(a.data + 6, b.data + 6, a.size - 6);
    lb_buf_free(&a);
    lb_buf_free(&b);
    lv_vault_free(f.vault);
}

static void every_flipped_bit_and_every_cut_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf record;

    open_vault(&f);
    seal_into(f.vault, &HERE, &record);
    for (size_t bit = 0; bit < record.size * 8; bit++) {
        struct llmgr_error err = {0};
        record.data[bit / 8] = (char)(record.data[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(try_open(f.vault, &HERE, lb_buf_str(&record), &err), LLMGR_ERR_VAULT);
        const char *want = bit < 16 ? "unknown format" : bit < 48 ? "data key" : "not sealed for";
        if (strstr(err.message, want) == NULL)
            fail_msg("bit %zu: '%s'", bit, err.message);
        record.data[bit / 8] = (char)(record.data[bit / 8] ^ (1 << bit % 8));
    }
    for (size_t size = 0; size < record.size; size++)
        assert_int_equal(try_open(f.vault, &HERE, lb_str(record.data, size), NULL),
                         LLMGR_ERR_VAULT);
    lb_buf_add_byte(&record, '\0');
    assert_int_equal(try_open(f.vault, &HERE, lb_buf_str(&record), NULL), LLMGR_ERR_VAULT);
    lb_buf_free(&record);
    lv_vault_free(f.vault);
}

static void a_record_opens_nowhere_else(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf record;
    struct lv_binding other[ELSEWHERE];

    open_vault(&f);
    seal_into(f.vault, &HERE, &record);
    set_elsewhere(other);
    for (size_t i = 0; i < ELSEWHERE; i++) {
        struct llmgr_error err = {0};
        assert_int_equal(try_open(f.vault, &other[i], lb_buf_str(&record), &err), LLMGR_ERR_VAULT);
        assert_non_null(strstr(err.message, "not sealed for"));
        assert_null(strstr(err.message, SECRET));
    }
    lb_buf_free(&record);
    lv_vault_free(f.vault);
}

static void a_record_is_not_opened_with_another_data_key(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf record;
    struct lv_ring_row second;
    struct llmgr_error err = {0};

    open_vault(&f);
    seal_into(f.vault, &HERE, &record);
    assert_int_equal(lv_ring_create(f.vault, LV_PURPOSE_SEAL, &second, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(f.vault, &second, NULL), LLMGR_OK);
    char keep[4];
    memcpy(keep, record.data + 2, 4);
    const uint32_t others[] = {second.id, f.print.id};
    for (size_t i = 0; i < 2; i++) {
        for (int at = 0; at < 4; at++)
            record.data[2 + at] = (char)(others[i] >> (24 - 8 * at));
        assert_int_equal(try_open(f.vault, &HERE, lb_buf_str(&record), &err), LLMGR_ERR_VAULT);
    }
    /* A fingerprint's key is none for records. */
    assert_non_null(strstr(err.message, "does not have"));
    memcpy(record.data + 2, keep, 4);
    assert_int_equal(try_open(f.vault, &HERE, lb_buf_str(&record), NULL), LLMGR_OK);
    lb_buf_free(&record);
    lv_vault_free(f.vault);
}

static void sizes_have_bounds(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf record;
    static char large[LV_SECRET_MAX + 1];
    static struct lv_secret secret;

    open_vault(&f);
    memset(large, 'x', sizeof large);
    lb_buf_init(&record, &host, LV_RECORD_MAX);
    assert_int_equal(lv_seal(f.vault, &HERE, LB_STR(""), &record, NULL), LLMGR_ERR_INVALID);
    assert_int_equal(lv_seal(f.vault, &HERE, lb_str(large, sizeof large), &record, NULL),
                     LLMGR_ERR_TOO_LARGE);
    assert_int_equal(record.size, 0);
    assert_int_equal(lv_seal(f.vault, &HERE, lb_str(large, LV_SECRET_MAX), &record, NULL),
                     LLMGR_OK);
    assert_int_equal(record.size, LV_RECORD_MAX);
    assert_int_equal(lv_open(f.vault, &HERE, lb_buf_str(&record), &secret, NULL), LLMGR_OK);
    assert_int_equal(secret.size, LV_SECRET_MAX);
    lv_secret_clear(&secret);
    for (size_t i = 0; i < LV_SECRET_MAX; i++)
        assert_int_equal(secret.bytes[i], 0);
    lb_buf_free(&record);
    lb_buf_init(&record, &host, 10);
    assert_int_equal(lv_seal(f.vault, &HERE, LB_STR(SECRET), &record, NULL), LLMGR_ERR_TOO_LARGE);
    lb_buf_free(&record);
    lv_vault_free(f.vault);
}

static void another_master_key_is_named_with_the_one_wanted(void **state)
{
    (void)state;
    struct fixture f;
    struct lv_master other;
    struct lv_vault *vault = NULL;
    struct llmgr_error err = {0};
    char want[LV_MASTER_ID_SIZE];
    char given[LV_MASTER_ID_SIZE];

    open_vault(&f);
    lv_master_generate(&other);
    lv_master_id(&f.master, want);
    lv_master_id(&other, given);
    assert_int_equal(lv_vault_new(&host, &other, &vault, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(vault, &f.seal, &err), LLMGR_ERR_VAULT);
    assert_non_null(strstr(err.message, want));
    assert_non_null(strstr(err.message, given));
    /* Nor does a forged id help. */
    memcpy(f.seal.master_id, given, sizeof given);
    assert_int_equal(lv_ring_load(vault, &f.seal, &err), LLMGR_ERR_VAULT);
    lv_vault_free(vault);
    lv_vault_free(f.vault);
}

static void a_changed_ring_row_is_refused(void **state)
{
    (void)state;
    struct fixture f;
    struct lv_vault *vault = NULL;
    struct lv_ring_row row;

    open_vault(&f);
    assert_int_equal(lv_vault_new(&host, &f.master, &vault, NULL), LLMGR_OK);
    for (size_t bit = 0; bit < sizeof row.wrapped * 8; bit++) {
        row = f.seal;
        row.wrapped[bit / 8] ^= (unsigned char)(1 << bit % 8);
        assert_int_equal(lv_ring_load(vault, &row, NULL), LLMGR_ERR_VAULT);
    }
    row = f.seal;
    row.id ^= 1;
    assert_int_equal(lv_ring_load(vault, &row, NULL), LLMGR_ERR_VAULT);
    row = f.seal;
    strcpy(row.purpose, "fingerprint");
    assert_int_equal(lv_ring_load(vault, &row, NULL), LLMGR_ERR_VAULT);
    strcpy(row.purpose, "other");
    assert_int_equal(lv_ring_load(vault, &row, NULL), LLMGR_ERR_VAULT);
    assert_false(lv_ring_has(vault, f.seal.id));
    assert_int_equal(lv_ring_load(vault, &f.seal, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(vault, &f.seal, NULL), LLMGR_OK);
    lv_vault_free(vault);
    lv_vault_free(f.vault);
}

static void a_rows_columns_are_checked(void **state)
{
    (void)state;
    struct lv_ring_row row = {.id = 42};
    char wrapped[LV_WRAPPED_SIZE + 1] = {0};
    const struct lb_str blob = lb_str(wrapped, LV_WRAPPED_SIZE);
    const struct lb_str seal = LB_STR("seal");
    const struct lb_str id = LB_STR("0123abcd");

    assert_int_equal(lv_ring_row_set(&row, 0, seal, id, blob, NULL), LLMGR_ERR_VAULT);
    assert_int_equal(lv_ring_row_set(&row, -1, seal, id, blob, NULL), LLMGR_ERR_VAULT);
    assert_int_equal(lv_ring_row_set(&row, INT64_C(1) << 32, seal, id, blob, NULL),
                     LLMGR_ERR_VAULT);
    assert_int_equal(lv_ring_row_set(&row, 1, LB_STR("0123456789abcdef"), id, blob, NULL),
                     LLMGR_ERR_VAULT);
    assert_int_equal(lv_ring_row_set(&row, 1, LB_STR("se\0l"), id, blob, NULL), LLMGR_ERR_VAULT);
    assert_int_equal(lv_ring_row_set(&row, 1, seal, LB_STR("0123abc"), blob, NULL),
                     LLMGR_ERR_VAULT);
    assert_int_equal(lv_ring_row_set(&row, 1, seal, LB_STR("0123abcG"), blob, NULL),
                     LLMGR_ERR_VAULT);
    assert_int_equal(lv_ring_row_set(&row, 1, seal, id, lb_str(wrapped, LV_WRAPPED_SIZE + 1), NULL),
                     LLMGR_ERR_VAULT);
    assert_int_equal(row.id, 42);
    assert_int_equal(lv_ring_row_set(&row, 1, seal, id, blob, NULL), LLMGR_OK);
    assert_int_equal(row.id, 1);
    assert_string_equal(row.purpose, "seal");
    assert_string_equal(row.master_id, "0123abcd");
}

static void rotating_the_master_key_leaves_records_as_they_are(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf record;
    struct lv_master next;
    struct lv_ring_row row;
    struct lv_vault *vault = NULL;
    char id[LV_MASTER_ID_SIZE];
    char want[LV_MASTER_ID_SIZE];

    open_vault(&f);
    seal_into(f.vault, &HERE, &record);
    lv_master_generate(&next);
    lv_master_id(&next, want);
    assert_int_equal(lv_ring_rewrap(f.vault, &f.seal, &next, &row, NULL), LLMGR_OK);
    assert_int_equal(row.id, f.seal.id);
    assert_string_equal(row.master_id, want);
    assert_int_equal(lv_vault_set_master(f.vault, &next, NULL), LLMGR_OK);
    lv_vault_master_id(f.vault, id);
    assert_string_equal(id, want);
    assert_int_equal(try_open(f.vault, &HERE, lb_buf_str(&record), NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(f.vault, &row, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(f.vault, &f.seal, NULL), LLMGR_ERR_VAULT);
    assert_int_equal(lv_vault_new(&host, &next, &vault, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(vault, &row, NULL), LLMGR_OK);
    assert_int_equal(try_open(vault, &HERE, lb_buf_str(&record), NULL), LLMGR_OK);
    lb_buf_free(&record);
    lv_vault_free(vault);
    lv_vault_free(f.vault);
}

static void an_inactive_or_forgotten_key_does_not_seal(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf record;
    struct lb_buf none;
    struct llmgr_error err = {0};

    open_vault(&f);
    seal_into(f.vault, &HERE, &record);
    lb_buf_init(&none, &host, LV_RECORD_MAX);
    lv_ring_forget(f.vault, f.seal.id);
    lv_ring_forget(f.vault, f.seal.id);
    lv_ring_forget(f.vault, 0);
    assert_false(lv_ring_has(f.vault, f.seal.id));
    assert_int_equal(lv_ring_active(f.vault, LV_PURPOSE_SEAL), 0);
    assert_int_equal(lv_seal(f.vault, &HERE, LB_STR(SECRET), &none, NULL), LLMGR_ERR_VAULT);
    assert_int_equal(none.size, 0);
    assert_int_equal(try_open(f.vault, &HERE, lb_buf_str(&record), &err), LLMGR_ERR_VAULT);
    assert_non_null(strstr(err.message, "does not have"));
    assert_int_equal(lv_ring_activate(f.vault, f.seal.id, NULL), LLMGR_ERR_NOT_FOUND);
    assert_int_equal(lv_ring_activate(f.vault, 0, NULL), LLMGR_ERR_NOT_FOUND);
    assert_int_equal(lv_ring_load(f.vault, &f.seal, NULL), LLMGR_OK);
    assert_int_equal(try_open(f.vault, &HERE, lb_buf_str(&record), NULL), LLMGR_OK);
    lb_buf_free(&record);
    lb_buf_free(&none);
    lv_vault_free(f.vault);
}

static void the_ring_has_a_ceiling(void **state)
{
    (void)state;
    struct fixture f;
    struct lv_ring_row row;
    int loaded = 2;

    open_vault(&f);
    for (;; loaded++) {
        assert_int_equal(lv_ring_create(f.vault, LV_PURPOSE_SEAL, &row, NULL), LLMGR_OK);
        if (lv_ring_load(f.vault, &row, NULL) != LLMGR_OK)
            break;
    }
    assert_int_equal(loaded, LV_RING_MAX);
    lv_ring_forget(f.vault, f.seal.id);
    assert_int_equal(lv_ring_load(f.vault, &row, NULL), LLMGR_OK);
    lv_vault_free(f.vault);
}

static void fingerprints_are_stable_and_keyed(void **state)
{
    (void)state;
    struct fixture f;
    struct fixture g;
    char a[LV_FINGERPRINT_SIZE];
    char b[LV_FINGERPRINT_SIZE];

    open_vault(&f);
    open_vault(&g);
    assert_int_equal(lv_fingerprint(f.vault, LB_STR(SECRET), a, NULL), LLMGR_OK);
    assert_int_equal(lv_fingerprint(f.vault, LB_STR(SECRET), b, NULL), LLMGR_OK);
    assert_string_equal(a, b);
    assert_int_equal(strlen(a), 12);
    assert_memory_equal(a, "key:", 4);
    assert_int_equal(lv_fingerprint(g.vault, LB_STR(SECRET), b, NULL), LLMGR_OK);
    assert_string_not_equal(a, b);
    lv_ring_forget(f.vault, f.print.id);
    assert_int_equal(lv_fingerprint(f.vault, LB_STR(SECRET), a, NULL), LLMGR_ERR_VAULT);
    lv_vault_free(f.vault);
    lv_vault_free(g.vault);
}

/* ---- Threads --------------------------------------------------------------------------------- */

struct crowd {
    struct lv_vault *vault;
    struct lb_str record;
    struct lb_str moving; /* sealed with a key that is loaded and forgotten all the time */
    atomic_bool stop;
    atomic_uint wrong;
    atomic_ulong opened;
};

static void *keep_opening(void *context)
{
    struct crowd *crowd = context;
    struct lv_secret secret;
    struct lb_buf mine;

    lb_buf_init(&mine, &host, LV_RECORD_MAX);
    while (!atomic_load(&crowd->stop)) {
        lb_buf_reset(&mine);
        bool fine = lv_open(crowd->vault, &HERE, crowd->record, &secret, NULL) == LLMGR_OK &&
                    lb_str_eq_c(lv_secret_str(&secret), SECRET) &&
                    lv_seal(crowd->vault, &HERE, LB_STR(SECRET), &mine, NULL) == LLMGR_OK;
        lv_secret_clear(&secret);
        if (!fine)
            atomic_fetch_add(&crowd->wrong, 1);
        atomic_fetch_add(&crowd->opened, 1);
    }
    lb_buf_free(&mine);
    return NULL;
}

/* With a key that comes and goes the answer is the secret or "no such key", never rubbish. */
static void *open_what_moves(void *context)
{
    struct crowd *crowd = context;
    struct lv_secret secret;
    struct llmgr_error err = {0};

    while (!atomic_load(&crowd->stop)) {
        llmgr_status status = lv_open(crowd->vault, &HERE, crowd->moving, &secret, &err);
        if (status == LLMGR_OK ? !lb_str_eq_c(lv_secret_str(&secret), SECRET)
                               : strstr(err.message, "does not have") == NULL)
            atomic_fetch_add(&crowd->wrong, 1);
        lv_secret_clear(&secret);
        atomic_fetch_add(&crowd->opened, 1);
    }
    return NULL;
}

static void readers_are_right_while_the_ring_changes(void **state)
{
    (void)state;
    struct fixture f;
    struct lb_buf record;
    struct lb_buf moved;
    struct crowd crowd = {0};
    struct lv_ring_row moving[4];
    pthread_t threads[4];

    open_vault(&f);
    seal_into(f.vault, &HERE, &record);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(lv_ring_create(f.vault, LV_PURPOSE_SEAL, &moving[i], NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(f.vault, &moving[0], NULL), LLMGR_OK);
    assert_int_equal(lv_ring_activate(f.vault, moving[0].id, NULL), LLMGR_OK);
    seal_into(f.vault, &HERE, &moved);
    assert_int_equal(lv_ring_activate(f.vault, f.seal.id, NULL), LLMGR_OK);
    crowd.vault = f.vault;
    crowd.record = lb_buf_str(&record);
    crowd.moving = lb_buf_str(&moved);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i % 2 == 0 ? keep_opening : open_what_moves, &crowd),
            0);
    for (int round = 0; round < 2000 || atomic_load(&crowd.opened) < 1000; round++) {
        struct lv_ring_row *row = &moving[round % 4];
        assert_int_equal(lv_ring_load(f.vault, row, NULL), LLMGR_OK);
        lv_ring_forget(f.vault, row->id);
    }
    atomic_store(&crowd.stop, true);
    for (size_t i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&crowd.wrong), 0);
    lb_buf_free(&moved);
    lb_buf_free(&record);
    lv_vault_free(f.vault);
}

static void *no_memory(size_t size, void *context)
{
    (void)size;
    (void)context;
    return NULL;
}

static void short_memory_is_an_error_value(void **state)
{
    (void)state;
    struct lb_host poor = host;
    struct lv_master master;
    struct lv_vault *vault = NULL;
    struct fixture f;
    struct lb_buf record;

    poor.memory.alloc = no_memory;
    lv_master_generate(&master);
    assert_int_equal(lv_vault_new(&poor, &master, &vault, NULL), LLMGR_ERR_NO_MEMORY);
    assert_null(vault);
    open_vault(&f);
    lb_buf_init(&record, &poor, LV_RECORD_MAX);
    assert_int_equal(lv_seal(f.vault, &HERE, LB_STR(SECRET), &record, NULL), LLMGR_ERR_NO_MEMORY);
    lb_buf_free(&record);
    lv_vault_free(f.vault);
    lv_vault_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_sealed_opens_in_its_place),
        cmocka_unit_test(sealing_twice_gives_different_records),
        cmocka_unit_test(every_flipped_bit_and_every_cut_is_refused),
        cmocka_unit_test(a_record_opens_nowhere_else),
        cmocka_unit_test(a_record_is_not_opened_with_another_data_key),
        cmocka_unit_test(sizes_have_bounds),
        cmocka_unit_test(another_master_key_is_named_with_the_one_wanted),
        cmocka_unit_test(a_changed_ring_row_is_refused),
        cmocka_unit_test(a_rows_columns_are_checked),
        cmocka_unit_test(rotating_the_master_key_leaves_records_as_they_are),
        cmocka_unit_test(an_inactive_or_forgotten_key_does_not_seal),
        cmocka_unit_test(the_ring_has_a_ceiling),
        cmocka_unit_test(fingerprints_are_stable_and_keyed),
        cmocka_unit_test(readers_are_right_while_the_ring_changes),
        cmocka_unit_test(short_memory_is_an_error_value),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
