/* SPDX-License-Identifier: MIT */
/*
 * READ's look at a body: a walk over the top-level members and one into stream_options. What each
 * member we act on means stands in one table; everything else is only checked to be JSON.
 */
#include "dialect/peek.h"

#include "dialect/refs.h"
#include "json/scan.h"

enum { NAME_MAX_SIZE = 32 }; /* no name we act on is longer */

/* What is gathered while walking. */
struct look {
    struct lb_str body;
    struct lb_arena *arena;
    struct llmgr_error *err;
    struct ld_peek *peek;
    uint32_t seen;     /* bits of enum known */
    int64_t limits[3]; /* max_completion_tokens, max_output_tokens, max_tokens; -1 */
};

/*
 * XX(NAME, "name") of the members we act on, in the order of preference for the limits. No two are
 * of one size: that is how they are found, and the compiler warns if it is not so
 * (-Woverride-init).
 */
#define KNOWN_MAP(XX)                                                                              \
    XX(MODEL, "model")                                                                             \
    XX(STREAM, "stream")                                                                           \
    XX(OPTIONS, "stream_options")                                                                  \
    XX(MAX_COMPLETION, "max_completion_tokens")                                                    \
    XX(MAX_OUTPUT, "max_output_tokens")                                                            \
    XX(MAX, "max_tokens")

enum known {
#define KNOWN_ENUM(name, text) KNOWN_##name,
    KNOWN_MAP(KNOWN_ENUM)
#undef KNOWN_ENUM
        KNOWN_COUNT
};

static const struct lb_str KNOWN_NAMES[KNOWN_COUNT] = {
#define KNOWN_NAME(name, text) {text, sizeof(text) - 1},
    KNOWN_MAP(KNOWN_NAME)
#undef KNOWN_NAME
};

/* 1 + enum known by the size of its name, or 0. */
static const uint8_t BY_SIZE[NAME_MAX_SIZE] = {
#define KNOWN_SIZE(name, text) [sizeof(text) - 1] = 1 + KNOWN_##name,
    KNOWN_MAP(KNOWN_SIZE)
#undef KNOWN_SIZE
};

static llmgr_status malformed(const struct lj_walk *walk, struct llmgr_error *err)
{
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("the request body is not a JSON object (byte %zu: %s)"), walk->at, walk->why);
}

static llmgr_status wrong_type(struct look *look, const char *name, const char *wanted)
{
    return lb_fail(look->err, LLMGR_ERR_INVALID,
                   N_("'%s' in the request body has the wrong type; it must be %s"), name, wanted);
}

/*
 * The name with those letters beyond ASCII replaced that a platform may take for an s and a k,
 * whatever their case: U+017F and U+212A (Go's encoding/json compares with strings.EqualFold).
 */
static struct lb_str fold(struct lb_str name, char out[NAME_MAX_SIZE])
{
    static const struct lb_str LONG_S = {"\xc5\xbf", 2}, KELVIN = {"\xe2\x84\xaa", 3};
    size_t size = 0;

    if (name.size == 0 || (memchr(name.p, LONG_S.p[0], name.size) == NULL &&
                           memchr(name.p, KELVIN.p[0], name.size) == NULL))
        return name;
    while (name.size != 0 && size < NAME_MAX_SIZE) {
        bool is_s = lb_str_starts(name, LONG_S), is_k = lb_str_starts(name, KELVIN);
        out[size++] = is_s ? 's' : is_k ? 'k' : name.p[0];
        name = lb_str_sub(name, is_s ? LONG_S.size : is_k ? KELVIN.size : 1, name.size);
    }
    return lb_str(out, size);
}

/*
 * Is this member the one called `known`? A second one and one in other letter case (as `folded`
 * shows it) are refused: the platform's parser could take another one than we did.
 */
