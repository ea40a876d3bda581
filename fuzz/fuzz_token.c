/* SPDX-License-Identifier: MIT */
/* Tokens as clients send them: any bytes; what is valid stays valid and has a digest. */
#include <stdlib.h>

#include "vault/token.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lb_str token = lb_str((const char *)data, size);
    unsigned char digest[LV_TOKEN_DIGEST_SIZE];

    if (lv_token_valid(token) && size != LV_TOKEN_SIZE)
        abort();
    lv_token_digest(token, digest);
    return 0;
}
