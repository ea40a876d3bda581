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
    LD_SNIFF_NAME_MAX = 24,         /* longer names are none of ours */
    LD_SNIFF_LEVELS = 8,            /* how deep names are followed */
};

/* Where output text stands: string members of these names, below this top-level member. */
struct ld_sniff_text {
    uint8_t root;   /* enum name of sniff.c; 0: the top level itself */
    uint32_t names; /* bits */
};

struct ld_sniff {
    /* What was found since the last reset. */
    bool usage_found; /* `usage` holds a whole object */
    bool error;       /* a top-level "error" that is neither null, false nor "" */
    bool inner_error; /* the same in "response" */
    bool finish;      /* a finish_reason or stop_reason that is a string */
    bool choices;     /* a top-level "choices" with at least one item */
    bool whole;       /* the object was closed */
    char type[40];    /* top-level; "" if absent; NUL-terminated, as below */
    char model[96];   /* top-level, or in "response" or "message" */
    char id[96];
    uint64_t text_size; /* bytes of output text */
    struct lb_buf usage;

    struct ld_sniff_text text; /* private, as all below */
    bool in_string, escape, is_name, expect_name, started, copying;
    uint8_t path[LD_SNIFF_LEVELS + 1]; /* name ids by depth */
    uint32_t depth;
    uint32_t copy_depth;
    uint64_t objects; /* bit per level below 64: is it an object? */
    char *target;     /* where the current string is copied */
    size_t target_max;
    size_t string_size;
    char name[LD_SNIFF_NAME_MAX];
};

void ld_sniff_init(struct ld_sniff *sniff, const struct lb_host *host,
                   const struct ld_endpoint *endpoint, bool stream);
void ld_sniff_free(struct ld_sniff *sniff);
void ld_sniff_reset(struct ld_sniff *sniff); /* ready for the next text */
void ld_sniff_feed(struct ld_sniff *sniff, const char *bytes, size_t size);

#endif
