/* SPDX-License-Identifier: MIT */
/* Journals of other forms than today's: the release before's are taken in, others put aside. */
#include <sodium.h>

#include "form_before.h"
#include "ledger_orphan.h"

/* Of a journal's head: byte order, head's size and the file's size stand before the id. */
enum {
    AT_HEAD_FORM = 6,
    AT_HEAD_KEY = 24,
    AT_HEAD_CHECK = 24 + LL_RECORD_KEY_SIZE + LL_LEDGER_ID_SIZE
};

/*
 * Makes of a journal file one as programs before the first release wrote it, all sums SipHash, but
 * with this digit in its magic.
 */
static void make_other_form(const char *path, char digit)
{
    static unsigned char bytes[64 << 10];
    struct ll_record_key key = {.form = LL_FORM_NOW};
    struct ll_usage usage;
    FILE *file = fopen(path, "r+b");

    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    memcpy(key.bytes, bytes + AT_HEAD_KEY, sizeof key.bytes);
    size_t got;
    for (size_t at = LL_SEGMENT_HEAD; (got = ll_record_read(bytes, size, at, &key, &usage)) != 0;
         at += got)
        crypto_shorthash(bytes + at, bytes + at + 8, got - 8, key.bytes);
    assert_memory_equal(bytes, "llmgrJ3\n", 8);
    bytes[AT_HEAD_FORM] = (unsigned char)digit;
    crypto_shorthash(bytes + AT_HEAD_CHECK, bytes, AT_HEAD_CHECK, key.bytes);
    rewind(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

/* Leaves 20 records and one that is committed; opens again where they stand in such a journal. */
static void adopt_other_form(struct entries *b, char digit)
{
    char path[700];
    long used;

    b->options.segment_size = 32 << 10;
    leave_orphan(b, 20);
    find_used(b, path, sizeof path, &used);
    make_other_form(path, digit);
    entries_open(b);
    entries_flush(b);
    entries_close(b);
}

static void an_orphan_of_an_earlier_form_is_put_aside(void **state)
{
    struct entries *b = *state;

    adopt_other_form(b, '1');
    assert_int_equal(entries_files(b, ".bad", NULL, 0), 1);
    assert_int_equal(entries_number(b, ROWS), 1);
}

static void an_orphan_of_a_later_form_is_put_aside(void **state)
{
    struct entries *b = *state;

    adopt_other_form(b, '4');
    assert_int_equal(entries_files(b, ".bad", NULL, 0), 1);
    assert_int_equal(entries_number(b, ROWS), 1);
}

static void our_forms_digit_does_not_make_other_records_ours(void **state)
{
    struct entries *b = *state;

    adopt_other_form(b, '3');
    assert_int_equal(entries_number(b, ROWS), 1);
}

/* Makes of a journal file one as the release before wrote it, under the name that it gave it. */
static void make_form_before(const char *path)
{
    static unsigned char bytes[64 << 10], to[64 << 10];
    struct ll_record_key key = {.form = LL_FORM_NOW};
    struct ll_record_key before = {.form = LL_FORM_TOKENS};
    struct ll_usage usage;
    char name[700];
    FILE *file = fopen(path, "rb");

    assert_non_null(file);
    size_t size = fread(bytes, 1, sizeof bytes, file);
    assert_int_equal(fclose(file), 0);
    memcpy(key.bytes, bytes + AT_HEAD_KEY, sizeof key.bytes);
    memcpy(before.bytes, key.bytes, sizeof key.bytes);
    memset(to, 0, sizeof to);
    memcpy(to, bytes, LL_SEGMENT_HEAD);
    to[AT_HEAD_FORM] = '2';
    crypto_shorthash(to + AT_HEAD_CHECK, to, AT_HEAD_CHECK, key.bytes);
    size_t end = LL_SEGMENT_HEAD;
    size_t got;
    for (size_t at = LL_SEGMENT_HEAD; (got = ll_record_read(bytes, size, at, &key, &usage)) != 0;
         at += got)
        end += form_before(to + end, end, bytes + at, &before);
    int stem = (int)(strlen(path) - strlen("-3.journal"));
    assert_string_equal(path + stem, "-3.journal");
    assert_int_equal(unlink(path), 0);
    snprintf(name, sizeof name, "%.*s.journal", stem, path);
    file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(to, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void an_orphan_of_the_release_before_is_adopted(void **state)
{
    struct entries *b = *state;
    char path[700];
    long used;

    b->options.segment_size = 32 << 10;
    leave_orphan(b, 20);
    find_used(b, path, sizeof path, &used);
    make_form_before(path);
    /* Nothing of it has been taken in. */
    db_sql(&b->w.db, "DELETE FROM llm_usage");
    db_sql(&b->w.db, "DELETE FROM llm_journals");
    entries_open(b);
    entries_flush(b);
    entries_close(b);
    assert_int_equal(entries_number(b, ROWS), 21);
    assert_int_equal(entries_number(b, DISTINCT_ROWS), 21);
    assert_int_equal(entries_number(b, ROWS " WHERE prompt_tokens = 100 AND bytes_out = 2000"
                                            " AND endpoint = 'chat/completions'"
                                            " AND cost_nano IS NULL AND tool_calls IS NULL"),
                     21);
    assert_int_equal(entries_files(b, "", NULL, 0), 0);
}

/* A release that does not know a form leaves its files to one that does: names of its own. */
static void the_release_before_does_not_see_these_files(void **state)
{
    struct entries *b = *state;
    char path[700];

    leave_orphan(b, 5);
    assert_int_not_equal(entries_files(b, ".journal", path, sizeof path), 0);
    const char *name = strrchr(path, '/') + 1;
    assert_int_not_equal(strlen(name), 32 + strlen(".journal"));
    assert_true(ll_segment_is_journal(name));
    assert_false(ll_segment_is_journal(name + 1));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, entries_begin, entries_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_orphan_of_an_earlier_form_is_put_aside),
        CASE(an_orphan_of_a_later_form_is_put_aside),
        CASE(our_forms_digit_does_not_make_other_records_ours),
        CASE(an_orphan_of_the_release_before_is_adopted),
        CASE(the_release_before_does_not_see_these_files),
    };

    return cmocka_run_group_tests_name("ledger_forms", tests, NULL, NULL);
}
