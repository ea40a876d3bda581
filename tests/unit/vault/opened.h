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

#endif
