/* SPDX-License-Identifier: MIT */
/*
 * Catalogues of prices: whatever the text is, what is handed out is in bounds, and what is named as
 * not understood is plain text.
 */
#include <string.h>

#include "budget/import.h"
#include "check.h"

static llmgr_status begin(void *context, lq_form form, struct llmgr_error *err)
{
    (void)context;
    (void)err;
    FUZZ_CHECK(lq_form_name(form) != NULL);
    return LLMGR_OK;
}

static bool wants(void *context, struct lb_str provider, struct lb_str model)
{
    (void)context;
    FUZZ_CHECK(provider.size <= LQ_IMPORT_NAME_MAX && model.size <= LQ_IMPORT_NAME_MAX);
    return model.size != 3;
}

static llmgr_status take(void *context, const struct lq_offer *offer, struct llmgr_error *err)
{
    (void)context;
    (void)err;
    for (size_t i = 0; i < LLMGR_PRICE_UNIT_COUNT; i++) {
        FUZZ_CHECK(offer->rates[i] == LLMGR_UNSET ||
                   (offer->rates[i] >= 0 && offer->rates[i] <= LLMGR_RATE_MAX));
    }
    FUZZ_CHECK(offer->above_tokens >= 0 && offer->from_ms >= 0 && offer->until_ms >= 0);
    FUZZ_CHECK(lb_utf8_valid(offer->currency) && lb_utf8_valid(offer->hours));
    FUZZ_CHECK(offer->hours.size == 0 || offer->hours.size <= LQ_IMPORT_NAME_MAX);
    return LLMGR_OK;
}

static bool is_plain(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text < 0x20 || *text > 0x7e)
            return false;
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct lq_reading reading;
    struct lb_host host;

    char *copy = malloc(size + (size == 0)); /* a block of its own: a read beyond it is seen */
    FUZZ_CHECK(copy != NULL);
    if (size > 0)
        memcpy(copy, data, size);
    lb_host_init(&host);
    reading = (struct lq_reading){.begin = begin, .wants = wants, .take = take};
    llmgr_status status = lq_read_prices(&reading, &host, "fuzz", lb_str(copy, size), NULL);
    FUZZ_CHECK(status == LLMGR_OK || status == LLMGR_ERR_INVALID || status == LLMGR_ERR_CONFIG ||
               status == LLMGR_ERR_TOO_LARGE || status == LLMGR_ERR_NO_MEMORY);
    FUZZ_CHECK(reading.wanted <= reading.models && reading.strange_count <= LQ_IMPORT_STRANGE_MAX);
    for (size_t i = 0; i < reading.strange_count; i++)
        FUZZ_CHECK(reading.strange[i].count > 0 && is_plain(reading.strange[i].name) &&
                   is_plain(reading.strange[i].model));
    free(copy);
    return 0;
}
