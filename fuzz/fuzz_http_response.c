/* SPDX-License-Identifier: MIT */
/* Response heads and their bodies, whole and in pieces; the first byte tells what was asked. */
#include "http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_head whole;
    struct fuzz_head pieces;

    if (size == 0)
        return 0;
    const char *text = (const char *)data + 1;
    enum lh_reply_to to = (enum lh_reply_to)(data[0] % 3);
    lh_head_init_response(&whole.head, whole.fields, FUZZ_FIELDS, &lh_limits_default, to);
    lh_head_init_response(&pieces.head, pieces.fields, FUZZ_FIELDS, &lh_limits_default, to);
    fuzz_head(&whole, &pieces, text, size - 1);
    if (lh_head_parse(&whole.head, text, size - 1) != LH_DONE)
        return 0;
    FUZZ_CHECK(whole.head.status >= 100 && whole.head.status <= 999);
    FUZZ_CHECK(to != LH_REPLY_TO_HEAD || whole.head.body == LH_BODY_NONE);
    fuzz_body(&whole.head, text, size - 1);
    return 0;
}
