/* SPDX-License-Identifier: MIT */
/*
 * schemas.def in C: which members a document has, of which type, and where in its structure each
 * of them lies. read.c judges by it what comes, write.c writes by it what goes, and the gateway's
 * openapi.c writes it down.
 */
#ifndef LX_SCHEMA_H
#define LX_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>

enum lx_schema_id {
    LX_SCHEMA_NONE,
#define LX_DOCUMENT(Name, ...) LX_SCHEMA_##Name,
#define LX_FORM LX_DOCUMENT
#include "documents/schemas.def"
    LX_SCHEMA_COUNT
};

enum lx_type {
    LX_TYPE_ID,
    LX_TYPE_COUNT,
    LX_TYPE_COUNT_OR_NULL,
    LX_TYPE_NONZERO_OR_NULL,
    LX_TYPE_FLAG,
    LX_TYPE_TEXT,
    LX_TYPE_TEXT_OR_NULL,
    LX_TYPE_SECRET,
    LX_TYPE_TOKEN,
    LX_TYPE_OBJECT_OR_NULL,
    LX_TYPE_ANY,
    LX_TYPE_CHOICE,
    LX_TYPE_CHOICE_OR_NULL,
    LX_TYPE_KIND,
    LX_TYPE_STATUS,
    LX_TYPE_RATES,
    LX_TYPE_ONE,
    LX_TYPE_ONE_OR_NULL,
    LX_TYPE_LIST,
    LX_TYPE_MADE
};

struct lx_member {
    enum lx_schema_id owner;
    const char *name;
    enum lx_type type;
    const char *choices; /* "a|b|c"; NULL if it is no choice */
    enum lx_schema_id
        other;    /* of ONE, ONE_OR_NULL, LIST, MADE; of a form's LIST the form of each item */
    size_t place; /* offset in the structure; of a form's member 0 */
    size_t count_place; /* of a LIST: the offset of how many there are */
    size_t max;         /* bytes of a text, items of a form's LIST; 0: no limit is stated */
    bool required;
    const char *text;
};

struct lx_schema {
    const char *name;
    const char *text;
    bool shown;  /* in OpenAPI */
    size_t size; /* of the structure; 0: there is none, it is a form */
    const struct lx_member *members;
    size_t count;
};

/* Members in their order; NONE has no members. */
struct lx_schema lx_schema(enum lx_schema_id id);

/* The i-th of "a|b|c", and its size; NULL if there are fewer. */
const char *lx_choice(const char *choices, unsigned i, size_t *size);
/* Which of them that is, from 0; -1 if it is none. */
int lx_choice_find(const char *choices, const char *text);

#endif
