/* SPDX-License-Identifier: MIT */
/*
 * Two machines in one: lines of an event stream, of which those of data are JSON, and JSON itself,
 * of which a counter of levels and the rules of the first few are kept. Levels in which no rule has
 * a place are run over sixteen bytes at a time, as strings are.
 */
#include "dialect/signer.h"

#include "base/raw.h"
#include "http/scan.h"
#include "json/scan.h"

/* Of signed.def. */
enum node {
    NODE_NONE,
    NODE_RESPONSES,
    NODE_RESPONSE,
    NODE_ITEM,
    NODE_CHATS,
    NODE_MESSAGE,
    NODE_SPOKEN,
    NODE_CHOICE,
    NODE_SAID,
    NODE_AUDIO
};

static const uint8_t TOPS[] = {
    [LD_SIGNED_RESPONSES] = NODE_RESPONSES,
    [LD_SIGNED_CHATS] = NODE_CHATS,
    [LD_SIGNED_SPOKEN] = NODE_SPOKEN,
};

/* What a member is: 0 nothing to us, MEMBER_ID, or MEMBER_IN + the node below it. */
enum { MEMBER_NONE, MEMBER_ID, MEMBER_IN };

static const struct rule {
    uint8_t node;
    uint8_t member;
    struct lb_str name;
} RULES[] = {
#define LD_SIGNED_ID(NODE, name) {NODE_##NODE, MEMBER_ID, {name, sizeof(name) - 1}},
#define LD_SIGNED_IN(NODE, name, CHILD)                                                            \
    {NODE_##NODE, MEMBER_IN + NODE_##CHILD, {name, sizeof(name) - 1}},
#include "dialect/signed.def"
};

/* Of a line: its beginning, its value if it is one of data, or what is nobody's. */
enum line { LINE_START, LINE_DATA, LINE_OTHER };

/* Of a string. */
enum use { USE_NONE, USE_NAME, USE_ID };

static const struct lb_str DATA = {"data:", 5};
static const char BOM[] = "\xef\xbb\xbf";

/* One call of ld_signer_feed. */
struct pass {
    struct ld_signer *signer;
    struct lb_str in;
    struct ld_signer_out *out;
    size_t run;   /* bytes of `in` before this are handed out */
    size_t tails; /* used by this call */
};

static void reset_id(struct ld_signer *signer)
{
    signer->started = signer->over = signer->idle = false;
    signer->in_string = signer->escape = signer->expect_name = false;
    signer->depth = 0;
}

void ld_signer_init(struct ld_signer *signer, enum ld_signed_family family, bool stream,
                    ld_tail_fn tail, void *context)
{
    *signer = (struct ld_signer){
        .tail = tail,
        .context = context,
        .stream = stream,
        .top = TOPS[family],
        .blank = true,
    };
}

/* ---- Handing out ----------------------------------------------------------------------------- */

static void put_slice(struct pass *pass, struct lb_str slice)
{
    if (slice.size > 0)
        pass->out->slice[pass->out->count++] = slice;
}

/* The tail of the id that has passed, made or remembered, in the signer's memory. */
static struct lb_str tail_of(struct ld_signer *signer, struct lb_str id)
{
    if (lb_str_eq(id, lb_str(signer->known, signer->known_size)))
        return lb_str(signer->known_tail, signer->known_tail_size);
    signer->known_tail_size = signer->tail(signer->context, id, signer->known_tail);
    signer->known_size = id.size <= LD_SIGNER_KNOWN_MAX ? id.size : 0;
    memcpy(signer->known, id.p, signer->known_size);
    return lb_str(signer->known_tail, signer->known_tail_size);
}

/* An id ends before the quote at in.p[at]. */
static void end_id(struct pass *pass, size_t at)
{
    struct ld_signer *signer = pass->signer;
    struct lb_str id = lb_str(signer->id, signer->id_size);
    LB_RAW char plain[LD_SIGNER_ID_MAX];

    if (id.size == 0 || id.size > LD_SIGNER_ID_MAX)
        return;
    if (signer->escaped) {
        size_t size = lj_unescape(id, plain, sizeof plain);
        if (size == 0 || size == SIZE_MAX)
            return;
        id = lb_str(plain, size);
    }
    struct lb_str tail = tail_of(signer, id);
    char *copy = signer->tails[pass->tails];
    memcpy(copy, tail.p, tail.size);
    if (tail.size == 0)
        return;
    pass->tails++;
    put_slice(pass, lb_str_sub(pass->in, pass->run, at));
    put_slice(pass, lb_str(copy, tail.size));
    pass->run = at;
}

/* ---- Strings --------------------------------------------------------------------------------- */

static uint8_t find_member(const struct ld_signer *signer)
{
    struct lb_str name = lb_str(signer->name, signer->name_size);
    const uint8_t node = signer->node[signer->depth];
    char plain[LD_SIGNER_NAME_MAX];

    if (name.size > LD_SIGNER_NAME_MAX)
        return MEMBER_NONE;
    if (signer->escaped) {
        size_t size = lj_unescape(name, plain, sizeof plain);
        name = lb_str(plain, size != SIZE_MAX ? size : 0);
    }
    for (size_t i = 0; i < sizeof RULES / sizeof RULES[0]; i++) {
        if (RULES[i].node == node && lb_str_eq(RULES[i].name, name))
            return RULES[i].member;
    }
    return MEMBER_NONE;
}

static void begin_string(struct ld_signer *signer)
{
    signer->in_string = true;
    signer->use = USE_NONE;
    if (signer->idle)
        return;
    if (signer->expect_name)
        signer->use = USE_NAME;
    else if (signer->member == MEMBER_ID)
        signer->use = USE_ID;
    signer->expect_name = false;
    signer->name_size = 0;
    signer->id_size = 0;
    signer->escaped = false;
}

/* More bytes of a string behind `size` of them; max + 1: it is longer than it may be. */
static size_t append_bytes(char *to, size_t size, size_t max, struct lb_str bytes)
{
    if (size > max || bytes.size > max - size)
        return max + 1;
    if (bytes.size > 0)
        memcpy(to + size, bytes.p, bytes.size);
    return size + bytes.size;
}

/* Bytes of a string that matters, as they are written. */
static void keep_bytes(struct ld_signer *signer, struct lb_str bytes)
{
    if (signer->use == USE_ID)
        signer->id_size = append_bytes(signer->id, signer->id_size, LD_SIGNER_ID_MAX, bytes);
    else if (signer->use == USE_NAME)
        signer->name_size =
            (uint8_t)append_bytes(signer->name, signer->name_size, LD_SIGNER_NAME_MAX, bytes);
}

/* The string's bytes from `at`, up to behind its closing quote or to `end`. */
static size_t take_string(struct pass *pass, size_t at, size_t end)
{
    struct ld_signer *signer = pass->signer;
    const char *p = pass->in.p;
    size_t from = at;

    while (at < end) {
        if (signer->escape) {
            signer->escape = false;
            at++;
            continue;
        }
        at = lj_scan_string(p, at, end);
        if (at == end)
            break;
        if (p[at] == '"') {
            keep_bytes(signer, lb_str(p + from, at - from));
            signer->in_string = false;
            if (signer->use == USE_ID)
                end_id(pass, at);
            else if (signer->use == USE_NAME)
                signer->member = find_member(signer);
            return at + 1;
        }
        /* A bare control character is no JSON, but does not end the string for anybody. */
        signer->escape = p[at] == '\\';
        signer->escaped = true;
        at++;
    }
    keep_bytes(signer, lb_str(p + from, at - from));
    return at;
}

/* ---- Structure ------------------------------------------------------------------------------- */

/* The rules of what opens here; NODE_NONE: there are none. */
static uint8_t node_below(const struct ld_signer *signer, bool object)
{
    if (signer->depth == 0)
        return object ? signer->top : NODE_NONE;
    if (signer->object[signer->depth])
        return signer->member >= MEMBER_IN ? (uint8_t)(signer->member - MEMBER_IN) : NODE_NONE;
    return object ? signer->node[signer->depth] : NODE_NONE; /* an element of an array of objects */
}

static void open_level(struct ld_signer *signer, bool object)
{
    const uint8_t node = node_below(signer, object);

    signer->over = signer->depth == UINT32_MAX;
    signer->depth += !signer->over;
    if (node == NODE_NONE || signer->depth > LD_SIGNER_LEVELS) {
        signer->idle = true;
        signer->idle_depth = signer->depth;
        return;
    }
    signer->object[signer->depth] = object;
    signer->node[signer->depth] = node;
    signer->expect_name = object;
    signer->member = MEMBER_NONE;
}

static void close_level(struct ld_signer *signer)
{
    signer->expect_name = false;
    signer->member = MEMBER_NONE;
    signer->over = --signer->depth == 0;
}

/* In a level without rules: to its end, or that of the bytes. */
static size_t skip_level(struct ld_signer *signer, const char *p, size_t at, size_t end)
{
    at = lj_scan_nesting(p, at, end);
    if (at == end)
        return end;
    if (p[at] == '"') {
        begin_string(signer);
    } else if (p[at] == '{' || p[at] == '[') {
        signer->over = signer->depth == UINT32_MAX;
        signer->depth += !signer->over;
    } else {
        signer->idle = signer->depth > signer->idle_depth;
        close_level(signer);
    }
    return at + 1;
}

/* One byte outside of strings, in a level with rules. */
static void take_byte(struct ld_signer *signer, char c)
{
    switch (c) {
    case '"':
        begin_string(signer);
        break;
    case ',':
        signer->expect_name = signer->object[signer->depth];
        signer->member = MEMBER_NONE;
        break;
    case '{':
    case '[':
        open_level(signer, c == '{');
        break;
    case '}':
    case ']':
        close_level(signer);
        break;
    default:
        break;
    }
}

/* The first byte decides whether there is an object at all. */
static void take_first(struct ld_signer *signer, char c)
{
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
        return;
    signer->started = c == '{';
    signer->over = c != '{';
    if (signer->started)
        open_level(signer, true);
}

/* JSON from `at`, up to `end` or until no tail is left. */
static size_t take_json(struct pass *pass, size_t at, size_t end)
{
    struct ld_signer *signer = pass->signer;
    const char *p = pass->in.p;

    while (at < end && pass->tails < LD_SIGNER_TAILS) {
        if (signer->over)
            return end;
        if (signer->in_string)
            at = take_string(pass, at, end);
        else if (signer->idle)
            at = skip_level(signer, p, at, end);
        else if (signer->started)
            take_byte(signer, p[at++]);
        else
            take_first(signer, p[at++]);
    }
    return at;
}

/* ---- Lines ----------------------------------------------------------------------------------- */

/* The line end at in.p[at]: CR, LF or both are one. An empty line ends an event. */
static size_t end_line(struct ld_signer *signer, struct lb_str in, size_t at)
{
    if (signer->blank)
        reset_id(signer);
    else if (signer->in_string)
        signer->over = true; /* no string goes over two lines */
    signer->last_cr = in.p[at] == '\r';
    signer->blank = true;
    signer->line = LINE_START;
    signer->matched = 0;
    return at + 1;
}

/* The first bytes of a line: is it one of data? */
static size_t begin_line(struct ld_signer *signer, char c, size_t at)
{
    signer->blank = false;
    if (c != DATA.p[signer->matched])
        signer->line = LINE_OTHER;
    else if (++signer->matched == DATA.size)
        signer->line = LINE_DATA;
    return at + 1;
}

static size_t take_line(struct pass *pass, size_t at)
{
    struct ld_signer *signer = pass->signer;
    const struct lb_str in = pass->in;

    if (signer->last_cr) {
        signer->last_cr = false;
        if (in.p[at] == '\n')
            return at + 1;
    }
    if (in.p[at] == '\n' || in.p[at] == '\r')
        return end_line(signer, in, at);
    if (signer->line == LINE_START)
        return begin_line(signer, in.p[at], at);
    size_t end = lh_find_eol(in.p, at, in.size);
    return signer->line == LINE_DATA ? take_json(pass, at, end) : end;
}

/* ---- Feeding --------------------------------------------------------------------------------- */

static size_t skip_bom(struct ld_signer *signer, struct lb_str in)
{
    size_t at = 0;

    while (at < in.size && signer->bom < 3) {
        if (in.p[at] != BOM[signer->bom]) {
            signer->bom = 3;
            break;
        }
        signer->bom++;
        at++;
    }
    return at;
}

size_t ld_signer_feed(struct ld_signer *signer, struct lb_str in, struct ld_signer_out *out)
{
    struct pass pass = {.signer = signer, .in = in, .out = out};

    out->count = 0;
    size_t at = skip_bom(signer, in);
    while (at < in.size && pass.tails < LD_SIGNER_TAILS)
        at = signer->stream ? take_line(&pass, at) : take_json(&pass, at, in.size);
    put_slice(&pass, lb_str_sub(in, pass.run, at));
    return at;
}
