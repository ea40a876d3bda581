/* SPDX-License-Identifier: MIT */
#include "config/file.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"
#include "config/placeholder.h"

static struct lb_host host;

static struct lc_file *parse(const char *text)
{
    struct lc_file *file = NULL;
    struct llmgr_error err = {0};
    if (lc_file_parse(&host, "llmgr.yaml", lb_cstr(text), &file, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    return file;
}

static void refuse_bytes(const char *text, size_t size, const char *place, const char *hint)
{
    struct lc_file *file = NULL;
    struct llmgr_error err = {0};

    if (lc_file_parse(&host, "llmgr.yaml", lb_str(text, size), &file, &err) != LLMGR_ERR_CONFIG)
        fail_msg("not refused: %.200s", text);
    assert_null(file);
    if (strstr(err.message, place) == NULL || strstr(err.message, hint) == NULL)
        fail_msg("'%s' lacks '%s' or '%s'", err.message, place, hint);
    assert_null(strchr(err.message, '\n'));
}

static void refuse(const char *text, const char *place, const char *hint)
{
    refuse_bytes(text, strlen(text), place, hint);
}

static void the_seeds_structure_is_read_in_order(void **state)
{
    (void)state;
    struct lc_file *file = parse("mode: fixed    # comment\n"
                                 "auto_key: true\n"
                                 "platforms:\n"
                                 "  魔搭ModelScope:\n"
                                 "    base_url: https://api-inference.modelscope.cn/v1\n"
                                 "    api_key: \"{MODELSCOPE_API_KEY}\"\n"
                                 "    models:\n"
                                 "      通义千问3: Qwen/Qwen3-235B-A22B-Instruct-2507\n"
                                 "      智谱 GLM 4.6: {model_name: ZhipuAI/GLM-4.6, extra_body: "
                                 "{thinking: {type: disabled}}}\n"
                                 "  B:\n"
                                 "    base_url: http://{HOST}:8080/v1\n"
                                 "    protocol: openai\n");

    assert_true(file->has_platforms);
    assert_int_equal(file->setting_count, 2);
    assert_int_equal(file->settings[0].id, LC_OPT_mode);
    assert_string_equal(file->settings[0].items[0], "fixed");
    assert_int_equal(file->settings[1].line, 2);
    assert_int_equal(file->settings[1].column, 11);
    assert_int_equal(file->platform_count, 2);
    const struct lc_platform *a = &file->platforms[0];
    assert_string_equal(a->name, "魔搭ModelScope");
    assert_string_equal(a->base_url, "https://api-inference.modelscope.cn/v1");
    assert_string_equal(a->keys[0].text, "{MODELSCOPE_API_KEY}");
    assert_string_equal(a->protocol, "openai");
    assert_int_equal(a->line, 4);
    assert_int_equal(a->model_count, 2);
    assert_string_equal(a->models[0].display_name, "通义千问3");
    assert_string_equal(a->models[0].model_name, "Qwen/Qwen3-235B-A22B-Instruct-2507");
    assert_null(a->models[0].extra_body);
    assert_string_equal(a->models[1].model_name, "ZhipuAI/GLM-4.6");
    assert_string_equal(a->models[1].extra_body, "{\"thinking\":{\"type\":\"disabled\"}}");
    assert_int_equal(a->models[1].line, 9);
    assert_int_equal(file->platforms[1].key_count, 0);
    assert_int_equal(file->platforms[1].model_count, 0);
    lc_file_free(file);
}

static void a_model_says_what_it_is_for(void **state)
{
    (void)state;
    struct lc_file *file = parse("platforms:\n  A:\n    base_url: https://a/v1\n    models:\n"
                                 "      Plain: p\n      Told: {model_name: t, kind: rerank}\n"
                                 "      Vectors: {model_name: v, kind: embedding}\n"
                                 "      None: {model_name: n, kind: unknown}\n"
                                 "      Null: {model_name: o, kind: }\n");
    const struct lc_model *models = file->platforms[0].models;

    assert_int_equal(models[0].kind, LLMGR_MODEL_UNKNOWN);
    assert_int_equal(models[1].kind, LLMGR_MODEL_RERANK);
    assert_int_equal(models[2].kind, LLMGR_MODEL_EMBEDDING);
    assert_int_equal(models[3].kind, LLMGR_MODEL_UNKNOWN);
    assert_int_equal(models[4].kind, LLMGR_MODEL_UNKNOWN);
    lc_file_free(file);
}

static void an_empty_file_says_nothing(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"",
                                        "# only a comment\n",
                                        "---\n",
                                        "~\n",
                                        "{}",
                                        "mode:\nca_file: ~\n",
                                        "\xef\xbb\xbfmode: null\n"};

    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        struct lc_file *file = parse(TEXTS[i]);
        assert_int_equal(file->setting_count, 0);
        assert_false(file->has_platforms);
        lc_file_free(file);
    }
    struct lc_file *file = parse("platforms:\n");
    assert_true(file->has_platforms);
    assert_int_equal(file->platform_count, 0);
    lc_file_free(file);
}

