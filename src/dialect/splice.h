/* SPDX-License-Identifier: MIT */
/*
 * From the caller's body to the platform's: the few changed places as small pieces, every other
 * byte a slice of the original. Content-Length is `size`.
 *
 *   {"model":"main","messages":[...],"stream":true}
 *   [----slice----][piece][--------slice---------][piece }]
 *
 * The model's extra_body: its members replace top-level members of the same name or are added at
 * the end; `model`, `stream`, `messages`, `input` and `prompt` are never taken from it.
 */
#ifndef LD_SPLICE_H
#define LD_SPLICE_H

#include "dialect/peek.h"

enum { LD_SLICES_MAX = 64 }; /* what an exchange takes: LU_BODY_SLICES_MAX */

struct ld_slices {
    struct lb_str slice[LD_SLICES_MAX];
    size_t count;
    uint64_t size; /* bytes of all */
};

struct ld_edit {
    struct lb_str model;      /* what the platform calls it; empty: left as it is */
    struct lb_str extra_body; /* a JSON object; empty: none */
    bool ask_usage;           /* stream_options.include_usage becomes true, its others stay */
    bool drop_stream_options; /* for a platform that rejects the member; wins over ask_usage */
};

/* Does this extra_body set a member of this name, and neither to false nor to null? */
bool ld_extra_sets(struct lb_str extra_body, struct lb_str name);

/*
 * `peek` is ld_peek's of this body. Slices point into body, edit and arena and live as long as the
 * shortest-lived of them. ERR_INVALID: extra_body is no JSON object; ERR_NO_MEMORY.
 */
LLMGR_MUST_CHECK llmgr_status ld_splice(struct lb_str body, const struct ld_peek *peek,
                                        const struct ld_edit *edit, struct lb_arena *arena,
                                        struct ld_slices *out, struct llmgr_error *err);

#endif
