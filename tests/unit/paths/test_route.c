/* SPDX-License-Identifier: MIT */
#include "paths/route.h"

#include "../unit.h"

static struct lb_host host;

static llmgr_status match_in(struct lb_arena *arena, enum lh_method method, const char *path,
                             struct ly_match *match)
{
    struct llmgr_error err = {0};

    return ly_route_match(method, lb_cstr(path), arena, match, &err);
}

static void paths_that_clients_join_badly_are_the_same_route(void **state)
{
    static const char *const PATHS[] = {
        "/v1/chat/completions",  "/chat/completions",       "//v1//chat/completions",
        "/v1/chat/completions/", "/v1/v1/chat/completions",
    };
    struct lb_arena arena;
    struct ly_match match, first;
    (void)state;

    lb_arena_init(&arena, &host, NULL, 0, 1 << 16);
    assert_int_equal(match_in(&arena, LH_METHOD_POST, PATHS[0], &first), LLMGR_OK);
    for (size_t i = 0; i < sizeof PATHS / sizeof PATHS[0]; i++) {
        assert_int_equal(match_in(&arena, LH_METHOD_POST, PATHS[i], &match), LLMGR_OK);
        assert_ptr_equal(match.route, first.route);
    }
    lb_arena_free(&arena);
}

static void a_relayed_path_never_leaves_the_platforms_base(void **state)
{
    static const char *const REFUSED[] = {
        "/v1/files/../../admin", "/v1/files/%2e%2e/admin",
        "/v1/files/.%2E/admin",  "/v1/files/..%2f..%2fadmin",
        "/v1/files/x%2F..%2fy",  "/v1/files/..%5cadmin",
        "/v1/files/..\\admin",   "/v1/./files",
        "/v1/files/..",
    };
    static const char *const TAKEN[] = {"/v1/files/...", "/v1/files/a..b", "/v1/files/.hidden",
                                        "/v1/files/org%2Fname"};
    struct lb_arena arena;
    struct ly_match match;
    (void)state;

    lb_arena_init(&arena, &host, NULL, 0, 1 << 16);
    for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++)
        assert_int_not_equal(match_in(&arena, LH_METHOD_GET, REFUSED[i], &match), LLMGR_OK);
    for (size_t i = 0; i < sizeof TAKEN / sizeof TAKEN[0]; i++)
        assert_int_equal(match_in(&arena, LH_METHOD_GET, TAKEN[i], &match), LLMGR_OK);
    lb_arena_free(&arena);
}

static void a_known_path_with_another_method_tells_what_is_allowed(void **state)
{
    struct lb_arena arena;
    struct ly_match match = {0};
    (void)state;

    lb_arena_init(&arena, &host, NULL, 0, 1 << 16);
    assert_int_equal(match_in(&arena, LH_METHOD_GET, "/v1/chat/completions", &match),
                     LLMGR_ERR_NOT_FOUND);
    assert_true((match.allowed & (1u << LH_METHOD_POST)) != 0);
    lb_arena_free(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_that_clients_join_badly_are_the_same_route),
        cmocka_unit_test(a_relayed_path_never_leaves_the_platforms_base),
        cmocka_unit_test(a_known_path_with_another_method_tells_what_is_allowed),
    };
    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