static void json_is_yaml(void **state)
{
    (void)state;
    struct lc_file *file = parse("{\n\t\"mode\": \"single\",\n\t\"platforms\": {\"A\": {\n"
                                 "\t\t\"base_url\": \"https://a/v1\",\n"
                                 "\t\t\"models\": {\"x\": {\"model_name\": \"y\"}}}}\n}\n");
    assert_string_equal(file->platforms[0].models[0].model_name, "y");
    lc_file_free(file);
}

/* extra_body: YAML's core schema, and the tags of the original's own file. */
static void extra_body_keeps_its_types(void **state)
{
    (void)state;
    static const struct {
        const char *yaml;
        const char *json;
    } CASES[] = {
        {"{a: 1, b: -2, c: +3, d: 007, e: 0x1f, f: 0o17}",
         "{\"a\":1,\"b\":-2,\"c\":3,\"d\":7,\"e\":31,\"f\":15}"},
        {"{a: 1.50, b: .5, c: 5., d: 1e3, e: -1.5E-3, f: 12345678901234567890123}",
         "{\"a\":1.50,\"b\":0.5,\"c\":5.0,\"d\":1e3,\"e\":-1.5e-3,\"f\":12345678901234567890123}"},
        {"{a: true, b: False, c: null, d: ~, e: , f: yes, g: off}",
         "{\"a\":true,\"b\":false,\"c\":null,\"d\":null,\"e\":null,\"f\":\"yes\",\"g\":\"off\"}"},
        {"{a: '1', b: \"true\", c: 'null', d: 1.2.3, e: 1_000, f: 2024-01-01, g: -, h: '.inf'}",
         "{\"a\":\"1\",\"b\":\"true\",\"c\":\"null\",\"d\":\"1.2.3\",\"e\":\"1_000\","
         "\"f\":\"2024-01-01\",\"g\":\"-\",\"h\":\".inf\"}"},
        {"{a: !!int '0', b: !!bool 'true', c: !!str 5, d: !!float '1', e: !!float 2.5, f: !!null "
         "''}",
         "{\"a\":0,\"b\":true,\"c\":\"5\",\"d\":1.0,\"e\":2.5,\"f\":null}"},
        {"{a: [1, [], {}, [x]], 智: \"\\\"\\\\\\n\\t\\x01é\"}",
         "{\"a\":[1,[],{},[\"x\"]],\"智\":\"\\\"\\\\\\n\\t\\u0001é\"}"},
        {"{}", NULL},
        {"~", NULL},
    };

    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct lb_buf text;
        lb_buf_init(&text, &host, 10000);
        lb_buf_addf(&text,
                    "platforms:\n  A:\n    base_url: https://a\n    models:\n      x:\n"
                    "        model_name: y\n        extra_body: %s\n",
                    CASES[i].yaml);
        struct lc_file *file = parse(lb_buf_c(&text));
        const char *json = file->platforms[0].models[0].extra_body;
        if (CASES[i].json == NULL)
            assert_null(json);
        else
            assert_string_equal(json, CASES[i].json);
        lc_file_free(file);
        lb_buf_free(&text);
    }
}

#define A "platforms:\n  A:\n    base_url: https://a\n"
#define M A "    models:\n"
#define X M "      x:\n        model_name: y\n        extra_body: "

