/* SPDX-License-Identifier: MIT */
/*
 * A worker's memory of tokens: two tables that know each other's bounds but not each other's
 * entries, so that a flood of invented tokens cannot push out a good one.
 *
 *     known     sets of WAYS tokens, found by the first bytes of the digest; a tag of 16 bits
 *               spares most wrong comparisons; in a full set a hand drops the first token that
 *               was not asked for since it last passed; the table begins small and doubles when a
 *               set is full and half of all places are taken, as far as its limit allows
 *     unknown   UNKNOWN_MAX places, one per digest's low bits, the newer wins; each counts for
 *               LW_TOKEN_UNKNOWN_MS
 *
 * Digests are uniform (BLAKE2b), so no second hash is needed; what has not the form of a token is
 * refused before it is looked for among the unknown. Whoever holds no valid token can only choose
 * which unknown ones are forgotten.
 */
#include <string.h>

#include "accounts/tokens.h"
#include "base/error.h"
#include "manager/handle.h"
#include "vault/token.h"

enum {
    WAYS = 8,
    SIZE_DEFAULT = 4 << 20,
    SIZE_MIN = 64 << 10,
    SETS_MIN = 16, /* a power of two */
};

struct set {
    struct lw_token *tokens[WAYS]; /* NULL: free */
    uint32_t changes[WAYS]; /* low bits of each token's, so that catching up reads sets alone */
    uint16_t tags[WAYS];
    uint8_t asked; /* bit i: tokens[i] was asked for since the hand passed */
    uint8_t hand;
};

struct unknown {
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    int64_t until_ms; /* 0: empty */
};

struct lw_token_cache {
    struct lm_manager *manager;
    uint64_t sequence; /* changes up to here are taken in */
    size_t set_count;  /* a power of two */
    size_t limit;      /* bytes of sets and tokens */
    size_t bytes;
    size_t count;
    size_t sweep; /* the set looked at next when bytes are short */
    struct unknown *unknown;
    struct set *sets;
};

static size_t size_of(const struct lw_token *token)
{
    return token->size;
}

llmgr_status lw_token_cache_new(struct lm_manager *manager, size_t size,
                                struct lw_token_cache **out, struct llmgr_error *err)
{
    struct lw_token_cache *cache = lb_calloc(manager->host, 1, sizeof *cache);
    struct unknown *unknown = lb_calloc(manager->host, LW_TOKEN_UNKNOWN_MAX, sizeof *unknown);
    struct set *sets = lb_calloc(manager->host, SETS_MIN, sizeof *sets);

    if (cache == NULL || unknown == NULL || sets == NULL) {
        lb_free(manager->host, cache);
        lb_free(manager->host, unknown);
        lb_free(manager->host, sets);
        return lb_fail_memory(err);
    }
    if (size == 0)
        size = SIZE_DEFAULT;
    cache->manager = manager;
    cache->sets = sets;
    cache->set_count = SETS_MIN;
    cache->bytes = SETS_MIN * sizeof *sets;
    cache->limit = size > SIZE_MIN ? size : SIZE_MIN;
    cache->unknown = unknown;
    cache->sequence = lm_changes_sequence(&manager->changes);
    *out = cache;
    return LLMGR_OK;
}

static void drop_way(struct lw_token_cache *cache, struct set *set, unsigned way)
{
    struct lw_token *token = set->tokens[way];

    cache->bytes -= size_of(token);
    cache->count--;
    set->tokens[way] = NULL;
    lw_token_free(cache->manager, token);
}

static void drop_all(struct lw_token_cache *cache)
{
    for (size_t i = 0; i < cache->set_count && cache->count != 0; i++) {
        for (unsigned way = 0; way < WAYS; way++) {
            if (cache->sets[i].tokens[way] != NULL)
                drop_way(cache, &cache->sets[i], way);
        }
    }
}

void lw_token_cache_free(struct lw_token_cache *cache)
{
    if (cache == NULL)
        return;
    const struct lb_host *host = cache->manager->host;
    drop_all(cache);
    lb_free(host, cache->unknown);
    lb_free(host, cache->sets);
    lb_free(host, cache);
}

/* ---- Catching up ----------------------------------------------------------------------------- */

enum { BATCH = 64 };

struct catching_up {
    uint32_t changes[BATCH];
    size_t count;
    bool all;
};

static void see_change(uint64_t user, void *context)
{
    struct catching_up *up = context;

    if (user == LM_CHANGE_ALL || up->count == BATCH)
        up->all = true;
    else
        up->changes[up->count++] = (uint32_t)user;
}

