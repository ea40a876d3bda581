/* SPDX-License-Identifier: MIT */
/*
 * Who is calling: the tokens we issue. A user's token acts as that user, an application's names
 * its user (perhaps only such as begin with a prefix), an administrator's manages. The database
 * holds digests, never a token; a revoked token keeps its row and is never found.
 *
 * A worker keeps a token cache beside its view: a warm look-up hashes the token and reads one
 * line of memory, without SQL and without a lock.
 *
 *     switch (lw_token_cache_find(cache, lb_str(token), digest, &found)) {
 *     LW_TOKEN_FOUND    found->kind, ->user ... valid until the cache is used again; perhaps over
 *     LW_TOKEN_UNKNOWN  401: no token of ours, or one revoked
 *     LW_TOKEN_MISS     off the loop: lw_token_load(manager, digest, &token, err); an error
 *                       denies. Then, on the loop: use `token` (kind NONE: 401) and hand it over
 *                       with lw_token_cache_put.
 */
#ifndef LW_TOKENS_H
#define LW_TOKENS_H

#include <stdbool.h>
#include <stdint.h>

#include "accounts/limits.h"
#include "base/arena.h"
#include "base/str.h"
#include "llmgr.h"

struct lm_manager;

enum {
    LW_TOKEN_NAME_MAX = 80, /* bytes */
    LW_TOKEN_PREFIX_MAX = 128,
    LW_TOKEN_NOTE_MAX = 500,
    LW_TOKEN_DIGEST_SIZE = 32,
    LW_TOKENS_PER_USER = 1000,   /* that are not revoked; as many without a user */
    LW_TOKEN_UNKNOWN_MS = 5000,  /* how long "unknown" is remembered */
    LW_TOKEN_UNKNOWN_MAX = 4096, /* and for how many tokens */
};

/* What a token is allowed to do. Made by lw_token_load; one block of memory. */
struct lw_token {
    int64_t id;
    bool known; /* false: no such token, or revoked; then only the digest has a meaning */
    llmgr_token_kind kind;
    struct lb_str name;
    struct lb_str user;   /* of a user token; else empty */
    struct lb_str prefix; /* of an app token: its users must begin with it; empty: any user */
    bool is_limited;
    struct lw_limits limits; /* if it is */
    uint32_t used_hour;      /* since 1970: the last one that was noted or read; 0: none */
    size_t size;             /* of the block */
    unsigned char digest[LW_TOKEN_DIGEST_SIZE];
    uint64_t change;   /* ours: under which name a revocation is announced */
    uint64_t sequence; /* ours: changes up to here were seen before it was read */
};

/*
 * May the token act as `user` (as named by the caller; empty: not named)? On success *acting is
 * the user who really acts, before lm_effective_user. A user token: its user, and no other may be
 * named. An app token must name one that has its prefix. An admin token may name any; without one
 * it acts as the system user. ERR_FORBIDDEN, ERR_INVALID (the user id, or none was named).
 */
LLMGR_MUST_CHECK llmgr_status lw_token_acts_as(const struct lw_token *token, struct lb_str user,
                                               struct lb_str *acting, struct llmgr_error *err);

/* ---- Issuing --------------------------------------------------------------------------------- */

/*
 * What a token is made with, or what is to change of one. Of name, note and limits, what is not
 * given (.p NULL, LLMGR_UNSET) stays as it is, and of a new token is nothing, or what `bound` has.
 */
struct lw_token_spec {
    llmgr_token_kind kind; /* of a new one, as the next two */
    struct lb_str user;    /* required for a user token, else empty */
    struct lb_str prefix;  /* app tokens only; may be empty */
    struct lb_str name;    /* for people; may be empty */
    struct lb_str note;    /* likewise */
    struct lw_limits limits;
    const struct lw_limits *bound; /* of whoever asks; NULL: nothing narrows him */
    int64_t maker_id;              /* his token, which is looked at once more; 0: he has none */
};

/*
 * Issues a token: LV_TOKEN_SIZE bytes and a NUL into `token`, which the caller shows once and
 * wipes. Errors: ERR_INVALID, ERR_FORBIDDEN (it would exceed `bound`), ERR_TOO_LARGE
 * (LW_TOKENS_PER_USER), ERR_DATABASE….
 */
LLMGR_MUST_CHECK llmgr_status lw_token_create(struct lm_manager *manager,
                                              const struct lw_token_spec *spec, char *token,
                                              int64_t *token_id, struct llmgr_error *err);
