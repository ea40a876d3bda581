/* SPDX-License-Identifier: MIT */
/*
 * A level counter, one bit per level (object or array), and the id of the member we are in on each
 * of the first levels: enough to know a place such as choices[].delta.content. Strings are run
 * over sixteen bytes at a time. What no rule asks for costs nothing but its structure's bytes.
 */
#include "dialect/sniff.h"

#include "dialect/scan.h"

#define NAME_MAP(XX)                                                                               \
    XX(USAGE, "usage")                                                                             \
    XX(TYPE, "type")                                                                               \
    XX(ERROR, "error")                                                                             \
    XX(RESPONSE, "response")                                                                       \
    XX(MESSAGE, "message")                                                                         \
    XX(CHOICES, "choices")                                                                         \
    XX(FINISH_REASON, "finish_reason")                                                             \
    XX(STOP_REASON, "stop_reason")                                                                 \
    XX(DELTA, "delta")                                                                             \
    XX(OUTPUT, "output")                                                                           \
    XX(CONTENT, "content")                                                                         \
    XX(REASONING_CONTENT, "reasoning_content")                                                     \
    XX(REASONING, "reasoning")                                                                     \
    XX(TEXT, "text")                                                                               \
    XX(THINKING, "thinking")                                                                       \
    XX(PARTIAL_JSON, "partial_json")                                                               \
    XX(ARGUMENTS, "arguments")

enum name {
    NAME_NONE, /* an array's level, or a name that is none of ours */
#define NAME_ENUM(name, text) NAME_##name,
    NAME_MAP(NAME_ENUM)
#undef NAME_ENUM
        NAME_COUNT
};

static const struct lb_str NAMES[NAME_COUNT] = {{NULL, 0},
#define NAME_TEXT(name, text) {text, sizeof(text) - 1},
                                                NAME_MAP(NAME_TEXT)
#undef NAME_TEXT
};

#define BIT(name) (UINT32_C(1) << NAME_##name)
#define CHAT_TEXT                                                                                  \
    (BIT(CONTENT) | BIT(REASONING_CONTENT) | BIT(REASONING) | BIT(TEXT) | BIT(ARGUMENTS))

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

