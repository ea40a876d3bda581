/* SPDX-License-Identifier: MIT */
/*
 * A lenient reader of JSON that passes by, in any pieces, without a tree and without keeping it:
 * it follows the names that matter (usage, error, finish_reason, choices, the output texts) and
 * copies out one small object, the usage. Text that is no JSON yields nonsense, never harm.
 */
#ifndef LD_SNIFF_H
#define LD_SNIFF_H

#include "base/buf.h"
#include "dialect/endpoint.h"

enum {
    LD_SNIFF_USAGE_MAX = 16 * 1024, /* bytes of a usage object; a longer one is not read */
    LD_SNIFF_LEVELS = 8,            /* how deep names are followed */
    LD_SNIFF_TYPE_SIZE = 40,        /* of a type; NUL-terminated, cut if longer */
};

/* Where output text stands: string members of these names, below this top-level member. */
struct ld_sniff_text {
    uint8_t root;   /* enum name of sniff.c; 0: the top level itself */
    uint32_t names; /* bits; names of text stand among the first 32 */
};

struct ld_sniff {
    /* What was found since the last reset. */
    bool usage_found;  /* `usage` holds a whole object */
    bool error;        /* an "error" that says something, of the answer, its response or a choice;
                          an object "error", a response "failed", a finish_reason "error" */
    bool error_inside; /* one that has begun and may say something, or has, in any place */
    bool accuses;      /* a top-level `code`, `error_code` or `success` of a failure, or an
                          `error_message`; */
    bool fine;         /* or of none */
    bool list;         /* a top-level "data" that is an array */
    bool thing;        /* a top-level "object" of another name: the answer describes one */
    bool complains;    /* a top-level string `message`, `msg`, `detail` or `error_message`, or
                          an `error_code` of a failure */
    bool finish;       /* a finish_reason or stop_reason that names one */
    bool choices;      /* a top-level "choices" with at least one object */
    bool tool;         /* a tool call begins, with or without arguments */
    bool whole;        /* the object was closed, or the list of objects */
    bool element;      /* an object of a list was closed */
    char type[LD_SNIFF_TYPE_SIZE]; /* top-level; "" if absent */
    uint8_t teller;     /* private, as the next two: of the member at error_depth, its name, */
    bool error_said;    /* that one of them said something, */
    bool has_number;    /* and that it is a number, which is in `number` */
    char *tier;         /* where the answer's service_tier goes (ld_tier_take); NULL: nowhere */
    uint64_t text_size; /* bytes of output text */
    struct lb_str last; /* the inside of the last of them, in the bytes fed last; p NULL: not all */
    struct lb_buf usage;

    struct ld_sniff_text text; /* private, as all below */
    const char *string_at; /* where the current string's inside begins; NULL: in a feed before */
    const bool *speaks;    /* the bytes that mean something at the moment */
    uint32_t error_depth;  /* of the member that we are in and that may tell of an error; 0: none */
    uint32_t number;       /* the digits of one, roughly */
    unsigned texts;        /* not private: strings that output text came from */
    bool in_list;          /* the objects are a list's elements */
    bool in_string;
    bool escape; /* the last byte was a backslash */
    bool is_name;
    bool expect_name;
    bool started;        /* the opening brace was seen */
    bool deaf;           /* the object is over, or there is none */
    bool copying;        /* inside of a usage object */
    bool idle;           /* inside of a level where no rule has a place: */
    uint32_t idle_depth; /* its depth */
    uint32_t depth;
    uint32_t copy_depth;
    /* By depth, from 1; what is deeper is idle. */
    bool object[LD_SNIFF_LEVELS + 1];  /* or an array */
    uint8_t path[LD_SNIFF_LEVELS + 1]; /* which member we are in */
    bool copied;                       /* the current string is copied to `copy` */
    uint8_t copy_size;                 /* bytes copied; what has no room is left out */
    size_t string_size;                /* of the current string, decoded, roughly */
    char copy[LD_SNIFF_TYPE_SIZE];
};

void ld_sniff_init(struct ld_sniff *sniff, const struct lb_host *host,
                   const struct ld_endpoint *endpoint, bool stream);
void ld_sniff_free(struct ld_sniff *sniff);
void ld_sniff_reset(struct ld_sniff *sniff); /* ready for the next text */
void ld_sniff_feed(struct ld_sniff *sniff, const char *bytes, size_t size);

#endif
