/* SPDX-License-Identifier: MIT */
/* Who may test keys now. See the header. */
#include "library/test_limit.h"

#include <pthread.h>

enum { USERS = 256, MINUTE_MS = 60 * 1000 };

struct window {
    uint64_t user; /* 0: free */
    int64_t begun_ms;
    unsigned count;
    bool is_busy; /* one of the user's is under way */
};

struct la_test_limit {
    pthread_mutex_t lock;
    unsigned under_way;
    struct window windows[USERS];
};

struct la_test_limit *la_test_limit_new(const struct lb_host *host)
{
    struct la_test_limit *limit = lb_calloc(host, 1, sizeof *limit);

    if (limit != NULL)
        (void)pthread_mutex_init(&limit->lock, NULL); /* cannot fail without attributes */
    return limit;
}

void la_test_limit_free(const struct lb_host *host, struct la_test_limit *limit)
{
    if (limit == NULL)
        return;
    (void)pthread_mutex_destroy(&limit->lock);
    lb_free(host, limit);
}

static bool is_over(const struct window *window, int64_t now_ms)
{
    return window->user == 0 || (!window->is_busy && now_ms - window->begun_ms >= MINUTE_MS);
}

/* The user's, or one that nobody needs any more; NULL: all are needed. */
static struct window *find(struct la_test_limit *limit, uint64_t user, int64_t now_ms)
{
    struct window *spare = NULL;

    for (size_t i = 0; i < USERS; i++) {
        struct window *window = &limit->windows[i];
        if (window->user == user)
            return window;
        if (spare == NULL && is_over(window, now_ms))
            spare = window;
    }
    return spare;
}

static int64_t enter(struct la_test_limit *limit, uint64_t user, int64_t now_ms)
{
    struct window *window = find(limit, user, now_ms);

    if (limit->under_way >= LA_TESTS_AT_ONCE || window == NULL)
        return LA_TEST_BUSY_MS;
    if (window->user != user || is_over(window, now_ms))
        *window = (struct window){.user = user, .begun_ms = now_ms};
    if (window->is_busy)
        return LA_TEST_BUSY_MS;
    if (window->count >= LA_TESTS_A_MINUTE)
        return window->begun_ms + MINUTE_MS - now_ms;
    window->count++;
    window->is_busy = true;
    limit->under_way++;
    return 0;
}

int64_t la_test_enter(struct la_test_limit *limit, uint64_t user, int64_t now_ms)
{
    pthread_mutex_lock(&limit->lock);
    const int64_t wait_ms = enter(limit, user, now_ms);
    pthread_mutex_unlock(&limit->lock);
    return wait_ms;
}

void la_test_leave(struct la_test_limit *limit, uint64_t user)
{
    pthread_mutex_lock(&limit->lock);
    for (size_t i = 0; i < USERS; i++) {
        if (limit->windows[i].user == user)
            limit->windows[i].is_busy = false;
    }
    limit->under_way--;
    pthread_mutex_unlock(&limit->lock);
}
