/* SPDX-License-Identifier: MIT */
#include "base/map.h"

#include <stdio.h>

#include "../unit.h"

static struct lb_host host;

static struct lb_str key_of(char *text, int i)
{
    return lb_str(text, (size_t)sprintf(text, "user-%d", i));
}

static void what_was_put_is_found_until_it_is_removed(void **state)
{
    (void)state;
    static int values[5000];
    char text[32];
    struct lb_map *map = lb_map_new(&host, 5000);

    for (int i = 0; i < 5000; i++)
        assert_int_equal(lb_map_put(map, key_of(text, i), &values[i], NULL), LLMGR_OK);
    for (int i = 0; i < 5000; i += 3)
        assert_ptr_equal(lb_map_remove(map, key_of(text, i)), &values[i]);
    for (int i = 0; i < 5000; i++) {
        void *found = lb_map_get(map, key_of(text, i));
        assert_ptr_equal(found, i % 3 == 0 ? NULL : &values[i]);
    }
    assert_null(lb_map_remove(map, LB_STR("nobody")));

    size_t at = 0, seen = 0;
    struct lb_str key;
    void *value;
    while (lb_map_next(map, &at, &key, &value))
        seen++;
    assert_int_equal(seen, lb_map_count(map));
    lb_map_free(map);
}

static void a_put_replaces_and_the_ceiling_holds(void **state)
{
    (void)state;
    int a = 0, b = 0;
    void *old = &b;
    struct lb_map *map = lb_map_new(&host, 1);

    assert_int_equal(lb_map_put(map, LB_STR("k"), &a, &old), LLMGR_OK);
    assert_null(old);
    assert_int_equal(lb_map_put(map, LB_STR("k"), &b, &old), LLMGR_OK);
    assert_ptr_equal(old, &a);
    assert_int_equal(lb_map_put(map, LB_STR(""), &a, NULL), LLMGR_ERR_TOO_LARGE);
    lb_map_free(map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_put_is_found_until_it_is_removed),
        cmocka_unit_test(a_put_replaces_and_the_ceiling_holds),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
