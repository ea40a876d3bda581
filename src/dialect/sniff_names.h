/* SPDX-License-Identifier: MIT */
/*
 * The ids of the names that the sniff follows, and the look-up of one: a table by a name's size and
 * second character leaves one comparison. Private to sniff.c.
 */
#ifndef LD_SNIFF_NAMES_H
#define LD_SNIFF_NAMES_H

#include <stdint.h>
#include <string.h>

#include "base/str.h"

enum name {
    NAME_NONE, /* an array's level, or a name that is none of ours */
#define LD_SNIFF_NAME(name, text, second) NAME_##name,
#include "dialect/sniff_names.def"
#undef LD_SNIFF_NAME
    NAME_COUNT
};

static const char *const NAMES[NAME_COUNT] = {
#define LD_SNIFF_NAME(name, text, second) [NAME_##name] = text,
#include "dialect/sniff_names.def"
#undef LD_SNIFF_NAME
};

enum { NAME_SIZES = 18, SECONDS = 32 };

/* Two names that meet in a slot are a compiler's warning (-Woverride-init). */
static const uint8_t SLOTS[NAME_SIZES][SECONDS] = {
#define LD_SNIFF_NAME(name, text, second) [sizeof(text) - 1][(second) % SECONDS] = NAME_##name,
#include "dialect/sniff_names.def"
#undef LD_SNIFF_NAME
};

_Static_assert(NAME_COUNT <= 32, "sets of names are bits");

static inline enum name find_name(struct lb_str name)
{
    if (name.size < 2 || name.size >= NAME_SIZES)
        return NAME_NONE;
    uint8_t id = SLOTS[name.size][(unsigned char)name.p[1] % SECONDS];
    bool same = id != NAME_NONE && memcmp(name.p, NAMES[id], name.size) == 0;
    return same ? (enum name)id : NAME_NONE;
}

#endif
