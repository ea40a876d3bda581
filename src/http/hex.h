/* SPDX-License-Identifier: MIT */
/* Hexadecimal digits. Private to http/. */
#ifndef LH_HEX_H
#define LH_HEX_H

/* 0 to 15, or -1. */
static inline int lh_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

#endif
