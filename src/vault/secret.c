/* SPDX-License-Identifier: MIT */
/*
 * Clear wipes only the bytes that were in use: on the hot path a key of 50 bytes must not cost a
 * memset of four kilobytes.
 */
#include "vault/secret.h"

#include <sodium.h>
#include <string.h>

void lv_secret_init(struct lv_secret *secret)
{
    secret->size = 0;
    secret->bytes[0] = '\0';
}

void lv_secret_clear(struct lv_secret *secret)
{
    sodium_memzero(secret->bytes, secret->size);
    secret->size = 0;
}

bool lv_secret_set(struct lv_secret *secret, struct lb_str bytes)
{
    lv_secret_clear(secret);
    if (bytes.size > LV_SECRET_MAX)
        return false;
    if (bytes.size != 0)
        memcpy(secret->bytes, bytes.p, bytes.size);
    secret->bytes[bytes.size] = '\0';
    secret->size = bytes.size;
    return true;
}
