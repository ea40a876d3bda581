/* SPDX-License-Identifier: MIT */
/* SipHash, as everywhere. See the header. */
#include "routing/hash.h"

#include <sodium.h>

uint64_t lo_hash(struct lb_str text)
{
    static const unsigned char key[crypto_shorthash_KEYBYTES] = {'l', 'l', 'm', 'g', 'r'};
    uint64_t hash;

    _Static_assert(sizeof hash == crypto_shorthash_BYTES, "of 64 bits");
    (void)crypto_shorthash((unsigned char *)&hash, (const unsigned char *)text.p, text.size, key);
    return hash != 0 ? hash : 1;
}