static void a_pool_of_keys_is_read_in_order(void **state)
{
    (void)state;
    struct lc_file *file = parse(A "    api_keys: [\"{K_A}\", {key: \" {K_B}x \", weight: 2, "
                                   "account: org-b}, {key: sk-1, account: ~}]\n"
                                   "  B:\n    base_url: https://b\n    api_keys:\n"
                                   "    api_key: sk-2\n");
    const struct lc_platform *platform = &file->platforms[0];

    assert_int_equal(platform->key_count, 3);
    assert_string_equal(platform->keys[0].text, "{K_A}");
    assert_int_equal(platform->keys[0].weight, 1);
    assert_null(platform->keys[0].account);
    assert_string_equal(platform->keys[1].text, "{K_B}x");
    assert_int_equal(platform->keys[1].weight, 2);
    assert_string_equal(platform->keys[1].account, "org-b");
    assert_string_equal(platform->keys[2].text, "sk-1");
    assert_null(platform->keys[2].account);
    assert_int_equal(file->platforms[1].key_count, 1);
    lc_file_free(file);
}

static void keys_in_a_file(size_t count, const char *place, const char *says)
{
    struct lb_buf text;

    lb_buf_init(&text, &host, 10000);
    lb_buf_add_c(&text, A "    api_keys: [sk-0");
    for (size_t i = 1; i < count; i++)
        lb_buf_addf(&text, ", sk-%zu", i);
    lb_buf_add_c(&text, "]\n");
    if (says != NULL) {
        refuse(lb_buf_c(&text), place, says);
    } else {
        struct lc_file *file = parse(lb_buf_c(&text));
        assert_int_equal(file->platforms[0].key_count, count);
        lc_file_free(file);
    }
    lb_buf_free(&text);
}

static void a_pool_has_at_most_as_many_keys_as_the_database_takes(void **state)
{
    (void)state;
    keys_in_a_file(LC_KEYS_MAX, NULL, NULL);
    keys_in_a_file(LC_KEYS_MAX + 1, ":4:15:", "has more than 200 keys");
}

