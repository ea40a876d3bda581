/* SPDX-License-Identifier: MIT */
/* Request heads and their bodies, whole and in pieces. */
#include "http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_head whole;
    struct fuzz_head pieces;
    const char *text = (const char *)data;

    lh_head_init_request(&whole.head, whole.fields, FUZZ_FIELDS, &lh_limits_default);
    lh_head_init_request(&pieces.head, pieces.fields, FUZZ_FIELDS, &lh_limits_default);
    fuzz_head(&whole, &pieces, text, size);
    if (lh_head_parse(&whole.head, text, size) != LH_DONE)
        return 0;
    FUZZ_CHECK(whole.head.body != LH_BODY_UNTIL_CLOSE);
    FUZZ_CHECK(whole.head.path.size != 0);
    FUZZ_CHECK(whole.head.path.p[0] == '/' || whole.head.method == LH_METHOD_OPTIONS);
    FUZZ_CHECK(whole.head.host.size != 0 || whole.head.minor == 0);
    fuzz_body(&whole.head, text, size);
    return 0;
}
