/* SPDX-License-Identifier: MIT */
/*
 * A walk with one entry per open level, which says what an `id` or a string in it refers to (row)
 * and where in a known dialect it stands (place). See the header.
 */
#include "dialect/refs.h"

#include <string.h>

#include "json/scan.h"

enum {
    NAME_RAW_MAX = 256, /* bytes of a name as written; longer ones are no one's */
    NAME_MAX = 64,      /* of its normal form */
};

enum where { WHOLE, TAIL };

static const struct row {
    enum ld_ref_kind kind;
    struct lb_str name;
    enum where where;
    struct lb_str prefix;
} ROWS[] = {
#define LD_REF(KIND, name, WHERE, prefix)                                                          \
    {LD_REF_##KIND, {name, sizeof(name) - 1}, WHERE, {prefix, sizeof(prefix) - 1}},
#include "dialect/refs.def"
#undef LD_REF
};

enum { ROW_COUNT = sizeof ROWS / sizeof ROWS[0] };

/* Of an item in `input`: no row of the table says so, its place does. */
static const struct row ITEM_ROW = {.kind = LD_REF_ITEM};

enum { ROW_ITEM = ROW_COUNT + 1 }; /* as the rows: 1 + index */

const char *ld_ref_kind_name(enum ld_ref_kind kind)
{
    static const char *const NAMES[] = {
#define LD_REF_KIND_NAME(name, text) text,
        LD_REF_KIND_MAP(LD_REF_KIND_NAME)
#undef LD_REF_KIND_NAME
    };

    return NAMES[kind];
}

/* ---- Names ----------------------------------------------------------------------------------- */

/*
 * By the last two letters of a name the sizes it has: bit n for n bytes, '_' and '-' counted or
 * not, and one more for an s that is written as U+017F. The index of two pairs may not be the same
 * one (-Woverride-init).
 */
#define FROM(size) (~UINT64_C(0) << (size))
#define EXACT(size) (UINT64_C(1) << (size))

/* What every chat with tools has, tool_call_id and properties, is none. */
static bool is_wanted(struct lb_str name)
{
    const char *last = name.p + name.size - 1;

    if (((unsigned char)last[0] | (unsigned char)last[-1] | (unsigned char)last[-2]) >= 0x80)
        return true; /* letters beyond ASCII may stand for an s */
    if ((last[0] | 0x20) == 's')
        return (last[-1] | 0x20) != 'e' || (last[-2] | 0x20) == 'l';
    return (last[0] | 0x20) != 'd' || last[-2] != '_' || (last[-3] | 0x20) != 'l' ||
           (last[-5] | 0x20) != 'a';
}

const struct lj_wanted ld_refs_wanted = {
    .is = is_wanted,
    .sizes =
        {
            [LJ_ENDS('i', 'd')] = FROM(6),               /* file_id */
            [LJ_ENDS('d', 's')] = FROM(7),               /* file_ids */
            [LJ_ENDS('l', 'e')] = FROM(9),               /* input_file, training_file */
            [LJ_ENDS('e', 's')] = FROM(10),              /* input_files, training_files */
            [LJ_ENDS('o', 'n')] = EXACT(12) | EXACT(13), /* conversation */
            [LJ_ENDS('e', 'r')] = EXACT(9),              /* container */
            [LJ_ENDS('n', 't')] = FROM(13),              /* cached_content, from_checkpoint */
            [LJ_ENDS('e', 'l')] = FROM(5),               /* model */
            [LJ_ENDS('p', 't')] = EXACT(6),              /* prompt */
            [LJ_ENDS('i', 'o')] = EXACT(5),              /* audio */
        },
};

/* Lower case, without '_' and '-', and with an s and a k for U+017F and U+212A, which fold to them.
 */
static struct lb_str normal_form(struct lb_str name, char out[NAME_MAX])
{
    static const struct lb_str LONG_S = {"\xc5\xbf", 2}, KELVIN = {"\xe2\x84\xaa", 3};
    size_t size = 0;

    while (name.size > 0) {
        bool is_s = lb_str_starts(name, LONG_S), is_k = lb_str_starts(name, KELVIN);
        char c = is_s ? 's' : is_k ? 'k' : lb_ascii_lower(name.p[0]);
        name = lb_str_sub(name, is_s ? LONG_S.size : is_k ? KELVIN.size : 1, name.size);
        if (c == '_' || c == '-')
            continue;
        if (size == NAME_MAX) { /* only the end of such a name is in the table */
            memmove(out, out + 1, NAME_MAX - 1);
            size--;
        }
        out[size++] = c;
    }
    return lb_str(out, size);
}

/* 1 + the index of the name's row; 0: it has none. */
static uint8_t row_of(struct lb_str name)
{
    char room[NAME_MAX];

    if (!ld_ref_hint(name))
        return 0;
    struct lb_str form = normal_form(name, room);
    for (size_t i = 0; i < ROW_COUNT; i++) {
        const struct lb_str wanted = ROWS[i].name;
        if (form.size < wanted.size || (ROWS[i].where == WHOLE && form.size != wanted.size))
            continue;
        if (memcmp(form.p + form.size - wanted.size, wanted.p, wanted.size) == 0)
            return (uint8_t)(i + 1);
    }
    return 0;
}

static const struct row *row_at(uint8_t number)
{
    return number == ROW_ITEM ? &ITEM_ROW : &ROWS[number - 1];
}

static bool has_prefix(struct lb_str id, struct lb_str prefix)
{
    return id.size >= prefix.size && lb_str_eq_nocase(lb_str_sub(id, 0, prefix.size), prefix);
}

bool ld_ref_named(struct lb_str name, struct lb_str value, struct ld_ref *ref)
{
    value = lb_str_trim(value);
    while (name.size > 0 && value.size > 0) {
        size_t end = 0;
        while (end < name.size && memchr("[].", name.p[end], 3) == NULL)
            end++;
        uint8_t row = row_of(lb_str_sub(name, 0, end));
        if (row != 0 && has_prefix(value, row_at(row)->prefix)) {
            *ref = (struct ld_ref){.kind = row_at(row)->kind, .id = value, .item_at = SIZE_MAX};
            if (value.size > LD_REF_ID_MAX)
                ref->id = lb_str(NULL, 0);
            return true;
        }
        name = lb_str_sub(name, end + 1, name.size);
    }
    return false;
}

bool ld_refs_choose(struct lb_str body)
{
    static const char *const NAMES[] = {"id", "rid", "requestid"};
    char plain[NAME_RAW_MAX], room[NAME_MAX];
    struct lj_walk walk;
    struct lj_member member;

    lj_walk_start(&walk, body, lj_scan_space(body.p, 0, body.size), 1);
    while (lj_walk_next(&walk, &member)) {
        struct lb_str name = lj_member_name(&member, plain, sizeof plain);
        struct lb_str form = normal_form(name.p != NULL ? name : lb_str("", 0), room);
        for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
            if (lb_str_eq_c(form, NAMES[i]) && body.p[member.value.at] != 'n')
                return true;
        }
    }
    return false;
}