static void what_is_not_understood_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const BAD[][3] = {
        /* names */
        {"databse: x\n", "llmgr.yaml:1:1:", "did you mean 'database'"},
        {"platfroms: {}\n", ":1:1:", "did you mean 'platforms'"},
        {"mode: custom\nzzzzzz: 1\n", ":2:1:", "remove it"},
        {"master_key: abc\n", ":1:1:", "LLMGR_MASTER_KEY"},
        {"config: x.yaml\n", ":1:1:", "not known"},
        {A "    api_kye: x\n", ":4:5:", "did you mean 'api_key'"},
        {A "    color: red\n", ":4:5:", "'color'"},
        {M "      x: {model_nam: y}\n", ":5:11:", "did you mean 'model_name'"},
        {"mode: custom\nmode: fixed\n", ":2:1:", "second time; the first is on line 1"},
        {A "  A:\n    base_url: https://b\n", ":4:3:", "second time"},
        {M "      x: y\n      x: z\n", ":6:7:", "second time"},
        {M "      x: y\n      z: y\n", ":6:7:", "already stands"},
        {"? [a]\n: b\n", ":1:3:", "must be a text"},
        {"'': x\n", ":1:1:", "''"},
        /* values */
        {"mode: multi\n", ":1:7: mode", "single|fixed|custom"},
        {"mode: [single]\n", ":1:7: mode", "not a list"},
        {"mode: {a: b}\n", ":1:7:", "not a mapping"},
        {"auto_key: maybe\n", ":1:11: auto_key", "true nor false"},
        {"db_pool_size: many\n", ":1:15: db_pool_size", "number"},
        {"database: ''\n", ":1:11: database", "empty"},
        {"allow_cidr: [[a]]\n", ":1:14:", "list of texts"},
        {"allow_cidr: []\n", ":1:13: allow_cidr", "empty"},
        {"- a\n- b\n", ":1:1:", "must be a mapping"},
        {"just text\n", ":1:1:", "must be a mapping"},
        {"platforms: [a]\n", ":1:12:", "mapping of names"},
        {"platforms: {A: https://a}\n", ":1:16:", "base_url, api_key and models"},
        {"platforms: {A: {}}\n", ":1:13:", "has no base_url"},
        {"platforms: {A: {base_url: ''}}\n", ":1:13:", "has no base_url"},
        {"platforms: {A: {base_url: ftp://a}}\n", ":1:13:", "https://"},
        {"platforms: {A: {base_url: [x]}}\n", ":1:27:", "must be a text"},
        {"platforms: {'': {base_url: https://a}}\n", ":1:13:", "is no name"},
        {"platforms: {\"a\\nb\": {base_url: https://a}}\n", ":1:13:", "is no name"},
        {A "    api_key: \"a\\nb\"\n", ":4:14:", "line break"},
        {A "    protocol: gopher\n", ":4:15:", "openai, anthropic, azure or gemini"},
        {A "    models: [x]\n", ":4:13:", "mapping of display names"},
        {A "    headers: X-Title\n", ":4:14:", "must be a list of header fields' names"},
        {A "    headers: [X-Title, Cookie]\n", ":4:24:", "no name of a header field"},
        {M "      x: {kind: vectors}\n", ":5:17:", "must be one of unknown|chat|"},
        {M "      x: {kin: chat}\n", ":5:11:", "did you mean 'kind'"},
        {A "    headers: [{X-Title: y}]\n", ":4:15:", "with values it is a mapping"},
        {M "      x:\n", ":5:7:", "no model_name"},
        {M "      x: {extra_body: {a: 1}}\n", ":5:7:", "no model_name"},
        {M "      x: [y]\n", ":5:10:", "must be a text"},
        {X "text\n", ":7:21:", "must be a mapping"},
        {X "{a: .inf}\n", ":7:25:", "JSON has no such value"},
        {X "{a: 1e999}\n", ":7:25:", "JSON has no such value"},
        {X "{a: !!int x}\n", ":7:25:", "tag does not fit"},
        {X "{a: !!int 1.5}\n", ":7:25:", "tag does not fit"},
        {X "{a: !!bool 1}\n", ":7:25:", "tag does not fit"},
        {X "{a: !!null x}\n", ":7:25:", "tag does not fit"},
        {X "{a: 1, a: 2}\n", ":7:28:", "second time"},
        {X "{a: !!binary x}\n", ":7:25:", "tag is not known"},
        {X "{a: !mine x}\n", ":7:25:", "tag is not known"},
        /* syntax */
        {"mode: custom\nplatforms:\n\tA: x\n", ":3:1:", "tab"},
        {"platforms:\n  A:\n  \tbase_url: x\n", ":3:", "tab"},
        {"a: &x 1\n", ":1:4:", "anchors"},
        {"a: *x\n", ":1:4:", "aliases"},
        {"a: b\n---\nc: d\n", ":2:1:", "second document"},
        {"a: [b\n", ":2:1:", "quotes"},
        {"a: \"b\n", ":2:1:", "quotes"},
        {"a: b: c\n", ":1:5:", "quotes"},
        {"a: @b\n", ":1:4:", "quotes"},
        {"mode: cust\xff\n", ":1:11:", "UTF-8"},
        {"\xff\xfe"
         "a",
         ":1:1:", "UTF-8"},
        {"mode: \x01\n", ":1:7:", "control"},
        {"\xef\xbb\xbfmode: multi\n", ":1:7:", "single|fixed|custom"},
    };

    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        refuse(BAD[i][0], BAD[i][1], BAD[i][2]);
    refuse_bytes("mode: a\0b", 9, ":1:8:", "UTF-8");
    refuse("database: \"a\\0b\"\n", ":1:11:", "\\0");
}

