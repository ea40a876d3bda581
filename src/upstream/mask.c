/* SPDX-License-Identifier: MIT */
/*
 * Overwriting quoted keys. The text is searched as it stands, then with one layer of escapes taken
 * off, and so on; beside each byte of such a copy stands where in the text it came from:
 *
 *     text     b a d   \ \ u 0 0 7 3 k - ...        "\\u0073k-"
 *     layer 1  b a d   \ u 0 0 7 3 k - ...
 *     layer 2  b a d   s k - ...                    found: what it came from is marked
 *
 * A key may itself hold what looks like an escape of another kind; so the first layer is tried for
 * each kind alone as well. Each pass is linear in the text: refusals come from whoever likes.
 */
#include "upstream/mask.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "config/fixed_headers.h"
#include "upstream/unescape.h"

enum {
    SECRET_MIN = 16, /* bytes of a header field's value that could be one */
    MASK_MIN = 8,    /* so many bytes of a key in a row are masked */
    GAP_MAX = 6,     /* separators between two bytes written as numbers */
    STRETCH = 6,     /* what a byte of the key may be written as, at most, behind what matched */
    STAR = '*',
    DIGIT = '9', /* in the place of a decimal's: a list of numbers stays one */
};

struct search {
    struct lb_str key;
    struct lu_layer layer;
    char *marks; /* per byte of the text: 0, or what it becomes */
};

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (lower(c) >= 'a' && lower(c) <= 'z');
}

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : lower(c) >= 'a' && lower(c) <= 'f' ? lower(c) - 87 : -1;
}

