/* SPDX-License-Identifier: MIT */
/* What scans lines in blocks, against one look at each byte. */
#include "http/scan.h"

#include <string.h>

#include "../unit.h"

enum { SIZE = 50 }; /* some blocks and a rest */

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-';
}

/* One byte of every value at every place of texts of every size, behind others on both sides. */
static void the_first_byte_of_its_kind_is_found(void **state)
{
    char text[SIZE];

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        bool control = lh_is_control((char)c), eol = c == '\r' || c == '\n';
        for (size_t place = 0; place < SIZE; place++) {
            memset(text, place % 2 ? '\t' : '\xe4', SIZE);
            text[place] = (char)c;
            for (size_t size = place + 1; size <= SIZE; size++) {
                for (size_t from = size % 5; from <= place; from += 5) {
                    assert_int_equal(lh_find_control(text, from, size), control ? place : size);
                    assert_int_equal(lh_find_eol(text, from, size), eol ? place : size);
                }
            }
        }
    }
}

/* 0 says nothing; any other size is that of the plain bytes before a colon. */
static void a_plain_name_ends_at_its_colon(void **state)
{
    char text[SIZE];

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t place = 0; place < SIZE; place++) {
            memset(text, "aZ09-"[place % 5], SIZE);
            text[place] = (char)c;
            size_t found = lh_plain_name(text, SIZE);
            assert_true(found == 0 || (c == ':' && found == place));
            assert_int_equal(lh_plain_name(text, place + is_plain((char)c)), 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_byte_of_its_kind_is_found),
        cmocka_unit_test(a_plain_name_ends_at_its_colon),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
