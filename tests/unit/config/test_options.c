/* SPDX-License-Identifier: MIT */
#include "config/options.h"

#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "config/file.h"

static struct lb_host host;

/* An environment of name, value, ... NULL. */
static const char *look_up(const char *name, void *context)
{
    for (const char **at = context; at[0] != NULL; at += 2) {
        if (strcmp(at[0], name) == 0)
            return at[1];
    }
    return NULL;
}

static void init(struct lc_options *options)
{
    assert_int_equal(lc_options_init(options, &host, NULL), LLMGR_OK);
}

static struct lc_file *parse(const char *text)
{
    struct lc_file *file = NULL;
    struct llmgr_error err = {0};
    if (lc_file_parse(&host, "llmgr.yaml", lb_cstr(text), &file, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    return file;
}

static void defaults_are_those_of_the_table(void **state)
{
    (void)state;
    struct lc_options options;

    init(&options);
    assert_string_equal(options.database, "sqlite:llmgr.db");
    assert_string_equal(options.user, LLMGR_SYSTEM_USER);
    assert_int_equal(options.mode, LLMGR_MODE_CUSTOM);
    assert_true(options.auto_key);
    assert_false(options.json);
    assert_false(options.master_key);
    assert_null(options.config);
    assert_null(options.https_proxy);
    assert_int_equal(options.log_level, LLMGR_LOG_WARN);
    assert_int_equal(options.connect_timeout_ms, 10000);
    assert_int_equal(options.total_timeout_ms, 0);
    assert_int_equal(options.cache_size, 64 << 20);
    assert_int_equal(options.allow_cidrs.count, 0);
    assert_null(options.allow_cidrs.items[0]);
    for (size_t i = 0; i < LC_OPTION_COUNT; i++)
        assert_int_equal(options.origin[i], LC_FROM_DEFAULT);
    lc_options_free(&options);
}

static void the_stronger_origin_wins_in_any_order(void **state)
{
    (void)state;
    const char *env[] = {"LLMGR_DB", "sqlite:env.db", "LLMGR_MODE", "fixed", NULL};
    struct lc_file *file = parse("database: sqlite:file.db\nmode: single\nauto_key: false\n");

    for (int order = 0; order < 2; order++) {
        struct lc_options options;
        init(&options);
        if (order == 0)
            assert_int_equal(lc_options_file(&options, file, NULL), LLMGR_OK);
        assert_int_equal(
            lc_options_set(&options, LC_OPT_database, LC_FROM_FLAG, "--db", "sqlite:flag.db", NULL),
            LLMGR_OK);
        assert_int_equal(lc_options_env(&options, look_up, env, NULL), LLMGR_OK);
        if (order == 1)
            assert_int_equal(lc_options_file(&options, file, NULL), LLMGR_OK);
        assert_string_equal(options.database, "sqlite:flag.db");
        assert_int_equal(options.mode, LLMGR_MODE_FIXED);
        assert_false(options.auto_key);
        assert_int_equal(options.origin[LC_OPT_database], LC_FROM_FLAG);
        assert_int_equal(options.origin[LC_OPT_mode], LC_FROM_ENV);
        assert_int_equal(options.origin[LC_OPT_auto_key], LC_FROM_FILE);
        assert_int_equal(options.line[LC_OPT_auto_key], 3);
        lc_options_free(&options);
    }
    lc_file_free(file);
}

static void origins_can_be_told(void **state)
{
    (void)state;
    const char *env[] = {"HTTPS_PROXY", "http://u:hunter2@proxy:8080", NULL};
    struct lc_file *file = parse("\nmode: single\n");
    struct lc_options options;
    struct lb_buf text;
    static const struct {
        lc_option_id id;
        const char *origin;
    } WANT[] = {{LC_OPT_user, "default"},
                {LC_OPT_mode, "file llmgr.yaml:2"},
                {LC_OPT_https_proxy, "environment HTTPS_PROXY"},
                {LC_OPT_json, "flag --json"}};

    init(&options);
    assert_int_equal(lc_options_file(&options, file, NULL), LLMGR_OK);
    lc_file_free(file);
    assert_int_equal(lc_options_env(&options, look_up, env, NULL), LLMGR_OK);
    assert_int_equal(lc_options_set(&options, LC_OPT_json, LC_FROM_FLAG, "--json", NULL, NULL),
                     LLMGR_OK);
    assert_true(options.json);
    lb_buf_init(&text, &host, 1000);
    for (size_t i = 0; i < 4; i++) {
        lb_buf_reset(&text);
        lc_option_origin_text(&options, WANT[i].id, &text);
        assert_string_equal(lb_buf_c(&text), WANT[i].origin);
    }
    lb_buf_free(&text);
    lc_options_free(&options);
}

static void an_empty_variable_is_none_and_ours_precedes_the_common_name(void **state)
{
    (void)state;
    const char *env[] = {
        "LLMGR_DB",    "",           "LLMGR_NO_PROXY", "mine", "NO_PROXY", "theirs",
        "https_proxy", "http://p:1", "HTTPS_PROXY",    "",     NULL};
    struct lc_options options;

    init(&options);
    assert_int_equal(lc_options_env(&options, look_up, env, NULL), LLMGR_OK);
    assert_string_equal(options.database, "sqlite:llmgr.db");
    assert_string_equal(options.no_proxy, "mine");
    assert_string_equal(options.https_proxy, "http://p:1");
    lc_options_free(&options);
}

static void what_was_inherited_stops_nothing(void **state)
{
    (void)state;
    static char long_list[70000];
    memset(long_list, 'a', sizeof long_list - 1);
    const char *env[] = {"HTTPS_PROXY", "http://u:${PASS}@p\xff\x01\n:1\r\n", "NO_PROXY", long_list,
                         NULL};
    const char *ours[] = {"LLMGR_HTTPS_PROXY", "http://p\x01:1", NULL};
    struct lc_options options;

    init(&options);
    assert_int_equal(lc_options_env(&options, look_up, env, NULL), LLMGR_OK);
    assert_string_equal(options.https_proxy, "http://u:${PASS}@p???:1");
    assert_string_equal(lc_option_inherited(&options, LC_OPT_https_proxy), "HTTPS_PROXY");
    assert_int_equal(strlen(options.no_proxy), 65535);
    assert_string_equal(lc_option_inherited(&options, LC_OPT_no_proxy), "NO_PROXY");
    assert_null(lc_option_inherited(&options, LC_OPT_database));
    lc_options_free(&options);

    init(&options);
    assert_int_equal(lc_options_env(&options, look_up, ours, NULL), LLMGR_ERR_INVALID);
    ours[1] = "http://p:1";
    assert_int_equal(lc_options_env(&options, look_up, ours, NULL), LLMGR_OK);
    assert_null(lc_option_inherited(&options, LC_OPT_https_proxy));
    lc_options_free(&options);
}

static void the_master_key_is_seen_but_never_kept(void **state)
{
    (void)state;
    const char *env[] = {"LLMGR_MASTER_KEY", "8f2a1c77", NULL};
    struct lc_options options;
    struct llmgr_error err = {0};
    struct lb_buf text;

    init(&options);
    assert_int_equal(lc_options_env(&options, look_up, env, NULL), LLMGR_OK);
    assert_true(options.master_key);
    lb_buf_init(&text, &host, 1000);
    lc_option_text(&options, LC_OPT_master_key, &text);
    assert_string_equal(lb_buf_c(&text), "(set)");
    lb_buf_free(&text);
    assert_int_equal(
        lc_options_set(&options, LC_OPT_master_key, LC_FROM_FLAG, "--master-key", "x", &err),
        LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "environment"));
    assert_null(lc_option_by_key(LB_STR("master_key")));
    lc_options_free(&options);
}

static void lists_and_commands_are_cut(void **state)
{
    (void)state;
    const char *env[] = {"LLMGR_ALLOW_CIDR", " 10.0.0.0/8, ,192.168.0.0/16 ",
                         "LLMGR_MASTER_KEY_COMMAND", "pass show 'llm gr'", NULL};
    struct lc_options options;
    struct lc_file *file = parse("allow_cidr: [fc00::/7, '10.1.0.0/16']\n"
                                 "master_key_command: [pass, 'a, b']\n");

    init(&options);
    assert_int_equal(lc_options_file(&options, file, NULL), LLMGR_OK);
    assert_int_equal(options.allow_cidrs.count, 2);
    assert_string_equal(options.allow_cidrs.items[0], "fc00::/7");
    assert_int_equal(options.master_key_command.count, 2);
    assert_string_equal(options.master_key_command.items[1], "a, b");
    assert_int_equal(lc_options_env(&options, look_up, env, NULL), LLMGR_OK);
    assert_int_equal(options.allow_cidrs.count, 2);
    assert_string_equal(options.allow_cidrs.items[1], "192.168.0.0/16");
    assert_null(options.allow_cidrs.items[2]);
    assert_int_equal(options.master_key_command.count, 3);
    assert_string_equal(options.master_key_command.items[2], "llm gr");
    lc_file_free(file);
    lc_options_free(&options);
}

static void a_bad_value_names_its_place_and_changes_nothing(void **state)
{
    (void)state;
    static const struct {
        lc_option_id id;
        const char *text;
        const char *hint;
    } BAD[] = {{LC_OPT_mode, "multi", "single|fixed|custom"},
               {LC_OPT_auto_key, "perhaps", "true nor false"},
               {LC_OPT_db_pool_size, "0", "from 1 to 256"},
               {LC_OPT_db_pool_size, "-4", "from 1 to 256"},
               {LC_OPT_db_pool_size, "4x", "from 1 to 256"},
               {LC_OPT_cache_size, "1", "64MiB"},
               {LC_OPT_connect_timeout_ms, "10", "30s"},
               {LC_OPT_connect_timeout_ms, "0", "30s"},
               {LC_OPT_user, "", "empty"},
               {LC_OPT_user, "a\nb", "plain UTF-8"},
               {LC_OPT_database, "\xff", "plain UTF-8"},
               {LC_OPT_allow_cidrs, " , ", "empty"},
               {LC_OPT_master_key_command, "a 'b", "quote"}};
    struct lc_options options;

    init(&options);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct llmgr_error err = {0};
        if (lc_options_set(&options, BAD[i].id, LC_FROM_ENV, "LLMGR_X", BAD[i].text, &err) !=
            LLMGR_ERR_INVALID)
            fail_msg("accepted '%s'", BAD[i].text);
        if (strstr(err.message, "LLMGR_X") == NULL || strstr(err.message, BAD[i].hint) == NULL)
            fail_msg("'%s'", err.message);
        assert_int_equal(options.origin[BAD[i].id], LC_FROM_DEFAULT);
    }
    assert_int_equal(lc_options_set(&options, LC_OPT_user, LC_FROM_FLAG, "--user", NULL, NULL),
                     LLMGR_ERR_INVALID);
    assert_int_equal(options.mode, LLMGR_MODE_CUSTOM);
    lc_options_free(&options);
}

