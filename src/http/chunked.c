/* SPDX-License-Identifier: MIT */
/*
 * One byte, one step, except for payload, which is skipped in runs. Each state is named after what
 * it expects next.
 */
#include "http/chunked.h"

#include "http/field.h"
#include "http/hex.h"
#include "http/scan.h"

enum state {
    SIZE_FIRST, /* the first digit of a size */
    SIZE_MORE,  /* another digit, ';' or CR */
    NAME_FIRST, /* of an extension's name, behind ';' */
    NAME_MORE,
    NAME_BLANK,  /* '=' or ';', behind a blank */
    VALUE_FIRST, /* of an extension's value, behind '=' */
    VALUE_MORE,
    QUOTED,
    QUOTED_PAIR, /* the character behind a backslash */
    QUOTED_END,  /* ';' or CR */
    VALUE_BLANK, /* ';', behind a blank */
    SIZE_LF,
    DATA,
    DATA_CR,
    DATA_LF,
    TRAILER_FIRST, /* a field or the CR of the last line */
    TRAILER_NAME,
    TRAILER_VALUE,
    TRAILER_LF,
    END_LF,
    COMPLETE,
    BROKEN
};

enum { DIGITS_MAX = 16 };

void lh_chunked_init(struct lh_chunked *chunked)
{
    *chunked = (struct lh_chunked){.state = SIZE_FIRST};
}

static enum lh_error size_step(struct lh_chunked *chunked, char c)
{
    int digit = lh_hex_digit(c);

    if (digit >= 0) {
        if (chunked->digits == DIGITS_MAX || chunked->left > (uint64_t)INT64_MAX >> 4)
            return LH_ERR_CHUNK_LONG;
        chunked->left = chunked->left << 4 | (unsigned)digit;
        chunked->digits++;
        chunked->state = SIZE_MORE;
        return LH_ERR_OK;
    }
    if (chunked->state == SIZE_FIRST || (c != ';' && c != '\r'))
        return c == '\n' && chunked->state != SIZE_FIRST ? LH_ERR_BARE_LF : LH_ERR_CHUNK_SIZE;
    chunked->state = c == ';' ? NAME_FIRST : SIZE_LF;
    return LH_ERR_OK;
}

/* Where `c` leads within an extension (RFC 9112 section 7.1.1); BROKEN: nowhere. */
static enum state extension_next(enum state state, char c)
{
    const bool blank = c == ' ' || c == '\t';
    const bool in_token = lh_is_token(lb_str(&c, 1));

    switch (state) {
    case NAME_FIRST:
        return blank ? NAME_FIRST : in_token ? NAME_MORE : BROKEN;
    case NAME_MORE:
    case NAME_BLANK:
        if (in_token || c == '\r')
            return state == NAME_BLANK ? BROKEN : in_token ? NAME_MORE : SIZE_LF;
        return blank ? NAME_BLANK : c == '=' ? VALUE_FIRST : c == ';' ? NAME_FIRST : BROKEN;
    case VALUE_FIRST:
        return blank ? VALUE_FIRST : c == '"' ? QUOTED : in_token ? VALUE_MORE : BROKEN;
    case QUOTED:
        return c == '"' ? QUOTED_END : c == '\\' ? QUOTED_PAIR : QUOTED;
    case QUOTED_PAIR:
        return QUOTED;
    case VALUE_MORE:
    case QUOTED_END:
    case VALUE_BLANK:
        if (in_token && state == VALUE_MORE)
            return VALUE_MORE;
        if (c == '\r' && state != VALUE_BLANK)
            return SIZE_LF;
        return blank ? VALUE_BLANK : c == ';' ? NAME_FIRST : BROKEN;
    default:
        return BROKEN;
    }
}

static enum lh_error extension_step(struct lh_chunked *chunked, char c)
{
    const bool quoted = chunked->state == QUOTED || chunked->state == QUOTED_PAIR;
    enum state next;

    if (c == '\n')
        return LH_ERR_BARE_LF;
    next = quoted && lh_is_control(c) ? BROKEN : extension_next(chunked->state, c);
    if (next == BROKEN)
        return LH_ERR_CHUNK_EXTENSION;
    chunked->state = (uint8_t)next;
    if (next == SIZE_LF)
        return LH_ERR_OK;
    return ++chunked->extension > LH_CHUNK_EXTENSION_MAX ? LH_ERR_CHUNK_EXTENSION : LH_ERR_OK;
}

