/* SPDX-License-Identifier: MIT */
/* The cache of profiles: finds what it holds, stays within its bytes, keeps what is asked for. */
#include "resolve/cache.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit.h"
#include "resolve/profile.h"

enum { USERS = 20000 };

static struct lb_host host;

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= UINT64_C(0x9e3779b97f4a7c15);
    x ^= x >> 29;
    x *= UINT64_C(0xbf58476d1ce4e5b9);
    return x ^ x >> 32;
}

/* A profile of `extra` bytes beyond its head, for user number `n`. */
static struct lr_profile *make(uint64_t hash, unsigned n, size_t extra)
{
    size_t size = (sizeof(struct lr_profile) + 16 + extra + 7) / 8 * 8;
    struct lr_profile *profile = calloc(1, size);

    assert_non_null(profile);
    profile->hash = hash;
    profile->size = (uint32_t)size;
    profile->texts_at = sizeof *profile;
    profile->user_size = (uint8_t)snprintf((char *)(profile + 1), 16, "u%u", n);
    return profile;
}

static bool put(struct lr_cache *cache, uint64_t hash, unsigned n, size_t extra)
{
    struct lr_profile *profile = make(hash, n, extra);
    bool kept = lr_cache_put(cache, profile);

    free(profile);
    return kept;
}

static const struct lr_profile *get(struct lr_cache *cache, uint64_t hash, unsigned n)
{
    char user[16];
    int size = snprintf(user, sizeof user, "u%u", n);
    const struct lr_profile *profile = lr_cache_get(cache, hash, lb_str(user, (size_t)size));

    if (profile != NULL)
        assert_memory_equal(lr_profile_user(profile).p, user, (size_t)size);
    return profile;
}

static void what_is_put_is_found_until_it_is_dropped(void **state)
{
    struct lr_cache *cache = lr_cache_new(&host, 64 << 20);

    (void)state;
    for (unsigned n = 0; n < USERS; n++)
        assert_true(put(cache, mix(n + 1), n, n % 300));
    assert_int_equal(lr_cache_count(cache), USERS);
    for (unsigned n = 0; n < USERS; n++)
        assert_non_null(get(cache, mix(n + 1), n));
    for (unsigned n = 0; n < USERS; n += 3)
        lr_cache_drop(cache, mix(n + 1));
    for (unsigned n = 0; n < USERS; n++)
        assert_int_equal(get(cache, mix(n + 1), n) != NULL, n % 3 != 0);
    lr_cache_drop_all(cache);
    assert_int_equal(lr_cache_count(cache), 0);
    assert_int_equal(lr_cache_bytes(cache), 0);
    assert_null(get(cache, mix(2), 1));
    assert_true(put(cache, mix(2), 1, 0));
    assert_non_null(get(cache, mix(2), 1));
    lr_cache_free(cache);
}

static void equal_hashes_of_two_users_are_told_apart(void **state)
{
    struct lr_cache *cache = lr_cache_new(&host, 1 << 20);

    (void)state;
    assert_true(put(cache, 7, 1, 0));
    assert_null(get(cache, 7, 2));
    /* A put is for the hash: the other user is read again. */
    assert_true(put(cache, 7, 2, 0));
    assert_non_null(get(cache, 7, 2));
    assert_null(get(cache, 7, 1));
    lr_cache_free(cache);
}

static void colliding_homes_survive_removal(void **state)
{
    struct lr_cache *cache = lr_cache_new(&host, 1 << 20);

    (void)state;
    /* The highest tags: their run goes round the end of the table. */
    for (unsigned n = 0; n < 200; n++)
        assert_true(put(cache, UINT64_MAX - n, n, 0));
    for (unsigned n = 0; n < 200; n += 2)
        lr_cache_drop(cache, UINT64_MAX - n);
    for (unsigned n = 0; n < 200; n++)
        assert_int_equal(get(cache, UINT64_MAX - n, n) != NULL, n % 2 == 1);
    assert_int_equal(lr_cache_count(cache), 100);
    lr_cache_free(cache);
}

static void the_bytes_never_exceed_the_limit(void **state)
{
    (void)state;
    for (size_t limit = LR_CACHE_MIN; limit <= 4 << 20; limit *= 4) {
        struct lr_cache *cache = lr_cache_new(&host, limit);
        for (unsigned n = 0; n < 5 * USERS; n++) {
            size_t extra = n % 97 == 0 ? limit / 5 : mix(n) % 700;
            (void)put(cache, mix(n + 1), n, extra);
            assert_true(lr_cache_bytes(cache) <= limit);
            if (n % 7 == 0)
                (void)get(cache, mix(n / 2 + 1), n / 2);
            if (n % 11 == 0)
                lr_cache_drop(cache, mix(n / 3 + 1));
        }
        assert_true(lr_cache_count(cache) > 0);
        lr_cache_free(cache);
    }
}

static void what_is_asked_for_outlives_what_is_not(void **state)
{
    struct lr_cache *cache = lr_cache_new(&host, 256 << 10);
    unsigned kept = 0;

    (void)state;
    for (unsigned n = 0; n < USERS; n++) {
        (void)put(cache, mix(n + 1), n, 100);
        for (unsigned favourite = 0; favourite < 100; favourite++)
            (void)get(cache, mix(favourite + 1), favourite);
    }
    for (unsigned favourite = 0; favourite < 100; favourite++)
        kept += get(cache, mix(favourite + 1), favourite) != NULL;
    assert_true(kept >= 95);
    lr_cache_free(cache);
}

static void a_profile_too_large_is_refused_and_the_old_one_is_gone(void **state)
{
    struct lr_cache *cache = lr_cache_new(&host, 64 << 10);

    (void)state;
    assert_true(put(cache, mix(1), 1, 10));
    assert_false(put(cache, mix(1), 1, 32 << 10));
    assert_null(get(cache, mix(1), 1));
    lr_cache_free(cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_is_found_until_it_is_dropped),
        cmocka_unit_test(equal_hashes_of_two_users_are_told_apart),
        cmocka_unit_test(colliding_homes_survive_removal),
        cmocka_unit_test(the_bytes_never_exceed_the_limit),
        cmocka_unit_test(what_is_asked_for_outlives_what_is_not),
        cmocka_unit_test(a_profile_too_large_is_refused_and_the_old_one_is_gone),
    };

    lb_host_init(&host);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
