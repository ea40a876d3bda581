/* SPDX-License-Identifier: MIT */
/*
 * A decision per byte: is it kept? Each kept byte is one that was read, so a text that has become
 * too long is abridged where it lies. An escape is kept whole or not at all, and so are a character
 * and the two halves of a surrogate pair.
 */
#include "dialect/abridge.h"

#include <string.h>

#include "dialect/said.h"

enum {
    LIST_MAX = 16,     /* elements of a list that are kept */
    OBJECT_MAX = 64,   /* members of an object */
    STRING_MIN = 64,   /* bytes of a string, where room is short; */
    STRING_SHARE = 16, /* else it may take this part of what is left */
    LITERAL_MAX = 32,  /* characters of a number or a word */
    ESCAPE_BEGUN = 5,  /* behind the backslash; then 4 hexadecimal digits, if it is \u */
};

/* ---- Strings --------------------------------------------------------------------------------- */

static void follow_escape(struct ld_abridge *abridge, char c)
{
    const char folded = (char)(c | 0x20);

    if (abridge->escape == ESCAPE_BEGUN) {
        abridge->escape = c == 'u' ? 4 : 0;
        abridge->high_half = false;
        return;
    }
    if (abridge->escape == 4)
        abridge->is_surrogate = folded == 'd';
    else if (abridge->escape == 3)
        abridge->high_half = abridge->is_surrogate && memchr("89ab", folded, 4) != NULL;
    abridge->escape--;
}

/* A byte of a string; `room`: bytes that are left for all. */
static bool keep_in_string(struct ld_abridge *abridge, char c, size_t room)
{
    const size_t most = room / STRING_SHARE > STRING_MIN ? room / STRING_SHARE : STRING_MIN;
    const bool is_start = abridge->escape == 0 && !abridge->high_half && (c & 0xc0) != 0x80;

    if (abridge->escape == 0 && c == '"') {
        abridge->in_string = abridge->high_half = abridge->is_full = false;
        return abridge->dropped == 0;
    }
    abridge->is_full |= is_start && abridge->size >= most;
    abridge->size++;
    if (abridge->escape > 0)
        follow_escape(abridge, c);
    else if (c == '\\')
        abridge->escape = ESCAPE_BEGUN;
    else
        abridge->high_half = false;
    return abridge->dropped == 0 && !abridge->is_full;
}

/* ---- Levels ---------------------------------------------------------------------------------- */

/* What follows at this level is left out. */
static bool is_enough(struct ld_abridge *abridge)
{
    const uint32_t at = abridge->depth - 1;

    if (at >= LD_ABRIDGE_LEVELS)
        return true;
    abridge->count[at]++;
    return abridge->count[at] >= ((abridge->lists >> at & 1) != 0 ? LIST_MAX : OBJECT_MAX);
}

static bool keep_open(struct ld_abridge *abridge, bool list)
{
    const uint32_t at = abridge->depth++;
    const bool kept = abridge->dropped == 0;

    if (at < LD_ABRIDGE_LEVELS) {
        abridge->count[at] = 0;
        abridge->lists = (uint8_t)((abridge->lists & ~(1U << at)) | (unsigned)list << at);
    } else if (kept) {
        abridge->dropped = abridge->depth;
    }
    return kept;
}

static bool keep_close(struct ld_abridge *abridge)
{
    if (abridge->dropped == abridge->depth)
        abridge->dropped = 0;
    abridge->depth--;
    abridge->is_over = abridge->depth == 0;
    return abridge->dropped == 0;
}

/* Once so many were there that the last comma is not kept, none counts any further. */
static bool keep_comma(struct ld_abridge *abridge)
{
    if (abridge->dropped != 0)
        return false;
    if (is_enough(abridge))
        abridge->dropped = abridge->depth;
    return abridge->dropped == 0;
}

static bool keep(struct ld_abridge *abridge, char c, size_t room)
{
    if (abridge->in_string)
        return keep_in_string(abridge, c, room);
    const bool is_literal = memchr("\"{}[],: \t\r\n", c, 11) == NULL;
    abridge->size = is_literal ? abridge->size + 1 : 0;
    switch (c) {
    case '"':
        abridge->in_string = true;
        return abridge->dropped == 0;
    case '{':
    case '[':
        return keep_open(abridge, c == '[');
    case '}':
    case ']':
        return keep_close(abridge);
    case ',':
        return keep_comma(abridge);
    case ' ':
    case '\t':
    case '\r':
    case '\n':
        return false;
    default:
        return abridge->dropped == 0 && (!is_literal || abridge->size <= LITERAL_MAX);
    }
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* The text is full: abridges it, if it is JSON. */
static void begin(struct ld_abridge *abridge, struct lb_buf *text)
{
    const struct lb_str json = ld_said_text(lb_buf_str(text));
    size_t kept = 0;

    abridge->is_long = true;
    abridge->is_over = json.p == NULL;
    if (json.p == NULL)
        return;
    for (size_t i = 0; i < json.size && !abridge->is_over; i++) {
        char c = json.p[i];
        if (keep(abridge, c, LD_REFUSAL_MAX - kept))
            text->data[kept++] = c;
    }
    lb_buf_cut(text, kept);
}

static void add_abridged(struct ld_abridge *abridge, struct lb_buf *text, struct lb_str bytes)
{
    for (size_t i = 0; i < bytes.size && !abridge->is_over; i++) {
        if (keep(abridge, bytes.p[i], LD_REFUSAL_MAX - text->size))
            lb_buf_add_byte(text, bytes.p[i]);
        abridge->is_over |= text->size == LD_REFUSAL_MAX || text->failed != LLMGR_OK;
    }
}

bool ld_abridge_add(struct ld_abridge *abridge, struct lb_buf *text, struct lb_str bytes)
{
    const struct lb_str most = lb_str_sub(bytes, 0, LD_REFUSAL_READ - abridge->read);

    abridge->read += (uint32_t)most.size;
    if (!abridge->is_long) {
        struct lb_str first = lb_str_sub(most, 0, LD_REFUSAL_MAX - text->size);
        lb_buf_add_str(text, first);
        abridge->is_over = text->failed != LLMGR_OK;
        if (first.size == most.size || abridge->is_over)
            return !abridge->is_over;
        begin(abridge, text);
        add_abridged(abridge, text, lb_str_sub(most, first.size, most.size));
    } else {
        add_abridged(abridge, text, most);
    }
    abridge->is_over |= abridge->read == LD_REFUSAL_READ;
    return !abridge->is_over;
}