static void passwords_are_not_shown(void **state)
{
    (void)state;
    static const char *const URLS[][2] = {
        {"postgres://me:hunter2@db/llm", "postgres://me:***@db/llm"},
        {"postgres://me@db:5432/llm", "postgres://me@db:5432/llm"},
        {"postgres://me:hun@ter2@db", "postgres://me:***@db"},
        {"postgres://db/llm?password=hunter2", "postgres://db/llm?***"},
        {"sqlite:a:b@c.db", "sqlite:a:b@c.db"},
        {"postgres://me:hun/ter2@db/llm", "postgres://me:***@db/llm"},
        {"postgres://me:hun?ter2@db/llm", "postgres://***"},
        {"postgres://me:hunter2@db/llm?user=a@b", "postgres://***"},
        {"postgres:///llm?host=/run/pg&user=me@corp", "postgres://***"},
        {"me:hunter2@proxy:3128", "me:***@proxy:3128"},
        {"host=db password=hunter2", "***"},
        {"/srv/a@b/llm.db", "/srv/a@b/llm.db"}};
    struct lc_options options;
    struct llmgr_error err = {0};
    struct lb_buf text;

    init(&options);
    lb_buf_init(&text, &host, 1000);
    for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++) {
        assert_int_equal(
            lc_options_set(&options, LC_OPT_database, LC_FROM_ENV, "LLMGR_DB", URLS[i][0], NULL),
            LLMGR_OK);
        lb_buf_reset(&text);
        lc_option_text(&options, LC_OPT_database, &text);
        assert_string_equal(lb_buf_c(&text), URLS[i][1]);
    }
    assert_int_equal(lc_options_set(&options, LC_OPT_database, LC_FROM_ENV, "LLMGR_DB",
                                    "postgres://me:hunter2\n@db", &err),
                     LLMGR_ERR_INVALID);
    assert_null(strstr(err.message, "hunter2"));
    lb_buf_free(&text);
    lc_options_free(&options);
}

