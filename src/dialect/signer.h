/* SPDX-License-Identifier: MIT */
/*
 * Puts a tail behind the ids in an answer that passes by, and changes nothing else. The places are
 * those of signed.def; the tail is the owner's to make.
 *
 *     {"id":"resp_68a1f0","object":"response", ...
 *     [----- slice ----][tail][---- slice ---- ...
 *
 * The tail goes where the string ends, so nothing is held back, and any split of the answer gives
 * the same bytes. Only the id that is passing is remembered. It stands behind the tap (tap.h),
 * whose slices it takes; what it hands out is used alike. What is no JSON passes as it is: an id
 * that goes out without its tail is one that is not taken back.
 */
#ifndef LD_SIGNER_H
#define LD_SIGNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum {
    LD_SIGNER_ID_MAX = 1024, /* bytes of an id as it is written; a longer one is not signed */
    LD_SIGNER_TAIL_MAX = 56, /* bytes of a tail */
    LD_SIGNER_TAILS = 4,     /* per call */
    LD_SIGNER_SLICES = 2 * LD_SIGNER_TAILS + 1,
    LD_SIGNER_LEVELS = 5,      /* how deep signed.def goes */
    LD_SIGNER_NAME_MAX = 120,  /* bytes of the longest name there, each written as an escape */
    LD_SIGNER_KNOWN_MAX = 128, /* bytes of the id before, which is likely to come again */
};

enum ld_signed_family { LD_SIGNED_RESPONSES, LD_SIGNED_CHATS, LD_SIGNED_SPOKEN };

/* Writes what goes behind `id`, of characters that JSON takes as they are; returns its size. */
typedef size_t (*ld_tail_fn)(void *context, struct lb_str id, char tail[LD_SIGNER_TAIL_MAX]);

struct ld_signer_out {
    struct lb_str slice[LD_SIGNER_SLICES]; /* of the fed bytes, or a tail: */
    size_t count;                          /* valid until the next call */
};

struct ld_signer {
    ld_tail_fn tail;
    void *context;
    bool stream; /* text/event-stream */

    uint8_t top; /* private, as all below */
    uint8_t bom; /* bytes of a byte order mark that were seen; 3: none can follow */
    uint8_t line;
    uint8_t matched; /* bytes of "data:" */
    bool blank;      /* no byte of the current line came yet */
    bool last_cr;
    bool started; /* the opening brace was seen */
    bool over;    /* the object is closed, or there is none */
    bool in_string;
    bool escape; /* the last byte was a backslash */
    bool expect_name;
    uint8_t use;    /* of the current string */
    uint8_t member; /* what its rules say of the member that we are in */
    bool idle;      /* in a level where no rule has a place: */
    uint32_t idle_depth;
    uint32_t depth;
    bool object[LD_SIGNER_LEVELS + 1]; /* or an array; by depth, from 1 */
    uint8_t node[LD_SIGNER_LEVELS + 1];
    uint8_t name_size; /* more than LD_SIGNER_NAME_MAX: none of ours */
    char name[LD_SIGNER_NAME_MAX];
    bool escaped;   /* the string has escapes */
    size_t id_size; /* more than LD_SIGNER_ID_MAX: not signed */
    char id[LD_SIGNER_ID_MAX];
    size_t known_size; /* 0: none */
    char known[LD_SIGNER_KNOWN_MAX];
    size_t known_tail_size;
    char known_tail[LD_SIGNER_TAIL_MAX];
    char tails[LD_SIGNER_TAILS][LD_SIGNER_TAIL_MAX];
};

void ld_signer_init(struct ld_signer *signer, enum ld_signed_family family, bool stream,
                    ld_tail_fn tail, void *context);
/*
 * Returns the bytes of `in` taken: all, unless the tails of one call are used up; at least one of a
 * non-empty `in`.
 */
size_t ld_signer_feed(struct ld_signer *signer, struct lb_str in, struct ld_signer_out *out);

#endif