static void what_is_no_pool_is_refused_with_its_place(void **state)
{
    (void)state;
    static const char *const BAD[][3] = {
        {A "    api_keys: sk-1\n", ":4:15:", "'api_keys' of 'A' must be a list"},
        {A "    api_keys: {key: sk-1}\n", ":4:15:", "must be a list"},
        {A "    api_keys: []\n", ":4:15:", "is empty"},
        {A "    api_keys: [sk-1, '']\n", ":4:22:", "key 2 in 'api_keys' of 'A' must be a text"},
        {A "    api_keys: [sk-1, [sk-2]]\n", ":4:22:", "key 2 in 'api_keys' of 'A' must be"},
        {A "    api_keys: [~]\n", ":4:16:", "key 1 in 'api_keys' of 'A' must be a text"},
        {A "    api_keys: [\"a\\nb\"]\n", ":4:16:", "control character"},
        {A "    api_keys: [{weight: 2}]\n", ":4:16:", "has no 'key'"},
        {A "    api_keys: [{key: }]\n", ":4:", "must be a text, and not empty"},
        {A "    api_keys: [{key: sk-1, wait: 2}]\n", ":4:", "key, weight and account"},
        {A "    api_keys: [{key: sk-1, weight: two}]\n", ":4:", "no whole number"},
        {A "    api_keys: [{key: sk-1, weight: -1}]\n", ":4:", "no whole number"},
        {A "    api_keys: [{key: sk-1, weight: 1.5}]\n", ":4:", "no whole number"},
        {A "    api_keys: [{key: sk-1, weight: [1]}]\n", ":4:", "no whole number"},
        {A "    api_keys: [{key: sk-1, account: ''}]\n", ":4:", "has an account that is no text"},
        {A "    api_keys: [{key: sk-1, account: [x]}]\n", ":4:", "has an account that is no text"},
        {A "    api_keys: [sk-1, sk-2, {key: sk-1}]\n", ":4:", "keys 1 and 3 in 'api_keys' of 'A'"},
        {A "    api_keys: [\"{K}\", \"{K}\"]\n", ":4:", "keys 1 and 2 in 'api_keys' of 'A'"},
        {A "    api_key: sk-1\n    api_keys: [sk-2]\n", ":5:5: 'A'", "both api_key and api_keys"},
        {A "    api_keys: [sk-2]\n    api_key: sk-1\n", ":5:5: 'A'", "both api_key and api_keys"},
    };

    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        refuse(BAD[i][0], BAD[i][1], BAD[i][2]);
}

static void what_is_surely_meant_otherwise_is_refused_with_the_right_form(void **state)
{
    (void)state;
    static const char *const BAD[][3] = {
        {A "    api_key: ${MY_KEY}\n", ":4:14: 'api_key'", "write \"{MY_KEY}\""},
        {A "    api_key: \"${MY_KEY}\"\n", ":4:14: 'api_key'", "write \"{MY_KEY}\""},
        {A "    api_key: os.environ/MY_KEY\n", ":4:14:", "write \"{MY_KEY}\""},
        {A "    api_key: $MY_KEY\n", ":4:14:", "write \"{MY_KEY}\""},
        {A "    api_key: \"{{ MY_KEY }}\"\n", ":4:14:", "write \"{MY_KEY}\""},
        {A "    api_key: {MY_KEY}\n", ":4:14:", "write \"{MY_KEY}\""},
        {A "    api_key: [\"{MY_KEY}\"]\n", ":4:14:", "not a list"},
        {A "    api_key:\n      - x\n", ":5:7:", "not a list"},
        {A "    api_keys: [\"${MY_KEY}\"]\n", ":4:16: 'api_keys'", "write \"{MY_KEY}\""},
        {A "    api_keys: [{MY_KEY}]\n", ":4:16: 'api_keys'", "write \"{MY_KEY}\""},
        {A "    api_keys: [{key: {MY_KEY}}]\n", ":4:22: 'api_keys'", "write \"{MY_KEY}\""},
        {A "    api_keys: [{key: x, account: \"{ORG}\"}]\n", ":4:", "holds a variable"},
        {"platforms: {A: {base_url: \"https://${HOST}/v1\"}}\n", ":1:27:", "write \"{HOST}\""},
        {"platforms: {A: {base_url: {HOST}}}\n", ":1:27:", "write \"{HOST}\""},
        {"platforms: {A: {base_url: https://a/v1/chat/completions}}\n",
         ":1:27:", "write https://a/v1,"},
        {"platforms: {A: {base_url: \"https://{HOST}/v1/messages/\"}}\n",
         ":1:27:", "write https://{HOST}/v1,"},
        {M "      x: ${MODEL}\n", ":5:10:", "base_url, api_key, api_keys and headers"},
        {M "      x: \"{MODEL}\"\n", ":5:10:", "base_url, api_key, api_keys and headers"},
        {M "      x: {model_name: {MODEL}}\n", ":5:23:", "base_url, api_key, api_keys and headers"},
        {M "      x: {model_name: os.environ/MODEL}\n",
         ":5:23:", "base_url, api_key, api_keys and headers"},
        {A "    models: x\n", ":4:13:", "such as {GPT 5: gpt-5}"},
        {"database: ${DATABASE_URL}\n", ":1:11: 'database'", "set LLMGR_DB"},
        {"database: {DATABASE_URL}\n", ":1:11: 'database'", "set LLMGR_DB"},
        {"database: \"{DATABASE_URL}\"\n", ":1:11: 'database'", "set LLMGR_DB"},
        {"workers: ${WORKERS}\n", ":1:10: 'workers'", "set LLMGR_WORKERS"},
        {"listen: [\"${ADDRESS}:8080\"]\n", ":1:10: 'listen'", "set LLMGR_LISTEN"},
        {"listen: [[::1]:8080]\n", ":1:", "quotes"},
        {"allow_cidr: \"[10.0.0.0/8]\"\n", ":1:13: allow_cidr", "commas"},
        {"database: sqlite:~/llmgr.db\n", ":1:11: database", "whole path"},
        {"master_key_file: ~/key\n", ":1:18: master_key_file", "whole path"},
    };

    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        refuse(BAD[i][0], BAD[i][1], BAD[i][2]);
}

