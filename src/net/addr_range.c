/* SPDX-License-Identifier: MIT */
/* Addresses and ranges in one 16-byte form; used by the policy and by NO_PROXY. */
#include "net/addr_range.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static const uint8_t MAPPED[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

bool ln_addr16_of(const struct sockaddr *addr, struct ln_addr16 *out)
{
    if (addr->sa_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
        memcpy(out->b, MAPPED, sizeof(MAPPED));
        memcpy(out->b + 12, &in->sin_addr, 4);
        return true;
    }
    if (addr->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)addr;
        memcpy(out->b, &in->sin6_addr, 16);
        return true;
    }
    return false;
}

void ln_addr16_to(const struct ln_addr16 *addr, struct sockaddr_storage *out)
{
    *out = (struct sockaddr_storage){0};
    if (ln_addr16_is_v4(addr)) {
        struct sockaddr_in *in = (struct sockaddr_in *)(void *)out;
        in->sin_family = AF_INET;
        memcpy(&in->sin_addr, addr->b + 12, 4);
    } else {
        struct sockaddr_in6 *in = (struct sockaddr_in6 *)(void *)out;
        in->sin6_family = AF_INET6;
        memcpy(&in->sin6_addr, addr->b, 16);
    }
}

bool ln_addr16_is_v4(const struct ln_addr16 *addr)
{
    return memcmp(addr->b, MAPPED, sizeof(MAPPED)) == 0;
}

bool ln_addr16_eq(const struct ln_addr16 *a, const struct ln_addr16 *b)
{
    return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool ln_range_parse(struct lb_str text, struct ln_range *range)
{
    size_t slash = lb_str_find(text, '/');
    char address[INET6_ADDRSTRLEN];
    if (slash >= sizeof(address))
        return false;
    if (slash != 0)
        memcpy(address, text.p, slash);
    address[slash] = '\0';
    struct ln_range found = {.bits = 128};
    unsigned offset = 0;
    uint8_t v4[4];
    if (inet_pton(AF_INET, address, v4) == 1) {
        memcpy(found.base.b, MAPPED, sizeof(MAPPED));
        memcpy(found.base.b + 12, v4, 4);
        offset = 96;
    } else if (inet_pton(AF_INET6, address, found.base.b) != 1) {
        return false;
    }
    if (slash < text.size) {
        uint64_t bits;
        if (!lb_str_to_u64(lb_str_sub(text, slash + 1, text.size), &bits) || bits > 128 - offset)
            return false;
        found.bits = offset + (unsigned)bits;
    }
    *range = found;
    return true;
}

bool ln_range_holds(const struct ln_range *range, const struct ln_addr16 *addr)
{
    unsigned whole = range->bits / 8;
    unsigned rest = range->bits % 8;
    if (memcmp(range->base.b, addr->b, whole) != 0)
        return false;
    return rest == 0 || ((range->base.b[whole] ^ addr->b[whole]) >> (8 - rest)) == 0;
}

bool ln_range_names(const struct ln_range *range, const struct ln_addr16 *addr)
{
    return (range->bits >= 96 || !ln_addr16_is_v4(addr)) && ln_range_holds(range, addr);
}
