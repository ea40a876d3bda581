/* SPDX-License-Identifier: MIT */
/*
 * Tokens are numbers in base 62, most significant digit first and of fixed width, so that they can
 * be selected with a double click and need no escaping anywhere. The checksum is the CRC-32 of
 * zlib and GitHub's tokens (polynomial 0xedb88320).
 */
#include "vault/token.h"

#include <sodium.h>
#include <string.h>

enum {
    PREFIX_SIZE = sizeof LV_TOKEN_PREFIX - 1,
    BODY_END = PREFIX_SIZE + LV_TOKEN_BODY_SIZE,
    LIMBS = 8 /* of 32 bits: the 256-bit random */
};

static const char DIGITS[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

static uint32_t crc32(const char *bytes, size_t size)
{
    static const uint32_t NIBBLES[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
                                         0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
                                         0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
                                         0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)bytes[i];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
        crc = crc >> 4 ^ NIBBLES[crc & 15];
    }
    return ~crc;
}

/* The number of `limbs` (most significant first) as `width` digits; the limbs end as zero. */
static void put_base62(uint32_t *limbs, size_t count, char *out, size_t width)
{
    while (width-- != 0) {
        uint64_t rest = 0;
        for (size_t i = 0; i < count; i++) {
            rest = rest << 32 | limbs[i];
            limbs[i] = (uint32_t)(rest / 62);
            rest %= 62;
        }
        out[width] = DIGITS[rest];
    }
}

static bool is_base62(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static void put_check(const char *token, char *out)
{
    uint32_t crc = crc32(token, BODY_END);
    put_base62(&crc, 1, out, LV_TOKEN_CHECK_SIZE);
}

void lv_token_new(char *token)
{
    uint32_t limbs[LIMBS];

    memcpy(token, LV_TOKEN_PREFIX, PREFIX_SIZE);
    randombytes_buf(limbs, sizeof limbs);
    put_base62(limbs, LIMBS, token + PREFIX_SIZE, LV_TOKEN_BODY_SIZE);
    put_check(token, token + BODY_END);
    token[LV_TOKEN_SIZE] = '\0';
}

bool lv_token_valid(struct lb_str token)
{
    char check[LV_TOKEN_CHECK_SIZE];

    if (token.size != LV_TOKEN_SIZE || !lb_str_starts(token, LB_STR(LV_TOKEN_PREFIX)))
        return false;
    for (size_t i = PREFIX_SIZE; i < LV_TOKEN_SIZE; i++) {
        if (!is_base62(token.p[i]))
            return false;
    }
    put_check(token.p, check);
    return memcmp(check, token.p + BODY_END, sizeof check) == 0;
}

void lv_token_digest(struct lb_str token, unsigned char *digest)
{
    crypto_generichash(digest, LV_TOKEN_DIGEST_SIZE, (const unsigned char *)token.p, token.size,
                       NULL, 0);
}

bool lv_token_digest_equal(const unsigned char *a, const unsigned char *b)
{
    return sodium_memcmp(a, b, LV_TOKEN_DIGEST_SIZE) == 0;
}