/*
 * Tokens of `user` (its user tokens), or with an empty user those of everybody and all kinds; by
 * id, after `after_id`, at most `limit` (0: 1000). Strings in `arena`.
 */
LLMGR_MUST_CHECK llmgr_status lw_token_list(struct lm_manager *manager, struct lb_str user,
                                            int64_t after_id, size_t limit, struct lb_arena *arena,
                                            struct llmgr_token **items, size_t *count,
                                            struct llmgr_error *err);
/*
 * Changes name, note and limits of a token, as lw_token_revoke takes effect. What it was and will
 * be must lie within `bound` as a whole, for limits narrow together: a longer life is more of
 * whatever it may use. ERR_NOT_FOUND as below, ERR_CONFLICT (it is revoked), ERR_INVALID,
 * ERR_FORBIDDEN.
 */
LLMGR_MUST_CHECK llmgr_status lw_token_change(struct lm_manager *manager, struct lb_str user,
                                              int64_t token_id, const struct lw_token_spec *spec,
                                              struct llmgr_error *err);
/*
 * Takes effect at once in this process and within twice poll_ms in others. With a user only that
 * user's tokens exist: ERR_NOT_FOUND for others. ERR_FORBIDDEN if it exceeds `bound` (NULL: nothing
 * narrows whoever asks; his own token never does). Revoking twice is fine.
 */
LLMGR_MUST_CHECK llmgr_status lw_token_revoke(struct lm_manager *manager, struct lb_str user,
                                              int64_t token_id, const struct lw_limits *bound,
                                              struct llmgr_error *err);
/* Is there an admin token that is accepted? A server without one stays on loopback. */
LLMGR_MUST_CHECK llmgr_status lw_token_has_admin(struct lm_manager *manager, bool *has,
                                                 struct llmgr_error *err);

/* ---- Looking up ------------------------------------------------------------------------------ */

/* Form and checksum; on true the digest is filled. No secret, no SQL. */
bool lw_token_digest(struct lb_str text, unsigned char digest[LW_TOKEN_DIGEST_SIZE]);

/*
 * Reads a token's row; blocking, any thread. What is not known is a success with known == false;
 * one that is over is known, for its end may be put off.
 * Also polls for changes if that is due, so that the answer is fresh. Free it with lw_token_free
 * or hand it to a cache.
 */
LLMGR_MUST_CHECK llmgr_status lw_token_load(struct lm_manager *manager,
                                            const unsigned char digest[LW_TOKEN_DIGEST_SIZE],
                                            struct lw_token **token, struct llmgr_error *err);
void lw_token_free(struct lm_manager *manager, struct lw_token *token); /* NULL is fine */

/* One worker's memory of tokens; not thread-safe. */
struct lw_token_cache;
enum lw_token_result { LW_TOKEN_UNKNOWN = 0, LW_TOKEN_FOUND, LW_TOKEN_MISS };

/*
 * `size` bounds the bytes of known tokens and of the table that finds them (0: 4 MiB); it begins
 * with a few KiB and grows with the tokens in use. Unknown ones take 40 bytes each besides, at most
 * LW_TOKEN_UNKNOWN_MAX of them.
 */
LLMGR_MUST_CHECK llmgr_status lw_token_cache_new(struct lm_manager *manager, size_t size,
                                                 struct lw_token_cache **cache,
                                                 struct llmgr_error *err);
void lw_token_cache_free(struct lw_token_cache *cache);
/*
 * Takes in what changed (one atomic load if nothing did), then looks the token up. MISS also when
 * the last good poll of changes (lm_poll, driven by the server off its loops every <= poll_ms) is
 * older than twice poll_ms: then only the database may answer. `digest` is filled unless the
 * answer is UNKNOWN by form. *token is untouched unless FOUND.
 */
enum lw_token_result lw_token_cache_find(struct lw_token_cache *cache, struct lb_str text,
                                         unsigned char digest[LW_TOKEN_DIGEST_SIZE],
                                         struct lw_token **token);
/* The same by the digest of a token that had the right form. */
enum lw_token_result lw_token_cache_get(struct lw_token_cache *cache,
                                        const unsigned char digest[LW_TOKEN_DIGEST_SIZE],
                                        struct lw_token **token);
/* Takes the token over, known or not; what changed since it was read is not kept. */
void lw_token_cache_put(struct lw_token_cache *cache, struct lw_token *token);
size_t lw_token_cache_count(const struct lw_token_cache *cache);   /* known tokens kept */
size_t lw_token_cache_unknown(const struct lw_token_cache *cache); /* unknown ones kept */

#endif