bool ld_item_is_whole(struct lb_str text, size_t at)
{
    static const char *const TELLING[] = {"content", "arguments", "output", "encrypted_content"};
    char plain[NAME_RAW_MAX];
    struct lj_walk walk;
    struct lj_member member;
    bool is_whole = false;

    lj_walk_start(&walk, text, at, 1);
    while (lj_walk_next(&walk, &member)) {
        struct lb_str name = lj_member_name(&member, plain, sizeof plain);
        struct lb_str value =
            lb_str_sub(text, member.value.at, member.value.at + member.value.size);
        if (name.p == NULL ||
            (lb_str_eq_c(name, "type") && (lb_str_find(value, '\\') < value.size ||
                                           lb_str_eq_nocase(value, LB_STR("\"item_reference\"")))))
            return false;
        for (size_t i = 0; i < sizeof TELLING / sizeof TELLING[0]; i++)
            is_whole = is_whole || (lb_str_eq_c(name, TELLING[i]) && value.p[0] != 'n');
    }
    return is_whole && walk.why == NULL;
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* XX(NAME) of where a level stands in a body that some dialect defines. */
enum place {
    NOWHERE,
    OUTSIDE, /* around the root */
    ROOT,    /* the request; the body in a line of a batch file, too */
    ITEMS,   /* input: [...] */
    ITEM,
    MESSAGES, /* messages: [...] */
    MESSAGE,
    CONTENT, /* messages[].content: [...] */
    BLOCK,
    REQUESTS, /* requests: [...] of a batch of messages */
    REQUEST,
    OPAQUE /* the caller's own data */
};

/* What an opening bracket begins that stands in an array or at the top. */
static enum place place_of_element(enum place parent, bool object)
{
    switch (parent) {
    case OUTSIDE:
        return object ? ROOT : OUTSIDE;
    case ITEMS:
        return ITEM;
    case MESSAGES:
        return MESSAGE;
    case CONTENT:
        return BLOCK;
    case REQUESTS:
        return REQUEST;
    case OPAQUE:
        return OPAQUE;
    default:
        return NOWHERE;
    }
}

/*
 * Members that lead from one place to the next. To where more is looked at, as the most lenient
 * parser reads their names; to where less is, as they are defined.
 */
static const struct {
    enum place from;
    struct lb_str name;
    enum place array, object;
} WAYS[] = {
    {ROOT, {"input", 5}, ITEMS, ITEM},          {ROOT, {"items", 5}, ITEMS, NOWHERE},
    {ROOT, {"messages", 8}, MESSAGES, NOWHERE}, {ROOT, {"body", 4}, NOWHERE, ROOT},
    {ROOT, {"requests", 8}, REQUESTS, NOWHERE}, {MESSAGE, {"content", 7}, CONTENT, NOWHERE},
    {BLOCK, {"input", 5}, NOWHERE, OPAQUE},     {REQUEST, {"params", 6}, NOWHERE, ROOT},
    {REQUEST, {"body", 4}, NOWHERE, ROOT},
};

/* 1 + the index of the way that a member leads, METADATA, or 0. */
enum { METADATA = sizeof WAYS / sizeof WAYS[0] + 1 };

static uint8_t way_of(enum place parent, struct lb_str name)
{
    const bool known = parent == ROOT || parent == MESSAGE || parent == BLOCK || parent == REQUEST;
    char room[NAME_MAX];
    struct lb_str form = known ? normal_form(name, room) : name;

    for (size_t i = 0; known && i < sizeof WAYS / sizeof WAYS[0]; i++) {
        bool exact = WAYS[i].array == MESSAGES || parent == MESSAGE || parent == BLOCK;
        if (WAYS[i].from == parent && lb_str_eq(WAYS[i].name, exact ? name : form))
            return (uint8_t)(i + 1);
    }
    /* Codex tells of itself in client_metadata: session, thread and turn are its own. */
    return lb_str_eq_c(name, "metadata") || lb_str_eq_c(name, "client_metadata") ? METADATA : 0;
}

static enum place place_of_member(uint8_t way, bool object)
{
    if (way == 0)
        return NOWHERE;
    if (way == METADATA)
        return object ? OPAQUE : NOWHERE;
    return object ? WAYS[way - 1].object : WAYS[way - 1].array;
}

/* ---- The walk -------------------------------------------------------------------------------- */

void ld_refs_start(struct ld_refs *refs, struct lb_str text)
{
    refs->why = NULL;
    refs->text = text;
    refs->at = 0;
    refs->depth = 0;
    refs->name_row = refs->name_place = 0;
    refs->named = false;
}

static enum place place_here(const struct ld_refs *refs)
{
    return refs->depth > 0 ? (enum place)refs->level[refs->depth - 1].place : OUTSIDE;
}

static bool open_level(struct ld_refs *refs, bool object)
{
    enum place here = place_here(refs);

    if (refs->depth == LJ_DEPTH_MAX) {
        refs->why = "it is nested too deeply";
        return false;
    }
    enum place place = refs->named && here != OPAQUE ? place_of_member(refs->name_place, object)
                                                     : place_of_element(here, object);
    uint8_t row = 0;
    if (refs->named)
        row = refs->name_row;
    else if (refs->depth > 0 && !refs->level[refs->depth - 1].object)
        row = refs->level[refs->depth - 1].row;
    if (place == ITEM && row == 0)
        row = ROW_ITEM;
    refs->level[refs->depth].row = row;
    refs->level[refs->depth].place = (uint8_t)place;
    refs->level[refs->depth].object = object;
    refs->level[refs->depth].at = refs->at - 1;
    refs->depth++;
    refs->named = false;
    return true;
}

/* The string whose opening quote is at refs->at; behind its closing quote afterwards. */
static struct lb_str take_string(struct ld_refs *refs, bool *escaped)
{
    const struct lb_str text = refs->text;
    const size_t from = refs->at + 1;
    size_t at = from;

    *escaped = false;
    while ((at = lj_scan_string(text.p, at, text.size)) < text.size && text.p[at] != '"') {
        bool escape = text.p[at] == '\\';
        *escaped = *escaped || escape;
        at += escape ? 2 : 1;
        if (at > text.size)
            at = text.size;
    }
    refs->at = at < text.size ? at + 1 : at;
    return lb_str(text.p + from, at - from);
}

/* A member's name was read: what will its value be? */
static void take_name(struct ld_refs *refs, struct lb_str raw, bool escaped)
{
    enum place here = place_here(refs);
    char plain[NAME_RAW_MAX];
    struct lb_str name = raw;

    refs->named = true;
    refs->name_row = refs->name_place = 0;
    if (here == OPAQUE || raw.size > NAME_RAW_MAX)
        return;
    if (escaped) {
        size_t size = lj_unescape(raw, plain, sizeof plain);
        name = lb_str(plain, size != SIZE_MAX ? size : 0);
    }
    refs->name_row = row_of(name);
    refs->name_place = way_of(here, name);
    if (name.size == 2 && lb_str_eq_nocase(name, LB_STR("id")))
        refs->name_row = refs->level[refs->depth - 1].row;
}

/* Which row a value in this place belongs to. */
static uint8_t row_here(const struct ld_refs *refs)
{
    if (refs->named)
        return refs->name_row;
    if (refs->depth == 0 || refs->level[refs->depth - 1].object)
        return 0;
    /* An array's row: that of an array of items is for its elements' ids alone. */
    uint8_t row = refs->level[refs->depth - 1].row;
    return row == ROW_ITEM ? 0 : row;
}

/* A string or a number that ends at refs->at. */
static bool take_value(struct ld_refs *refs, struct lb_str raw, bool escaped, struct ld_ref *ref)
{
    uint8_t number = row_here(refs);

    refs->named = false;
    if (number == 0 || raw.size == 0)
        return false;
    const struct row *row = row_at(number);
    struct ld_ref found = {
        .kind = row->kind,
        .at = {(size_t)(raw.p - refs->text.p), raw.size},
        .id = raw,
        .item_at = number == ROW_ITEM ? refs->level[refs->depth - 1].at : SIZE_MAX,
    };
    if (escaped) {
        size_t size = lj_unescape(raw, refs->id, sizeof refs->id);
        found.id = size != SIZE_MAX ? lb_str(refs->id, size) : lb_str(NULL, 0);
    }
    if (found.id.size > LD_REF_ID_MAX)
        found.id = lb_str(NULL, 0);
    if (found.id.p != NULL && !has_prefix(found.id, row->prefix))
        return false;
    if (found.id.p == NULL && row->prefix.size > 0 && !has_prefix(raw, row->prefix))
        return false; /* a long text where a name could have stood */
    *ref = found;
    return true;
}

static bool is_name(const struct ld_refs *refs)
{
    size_t at = lj_scan_space(refs->text.p, refs->at, refs->text.size);

    return refs->depth > 0 && refs->level[refs->depth - 1].object && at < refs->text.size &&
           refs->text.p[at] == ':';
}

/* A number or a word; at least one byte. */
static struct lb_str take_scalar(struct ld_refs *refs)
{
    const struct lb_str text = refs->text;
    size_t from = refs->at;

    do
        refs->at++;
    while (refs->at < text.size && (unsigned char)text.p[refs->at] > ' ' &&
           memchr(",:[]{}\"", text.p[refs->at], 7) == NULL);
    return lb_str(text.p + from, refs->at - from);
}

static bool is_number(struct lb_str word)
{
    return word.p[0] == '-' || (word.p[0] >= '0' && word.p[0] <= '9');
}

bool ld_refs_next(struct ld_refs *refs, struct ld_ref *ref)
{
    const struct lb_str text = refs->text;

    while (refs->why == NULL && refs->at < text.size) {
        char c = text.p[refs->at];
        bool escaped;
        if ((unsigned char)c <= ' ' || c == ',' || c == ':') {
            refs->at++;
        } else if (c == '{' || c == '[') {
            refs->at++;
            if (!open_level(refs, c == '{'))
                return false;
        } else if (c == '}' || c == ']') {
            refs->at++;
            refs->depth -= refs->depth > 0;
            refs->named = false;
        } else if (c == '"') {
            struct lb_str raw = take_string(refs, &escaped);
            if (is_name(refs))
                take_name(refs, raw, escaped);
            else if (take_value(refs, raw, escaped, ref))
                return true;
        } else {
            struct lb_str word = take_scalar(refs);
            if (is_number(word) && take_value(refs, word, false, ref))
                return true;
            refs->named = false;
        }
    }
    return false;
}
