/* SPDX-License-Identifier: MIT */
#include "base/arena.h"

#include <string.h>

#include "../unit.h"

static struct lb_host host;

static void the_supplied_block_is_used_first(void **state)
{
    (void)state;
    char first[256];
    struct lb_arena arena;

    lb_arena_init(&arena, &host, first, sizeof first, 0);
    char *p = lb_arena_strdup(&arena, "hello");
    assert_true(p >= first && p < first + sizeof first);
    assert_null(lb_arena_alloc(&arena, 1000));
    lb_arena_reset(&arena);
    assert_ptr_equal(lb_arena_bytes(&arena, 1), first);
    lb_arena_free(&arena);
}

static void the_limit_holds_and_objects_are_aligned(void **state)
{
    (void)state;
    struct lb_arena arena;

    lb_arena_init(&arena, &host, NULL, 0, 100000);
    size_t total = 0;
    for (size_t size = 1;; size = size * 3 % 701 + 1) {
        char *p = lb_arena_alloc(&arena, size);
        if (p == NULL)
            break;
        assert_int_equal((uintptr_t)p % 16, 0);
        memset(p, 1, size);
        total += size;
        lb_arena_bytes(&arena, 1);
    }
    assert_true(total > 50000 && arena.used <= 100000);
    assert_null(lb_arena_calloc(&arena, SIZE_MAX / 2, 3));
    assert_null(lb_arena_alloc(&arena, SIZE_MAX));
    lb_arena_free(&arena);
}

static void strings_are_formatted_and_copied(void **state)
{
    (void)state;
    struct lb_arena arena;

    lb_arena_init(&arena, &host, NULL, 0, 1 << 20);
    assert_string_equal(lb_arena_printf(&arena, "%s/%d", "a", 7), "a/7");
    struct lb_str s = lb_arena_str(&arena, LB_STR("xyz"));
    assert_int_equal(s.size, 3);
    assert_int_equal(s.p[3], '\0');
    lb_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_supplied_block_is_used_first),
        cmocka_unit_test(the_limit_holds_and_objects_are_aligned),
        cmocka_unit_test(strings_are_formatted_and_copied),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
