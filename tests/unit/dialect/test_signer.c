/* SPDX-License-Identifier: MIT */
/* Answers whose ids get a tail: where, where not, and that no split changes a byte. */
#include "dialect/signer.h"

#include <stdio.h>
#include <stdlib.h>

#include "../unit.h"
#include "base/buf.h"
#include "base/host.h"

static struct lb_host host;
static unsigned asked; /* how often a tail was made */

/* "~" and the id's size; nothing for ids that begin with "no". */
static size_t make_tail(void *context, struct lb_str id, char tail[LD_SIGNER_TAIL_MAX])
{
    (void)context;
    asked++;
    if (lb_str_starts(id, LB_STR("no")))
        return 0;
    return (size_t)snprintf(tail, LD_SIGNER_TAIL_MAX, "~%zu", id.size);
}

struct signing {
    struct ld_signer signer;
    struct lb_buf out;
};

static void begin(struct signing *signing, enum ld_signed_family family, bool stream)
{
    lb_host_init(&host);
    asked = 0;
    ld_signer_init(&signing->signer, family, stream, make_tail, NULL);
    lb_buf_init(&signing->out, &host, 1 << 20);
}

/* From memory of just its size, so that a look beyond it is seen. */
static void feed(struct signing *signing, struct lb_str in)
{
    struct ld_signer_out out;
    char *copy = malloc(in.size + 1);

    assert_non_null(copy);
    memcpy(copy, in.p, in.size);
    for (struct lb_str rest = lb_str(copy, in.size); rest.size > 0;) {
        size_t used = ld_signer_feed(&signing->signer, rest, &out);
        assert_true(used > 0 && used <= rest.size && out.count <= LD_SIGNER_SLICES);
        for (size_t i = 0; i < out.count; i++)
            lb_buf_add_str(&signing->out, out.slice[i]);
        rest = lb_str_sub(rest, used, rest.size);
    }
    free(copy);
}

static void want(struct signing *signing, const char *wanted)
{
    if (!lb_str_eq_c(lb_buf_str(&signing->out), wanted))
        fail_msg("'%.*s' instead of '%s'", (int)signing->out.size, signing->out.data, wanted);
    lb_buf_free(&signing->out);
}

/* In one piece, and cut at every pair of offsets. */
static void check(enum ld_signed_family family, bool stream, const char *in, const char *wanted)
{
    const size_t size = strlen(in);
    struct signing signing;

    for (size_t first = 0; first < size; first++) {
        for (size_t second = first; second < size; second += 1 + size / 40) {
            begin(&signing, family, stream);
            feed(&signing, lb_str(in, first));
            feed(&signing, lb_str(in + first, second - first));
            feed(&signing, lb_str(in + second, size - second));
            want(&signing, wanted);
        }
    }
}

static void a_whole_response_has_its_ids_signed(void **state)
{
    (void)state;
    check(LD_SIGNED_RESPONSES, false,
          "{\"id\":\"resp_1\",\"object\":\"response\",\"previous_response_id\":\"resp_00\","
          "\"output\":[{\"type\":\"message\",\"id\":\"msg_123\",\"content\":[{\"text\":\"hi\"}]},"
          "{\"id\":\"mcp_1\",\"approval_request_id\":\"mcpr\"}],\"usage\":{\"total_tokens\":3}}\n",
          "{\"id\":\"resp_1~6\",\"object\":\"response\",\"previous_response_id\":\"resp_00~7\","
          "\"output\":[{\"type\":\"message\",\"id\":\"msg_123~7\",\"content\":[{\"text\":\"hi\"}]},"
          "{\"id\":\"mcp_1~5\",\"approval_request_id\":\"mcpr~4\"}],"
          "\"usage\":{\"total_tokens\":3}}\n");
}

