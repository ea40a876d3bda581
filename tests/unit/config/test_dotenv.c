/* SPDX-License-Identifier: MIT */
#include "config/dotenv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit.h"

static struct lb_host host;

static void expect(const char *text, const char *name, const char *want)
{
    struct lc_dotenv *dotenv = NULL;
    struct llmgr_error err = {0};

    if (lc_dotenv_parse(&host, ".env", lb_cstr(text), &dotenv, &err) != LLMGR_OK)
        fail_msg("'%s': %s", text, err.message);
    const char *value = lc_dotenv_get(dotenv, name);
    if (want == NULL)
        assert_null(value);
    else if (value == NULL || strcmp(value, want) != 0)
        fail_msg("'%s' gives '%s'", text, value != NULL ? value : "nothing");
    lc_dotenv_free(dotenv);
}

static void lines_are_read_as_python_dotenv_reads_them(void **state)
{
    (void)state;
    expect("A=b", "A", "b");
    expect("\xef\xbb\xbf"
           "A=b\r\n",
           "A", "b");
    expect("  export \t A = b c \n", "A", "b c");
    expect("export=1\n", "export", "1");
    expect("# A=x\n\n \t\nA=b\n", "A", "b");
    expect("A=b # comment", "A", "b");
    expect("A=b#c", "A", "b#c");
    expect("A=#c", "A", "#c");
    expect("A= # c", "A", "");
    expect("A=\nB=c", "A", "");
    expect("A=\nB=c", "B", "c");
    expect("A\nB=c", "A", NULL);
    expect("A=1\nA=2", "A", "2");
    expect("A=x=y", "A", "x=y");
    expect("A=\xe5\x80\xbc", "A", "\xe5\x80\xbc");
    expect("A=it's \"so\"", "A", "it's \"so\"");
}

static void quotes_keep_blanks_and_know_escapes(void **state)
{
    (void)state;
    expect("A=\" b # c \" # d", "A", " b # c ");
    expect("A='b\\n\\'c\\\\'", "A", "b\\n'c\\");
    expect("A=\"b\\n\\t\\\"c\\\\\\$d\\x\"", "A", "b\n\t\"c\\$d\\x");
    expect("A=\"line 1\nline 2\"\nB=c", "A", "line 1\nline 2");
    expect("A=\"line 1\nline 2\"\nB=c", "B", "c");
    expect("A='${B} $(c)'", "A", "${B} $(c)");
    expect("A=\"\\${B} $(c)\"", "A", "${B} $(c)");
    expect("A=$(c)", "A", "$(c)");
    expect("A=pa$$w0rd{x}", "A", "pa$$w0rd{x}");
    expect("A=''", "A", "");
}

/* The lines before and after the bad one are used, and complaints say which is not. */
static void refuse(const char *text, size_t size, const char *place, const char *hint)
{
    struct lc_dotenv *dotenv = NULL;
    struct llmgr_error err = {0};

    if (lc_dotenv_parse(&host, ".env", lb_str(text, size), &dotenv, &err) != LLMGR_OK)
        fail_msg("%s", err.message);
    const char *complaints = lc_dotenv_complaints(dotenv);
    if (strstr(complaints, place) == NULL || strstr(complaints, hint) == NULL)
        fail_msg("'%s'", complaints);
    assert_null(strstr(complaints, "hunter2"));
    lc_dotenv_free(dotenv);
}

#define REFUSE(literal, place, hint) refuse((literal), sizeof(literal) - 1, (place), (hint))

static void what_is_not_understood_is_refused_with_its_line(void **state)
{
    (void)state;
    REFUSE("A=1\nhunter2 hunter2\n", ".env:2:", "NAME=VALUE");
    REFUSE("=hunter2\n", ".env:1:", "NAME=VALUE");
    REFUSE("A B=hunter2\n", ".env:1:", "NAME=VALUE");
    REFUSE("A=1\n\nB=\"hunter2\nC=1\n", ".env:3:", "never closed");
    REFUSE("A='hunter2' x\n", ".env:1:", "closing quote");
    REFUSE("A=\xff\n", ".env:1:", "UTF-8");
    REFUSE("A=a\0b\n", ".env:1:", "UTF-8");
    REFUSE("A=${hunter2}\n", ".env:1:", "not filled in");
    REFUSE("A=1\nB=\"x${hunter2}\"\n", ".env:2:", "single quotes");
    REFUSE("A=$HUNTER\n", ".env:1:", "not filled in");
    REFUSE("A=os.environ/HUNTER\n", ".env:1:", "not filled in");
    REFUSE("A={{ HUNTER }}\n", ".env:1:", "not filled in");
}