static void every_option_can_be_shown_and_found(void **state)
{
    (void)state;
    struct lc_options options;
    struct lb_buf text;
    size_t count;
    const struct lc_option_row *rows = lc_option_rows(&count);

    init(&options);
    lb_buf_init(&text, &host, 100000);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(rows[i].id, i);
        lb_buf_reset(&text);
        lc_option_text(&options, rows[i].id, &text);
        /* What stands in the table is the shortest text of its value. */
        if (rows[i].fallback != NULL && rows[i].type != LC_DURATION)
            assert_string_equal(lb_buf_c(&text), rows[i].fallback);
        if (rows[i].key != NULL)
            assert_ptr_equal(lc_option_by_key(lb_cstr(rows[i].key)), &rows[i]);
        if (rows[i].flag != NULL)
            assert_ptr_equal(lc_option_by_flag(lb_cstr(rows[i].flag)), &rows[i]);
        assert_true(rows[i].env == NULL || strncmp(rows[i].env, "LLMGR_", 6) == 0);
        assert_true(rows[i].env == NULL || strlen(rows[i].env) < 64);
        assert_true((rows[i].label == NULL) == (rows[i].type == LC_BOOL));
    }
    assert_string_equal(lc_option_by_short('u')->flag, "--user");
    assert_null(lc_option_by_short(0));
    assert_null(lc_option_by_flag(LB_STR("--nope")));
    assert_string_equal(lc_option_nearest_key(LB_STR("databse")), "database");
    assert_string_equal(lc_option_nearest_flag(LB_STR("--jsno")), "--json");
    assert_null(lc_option_nearest_key(LB_STR("zzzzzz")));
    lb_buf_free(&text);
    lc_options_free(&options);
}