/* What the caller wrote himself, or what is no id of a response or an item. */
static void nothing_else_is_touched(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {
        "{\"metadata\":{\"id\":\"resp_1\",\"item_id\":\"msg_1\",\"response\":{\"id\":\"r\"}},"
        "\"conversation\":{\"id\":\"conv_1\"},\"tools\":[{\"id\":\"t\"}],\"user\":\"id\"}",
        "{\"output\":[{\"content\":[{\"id\":\"a\",\"annotations\":[{\"id\":\"b\"}]}],"
        "\"summary\":[{\"id\":\"c\"}],\"call_id\":\"call_1\",\"item\":{\"id\":\"d\"}}]}",
        "{\"output\":[[{\"id\":\"a\"}]],\"item\":\"id\",\"response\":[[\"id\",\"b\"]]}",
        "{\"output\":[\"id\",\"x\",{\"Id\":\"a\",\"ID\":\"b\",\"ids\":[\"c\"],\"i\":\"d\"}]}",
        "{\"id\":null,\"item_id\":3,\"response_id\":true,\"first_id\":[\"a\"],"
        "\"last_id\":{\"id\":1}}",
        "{\"response\":{\"item_id\":\"a\",\"response\":{\"id\":\"b\"},\"first_id\":\"c\"}}",
        "{\"id\":\"\",\"output\":[]} {\"id\":\"a\"}",
        "[{\"id\":\"a\"}]",
        "\"id\":\"a\"",
        "{\"id\":\"no1\",\"item_id\":\"no2\"}",
        "{\"error\":{\"id\":\"a\",\"message\":\"\\\"id\\\":\\\"b\\\"\"}}",
        "",
    };

    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++)
        check(LD_SIGNED_RESPONSES, false, TEXTS[i], TEXTS[i]);
}

static void a_list_has_its_ids_signed(void **state)
{
    (void)state;
    check(LD_SIGNED_RESPONSES, false,
          "{\"object\":\"list\",\"data\":[{\"id\":\"a\"},{\"id\":\"bb\"},{\"id\":\"ccc\"},"
          "{\"id\":\"dddd\"},{\"id\":\"eeeee\"}],\"first_id\":\"a\",\"last_id\":\"eeeee\"}",
          "{\"object\":\"list\",\"data\":[{\"id\":\"a~1\"},{\"id\":\"bb~2\"},{\"id\":\"ccc~3\"},"
          "{\"id\":\"dddd~4\"},{\"id\":\"eeeee~5\"}],\"first_id\":\"a~1\","
          "\"last_id\":\"eeeee~5\"}");
}

static void events_have_their_ids_signed(void **state)
{
    (void)state;
    check(LD_SIGNED_RESPONSES, true,
          "event: response.created\n"
          "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r1\",\"output\":[]}}\n\n"
          ": {\"id\":\"x\"}\n\n"
          "id: {\"id\":\"x\"}\n"
          "data:{\"item\":{\"id\":\"m11\"}}\r\n\r\n"
          "data: {\"item_id\":\"m11\",\"delta\":\"\\\"id\\\"\"}\r\r"
          "data: {\"response_id\":\"r1\",\n"
          "data: \"item_id\":\"m11\"}\n\n"
          "data: {\"response\":{\"id\":\"r1\",\"output\":[{\"id\":\"m11\"}]}}\n\n"
          "data: [DONE]\n\n",
          "event: response.created\n"
          "data: {\"type\":\"response.created\",\"response\":{\"id\":\"r1~2\",\"output\":[]}}\n\n"
          ": {\"id\":\"x\"}\n\n"
          "id: {\"id\":\"x\"}\n"
          "data:{\"item\":{\"id\":\"m11~3\"}}\r\n\r\n"
          "data: {\"item_id\":\"m11~3\",\"delta\":\"\\\"id\\\"\"}\r\r"
          "data: {\"response_id\":\"r1~2\",\n"
          "data: \"item_id\":\"m11~3\"}\n\n"
          "data: {\"response\":{\"id\":\"r1~2\",\"output\":[{\"id\":\"m11~3\"}]}}\n\n"
          "data: [DONE]\n\n");
}

/* A broken event ends with its empty line, and the next one is read. */
static void a_broken_event_is_left_alone(void **state)
{
    (void)state;
    check(LD_SIGNED_RESPONSES, true,
          "\xef\xbb\xbf"
          "data: {\"id\":\"a\"}\n\n"
          "data: {\"id\":\"b\n\n"
          "data: {\"output\":[{\"x\":\"\n"
          "data: \"id\":\"c\"}\n\n"
          "datas: {\"id\":\"d\"}\n\ndata\n\n"
          "data: {\"id\":\"ee\"}\n\n",
          "\xef\xbb\xbf"
          "data: {\"id\":\"a~1\"}\n\n"
          "data: {\"id\":\"b\n\n"
          "data: {\"output\":[{\"x\":\"\n"
          "data: \"id\":\"c\"}\n\n"
          "datas: {\"id\":\"d\"}\n\ndata\n\n"
          "data: {\"id\":\"ee~2\"}\n\n");
}