void ld_sniff_init(struct ld_sniff *sniff, const struct lb_host *host,
                   const struct ld_endpoint *endpoint, bool stream)
{
    *sniff = (struct ld_sniff){
        .text = TEXTS[stream][endpoint->id],
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
    sniff->started = sniff->deaf = sniff->copying = false;
    sniff->type[0] = '\0';
    sniff->text_size = 0;
    sniff->texts = 0;
    sniff->depth = 0;
}

/* ---- Places ---------------------------------------------------------------------------------- */

/* The member of level `depth` that we are in. */
static enum name at_level(const struct ld_sniff *sniff, uint32_t depth)
{
    return depth >= 1 && depth <= sniff->depth && depth <= LD_SNIFF_LEVELS
               ? (enum name)sniff->path[depth]
               : NAME_NONE;
}

static enum name here(const struct ld_sniff *sniff)
{
    return at_level(sniff, sniff->depth);
}

static bool in_object(const struct ld_sniff *sniff)
{
    return sniff->depth >= 1 && sniff->depth <= 64 && (sniff->objects >> (sniff->depth - 1) & 1);
}

/* The top level, or one of the objects that events of other dialects wrap it in. */
static bool is_top(const struct ld_sniff *sniff)
{
    enum name outer = at_level(sniff, 1);

    return sniff->depth == 1 ||
           (sniff->depth == 2 && (outer == NAME_RESPONSE || outer == NAME_MESSAGE));
}

/* Some platforms report the usage in the last choice of a stream. */
static bool is_usage(const struct ld_sniff *sniff)
{
    return here(sniff) == NAME_USAGE &&
           (is_top(sniff) || (sniff->depth == 3 && at_level(sniff, 1) == NAME_CHOICES));
}

static bool is_finish(const struct ld_sniff *sniff)
{
    if (here(sniff) == NAME_FINISH_REASON)
        return sniff->depth == 3 && at_level(sniff, 1) == NAME_CHOICES;
    return here(sniff) == NAME_STOP_REASON &&
           (sniff->depth == 1 || (sniff->depth == 2 && at_level(sniff, 1) == NAME_DELTA));
}

static bool is_text(const struct ld_sniff *sniff)
{
    if ((sniff->text.names >> here(sniff) & 1) == 0)
        return false;
    return sniff->text.root == NAME_NONE ? sniff->depth == 1
                                         : at_level(sniff, 1) == (enum name)sniff->text.root;
}

/* ---- Strings --------------------------------------------------------------------------------- */

static bool is_type(const struct ld_sniff *sniff)
{
    return sniff->depth == 1 && here(sniff) == NAME_TYPE;
}

static void begin_string(struct ld_sniff *sniff, const char *inside)
{
    sniff->in_string = true;
    sniff->string_at = inside;
    sniff->is_name = sniff->expect_name;
    sniff->expect_name = false;
    sniff->string_size = 0;
    sniff->copy_size = 0;
    sniff->copied = sniff->is_name || is_type(sniff);
}

static void add_to_string(struct ld_sniff *sniff, const char *bytes, size_t size)
{
    sniff->string_size += size;
    if (!sniff->copied)
        return;
    if (sniff->copy_size < sizeof sniff->copy) {
        size_t room = sizeof sniff->copy - sniff->copy_size;
        memcpy(sniff->copy + sniff->copy_size, bytes, size < room ? size : room);
    }
    sniff->copy_size += size;
}

/* By size, since most names are told apart by it. */
static enum name find_name(const char *name, size_t size)
{
    static const uint8_t BY_SIZE[][4] = {
        [4] = {NAME_TYPE, NAME_TEXT},
        [5] = {NAME_USAGE, NAME_ERROR, NAME_DELTA},
        [6] = {NAME_OUTPUT},
        [7] = {NAME_MESSAGE, NAME_CHOICES, NAME_CONTENT},
        [8] = {NAME_RESPONSE, NAME_THINKING},
        [9] = {NAME_REASONING, NAME_ARGUMENTS},
        [11] = {NAME_STOP_REASON},
        [12] = {NAME_PARTIAL_JSON},
        [13] = {NAME_FINISH_REASON},
        [17] = {NAME_REASONING_CONTENT},
    };

    if (size >= sizeof BY_SIZE / sizeof BY_SIZE[0])
        return NAME_NONE;
    for (size_t i = 0; i < 4 && BY_SIZE[size][i] != NAME_NONE; i++) {
        const char *ours = NAMES[BY_SIZE[size][i]].p;
        if (ours[0] == name[0] && memcmp(ours, name, size) == 0)
            return (enum name)BY_SIZE[size][i];
    }
    return NAME_NONE;
}

static void end_name(struct ld_sniff *sniff, const char *name, size_t size)
{
    sniff->in_string = false;
    if (sniff->depth <= LD_SNIFF_LEVELS)
        sniff->path[sniff->depth] = (uint8_t)find_name(name, size);
    if (sniff->depth == 2 && at_level(sniff, 1) == NAME_ERROR)
        sniff->error = true; /* an object that is not empty */
}

static void end_text(struct ld_sniff *sniff, const char *quote)
{
    const char *from = sniff->string_at;

    sniff->text_size += sniff->string_size;
    sniff->texts++;
    sniff->last = lb_str(from, from != NULL ? (size_t)(quote - from) : 0);
}

static void end_string(struct ld_sniff *sniff, const char *quote)
{
    sniff->in_string = false;
    if (sniff->is_name) {
        end_name(sniff, sniff->copy, sniff->copy_size);
        return;
    }
    if (is_type(sniff)) {
        size_t max = sizeof sniff->type - 1;
        size_t size = sniff->copy_size < max ? sniff->copy_size : max;
        memcpy(sniff->type, sniff->copy, size);
        sniff->type[size] = '\0';
    }
    if (is_text(sniff))
        end_text(sniff, quote);
    if (is_finish(sniff))
        sniff->finish = true;
    if (sniff->depth == 1 && here(sniff) == NAME_ERROR && sniff->string_size > 0)
        sniff->error = true;
}

/* Runs on inside of a string; returns where it stopped. */
static size_t run_string(struct ld_sniff *sniff, const char *bytes, size_t at, size_t size)
{
    if (sniff->escape) {
        sniff->escape = false;
        add_to_string(sniff, bytes + at, 1);
        return at + 1;
    }
    size_t end = ld_scan_string(bytes, at, size);
    if (sniff->is_name && sniff->string_at == bytes + at && end < size && bytes[end] == '"') {
        end_name(sniff, bytes + at, end - at); /* all of it is here: no copy is needed */
        return end + 1;
    }
    add_to_string(sniff, bytes + at, end - at);
    if (end == size)
        return size;
    if (bytes[end] == '"')
        end_string(sniff, bytes + end);
    else if (bytes[end] == '\\')
        sniff->escape = true;
    else
        add_to_string(sniff, bytes + end, 1);
    return end + 1;
}

/* ---- Structure ------------------------------------------------------------------------------- */

static void open_level(struct ld_sniff *sniff, bool object)
{
    if (sniff->depth == UINT32_MAX) {
        sniff->deaf = true;
        return;
    }
    if (object && sniff->depth == 2 && at_level(sniff, 1) == NAME_CHOICES)
        sniff->choices = true;
    if (object && !sniff->copying && is_usage(sniff)) {
        sniff->copying = true;
        sniff->copy_depth = sniff->depth;
        sniff->usage_found = false;
        lb_buf_reset(&sniff->usage);
    }
    sniff->depth++;
    if (sniff->depth <= 64) {
        uint64_t bit = UINT64_C(1) << (sniff->depth - 1);
        sniff->objects = object ? sniff->objects | bit : sniff->objects & ~bit;
    }
    if (sniff->depth <= LD_SNIFF_LEVELS)
        sniff->path[sniff->depth] = NAME_NONE;
    sniff->expect_name = object;
}

static void close_level(struct ld_sniff *sniff)
{
    sniff->expect_name = false;
    if (--sniff->depth == 0) {
        sniff->whole = true;
        sniff->deaf = true;
    }
}

/* The first byte decides whether there is an object at all. */
static void take_first(struct ld_sniff *sniff, char c)
{
    if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
        return;
    sniff->started = c == '{';
    sniff->deaf = c != '{';
    if (sniff->started)
        open_level(sniff, true);
}

static void take_structure(struct ld_sniff *sniff, const char *at)
{
    const char c = *at;

    switch (c) {
    case '"':
        begin_string(sniff, at + 1);
        break;
    case '{':
    case '[':
        open_level(sniff, c == '{');
        break;
    case '}':
    case ']':
        close_level(sniff);
        break;
    case ',':
        sniff->expect_name = in_object(sniff);
        break;
    case 't': /* "error": true; of the other words none has this letter */
        if (sniff->depth == 1 && here(sniff) == NAME_ERROR)
            sniff->error = true;
        break;
    default:
        break;
    }
}

/* Outside of strings, the bytes that take_structure has a case for; no other changes anything. */
static size_t skip_idle(const char *bytes, size_t at, size_t size)
{
    static const bool SPEAKS[256] = {
        ['"'] = true, ['{'] = true, ['['] = true, ['}'] = true,
        [']'] = true, [','] = true, ['t'] = true,
    };

    while (at < size && !SPEAKS[(unsigned char)bytes[at]])
        at++;
    return at;
}

void ld_sniff_feed(struct ld_sniff *sniff, const char *bytes, size_t size)
{
    size_t copied = 0; /* bytes before this are in the usage buffer, or not wanted there */
    size_t at = 0;

    sniff->string_at = NULL;
    while (at < size && !sniff->deaf) {
        if (sniff->in_string) {
            at = run_string(sniff, bytes, at, size);
            continue;
        }
        if (!sniff->started) {
            take_first(sniff, bytes[at++]);
            continue;
        }
        at = skip_idle(bytes, at, size);
        if (at == size)
            break;
        bool copying = sniff->copying;
        take_structure(sniff, bytes + at);
        if (!copying && sniff->copying)
            copied = at;
        at++;
        if (copying && sniff->depth == sniff->copy_depth) {
            lb_buf_add(&sniff->usage, bytes + copied, at - copied);
            sniff->copying = false;
            sniff->usage_found = sniff->usage.failed == LLMGR_OK;
        }
    }
    if (sniff->copying && !sniff->deaf)
        lb_buf_add(&sniff->usage, bytes + copied, size - copied);
}
