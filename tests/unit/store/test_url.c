/* SPDX-License-Identifier: MIT */
/* What a database is called: split for certain, or refused without a piece of it. */
#include "store/driver.h"

#include "base/host.h"
#include "../unit.h"

#include <string.h>

static struct lb_host host;

static void what_can_be_split_for_certain_is_taken(void **state)
{
    static const char *const URLS[][2] = {
        {"postgres://me@db/llm", "llm at db"},
        {"postgres://me:secret@db:5433/llm", "llm at db:5433"},
        {"postgres://me:se:cret@db/llm", "llm at db"}, /* the first ':' ends the name */
        {"postgresql://me:s%40c%2Fret@[::1]:5433/llm", "llm at ::1:5433"},
        {"postgres://me:secret@db1,db2:5433/llm", "llm at db1,db2:,5433"},
        {"postgres:///llm?host=/run/postgresql&user=me", "llm at /run/postgresql"},
        {"postgres:///llm?host=@socket&user=me@corp", "llm at @socket"},
        {"postgres://me:secret@db/llm?application_name=a@b", "llm at db"},
        {"postgres://me:secret@db", "the default database at db"},
        {"sqlite:a@b:c@d.db", "a@b:c@d.db"},
        {"plain.db", "plain.db"},
        {"/srv/a@b/plain.db", "/srv/a@b/plain.db"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++) {
        struct llmgr_error err = {0};
        struct ls_url url;
        if (ls_url_parse(&host, URLS[i][0], &url, &err) != LLMGR_OK)
            fail_msg("%s: %s", URLS[i][0], err.message);
        assert_string_equal(url.place, URLS[i][1]);
        ls_url_free(&host, &url);
    }
}

static void what_cannot_be_split_for_certain_is_refused_without_quoting_it(void **state)
{
    /* In each the password holds "hunt" and "er2". */
    static const char *const URLS[] = {
        "postgres://me:hunt@er2@db/llm",
        "postgresql://me:hunt@er2@db:5432/llm?sslmode=require",
        "postgres://me:hunt@@er2@db/llm",
        "postgres://me:@hunter2@db/llm",
        "postgres://me:hunter2@@db/llm",
        "postgres://me:hunt/er2@db/llm",
        "postgres://me:1234/hunter2@db/llm",
        "postgres://me:hunt?er2@db/llm",
        "postgres://me:hunt@x?er2@db/llm",
        "postgres://me:hunt@x/er2@db/llm",
        "postgres://me:hunt@x?a=er2@db/llm",
        "postgres://me:hunter2@db1,me:hunter2@db2/llm",
        "postgres://db?password=hunt@er2",
        "postgres://me:hunter2%zz@db/llm",
        "postgres://me:hunter2@db/llm?password=hunter2&er2",
        /* No URL of PostgreSQL's at all, but surely meant as one. */
        "postgres:me:hunter2@db/llm",
        "postgres:/me:hunter2@db/llm",
        "me:hunter2@db/llm",
        "Postgres:me:hunter2@db/llm",
        "postgres+psycopg://me:hunter2@db/llm",
        "host=db user=me password=hunter2 dbname=llm",
        "password = hunter2 host=db",
        "sqlite://me:hunter2@db/llm",
        "sqlite:postgres://me:hunter2@db/llm",
    };
    (void)state;

    for (size_t i = 0; i < sizeof URLS / sizeof URLS[0]; i++) {
        struct llmgr_error err = {0};
        struct ls_url url = {0};
        llmgr_status status = ls_url_parse(&host, URLS[i], &url, &err);
        if (status != LLMGR_ERR_INVALID)
            fail_msg("%s: %d", URLS[i], (int)status);
        if (strstr(err.message, "hunt") != NULL || strstr(err.message, "er2") != NULL)
            fail_msg("%s: %s", URLS[i], err.message);
        assert_null(url.target);
    }
}

static void the_refusal_says_how_it_is_written(void **state)
{
    struct llmgr_error err = {0};
    struct ls_url url;
    (void)state;

    assert_int_equal(ls_url_parse(&host, "postgres://me:hunt@er2@db/llm", &url, &err),
                     LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "%40"));
    assert_non_null(strstr(err.message, "%2F"));
    assert_int_equal(ls_url_parse(&host, "me:hunter2@db/llm", &url, &err), LLMGR_ERR_INVALID);
    assert_non_null(strstr(err.message, "postgres://USER@HOST/NAME"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_split_for_certain_is_taken),
        cmocka_unit_test(what_cannot_be_split_for_certain_is_refused_without_quoting_it),
        cmocka_unit_test(the_refusal_says_how_it_is_written),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
