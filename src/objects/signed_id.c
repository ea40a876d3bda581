/* SPDX-License-Identifier: MIT */
/* Tails of ids, made and judged. See the header. */
#include "objects/signed_id.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/error.h"
#include "manager/manager.h"
#include "vault/vault.h"

enum {
    TEXT_SIZE = LV_SIGNATURE_SIZE / 3 * 4,
    DIGITS_MAX = 19,
    ACCOUNT_SIZE = 8,       /* bytes of an account's number */
    ACCOUNT_TEXT_SIZE = 11, /* of base64 */
};

static_assert(LV_SIGNATURE_SIZE % 3 == 0, "base64 without padding");
static_assert((int)LF_ID_TAIL_MAX == 1 + TEXT_SIZE + DIGITS_MAX + 1 + ACCOUNT_TEXT_SIZE,
              "a tail's parts");
static_assert((int)LF_ID_HOLDER_SIZE == (int)LV_HOLDER_SIZE, "holder");

void lf_id_holder_set(struct lf_id_holder *holder, struct lb_str user, int64_t platform_id,
                      struct lb_str origin)
{
    lv_holder(user, platform_id, origin, holder->digest);
    holder->platform_id = platform_id;
}

/* An id with a space or a quote in it is none that could stand in a path or a header. */
static bool is_id(struct lb_str id)
{
    for (size_t i = 0; i < id.size; i++) {
        if (id.p[i] <= ' ' || id.p[i] > '~')
            return false;
    }
    return id.size > 0 && id.size <= LF_ID_MAX;
}

static size_t write_number(uint64_t number, char *out)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    for (size_t i = 0; i < count; i++)
        out[i] = digits[count - 1 - i];
    return count;
}

static void put_account(uint64_t account_id, unsigned char bytes[ACCOUNT_SIZE])
{
    for (unsigned i = 0; i < ACCOUNT_SIZE; i++)
        bytes[i] = (unsigned char)(account_id >> (8 * (ACCOUNT_SIZE - 1 - i)));
}

/* What is signed under: the holder, or the holder at that account. */
static void mix_account(const struct lf_id_holder *holder, uint64_t account_id,
                        unsigned char digest[LF_ID_HOLDER_SIZE])
{
    unsigned char bytes[LF_ID_HOLDER_SIZE + ACCOUNT_SIZE];

    if (account_id == 0) {
        memcpy(digest, holder->digest, LF_ID_HOLDER_SIZE);
        return;
    }
    memcpy(bytes, holder->digest, LF_ID_HOLDER_SIZE);
    put_account(account_id, bytes + LF_ID_HOLDER_SIZE);
    crypto_generichash(digest, LF_ID_HOLDER_SIZE, bytes, sizeof bytes, NULL, 0);
}

