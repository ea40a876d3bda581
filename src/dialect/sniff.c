/* SPDX-License-Identifier: MIT */
/*
 * A level counter, and of each of the first levels whether it is an object and the id of the member
 * that we are in: enough to know a place such as choices[].delta.content. Strings are run
 * over sixteen bytes at a time, and so is all of an object or array in which no rule has a place,
 * such as the numbers of an embedding.
 */
#include "dialect/sniff.h"

#include "dialect/said.h"
#include "dialect/sniff_names.h"
#include "json/scan.h"

static const char *const NAMES[NAME_COUNT] = {
#define LD_SNIFF_NAME(name, text, second) [NAME_##name] = text,
#include "dialect/sniff_names.def"
#undef LD_SNIFF_NAME
};

enum { NAME_SIZES = 18, SECONDS = 32 };

/* Two names that meet in a slot are a compiler's warning (-Woverride-init). */
static const uint8_t SLOTS[NAME_SIZES][SECONDS] = {
#define LD_SNIFF_NAME(name, text, second) [sizeof(text) - 1][(second) % SECONDS] = NAME_##name,
#include "dialect/sniff_names.def"
#undef LD_SNIFF_NAME
};

/* Whole answers, then streams (where a terminal event may repeat all of it: not counted). */
static const struct ld_sniff_text TEXTS[2][LD_ENDPOINT_COUNT] = {
    {
        [LD_ENDPOINT_CHAT] = {NAME_CHOICES, CHAT_TEXT},
        [LD_ENDPOINT_COMPLETIONS] = {NAME_CHOICES, CHAT_TEXT},
        [LD_ENDPOINT_RESPONSES] = {NAME_OUTPUT, BIT(TEXT) | BIT(ARGUMENTS)},
        [LD_ENDPOINT_MESSAGES] = {NAME_CONTENT, BIT(TEXT) | BIT(THINKING)},
        [LD_ENDPOINT_NATIVE] = {NAME_CHOICES, CHAT_TEXT},
    },
    {
        [LD_ENDPOINT_CHAT] = {NAME_CHOICES, CHAT_TEXT},
        [LD_ENDPOINT_COMPLETIONS] = {NAME_CHOICES, CHAT_TEXT},
        [LD_ENDPOINT_RESPONSES] = {NAME_NONE, BIT(DELTA)},
        [LD_ENDPOINT_MESSAGES] = {NAME_DELTA, BIT(TEXT) | BIT(THINKING) | BIT(PARTIAL_JSON)},
        [LD_ENDPOINT_NATIVE] = {NAME_CHOICES, CHAT_TEXT},
    },
};

/* Outside of strings, the bytes that take_members has a case for; no other changes anything. */
static const bool SPEAKS[256] = {
    ['"'] = true, ['{'] = true, ['['] = true, ['}'] = true,
    [']'] = true, [','] = true, ['t'] = true,
};

/* The same within a member that may tell of an error: numbers speak, and the word false. */
static const bool TELLER_SPEAKS[256] = {
    ['"'] = true, ['{'] = true, ['['] = true, ['}'] = true, [']'] = true, [','] = true,
    ['t'] = true, ['f'] = true, ['0'] = true, ['1'] = true, ['2'] = true, ['3'] = true,
    ['4'] = true, ['5'] = true, ['6'] = true, ['7'] = true, ['8'] = true, ['9'] = true,
};

void ld_sniff_init(struct ld_sniff *sniff, const struct lb_host *host,
                   const struct ld_endpoint *endpoint, bool stream)
{
    *sniff = (struct ld_sniff){
        .text = TEXTS[stream][endpoint->id],
        .speaks = SPEAKS,
    };
    lb_buf_init(&sniff->usage, host, LD_SNIFF_USAGE_MAX);
}

void ld_sniff_free(struct ld_sniff *sniff)
{
    lb_buf_free(&sniff->usage);
}

