/* SPDX-License-Identifier: MIT */
/*
 * Which things that are kept at the platform does a request name? A file, a batch, a stored
 * response: whoever sends the request with a key that is not the caller's has to ask whose they
 * are. One walk over JSON text finds all of them, at any depth, as refs.def says:
 *
 *     struct ld_refs refs;
 *     struct ld_ref ref;
 *     ld_refs_start(&refs, text);
 *     while (ld_refs_next(&refs, &ref)) ... ref.kind, ref.id, ref.at
 *     if (refs.why != NULL) ... not all of it was looked at
 *
 * Names are compared as the most lenient parser reads them: without escapes, in any letter case,
 * with or without '_' and '-'. A member that stands there twice is told twice. What a dialect
 * defines as the caller's own data is passed over: `metadata`, and the arguments of a tool call in
 * an Anthropic message (messages[].content[].input). Of each item in a top-level `input` or `items`
 * the `id` is told as an ITEM.
 *
 * The text need not be well-formed; of what is not, everything is told that looks like a name with
 * a value. No memory is taken.
 */
#ifndef LD_REFS_H
#define LD_REFS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "dialect/peek.h"

/* XX(NAME, "what people call it") */
#define LD_REF_KIND_MAP(XX)                                                                        \
    XX(FILE, "file")                                                                               \
    XX(UPLOAD, "upload")                                                                           \
    XX(BATCH, "batch")                                                                             \
    XX(VECTOR_STORE, "vector store")                                                               \
    XX(LIBRARY, "library")                                                                         \
    XX(CONTAINER, "container")                                                                     \
    XX(FINE_TUNING, "fine-tuning job")                                                             \
    XX(MODEL, "model")                                                                             \
    XX(ASSISTANT, "assistant")                                                                     \
    XX(THREAD, "thread")                                                                           \
    XX(CONVERSATION, "conversation")                                                               \
    XX(RESPONSE, "response")                                                                       \
    XX(ITEM, "item")                                                                               \
    XX(CHAT_COMPLETION, "chat completion")                                                         \
    XX(CACHE, "cached content")                                                                    \
    XX(EVAL, "eval")                                                                               \
    XX(VIDEO, "video")                                                                             \
    XX(SKILL, "skill")                                                                             \
    XX(PROMPT, "prompt")

enum ld_ref_kind {
#define LD_REF_KIND_ENUM(name, text) LD_REF_##name,
    LD_REF_KIND_MAP(LD_REF_KIND_ENUM)
#undef LD_REF_KIND_ENUM
        LD_REF_KIND_COUNT
};

enum { LD_REF_ID_MAX = 512 }; /* bytes of an id */

struct ld_ref {
    enum ld_ref_kind kind;
    struct lj_span at; /* its bytes in the text: between the quotes, or of the number */
    struct lb_str id;  /* decoded, until the next call; p NULL: no text, or longer than an id is */
    size_t item_at;    /* the id of an item in `input`: where that item opens; else SIZE_MAX */
};

struct ld_refs {
    const char *why; /* what kept it from looking at all; NULL: nothing */
    /* private */
    struct lb_str text;
    size_t at;
    unsigned depth;
    uint8_t name_row;   /* of the member whose value comes: 1 + row, 0 none */
    uint8_t name_place; /* what a value that opens there is */
    bool named;         /* a member's value comes */
    struct {
        uint8_t row;
        uint8_t place;
        bool object;
        size_t at; /* of its opening bracket */
    } level[LJ_DEPTH_MAX];
    char id[LD_REF_ID_MAX];
};

void ld_refs_start(struct ld_refs *refs, struct lb_str text);
bool ld_refs_next(struct ld_refs *refs, struct ld_ref *ref);

/*
 * The same of a form's field or a query's parameter, both decoded: does its name ("file_ids[]",
 * "tools[0][file_id]") say that the value is a reference? ref->at is not filled.
 */
bool ld_ref_named(struct lb_str name, struct lb_str value, struct ld_ref *ref);

/*
 * Does a request's body say which id its answer is to have? Some servers take a member `request_id`
 * (vLLM, SGLang), `rid` or `id` for that, and keep the answer under it. Null says nothing.
 */
bool ld_refs_choose(struct lb_str body);

/*
 * Does the item that opens at text.p[at] say all of itself, so that its id is but a name that the
 * client gave it (Codex does, with `store` false)? Not one that stands for what the platform keeps.
 */
bool ld_item_is_whole(struct lb_str text, size_t at);

/* "file", "vector store": for messages. */
const char *ld_ref_kind_name(enum ld_ref_kind kind);

/* The table's names, as a walk over JSON passes over the others. */
extern const struct lj_wanted ld_refs_wanted;

/*
 * Might this name, without escapes, be one of the table's? Asked of every name of every body by
 * ld_peek, so that what names nothing is not walked a second time.
 */
static inline bool ld_ref_hint(struct lb_str name)
{
    return lj_is_wanted(&ld_refs_wanted, name);
}

#endif
