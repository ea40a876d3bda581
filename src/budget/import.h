/* SPDX-License-Identifier: MIT */
/*
 * Catalogues of prices, read from the text that others publish: pure, text in, offers out. Each
 * form has a reader of its own (import_NAME.c); what a reader meets and cannot say in our units is
 * named and counted, never guessed.
 *
 *     text -> lq_read_prices -> the form's reader -> lq_offer of each price -> the taker
 *
 * Rates are read from the digits that stand in the text, never through a double. What others
 * computed, and wrote with the noise of it ("1.0000000000000001e-07"), is read as the 15 digits
 * that a double has (IEEE 754, DBL_DIG), rounded half up to a pico-unit per unit if at least four
 * digits stay; finer rates are named and left out, and of our own form all that are finer.
 */
#ifndef LQ_IMPORT_H
#define LQ_IMPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/str.h"
#include "llmgr.h"

/* The forms that are known: XX(NAME, "name, which is also the source of its prices", reader). */
#define LQ_FORM_MAP(XX)                                                                            \
    XX(LITELLM, "litellm", lq_read_litellm)                                                        \
    XX(MODELS_DEV, "models.dev", lq_read_models_dev)                                               \
    XX(OPENROUTER, "openrouter", lq_read_openrouter)                                               \
    XX(OWN, "llmgr", lq_read_own)

typedef enum lq_form {
#define LQ_FORM_ENUM(name, text, reader) LQ_FORM_##name,
    LQ_FORM_MAP(LQ_FORM_ENUM)
#undef LQ_FORM_ENUM
        LQ_FORM_COUNT
} lq_form;

const char *lq_form_name(lq_form form);

enum {
    LQ_IMPORT_TEXT_MAX = 16 * 1024 * 1024, /* bytes of a file */
    LQ_IMPORT_NAME_MAX = 120,              /* bytes of a provider's or model's name */
    LQ_IMPORT_STRANGE_MAX = 100,           /* different things that are named; others are counted */
    LQ_IMPORT_STRANGE_NAME = 80,           /* bytes of such a name, with its NUL */
};

/* A price as a catalogue gives it. Slices are valid during the call that hands it out. */
struct lq_offer {
    struct lb_str provider; /* as the catalogue calls it; empty: any platform's */
    struct lb_str model;    /* as the platform is asked for it */
    struct lb_str currency;
    int64_t from_ms;  /* 0, or past: from now on */
    int64_t until_ms; /* 0: without end */
    int64_t above_tokens;
    struct lb_str service_tier; /* empty: any */
    struct lb_str hours;        /* empty: always */
    struct lb_str time_zone;
    int64_t rates[LLMGR_PRICE_UNIT_COUNT];
};

/* Something that was not understood, and one model that has it. */
struct lq_strange {
    char name[LQ_IMPORT_STRANGE_NAME];
    char model[LQ_IMPORT_NAME_MAX + 1];
    int64_t count;
};

/* Who asks for the offers, and what was found. Zeroed but for the first four. */
struct lq_reading {
    void *context;
    /* The form is known: called once, before the others. */
    llmgr_status (*begin)(void *context, lq_form form, struct llmgr_error *err);
    /* Is this model of that provider asked for? What is not, is not looked into. */
    bool (*wants)(void *context, struct lb_str provider, struct lb_str model);
    llmgr_status (*take)(void *context, const struct lq_offer *offer, struct llmgr_error *err);

    lq_form form;
    int64_t models; /* that stand in the text */
    int64_t wanted; /* of these, asked for */
    struct lq_strange strange[LQ_IMPORT_STRANGE_MAX];
    size_t strange_count;
    int64_t strange_others; /* beyond LQ_IMPORT_STRANGE_MAX */
};

/*
 * Finds the form of `text`, JSON (RFC 8259) or, of our own form, YAML too, and hands out every
 * offer that is asked for, in the text's order. `file` is what errors call it. ERR_INVALID: neither
 * JSON nor YAML, nested beyond LJ_DEPTH_MAX, or of no form that is known; ERR_TOO_LARGE beyond
 * LQ_IMPORT_TEXT_MAX; what `take` returns.
 */
LLMGR_MUST_CHECK llmgr_status lq_read_prices(struct lq_reading *reading, const struct lb_host *host,
                                             const char *file, struct lb_str text,
                                             struct llmgr_error *err);

#endif
