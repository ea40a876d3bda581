/* SPDX-License-Identifier: MIT */
/*
 * What a master key is: its text, its id, and which 32 bytes are none. The sources stand in
 * master_file.c and master_command.c; all of them end in lv_master_from_text, so that no source
 * can bring in a key that another would refuse.
 */
#include "vault/master.h"

#include <sodium.h>
#include <string.h>

#include "base/error.h"

enum { HEX_SIZE = 2 * LV_MASTER_SIZE, BASE64_SIZE = 43, BASE64_PADDED_SIZE = 44 };

/* Words that only a key somebody typed contains; a random one does once in 10^11. */
static const char *const TYPED_WORDS[] = {"changeme",  "change-me",  "change_me", "password",
                                          "default",   "example",    "secret",    "insecure",
                                          "masterkey", "master-key", "master_key"};

void lv_master_clear(struct lv_master *master)
{
    sodium_memzero(master, sizeof *master);
}

void lv_master_id(const struct lv_master *master, char *id)
{
    static const char LABEL[] = "llmgr master key id";
    unsigned char digest[crypto_generichash_BYTES_MIN];

    crypto_generichash(digest, sizeof digest, (const unsigned char *)LABEL, sizeof LABEL - 1,
                       master->bytes, sizeof master->bytes);
    sodium_bin2hex(id, LV_MASTER_ID_SIZE, digest, (LV_MASTER_ID_SIZE - 1) / 2);
}

/* A run of up to 16 bytes repeated; includes "all bytes equal" and our example. */
static bool repeats(const unsigned char *bytes)
{
    for (size_t period = 1; period <= LV_MASTER_SIZE / 2; period++) {
        if (memcmp(bytes, bytes + period, LV_MASTER_SIZE - period) == 0)
            return true;
    }
    return false;
}

/* 00 01 02 ..., 1f 1e 1d ... and any other constant step. */
static bool counts(const unsigned char *bytes)
{
    for (size_t i = 2; i < LV_MASTER_SIZE; i++) {
        if ((unsigned char)(bytes[i] - bytes[i - 1]) != (unsigned char)(bytes[1] - bytes[0]))
            return false;
    }
    return true;
}

static bool has_typed_word(const unsigned char *bytes)
{
    for (size_t i = 0; i < sizeof TYPED_WORDS / sizeof TYPED_WORDS[0]; i++) {
        struct lb_str word = lb_cstr(TYPED_WORDS[i]);
        for (size_t at = 0; at + word.size <= LV_MASTER_SIZE; at++) {
            if (lb_str_eq_nocase(lb_str((const char *)bytes + at, word.size), word))
                return true;
        }
    }
    return false;
}

static bool is_weak(const struct lv_master *master)
{
    return repeats(master->bytes) || counts(master->bytes) || has_typed_word(master->bytes);
}

void lv_master_generate(struct lv_master *master)
{
    do {
        randombytes_buf(master->bytes, sizeof master->bytes);
    } while (is_weak(master)); /* or the key would be refused when it is read */
}

/* At most one line end; further ones are part of the text and make its size wrong. */
static struct lb_str without_line_end(struct lb_str text)
{
    if (text.size != 0 && text.p[text.size - 1] == '\n')
        text.size--;
    if (text.size != 0 && text.p[text.size - 1] == '\r')
        text.size--;
    return text;
}

static bool decode_base64(struct lb_str text, struct lv_master *master)
{
    bool url = lb_str_find(text, '-') != text.size || lb_str_find(text, '_') != text.size;
    bool padded = text.size == BASE64_PADDED_SIZE;
    int variant =
        url ? (padded ? sodium_base64_VARIANT_URLSAFE : sodium_base64_VARIANT_URLSAFE_NO_PADDING)
            : (padded ? sodium_base64_VARIANT_ORIGINAL : sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
    size_t size = 0;

    return sodium_base642bin(master->bytes, sizeof master->bytes, text.p, text.size, NULL, &size,
                             NULL, variant) == 0 &&
           size == sizeof master->bytes;
}

static bool decode_hex(struct lb_str text, struct lv_master *master)
{
    /* Of HEX_SIZE characters, all of which must be digits: that fills it. */
    return sodium_hex2bin(master->bytes, sizeof master->bytes, text.p, text.size, NULL, NULL,
                          NULL) == 0;
}

llmgr_status lv_master_from_text(struct lb_str text, const char *source, struct lv_master *master,
                                 struct llmgr_error *err)
{
    struct lv_master decoded = {{0}};
    llmgr_status status = LLMGR_OK;

    text = without_line_end(text);
    if (text.size == 0)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the master key from %s is empty; put 64 hex digits there, for instance "
                          "from 'openssl rand -hex 32'"),
                       source);
    if (text.size != HEX_SIZE && text.size != BASE64_SIZE && text.size != BASE64_PADDED_SIZE)
        return lb_fail(err, LLMGR_ERR_VAULT,
                       N_("the master key from %s has the wrong size (%zu characters); it must be "
                          "64 hex digits or the base64 of 32 bytes"),
                       source, text.size);
    if (!(text.size == HEX_SIZE ? decode_hex(text, &decoded) : decode_base64(text, &decoded)))
        status = lb_fail(err, LLMGR_ERR_VAULT,
                         N_("the master key from %s is neither hex nor base64; it must be 64 hex "
                            "digits or the base64 of 32 bytes"),
                         source);
    else if (is_weak(&decoded))
        status = lb_fail(err, LLMGR_ERR_VAULT,
                         N_("the master key from %s is a default or a pattern, not a random "
                            "number; make one with 'openssl rand -hex 32'"),
                         source);
    else
        *master = decoded;
    lv_master_clear(&decoded);
    return status;
}
