/* SPDX-License-Identifier: MIT */
/* Tokens issued by a manager on a fresh database, and looked up as a worker does. */
#ifndef TESTS_TOKEN_FIXTURE_H
#define TESTS_TOKEN_FIXTURE_H

#include "accounts/tokens.h"

#include "../manager/fixture.h"

struct issued {
    char text[LLMGR_TOKEN_ROOM];
    int64_t id;
};

static inline int setup(void **state)
{
    static struct fixture fixture;

    fixture_setup(&fixture);
    *state = &fixture;
    return 0;
}

static inline int teardown(void **state)
{
    fixture_teardown(*state);
    return 0;
}

static inline llmgr_status try_issue(struct fixture *w, llmgr_token_kind kind, const char *user,
                                     const char *prefix, struct issued *issued)
{
    const struct lw_token_spec spec = {
        .kind = kind, .name = S("a name"), .user = lb_cstr(user), .prefix = lb_cstr(prefix)};

    return lw_token_create(w->manager, &spec, issued->text, &issued->id, &w->err);
}

static inline struct issued issue(struct fixture *w, llmgr_token_kind kind, const char *user,
                                  const char *prefix)
{
    struct issued issued;

    WANT(LLMGR_OK, try_issue(w, kind, user, prefix, &issued));
    return issued;
}

static inline struct lw_token_cache *new_cache(struct lm_manager *manager)
{
    struct lw_token_cache *cache = NULL;

    assert_int_equal(lw_token_cache_new(manager, 0, &cache, NULL), LLMGR_OK);
    return cache;
}

/* Looks it up, loading it on a miss as a worker does; whether it had to. */
static inline enum lw_token_result look(struct lm_manager *manager, struct lw_token_cache *cache,
                                        const char *text, bool *missed, struct lw_token **token)
{
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    struct lw_token *loaded = NULL;

    enum lw_token_result result = lw_token_cache_find(cache, lb_cstr(text), digest, token);
    *missed = result == LW_TOKEN_MISS;
    if (!*missed)
        return result;
    assert_int_equal(lw_token_load(manager, digest, &loaded, NULL), LLMGR_OK);
    result = loaded->known ? LW_TOKEN_FOUND : LW_TOKEN_UNKNOWN;
    lw_token_cache_put(cache, loaded);
    return result;
}

#endif
