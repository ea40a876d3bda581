/* SPDX-License-Identifier: MIT */
/*
 * "usage" objects are read leniently (a missing detail leaves the count unknown) and counts
 * strictly: a negative or fractional number, a string or a bool is no count.
 *
 *     text --walk--> +--------+
 *                    | counts | --rule--> struct llmgr_usage
 *     tree --------> +--------+
 *
 * One is read for each answer, from its text and without a tree. What a walk has no answer to
 * (escaped names, counts with a fraction or an exponent) is left to a tree, which has no exact
 * decimals: a cost is read by a walk or not at all.
 */
#include "dialect/usage.h"

#include <string.h>

#include "base/nano.h"
#include "json/scan.h"

/* ---- Counts, under the names of all dialects ------------------------------------------------- */

/* XX(NAME, "name") of the objects that counts stand in; the first is the usage object itself. */
#define HOLDER_MAP(XX)                                                                             \
    XX(USAGE, "")                                                                                  \
    XX(PROMPT, "prompt_tokens_details")                                                            \
    XX(INPUT, "input_tokens_details")                                                              \
    XX(HEARD, "input_token_details") /* of transcriptions */                                       \
    XX(COMPLETION, "completion_tokens_details")                                                    \
    XX(OUTPUT, "output_tokens_details")                                                            \
    XX(CREATION, "cache_creation")                                                                 \
    XX(HOSTED, "server_tool_use")

/* XX(NAME, holder, "name", its first character) */
#define COUNT_MAP(XX)                                                                              \
    XX(PROMPT, USAGE, "prompt_tokens", 'p')                                                        \
    XX(COMPLETION, USAGE, "completion_tokens", 'c')                                                \
    XX(TOTAL, USAGE, "total_tokens", 't')                                                          \
    XX(CACHE_HIT, USAGE, "prompt_cache_hit_tokens", 'p')                                           \
    XX(CACHED, USAGE, "cached_tokens", 'c') /* Kimi */                                             \
    XX(INPUT, USAGE, "input_tokens", 'i')                                                          \
    XX(OUTPUT, USAGE, "output_tokens", 'o')                                                        \
    XX(CACHE_CREATION, USAGE, "cache_creation_input_tokens", 'c')                                  \
    XX(CACHE_READ, USAGE, "cache_read_input_tokens", 'c')                                          \
    XX(SEARCHES, USAGE, "num_search_queries", 'n') /* Perplexity */                                \
    XX(COST, USAGE, "cost", 'c')                   /* OpenRouter: no count, but nano-units */      \
    XX(PROMPT_CACHED, PROMPT, "cached_tokens", 'c')                                                \
    XX(PROMPT_CACHE_WRITE, PROMPT, "cache_write_tokens", 'c')                                      \
    XX(PROMPT_AUDIO, PROMPT, "audio_tokens", 'a')                                                  \
    XX(PROMPT_IMAGE, PROMPT, "image_tokens", 'i')                                                  \
    XX(INPUT_CACHED, INPUT, "cached_tokens", 'c')                                                  \
    XX(INPUT_CACHE_WRITE, INPUT, "cache_write_tokens", 'c')                                        \
    XX(INPUT_AUDIO, INPUT, "audio_tokens", 'a')                                                    \
    XX(INPUT_IMAGE, INPUT, "image_tokens", 'i')                                                    \
    XX(HEARD_AUDIO, HEARD, "audio_tokens", 'a')                                                    \
    XX(COMPLETION_REASONING, COMPLETION, "reasoning_tokens", 'r')                                  \
    XX(COMPLETION_AUDIO, COMPLETION, "audio_tokens", 'a')                                          \
    XX(OUTPUT_REASONING, OUTPUT, "reasoning_tokens", 'r')                                          \
    XX(OUTPUT_THINKING, OUTPUT, "thinking_tokens", 't')                                            \
    XX(OUTPUT_AUDIO, OUTPUT, "audio_tokens", 'a')                                                  \
    XX(CREATION_1H, CREATION, "ephemeral_1h_input_tokens", 'e')                                    \
    XX(HOSTED_SEARCHES, HOSTED, "web_search_requests", 'w')