static void the_other_lines_are_used(void **state)
{
    (void)state;
    expect("A=1\nhunter2 hunter2\nB=2\n", "A", "1");
    expect("A=1\nhunter2 hunter2\nB=2\n", "B", "2");
    expect("A=\"hunter2\nB=2\nC='3'\n", "A", NULL);
    expect("A=\"hunter2\nB=2\nC='3'\n", "B", "2");
    expect("A=\"hunter2\nB=2\nC='3'\n", "C", "3");
    expect("A='x' y\nB=2", "B", "2");
    expect("A=\xff\nB=2", "B", "2");
    expect("A=1\nA=${B}\nB=2", "A", "1");
    expect("A=${B}\nB=2", "A", NULL);
    expect("A=${B}\nB=2", "B", "2");
    struct lc_dotenv *dotenv = NULL;
    assert_int_equal(lc_dotenv_parse(&host, ".env", LB_STR("A=1\n# B\nC=2"), &dotenv, NULL),
                     LLMGR_OK);
    assert_string_equal(lc_dotenv_complaints(dotenv), "");
    lc_dotenv_free(dotenv);
}

static void a_bounded_number_of_lines_is_named(void **state)
{
    (void)state;
    static char text[100 * 8 + 1];
    struct lc_dotenv *dotenv = NULL;
    size_t lines = 1;

    for (int i = 0; i < 100; i++)
        memcpy(text + 8 * i, "bad bad\n", 8);
    assert_int_equal(lc_dotenv_parse(&host, ".env", lb_cstr(text), &dotenv, NULL), LLMGR_OK);
    const char *complaints = lc_dotenv_complaints(dotenv);
    for (const char *at = complaints; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    assert_int_equal(lines, LC_DOTENV_COMPLAINTS_MAX + 1);
    assert_non_null(strstr(complaints, ".env:20:"));
    assert_null(strstr(complaints, ".env:21:"));
    assert_non_null(strstr(complaints, "80 further lines"));
    lc_dotenv_free(dotenv);
}

static void caps_hold(void **state)
{
    (void)state;
    char *text = malloc(LC_DOTENV_SIZE_MAX + 2);
    struct lc_dotenv *dotenv = NULL;
    struct llmgr_error err = {0};
    memset(text, '\n', LC_DOTENV_SIZE_MAX + 1);
    assert_int_equal(
        lc_dotenv_parse(&host, ".env", lb_str(text, LC_DOTENV_SIZE_MAX + 1), &dotenv, &err),
        LLMGR_ERR_CONFIG);
    assert_non_null(strstr(err.message, "larger"));
    memcpy(text, "A=", 2);
    memset(text + 2, 'x', LC_DOTENV_VALUE_MAX + 1);
    refuse(text, LC_DOTENV_SIZE_MAX, ".env:1:", "longer");
    size_t size = 0;
    for (int i = 0; i <= LC_DOTENV_COUNT_MAX; i++)
        size += (size_t)sprintf(text + size, "V%d=x\n", i);
    refuse(text, size, ".env:4097:", "more than");
    free(text);
}

static void a_file_is_read_or_its_absence_told(void **state)
{
    (void)state;
    struct lc_dotenv *dotenv = NULL;
    char path[] = "/tmp/llmgr-dotenv-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, "A=b\n", 4), 4);
    close(fd);
    assert_int_equal(lc_dotenv_read(&host, path, &dotenv, NULL), LLMGR_OK);
    assert_int_equal(lc_dotenv_count(dotenv), 1);
    lc_dotenv_free(dotenv);
    unlink(path);
    assert_int_equal(lc_dotenv_read(&host, path, &dotenv, NULL), LLMGR_ERR_NOT_FOUND);
    assert_int_equal(lc_dotenv_read(&host, "/tmp", &dotenv, NULL), LLMGR_ERR_IO);
    assert_int_equal(lc_dotenv_read(&host, "/dev/zero", &dotenv, NULL), LLMGR_ERR_CONFIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_python_dotenv_reads_them),
        cmocka_unit_test(quotes_keep_blanks_and_know_escapes),
        cmocka_unit_test(what_is_not_understood_is_refused_with_its_line),
        cmocka_unit_test(the_other_lines_are_used),
        cmocka_unit_test(a_bounded_number_of_lines_is_named),
        cmocka_unit_test(caps_hold),
        cmocka_unit_test(a_file_is_read_or_its_absence_told),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