static bool is_one_of(char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static size_t least(struct lb_str key)
{
    return key.size < MASK_MIN ? key.size : MASK_MIN;
}

/* What the bytes [at, end) of the layer came from is to be overwritten; line ends stay. */
static void mark(const struct search *search, size_t at, size_t end, char with)
{
    const struct lu_layer *layer = &search->layer;

    for (; at < end; at++) {
        if (!is_one_of(layer->text[at], "\r\n"))
            memset(search->marks + layer->from[at], with, layer->from[at + 1] - layer->from[at]);
    }
}

/* ---- As it is -------------------------------------------------------------------------------- */

/*
 * The rest of a word of which only the start matched is the key's as well, written as this layer
 * cannot tell.
 */
static size_t stretch(const struct lu_layer *layer, size_t at, size_t most)
{
    size_t end = at;

    while (end < layer->size && end - at < most &&
           (is_alnum(layer->text[end]) || is_one_of(layer->text[end], "%+/=_-~")))
        end++;
    return end;
}

/* Where what matches the key from `at` on ends; `at` if it does not. Zero bytes between are UTF-16.
 */
static size_t match_plain(const struct search *search, size_t at)
{
    const struct lu_layer *layer = &search->layer;
    size_t same = 0, end = at;

    while (same < search->key.size && end < layer->size) {
        if (layer->text[end] == '\0' && same > 0 && search->key.p[same] != '\0') {
            end++;
            continue;
        }
        if (lower(layer->text[end]) != lower(search->key.p[same]))
            break;
        end++;
        same++;
    }
    if (same < least(search->key))
        return at;
    size_t left = search->key.size - same;
    end = left > 0 ? stretch(layer, end, STRETCH * left) : end;
    mark(search, at, end, STAR);
    return end;
}

/* ---- As numbers ------------------------------------------------------------------------------ */

/* "73" at `at`: its value and where it ends. False: no such number. */
static bool read_hex(const struct lu_layer *layer, size_t at, unsigned *value, size_t *end)
{
    if (layer->size - at < 2 || hex(layer->text[at]) < 0 || hex(layer->text[at + 1]) < 0)
        return false;
    *value = (unsigned)(hex(layer->text[at]) << 4 | hex(layer->text[at + 1]));
    *end = at + 2;
    return true;
}

static bool read_decimal(const struct lu_layer *layer, size_t at, unsigned *value, size_t *end)
{
    *value = 0;
    for (*end = at; *end < layer->size && *end - at < 4; (*end)++) {
        char c = layer->text[*end];
        if (c < '0' || c > '9')
            break;
        *value = *value * 10 + (unsigned)(c - '0');
    }
    return *end > at && *end - at < 4;
}

/* Behind what may stand between two numbers; at most GAP_MAX bytes on. */
static size_t skip_gap(const struct lu_layer *layer, size_t at)
{
    size_t end = at;

    while (end < layer->size && end - at < GAP_MAX) {
        if (layer->size - end > 1 && layer->text[end] == '0' && lower(layer->text[end + 1]) == 'x')
            end += 2;
        else if (is_one_of(layer->text[end], " \t\r\n:-_,;.|'\"\\%=x"))
            end++;
        else
            break;
    }
    return end;
}

struct numbers {
    bool (*read)(const struct lu_layer *layer, size_t at, unsigned *value, size_t *end);
    bool apart; /* there must be something between them */
    char with;
};

static const struct numbers HEX = {read_hex, false, STAR}, DECIMAL = {read_decimal, true, DIGIT};

/* Follows the key in numbers from `at`; marks them if `marks`. Returns how many bytes it told. */
static size_t follow(const struct search *search, const struct numbers *how, size_t at, bool marks,
                     size_t *end)
{
    const struct lu_layer *layer = &search->layer;
    size_t same = 0, next = at;
    unsigned value;

    *end = at;
    while (same < search->key.size && next < layer->size && how->read(layer, next, &value, end) &&
           value == (unsigned char)search->key.p[same]) {
        if (marks)
            mark(search, next, *end, how->with);
        same++;
        next = skip_gap(layer, *end);
        if (next == *end && how->apart)
            break;
    }
    return same;
}

static size_t match_numbers(const struct search *search, const struct numbers *how, size_t at)
{
    size_t end;

    if (how->apart && at > 0 && is_alnum(search->layer.text[at - 1]))
        return at;
    if (follow(search, how, at, false, &end) < least(search->key))
        return at;
    (void)follow(search, how, at, true, &end);
    return end;
}

/* ---- In base64 ------------------------------------------------------------------------------- */

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

static size_t match_base64(const struct search *search, size_t before, size_t at)
{
    const struct lu_layer *layer = &search->layer;
    size_t first = (8 * before + 5) / 6, last = 8 * (before + search->key.size) / 6;
    size_t same = 0, end = at;

    while (first + same < last && end < layer->size) {
        char c = layer->text[end];
        if (same > 0 && is_one_of(c, "\r\n")) { /* mail's lines */
            end++;
            continue;
        }
        if ((c == '-' ? '+' : c == '_' ? '/' : c) != base64_at(search->key, before, first + same))
            break;
        end++;
        same++;
    }
    if (same == 0 || same + 1 < 8 * least(search->key) / 6)
        return at;
    if (first + same == last && end < layer->size && is_alnum(layer->text[end]))
        end++; /* the key's last bits, and what follows it */
    mark(search, at, end, STAR);
    return end;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static size_t match(const struct search *search, size_t at)
{
    size_t end = match_plain(search, at);

    if (end == at)
        end = match_numbers(search, &HEX, at);
    if (end == at)
        end = match_numbers(search, &DECIMAL, at);
    for (size_t before = 0; before < 3 && end == at; before++)
        end = match_base64(search, before, at);
    return end;
}

static void look(const struct search *search)
{
    for (size_t at = 0; at < search->layer.size;) {
        size_t end = match(search, at);
        at = end > at ? end : at + 1;
    }
}

/* Takes the escapes of one kind off the text, then those of all kinds as long as there are any. */
static void peel(struct search *search, struct lb_str text, unsigned kinds)
{
    lu_layer_begin(&search->layer, text);
    for (unsigned i = 0; i < LU_MASK_LAYERS && lu_layer_peel(&search->layer, kinds); i++) {
        look(search);
        kinds = LU_ESCAPES_ALL;
    }
}

void lu_mask_key(const struct lb_host *host, struct lb_str key, char *text, size_t size)
{
    struct search search = {.key = key};

    if (key.size == 0 || size == 0)
        return;
    char *copy = lb_alloc(host, size);
    uint32_t *from = lb_calloc(host, size + 1, sizeof *from);
    search.marks = lb_calloc(host, 1, size);
    if (copy == NULL || from == NULL || search.marks == NULL || size > UINT32_MAX) {
        memset(text, STAR, size);
    } else {
        search.layer = (struct lu_layer){.text = copy, .from = from};
        lu_layer_begin(&search.layer, lb_str(text, size));
        look(&search);
        for (unsigned kind = 1; kind <= LU_ESCAPES_ALL; kind = kind < 4 ? kind << 1 : kind + 3)
            peel(&search, lb_str(text, size), kind);
        for (size_t i = 0; i < size; i++)
            text[i] = search.marks[i] != 0 ? search.marks[i] : text[i];
    }
    lb_free(host, search.marks);
    lb_free(host, from);
    if (copy != NULL)
        lb_free_secret(host, copy, size);
}

/* Titles, names and addresses of applications are not hidden where a refusal names them. */
static bool could_be_secret(struct lb_str value)
{
    return value.size >= SECRET_MIN && memmem(value.p, value.size, "://", 3) == NULL &&
           lb_str_find(value, ' ') == value.size;
}

void lu_mask_fields(const struct lb_host *host, struct lb_str lines, char *text, size_t size)
{
    struct lb_str name, value;

    while (lc_fixed_next(&lines, &name, &value)) {
        if (could_be_secret(value))
            lu_mask_key(host, value, text, size);
    }
}