/* The signature of an id, as text. */
static bool sign_text(const struct lm_manager *manager, const struct lf_id_holder *holder,
                      uint64_t account_id, struct lb_str id, char text[TEXT_SIZE + 1])
{
    unsigned char digest[LF_ID_HOLDER_SIZE], signature[LV_SIGNATURE_SIZE];
    struct llmgr_error err = {0};

    if (!is_id(id) || holder->platform_id <= 0)
        return false;
    mix_account(holder, account_id, digest);
    if (lv_sign(lm_vault(manager), digest, id, signature, &err) != LLMGR_OK) {
        lb_error(lm_host(manager), "an id cannot be signed: %s", err.message);
        return false;
    }
    sodium_bin2base64(text, TEXT_SIZE + 1, signature, sizeof signature,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    return true;
}

/* "~AbCdEfGhIjK", or nothing. */
static size_t write_account(uint64_t account_id, char *out)
{
    char text[ACCOUNT_TEXT_SIZE + 1];
    unsigned char bytes[ACCOUNT_SIZE];

    if (account_id == 0)
        return 0;
    put_account(account_id, bytes);
    sodium_bin2base64(text, sizeof text, bytes, sizeof bytes,
                      sodium_base64_VARIANT_URLSAFE_NO_PADDING);
    out[0] = '~';
    memcpy(out + 1, text, ACCOUNT_TEXT_SIZE);
    return 1 + ACCOUNT_TEXT_SIZE;
}

size_t lf_id_tail(const struct lm_manager *manager, const struct lf_id_holder *holder,
                  uint64_t account_id, struct lb_str id, char tail[LF_ID_TAIL_MAX])
{
    char text[TEXT_SIZE + 1];

    if (!sign_text(manager, holder, account_id, id, text))
        return 0;
    tail[0] = '.';
    memcpy(tail + 1, text, TEXT_SIZE);
    size_t size = 1 + TEXT_SIZE;
    size += write_number((uint64_t)holder->platform_id, tail + size);
    return size + write_account(account_id, tail + size);
}

bool lf_id_blind(const struct lm_manager *manager, const struct lf_id_holder *holder,
                 struct lb_str id, char *out)
{
    const size_t front = lb_str_find(id, '_') < id.size ? lb_str_find(id, '_') + 1 : 0;
    char text[TEXT_SIZE + 1];

    if (id.size - front < TEXT_SIZE || !sign_text(manager, holder, 0, id, text))
        return false;
    memmove(out, id.p, front); /* it may be in place */
    for (size_t i = front; i < id.size; i++)
        out[i] = text[(i - front) % TEXT_SIZE];
    return true;
}

/* ---- Coming back ----------------------------------------------------------------------------- */

/* Where the tail begins; shown.size: there is none. */
static size_t find_tail(struct lb_str shown)
{
    size_t at = shown.size;

    while (at > 0 && shown.p[at - 1] != '.')
        at--;
    return at > 0 ? at - 1 : shown.size;
}

/* Takes the account's text off the end of a tail; false: it is none. */
static bool take_account(struct lb_str *tail, uint64_t *account_id)
{
    const size_t at =
        lb_str_find(lb_str_sub(*tail, 1 + TEXT_SIZE, tail->size), '~') + 1 + TEXT_SIZE;
    unsigned char bytes[ACCOUNT_SIZE];
    size_t size = 0;

    *account_id = 0;
    if (at >= tail->size)
        return true;
    if (tail->size - at != 1 + ACCOUNT_TEXT_SIZE ||
        sodium_base642bin(bytes, sizeof bytes, tail->p + at + 1, ACCOUNT_TEXT_SIZE, NULL, &size,
                          NULL, sodium_base64_VARIANT_URLSAFE_NO_PADDING) != 0 ||
        size != sizeof bytes)
        return false;
    for (unsigned i = 0; i < ACCOUNT_SIZE; i++)
        *account_id = *account_id << 8 | bytes[i];
    *tail = lb_str_sub(*tail, 0, at);
    return *account_id != 0;
}

bool lf_id_place(struct lb_str shown, struct lf_place *place)
{
    struct lb_str tail = lb_str_sub(shown, find_tail(shown), shown.size);
    uint64_t account_id;
    int64_t number;

    if (tail.size <= 1 + TEXT_SIZE || tail.size > LF_ID_TAIL_MAX ||
        !take_account(&tail, &account_id) ||
        !lb_str_to_i64(lb_str_sub(tail, 1 + TEXT_SIZE, tail.size), &number) || number <= 0)
        return false;
    *place = (struct lf_place){number, account_id};
    return true;
}

bool lf_id_open(const struct lm_manager *manager, const struct lf_id_holder *holder,
                struct lb_str shown, struct lb_str *id, uint64_t *account_id)
{
    const size_t at = find_tail(shown);
    const struct lb_str front = lb_str_sub(shown, 0, at), back = lb_str_sub(shown, at, shown.size);
    char tail[LF_ID_TAIL_MAX];
    struct lf_place place;

    if (!lf_id_place(shown, &place))
        return false;
    const size_t size = lf_id_tail(manager, holder, place.account_id, front, tail);
    if (size == 0 || size != back.size || sodium_memcmp(tail, back.p, size) != 0)
        return false;
    *id = front;
    *account_id = place.account_id;
    return true;
}
