/* SPDX-License-Identifier: MIT */
/* The words of a route's policy, from their numbers and back. */
#include <stddef.h>
#include <string.h>

#include "llmgr.h"

/*
 * One set of words: its names at their numbers, the number's name, and the name's number. The maps
 * of llmgr.h count from 0 without a gap.
 */
#define WORD_AT(name, number, text) [number] = (text),
#define DEFINE_WORDS(word, MAP)                                                                    \
    static const char *const word##_names[] = {MAP(WORD_AT)};                                      \
                                                                                                   \
    const char *llmgr_##word##_name(llmgr_##word value)                                            \
    {                                                                                              \
        return (size_t)value < sizeof word##_names / sizeof *word##_names ? word##_names[value]    \
                                                                          : NULL;                  \
    }                                                                                              \
                                                                                                   \
    bool llmgr_##word##_parse(const char *name, llmgr_##word *value)                               \
    {                                                                                              \
        for (size_t i = 0; i < sizeof word##_names / sizeof *word##_names; i++) {                  \
            if (strcmp(word##_names[i], name) == 0) {                                              \
                *value = (llmgr_##word)i;                                                          \
                return true;                                                                       \
            }                                                                                      \
        }                                                                                          \
        return false;                                                                              \
    }

DEFINE_WORDS(pick, LLMGR_PICK_MAP)
DEFINE_WORDS(sticky, LLMGR_STICKY_MAP)
DEFINE_WORDS(exhausted, LLMGR_EXHAUSTED_MAP)