static void drop_listed(struct lw_token_cache *cache, const struct catching_up *up)
{
    for (size_t i = 0; i < cache->set_count; i++) {
        struct set *set = &cache->sets[i];
        for (size_t at = 0; at < up->count; at++) {
            for (unsigned way = 0; way < WAYS; way++) {
                if (set->changes[way] == up->changes[at] && set->tokens[way] != NULL)
                    drop_way(cache, set, way);
            }
        }
    }
}

/*
 * A change of the catalogue says nothing of tokens, but is told by the same word as "too many to
 * name" and "the database is another": it costs one reading of each token in use.
 */
static void catch_up(struct lw_token_cache *cache)
{
    struct lm_changes *changes = &cache->manager->changes;
    struct catching_up up = {.count = 0};

    if (__builtin_expect(lm_changes_sequence(changes) == cache->sequence, 1))
        return;
    lm_changes_lock(changes);
    lm_changes_each(changes, cache->sequence, see_change, &up);
    cache->sequence = lm_changes_sequence(changes);
    lm_changes_unlock(changes);
    if (up.all) {
        drop_all(cache);
        memset(cache->unknown, 0, LW_TOKEN_UNKNOWN_MAX * sizeof *cache->unknown);
    } else if (cache->count != 0) {
        drop_listed(cache, &up);
    }
}

/* ---- Looking up ------------------------------------------------------------------------------ */

static uint64_t first_bytes(const unsigned char *digest)
{
    uint64_t value;

    memcpy(&value, digest, sizeof value);
    return value;
}

static struct set *set_of(struct lw_token_cache *cache, const unsigned char *digest)
{
    return &cache->sets[first_bytes(digest) & (cache->set_count - 1)];
}

static uint16_t tag_of(const unsigned char *digest)
{
    return (uint16_t)(first_bytes(digest) >> 48);
}

static struct unknown *unknown_of(struct lw_token_cache *cache, const unsigned char *digest)
{
    return &cache->unknown[first_bytes(digest) % LW_TOKEN_UNKNOWN_MAX];
}

static int find_way(const struct set *set, const unsigned char *digest)
{
    uint16_t tag = tag_of(digest);

    for (int way = 0; way < WAYS; way++) {
        if (set->tags[way] == tag && set->tokens[way] != NULL &&
            lv_token_digest_equal(set->tokens[way]->digest, digest))
            return way;
    }
    return -1;
}

/* Among the known; NULL: not there. */
static struct lw_token *find_known(struct lw_token_cache *cache, const unsigned char *digest)
{
    catch_up(cache);
    struct set *set = set_of(cache, digest);
    int way = find_way(set, digest);

    if (way < 0)
        return NULL;
    set->asked |= (uint8_t)(1u << way);
    return set->tokens[way];
}

static enum lw_token_result judge_fresh(const struct lw_token_cache *cache, struct lw_token *known,
                                        struct lw_token **token)
{
    if (!lm_is_fresh(cache->manager))
        return LW_TOKEN_MISS;
    *token = known;
    return LW_TOKEN_FOUND;
}

static bool is_unknown(struct lw_token_cache *cache, const unsigned char *digest)
{
    const struct unknown *unknown = unknown_of(cache, digest);

    return lb_monotonic_coarse_ms() < unknown->until_ms &&
           lv_token_digest_equal(unknown->digest, digest);
}

enum lw_token_result lw_token_cache_get(struct lw_token_cache *cache,
                                        const unsigned char digest[LW_TOKEN_DIGEST_SIZE],
                                        struct lw_token **token)
{
    struct lw_token *known = find_known(cache, digest);

    if (known != NULL)
        return judge_fresh(cache, known, token);
    return is_unknown(cache, digest) ? LW_TOKEN_UNKNOWN : LW_TOKEN_MISS;
}

enum lw_token_result lw_token_cache_find(struct lw_token_cache *cache, struct lb_str text,
                                         unsigned char digest[LW_TOKEN_DIGEST_SIZE],
                                         struct lw_token **token)
{
    if (text.size != LV_TOKEN_SIZE)
        return LW_TOKEN_UNKNOWN;
    lv_token_digest(text, digest);
    struct lw_token *known = find_known(cache, digest);
    if (known != NULL)
        return judge_fresh(cache, known, token);
    /* What was issued has the right form; so only what is not at hand is asked for it. */
    if (!lv_token_valid(text))
        return LW_TOKEN_UNKNOWN;
    return is_unknown(cache, digest) ? LW_TOKEN_UNKNOWN : LW_TOKEN_MISS;
}

/* ---- Keeping --------------------------------------------------------------------------------- */

