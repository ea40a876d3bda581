/* SPDX-License-Identifier: MIT */
/* What scans JSON text in blocks, against one look at each byte. */
#include "json/scan.h"

#include "../unit.h"

enum { SIZE = 96 }; /* some blocks of every width and a rest */

static bool stops(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

static bool nests(char c)
{
    return c == '"' || c == '{' || c == '}' || c == '[' || c == ']';
}

/* One byte of every value at every place, behind text with high bits and without. */
static void the_first_byte_of_its_kind_is_found(void **state)
{
    char text[SIZE];

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t place = 0; place < SIZE; place++) {
            memset(text, place % 2 ? 'a' : '\xe4', SIZE);
            text[place] = (char)c;
            for (size_t from = 0; from < SIZE; from += 7) {
                bool there = from <= place;
                assert_int_equal(lj_scan_string(text, from, SIZE),
                                 there && stops((char)c) ? place : SIZE);
                assert_int_equal(lj_scan_nesting(text, from, SIZE),
                                 there && nests((char)c) ? place : SIZE);
            }
        }
    }
}

static void a_block_tells_each_byte_that_ends_a_string(void **state)
{
    char text[64];

    (void)state;
    for (unsigned c = 0; c < 256; c++) {
        for (size_t step = 1; step < 64; step += 3) {
            uint64_t wanted = 0;
            memset(text, '\x7f', sizeof text);
            for (size_t at = step / 2; at < 64; at += step) {
                text[at] = (char)c;
                wanted |= (uint64_t)stops((char)c) << at;
            }
            assert_true(lj_scan_block(text) == wanted);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_byte_of_its_kind_is_found),
        cmocka_unit_test(a_block_tells_each_byte_that_ends_a_string),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
