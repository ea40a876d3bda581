/* SPDX-License-Identifier: MIT */
/* What narrows a token: read, compared, asked; tables of cases and random lists. */
#include <stdio.h>
#include <string.h>

#include "accounts/limits.h"
#include "base/host.h"

#include "../unit.h"

static struct lb_host host;
static struct lb_arena arena;

static int setup(void **state)
{
    (void)state;
    lb_host_init(&host);
    lb_arena_init(&arena, &host, NULL, 0, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    lb_arena_free(&arena);
    return 0;
}

static struct lw_limits made_of(struct lw_limits given)
{
    struct lw_limits made;
    struct llmgr_error err = {0};

    assert_int_equal(lw_limits_make(&given, 1000, &arena, &made, &err), LLMGR_OK);
    return made;
}

static void lists_are_stored_in_one_form(void **state)
{
    static const struct {
        const char *given, *made; /* NULL: refused */
    } ROWS[] = {
        {"", ""},
        {"  ", ""},
        {"a", "a"},
        {" a , b ,c ", "a, b, c"},
        {"a\tb", NULL},
        {"a,a, a", "a"},
        {"House/Small, Small", "House/Small, Small"},
        {"a b, a", "a b, a"},
        {",", NULL},
        {"a,", NULL},
        {",a", NULL},
        {"a,,b", NULL},
        {"a, ,b", NULL},
        {"a\nb", NULL},
        {"a\x01", NULL},
        {"\xff", NULL},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct lw_limits given = {.allowed.models = lb_cstr(ROWS[i].given)};
        struct llmgr_error err = {0};
        struct lw_limits made;
        llmgr_status status = lw_limits_make(&given, 1000, &arena, &made, &err);
        assert_int_equal(status, ROWS[i].made != NULL ? LLMGR_OK : LLMGR_ERR_INVALID);
        if (ROWS[i].made != NULL)
            assert_true(lb_str_eq_c(made.allowed.models, ROWS[i].made));
        else
            assert_non_null(strstr(err.message, "'models'"));
    }
}

static void lists_have_an_end(void **state)
{
    static char text[LW_LIMIT_LIST_MAX + 1];
    struct lw_limits given = {.allowed.routes = {text, LW_LIMIT_LIST_MAX}}, made;
    struct llmgr_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 == 0 ? (char)('a' + i / 2 % 26) : ',';
    text[LW_LIMIT_LIST_MAX - 1] = 'z';
    assert_int_equal(lw_limits_make(&given, 0, &arena, &made, &err), LLMGR_OK);
    given.allowed.routes.size++;
    assert_int_equal(lw_limits_make(&given, 0, &arena, &made, &err), LLMGR_ERR_INVALID);
}

static void networks_are_addresses_and_ranges(void **state)
{
    static const struct {
        const char *text;
        bool fine;
    } ROWS[] = {
        {"192.0.2.7", true},       {"10.0.0.0/8, ::1, 2001:db8::/32", true},
        {"10.1.2.3/8", true},      {"::ffff:10.0.0.0/104", true},
        {"10.0.0.0/33", false},    {"::/129", false},
        {"10.0.0", false},         {"010.0.0.1", false},
        {"10.0.0.0/", false},      {"10.0.0.0/-1", false},
        {"host", false},           {"[::1]", false},
        {"10.0.0.0/8;::1", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct lw_limits given = {.networks = lb_cstr(ROWS[i].text)};
        struct llmgr_error err = {0};
        struct lw_limits made;
        assert_int_equal(lw_limits_make(&given, 0, &arena, &made, &err),
                         ROWS[i].fine ? LLMGR_OK : LLMGR_ERR_INVALID);
    }
    char many[8 * (LW_NETWORKS_MAX + 2)];
    for (size_t count = LW_NETWORKS_MAX; count <= LW_NETWORKS_MAX + 1; count++) {
        size_t size = 0;
        for (size_t i = 0; i < count; i++)
            size += (size_t)snprintf(many + size, sizeof many - size, "%s::%zx", i > 0 ? "," : "",
                                     i + 1);
        const struct lw_limits given = {.networks = lb_str(many, size)};
        struct llmgr_error err = {0};
        struct lw_limits made;
        assert_int_equal(lw_limits_make(&given, 0, &arena, &made, &err),
                         count == LW_NETWORKS_MAX ? LLMGR_OK : LLMGR_ERR_INVALID);
    }
}

static void an_end_lies_in_the_future_and_is_reached_to_the_millisecond(void **state)
{
    struct llmgr_error err = {0};
    struct lw_limits made;

    (void)state;
    for (int64_t end = -1; end <= 1001; end++) {
        const struct lw_limits given = {.expires_at_ms = end};
        assert_int_equal(lw_limits_make(&given, 1000, &arena, &made, &err),
                         end == 0 || end > 1000 ? LLMGR_OK : LLMGR_ERR_INVALID);
    }
    assert_false(lw_limits_are_over(&(struct lw_limits){.expires_at_ms = 1000}, 999));
    assert_true(lw_limits_are_over(&(struct lw_limits){.expires_at_ms = 1000}, 1000));
    assert_false(lw_limits_are_over(&(struct lw_limits){.expires_at_ms = 0}, INT64_MAX));
}

/* Each member by itself: what lies within what. */
static void nothing_is_given_that_is_not_had(void **state)
{
    static const struct {
        struct lw_limits inner, outer;
        const char *member; /* that gives more; NULL: none */
    } ROWS[] = {
        {{0}, {0}, NULL},
        {{.expires_at_ms = 5000}, {0}, NULL},
        {{.expires_at_ms = 5000}, {.expires_at_ms = 5000}, NULL},
        {{.expires_at_ms = 5001}, {.expires_at_ms = 5000}, "expires_at_ms"},
        {{0}, {.expires_at_ms = 5000}, "expires_at_ms"},
        {{.allowed.platforms = {"b", 1}}, {.allowed.platforms = {"a, b", 4}}, NULL},
        {{.allowed.platforms = {"b, c", 4}}, {.allowed.platforms = {"a, b", 4}}, "platforms"},
        {{0}, {.allowed.platforms = {"a", 1}}, "platforms"},
        {{0}, {.allowed.models = {"a", 1}}, "models"},
        {{.allowed.models = {"A", 1}}, {.allowed.models = {"a", 1}}, "models"},
        {{.allowed.routes = {"a", 1}}, {.allowed.routes = {"ab", 2}}, "routes"},
        {{.networks = {"10.1.0.0/16", 11}}, {.networks = {"10.0.0.0/8", 10}}, NULL},
        {{.networks = {"10.0.0.0/7", 10}}, {.networks = {"10.0.0.0/8", 10}}, "networks"},
        {{.networks = {"0.0.0.0/0", 9}}, {.networks = {"::/0", 4}}, "networks"},
        {{.networks = {"::/0", 4}}, {.networks = {"0.0.0.0/0", 9}}, "networks"},
        {{.networks = {"::ffff:10.1.2.3", 15}}, {.networks = {"10.0.0.0/8", 10}}, NULL},
        {{.networks = {"10.1.2.3, ::1", 13}}, {.networks = {"10.0.0.0/8", 10}}, "networks"},
        {{0}, {.networks = {"::/0", 4}}, "networks"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct lw_limits inner = made_of(ROWS[i].inner), outer = made_of(ROWS[i].outer);
        struct llmgr_error err = {0};
        llmgr_status status = lw_limits_within(&inner, &outer, &err);
        assert_int_equal(status, ROWS[i].member == NULL ? LLMGR_OK : LLMGR_ERR_FORBIDDEN);
        if (ROWS[i].member != NULL)
            assert_non_null(strstr(err.message, ROWS[i].member));
    }
}

static struct ln_addr16 address_of(const char *text)
{
    struct ln_range range;

    assert_true(ln_range_parse(lb_cstr(text), &range));
    return range.base;
}

static void an_address_is_in_a_network_or_not(void **state)
{
    static const struct {
        const char *networks, *address;
        bool held;
    } ROWS[] = {
        {"", "192.0.2.1", true},
        {"10.0.0.0/8", "10.255.255.255", true},
        {"10.0.0.0/8", "11.0.0.0", false},
        {"10.0.0.0/8", "::ffff:10.1.1.1", true},
        {"::ffff:10.0.0.0/104", "10.1.1.1", true},
        {"::/0", "10.1.1.1", false},
        {"0.0.0.0/0", "::1", false},
        {"2001:db8::/32, 192.0.2.1", "2001:db8:ffff::1", true},
        {"2001:db8::/32, 192.0.2.1", "192.0.2.1", true},
        {"2001:db8::/32, 192.0.2.1", "192.0.2.2", false},
        {"::1", "::1", true},
    };

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct ln_addr16 address = address_of(ROWS[i].address);
        assert_true(lw_networks_hold(lb_cstr(ROWS[i].networks), &address) == ROWS[i].held);
    }
}

/* Whatever lies within holds no address that the other does not hold. */
static void what_lies_within_holds_no_other_address(void **state)
{
    uint32_t seed = 20261130;
    unsigned within = 0;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char text[2][64];
        uint32_t bits[4];
        for (size_t i = 0; i < 4; i++) {
            seed = seed * 1664525 + 1013904223;
            bits[i] = seed >> 8;
        }
        for (size_t i = 0; i < 2; i++)
            snprintf(text[i], sizeof text[i], "10.%u.%u.0/%u", bits[i] & 1, bits[i] >> 4 & 1,
                     14 + (bits[i] >> 8) % 12);
        const struct lw_limits inner = {.networks = lb_cstr(text[0])};
        const struct lw_limits outer = {.networks = lb_cstr(text[1])};
        char at[32];
        snprintf(at, sizeof at, "10.%u.%u.%u", bits[2] & 3, bits[2] >> 4 & 3, bits[3] & 255);
        const struct ln_addr16 address = address_of(at);
        if (lw_limits_within(&inner, &outer, NULL) != LLMGR_OK)
            continue;
        within++;
        if (lw_networks_hold(inner.networks, &address))
            assert_true(lw_networks_hold(outer.networks, &address));
    }
    assert_true(within > 1000);
}

static void what_limits_nothing_is_told(void **state)
{
    static const struct lw_limits ROWS[] = {
        {.expires_at_ms = 1},         {.allowed.platforms = {"a", 1}}, {.allowed.models = {"a", 1}},
        {.allowed.routes = {"a", 1}}, {.networks = {"::1", 3}},
    };

    (void)state;
    assert_true(lw_limits_are_none(&(struct lw_limits){0}));
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++)
        assert_false(lw_limits_are_none(&ROWS[i]));
}

