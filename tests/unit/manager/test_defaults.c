/* SPDX-License-Identifier: MIT */
/* From the text of a configuration file, by its placeholders, to rows. */
#include "fixture.h"

#include "config/file.h"

#define FILE_TEXT                                                                                  \
    "platforms:\n"                                                                                 \
    "  魔搭ModelScope:\n"                                                                        \
    "    base_url: https://{HOST}/v1\n"                                                            \
    "    api_key: \"{MS_KEY}\"\n"                                                                  \
    "    models:\n"                                                                                \
    "      通义千问3: Qwen/Qwen3\n"                                                            \
    "      智谱 GLM: {model_name: ZhipuAI/GLM, extra_body: {thinking: {type: disabled}}}\n"      \
    "  Plain:\n"                                                                                   \
    "    base_url: http://127.0.0.1:8000/v1\n"                                                     \
    "    models: {Local: local}\n"

static const char *variable(const char *name, void *context)
{
    const char *const *pairs = context;

    for (; *pairs != NULL; pairs += 2)
        if (strcmp(pairs[0], name) == 0)
            return pairs[1];
    return NULL;
}

static struct lm_defaults *make(struct fixture *w, const char *text, const char **pairs)
{
    struct lc_file *file = NULL;
    struct lm_defaults *defaults = NULL;

    WANT(LLMGR_OK, lc_file_parse(&w->host, "llmgr.yaml", lb_cstr(text), &file, &w->err));
    WANT(LLMGR_OK, lm_defaults_new(&w->host, file, pairs != NULL ? variable : NULL, pairs,
                                   &defaults, &w->err));
    /* The file is not needed any more. */
    lc_file_free(file);
    return defaults;
}

static size_t sync_file(struct fixture *w, const char *text, const char **pairs)
{
    struct lm_defaults *defaults = make(w, text, pairs);
    struct llmgr_change *changes;
    size_t count = 0;

    WANT(LLMGR_OK,
         lm_sync(w->manager, defaults, false, NULL, &w->arena, &changes, &count, &w->err));
    lm_defaults_free(defaults);
    return count;
}

static int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

static void placeholders_are_filled_and_their_names_kept(void **state)
{
    struct fixture *w = *state;
    const char *pairs[] = {"HOST", "ms.example", "MS_KEY", "sk-ms", NULL};
    struct lm_defaults *defaults = make(w, FILE_TEXT, pairs);

    assert_int_equal(defaults->count, 2);
    assert_string_equal(defaults->platforms[0].base_url, "https://ms.example/v1");
    assert_string_equal(defaults->platforms[0].keys[0].value, "sk-ms");
    assert_string_equal(defaults->platforms[0].keys[0].env, "MS_KEY");
    assert_string_equal(defaults->platforms[0].models[1].model_name, "ZhipuAI/GLM");
    assert_int_equal(defaults->platforms[1].key_count, 0);
    lm_defaults_free(defaults);
}

static void a_missing_variable_means_no_key_and_no_address_never_the_braces(void **state)
{
    struct fixture *w = *state;
    struct lm_defaults *defaults = make(w, FILE_TEXT, NULL);

    assert_null(defaults->platforms[0].base_url);
    assert_null(defaults->platforms[0].keys[0].value);
    assert_string_equal(defaults->platforms[0].keys[0].env, "MS_KEY");
    lm_defaults_free(defaults);
    sync_file(w, FILE_TEXT, NULL);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE "
                                       "base_url LIKE '%{%' OR api_key IS NOT NULL"),
                     0);
    assert_int_equal(
        db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE key_env = 'MS_KEY'"), 1);
}

static void a_variable_that_comes_and_goes_moves_only_the_key(void **state)
{
    struct fixture *w = *state;
    const char *with[] = {"HOST", "ms.example", "MS_KEY", " sk-ms\n", NULL};
    const char *without[] = {"HOST", "ms.example", NULL};

    assert_int_equal(sync_file(w, FILE_TEXT, without), 5);
    assert_int_equal(sync_file(w, FILE_TEXT, with), 1);
    assert_int_equal(sync_file(w, FILE_TEXT, with), 0);
    assert_int_equal(sync_file(w, FILE_TEXT, without), 1);
    assert_int_equal(db_number(&w->db, "SELECT COUNT(*) FROM llm_platforms WHERE "
                                       "api_key IS NOT NULL"),
                     0);
}

static void the_file_that_init_writes_can_be_synchronised_without_any_variable(void **state)
{
    struct fixture *w = *state;
    struct lb_buf text;

    lb_buf_init(&text, &w->host, 1 << 20);
    lc_write_default(&text);
    assert_true(sync_file(w, lb_buf_c(&text), NULL) > 4);
    assert_int_equal(sync_file(w, lb_buf_c(&text), NULL), 0);
    lb_buf_free(&text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(placeholders_are_filled_and_their_names_kept),
        TEST(a_missing_variable_means_no_key_and_no_address_never_the_braces),
        TEST(a_variable_that_comes_and_goes_moves_only_the_key),
        TEST(the_file_that_init_writes_can_be_synchronised_without_any_variable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
