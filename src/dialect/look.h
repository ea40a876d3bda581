/* SPDX-License-Identifier: MIT */
/*
 * What an answer is, by its first bytes. Content types are not to be trusted: some platforms send
 * their events without one, or as plain text or JSON, and others whole JSON as an event stream.
 */
#ifndef LD_LOOK_H
#define LD_LOOK_H

#include "base/str.h"

enum { LD_LOOK_MAX = 32 }; /* bytes that are looked at; what says nothing in them will not */

enum ld_look {
    LD_LOOK_MORE,   /* it takes more bytes to tell */
    LD_LOOK_EVENTS, /* a field or a comment of an event stream */
    LD_LOOK_WHOLE,  /* JSON, or a page */
    LD_LOOK_UNSAID  /* neither: the content type has the word */
};

enum ld_look ld_look(struct lb_str start);

#endif
