/* SPDX-License-Identifier: MIT */
/*
 * Journal files as a crash, a full disk or a stranger may leave them: the records' bytes, once as
 * they are and once with a right check, so that the decoder behind it is reached too; in each form
 * that a file may have. What is read stays within the file, is an attempt that may be stored, and
 * is written again as it was, in today's form.
 */
#include <stdlib.h>
#include <string.h>

#include "ledger/record.h"
#include "ledger/rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ROOM = 4096 };

static void inside(const struct lb_str *text, const unsigned char *file, size_t size)
{
    const unsigned char *p = (const unsigned char *)text->p;

    if (p < file || p > file + size || text->size > (size_t)(file + size - p))
        abort();
}

static bool is_text(struct lb_str text, size_t max)
{
    return text.size <= max && lb_utf8_valid(text);
}

static bool is_cost(const struct ll_usage *usage)
{
    return usage->cost_nano == LL_UNKNOWN
               ? usage->currency.size == 0
               : usage->cost_nano >= 0 && ll_is_currency(usage->currency);
}

static bool is_tidy(const struct ll_usage *usage)
{
    return lb_utf8_name(usage->user, LM_USER_MAX) &&
           is_text(usage->request_id, LL_REQUEST_ID_MAX) &&
           is_text(usage->platform_name, LM_PLATFORM_NAME_MAX) &&
           is_text(usage->model_name, LM_MODEL_NAME_MAX) && is_text(usage->slot, LM_SLOT_MAX) &&
           is_text(usage->endpoint, LL_ENDPOINT_MAX) && is_text(usage->service_tier, LL_TIER_MAX);
}

static void read_all(const unsigned char *file, size_t size, const struct ll_record_key *key)
{
    static const struct ll_record_key now = {.bytes = {1, 2, 3}, .form = LL_FORM_NOW};
    unsigned char again[LL_RECORD_MAX];
    struct ll_usage usage, tidy, back;
    size_t offset = 0;
    size_t got;

    while ((got = ll_record_read(file, size, offset, key, &usage)) != 0) {
        inside(&usage.request_id, file, size);
        inside(&usage.user, file, size);
        inside(&usage.endpoint, file, size);
        if (got > size - offset || got > LL_RECORD_MAX)
            abort();
        bool kinds_known = ll_usage_tidy(&usage, 1, &tidy, NULL) == LLMGR_OK;
        /* Its texts are tidy already, and its numbers are what they alone would be. */
        if (ll_usage_tidy_numbers(&usage, 1) != kinds_known || !is_tidy(&usage))
            abort();
        if (kinds_known) {
            if (!is_cost(&usage))
                abort();
            if (tidy.prompt_tokens != usage.prompt_tokens || tidy.time_ms != usage.time_ms ||
                tidy.bytes_out != usage.bytes_out || tidy.attempt != usage.attempt)
                abort();
            if (ll_record_size(&tidy) > LL_RECORD_MAX)
                abort();
            size_t written = ll_record_write(again, 0, &now, &tidy);
            if (ll_record_read(again, written, 0, &now, &back) != written ||
                !lb_str_eq(back.user, tidy.user) || back.prompt_tokens != tidy.prompt_tokens)
                abort();
        }
        offset += got;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ll_record_key keys[LL_FORM_COUNT] = {
        {.bytes = {1, 2, 3}, .form = LL_FORM_TOKENS},
        {.bytes = {1, 2, 3}, .form = LL_FORM_COSTS},
    };
    unsigned char file[ROOM] = {0};

    if (size > sizeof file)
        size = sizeof file;
    if (size != 0)
        memcpy(file, data, size);
    for (size_t i = 0; i < LL_FORM_COUNT; i++)
        read_all(file, size, &keys[i]);
    if (size < LL_RECORD_FIXED_MIN)
        return 0;
    const uint32_t head[2] = {(uint32_t)(size - size % LL_RECORD_ALIGN), 0};
    memcpy(file + 8, head, sizeof head);
    uint64_t check = ll_record_check(file, head[0], &keys[0]);
    memcpy(file, &check, sizeof check);
    for (size_t i = 0; i < LL_FORM_COUNT; i++)
        read_all(file, head[0], &keys[i]);
    return 0;
}
