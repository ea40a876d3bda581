/* SPDX-License-Identifier: MIT */
/*
 * The tokens we issue: "sk-llmgr-", 43 base62 digits of 32 random bytes, 6 base62 digits of the
 * CRC-32 of all before. The checksum lets a typing error or a secret scanner's find be judged
 * without a database; what is stored is a digest. A 256-bit random needs no slow hash.
 */
#ifndef LV_TOKEN_H
#define LV_TOKEN_H

#include <stdbool.h>

#include "base/str.h"

#define LV_TOKEN_PREFIX "sk-llmgr-"

enum {
    LV_TOKEN_BODY_SIZE = 43,
    LV_TOKEN_CHECK_SIZE = 6,
    LV_TOKEN_SIZE = sizeof LV_TOKEN_PREFIX - 1 + LV_TOKEN_BODY_SIZE + LV_TOKEN_CHECK_SIZE,
    LV_TOKEN_DIGEST_SIZE = 32
};

/* A new token: LV_TOKEN_SIZE bytes and a NUL into `token`; the caller wipes them. */
void lv_token_new(char *token);
/* Has it the form of a token, with the right checksum? Says nothing about whether we issued it. */
bool lv_token_valid(struct lb_str token);
/* BLAKE2b-256, what is stored and looked up; LV_TOKEN_DIGEST_SIZE bytes into `digest`. */
void lv_token_digest(struct lb_str token, unsigned char *digest);
/* In a time that does not depend on the bytes. */
bool lv_token_digest_equal(const unsigned char *a, const unsigned char *b);

#endif
