/* SPDX-License-Identifier: MIT */
/*
 * A refusal's body as it comes, of which no more is kept than can tell something. Up to
 * LD_REFUSAL_MAX bytes stay as they are. Of longer JSON (some platforms repeat the whole request
 * before they say what is wrong with it) what is large is left out, here and in what follows: the
 * rest of a long string, the later elements of a list, the later members of an object. So the code
 * and the message are found wherever they stand, and what is kept is JSON again. Of any other text
 * the first bytes stay.
 */
#ifndef LD_ABRIDGE_H
#define LD_ABRIDGE_H

#include "base/buf.h"

enum {
    LD_REFUSAL_MAX = 64 * 1024, /* bytes that are kept */
    LD_REFUSAL_READ = 1 << 20,  /* bytes that are looked through for them */
    LD_ABRIDGE_LEVELS = 8,      /* of lists and objects; what is deeper is left out */
};

/* Zeroed memory is ready for the first bytes. All of it is private. */
struct ld_abridge {
    uint32_t read;                    /* bytes that came */
    uint32_t depth;                   /* of lists and objects */
    uint32_t dropped;                 /* the level of what is left out; 0: nothing is */
    uint32_t size;                    /* of the string or the literal so far */
    uint8_t count[LD_ABRIDGE_LEVELS]; /* by level, from 1: commas so far */
    uint8_t lists;                    /* bits by level: it is a list, and no object */
    uint8_t escape;                   /* characters of an escape that are still to come */
    bool is_surrogate, high_half;     /* of an escape \ud..., and of the first of a pair */
    bool in_string;
    bool is_full; /* the rest of the string is left out */
    bool is_long; /* more came than is kept */
    bool is_over; /* what follows changes nothing */
};

/*
 * Adds to `text`, which holds what was kept before (room for LD_REFUSAL_MAX bytes). False: whatever
 * follows would change nothing, or memory is short (text->failed).
 */
bool ld_abridge_add(struct ld_abridge *abridge, struct lb_buf *text, struct lb_str bytes);

#endif
