/* SPDX-License-Identifier: MIT */
/* The names that the sniff follows, and sets of them. Private to sniff.c. */
#ifndef LD_SNIFF_NAMES_H
#define LD_SNIFF_NAMES_H

#include <stdint.h>

enum name {
    NAME_NONE, /* an array's level, or a name that is none of ours */
#define LD_SNIFF_NAME(name, text, second) NAME_##name,
#include "dialect/sniff_names.def"
#undef LD_SNIFF_NAME
    NAME_COUNT
};

_Static_assert(NAME_COUNT <= 64, "sets of names are bits");

/* Sets of them. */
#define BIT(name) (UINT64_C(1) << NAME_##name)
#define COMPLAINTS (BIT(MESSAGE) | BIT(MSG) | BIT(DETAIL) | BIT(ERROR_MESSAGE))
#define CODES (BIT(CODE) | BIT(ERROR_CODE))
/* Members whose values may tell of an error, there and at the top level only. */
#define TOP_TELLERS (BIT(ERRORS) | BIT(ERROR_MSG) | BIT(BASE_RESP) | CODES | BIT(SUCCESS))
#define ERROR_MEMBERS (BIT(ERROR) | BIT(ERRORS) | BIT(ERROR_MSG))
#define CHAT_TEXT                                                                                  \
    (BIT(CONTENT) | BIT(REASONING_CONTENT) | BIT(REASONING) | BIT(TEXT) | BIT(ARGUMENTS))

#endif