static llmgr_status match(struct look *look, struct lb_str name, struct lb_str folded,
                          struct lb_str known, uint32_t bit, bool *is_it)
{
    *is_it = lb_str_eq(name, known);
    if (!*is_it) {
        if (!lb_str_eq_nocase(folded, known))
            return LLMGR_OK;
        return lb_fail(look->err, LLMGR_ERR_INVALID,
                       N_("the request body has a member '%.*s'; write '%.*s' in lower case"),
                       (int)name.size, name.p, (int)known.size, known.p);
    }
    if ((look->seen & bit) != 0) {
        return lb_fail(look->err, LLMGR_ERR_INVALID,
                       N_("the request body has the member '%.*s' twice; send it once"),
                       (int)known.size, known.p);
    }
    look->seen |= bit;
    return LLMGR_OK;
}

static llmgr_status bad_model(struct look *look)
{
    return lb_fail(look->err, LLMGR_ERR_INVALID,
                   N_("'model' in the request body is no valid name (UTF-8 without control "
                      "characters, at most %d bytes)"),
                   LD_MODEL_NAME_MAX);
}

static llmgr_status take_model(struct look *look, const struct lj_member *member)
{
    struct lb_str value = lj_span_of(look->body, member->value);

    look->peek->model_at = member->value;
    if (lb_str_eq(value, LB_STR("null")))
        return LLMGR_OK;
    if (value.p[0] != '"')
        return wrong_type(look, "model", "a string");
    struct lb_str name = lb_str_sub(value, 1, value.size - 1);
    if (name.size == 0)
        return LLMGR_OK; /* as good as absent */
    if (name.size > 6 * LD_MODEL_NAME_MAX)
        return bad_model(look);
    if (memchr(name.p, '\\', name.size) != NULL) {
        char *plain = lb_arena_bytes(look->arena, name.size);
        if (plain == NULL)
            return lb_fail_memory(look->err);
        size_t size = lj_unescape(name, plain, name.size);
        name = lb_str(plain, size != SIZE_MAX ? size : 0);
    }
    if (!lb_utf8_name(name, LD_MODEL_NAME_MAX))
        return bad_model(look);
    look->peek->model = name;
    return LLMGR_OK;
}

/* true, false or null (as false). */
static llmgr_status take_bool(struct look *look, const char *name, struct lj_span at, bool *flag)
{
    char c = look->body.p[at.at];

    if (c != 't' && c != 'f' && c != 'n')
        return wrong_type(look, name, "true or false");
    *flag = c == 't';
    return LLMGR_OK;
}

static llmgr_status take_options(struct look *look, const struct lj_member *member)
{
    static const struct lb_str INCLUDE_USAGE = {"include_usage", 13};
    const uint32_t bit = UINT32_C(1) << KNOWN_COUNT;
    struct ld_peek *peek = look->peek;
    struct lj_member inner;
    struct lj_walk walk;
    char buf[NAME_MAX_SIZE], as[NAME_MAX_SIZE];

    peek->options_at = member->value;
    peek->options_name = member->name_at;
    peek->options_before = member->before;
    if (look->body.p[member->value.at] == 'n')
        return LLMGR_OK;
    if (look->body.p[member->value.at] != '{')
        return wrong_type(look, "stream_options", "an object");
    peek->options_object = true;
    peek->options_empty = true;
    lj_walk_start(&walk, look->body, member->value.at, 2);
    while (lj_walk_next(&walk, &inner)) {
        bool is_it;
        peek->options_empty = false;
        struct lb_str name = lj_member_name(&inner, buf, sizeof buf);
        llmgr_status status = match(look, name, fold(name, as), INCLUDE_USAGE, bit, &is_it);
        if (status == LLMGR_OK && is_it) {
            peek->usage_at = inner.value;
            status = take_bool(look, INCLUDE_USAGE.p, inner.value, &peek->include_usage);
        }
        if (status != LLMGR_OK)
            return status;
        peek->options_more |= !is_it;
    }
    return LLMGR_OK;
}

