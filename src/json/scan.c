/* SPDX-License-Identifier: MIT */
/*
 * Most bytes of a request are the insides of strings, so those are run over sixteen at a time;
 * structure goes byte by byte. Nesting is one bit per level (object or array), which is all a
 * check needs, and which caps the depth at the width of the word.
 */
#include "json/scan.h"

enum { LONG_TEXT = 128 }; /* bytes after which a string with escapes is run over in blocks */

static bool fail_at(struct lj_walk *walk, size_t at, const char *why)
{
    walk->at = at;
    walk->why = why;
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

size_t lj_scan_space(const char *p, size_t at, size_t size)
{
    while (at < size && is_space(p[at]))
        at++;
    return at;
}

/* In line: it is asked twice for each name, and mostly there is none. */
static inline __attribute__((always_inline)) void skip_space(struct lj_walk *walk)
{
    size_t at = walk->at;

    if (at < walk->size && (unsigned char)walk->p[at] <= ' ')
        walk->at = lj_scan_space(walk->p, at, walk->size);
}

/* ---- Strings --------------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hex digits; -1 if they are none. */
static int32_t hex_escape(const char *p, size_t size)
{
    int32_t value = 0;

    if (size < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_value(p[i]);
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

/* What a one-letter escape stands for; 0: it is none. */
static char simple_escape(char c)
{
    static const char MEANS[256] = {
        ['"'] = '"',  ['\\'] = '\\', ['/'] = '/',  ['b'] = '\b',
        ['f'] = '\f', ['n'] = '\n',  ['r'] = '\r', ['t'] = '\t',
    };

    return MEANS[(unsigned char)c];
}

/* The bytes of the escape at p[at], or 0. */
static inline size_t escape_size(const char *p, size_t at, size_t size)
{
    if (at + 1 < size && simple_escape(p[at + 1]) != '\0')
        return 2;
    return at + 1 < size && p[at + 1] == 'u' && hex_escape(p + at + 2, size - at - 2) >= 0 ? 6 : 0;
}

/*
 * Over a long text in blocks of 64 bytes: all that a block holds of escapes is found by one look
 * at it, which counts where every line ends in one. Stops at a quote, at what is wrong, or where
 * less than a block is left.
 */
static size_t skip_blocks(const char *p, size_t at, size_t size)
{
    while (size - at >= 64) {
        size_t next = at + 64;
        for (uint64_t bits = lj_scan_block(p + at); bits != 0;) {
            size_t hit = at + (size_t)__builtin_ctzll(bits);
            size_t escape = p[hit] == '\\' ? escape_size(p, hit, size) : 0;
            if (escape == 0)
                return hit;
            if (hit + escape >= at + 64) {
                next = hit + escape;
                break;
            }
            bits &= UINT64_MAX << (hit + escape - at);
        }
        at = next;
    }
    return at;
}

/* A string whose inside begins at `from`, from `at` on, where something else than a plain byte is.
 */
static bool skip_rest(struct lj_walk *walk, size_t from, size_t at, bool *escaped)
{
    const char *p = walk->p;
    const size_t size = walk->size;

    for (;;) {
        if (at == size)
            return fail_at(walk, at, "a string does not end");
        if (p[at] == '"')
            break;
        if (p[at] != '\\')
            return fail_at(walk, at, "a control character in a string");
        *escaped = true;
        size_t escape = escape_size(p, at, size);
        if (escape == 0)
            return fail_at(walk, at, "an unknown escape in a string");
        at += escape;
        if (at - from >= LONG_TEXT)
            at = skip_blocks(p, at, size);
        at = lj_scan_string(p, at, size);
    }
    walk->at = at + 1;
    return true;
}

/*
 * The string whose opening quote is at walk->at; behind its closing quote afterwards. Most have
 * nothing in them that needs a look.
 */
static inline bool skip_string(struct lj_walk *walk, bool *escaped)
{
    const size_t from = walk->at + 1;
    const size_t at = lj_scan_string(walk->p, from, walk->size);

    *escaped = false;
    if (at == walk->size || walk->p[at] != '"')
        return skip_rest(walk, from, at, escaped);
    walk->at = at + 1;
    return true;
}

static size_t put_utf8(uint32_t c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

/* One \uXXXX or a pair of them at raw.p[*at]; false: half a pair. */
static bool take_unicode(struct lb_str raw, size_t *at, uint32_t *c)
{
    int32_t high = hex_escape(raw.p + *at + 2, raw.size - *at - 2);

    *at += 6;
    *c = (uint32_t)high;
    if (high < 0xd800 || high > 0xdfff)
        return high >= 0;
    if (high > 0xdbff || raw.size - *at < 6 || raw.p[*at] != '\\' || raw.p[*at + 1] != 'u')
        return false;
    int32_t low = hex_escape(raw.p + *at + 2, 4);
    if (low < 0xdc00 || low > 0xdfff)
        return false;
    *at += 6;
    *c = 0x10000 + (((uint32_t)high - 0xd800) << 10 | ((uint32_t)low - 0xdc00));
    return true;
}

size_t lj_unescape(struct lb_str raw, char *out, size_t max)
{
    size_t size = 0;

    for (size_t at = 0; at < raw.size;) {
        char piece[4] = {raw.p[at]};
        size_t piece_size = 1;
        if (raw.p[at] != '\\') {
            at++;
        } else if (at + 1 < raw.size && raw.p[at + 1] == 'u') {
            uint32_t c;
            if (!take_unicode(raw, &at, &c))
                return SIZE_MAX;
            piece_size = put_utf8(c, piece);
        } else {
            piece[0] = at + 1 < raw.size ? simple_escape(raw.p[at + 1]) : '\\';
            at += 2;
        }
        if (piece_size > max - size)
            return SIZE_MAX;
        memcpy(out + size, piece, piece_size);
        size += piece_size;
    }
    return size;
}

struct lb_str lj_member_name(const struct lj_member *member, char *buf, size_t max)
{
    if (!member->escaped)
        return member->name;
    size_t size = lj_unescape(member->name, buf, max);
    return size != SIZE_MAX ? lb_str(buf, size) : lb_str(NULL, 0);
}

/* ---- Values ---------------------------------------------------------------------------------- */

static bool is_digit(const struct lj_walk *walk, size_t at)
{
    return at < walk->size && walk->p[at] >= '0' && walk->p[at] <= '9';
}

static size_t skip_digits(const struct lj_walk *walk, size_t at)
{
    while (is_digit(walk, at))
        at++;
    return at;
}

static bool skip_number(struct lj_walk *walk)
{
    const char *p = walk->p;
    size_t at = walk->at;

    at += p[at] == '-';
    if (!is_digit(walk, at))
        return fail_at(walk, at, "a digit is missing");
    at = p[at] == '0' ? at + 1 : skip_digits(walk, at);
    if (at < walk->size && p[at] == '.') {
        if (!is_digit(walk, ++at))
            return fail_at(walk, at, "a digit is missing");
        at = skip_digits(walk, at);
    }
    if (at < walk->size && (p[at] == 'e' || p[at] == 'E')) {
        at++;
        at += at < walk->size && (p[at] == '+' || p[at] == '-');
        if (!is_digit(walk, at))
            return fail_at(walk, at, "a digit is missing");
        at = skip_digits(walk, at);
    }
    walk->at = at;
    return true;
}

static bool skip_word(struct lj_walk *walk, struct lb_str word)
{
    if (walk->size - walk->at < word.size || memcmp(walk->p + walk->at, word.p, word.size) != 0)
        return fail_at(walk, walk->at, "no value");
    walk->at += word.size;
    return true;
}

static bool skip_scalar(struct lj_walk *walk)
{
    bool escaped;

    switch (walk->p[walk->at]) {
    case '"':
        return skip_string(walk, &escaped);
    case 't':
        return skip_word(walk, LB_STR("true"));
    case 'f':
        return skip_word(walk, LB_STR("false"));
    case 'n':
        return skip_word(walk, LB_STR("null"));
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return skip_number(walk);
    default:
        return fail_at(walk, walk->at, "no value");
    }
}

/* Space, a name (between its quotes), space, a colon, space. */
static inline bool skip_name(struct lj_walk *walk, struct lb_str *name, bool *escaped)
{
    skip_space(walk);
    if (walk->at == walk->size || walk->p[walk->at] != '"')
        return fail_at(walk, walk->at, "a member's name is missing");
    const size_t from = walk->at + 1;
    if (!skip_string(walk, escaped))
        return false;
    *name = lb_str(walk->p + from, walk->at - 1 - from);
    skip_space(walk);
    if (walk->at == walk->size || walk->p[walk->at] != ':')
        return fail_at(walk, walk->at, "a colon is missing");
    walk->at++;
    return true;
}

/* One within a value: in the same look it is found whether it may be one that is looked for. */
static bool skip_inner_name(struct lj_walk *walk)
{
    struct lb_str name;
    bool escaped;

    if (!skip_name(walk, &name, &escaped))
        return false;
    const struct lj_wanted *wanted = walk->wanted;
    if (wanted == NULL)
        return true;
    if (escaped)
        walk->hint = walk->ids = true;
    else if (name.size >= LJ_WANTED_MIN)
        walk->hint |= lj_is_wanted(wanted, name);
    else if (name.size == 2)
        walk->ids |= (name.p[0] | 0x20) == 'i' && (name.p[1] | 0x20) == 'd';
    return true;
}

/* Levels that are open inside the value: bit `depth - 1` says whether the innermost is an object.
 */
struct nesting {
    uint64_t objects;
    unsigned depth;
};

static bool in_object(const struct nesting *nesting)
{
    return (nesting->objects >> (nesting->depth - 1) & 1) != 0;
}

/* After a value: closes what ends here, and goes to where the next value starts. */
static bool to_next_value(struct lj_walk *walk, struct nesting *nesting)
{
    while (nesting->depth > 0) {
        skip_space(walk);
        if (walk->at == walk->size)
            return fail_at(walk, walk->at, "it ends too early");
        char c = walk->p[walk->at];
        if (c == ',') {
            walk->at++;
            return !in_object(nesting) || skip_inner_name(walk);
        }
        if (c != (in_object(nesting) ? '}' : ']'))
            return fail_at(walk, walk->at, "a comma or a closing bracket is missing");
        walk->at++;
        nesting->depth--;
    }
    return true;
}

/* An opening bracket; *empty if its closing one follows. */
static bool open_level(struct lj_walk *walk, struct nesting *nesting, bool *empty)
{
    bool object = walk->p[walk->at] == '{';

    if (walk->level + nesting->depth >= LJ_DEPTH_MAX)
        return fail_at(walk, walk->at, "it is nested too deeply");
    walk->at++;
    skip_space(walk);
    *empty = walk->at < walk->size && walk->p[walk->at] == (object ? '}' : ']');
    if (*empty) {
        walk->at++;
        return true;
    }
    uint64_t bit = UINT64_C(1) << nesting->depth;
    nesting->objects = object ? nesting->objects | bit : nesting->objects & ~bit;
    nesting->depth++;
    return !object || skip_inner_name(walk);
}

static bool skip_value(struct lj_walk *walk)
{
    struct nesting nesting = {0};

    do {
        bool closed = true;
        skip_space(walk);
        if (walk->at == walk->size)
            return fail_at(walk, walk->at, "it ends too early");
        char c = walk->p[walk->at];
        if (c == '{' || c == '[') {
            if (!open_level(walk, &nesting, &closed))
                return false;
        } else if (!skip_scalar(walk)) {
            return false;
        }
        if (closed && nesting.depth > 0) {
            if (!to_next_value(walk, &nesting))
                return false;
        }
    } while (nesting.depth > 0);
    return true;
}

/* ---- Walks ----------------------------------------------------------------------------------- */

static void start(struct lj_walk *walk, struct lb_str text, size_t at, unsigned level, char opening,
                  const char *why)
{
    *walk = (struct lj_walk){.p = text.p, .size = text.size, .at = at, .level = level};
    if (at >= text.size || text.p[at] != opening)
        (void)fail_at(walk, at, why);
    else
        walk->at++;
}

void lj_walk_start(struct lj_walk *walk, struct lb_str text, size_t at, unsigned level)
{
    start(walk, text, at, level, '{', "no object");
}

void lj_list_start(struct lj_walk *walk, struct lb_str text, size_t at, unsigned level)
{
    start(walk, text, at, level, '[', "no array");
}

/* Goes behind the comma to what comes next; false: nothing does, or it is malformed. */
static inline bool to_next(struct lj_walk *walk, char closing)
{
    if (walk->done || walk->why != NULL)
        return false;
    skip_space(walk);
    char c = walk->at < walk->size ? walk->p[walk->at] : '\0';
    if (c == closing) {
        walk->done = true;
        walk->at++;
        return false;
    }
    if (walk->before > 0) {
        if (c != ',')
            return fail_at(walk, walk->at, "a comma or a closing bracket is missing");
        walk->at++;
        skip_space(walk);
    }
    return true;
}

static inline bool take_value(struct lj_walk *walk, struct lj_span *value)
{
    skip_space(walk);
    value->at = walk->at;
    if (!skip_value(walk))
        return false;
    value->size = walk->at - value->at;
    walk->before = walk->at;
    return true;
}

bool lj_walk_next(struct lj_walk *walk, struct lj_member *member)
{
    struct lj_member next = {.before = walk->before};

    if (!to_next(walk, '}'))
        return false;
    next.name_at = walk->at;
    if (!skip_name(walk, &next.name, &next.escaped) || !take_value(walk, &next.value))
        return false;
    *member = next;
    return true;
}

bool lj_list_next(struct lj_walk *walk, struct lj_span *element)
{
    struct lj_span next;

    if (!to_next(walk, ']') || !take_value(walk, &next))
        return false;
    *element = next;
    return true;
}
