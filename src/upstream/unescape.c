/* SPDX-License-Identifier: MIT */
/*
 * Lenient, as whoever shows such a text to people is: what is no escape stands for itself. A
 * character beyond one byte becomes one that no key has.
 */
#include "upstream/unescape.h"

#include <string.h>

enum { FOREIGN = 0x01, ENTITY_MAX = 10 };

static const struct entity {
    struct lb_str name;
    char byte;
} ENTITIES[] = {
    {LB_STR("amp;"), '&'},    {LB_STR("quot;"), '"'},   {LB_STR("apos;"), '\''},
    {LB_STR("lt;"), '<'},     {LB_STR("gt;"), '>'},     {LB_STR("sol;"), '/'},
    {LB_STR("bsol;"), '\\'},  {LB_STR("plus;"), '+'},   {LB_STR("equals;"), '='},
    {LB_STR("lowbar;"), '_'}, {LB_STR("hyphen;"), '-'}, {LB_STR("dash;"), '-'},
    {LB_STR("period;"), '.'}, {LB_STR("colon;"), ':'},  {LB_STR("comma;"), ','},
    {LB_STR("semi;"), ';'},   {LB_STR("percnt;"), '%'}, {LB_STR("num;"), '#'},
    {LB_STR("excl;"), '!'},   {LB_STR("quest;"), '?'},  {LB_STR("commat;"), '@'},
    {LB_STR("dollar;"), '$'}, {LB_STR("ast;"), '*'},    {LB_STR("lpar;"), '('},
    {LB_STR("rpar;"), ')'},   {LB_STR("lsqb;"), '['},   {LB_STR("rsqb;"), ']'},
    {LB_STR("lcub;"), '{'},   {LB_STR("rcub;"), '}'},   {LB_STR("verbar;"), '|'},
    {LB_STR("Hat;"), '^'},    {LB_STR("grave;"), '`'},
};

static int digit_of(char c, unsigned base)
{
    int value = c >= '0' && c <= '9'                     ? c - '0'
                : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10
                                                         : 99;
    return value < (int)base ? value : -1;
}

/* Up to `most` digits, at least `least`; the size of what was read, or 0. */
static size_t number(struct lb_str s, unsigned base, size_t least, size_t most, char *byte)
{
    uint32_t value = 0;
    size_t size = 0;

    while (size < s.size && size < most && digit_of(s.p[size], base) >= 0)
        value = value * base + (uint32_t)digit_of(s.p[size++], base);
    if (size < least)
        return 0;
    *byte = (char)(value < 256 ? value : FOREIGN);
    return size;
}

/* Each: `s` behind the mark that began the escape. The size of what follows it, or 0. */

static size_t json_escape(struct lb_str s, char *byte)
{
    static const char CONTROLS[] = "n\nt\tr\rb\bf\fa\av\v";
    size_t size = 0;

    if (s.size == 0)
        return 0;
    if (s.size > 3 && s.p[0] == 'u' && s.p[1] == '{') {
        size = number(lb_str_sub(s, 2, s.size), 16, 1, 6, byte);
        return size > 0 && size + 2 < s.size && s.p[size + 2] == '}' ? size + 3 : 0;
    }
    if (s.p[0] == 'u' || s.p[0] == 'U' || s.p[0] == 'x') {
        size_t digits = s.p[0] == 'u' ? 4 : s.p[0] == 'U' ? 8 : 2;
        size = number(lb_str_sub(s, 1, s.size), 16, digits, digits, byte);
        return size > 0 ? size + 1 : 0;
    }
    size = number(s, 8, 3, 3, byte);
    if (size > 0)
        return size;
    *byte = s.p[0];
    for (size_t i = 0; i + 1 < sizeof CONTROLS; i += 2) {
        if (s.p[0] == CONTROLS[i])
            *byte = CONTROLS[i + 1];
    }
    return 1;
}

static size_t url_escape(struct lb_str s, char *byte)
{
    if (s.size > 4 && (s.p[0] == 'u' || s.p[0] == 'U')) {
        size_t size = number(lb_str_sub(s, 1, s.size), 16, 4, 4, byte);
        return size > 0 ? size + 1 : 0;
    }
    return number(s, 16, 2, 2, byte);
}

static size_t html_escape(struct lb_str s, char *byte)
{
    if (s.size > 1 && s.p[0] == '#') {
        bool is_hex = s.p[1] == 'x' || s.p[1] == 'X';
        size_t at = is_hex ? 2 : 1;
        size_t size = number(lb_str_sub(s, at, s.size), is_hex ? 16 : 10, 1, 8, byte);
        if (size == 0)
            return 0;
        at += size;
        return at < s.size && s.p[at] == ';' ? at + 1 : at;
    }
    for (size_t i = 0; i < sizeof ENTITIES / sizeof ENTITIES[0]; i++) {
        if (lb_str_starts(s, ENTITIES[i].name)) {
            *byte = ENTITIES[i].byte;
            return ENTITIES[i].name.size;
        }
    }
    return 0;
}

static size_t escape(struct lb_str s, unsigned kinds, char *byte)
{
    struct lb_str rest = lb_str_sub(s, 1, s.size);

    switch (s.p[0]) {
    case '\\':
        return (kinds & LU_ESCAPES_JSON) != 0 ? json_escape(rest, byte) : 0;
    case '%':
        return (kinds & LU_ESCAPES_URL) != 0 ? url_escape(rest, byte) : 0;
    case '&':
        return (kinds & LU_ESCAPES_HTML) != 0 ? html_escape(rest, byte) : 0;
    default:
        return 0;
    }
}

void lu_layer_begin(struct lu_layer *layer, struct lb_str text)
{
    memcpy(layer->text, text.p, text.size);
    layer->size = text.size;
    for (size_t i = 0; i <= text.size; i++)
        layer->from[i] = (uint32_t)i;
}

bool lu_layer_peel(struct lu_layer *layer, unsigned kinds)
{
    const size_t size = layer->size;
    size_t to = 0;

    /* What is written never overtakes what is read. */
    for (size_t at = 0; at < size; to++) {
        char byte = layer->text[at];
        uint32_t from = layer->from[at];
        size_t taken = escape(lb_str(layer->text + at, size - at), kinds, &byte);
        at += 1 + taken;
        layer->text[to] = byte;
        layer->from[to] = from;
    }
    layer->from[to] = layer->from[size];
    layer->size = to;
    return to < size;
}