/* A limit that is no count is the platform's to refuse. */
static void take_limit(struct look *look, struct lj_span at, int64_t *limit)
{
    int64_t value;

    if (lb_str_to_i64(lj_span_of(look->body, at), &value) && value >= 0)
        *limit = value;
}

static llmgr_status take_known(struct look *look, enum known known, const struct lj_member *member)
{
    switch (known) {
    case KNOWN_MODEL:
        return take_model(look, member);
    case KNOWN_STREAM:
        return take_bool(look, "stream", member->value, &look->peek->stream);
    case KNOWN_OPTIONS:
        return take_options(look, member);
    default:
        take_limit(look, member->value, &look->limits[known - KNOWN_MAX_COMPLETION]);
        return LLMGR_OK;
    }
}

/* Does the platform keep what comes of it? Any word that may mean yes, under any name that may. */
static void take_kept(struct look *look, struct lb_str folded, const struct lj_member *member)
{
    const char first = look->body.p[member->value.at];

    if (first == 'f' || first == 'n')
        return;
    look->peek->store |= lb_str_eq_nocase(folded, LB_STR("store"));
    look->peek->audio |= lb_str_eq_nocase(folded, LB_STR("audio"));
}

static llmgr_status take_member(struct look *look, const struct lj_member *member)
{
    char buf[NAME_MAX_SIZE], as[NAME_MAX_SIZE];
    struct lb_str name = lj_member_name(member, buf, sizeof buf);
    struct lb_str folded = fold(name, as);
    bool is_it;

    if (folded.size < NAME_MAX_SIZE && BY_SIZE[folded.size] != 0) {
        enum known known = BY_SIZE[folded.size] - 1;
        llmgr_status status =
            match(look, name, folded, KNOWN_NAMES[known], UINT32_C(1) << known, &is_it);
        if (status != LLMGR_OK || is_it)
            return status == LLMGR_OK ? take_known(look, known, member) : status;
        if (known == KNOWN_MODEL) /* store and audio are of the same size */
            take_kept(look, folded, member);
    }
    look->peek->refs |= name.p == NULL || ld_ref_hint(name);
    return LLMGR_OK;
}

static llmgr_status look_at_all(struct look *look)
{
    struct lj_walk walk;
    struct lj_member member;
    size_t count = 0;

    size_t open = lj_scan_space(look->body.p, 0, look->body.size);
    lj_walk_start(&walk, look->body, open, 1);
    walk.wanted = &ld_refs_wanted;
    while (lj_walk_next(&walk, &member)) {
        if (++count > LD_MEMBERS_MAX) {
            return lb_fail(look->err, LLMGR_ERR_INVALID,
                           N_("the request body has more than %d members"), LD_MEMBERS_MAX);
        }
        llmgr_status status = take_member(look, &member);
        if (status != LLMGR_OK)
            return status;
    }
    if (walk.why != NULL)
        return malformed(&walk, look->err);
    look->peek->open = open;
    look->peek->close = walk.at - 1;
    look->peek->empty = count == 0;
    look->peek->refs |= walk.hint;
    look->peek->ids = walk.ids;
    walk.at = lj_scan_space(look->body.p, walk.at, look->body.size);
    walk.why = "something follows the object";
    return walk.at == look->body.size ? LLMGR_OK : malformed(&walk, look->err);
}

llmgr_status ld_peek(struct lb_str body, struct lb_arena *arena, struct ld_peek *peek,
                     struct llmgr_error *err)
{
    struct ld_peek found = {.max_tokens = -1};
    struct look look = {
        .body = body, .arena = arena, .err = err, .peek = &found, .limits = {-1, -1, -1}};

    llmgr_status status = look_at_all(&look);
    if (status != LLMGR_OK)
        return status;
    for (size_t i = 0; i < 3 && found.max_tokens < 0; i++)
        found.max_tokens = look.limits[i];
    *peek = found;
    return LLMGR_OK;
}