static void a_stored_chat_has_its_own_places(void **state)
{
    (void)state;
    check(LD_SIGNED_CHATS, true,
          "data: {\"id\":\"chatcmpl-1\",\"choices\":[{\"delta\":{\"id\":\"x\",\"tool_calls\":"
          "[{\"id\":\"call_1\"}]}}]}\n\n",
          "data: {\"id\":\"chatcmpl-1~10\",\"choices\":[{\"delta\":{\"id\":\"x\",\"tool_calls\":"
          "[{\"id\":\"call_1\"}]}}]}\n\n");
    check(LD_SIGNED_CHATS, false,
          "{\"data\":[{\"id\":\"c-0\",\"tool_calls\":[{\"id\":\"x\"}]}],\"first_id\":\"c-0\","
          "\"item_id\":\"x\",\"response\":{\"id\":\"x\"}}",
          "{\"data\":[{\"id\":\"c-0~3\",\"tool_calls\":[{\"id\":\"x\"}]}],\"first_id\":\"c-0~3\","
          "\"item_id\":\"x\",\"response\":{\"id\":\"x\"}}");
}

static void escapes_are_read_and_kept(void **state)
{
    (void)state;
    check(LD_SIGNED_RESPONSES, false,
          "{\"\\u0069\\u0064\":\"resp\\u005f1\",\"outp\\u0075t\":[{\"id\":\"a\\/b\"}],"
          "\"item_id\":\"\\ud800\"}",
          "{\"\\u0069\\u0064\":\"resp\\u005f1~6\",\"outp\\u0075t\":[{\"id\":\"a\\/b~3\"}],"
          "\"item_id\":\"\\ud800\"}");
}

static void a_long_id_is_not_signed(void **state)
{
    (void)state;
    struct signing signing;
    struct lb_buf in, wanted;

    lb_host_init(&host);
    for (size_t size = LD_SIGNER_ID_MAX - 1; size <= LD_SIGNER_ID_MAX + 1; size++) {
        lb_buf_init(&in, &host, 4096);
        lb_buf_add_c(&in, "{\"id\":\"");
        for (size_t i = 0; i < size; i++)
            lb_buf_add_byte(&in, 'x');
        lb_buf_init(&wanted, &host, 4096);
        lb_buf_add_str(&wanted, lb_buf_str(&in));
        lb_buf_add_c(&in, "\",\"item_id\":\"a\"}");
        if (size <= LD_SIGNER_ID_MAX) {
            char tail[16];
            snprintf(tail, sizeof tail, "~%zu", size);
            lb_buf_add_c(&wanted, tail);
        }
        lb_buf_add_c(&wanted, "\",\"item_id\":\"a~1\"}");
        lb_buf_add_byte(&wanted, '\0');
        begin(&signing, LD_SIGNED_RESPONSES, false);
        for (size_t at = 0; at < in.size; at += 100)
            feed(&signing, lb_str_sub(lb_buf_str(&in), at, at + 100));
        want(&signing, wanted.data);
        lb_buf_free(&in);
        lb_buf_free(&wanted);
    }
}

/* The events of a stream name one item again and again. */
static void an_id_that_comes_again_is_signed_once(void **state)
{
    (void)state;
    struct signing signing;

    begin(&signing, LD_SIGNED_RESPONSES, true);
    for (int i = 0; i < 100; i++)
        feed(&signing, LB_STR("data: {\"item_id\":\"msg_1\",\"delta\":\"x\"}\n\n"));
    assert_int_equal(asked, 1);
    feed(&signing, LB_STR("data: {\"item_id\":\"msg_2\"}\n\ndata: {\"item_id\":\"msg_1\"}\n\n"));
    assert_int_equal(asked, 3);
    assert_true(lb_str_ends(lb_buf_str(&signing.out),
                            LB_STR("\"msg_2~5\"}\n\ndata: {\"item_id\":\"msg_1~5\"}\n\n")));
    lb_buf_free(&signing.out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_response_has_its_ids_signed),
        cmocka_unit_test(nothing_else_is_touched),
        cmocka_unit_test(a_list_has_its_ids_signed),
        cmocka_unit_test(events_have_their_ids_signed),
        cmocka_unit_test(a_broken_event_is_left_alone),
        cmocka_unit_test(a_stored_chat_has_its_own_places),
        cmocka_unit_test(escapes_are_read_and_kept),
        cmocka_unit_test(a_long_id_is_not_signed),
        cmocka_unit_test(an_id_that_comes_again_is_signed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