static void help_names_every_option_and_keeps_its_columns(void **state)
{
    (void)state;
    struct lb_buf help;
    size_t count;
    const struct lc_option_row *rows = lc_option_rows(&count);

    lb_buf_init(&help, &host, 100000);
    for (unsigned columns = 60; columns <= 100; columns += 20) {
        lb_buf_reset(&help);
        for (unsigned section = 0; section < LC_SECTION_COUNT; section++)
            lc_help((lc_section)section, true, columns, &help);
        for (size_t i = 0; i < count; i++)
            assert_non_null(strstr(lb_buf_c(&help), rows[i].env));
        struct lb_str rest = lb_buf_str(&help);
        while (rest.size != 0) {
            size_t end = lb_str_find(rest, '\n');
            assert_true(lb_utf8_width(lb_str_sub(rest, 0, end)) <= columns);
            rest = lb_str_sub(rest, end + 1, rest.size);
        }
    }
    lb_buf_reset(&help);
    lc_help(LC_SECTION_GLOBAL, false, 80, &help);
    assert_non_null(strstr(lb_buf_c(&help), "-u, --user ID"));
    assert_null(strstr(lb_buf_c(&help), "LLMGR_USER"));
    lb_buf_free(&help);
}

/* ---- Short memory ---------------------------------------------------------------------------- */

static long allocations_left;

static void *scarce(size_t size, void *context)
{
    (void)context;
    return allocations_left-- > 0 ? malloc(size) : NULL;
}

static void *scarce_again(void *p, size_t size, void *context)
{
    (void)context;
    return allocations_left-- > 0 ? realloc(p, size) : NULL;
}

static void give_back(void *p, void *context)
{
    (void)context;
    free(p);
}

static void short_memory_fails_cleanly_at_every_step(void **state)
{
    (void)state;
    struct lb_host poor = host;
    bool done = false;
    static const char TEXT[] = "mode: fixed\nallow_cidr: [10.0.0.0/8]\nplatforms:\n  A:\n"
                               "    base_url: https://a\n    models: {x: {model_name: y, "
                               "extra_body: {a: [1, 2]}}}\n";

    poor.memory = (struct llmgr_allocator){scarce, scarce_again, give_back, NULL};
    for (long allowed = 0; !done; allowed++) {
        struct lc_options options;
        struct lc_file *file = NULL;
        allocations_left = allowed;
        llmgr_status status = lc_options_init(&options, &poor, NULL);
        if (status == LLMGR_OK)
            status = lc_file_parse(&poor, "x", LB_STR(TEXT), &file, NULL);
        if (status == LLMGR_OK)
            status = lc_options_file(&options, file, NULL);
        done = status == LLMGR_OK;
        assert_true(done || status == LLMGR_ERR_NO_MEMORY);
        lc_file_free(file);
        lc_options_free(&options);
        assert_true(allowed < 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_the_table),
        cmocka_unit_test(the_stronger_origin_wins_in_any_order),
        cmocka_unit_test(origins_can_be_told),
        cmocka_unit_test(an_empty_variable_is_none_and_ours_precedes_the_common_name),
        cmocka_unit_test(what_was_inherited_stops_nothing),
        cmocka_unit_test(the_master_key_is_seen_but_never_kept),
        cmocka_unit_test(lists_and_commands_are_cut),
        cmocka_unit_test(a_bad_value_names_its_place_and_changes_nothing),
        cmocka_unit_test(passwords_are_not_shown),
        cmocka_unit_test(every_option_can_be_shown_and_found),
        cmocka_unit_test(help_names_every_option_and_keeps_its_columns),
        cmocka_unit_test(short_memory_fails_cleanly_at_every_step),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
