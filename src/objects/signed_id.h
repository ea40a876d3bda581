/* SPDX-License-Identifier: MIT */
/*
 * Ids of what a platform keeps for one request (a stored response, its items, a stored chat), when
 * the platform was used with a key that is not the caller's own: shown to the caller with a tail
 * that makes them his, and taken back from him alone.
 *
 *     resp_68a1f0 . Zm9vYmFyYmF6cXV4Zm9v 7                        ~ AbCdEfGhIjK
 *     the id        signature            number of the platform     account there
 *
 * An id that was made where another account may be asked the next time says which one keeps what it
 * names; else the tail ends with the platform's number, as that of the release before does. Nothing
 * is stored, so nothing has to be read, kept or forgotten: an id is good as long as the platform
 * keeps what it names, for the same user, platform, origin and account. A tail is made of what a
 * path takes as it is (RFC 3986, unreserved).
 */
#ifndef LF_SIGNED_ID_H
#define LF_SIGNED_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "llmgr.h"

struct lm_manager;

enum {
    LF_ID_MAX = 1024,    /* bytes of a platform's id; a longer one is not signed */
    LF_ID_TAIL_MAX = 52, /* '.', 20 of the signature, 19 digits, '~', 11 of the account */
    LF_ID_HOLDER_SIZE = 32,
};

/* Whose ids of which platform. */
struct lf_id_holder {
    unsigned char digest[LF_ID_HOLDER_SIZE];
    int64_t platform_id;
};

/* Where a thing is kept. */
struct lf_place {
    int64_t platform_id; /* 0: not known */
    uint64_t account_id; /* of struct lr_target; 0: nothing is said of it */
};

void lf_id_holder_set(struct lf_id_holder *holder, struct lb_str user, int64_t platform_id,
                      struct lb_str origin);

/*
 * What an id of the holder's is shown with that this account keeps (0: nothing is said of it).
 * Returns its size; 0: this is no id to be signed (empty, too long, not visible ASCII), or there is
 * no key to sign with.
 */
size_t lf_id_tail(const struct lm_manager *manager, const struct lf_id_holder *holder,
                  uint64_t account_id, struct lb_str id, char tail[LF_ID_TAIL_MAX]);

/* Where a shown id says it is kept, unverified; false: it has no tail. */
bool lf_id_place(struct lb_str shown, struct lf_place *place);
/*
 * The platform's id, part of `shown`, and the account that keeps it (0: none is said); false if
 * that was not signed for this holder.
 */
bool lf_id_open(const struct lm_manager *manager, const struct lf_id_holder *holder,
                struct lb_str shown, struct lb_str *id, uint64_t *account_id);

/*
 * Puts a name that is nobody's in the place of one that a client gave a thing of its own: as long,
 * with the same beginning ("msg_"), and the same each time for this holder. What the platform keeps
 * cannot be hit by it, for the rest is made of a signature. Writes id.size bytes; false: too short
 * for that, or there is no key.
 */
bool lf_id_blind(const struct lm_manager *manager, const struct lf_id_holder *holder,
                 struct lb_str id, char *out);

#endif
