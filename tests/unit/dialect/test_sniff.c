/* SPDX-License-Identifier: MIT */
/* Places of what passes by: which usage, finish, error and text count, and which only look so. */
#include "dialect/sniff.h"

#include <string.h>

#include "../unit.h"
#include "dialect/tap.h"
#include "json/scan.h"

static struct lb_host host;

static void assert_same(const struct ld_sniff *a, const struct ld_sniff *b)
{
    assert_int_equal(a->usage_found, b->usage_found);
    assert_true(lb_str_eq(lb_buf_str(&a->usage), lb_buf_str(&b->usage)));
    assert_int_equal(a->error, b->error);
    assert_int_equal(a->finish, b->finish);
    assert_int_equal(a->choices, b->choices);
    assert_int_equal(a->whole, b->whole);
    assert_int_equal(a->text_size, b->text_size);
    assert_int_equal(a->texts, b->texts);
    assert_string_equal(a->type, b->type);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

/* Fed whole, byte by byte and in pieces, which must come to the same; free it with ld_sniff_free.
 */
static struct ld_sniff sniffed(enum ld_endpoint_id endpoint, bool stream, const char *text)
{
    static const size_t STEPS[] = {1, 3, 40, 200};
    const size_t size = strlen(text);
    struct ld_sniff whole, cut;
    uint32_t seed = (uint32_t)size;

    ld_sniff_init(&whole, &host, ld_endpoint(endpoint), stream);
    ld_sniff_feed(&whole, text, size);
    for (size_t i = 0; i < sizeof STEPS / sizeof STEPS[0]; i++) {
        ld_sniff_init(&cut, &host, ld_endpoint(endpoint), stream);
        for (size_t at = 0; at < size;) {
            size_t step = 1 + next_random(&seed) % STEPS[i];
            step = step < size - at ? step : size - at;
            ld_sniff_feed(&cut, text + at, step);
            at += step;
        }
        assert_same(&whole, &cut);
        ld_sniff_free(&cut);
    }
    return whole;
}

static void usage_counts_where_answers_have_it(void **state)
{
    static const struct {
        const char *text;
        const char *usage; /* NULL: none */
    } ROWS[] = {
        {"{\"usage\":{\"a\":1}}", "{\"a\":1}"},
        {" \r\n\t{\"usage\" : {\"a\":{\"usage\":{}}}}", "{\"a\":{\"usage\":{}}}"},
        {"{\"response\":{\"usage\":{\"a\":2}}}", "{\"a\":2}"},
        {"{\"message\":{\"usage\":{\"a\":3}}}", "{\"a\":3}"},
        {"{\"choices\":[{\"usage\":{\"a\":4}}]}", "{\"a\":4}"},
        {"{\"usage\":{\"a\":1},\"x\":1,\"usage\":{\"a\":5}}", "{\"a\":5}"},
        {"{\"other\":{\"usage\":{}}}", NULL},
        {"{\"other\":[{\"usage\":{}}]}", NULL},
        {"{\"choices\":[[{\"usage\":{}}]]}", NULL},
        {"{\"response\":{\"x\":{\"usage\":{}}}}", NULL},
        {"{\"usage\":null}", NULL},
        {"{\"usage\":[{}]}", NULL},
        {"{\"x\":\"usage\"}", NULL},
        {"{\"usage\":{\"a\":1", NULL},
        {"[{\"usage\":{}}]", NULL},
        {"x{\"usage\":{}}", NULL},
        {"{}{\"usage\":{}}", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_sniff sniff = sniffed(LD_ENDPOINT_CHAT, true, ROWS[i].text);
        if (sniff.usage_found != (ROWS[i].usage != NULL))
            fail_msg("%s", ROWS[i].text);
        if (ROWS[i].usage != NULL)
            assert_string_equal(lb_buf_c(&sniff.usage), ROWS[i].usage);
        ld_sniff_free(&sniff);
    }
}

static void an_end_counts_where_its_dialect_says_it(void **state)
{
    static const struct {
        const char *text;
        bool finish;
    } ROWS[] = {
        {"{\"choices\":[{\"finish_reason\":\"stop\"}]}", true},
        {"{\"choices\":[{\"finish_reason\":null}]}", false},
        {"{\"choices\":[{\"finish_reason\":\"\"}]}", false},
        {"{\"choices\":[{\"finish_reason\":\"null\"}]}", false},
        {"{\"choices\":[{\"finish_reason\":\"nul\"}]}", true},
        {"{\"stop_reason\":\"\"}", false},
        {"{\"delta\":{\"stop_reason\":\"null\"}}", false},
        {"{\"delta\":{\"stop_reason\":null}}", false},
        {"{\"choices\":[[{\"finish_reason\":\"stop\"}]]}", false},
        {"{\"others\":[{\"finish_reason\":\"stop\"}]}", false},
        {"{\"finish_reason\":\"stop\"}", false},
        {"{\"stop_reason\":\"end_turn\"}", true},
        {"{\"delta\":{\"stop_reason\":\"end_turn\"}}", true},
        {"{\"other\":{\"stop_reason\":\"end_turn\"}}", false},
        {"{\"delta\":{\"x\":{\"stop_reason\":\"end_turn\"}}}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_sniff sniff = sniffed(LD_ENDPOINT_CHAT, true, ROWS[i].text);
        if (sniff.finish != ROWS[i].finish)
            fail_msg("%s", ROWS[i].text);
        ld_sniff_free(&sniff);
    }
}

static void an_error_is_one_that_says_something(void **state)
{
    static const struct {
        const char *text;
        bool error;
    } ROWS[] = {
        {"{\"error\":\"x\"}", true},
        {"{\"error\":{\"a\":1}}", true},
        {"{\"error\":true}", true},
        {"{\"error\":\"\"}", false},
        {"{\"error\":{}}", false},
        {"{\"error\":false}", false},
        {"{\"error\":null}", false},
        {"{\"error\":[]}", false},
        {"{\"a\":{\"error\":true}}", false},
        {"{\"a\":{\"error\":\"x\"}}", false},
        {"{\"error\":null,\"a\":true}", false},
        /* Empty ones, as some platforms put them beside each piece of text. */
        {"{\"error\":{\"message\":\"\",\"code\":null}}", false},
        {"{\"error\":{\"message\":\"\",\"type\":\"\",\"param\":null,\"code\":0.0},\"a\":1}", false},
        {"{\"error\":{\"message\":null,\"details\":[],\"more\":{\"a\":null}},\"b\":\"x\"}", false},
        {"{\"error\":0,\"code\":1}", false},
        {"{\"error\":500}", true},
        {"{\"error\":{\"message\":\"\",\"code\":429}}", true},
        {"{\"error\":{\"code\":-1}}", true},
        {"{\"error\":{\"fatal\":true}}", true},
        {"{\"error\":[\"x\"]}", true},
        {"{\"error\":{\"details\":[{\"reason\":\"x\"}]}}", true},
        {"{\"error\":{\"details\":{\"more\":\"x\"}}}", true},
        {"{\"error\":{\"code\":null},\"error\":{\"code\":1}}", true},
        {"{\"error\":{\"code\":1},\"error\":null}", true},
        /* Of a choice or a response it is the answer's, too. */
        {"{\"choices\":[{\"error\":{\"message\":\"x\"}}]}", true},
        {"{\"choices\":[{\"error\":{\"message\":\"\"},\"delta\":{\"content\":\"x\"}}]}", false},
        {"{\"choices\":[{\"delta\":{\"error\":\"x\"}}]}", false},
        {"{\"response\":{\"error\":{\"code\":\"x\"}}}", true},
        {"{\"response\":{\"error\":null,\"id\":\"x\"}}", false},
        {"{\"response\":{\"status\":\"failed\"}}", true},
        {"{\"response\":{\"status\":\"completed\"}}", false},
        {"{\"status\":\"failed\"}", false},
        {"{\"choices\":[{\"finish_reason\":\"error\"}]}", true},
        {"{\"object\":\"error\",\"message\":\"x\"}", true},
        {"{\"object\":\"chat.completion\"}", false},
        {"{\"a\":{\"object\":\"error\"}}", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_sniff sniff = sniffed(LD_ENDPOINT_CHAT, false, ROWS[i].text);
        if (sniff.error != ROWS[i].error)
            fail_msg("%s", ROWS[i].text);
        if (strncmp(ROWS[i].text, "{\"error\":", 9) == 0)
            assert_int_equal(sniff.error_inside, ROWS[i].error);
        ld_sniff_free(&sniff);
    }
}

static void the_type_is_that_of_the_top_level(void **state)
{
    char text[600];
    struct ld_sniff sniff = sniffed(LD_ENDPOINT_RESPONSES, true,
                                    "{\"type\":\"t\",\"a\":{\"type\":\"no\"},"
                                    "\"response\":{\"type\":\"no\"}}");

    (void)state;
    assert_string_equal(sniff.type, "t");
    ld_sniff_free(&sniff);
    snprintf(text, sizeof text, "{\"type\":\"%0200d\",\"%0300d\":1}", 0, 0);
    sniff = sniffed(LD_ENDPOINT_CHAT, true, text);
    assert_int_equal(strlen(sniff.type), LD_SNIFF_TYPE_SIZE - 1);
    ld_sniff_free(&sniff);
}

static void text_is_what_stands_in_the_places_of_output(void **state)
{
    static const struct {
        enum ld_endpoint_id endpoint;
        bool stream;
        const char *text;
        uint64_t size;
    } ROWS[] = {
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"content\":\"abc\"}}]}", 3},
        {LD_ENDPOINT_CHAT, true, "{\"others\":[{\"delta\":{\"content\":\"abc\"}}]}", 0},
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"role\":\"abc\"}}]}", 0},
        {LD_ENDPOINT_RESPONSES, true, "{\"delta\":\"ab\"}", 2},
        {LD_ENDPOINT_RESPONSES, true, "{\"x\":{\"delta\":\"ab\"}}", 0},
        {LD_ENDPOINT_CHAT, true, "{\"choices\":[{\"delta\":{\"content\":\"a\nb\"}}]}", 3},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct ld_sniff sniff = sniffed(ROWS[i].endpoint, ROWS[i].stream, ROWS[i].text);
        assert_int_equal(sniff.text_size, ROWS[i].size);
        ld_sniff_free(&sniff);
    }
}

/* Deeper than names are followed, and deeper than levels are told apart. */
static void depth_changes_nothing_outside_of_it(void **state)
{
    char text[1024];

    (void)state;
    for (int depth = 5; depth <= 100; depth += 5) {
        size_t size = (size_t)snprintf(text, sizeof text, "{\"x\":");
        for (int i = 0; i < depth; i++)
            size += (size_t)snprintf(text + size, sizeof text - size, i % 2 ? "[" : "{\"usage\":");
        size += (size_t)snprintf(text + size, sizeof text - size, "1,\"error\"");
        for (int i = depth; i-- > 0;)
            size += (size_t)snprintf(text + size, sizeof text - size, i % 2 ? "]" : "}");
        snprintf(text + size, sizeof text - size, ",\"usage\":{\"a\":1}}");
        struct ld_sniff sniff = sniffed(LD_ENDPOINT_CHAT, false, text);
        assert_true(sniff.whole);
        assert_false(sniff.error);
        assert_true(sniff.usage_found);
        assert_string_equal(lb_buf_c(&sniff.usage), "{\"a\":1}");
        ld_sniff_free(&sniff);
    }
}

static void a_text_that_was_cut_leaves_nothing_to_the_next(void **state)
{
    static const char CUT[] =
        "{\"usage\":{\"a\":[\"b\\\"\"]},\"other\":{\"x\":[1,\"\\\\y\"]},\"type\":\"t\"}";
    static const char NEXT[] = "{\"type\":\"u\",\"error\":{\"a\":1},\"usage\":{\"b\":2}}";
    struct ld_sniff wanted = sniffed(LD_ENDPOINT_CHAT, true, NEXT);
    struct ld_sniff sniff;

    (void)state;
    ld_sniff_init(&sniff, &host, ld_endpoint(LD_ENDPOINT_CHAT), true);
    for (size_t size = 0; size < sizeof CUT; size++) {
        ld_sniff_reset(&sniff);
        ld_sniff_feed(&sniff, CUT, size);
        ld_sniff_reset(&sniff);
        ld_sniff_feed(&sniff, NEXT, sizeof NEXT - 1);
        assert_same(&wanted, &sniff);
    }
    ld_sniff_free(&sniff);
    ld_sniff_free(&wanted);
}

/* ---- Any text: what is found follows from where it stands ------------------------------------ */

enum { DEEPEST = 11 };

/* Of which endpoint, and the names of its output texts. */
static const struct answer {
    enum ld_endpoint_id endpoint;
    bool stream;
    const char
        *root; /* the top-level member that they stand in; NULL: they are members themselves */
    const char *names;
} ANSWERS[] = {
    {LD_ENDPOINT_CHAT, false, "choices", " content reasoning_content reasoning text arguments "},
    {LD_ENDPOINT_NATIVE, true, "choices", " content reasoning_content reasoning text arguments "},
    {LD_ENDPOINT_RESPONSES, false, "output", " text arguments "},
    {LD_ENDPOINT_RESPONSES, true, NULL, " delta "},
    {LD_ENDPOINT_MESSAGES, false, "content", " text thinking "},
    {LD_ENDPOINT_MESSAGES, true, "delta", " text thinking partial_json "},
    {LD_ENDPOINT_EMBEDDINGS, false, "none", " "},
};

/* A text that is made up, and beside it what has to be found there. */
struct story {
    const struct answer *answer;
    uint32_t seed;
    int depth;
    const char *path[DEEPEST + 1]; /* by depth, from 1: the member; "" in an array */
    bool in_usage;
    struct lb_buf text, usage;
    bool usage_found, error, finish, choices;
    uint64_t text_size;
    unsigned texts;
};

static bool stands_in(const struct story *story, int depth, const char *name)
{
    return depth <= story->depth && strcmp(story->path[depth], name) == 0;
}

static bool is_member(const struct story *story, const char *name)
{
    return story->depth > 0 && stands_in(story, story->depth, name);
}

static bool is_output(const struct story *story)
{
    const char *root = story->answer->root;
    char name[40];

    snprintf(name, sizeof name, " %s ", story->path[story->depth]);
    return name[1] != ' ' && story->depth <= LD_SNIFF_LEVELS &&
           strstr(story->answer->names, name) != NULL &&
           (root == NULL ? story->depth == 1 : stands_in(story, 1, root));
}

/* Something that is not empty was told, `below` levels or more below the name of an error. */
static void tell_error(struct story *story, int below)
{
    int outer = 1;

    while (outer <= story->depth && strcmp(story->path[outer], "error") != 0)
        outer++;
    if (outer + below > story->depth)
        return;
    story->error |= outer == 1 || (outer == 2 && stands_in(story, 1, "response")) ||
                    (outer == 3 && stands_in(story, 1, "choices"));
}

static void tell_string(struct story *story)
{
    static const char *const INSIDES[] = {
        "",
        "a",
        "stop",
        "two words",
        "}]{[\\\"",
        "\\\\",
        "{\\\"usage\\\":{\\\"a\\\":1}}",
        "a long text of more than one block, and of some more than two or three"};
    const char *inside = INSIDES[next_random(&story->seed) % 8];
    size_t size = strlen(inside);

    for (const char *at = inside; *at != '\0'; at++) {
        if (*at == '\\') {
            at++;
            size--;
        }
    }
    lb_buf_addf(&story->text, "\"%s\"", inside);
    if (is_output(story)) {
        story->text_size += size;
        story->texts++;
    }
    if (size > 0)
        tell_error(story, 0);
    story->finish |= size > 0 && is_member(story, "finish_reason") && story->depth == 3 &&
                     stands_in(story, 1, "choices");
    story->finish |= size > 0 && is_member(story, "stop_reason") &&
                     (story->depth == 1 || (story->depth == 2 && stands_in(story, 1, "delta")));
}

static bool is_usage_place(const struct story *story)
{
    const int depth = story->depth;

    return is_member(story, "usage") &&
           (depth == 1 || (depth == 3 && stands_in(story, 1, "choices")) ||
            (depth == 2 && (stands_in(story, 1, "response") || stands_in(story, 1, "message"))));
}

static void tell_value(struct story *story);

static void tell_members(struct story *story, bool object)
{
    static const char *const NAMES[] = {
        "usage",    "error",        "response",  "message", "choices",           "finish_reason",
        "delta",    "stop_reason",  "output",    "content", "reasoning_content", "reasoning",
        "thinking", "partial_json", "arguments", "text",    "prompt_tokens",     "a",
    };
    const char *const space = next_random(&story->seed) % 4 == 0 ? " \n" : "";

    const uint32_t count = next_random(&story->seed) % (story->depth == 1 ? 8 : 4);

    for (uint32_t i = 0; i < count; i++) {
        lb_buf_addf(&story->text, "%s%s", i > 0 ? "," : "", space);
        story->path[story->depth] = "";
        if (object) {
            const char *name = NAMES[next_random(&story->seed) % 18];
            if (story->depth == 1 && next_random(&story->seed) % 3 == 0 &&
                story->answer->root != NULL)
                name = story->answer->root;
            story->path[story->depth] = name;
            lb_buf_addf(&story->text, "\"%s\"%s:%s", name, space, space);
        }
        tell_value(story);
    }
}

static void tell_level(struct story *story, bool object)
{
    bool usage = object && !story->in_usage && is_usage_place(story);
    size_t from = story->text.size;

    story->in_usage |= usage;
    story->choices |= object && story->depth == 2 && stands_in(story, 1, "choices");
    lb_buf_add_byte(&story->text, object ? '{' : '[');
    story->depth++;
    story->path[story->depth] = "";
    tell_error(story, 3); /* too deep to be looked at */
    tell_members(story, object);
    story->depth--;
    lb_buf_add_byte(&story->text, object ? '}' : ']');
    if (!usage)
        return;
    story->in_usage = false;
    story->usage_found = true;
    lb_buf_reset(&story->usage);
    lb_buf_add(&story->usage, story->text.data + from, story->text.size - from);
}

static void tell_value(struct story *story)
{
    static const char *const WORDS[] = {"true", "false", "null", "0", "-12.5e+7", "1700000000"};
    uint32_t kind = next_random(&story->seed) % 8;
    const char *word = WORDS[next_random(&story->seed) % 6];

    if (kind < 5 && story->depth < DEEPEST) {
        tell_level(story, kind < 3);
    } else if (kind < 7) {
        tell_string(story);
    } else {
        lb_buf_add_c(&story->text, word);
        if (word[0] == 't' || word[0] == '-' || word[0] == '1')
            tell_error(story, 0);
    }
}

static void what_is_found_follows_from_where_it_stands(void **state)
{
    unsigned usages = 0, errors = 0, finishes = 0, texts = 0;

    (void)state;
    for (uint32_t round = 0; round < 3000; round++) {
        struct story story = {.answer = &ANSWERS[round % 7], .seed = round * 7919u};
        lb_buf_init(&story.text, &host, 1 << 20);
        lb_buf_init(&story.usage, &host, 1 << 20);
        tell_level(&story, true);
        struct ld_sniff sniff =
            sniffed(story.answer->endpoint, story.answer->stream, lb_buf_c(&story.text));
        bool right = sniff.usage_found == story.usage_found && sniff.error == story.error &&
                     sniff.finish == story.finish && sniff.choices == story.choices &&
                     sniff.text_size == story.text_size && sniff.texts == story.texts &&
                     sniff.whole;
        if (right && story.usage_found)
            right = lb_str_eq(lb_buf_str(&sniff.usage), lb_buf_str(&story.usage));
        if (!right)
            fail_msg("%s", lb_buf_c(&story.text));
        usages += story.usage_found;
        errors += story.error;
        finishes += story.finish;
        texts += story.texts > 0;
        ld_sniff_free(&sniff);
        lb_buf_free(&story.text);
        lb_buf_free(&story.usage);
    }
    /* The stories are about what is looked for. */
    assert_true(usages > 100 && errors > 100 && finishes > 100 && texts > 100);
}

static void an_error_passes_although_it_holds_usage_alone(void **state)
{
    static const struct lb_str EVENT =
        LB_STR("data: {\"error\":{\"message\":\"m\"},\"usage\":{\"prompt_tokens\":1}}\n\n");
    struct ld_tap tap;
    struct ld_filter_out out;

    (void)state;
    ld_tap_init(&tap, &(struct ld_tap_options){.host = &host,
                                               .endpoint = ld_endpoint(LD_ENDPOINT_CHAT),
                                               .content_type = LB_STR("text/event-stream"),
                                               .http_status = 200,
                                               .withhold_usage = true});
    assert_int_equal(ld_filter_feed(&tap.filter, EVENT, &out), EVENT.size);
    assert_int_equal(out.count, 1);
    assert_true(lb_str_eq(out.slice[0], EVENT));
    assert_true(tap.filter.report.failed);
    assert_int_equal(tap.filter.report.usage.prompt_tokens, 1);
    ld_filter_finish(&tap.filter, &out);
    ld_filter_finish(&tap.filter, &out); /* once is enough, twice does no harm */
    assert_int_equal(out.count, 0);
    ld_filter_free(&tap.filter);
}

/* ---- Names with escapes (scan.c) ------------------------------------------------------------- */

static void an_escape_is_decoded_or_refused(void **state)
{
    static const struct {
        const char *raw;
        const char *plain; /* NULL: no text */
    } ROWS[] = {
        {"a\\\"\\\\\\/\\b\\f\\n\\r\\t", "a\"\\/\b\f\n\r\t"},
        {"\\u0041\\u00e9\\u20AC\\u20ac", "A\xc3\xa9\xe2\x82\xac\xe2\x82\xac"},
        {"\\ud83d\\ude00", "\xf0\x9f\x98\x80"},
        {"\\uD83D\\uDE00", "\xf0\x9f\x98\x80"},
        {"\\ue000\\ud7ff", "\xee\x80\x80\xed\x9f\xbf"},
        {"\\ud83d", NULL},
        {"\\ud83dxxxxxx", NULL},
        {"\\ud83d\\n1234", NULL},
        {"\\ud83d\\u0041", NULL},
        {"\\ud83d\\ue000", NULL},
        {"\\ude00\\ud83d", NULL},
        {"\\u12", NULL},
        {"\\u12g4", NULL},
        {"\\u/234", NULL},
        {"\\u@234", NULL},
        {"\\u`234", NULL},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        size_t size = lj_unescape(lb_cstr(ROWS[i].raw), out, sizeof out);
        if ((size == SIZE_MAX) != (ROWS[i].plain == NULL))
            fail_msg("%s", ROWS[i].raw);
        if (size != SIZE_MAX)
            assert_true(lb_str_eq_c(lb_str(out, size), ROWS[i].plain));
    }
    assert_int_equal(lj_unescape(LB_STR("\\u20ac"), out, 2), SIZE_MAX);
    assert_int_equal(lj_unescape(LB_STR("abc"), out, 2), SIZE_MAX);
}

static void a_walk_that_is_over_stays_over(void **state)
{
    static const char *const ENDS[] = {"{}",          "{\"a\":1e", "{\"a\":1e+",
                                       "{\"a\":1E-}", "{\"a\":1",  "{\"a\":1.",
                                       "{\"a\":-",    "[]",        ""};

    (void)state;
    for (size_t i = 0; i < sizeof ENDS / sizeof ENDS[0]; i++) {
        struct lj_walk walk;
        struct lj_member member;
        lj_walk_start(&walk, lb_cstr(ENDS[i]), 0, 1);
        assert_int_equal(walk.why != NULL, ENDS[i][0] != '{');
        while (lj_walk_next(&walk, &member))
            assert_string_equal(ENDS[i], "{\"a\":1");
        assert_int_equal(walk.why == NULL, i == 0);
        assert_false(lj_walk_next(&walk, &member));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usage_counts_where_answers_have_it),
        cmocka_unit_test(an_end_counts_where_its_dialect_says_it),
        cmocka_unit_test(an_error_is_one_that_says_something),
        cmocka_unit_test(the_type_is_that_of_the_top_level),
        cmocka_unit_test(text_is_what_stands_in_the_places_of_output),
        cmocka_unit_test(depth_changes_nothing_outside_of_it),
        cmocka_unit_test(a_text_that_was_cut_leaves_nothing_to_the_next),
        cmocka_unit_test(what_is_found_follows_from_where_it_stands),
        cmocka_unit_test(an_error_passes_although_it_holds_usage_alone),
        cmocka_unit_test(an_escape_is_decoded_or_refused),
        cmocka_unit_test(a_walk_that_is_over_stays_over),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
