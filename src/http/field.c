/* SPDX-License-Identifier: MIT */
/*
 * Names by number without hashing: size, first and last character of a name choose one slot of a
 * small table, and one comparison decides. The table is laid out by the compiler from headers.def.
 */
#include "http/field.h"

#include "http/scan.h"

/*
 * Folding a letter's case is setting bit 0x20. For the other characters of a token the bit is set
 * already or leads to a character that no name in the table has, so it is safe to do blindly.
 */
enum { FOLD = 0x20, SLOTS = 512, NAME_MAX_SIZE = 32 };

/* The factors were searched for: with them no two names meet. */
#define SLOT(size, first, last) (((size) + 3u * (first) + 20u * (last)) % SLOTS)

struct name {
    char text[NAME_MAX_SIZE];
    unsigned char size;
    bool hop;
    bool once;
};

static const struct name names[LH_HEADER_COUNT] = {
#define XX(name, text, size, first, last, hop, once) [LH_HEADER_##name] = {text, size, hop, once},
#include "http/headers.def"
#undef XX
};

#define XX(name, text, size, first, last, hop, once)                                               \
    _Static_assert(sizeof(text) - 1 == (size) && (size) < NAME_MAX_SIZE, "headers.def: size");
#include "http/headers.def"
#undef XX

static const unsigned char slots[SLOTS] = {
#define XX(name, text, size, first, last, hop, once) [SLOT(size, first, last)] = LH_HEADER_##name,
#include "http/headers.def"
#undef XX
};

/* Token characters (RFC 9110 section 5.6.2). */
/* clang-format off */
static const bool token[256] = {
    ['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true,
    ['!'] = true, ['#'] = true, ['$'] = true, ['%'] = true, ['&'] = true, ['\''] = true,
    ['*'] = true, ['+'] = true, ['-'] = true, ['.'] = true, ['^'] = true, ['_'] = true,
    ['`'] = true, ['|'] = true, ['~'] = true,
};
/* clang-format on */

static uint64_t load8(const char *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof(word));
    return word;
}

/* Is `s`, folded, the lower-case `name` of the same size? */
static bool same_folded(const char *s, const char *name, size_t size)
{
    const uint64_t fold = 0x2020202020202020u;

    if (size < sizeof(fold)) {
        for (size_t i = 0; i < size; i++) {
            if ((s[i] | FOLD) != name[i])
                return false;
        }
        return true;
    }
    for (size_t i = 0; i + sizeof(fold) < size; i += sizeof(fold)) {
        if ((load8(s + i) | fold) != load8(name + i))
            return false;
    }
    return (load8(s + size - sizeof(fold)) | fold) == load8(name + size - sizeof(fold));
}

enum lh_header lh_header_find(struct lb_str name)
{
    if (name.size == 0 || name.size >= NAME_MAX_SIZE)
        return LH_HEADER_OTHER;
    unsigned first = (unsigned char)name.p[0] | FOLD;
    unsigned last = (unsigned char)name.p[name.size - 1] | FOLD;
    unsigned id = slots[SLOT(name.size, first, last)];
    if (id == LH_HEADER_OTHER || names[id].size != name.size ||
        !same_folded(name.p, names[id].text, name.size))
        return LH_HEADER_OTHER;
    return (enum lh_header)id;
}

bool lh_header_is_hop(enum lh_header id)
{
    return (unsigned)id < LH_HEADER_COUNT && names[id].hop;
}

bool lh_header_is_once(enum lh_header id)
{
    return (unsigned)id < LH_HEADER_COUNT && names[id].once;
}

size_t lh_token_size(struct lb_str s)
{
    size_t size = 0;

    while (size < s.size && token[(unsigned char)s.p[size]])
        size++;
    return size;
}

bool lh_is_token(struct lb_str s)
{
    return s.size != 0 && lh_token_size(s) == s.size;
}

bool lh_is_value(struct lb_str s)
{
    return lh_find_control(s.p, 0, s.size) == s.size;
}

bool lh_list_next(struct lb_str *list, struct lb_str *member)
{
    while (list->size != 0) {
        size_t comma = lb_str_find(*list, ',');
        struct lb_str one = lb_str_trim(lb_str_sub(*list, 0, comma));
        *list = lb_str_sub(*list, comma + 1, list->size);
        if (one.size != 0) {
            *member = one;
            return true;
        }
    }
    return false;
}
