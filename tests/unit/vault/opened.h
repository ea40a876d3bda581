/* SPDX-License-Identifier: MIT */
/* What tests of an opened vault share: master key, a ring of both purposes, one sealed secret. */
#ifndef TESTS_VAULT_OPENED_H
#define TESTS_VAULT_OPENED_H

#include "../unit.h"
#include "vault/vault.h"

#define SECRET "sk-or-v1-0123456789abcdef0123456789abcdef"

static struct lb_host host;
static const struct lv_binding HERE = {
    .table = "llm_platforms",
    .column = "api_key",
    .tenant = {"user-001", 8},
    .row = 7,
    .origin = {"https://openrouter.ai:443", 25},
};

struct fixture {
    struct lv_master master;
    struct lv_vault *vault;
    struct lv_ring_row seal;
    struct lv_ring_row print;
};

static inline void open_vault(struct fixture *f)
{
    lv_master_generate(&f->master);
    assert_int_equal(lv_vault_new(&host, &f->master, &f->vault, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_create(f->vault, LV_PURPOSE_SEAL, &f->seal, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_create(f->vault, LV_PURPOSE_FINGERPRINT, &f->print, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(f->vault, &f->seal, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_load(f->vault, &f->print, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_activate(f->vault, f->seal.id, NULL), LLMGR_OK);
    assert_int_equal(lv_ring_activate(f->vault, f->print.id, NULL), LLMGR_OK);
}

static inline void seal_into(struct lv_vault *vault, const struct lv_binding *at,
                             struct lb_buf *record)
{
    lb_buf_init(record, &host, LV_RECORD_MAX);
    assert_int_equal(lv_seal(vault, at, LB_STR(SECRET), record, NULL), LLMGR_OK);
}

/* The secret if it was opened, nothing if it was not; cleared. */
static inline void want_secret(llmgr_status status, struct lv_secret *secret)
{
    if (status == LLMGR_OK)
        assert_true(lb_str_eq_c(lv_secret_str(secret), SECRET));
    else
        assert_int_equal(secret->size, 0);
    lv_secret_clear(secret);
}

enum { ELSEWHERE = 10 };

/* Places that differ from HERE in one respect each. */
static inline void set_elsewhere(struct lv_binding other[ELSEWHERE])
{
    for (size_t i = 0; i < ELSEWHERE; i++)
        other[i] = HERE;
    other[0].table = "llm_sys_platform_keys";
    other[1].column = "api_keys";
    other[2].tenant = LB_STR("user-002");
    other[3].tenant = LB_STR("");
    other[4].row = 8;
    other[5].row = 7 | INT64_C(1) << 32;
    other[6].origin = LB_STR("http://openrouter.ai:443");
    other[7].origin = LB_STR("");
    other[8].table = "llm_platform"; /* "s" moved over the border of the names */
    other[8].column = "sapi_key";
    other[9].tenant = LB_STR("user-001h"); /* "h" moved over that of tenant and origin */
    other[9].origin = LB_STR("ttps://openrouter.ai:443");
}

#endif