static void what_only_looks_like_something_else_is_taken(void **state)
{
    (void)state;
    struct lc_file *file = parse("\xef\xbb\xbfmode: fixed\n"
                                 "master_key_command: sh -c 'cat ${CREDENTIALS}/{key}'\n"
                                 "allow_port: [8443]\n"
                                 "platforms:\n"
                                 "  A:\n"
                                 "    base_url: https://a/models\n"
                                 "    api_key: sk-$a{b\n"
                                 "    models: {x: \"y{z}\"}\n");

    assert_string_equal(file->settings[0].items[0], "fixed");
    assert_int_equal(file->settings[0].line, 1);
    assert_int_equal(file->settings[0].column, 7);
    assert_string_equal(file->platforms[0].keys[0].text, "sk-$a{b");
    assert_string_equal(file->platforms[0].models[0].model_name, "y{z}");
    lc_file_free(file);
}

static void bombs_are_refused_quickly(void **state)
{
    (void)state;
    struct lb_buf text;

    lb_buf_init(&text, &host, 8 << 20);
    for (int i = 0; i <= LC_FILE_DEPTH_MAX; i++)
        lb_buf_add_c(&text, "[");
    refuse(lb_buf_c(&text), ":1:33:", "nested too deeply");
    lb_buf_reset(&text);
    lb_buf_add_c(&text, "a: [");
    for (int i = 0; i < LC_FILE_NODES_MAX; i++)
        lb_buf_add_c(&text, "1,");
    lb_buf_add_c(&text, "1]");
    refuse(lb_buf_c(&text), ":1:", "too many entries");
    lb_buf_reset(&text);
    for (int i = 0; i <= LC_FILE_SIZE_MAX; i++)
        lb_buf_add_byte(&text, '#');
    refuse(lb_buf_c(&text), "llmgr.yaml", "larger than");
    lb_buf_reset(&text);
    lb_buf_add_c(&text, "a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n");
    refuse(lb_buf_c(&text), ":1:4:", "anchors");
    lb_buf_reset(&text);
    lb_buf_add_c(&text, X "{a: '");
    for (int i = 0; i < LC_EXTRA_BODY_MAX; i++)
        lb_buf_add_byte(&text, 'x');
    lb_buf_add_c(&text, "'}\n");
    refuse(lb_buf_c(&text), ":7:21:", "too large");
    lb_buf_free(&text);
}

