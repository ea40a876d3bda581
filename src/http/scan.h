/* SPDX-License-Identifier: MIT */
/*
 * Finding the byte that ends a line, sixteen bytes at a time where the machine can. Private to
 * http/ and the taps of dialect/. SSE2 belongs to every x86-64 and NEON to every arm64, so no
 * run-time choice is needed; elsewhere plain loops do the same.
 */
#ifndef LH_SCAN_H
#define LH_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif

/* A byte that no field value may hold: 0x00-0x1f without HTAB, and DEL (RFC 9110 section 5.5). */
static inline bool lh_is_control(char c)
{
    unsigned char u = (unsigned char)c;
    return (u < 0x20 && u != '\t') || u == 0x7f;
}

#if defined(__SSE2__)

static inline unsigned lh_block_control(const char *p)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const __m128i tab = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\t'));
    const __m128i del = _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(tab, low), del));
}

static inline unsigned lh_block_eol(const char *p)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i lf = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n'));
    const __m128i cr = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(lf, cr));
}

/* Letters, digits and '-': all that names of header fields are made of in practice. */
static inline unsigned lh_block_plain(const char *p)
{
    const __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    const __m128i folded = _mm_or_si128(bytes, _mm_set1_epi8(0x20));
    const __m128i letter = _mm_sub_epi8(folded, _mm_set1_epi8('a'));
    const __m128i digit = _mm_sub_epi8(bytes, _mm_set1_epi8('0'));
    const __m128i is_letter = _mm_cmpeq_epi8(_mm_min_epu8(letter, _mm_set1_epi8(25)), letter);
    const __m128i is_digit = _mm_cmpeq_epi8(_mm_min_epu8(digit, _mm_set1_epi8(9)), digit);
    const __m128i is_dash = _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(_mm_or_si128(is_letter, is_digit), is_dash));
}

#define LH_BLOCK_FULL 0xffffu
#define LH_BLOCK 16
#define LH_BLOCK_FIRST(mask) ((size_t)__builtin_ctz(mask))
typedef unsigned lh_block_mask;

#elif defined(__aarch64__) && defined(__ARM_NEON)

/* Four bits per byte: the narrowing shift is NEON's way to a mask. */
static inline uint64_t lh_block_bits(uint8x16_t hit)
{
    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(hit), 4)), 0);
}

static inline uint64_t lh_block_control(const char *p)
{
    const uint8x16_t bytes = vld1q_u8((const uint8_t *)p);
    const uint8x16_t low = vcltq_u8(bytes, vdupq_n_u8(0x20));
    const uint8x16_t tab = vceqq_u8(bytes, vdupq_n_u8('\t'));
    const uint8x16_t del = vceqq_u8(bytes, vdupq_n_u8(0x7f));
    return lh_block_bits(vorrq_u8(vbicq_u8(low, tab), del));
}

static inline uint64_t lh_block_eol(const char *p)
{
    const uint8x16_t bytes = vld1q_u8((const uint8_t *)p);
    return lh_block_bits(
        vorrq_u8(vceqq_u8(bytes, vdupq_n_u8('\n')), vceqq_u8(bytes, vdupq_n_u8('\r'))));
}

static inline uint64_t lh_block_plain(const char *p)
{
    const uint8x16_t bytes = vld1q_u8((const uint8_t *)p);
    const uint8x16_t letter = vsubq_u8(vorrq_u8(bytes, vdupq_n_u8(0x20)), vdupq_n_u8('a'));
    const uint8x16_t digit = vsubq_u8(bytes, vdupq_n_u8('0'));
    const uint8x16_t is_dash = vceqq_u8(bytes, vdupq_n_u8('-'));
    return lh_block_bits(vorrq_u8(
        is_dash, vorrq_u8(vcltq_u8(letter, vdupq_n_u8(26)), vcltq_u8(digit, vdupq_n_u8(10)))));
}

#define LH_BLOCK_FULL UINT64_MAX
#define LH_BLOCK 16
#define LH_BLOCK_FIRST(mask) ((size_t)__builtin_ctzll(mask) / 4)
typedef uint64_t lh_block_mask;

#endif

/* Offset in [from, size) of the first control byte but HTAB, or `size`. */
static inline size_t lh_find_control(const char *p, size_t from, size_t size)
{
    size_t at = from;

#if defined(LH_BLOCK)
    for (; size - at >= LH_BLOCK; at += LH_BLOCK) {
        lh_block_mask mask = lh_block_control(p + at);
        if (mask != 0)
            return at + LH_BLOCK_FIRST(mask);
    }
    if (at < size && size - from >= LH_BLOCK) { /* the rest, with bytes that were found clean */
        lh_block_mask mask = lh_block_control(p + size - LH_BLOCK);
        return mask != 0 ? size - LH_BLOCK + LH_BLOCK_FIRST(mask) : size;
    }
#endif
    while (at < size && !lh_is_control(p[at]))
        at++;
    return at;
}

/* Offset in [from, size) of the first CR or LF, or `size`. */
static inline size_t lh_find_eol(const char *p, size_t from, size_t size)
{
    size_t at = from;

#if defined(LH_BLOCK)
    for (; size - at >= LH_BLOCK; at += LH_BLOCK) {
        lh_block_mask mask = lh_block_eol(p + at);
        if (mask != 0)
            return at + LH_BLOCK_FIRST(mask);
    }
    if (at < size && size - from >= LH_BLOCK) {
        lh_block_mask mask = lh_block_eol(p + size - LH_BLOCK);
        return mask != 0 ? size - LH_BLOCK + LH_BLOCK_FIRST(mask) : size;
    }
#endif
    while (at < size && p[at] != '\n' && p[at] != '\r')
        at++;
    return at;
}

/*
 * Size of the field name at the start of p[0, size) if it is plain and ends with a colon. 0 says
 * nothing: the name needs a closer look.
 */
static inline size_t lh_plain_name(const char *p, size_t size)
{
#if defined(LH_BLOCK)
    for (size_t at = 0; size - at >= LH_BLOCK; at += LH_BLOCK) {
        lh_block_mask other = ~lh_block_plain(p + at) & LH_BLOCK_FULL;
        if (other == 0)
            continue;
        at += LH_BLOCK_FIRST(other);
        return p[at] == ':' ? at : 0;
    }
#else
    (void)p;
    (void)size;
#endif
    return 0;
}

#endif
