/* SPDX-License-Identifier: MIT */
/* Refusals as servers write them: those that name the parameter, and those that repeat it. */
#include "dialect/reject.h"

#include <stdio.h>

#include "../unit.h"

static const char *const STATED[] = {
    "Unknown parameter: 'stream_options'",
    "include_usage: extra fields",
    "{\"loc\":[\"Stream_Options\"]}",
    /* OpenAI, and what speaks like it */
    "{\"error\":{\"message\":\"Unrecognized request argument supplied: stream_options\",\"type\":"
    "\"invalid_request_error\",\"param\":null,\"code\":null}}",
    "{\"error\":{\"message\":\"Unknown parameter.\",\"param\":\"stream_options.include_usage\","
    "\"code\":\"unknown_parameter\"}}",
    "{\"error\":{\"message\":\"no\",\"param\":\"body.stream_options\"}}",
    /* FastAPI; the same once Python's words were put into a text */
    "{\"detail\":[{\"type\":\"extra_forbidden\",\"loc\":[\"body\",\"stream_options\"],\"msg\":"
    "\"Extra "
    "inputs are not permitted\",\"input\":{\"include_usage\":true}}]}",
    "{\"object\":\"error\",\"message\":\"[{'type': 'extra_forbidden', 'loc': ('body', "
    "'stream_options'), 'msg': 'Extra inputs are not permitted', 'input': {'include_usage': "
    "True}}]\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
    "{\"message\":{\"detail\":[{\"loc\":[\"body\",\"stream_options\",\"include_usage\"]}]}}",
    /* Anthropic, Google, serde, Go, JSON Schema, Spring, Django */
    "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":"
    "\"stream_options: Extra inputs are not permitted\"}}",
    "{\"error\":{\"code\":400,\"message\":\"Invalid JSON payload received. Unknown name "
    "\\\"stream_options\\\": Cannot find field.\",\"status\":\"INVALID_ARGUMENT\"}}",
    "Failed to deserialize the JSON body: unknown field `stream_options`, expected one of `model`",
    "json: unknown field \"stream_options\"",
    "{\"error\":\"Additional properties are not allowed ('stream_options' was unexpected)\"}",
    "{\"message\":\"Unrecognized field \\\"stream_options\\\" (class X), not marked as "
    "ignorable\"}",
    "{\"stream_options\":[\"This field is unknown.\"]}",
    "{\"errors\":{\"stream_options\":\"unknown\"}}",
    "{\"error\":{\"message\":\"\xe4\xb8\x8d\xe6\x94\xaf\xe6\x8c\x81 stream_options "
    "\xe5\x8f\x82\"}}",
    /* A text that has another's error in it */
    "{\"error\":{\"message\":\"upstream: {\\\"error\\\":{\\\"message\\\":\\\"Unknown parameter: "
    "'stream_options'.\\\",\\\"param\\\":\\\"stream_options\\\"}}\"}}",
};

#define SENT "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}}"
#define SENT_IN_TEXT "{\\\"model\\\":\\\"m\\\",\\\"stream_options\\\":{\\\"include_usage\\\":true}}"