static void the_originals_file_is_read_for_import(void **state)
{
    (void)state;
    struct lc_file *file = NULL;
    struct llmgr_error err = {0};
    static const char TEXT[] = "OpenRouter:\n  base_url: https://openrouter.ai/api/v1\n"
                               "  api_key: '{OPENROUTER_API_KEY}'\n  sys: yes\n"
                               "  models:\n    R1: {model_name: a/b, temperature: 1,\n"
                               "         extra_body: {thinkingBudget: !!int '0'}}\n";

    assert_int_equal(lc_file_parse(&host, "x", LB_STR(TEXT), &file, NULL), LLMGR_ERR_CONFIG);
    assert_int_equal(lc_file_parse_legacy(&host, "x", LB_STR(TEXT), &file, &err), LLMGR_OK);
    assert_int_equal(file->setting_count, 0);
    assert_int_equal(file->platform_count, 1);
    assert_string_equal(file->platforms[0].models[0].extra_body, "{\"thinkingBudget\":0}");
    lc_file_free(file);
    assert_int_equal(lc_file_parse_legacy(&host, "x", LB_STR("mode: custom\n"), &file, &err),
                     LLMGR_ERR_CONFIG);
}

static void the_default_file_reads_back(void **state)
{
    (void)state;
    struct lb_buf text;
    struct lc_options options;
    static const char *const NAMES[] = {"魔搭ModelScope", "阿里云百炼", "OpenRouter", "Gemini代理"};

    lb_buf_init(&text, &host, 100000);
    lc_write_default(&text);
    assert_true(lb_utf8_valid(lb_buf_str(&text)));
    struct lc_file *file = parse(lb_buf_c(&text));
    assert_int_equal(file->platform_count, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(file->platforms[i].name, NAMES[i]);
        assert_true(file->platforms[i].model_count != 0);
        assert_true(lc_is_placeholder(lb_cstr(file->platforms[i].keys[0].text)));
    }
    assert_string_equal(file->platforms[3].models[0].extra_body, "{\"thinkingBudget\":0}");
    assert_int_equal(lc_options_init(&options, &host, NULL), LLMGR_OK);
    assert_int_equal(lc_options_file(&options, file, NULL), LLMGR_OK);
    /* It says what the defaults are, not something else. */
    assert_int_equal(options.mode, LLMGR_MODE_CUSTOM);
    assert_true(options.auto_key);
    assert_string_equal(options.database, "sqlite:llmgr.db");
    lc_options_free(&options);
    lc_file_free(file);
    lb_buf_free(&text);
}

static void a_file_is_read_or_its_absence_told(void **state)
{
    (void)state;
    struct lc_file *file = NULL;
    struct llmgr_error err = {0};
    char path[] = "/tmp/llmgr-yaml-XXXXXX";
    int fd = mkstemp(path);

    assert_int_equal(write(fd, "mode: bad\n", 10), 10);
    close(fd);
    assert_int_equal(lc_file_read(&host, path, &file, &err), LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, path));
    unlink(path);
    assert_int_equal(lc_file_read(&host, path, &file, &err), LLMGR_ERR_NOT_FOUND);
    assert_int_equal(lc_file_read(&host, "/tmp", &file, &err), LLMGR_ERR_IO);
    lc_file_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_seeds_structure_is_read_in_order),
        cmocka_unit_test(a_model_says_what_it_is_for),
        cmocka_unit_test(an_empty_file_says_nothing),
        cmocka_unit_test(json_is_yaml),
        cmocka_unit_test(extra_body_keeps_its_types),
        cmocka_unit_test(what_is_not_understood_is_refused_with_its_place),
        cmocka_unit_test(what_is_no_pool_is_refused_with_its_place),
        cmocka_unit_test(a_pool_of_keys_is_read_in_order),
        cmocka_unit_test(a_pool_has_at_most_as_many_keys_as_the_database_takes),
        cmocka_unit_test(what_is_surely_meant_otherwise_is_refused_with_the_right_form),
        cmocka_unit_test(what_only_looks_like_something_else_is_taken),
        cmocka_unit_test(bombs_are_refused_quickly),
        cmocka_unit_test(the_originals_file_is_read_for_import),
        cmocka_unit_test(the_default_file_reads_back),
        cmocka_unit_test(a_file_is_read_or_its_absence_told),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