static void remember_unknown(struct lw_token_cache *cache, const struct lw_token *token)
{
    struct unknown *unknown = unknown_of(cache, token->digest);

    memcpy(unknown->digest, token->digest, sizeof unknown->digest);
    unknown->until_ms = lb_monotonic_coarse_ms() + LW_TOKEN_UNKNOWN_MS;
}

static int free_way(const struct set *set)
{
    for (int way = 0; way < WAYS; way++) {
        if (set->tokens[way] == NULL)
            return way;
    }
    return -1;
}

/* Moves a token with all that its set knows of it to a free way of another set. */
static void move_way(struct set *from, unsigned way, struct set *to, unsigned at)
{
    to->tokens[at] = from->tokens[way];
    to->tags[at] = from->tags[way];
    to->changes[at] = from->changes[way];
    to->asked |= (uint8_t)((from->asked >> way & 1) << at);
    from->tokens[way] = NULL;
    from->asked &= (uint8_t) ~(1u << way);
}

/*
 * Twice as many sets: one bit more of each digest decides whether its token stays or goes to the
 * same place of the new half. Without memory, or at the limit, the table stays as it is.
 */
static void grow_table(struct lw_token_cache *cache)
{
    const size_t count = cache->set_count, added = count * sizeof(struct set);

    if (cache->count < count * WAYS / 2 || cache->bytes + added > cache->limit)
        return;
    struct set *sets = lb_realloc_array(cache->manager->host, cache->sets, count * 2, sizeof *sets);
    if (sets == NULL)
        return;
    memset(sets + count, 0, added);
    cache->sets = sets;
    cache->set_count = count * 2;
    cache->bytes += added;
    for (size_t i = 0; i < count; i++) {
        for (unsigned way = 0; way < WAYS; way++) {
            const struct lw_token *token = sets[i].tokens[way];
            if (token != NULL && set_of(cache, token->digest) != &sets[i])
                move_way(&sets[i], way, &sets[i + count], way);
        }
    }
}

/* A free way of the set, made free if need be. */
static unsigned make_way(struct lw_token_cache *cache, struct set *set)
{
    int at = free_way(set);

    if (at >= 0)
        return (unsigned)at;
    for (;;) {
        unsigned way = set->hand;
        set->hand = (uint8_t)((set->hand + 1) % WAYS);
        if ((set->asked >> way & 1) == 0) {
            drop_way(cache, set, way);
            return way;
        }
        set->asked &= (uint8_t) ~(1u << way);
    }
}

/*
 * Drops tokens, set after set, until `size` more bytes fit; those that were asked for since it last
 * passed stay. May empty every set.
 */
static void make_bytes(struct lw_token_cache *cache, size_t size)
{
    for (size_t i = 0; i < cache->set_count * 2; i++) {
        struct set *set = &cache->sets[cache->sweep & (cache->set_count - 1)];
        for (unsigned way = 0; way < WAYS; way++) {
            if (cache->bytes + size <= cache->limit)
                return;
            if (set->tokens[way] != NULL && (set->asked >> way & 1) == 0)
                drop_way(cache, set, way);
        }
        set->asked = 0;
        cache->sweep++;
    }
}

void lw_token_cache_put(struct lw_token_cache *cache, struct lw_token *token)
{
    if (token == NULL)
        return;
    struct lm_manager *manager = cache->manager;
    catch_up(cache);
    if (!token->known) {
        remember_unknown(cache, token);
        lw_token_free(manager, token);
        return;
    }
    struct set *set = set_of(cache, token->digest);
    int old = find_way(set, token->digest);
    if (old >= 0)
        drop_way(cache, set, (unsigned)old);
    if (lm_changes_concern(&manager->changes, token->sequence, token->change)) {
        lw_token_free(manager, token);
        return;
    }
    if (free_way(set) < 0) {
        grow_table(cache);
        set = set_of(cache, token->digest);
    }
    unsigned way = make_way(cache, set);
    make_bytes(cache, size_of(token));
    if (cache->bytes + size_of(token) > cache->limit) {
        lw_token_free(manager, token);
        return;
    }
    set->tokens[way] = token;
    set->tags[way] = tag_of(token->digest);
    set->changes[way] = (uint32_t)token->change;
    set->asked &= (uint8_t) ~(1u << way);
    cache->bytes += size_of(token);
    cache->count++;
}

size_t lw_token_cache_count(const struct lw_token_cache *cache)
{
    return cache->count;
}

size_t lw_token_cache_unknown(const struct lw_token_cache *cache)
{
    int64_t now_ms = lb_monotonic_coarse_ms();
    size_t count = 0;

    for (size_t i = 0; i < LW_TOKEN_UNKNOWN_MAX; i++)
        count += cache->unknown[i].until_ms > now_ms ? 1 : 0;
    return count;
}
