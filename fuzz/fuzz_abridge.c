/* SPDX-License-Identifier: MIT */
/* A refusal behind more than is kept: pieces give what the whole gives, and JSON stays JSON. */
#include "base/host.h"
#include "check.h"
#include "dialect/abridge.h"
#include "json/write.h"

static const char FILL[] = "{\"request\":\"";

static struct lb_host host;

static struct lb_buf kept_of(struct lb_str text, uint32_t seed, size_t step_max)
{
    struct ld_abridge abridge = {0};
    struct lb_buf kept;
    bool more = true;

    lb_buf_init(&kept, &host, LD_REFUSAL_MAX);
    for (size_t at = 0; at < text.size && more;) {
        size_t step = 1 + fuzz_next(&seed) % step_max;
        more = ld_abridge_add(&abridge, &kept, lb_str_sub(text, at, at + step));
        at += step;
    }
    FUZZ_CHECK(kept.failed == LLMGR_OK && kept.size <= LD_REFUSAL_MAX);
    return kept;
}

/* The first byte says how much of what comes before the rest is kept as it is. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_buf text;

    if (size == 0 || size > 64 * 1024)
        return 0;
    lb_host_init(&host);
    lb_buf_init(&text, &host, 1 << 20);
    lb_buf_add_c(&text, FILL);
    while (text.size + data[0] < LD_REFUSAL_MAX)
        lb_buf_add_byte(&text, 'x');
    lb_buf_add_c(&text, "\",");
    lb_buf_add(&text, (const char *)data + 1, size - 1);
    struct lb_buf whole = kept_of(lb_buf_str(&text), 0, 1 << 20);
    struct lb_buf pieces = kept_of(lb_buf_str(&text), (uint32_t)size, 300);
    FUZZ_CHECK(lb_str_eq(lb_buf_str(&whole), lb_buf_str(&pieces)));
    json_t *read = lj_json_read(lb_buf_str(&text), NULL);
    json_t *kept = lj_json_read(lb_buf_str(&whole), NULL);
    FUZZ_CHECK(read == NULL || kept != NULL);
    json_decref(read);
    json_decref(kept);
    lb_buf_free(&whole);
    lb_buf_free(&pieces);
    lb_buf_free(&text);
    return 0;
}
