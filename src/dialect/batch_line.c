/* SPDX-License-Identifier: MIT */
/* A line is checked like a request's body, and its two words about where it goes are taken out. */
#include "dialect/batch_line.h"

#include "json/scan.h"

static llmgr_status unclear(struct llmgr_error *err, const char *name)
{
    return lb_fail(err, LLMGR_ERR_INVALID,
                   N_("'%s' of a batch must stand there once, in lower case, as a short text"),
                   name);
}

/* The member's text, if it is the one called `name`. */
static llmgr_status take(struct lb_str text, const struct lj_member *member, const char *name,
                         struct ld_batch_word *word, struct llmgr_error *err)
{
    char room[LD_LINE_TEXT_MAX];
    struct lb_str named = lj_member_name(member, room, sizeof room);
    struct lb_str value = lj_span_of(text, member->value);

    if (!lb_str_eq_nocase(named, lb_cstr(name)))
        return LLMGR_OK;
    if (word->is_there || !lb_str_eq_c(named, name) || value.p[0] != '"')
        return unclear(err, name);
    word->size = lj_unescape(lb_str_sub(value, 1, value.size - 1), word->text, sizeof word->text);
    word->is_there = true;
    return word->size != SIZE_MAX ? LLMGR_OK : unclear(err, name);
}

llmgr_status ld_batch_line(struct lb_str text, struct lb_arena *arena, struct ld_batch_line *line,
                           struct llmgr_error *err)
{
    struct ld_peek peek;
    struct lj_member member;
    struct lj_walk walk;

    llmgr_status status = ld_peek(text, arena, &peek, err);
    if (status != LLMGR_OK)
        return status;
    line->method.is_there = line->url.is_there = line->endpoint.is_there = false;
    lj_walk_start(&walk, text, peek.open, 1);
    while (status == LLMGR_OK && lj_walk_next(&walk, &member)) {
        status = take(text, &member, "method", &line->method, err);
        if (status == LLMGR_OK)
            status = take(text, &member, "url", &line->url, err);
        if (status == LLMGR_OK)
            status = take(text, &member, "endpoint", &line->endpoint, err);
    }
    return status;
}
