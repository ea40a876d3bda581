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

/* ---- Names that are looked for --------------------------------------------------------------- */

static unsigned asked;

static bool is_flavour(struct lb_str name)
{
    asked++;
    return lb_str_eq(name, LB_STR("flavour"));
}

static const struct lj_wanted FLAVOUR = {
    .is = is_flavour,
    .sizes = {[LJ_ENDS('u', 'r')] = UINT64_C(1) << 7},
};

static void walk_all(struct lj_walk *walk, const char *text, const struct lj_wanted *wanted)
{
    struct lj_member member;

    asked = 0;
    lj_walk_start(walk, lb_cstr(text), 0, 1);
    walk->wanted = wanted;
    while (lj_walk_next(walk, &member))
        ;
    assert_null(walk->why);
}

static void a_wanted_name_is_found_at_any_depth_below_the_objects_own(void **state)
{
    static const struct {
        const char *text;
        bool hint, ids;
        unsigned asked;
    } CASES[] = {
        {"{\"flavour\":1}", false, false, 0}, /* the object's own are the caller's to look at */
        {"{\"a\":{\"flavour\":1}}", true, false, 1},
        {"{\"a\":[0,[{\"b\":{\"flavour\":[]}}]]}", true, false, 1},
        {"{\"a\":{\"parkour\":1,\"hour\":2,\"endeavour\":3,\"savoury\":4}}", false, false, 1},
        {"{\"a\":{\"fl\\u0061vour\":1}}", true, true, 0}, /* escaped: it may be anything */
        {"{\"a\":{\"flavo\xc3\xbbr\":1}}", false, false, 1},
        {"{\"a\":[{\"Id\":1}]}", false, true, 0},
        {"{\"a\":[{\"ib\":1,\"idd\":2}]}", false, false, 0},
    };
    struct lj_walk walk;
    (void)state;

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        walk_all(&walk, CASES[i].text, &FLAVOUR);
        if (walk.hint != CASES[i].hint || walk.ids != CASES[i].ids || asked != CASES[i].asked)
            fail_msg("%s: hint %d, ids %d, asked %u times", CASES[i].text, walk.hint, walk.ids,
                     asked);
        walk_all(&walk, CASES[i].text, NULL);
        assert_false(walk.hint || walk.ids);
        assert_int_equal(asked, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_byte_of_its_kind_is_found),
        cmocka_unit_test(a_block_tells_each_byte_that_ends_a_string),
        cmocka_unit_test(a_wanted_name_is_found_at_any_depth_below_the_objects_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