static void a_model_is_allowed_by_each_of_its_names(void **state)
{
    static const struct {
        const char *platforms, *models;
        bool allowed;
    } ROWS[] = {
        {"", "", true},
        {"House", "", true},
        {"Hous, House2", "", false},
        {"", "Small", true},
        {"", "mock", true},
        {"", "House/Small", true},
        {"", "House/mock", true},
        {"", "other, House/mock", true},
        {"", "Shed/Small", false},
        {"", "House/Smal", false},
        {"", "House/", false},
        {"", "/Small", false},
        {"", "HouseSmall", false},
        {"Shed", "House/Small", false},
        {"House, Shed", "House/Small", true},
    };
    const struct lb_str house = LB_STR("House"), small = LB_STR("Small"), mock = LB_STR("mock");

    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        const struct lr_allowed allowed = {.platforms = lb_cstr(ROWS[i].platforms),
                                           .models = lb_cstr(ROWS[i].models)};
        assert_true(lr_allows_model(&allowed, house, small, mock) == ROWS[i].allowed);
    }
    assert_true(lr_allows_model(NULL, house, small, mock));
    assert_true(lr_allows_route(NULL, house));
    assert_true(lr_allows_route(&(struct lr_allowed){.routes = LB_STR("a, House")}, house));
    assert_false(lr_allows_route(&(struct lr_allowed){.routes = LB_STR("a, Hous")}, house));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lists_are_stored_in_one_form),
        cmocka_unit_test(lists_have_an_end),
        cmocka_unit_test(networks_are_addresses_and_ranges),
        cmocka_unit_test(an_end_lies_in_the_future_and_is_reached_to_the_millisecond),
        cmocka_unit_test(nothing_is_given_that_is_not_had),
        cmocka_unit_test(an_address_is_in_a_network_or_not),
        cmocka_unit_test(what_lies_within_holds_no_other_address),
        cmocka_unit_test(what_limits_nothing_is_told),
        cmocka_unit_test(a_model_is_allowed_by_each_of_its_names),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
