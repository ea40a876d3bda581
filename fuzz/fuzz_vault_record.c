/* SPDX-License-Identifier: MIT */
/*
 * Records and ring rows as a database may hand them over. The first byte chooses: the rest is a
 * record, a record whose data key is loaded, a wrapped key, or a master key's text. Nothing but
 * what this vault sealed may open.
 */
#include <stdlib.h>
#include <string.h>

#include "vault/vault.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct lb_host host;
static struct lv_vault *vault;
static uint32_t key_id;

static void set_up(void)
{
    struct lv_master master;
    struct lv_ring_row row;

    lb_host_init(&host);
    lv_master_generate(&master);
    if (lv_vault_new(&host, &master, &vault, NULL) != LLMGR_OK ||
        lv_ring_create(vault, LV_PURPOSE_SEAL, &row, NULL) != LLMGR_OK ||
        lv_ring_load(vault, &row, NULL) != LLMGR_OK ||
        lv_ring_activate(vault, row.id, NULL) != LLMGR_OK)
        abort();
    key_id = row.id;
}

static void must_not_open(struct lb_str record)
{
    const struct lv_binding here = {"llm_platforms", "api_key", LB_STR("u"), 1, LB_STR("o")};
    struct lv_secret secret;

    if (lv_open(vault, &here, record, &secret, NULL) == LLMGR_OK || secret.size != 0)
        abort();
    if (lv_open_held(vault, &here, record, &secret, NULL) == LLMGR_OK || secret.size != 0)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char record[LV_RECORD_MAX + 8];
    struct lv_master master;
    struct lv_ring_row row;

    if (vault == NULL)
        set_up();
    if (size == 0 || size > sizeof record)
        return 0;
    struct lb_str rest = lb_str((const char *)data + 1, size - 1);
    if (data[0] % 4 == 0) {
        must_not_open(rest);
    } else if (data[0] % 4 == 1 && rest.size >= 6) {
        memcpy(record, rest.p, rest.size);
        record[0] = 1;
        record[1] = 1;
        for (int i = 0; i < 4; i++)
            record[2 + i] = (char)(key_id >> (24 - 8 * i));
        must_not_open(lb_str(record, rest.size));
    } else if (data[0] % 4 == 2) {
        char id[LV_MASTER_ID_SIZE];
        lv_vault_master_id(vault, id);
        if (lv_ring_row_set(&row, 5, LB_STR("seal"), lb_cstr(id), rest, NULL) == LLMGR_OK &&
            lv_ring_load(vault, &row, NULL) == LLMGR_OK)
            abort();
    } else if (lv_master_from_text(rest, "fuzz", &master, NULL) == LLMGR_OK && rest.size < 43) {
        abort();
    }
    return 0;
}
