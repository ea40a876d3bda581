/* SPDX-License-Identifier: MIT */
/* What a request's body asks for, read without changing it: by READ for TARGET and PREPARE. */
#ifndef LG_ASK_H
#define LG_ASK_H

#include "dialect/form.h"
#include "dialect/peek.h"

enum lg_ask_kind {
    LG_ASK_OPAQUE, /* nothing is known of it and nothing changed */
    LG_ASK_JSON,
    LG_ASK_FORM
};

struct lg_ask {
    enum lg_ask_kind kind;
    struct ld_peek peek; /* JSON */
    struct ld_form form; /* FORM */
    struct lb_str type;  /* FORM: the content type, in the arena, for the boundary */
};

static inline bool lg_is_json(struct lb_str content_type)
{
    const struct lb_str json = LB_STR("application/json");

    return content_type.size == 0 ||
           (content_type.size >= json.size &&
            lb_str_eq_nocase(lb_str_sub(content_type, 0, json.size), json));
}

static inline bool lg_ask_stream(const struct lg_ask *ask)
{
    return ask != NULL && ((ask->kind == LG_ASK_JSON && ask->peek.stream) ||
                           (ask->kind == LG_ASK_FORM && ask->form.stream));
}

#endif