static const char *const QUOTED[] = {
    "context too long",
    "",
    "{}",
    SENT,
    "cannot do: " SENT,
    "{\"error\":{\"message\":\"Invalid body: " SENT_IN_TEXT "\",\"param\":\"messages\"}}",
    "{\"error\":{\"message\":\"Invalid\",\"request\":" SENT "}}",
    "{\"detail\":[{\"type\":\"missing\",\"loc\":[\"body\",\"messages\"],\"msg\":\"Field required\","
    "\"input\":" SENT "}]}",
    "{\"detail\":[{\"loc\":[\"body\",\"messages\"],\"input\":[{\"content\":\"Unknown parameter: "
    "'stream_options'\",\"param\":\"stream_options\"}]}]}",
    "{\"detail\":[{\"loc\":[\"body\",\"messages\",0,\"stream_options\"],\"msg\":\"no\"}]}",
    "{\"message\":\"[{'type': 'missing', 'loc': ('body', 'messages'), 'msg': 'Field required', "
    "'input': {'model': 'm', 'stream_options': {'include_usage': True}}}]\"}",
    "{\"message\":\"bad: Request { stream_options: Some(StreamOptions { include_usage: true }) "
    "}\"}",
    "{\"message\":\"bad: Request(stream_options=StreamOptions(include_usage=True))\"}",
    "{\"message\":\"bad {:stream_options=>{:include_usage=>true}}\"}",
    "{\"message\":\"bad &amp;{&quot;stream_options&quot;:{&quot;include_usage&quot;:true}}\"}",
    "{\"message\":\"bad %7B%22stream_options%22%3A%7B%22include_usage%22%3Atrue%7D%7D\"}",
    "{\"message\":\"bad {\\\\u0022stream_options\\\\u0022: {\\\\u0022include_usage\\\\u0022: "
    "true}}\"}",
    /* cut, where only the name is left */
    "{\"message\":\"bad: {\\\"model\\\":\\\"m\\\",\\\"stream_options\\\"\"}",
    "{\"message\":\"bad: {\\\"model\\\":\\\"m\\\",\\\"stream_options\"}",
    "{\"message\":\"bad: {\\\"model\\\":\\\"m\\\",\\\"stream_options\\\":\"}",
    "{\"message\":\"bad: {\\\"model\\\":\\\"m\\\",\\\"stream_options\\\"...\"}",
    "{\"message\":\"my_stream_options and stream_options2\"}",
    "{\"param\":\"messages.stream_options\"}",
};

static void a_platforms_own_word_is_recognised(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof STATED / sizeof STATED[0]; i++) {
        if (!ld_rejects_stream_options(400, lb_cstr(STATED[i])) ||
            !ld_rejects_stream_options(422, lb_cstr(STATED[i])))
            fail_msg("%s", STATED[i]);
        assert_false(ld_rejects_stream_options(500, lb_cstr(STATED[i])));
        assert_false(ld_rejects_stream_options(200, lb_cstr(STATED[i])));
    }
}

static void a_quotation_of_the_request_is_no_word_of_the_platform(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof QUOTED / sizeof QUOTED[0]; i++) {
        if (ld_rejects_stream_options(400, lb_cstr(QUOTED[i])))
            fail_msg("%s", QUOTED[i]);
    }
}

/* Wherever a quotation is cut, it does not become a statement. */
static void a_quotation_may_be_cut_anywhere(void **state)
{
    char text[512];

    (void)state;
    for (size_t size = 0; size < sizeof SENT; size++) {
        snprintf(text, sizeof text, "invalid: %.*s", (int)size, SENT);
        if (ld_rejects_stream_options(400, lb_cstr(text)))
            fail_msg("%s", text);
    }
}

static void what_a_refusal_may_have_been_quoted_from_is_found(void **state)
{
    static const char *const NAMING[] = {
        "stream_options",       "say include_usage please", "\"STREAM_OPTIONS\"",
        "x_stream_options",     "str\\u0065am_options",     "stream\\u005Foptions",
        "stream_\\u006fptions",
    };
    static const char *const OTHER[] = {
        "",
        "_",
        "stream",
        "options",
        "stream_option",
        "nclude_usage",
        "\\u003cb\\u003e",
        "a\\\\b \\u00e9 \\u4e2d \\n \\u007f",
        "\\u006",
        "\\",
    };

    (void)state;
    for (size_t i = 0; i < sizeof NAMING / sizeof NAMING[0]; i++) {
        if (!ld_mentions_stream_options(lb_cstr(NAMING[i])))
            fail_msg("%s", NAMING[i]);
    }
    for (size_t i = 0; i < sizeof OTHER / sizeof OTHER[0]; i++) {
        if (ld_mentions_stream_options(lb_cstr(OTHER[i])))
            fail_msg("%s", OTHER[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_platforms_own_word_is_recognised),
        cmocka_unit_test(a_quotation_of_the_request_is_no_word_of_the_platform),
        cmocka_unit_test(a_quotation_may_be_cut_anywhere),
        cmocka_unit_test(what_a_refusal_may_have_been_quoted_from_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