enum holder {
#define XX(name, text) HOLDER_##name,
    HOLDER_MAP(XX)
#undef XX
        HOLDERS
};

static const struct lb_str HOLDER_NAMES[HOLDERS] = {
#define XX(name, text) {text, sizeof(text) - 1},
    HOLDER_MAP(XX)
#undef XX
};

enum count {
#define XX(name, holder, member, first) COUNT_##name,
    COUNT_MAP(XX)
#undef XX
        COUNTS
};

static const struct row {
    enum holder holder;
    struct lb_str member;
} ROWS[COUNTS] = {
#define XX(name, holder, member, first) {HOLDER_##holder, {member, sizeof(member) - 1}},
    COUNT_MAP(XX)
#undef XX
};

/* No two rows meet in a slot; if they did it would be a compiler's warning (-Woverride-init). */
enum { SLOTS = 64 };
#define SLOT(holder, size, first) (((size) + 4 * (size_t)(first) + 20 * (size_t)(holder)) % SLOTS)

/* 1 + enum count, or 0. */
static const uint8_t BY_SLOT[SLOTS] = {
#define XX(name, holder, member, first)                                                            \
    [SLOT(HOLDER_##holder, sizeof(member) - 1, first)] = 1 + COUNT_##name,
    COUNT_MAP(XX)
#undef XX
};

struct counts {
    int64_t n[COUNTS];  /* -1: no count */
    bool there[COUNTS]; /* a member of that name, whatever its value */
    struct lb_str tier; /* "service_tier"; p NULL: none, or a tree was needed */
};

static void counts_of_tree(const json_t *object, struct counts *counts)
{
    for (size_t i = 0; i < COUNTS; i++) {
        const struct row *row = &ROWS[i];
        const json_t *holder = row->holder == HOLDER_USAGE
                                   ? object
                                   : json_object_get(object, HOLDER_NAMES[row->holder].p);
        int64_t value = lj_json_int(holder, row->member.p, -1);
        counts->there[i] = json_object_get(holder, row->member.p) != NULL;
        counts->n[i] = value >= 0 && i != COUNT_COST ? value : -1;
    }
}

/* False: a number that only a tree understands. Anything else that is no count is just none. */
static bool read_number(struct lb_str text, int64_t *count)
{
    uint64_t value;

    *count = -1;
    if (text.p[0] < '0' || text.p[0] > '9')
        return true;
    if (!lb_str_to_u64(text, &value) || value > INT64_MAX)
        return false;
    *count = (int64_t)value;
    return true;
}

/* What stands before the quotes' end and holds no escape: nobody's tier has one. */
static struct lb_str inside_of(struct lb_str value)
{
    return value.p[0] == '"' ? lb_str(value.p + 1, value.size - 2) : (struct lb_str){0};
}

/* COUNTS: none. */
static enum count find_count(enum holder holder, struct lb_str name)
{
    if (name.size == 0)
        return COUNTS;
    size_t slot = SLOT(holder, name.size, (unsigned char)name.p[0]);
    if (BY_SLOT[slot] == 0)
        return COUNTS;
    const struct row *row = &ROWS[BY_SLOT[slot] - 1];
    bool is_it = row->holder == holder && lb_str_eq(row->member, name);
    return is_it ? (enum count)(row - ROWS) : COUNTS;
}

/* HOLDERS: none. */
static enum holder find_holder(struct lb_str name)
{
    enum holder holder = HOLDER_USAGE + 1;

    while (holder < HOLDERS && !lb_str_eq(HOLDER_NAMES[holder], name))
        holder++;
    return holder;
}

/* The members of the object at text.p[at]. False: it is none, or a tree has to read it. */
static bool walk_object(struct lb_str text, size_t at, enum holder holder, struct counts *counts)
{
    struct lj_walk walk;
    struct lj_member member;

    lj_walk_start(&walk, text, at, holder == HOLDER_USAGE ? 1 : 2);
    while (lj_walk_next(&walk, &member)) {
        struct lb_str value = lj_span_of(text, member.value);
        enum holder inner =
            holder == HOLDER_USAGE && value.p[0] == '{' ? find_holder(member.name) : HOLDERS;
        enum count count = find_count(holder, member.name);
        bool whole = !member.escaped;
        if (inner != HOLDERS)
            whole = whole && walk_object(text, member.value.at, inner, counts);
        if (count == COUNT_COST) {
            counts->n[count] = lb_nano_read(value);
        } else if (count != COUNTS) {
            counts->there[count] = true;
            whole = whole && read_number(value, &counts->n[count]);
        } else if (holder == HOLDER_USAGE && lb_str_eq(member.name, LB_STR("service_tier"))) {
            counts->tier = inside_of(value);
        }
        if (!whole)
            return false;
    }
    return walk.why == NULL;
}

/* False: no JSON object. */
static bool counts_of_text(struct lb_str text, struct counts *counts)
{
    size_t at = lj_scan_space(text.p, 0, text.size);

    *counts = (struct counts){0};
    for (size_t i = 0; i < COUNTS; i++)
        counts->n[i] = -1;
    if (at == text.size || text.p[at] != '{')
        return false;
    if (walk_object(text, at, HOLDER_USAGE, counts))
        return true;
    json_t *object = lj_json_read(text, NULL);
    bool is_object = object != NULL; /* the text begins with its brace */
    if (is_object)
        counts_of_tree(object, counts);
    json_decref(object);
    return is_object;
}

/* ---- By rule --------------------------------------------------------------------------------- */

void ld_usage_init(struct llmgr_usage *usage)
{
    *usage = (struct llmgr_usage){
        .prompt_tokens = -1,
        .completion_tokens = -1,
        .total_tokens = -1,
        .cached_tokens = -1,
        .reasoning_tokens = -1,
        .cache_write_tokens = -1,
        .cache_write_1h_tokens = -1,
        .audio_input_tokens = -1,
        .audio_output_tokens = -1,
        .image_input_tokens = -1,
        .tool_calls = -1,
        .reported_cost_nano = -1,
    };
}

void ld_usage_parts_init(struct ld_usage_parts *parts)
{
    *parts = (struct ld_usage_parts){-1};
}

/* A name of letters, digits, '_' and '-'; anything else is none, also where it is longer. */
void ld_tier_take(char to[LLMGR_SERVICE_TIER_SIZE], struct lb_str tier)
{
    if (tier.size == 0 || tier.size >= LLMGR_SERVICE_TIER_SIZE)
        return;
    for (size_t i = 0; i < tier.size; i++) {
        const char c = tier.p[i];
        const char lower = (char)(c | 0x20);
        if ((lower < 'a' || lower > 'z') && (c < '0' || c > '9') && c != '_' && c != '-')
            return;
    }
    memcpy(to, tier.p, tier.size);
    to[tier.size] = '\0';
}

/* Replaces *to if there is such a count. */
static bool take_count(int64_t *to, const struct counts *counts, enum count count)
{
    if (counts->n[count] == -1)
        return false;
    *to = counts->n[count];
    return true;
}

/*
 * A total that is larger than its parts was used, too: thinking that counts for the completion, as
 * Gemini's does, or what was cached where that is more than the prompt.
 */
static void take_surplus(struct llmgr_usage *usage, int64_t prompt, int64_t completion,
                         int64_t total)
{
    if (prompt < 0 || completion < 0 || total <= prompt || total - prompt <= completion)
        return;
    int64_t surplus = total - prompt - completion;
    if (usage->cached_tokens > prompt) {
        usage->prompt_tokens = prompt + surplus;
        return;
    }
    usage->completion_tokens = completion + surplus;
    if (usage->reasoning_tokens < surplus)
        usage->reasoning_tokens = surplus;
}

/* What all dialects tell under the same names. */
static void take_common(struct llmgr_usage *usage, const struct counts *counts)
{
    (void)take_count(&usage->tool_calls, counts, COUNT_SEARCHES);
    (void)take_count(&usage->tool_calls, counts, COUNT_HOSTED_SEARCHES);
    (void)take_count(&usage->cache_write_1h_tokens, counts, COUNT_CREATION_1H);
    (void)take_count(&usage->reported_cost_nano, counts, COUNT_COST);
    ld_tier_take(usage->service_tier, counts->tier);
}

static bool read_chat(struct llmgr_usage *usage, const struct counts *counts)
{
    bool any = take_count(&usage->prompt_tokens, counts, COUNT_PROMPT);
    any |= take_count(&usage->completion_tokens, counts, COUNT_COMPLETION);
    any |= take_count(&usage->total_tokens, counts, COUNT_TOTAL);
    any |= take_count(&usage->cached_tokens, counts, COUNT_PROMPT_CACHED) ||
           take_count(&usage->cached_tokens, counts, COUNT_CACHE_HIT) ||
           take_count(&usage->cached_tokens, counts, COUNT_CACHED);
    any |= take_count(&usage->reasoning_tokens, counts, COUNT_COMPLETION_REASONING);
    /* LiteLLM names them as Anthropic does, and has them in the prompt. */
    (void)(take_count(&usage->cache_write_tokens, counts, COUNT_PROMPT_CACHE_WRITE) ||
           take_count(&usage->cache_write_tokens, counts, COUNT_CACHE_CREATION));
    (void)take_count(&usage->audio_input_tokens, counts, COUNT_PROMPT_AUDIO);
    (void)take_count(&usage->image_input_tokens, counts, COUNT_PROMPT_IMAGE);
    (void)take_count(&usage->audio_output_tokens, counts, COUNT_COMPLETION_AUDIO);
    take_common(usage, counts);
    take_surplus(usage, counts->n[COUNT_PROMPT], counts->n[COUNT_COMPLETION],
                 counts->n[COUNT_TOTAL]);
    return any;
}

static bool read_responses(struct llmgr_usage *usage, const struct counts *counts)
{
    bool any = take_count(&usage->prompt_tokens, counts, COUNT_INPUT);
    any |= take_count(&usage->completion_tokens, counts, COUNT_OUTPUT);
    any |= take_count(&usage->total_tokens, counts, COUNT_TOTAL);
    any |= take_count(&usage->cached_tokens, counts, COUNT_INPUT_CACHED);
    any |= take_count(&usage->reasoning_tokens, counts, COUNT_OUTPUT_REASONING);
    (void)take_count(&usage->cache_write_tokens, counts, COUNT_INPUT_CACHE_WRITE);
    (void)(take_count(&usage->audio_input_tokens, counts, COUNT_INPUT_AUDIO) ||
           take_count(&usage->audio_input_tokens, counts, COUNT_HEARD_AUDIO));
    (void)take_count(&usage->image_input_tokens, counts, COUNT_INPUT_IMAGE);
    (void)take_count(&usage->audio_output_tokens, counts, COUNT_OUTPUT_AUDIO);
    take_common(usage, counts);
    take_surplus(usage, counts->n[COUNT_INPUT], counts->n[COUNT_OUTPUT], counts->n[COUNT_TOTAL]);
    return any;
}

/* Counts of a stream are cumulative: a later, smaller one (some relays send 0) says nothing. */
static bool take_larger(int64_t *to, const struct counts *counts, enum count count)
{
    if (counts->n[count] > *to)
        *to = counts->n[count];
    return counts->n[count] >= 0;
}

/* Far above any count, and low enough that four of them can be summed. */
static int64_t or_zero(int64_t count)
{
    const int64_t most = INT64_MAX / 8;

    if (count < 0)
        return 0;
    return count < most ? count : most;
}

static bool read_messages(struct llmgr_usage *usage, struct ld_usage_parts *parts,
                          const struct counts *counts)
{
    bool any = take_larger(&parts->input, counts, COUNT_INPUT);
    any |= take_larger(&usage->cache_write_tokens, counts, COUNT_CACHE_CREATION);
    any |= take_larger(&usage->cached_tokens, counts, COUNT_CACHE_READ);
    any |= take_larger(&usage->completion_tokens, counts, COUNT_OUTPUT);
    if (parts->input >= 0)
        usage->prompt_tokens = or_zero(parts->input) + or_zero(usage->cache_write_tokens) +
                               or_zero(usage->cached_tokens);
    if (parts->input >= 0 && usage->completion_tokens >= 0)
        usage->total_tokens = usage->prompt_tokens + or_zero(usage->completion_tokens);
    (void)take_larger(&usage->cache_write_1h_tokens, counts, COUNT_CREATION_1H);
    (void)take_larger(&usage->reasoning_tokens, counts, COUNT_OUTPUT_THINKING);
    (void)take_larger(&usage->tool_calls, counts, COUNT_HOSTED_SEARCHES);
    (void)take_count(&usage->reported_cost_nano, counts, COUNT_COST);
    ld_tier_take(usage->service_tier, counts->tier);
    return any;
}

/* Some platforms report only the total of an embedding. */
static void complete_embedding(struct llmgr_usage *usage)
{
    if (usage->prompt_tokens < 0)
        usage->prompt_tokens = usage->total_tokens;
    if (usage->completion_tokens < 0)
        usage->completion_tokens = 0;
}

static bool read_any(struct llmgr_usage *usage, struct ld_usage_parts *parts,
                     const struct counts *counts)
{
    if (counts->there[COUNT_PROMPT] || counts->there[COUNT_COMPLETION])
        return read_chat(usage, counts);
    if (counts->there[COUNT_CACHE_READ] || counts->there[COUNT_CACHE_CREATION])
        return read_messages(usage, parts, counts);
    return read_responses(usage, counts);
}

bool ld_usage_read_text(struct llmgr_usage *usage, enum ld_usage_rule rule,
                        struct ld_usage_parts *parts, struct lb_str text)
{
    struct counts counts;

    if (rule == LD_USAGE_NONE || !counts_of_text(text, &counts))
        return false;
    switch (rule) {
    case LD_USAGE_RESPONSES:
        return read_responses(usage, &counts);
    case LD_USAGE_MESSAGES:
        return read_messages(usage, parts, &counts);
    case LD_USAGE_EMBEDDINGS:
        if (!read_chat(usage, &counts))
            return false;
        complete_embedding(usage);
        return true;
    case LD_USAGE_CHAT:
        return read_chat(usage, &counts) || read_any(usage, parts, &counts);
    default:
        return read_any(usage, parts, &counts);
    }
}

bool ld_usage_read_answer(struct llmgr_usage *usage, struct lb_str text)
{
    struct lj_walk walk;
    struct lj_member member;
    struct counts counts;
    bool any = false;

    lj_walk_start(&walk, text, lj_scan_space(text.p, 0, text.size), 1);
    while (lj_walk_next(&walk, &member)) {
        struct lb_str value = lj_span_of(text, member.value);
        if (lb_str_eq(member.name, LB_STR("usage")) && counts_of_text(value, &counts))
            any |= read_chat(usage, &counts);
        else if (lb_str_eq(member.name, LB_STR("service_tier")))
            ld_tier_take(usage->service_tier, inside_of(value));
    }
    return any;
}

int64_t ld_usage_estimate(uint64_t output_size)
{
    return (int64_t)(output_size / 4 + (output_size % 4 != 0));
}

bool ld_usage_outgrown(const struct llmgr_usage *usage, uint64_t output_size, uint64_t counted_size)
{
    const int64_t tokens = usage->completion_tokens;

    if (output_size == 0)
        return false;
    return tokens <= 0 || (output_size > counted_size && tokens < ld_usage_estimate(output_size));
}