void ld_sniff_reset(struct ld_sniff *sniff)
{
    sniff->usage_found = sniff->error = sniff->finish = sniff->choices = sniff->whole = false;
    sniff->in_string = sniff->escape = sniff->is_name = sniff->expect_name = false;
    sniff->started = sniff->deaf = sniff->copying = sniff->idle = false;
    sniff->error_inside = sniff->error_said = sniff->list = sniff->thing = false;
    sniff->complains = sniff->accuses = sniff->fine = sniff->has_number = false;
    sniff->in_list = sniff->element = sniff->tool = false;
    sniff->error_depth = 0;
    sniff->speaks = SPEAKS;
    sniff->type[0] = '\0';
    sniff->text_size = 0;
    sniff->texts = 0;
    sniff->depth = 0;
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* The member of level `depth` that we are in; asked outside of idle levels only. */
static enum name at_level(const struct ld_sniff *sniff, uint32_t depth)
{
    return depth >= 1 && depth <= sniff->depth ? (enum name)sniff->path[depth] : NAME_NONE;
}

static enum name name_here(const struct ld_sniff *sniff)
{
    return at_level(sniff, sniff->depth);
}

/* The top level, or one of the objects that events of other dialects wrap it in. */
static bool is_top(const struct ld_sniff *sniff)
{
    enum name outer = at_level(sniff, 1);

    return sniff->depth == 1 ||
           (sniff->depth == 2 && (outer == NAME_RESPONSE || outer == NAME_MESSAGE));
}

/* Some platforms report the usage in the last choice of a stream; none lists its answers. */
static bool is_usage(const struct ld_sniff *sniff)
{
    return name_here(sniff) == NAME_USAGE && !sniff->in_list &&
           (is_top(sniff) || (sniff->depth == 3 && at_level(sniff, 1) == NAME_CHOICES));
}

static bool is_finish(const struct ld_sniff *sniff)
{
    if (name_here(sniff) == NAME_FINISH_REASON)
        return sniff->depth == 3 && at_level(sniff, 1) == NAME_CHOICES;
    return name_here(sniff) == NAME_STOP_REASON &&
           (sniff->depth == 1 || (sniff->depth == 2 && at_level(sniff, 1) == NAME_DELTA));
}

static bool is_text(const struct ld_sniff *sniff)
{
    if (((uint64_t)sniff->text.names >> name_here(sniff) & 1) == 0)
        return false;
    return sniff->text.root == NAME_NONE ? sniff->depth == 1
                                         : at_level(sniff, 1) == (enum name)sniff->text.root;
}

/* ---- Errors ---------------------------------------------------------------------------------- */

enum { NUMBER_MAX = 100000 };

static bool is_one_of(const struct ld_sniff *sniff, uint64_t names)
{
    return (names >> sniff->teller & 1) != 0;
}

/* An error here is one of the whole answer or event: elsewhere it is only hidden (the key). */
static bool is_error_place(const struct ld_sniff *sniff)
{
    const enum name outer = at_level(sniff, 1);

    return sniff->error_depth == 1 || (sniff->error_depth == 2 && outer == NAME_RESPONSE) ||
           (sniff->error_depth == 3 && outer == NAME_CHOICES);
}

/* A value that is not empty stands in it. */
static void say_error(struct ld_sniff *sniff)
{
    sniff->error_inside = sniff->error_said = true;
    sniff->error |= is_error_place(sniff);
}

/* A code or a success, or none: it accuses where there is no answer. */
static void say_code(struct ld_sniff *sniff, bool fine)
{
    sniff->fine |= fine;
    sniff->accuses |= !fine;
    sniff->complains |= !fine && sniff->teller == NAME_ERROR_CODE;
}

static void say_text(struct ld_sniff *sniff, struct lb_str text)
{
    if (is_one_of(sniff, ERROR_MEMBERS))
        say_error(sniff);
    else if (is_one_of(sniff, CODES) && sniff->depth == 1)
        say_code(sniff, ld_said_fine_word(text));
}

/* A digit, or the first letter of true and false. */
static void say_byte(struct ld_sniff *sniff, char c)
{
    if (is_one_of(sniff, ERROR_MEMBERS | BIT(BASE_RESP))) {
        if (c != '0' && c != 'f' && (c != 't' || sniff->teller != NAME_BASE_RESP))
            say_error(sniff);
    } else if (sniff->depth == 1 && sniff->teller == NAME_SUCCESS) {
        if (c == 't' || c == 'f')
            say_code(sniff, c == 't');
    } else if (sniff->depth == 1 && c >= '0' && c <= '9') {
        sniff->has_number = true;
        if (sniff->number < NUMBER_MAX)
            sniff->number = 10 * sniff->number + (uint32_t)(c - '0');
    }
}

/* A member begins that may tell of an error; its value is looked at down to the level below. */
static void begin_error(struct ld_sniff *sniff, enum name teller)
{
    sniff->error_depth = sniff->depth;
    sniff->teller = (uint8_t)teller;
    sniff->has_number = false;
    sniff->number = 0;
    sniff->speaks = TELLER_SPEAKS;
}

/* It is over. One that said nothing was none: some platforms have an empty one in each chunk. */
static void end_error(struct ld_sniff *sniff)
{
    if (sniff->has_number)
        say_code(sniff, ld_said_fine_number(sniff->number));
    sniff->error_depth = 0;
    sniff->speaks = SPEAKS;
    sniff->error_inside = sniff->error_said;
}

/* ---- Strings --------------------------------------------------------------------------------- */

static bool is_type(const struct ld_sniff *sniff)
{
    return sniff->depth == 1 && name_here(sniff) == NAME_TYPE;
}

/* A string that is looked at, and not only counted. */
static bool is_word(const struct ld_sniff *sniff)
{
    const uint64_t words = BIT(TYPE) | BIT(OBJECT) | BIT(STATUS) | BIT(FINISH_REASON) |
                           BIT(STOP_REASON) | BIT(SERVICE_TIER) | COMPLAINTS | CODES;

    return (words >> name_here(sniff) & 1) != 0;
}

/* Are we in the member itself that all is an error of, or in MiniMax's? */
static bool tells_error(const struct ld_sniff *sniff)
{
    return sniff->error_depth > 0 && sniff->depth == sniff->error_depth &&
           is_one_of(sniff, ERROR_MEMBERS | BIT(BASE_RESP));
}

static void begin_string(struct ld_sniff *sniff, const char *inside)
{
    sniff->in_string = true;
    sniff->string_at = inside;
    sniff->is_name = sniff->expect_name;
    sniff->expect_name = false;
    sniff->string_size = 0;
    sniff->copy_size = 0;
    sniff->copied = sniff->is_name || is_word(sniff);
    if (!sniff->is_name && tells_error(sniff))
        sniff->error_inside = true;
}

static void add_to_string(struct ld_sniff *sniff, const char *bytes, size_t size)
{
    sniff->string_size += size;
    if (!sniff->copied)
        return;
    size_t room = sizeof sniff->copy - sniff->copy_size;
    size_t copied = size < room ? size : room;
    memcpy(sniff->copy + sniff->copy_size, bytes, copied);
    sniff->copy_size = (uint8_t)(sniff->copy_size + copied);
}

static enum name find_name(struct lb_str name)
{
    if (name.size < 2 || name.size >= NAME_SIZES)
        return NAME_NONE;
    uint8_t id = SLOTS[name.size][(unsigned char)name.p[1] % SECONDS];
    bool same = id != NAME_NONE && memcmp(name.p, NAMES[id], name.size) == 0;
    return same ? (enum name)id : NAME_NONE;
}

/* A name ends within a member that may tell of an error, or it is the name of one. */
static void follow_error(struct ld_sniff *sniff, enum name id)
{
    if (sniff->error_depth > 0 && sniff->depth <= sniff->error_depth)
        end_error(sniff);
    if (sniff->error_depth == 0 &&
        (id == NAME_ERROR || (sniff->depth == 1 && (TOP_TELLERS >> id & 1) != 0)))
        begin_error(sniff, id);
}

static inline void end_name(struct ld_sniff *sniff, struct lb_str name)
{
    const enum name id = find_name(name);

    sniff->path[sniff->depth] = (uint8_t)id;
    if (sniff->error_depth > 0 || ((TOP_TELLERS | BIT(ERROR)) >> id & 1) != 0)
        follow_error(sniff, id);
}

/* An empty reason, or the word null, is none: some platforms send it in each chunk. */
static void end_finish(struct ld_sniff *sniff, struct lb_str reason)
{
    if (reason.size == 0 || lb_str_eq(reason, LB_STR("null")))
        return;
    sniff->finish = true;
    if (name_here(sniff) == NAME_FINISH_REASON && lb_str_eq(reason, LB_STR("error")))
        sniff->error = true;
}

/* What a word of the top level, or of the response that is wrapped in an event, says. */
static void end_word(struct ld_sniff *sniff, struct lb_str word)
{
    if (is_type(sniff)) {
        word = lb_str_sub(word, 0, sizeof sniff->type - 1);
        memcpy(sniff->type, word.p, word.size);
        sniff->type[word.size] = '\0';
    } else if (name_here(sniff) == NAME_SERVICE_TIER) {
        if (sniff->tier != NULL && is_top(sniff) && !sniff->in_list)
            ld_tier_take(sniff->tier, word);
    } else if (name_here(sniff) == NAME_OBJECT && sniff->depth == 1) {
        bool error = lb_str_eq(word, LB_STR("error"));
        sniff->error |= error;
        sniff->thing |= !error && word.size > 0;
    } else if (name_here(sniff) == NAME_STATUS && sniff->depth == 2 &&
               at_level(sniff, 1) == NAME_RESPONSE) {
        sniff->error |= lb_str_eq(word, LB_STR("failed"));
    } else if (sniff->depth == 1 && (COMPLAINTS >> name_here(sniff) & 1) != 0) {
        sniff->complains |= word.size > 0;
        sniff->accuses |= word.size > 0 && name_here(sniff) == NAME_ERROR_MESSAGE;
    } else if (is_finish(sniff)) {
        end_finish(sniff, word);
    }
}

/* `size`: of the whole string, of which `start` holds the first bytes if it is a word. */
static void take_value(struct ld_sniff *sniff, struct lb_str start, size_t size, struct lb_str last)
{
    if (sniff->error_depth > 0 && size > 0)
        say_text(sniff, start);
    if (is_word(sniff))
        end_word(sniff, start);
    if (is_text(sniff)) {
        sniff->text_size += size;
        sniff->texts++;
        sniff->last = last;
    }
}

/* Most strings are nobody's. */
static inline void end_value(struct ld_sniff *sniff, struct lb_str start, size_t size,
                             struct lb_str last)
{
    if (sniff->error_depth > 0 || name_here(sniff) != NAME_NONE)
        take_value(sniff, start, size, last);
}

/* The string that begin_string began ends at `quote`. */
static void end_string(struct ld_sniff *sniff, const char *quote)
{
    const char *from = sniff->string_at;
    struct lb_str copy = lb_str(sniff->copy, sniff->copy_size);

    if (sniff->is_name)
        end_name(sniff, copy);
    else
        end_value(sniff, copy, sniff->string_size,
                  lb_str(from, from != NULL ? (size_t)(quote - from) : 0));
}

/* Runs on inside of a string; returns where it stopped. */
static size_t skip_string(struct ld_sniff *sniff, const char *bytes, size_t at, size_t size)
{
    if (sniff->escape) {
        sniff->escape = false;
        return at + 1;
    }
    size_t end = lj_scan_string(bytes, at, size);
    if (end == size)
        return size;
    sniff->in_string = bytes[end] != '"';
    sniff->escape = bytes[end] == '\\';
    return end + 1;
}

/* The same for a string that may matter. */
static size_t run_string(struct ld_sniff *sniff, const char *bytes, size_t at, size_t size)
{
    size_t end = skip_string(sniff, bytes, at, size);
    bool ended = !sniff->in_string;

    add_to_string(sniff, bytes + at, end - at - (ended || sniff->escape));
    if (ended)
        end_string(sniff, bytes + end - 1);
    return end;
}

/* A string's inside begins at `at`. Nearly all end in the same feed, and without an escape. */
static size_t take_string(struct ld_sniff *sniff, const char *bytes, size_t at, size_t size)
{
    size_t end = lj_scan_string(bytes, at, size);
    struct lb_str inside = lb_str(bytes + at, end - at);

    if (end == size || bytes[end] != '"') {
        begin_string(sniff, inside.p);
        add_to_string(sniff, inside.p, inside.size);
        return end;
    }
    if (sniff->expect_name)
        end_name(sniff, inside);
    else
        end_value(sniff, inside, inside.size, inside);
    sniff->expect_name = false;
    return end + 1;
}

/* ---- Structure ------------------------------------------------------------------------------- */

/*
 * How deep below the top-level member that we are in a rule looks: is_usage, is_finish and is_text,
 * what makes `choices` and what makes `error`. From 1 to LD_SNIFF_LEVELS: all beyond is idle.
 */
static uint32_t reach_of(const struct ld_sniff *sniff)
{
    const enum name outer = at_level(sniff, 1);

    if (outer != NAME_NONE && outer == (enum name)sniff->text.root)
        return LD_SNIFF_LEVELS;
    switch (outer) {
    case NAME_CHOICES:
        return 3;
    case NAME_RESPONSE:
    case NAME_MESSAGE:
    case NAME_DELTA:
    case NAME_CONTENT_BLOCK:
        return 2;
    default:
        return 1;
    }
}

/* A level within an error opens: how deep it is looked at. What is deeper says something. */
static uint32_t reach_of_error(struct ld_sniff *sniff)
{
    const uint32_t other = reach_of(sniff);
    uint32_t most = sniff->error_depth + 2;

    if ((sniff->depth > most || sniff->depth > LD_SNIFF_LEVELS) && is_one_of(sniff, ERROR_MEMBERS))
        say_error(sniff);
    most = most < LD_SNIFF_LEVELS ? most : LD_SNIFF_LEVELS;
    return most > other ? most : other;
}

static bool go_deeper(struct ld_sniff *sniff)
{
    sniff->deaf = sniff->depth == UINT32_MAX;
    sniff->depth += !sniff->deaf;
    return !sniff->deaf;
}

static void open_level(struct ld_sniff *sniff, bool object)
{
    if (object && sniff->depth == 2 && at_level(sniff, 1) == NAME_CHOICES)
        sniff->choices = true;
    /* A call, in choices[].delta.tool_calls[], or what goes into a tool, in a content_block. */
    sniff->tool |= object && ((sniff->depth == 5 && at_level(sniff, 4) == NAME_TOOL_CALLS) ||
                              (sniff->depth == 2 && at_level(sniff, 1) == NAME_CONTENT_BLOCK));
    if (tells_error(sniff))
        sniff->error_inside = true;
    if (!object && sniff->depth == 1 && name_here(sniff) == NAME_DATA)
        sniff->list = true;
    if (object && !sniff->copying && is_usage(sniff)) {
        sniff->copying = true;
        sniff->copy_depth = sniff->depth;
        sniff->usage_found = false;
        lb_buf_reset(&sniff->usage);
    }
    if (!go_deeper(sniff))
        return;
    sniff->idle = sniff->depth > (sniff->error_depth > 0 ? reach_of_error(sniff) : reach_of(sniff));
    sniff->idle_depth = sniff->depth;
    if (sniff->idle)
        return;
    sniff->object[sniff->depth] = object;
    sniff->path[sniff->depth] = NAME_NONE;
    sniff->expect_name = object;
}

static void close_level(struct ld_sniff *sniff)
{
    sniff->expect_name = false;
    if (--sniff->depth < sniff->error_depth)
        end_error(sniff);
    if (sniff->depth == 0) {
        sniff->element = sniff->in_list;
        sniff->whole = !sniff->in_list;
        sniff->deaf = !sniff->in_list;
    }
}

/*
 * The first byte decides whether there is an object at all. A list of objects (Gemini's) is read as
 * one of them after the other.
 */
static void take_first(struct ld_sniff *sniff, char c)
{
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t' || (c == ',' && sniff->element))
        return;
    if (c == '[' && !sniff->in_list) {
        sniff->in_list = true;
        return;
    }
    sniff->whole = c == ']' && sniff->element;
    sniff->deaf = c != '{';
    sniff->started |= c == '{';
    if (c == '{')
        open_level(sniff, true);
}

static size_t skip_silent(const bool *speaks, const char *bytes, size_t at, size_t size)
{
    while (at < size && !speaks[(unsigned char)bytes[at]])
        at++;
    return at;
}

/* In a level where no rule has a place: to its end, or that of the bytes. */
static size_t skip_level(struct ld_sniff *sniff, const char *bytes, size_t at, size_t size)
{
    while (at < size && sniff->idle && !sniff->deaf) {
        if (sniff->in_string) {
            at = skip_string(sniff, bytes, at, size);
            continue;
        }
        at = lj_scan_nesting(bytes, at, size);
        if (at == size)
            break;
        char c = bytes[at++];
        if (c == '"') {
            sniff->in_string = true;
        } else if (c == '{' || c == '[') {
            go_deeper(sniff);
        } else {
            close_level(sniff);
            sniff->idle = sniff->depth >= sniff->idle_depth;
        }
    }
    return at;
}

/* Outside of strings: over the members of a level, up to a bracket or to where a string is cut. */
static size_t take_members(struct ld_sniff *sniff, const char *bytes, size_t at, size_t size)
{
    while ((at = skip_silent(sniff->speaks, bytes, at, size)) < size) {
        const char c = bytes[at++];
        switch (c) {
        case '"':
            at = take_string(sniff, bytes, at, size);
            if (sniff->in_string)
                return at;
            break;
        case ',':
            sniff->expect_name = sniff->object[sniff->depth];
            break;
        case '{':
        case '[':
            open_level(sniff, c == '{');
            return at;
        case '}':
        case ']':
            close_level(sniff);
            return at;
        default: /* of a number or a word; outside of what may tell of an error it is a true */
            if (sniff->error_depth > 0)
                say_byte(sniff, c);
            break;
        }
    }
    return size;
}

static size_t take_some(struct ld_sniff *sniff, const char *bytes, size_t at, size_t size)
{
    if (sniff->idle)
        return skip_level(sniff, bytes, at, size);
    if (sniff->in_string)
        return run_string(sniff, bytes, at, size);
    if (sniff->depth > 0)
        return take_members(sniff, bytes, at, size);
    take_first(sniff, bytes[at]);
    return at + 1;
}

void ld_sniff_feed(struct ld_sniff *sniff, const char *bytes, size_t size)
{
    size_t copied = 0; /* bytes before this are in the usage buffer, or not wanted there */
    size_t at = 0;

    sniff->string_at = NULL;
    while (at < size && !sniff->deaf) {
        bool copying = sniff->copying;
        at = take_some(sniff, bytes, at, size);
        if (!copying && sniff->copying)
            copied = at - 1; /* its brace */
        if (copying && sniff->depth == sniff->copy_depth) {
            lb_buf_add(&sniff->usage, bytes + copied, at - copied);
            sniff->copying = false;
            sniff->usage_found = sniff->usage.failed == LLMGR_OK;
        }
    }
    if (sniff->copying && !sniff->deaf)
        lb_buf_add(&sniff->usage, bytes + copied, size - copied);
}
