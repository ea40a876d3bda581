/* SPDX-License-Identifier: MIT */
/*
 * What the readers of catalogues share, private to this folder: members as text and rates, the
 * count of what was not understood, and the rates of one model by condition.
 */
#ifndef LQ_IMPORT_READ_H
#define LQ_IMPORT_READ_H

#include "base/str.h"
#include "budget/import.h"
#include "json/scan.h"

enum {
    LQ_IMPORT_ABOVE_MAX = 10,  /* thresholds of one model, with "any" */
    LQ_IMPORT_TIERS_MAX = 8,   /* service tiers of one model, with "any" */
    LQ_IMPORT_MEMBER_MAX = 128 /* bytes of a member's name that is looked at */
};

/* The text under a reader, well-formed JSON, and which model it is about, for what is named. */
struct lq_text {
    struct lq_reading *reading;
    struct lb_str text;
    struct lb_str model;
};

typedef llmgr_status lq_reader_fn(const struct lq_text *text, struct llmgr_error *err);
#define LQ_READER_DECLARE(name, text, reader) lq_reader_fn reader;
LQ_FORM_MAP(LQ_READER_DECLARE)
#undef LQ_READER_DECLARE

/* `name` was met and not understood. Any bytes: what is no plain text is shown as '?'. */
void lq_note_strange(const struct lq_text *text, struct lb_str name);

/* The opening byte of a value: '{', '[', '"', '-', a digit, 't', 'f' or 'n'. */
char lq_kind(const struct lq_text *text, struct lj_span value);
/* A string's content, decoded into `buf`; p NULL: no string, longer than `max`, or no UTF-8. */
struct lb_str lq_string(const struct lq_text *text, struct lj_span value, char *buf, size_t max);
/* A member's name, perhaps decoded into `buf`; p NULL: longer than `max`, or no UTF-8. */
struct lb_str lq_member_name(const struct lj_member *member, char *buf, size_t max);
/* Tokens or ms, "128000" and "128000.0" alike; false: it is no such count. */
bool lq_count(const struct lq_text *text, struct lj_span value, int64_t *count);
/*
 * A rate for `per` units from a number or a string. `name` is noted where the value is neither, is
 * negative, too large or finer than a pico-unit per unit; *rate then is LLMGR_UNSET. null is
 * LLMGR_UNSET without a note.
 */
void lq_rate(const struct lq_text *text, struct lj_span value, int64_t per, struct lb_str name,
             int64_t *rate);
/* Is the value a number or string that is 0, or null: does it cost nothing whatever it means? */
bool lq_is_nothing(const struct lq_text *text, struct lj_span value);

/* The member `data` of the whole; false: it is no object, or there is none that is a list. */
bool lq_find_data(struct lb_str text, struct lj_span *data);

/* ---- Hours at which a price holds ------------------------------------------------------------ */

/* In UTC; the weekday is that of the moment. */
struct lq_window {
    unsigned days; /* bit 0: Monday; 0: every day */
    int from;      /* minute of the day */
    int until;     /* exclusive, perhaps on the next day; as `from`: the whole day */
};

/* The day of the week whose English name begins like this one, from 0, Monday; -1: none. */
int lq_day_find(struct lb_str name);
bool lq_window_same(const struct lq_window *a, const struct lq_window *b);
/* Is there a moment that both have? */
bool lq_window_meets(const struct lq_window *a, const struct lq_window *b);
/* Hands out an offer for these hours: `offer` says all the rest. */
LLMGR_MUST_CHECK llmgr_status lq_window_hand_out(const struct lq_text *text,
                                                 const struct lq_window *window,
                                                 struct lq_offer *offer, struct llmgr_error *err);

/* ---- The rates of one model, by threshold and service tier ----------------------------------- */

struct lq_grid {
    int64_t above[LQ_IMPORT_ABOVE_MAX]; /* tokens; the first is 0 */
    bool alone[LQ_IMPORT_ABOVE_MAX];    /* it has none of the tokens' rates below it but output */
    size_t above_count;
    struct lb_str tiers[LQ_IMPORT_TIERS_MAX]; /* the first is empty; borrowed */
    size_t tier_count;
    int64_t cells[LQ_IMPORT_ABOVE_MAX][LQ_IMPORT_TIERS_MAX][LLMGR_PRICE_UNIT_COUNT];
};

/* A threshold's own rates replace those of tokens below it, but not what a call, image, … costs. */
static inline bool lq_is_replaced(size_t unit)
{
    return unit != LLMGR_PRICE_UNIT_OUTPUT && unit < LLMGR_PRICE_UNIT_REQUEST;
}

void lq_grid_init(struct lq_grid *grid);
/* The rates under these conditions, all unset at first; NULL: there is no room for one more. */
int64_t *lq_grid_at(struct lq_grid *grid, int64_t above, struct lb_str tier);
/* As above; the threshold has rates of its own instead of those of smaller ones. */
int64_t *lq_grid_alone(struct lq_grid *grid, int64_t above);
/*
 * Hands out one offer for each pair of a threshold and a tier: `offer` says all the rest. A rate
 * that a pair lacks is the ordinary one at the same threshold, and so on downwards, but for some
 * units, which have the tier's own of what they are part of. What stays unset has its parent's, as
 * everywhere.
 */
LLMGR_MUST_CHECK llmgr_status lq_grid_hand_out(const struct lq_text *text, struct lq_grid *grid,
                                               struct lq_offer *offer, struct llmgr_error *err);

#endif
