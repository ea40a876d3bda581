/* SPDX-License-Identifier: MIT */
/*
 * Overwriting quoted keys. Byte by byte: refusals are short and rare. No encoded copy of the key is
 * made: each form can say what its n-th character is.
 */
#include "upstream/mask.h"

#include <stdbool.h>
#include <string.h>

enum { MASK_MIN = 8 }; /* so many bytes of a key in a row are masked */

/* What a byte of the key may be written as: itself, "%2D", "\u002d", "\/". Returns its size. */
static size_t read_byte(const char *text, size_t size, char *byte)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t prefix = size >= 3 && text[0] == '%'                  ? 1
                    : size >= 6 && memcmp(text, "\\u00", 4) == 0 ? 4
                                                                 : 0;

    if (prefix > 0) {
        const char *high = memchr(DIGITS, text[prefix] | 0x20, 16);
        const char *low = memchr(DIGITS, text[prefix + 1] | 0x20, 16);
        if (high != NULL && low != NULL) {
            *byte = (char)((high - DIGITS) << 4 | (low - DIGITS));
            return prefix + 2;
        }
    }
    bool escaped = size >= 2 && text[0] == '\\';
    *byte = text[escaped];
    return escaped ? 2 : 1;
}

/* How much of `text` is the key from its start; *size: how many bytes of text that takes. */
static size_t match_plain(struct lb_str key, const char *text, size_t left, size_t *size)
{
    size_t same = 0;
    char byte;

    *size = 0;
    while (same < key.size && *size < left) {
        size_t taken = read_byte(text + *size, left - *size, &byte);
        if (byte != key.p[same])
            break;
        *size += taken;
        same++;
    }
    return same;
}

static size_t match_hex(struct lb_str key, const char *text, size_t left)
{
    static const char DIGITS[] = "0123456789abcdef";
    size_t same = 0;

    while (same < 2 * key.size && same < left) {
        unsigned byte = (unsigned char)key.p[same / 2];
        char digit = DIGITS[same % 2 == 0 ? byte >> 4 : byte & 15];
        if ((text[same] >= 'A' ? text[same] | 0x20 : text[same]) != digit)
            break;
        same++;
    }
    return same;
}

/* The n-th character of base64 of `before` unknown bytes and the key. */
static char base64_at(struct lb_str key, size_t before, size_t n)
{
    static const char ALPHABET[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned value = 0;

    for (size_t bit = 6 * n - 8 * before, i = 0; i < 6; i++, bit++) {
        unsigned byte = (unsigned char)key.p[bit / 8];
        value = value << 1 | (byte >> (7 - bit % 8) & 1U);
    }
    return ALPHABET[value];
}

static size_t match_base64(struct lb_str key, size_t before, const char *text, size_t left)
{
    size_t first = (8 * before + 5) / 6, end = 8 * (before + key.size) / 6;
    size_t same = 0;

    while (first + same < end && same < left) {
        char c = text[same] == '-' ? '+' : text[same] == '_' ? '/' : text[same];
        if (c != base64_at(key, before, first + same))
            break;
        same++;
    }
    return same;
}

/* Bytes at `text` that are to be masked. */
static size_t match(struct lb_str key, const char *text, size_t left)
{
    size_t least = key.size < MASK_MIN ? key.size : MASK_MIN;
    size_t size;

    if (match_plain(key, text, left, &size) >= least)
        return size;
    size = match_hex(key, text, left);
    if (size >= 2 * least)
        return size;
    for (size_t before = 0; before < 3; before++) {
        size = match_base64(key, before, text, left);
        if (size >= 8 * least / 6 - 1)
            return size;
    }
    return 0;
}

void lu_mask_key(struct lb_str key, char *text, size_t size)
{
    for (size_t at = 0; key.size > 0 && at < size;) {
        size_t quoted = match(key, text + at, size - at);
        memset(text + at, '*', quoted);
        at += quoted > 0 ? quoted : 1;
    }
}