static enum lh_error trailer_step(struct lh_chunked *chunked, char c)
{
    if (++chunked->trailer > LH_CHUNK_TRAILER_MAX)
        return LH_ERR_TRAILER_LONG;
    if (chunked->state == TRAILER_VALUE) {
        if (c == '\r')
            chunked->state = TRAILER_LF;
        else if (lh_is_control(c))
            return c == '\n' ? LH_ERR_BARE_LF : LH_ERR_TRAILER;
        return LH_ERR_OK;
    }
    if (c == '\r' && chunked->state == TRAILER_FIRST) {
        chunked->state = END_LF;
        return LH_ERR_OK;
    }
    if (c == ':' && chunked->state == TRAILER_NAME) {
        chunked->state = TRAILER_VALUE;
        return LH_ERR_OK;
    }
    if (!lh_is_token(lb_str(&c, 1)))
        return c == '\n' ? LH_ERR_BARE_LF : LH_ERR_TRAILER;
    chunked->state = TRAILER_NAME;
    return LH_ERR_OK;
}

/* The line end that the state calls for, and the state behind it. */
static enum lh_error expect(struct lh_chunked *chunked, char c, char wanted, enum state then,
                            enum lh_error otherwise)
{
    if (c != wanted)
        return otherwise;
    chunked->state = (uint8_t)then;
    return LH_ERR_OK;
}

static enum lh_error size_end(struct lh_chunked *chunked, char c)
{
    enum state then = chunked->left != 0 ? DATA : TRAILER_FIRST;

    chunked->digits = 0;
    return expect(chunked, c, '\n', then, LH_ERR_BARE_CR);
}

static enum lh_error step(struct lh_chunked *chunked, char c)
{
    switch ((enum state)chunked->state) {
    case SIZE_FIRST:
    case SIZE_MORE:
        return size_step(chunked, c);
    case NAME_FIRST:
    case NAME_MORE:
    case NAME_BLANK:
    case VALUE_FIRST:
    case VALUE_MORE:
    case QUOTED:
    case QUOTED_PAIR:
    case QUOTED_END:
    case VALUE_BLANK:
        return extension_step(chunked, c);
    case SIZE_LF:
        return size_end(chunked, c);
    case DATA_CR:
        return expect(chunked, c, '\r', DATA_LF, LH_ERR_CHUNK_END);
    case DATA_LF:
        return expect(chunked, c, '\n', SIZE_FIRST, LH_ERR_CHUNK_END);
    case TRAILER_FIRST:
    case TRAILER_NAME:
    case TRAILER_VALUE:
        return trailer_step(chunked, c);
    case TRAILER_LF:
        return expect(chunked, c, '\n', TRAILER_FIRST, LH_ERR_BARE_CR);
    case END_LF:
        return expect(chunked, c, '\n', COMPLETE, LH_ERR_BARE_CR);
    case DATA:
    case COMPLETE:
    case BROKEN:
        break;
    }
    return LH_ERR_OK;
}

static struct lb_str take_payload(struct lh_chunked *chunked, const char *data, size_t size)
{
    size_t take = chunked->left < size ? (size_t)chunked->left : size;

    chunked->left -= take;
    if (chunked->left == 0)
        chunked->state = DATA_CR;
    return lb_str(data, take);
}

enum lh_result lh_chunked_next(struct lh_chunked *chunked, const char *data, size_t size,
                               size_t *used, struct lb_str *payload)
{
    size_t at = 0;

    *payload = lb_str(data, 0);
    while (at < size && chunked->state < COMPLETE) {
        if (chunked->state == DATA) {
            *payload = take_payload(chunked, data + at, size - at);
            at += payload->size;
            break;
        }
        enum lh_error error = step(chunked, data[at]);
        if (error != LH_ERR_OK) {
            chunked->state = BROKEN;
            chunked->error = error;
            break;
        }
        at++;
    }
    *used = at;
    if (chunked->state == BROKEN)
        return LH_FAILED;
    return chunked->state == COMPLETE ? LH_DONE : LH_MORE;
}

size_t lh_chunk_head(char out[LH_CHUNK_HEAD_MAX], uint64_t size)
{
    static const char digits[] = "0123456789abcdef";
    size_t count = 1;

    for (uint64_t rest = size >> 4; rest != 0; rest >>= 4)
        count++;
    for (size_t i = count; i != 0; i--, size >>= 4)
        out[i - 1] = digits[size & 15];
    out[count] = '\r';
    out[count + 1] = '\n';
    return count + 2;
}
